"""What a sealed row is decided to be: kept, its lane, its gold and its weight; from hand-made rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from scenes import blind, built, close_rows, hint, scenario, seal_rows, sealed, sighted

from synth.building.joined import open_select, splits_of
from synth.building.judging import cause_of
from synth.building.survival import WEIGHED
from synth.errors import UsageError
from synth.records.annotations import annotations_path
from synth.records.arrow import rows_of, table_of
from synth.records.labels import AnnotatorKind, Explicitness, Outcome, Regulation
from synth.records.schema import Selection
from synth.records.slices import write_slices

EN = "p-en-r0001-b00000"
HI = "p-hi-r0001-b00000"
YES = (sighted("goal", "help"), sighted("emotion", "grief"), sighted("power_form", "up"))
READ = (blind("goal", "help"), blind("emotion", "grief"), blind("power_form", "up"))


def select_of(build, partitions=(EN,)):
    """Give what was decided about each target."""
    with open_select(build) as select:
        return {row.target_id: row for name in partitions for row in rows_of(select.read(name), Selection)}


def decided(tmp_path, *rows, dropped=False, answered=True, **changes):
    """Give what becomes of one scenario, and of its faithful reply."""
    made = built(tmp_path, {EN: [sealed(scenario(**changes), *rows, dropped=dropped, answered=answered)]})
    found = select_of(tmp_path)
    return found["e1.up"], found.get("e1.up.faithful"), made


def test_what_is_confirmed_is_kept_with_its_status_and_how_easy_it_is_to_see(tmp_path):
    own, reply, made = decided(tmp_path, *YES, *READ[:2])
    assert (own.kept, own.lane, own.reasons) == (True, "main", ())
    assert (own.gold_intent, own.gold_affect, own.gold_context) == ("confirmed", "confirmed", "covert")
    assert own.recoverability == pytest.approx(2 / 3, abs=1e-6)
    assert own.w_survival == 1.0
    assert reply.kept
    assert (reply.gold_intent, reply.recoverability, reply.w_survival) == (None, None, None)
    assert (made.kept, made.dropped, made.by_reason) == (1, 0, {})


def test_what_is_broken_says_so_and_not_that_nobody_was_asked(tmp_path):
    own, reply, made = decided(tmp_path, sighted("goal", "help", "no"), READ[1], answered=False)
    assert (own.kept, own.lane, own.reasons) == (False, "main", ("gold:goal:broken",))
    assert (own.gold_intent, own.w_survival) == ("broken", None)
    assert reply is None
    assert made.by_reason == {"gold:goal:broken": 1}


def test_what_is_relabelled_has_a_lane_of_its_own(tmp_path):
    wrong = (sighted("emotion", "grief", "no"), blind("emotion", "anger"))
    own, reply, made = decided(tmp_path, *wrong)
    assert (own.kept, own.lane, own.reasons) == (False, "relabelled", ("gold:emotion:relabelled",))
    assert (reply.kept, reply.lane, reply.reasons) == (False, "relabelled", ("scenario",))
    assert made.by_reason == {"gold:emotion:relabelled": 1}


@pytest.mark.parametrize("rows", [(sighted("goal", "help", "no"), blind("felt", "2")), ()], ids=["broken", "dropped"])
def test_a_lane_of_relabelled_rows_holds_no_row_with_another_fault(tmp_path, rows):
    wrong = (sighted("emotion", "grief", "no"), blind("emotion", "anger"))
    own, _, _ = decided(tmp_path, *wrong, *rows, dropped=not rows)
    assert (own.lane, own.gold_affect) == ("main", "relabelled")
    assert len(own.reasons) == 2
    assert "gold:emotion:relabelled" in own.reasons


def test_without_gold_a_scene_without_replies_is_unasked(tmp_path):
    own, _, _ = decided(tmp_path, answered=False)
    assert own.reasons == ("unasked",)


def test_a_masked_scene_whose_cues_nobody_sees_is_broken(tmp_path):
    masked = {"explicitness": Explicitness.MASKED, "cues": 2}
    own, _, _ = decided(tmp_path, *YES, *READ, hint(0), hint(1, "hardly"), **masked)
    assert own.reasons == ("gold:emotion:broken",)


def test_a_scene_that_was_never_written_has_no_gold(tmp_path):
    own, _, _ = decided(tmp_path, outcome=Outcome.REFUSED, turns=(), answered=False)
    assert (own.gold_intent, own.gold_affect, own.gold_context) == (None, None, None)
    assert own.reasons == ("outcome:refused",)


def test_offline_rows_are_what_they_were_before_gold_was_tested(tmp_path):
    lookup = [replace(row, annotator_kind=AnnotatorKind.LOOKUP) for row in (*YES, *READ)]
    own, reply, _ = decided(tmp_path, *lookup, generator="offline@1")
    statuses = ("authored",) * 3
    assert own == Selection("e1.up", "scenario", True, "main", own.split, *statuses, None, None, None, ())
    assert reply == Selection("e1.up.faithful", "faithful", True, "main", own.split, *(None,) * 6, ())


def test_reasons_are_counted_without_the_row_that_they_name():
    assert cause_of("duplicates:near_duplicate_of:e1.up") == "duplicates:near_duplicate_of"
    assert cause_of("gold:goal:broken") == "gold:goal:broken"
    assert cause_of("unasked") == "unasked"


def test_what_readers_see_and_verifiers_do_not_is_contested_and_kept(tmp_path):
    own, _, _ = decided(tmp_path, sighted("goal", "help", "no"), READ[0])
    assert (own.kept, own.gold_intent, own.reasons) == (True, "contested", ())


def test_a_reader_of_a_build_that_keeps_nothing_is_told_which_gold_broke(tmp_path):
    decided(tmp_path, sighted("goal", "help", "no"), blind("felt", "2"))
    with pytest.raises(UsageError, match=r"gold:goal:broken \(1\)"):
        splits_of(tmp_path, "scenarios", kept=True)


def test_a_partition_without_its_labels_is_not_decided(tmp_path):
    rows = {EN: [sealed(scenario(), *YES, *READ)], HI: [sealed(scenario("e2.up", language="hi"), *YES, *READ)]}
    assert built(tmp_path, rows).kept == 2
    annotations_path(tmp_path, HI).unlink()
    assert close_rows(tmp_path, [EN, HI]).kept == 1
    with open_select(tmp_path) as select:
        assert select.partitions == (EN,)


def test_closing_again_gives_the_same_bytes_and_leaves_no_draft(tmp_path):
    built(tmp_path, {EN: [sealed(scenario(), *YES)]})
    before = (tmp_path / "select.parquet").read_bytes()
    close_rows(tmp_path, [EN])
    assert (tmp_path / "select.parquet").read_bytes() == before
    assert not list(tmp_path.glob("*.tmp"))


# -- what only the whole build says


def claims(number, decoys, *, partition=EN, language="en"):
    """Give scenarios with a true goal accepted, of which some have their decoy accepted as well."""
    return [
        sealed(
            scenario(f"{language}{n}.up", language=language),
            *YES,
            *READ,
            sighted("goal", "complain", "clearly" if n < decoys else "no"),
        )
        for n in range(number)
    ]


@pytest.mark.parametrize(
    ("number", "decoys", "status"),
    [(10, 10, "specified"), (10, 8, "specified"), (10, 7, "confirmed"), (9, 9, "confirmed")],
)
def test_a_yes_is_no_evidence_where_decoys_get_one_too(tmp_path, number, decoys, status):
    """The gap must be .3 with ten claims of either kind; the other language and the other fields keep theirs."""
    made = built(tmp_path, {EN: claims(number, decoys), HI: claims(10, 0, partition=HI, language="hi")})
    found = select_of(tmp_path, [EN, HI])
    english = [row for name, row in found.items() if name.startswith("en") and row.kind == "scenario"]
    assert {row.gold_intent for row in english} == {status}
    assert {row.gold_affect for row in english} == {"confirmed"}
    assert {row.gold_intent for name, row in found.items() if name.startswith("hi") and row.kind == "scenario"} == {
        "confirmed"
    }
    assert made.kept == number + 10, "what is kept rests on the record's own evidence"


def test_rejected_rows_stay_rejected_where_nobody_can_verify(tmp_path):
    lost = sealed(scenario("x1.up"), sighted("goal", "help", "no"), blind("felt", "2"))
    contested = sealed(scenario("x2.up"), sighted("goal", "help", "no"), READ[0])
    built(tmp_path, {EN: [*claims(12, 12), lost, contested]})
    found = select_of(tmp_path)
    assert (found["x1.up"].gold_intent, found["x1.up"].reasons) == ("broken", ("gold:goal:broken",))
    assert found["x2.up"].gold_intent == "specified"


CELLS = [
    (Regulation.NONE, Explicitness.NAMED, 3),
    (Regulation.MASKED, Explicitness.MASKED, 3),
    (Regulation.NONE, Explicitness.IMPLIED, 1),
    (Regulation.DEAMPLIFIED, Explicitness.DESCRIBED, 2),
]


def attempts(language, number, keep):
    """Give attempts of four kinds, of which `keep` says how many of every ten are kept."""
    return [
        sealed(
            scenario(f"{language}{kind}x{n}.up", language=language, regulation=reg, explicitness=exp, felt=felt),
            dropped=n % 10 >= keep[kind],
        )
        for kind, (reg, exp, felt) in enumerate(CELLS)
        for n in range(number)
    ]


def test_weights_bring_kept_rows_back_to_what_was_attempted(tmp_path):
    rows = {EN: attempts("en", 20, (9, 4, 7, 10)), HI: attempts("hi", 10, (5, 8, 6, 9))}
    made = built(tmp_path, rows)
    found = select_of(tmp_path, [EN, HI])
    assert {row.w_survival for row in found.values() if not row.kept or row.kind != "scenario"} == {None}
    weights = {name: row.w_survival for name, row in found.items() if row.kept and row.kind == "scenario"}
    assert len(weights) == made.kept
    assert sum(weights.values()) / made.kept == pytest.approx(1.0, abs=1e-6)
    everything = [one.scenario for own in rows.values() for one in own]
    for name in WEIGHED:
        wanted = Counter(str(getattr(one, name)) for one in everything)
        weighed = Counter()
        for one in everything:
            weighed[str(getattr(one, name))] += weights.get(one.scenario_id, 0.0)
        for label, count in wanted.items():
            assert weighed[label] / made.kept == pytest.approx(count / len(everything), abs=1e-4), (name, label)
    assert len(set(weights.values())) > 4


def test_weights_do_not_depend_on_the_order_of_partitions(tmp_path):
    rows = {EN: attempts("en", 20, (9, 4, 7, 10)), HI: attempts("hi", 10, (5, 8, 6, 9))}
    built(tmp_path / "a", rows)
    seal_rows(tmp_path / "b", rows)
    close_rows(tmp_path / "b", [HI, EN])
    assert select_of(tmp_path / "a", [EN, HI]) == select_of(tmp_path / "b", [EN, HI])


def test_offline_rows_weigh_nothing(tmp_path):
    rows = [
        replace(one, scenario=replace(one.scenario, generator="offline@1")) for one in attempts("en", 10, (9, 4, 7, 10))
    ]
    built(tmp_path, {EN: rows})
    assert {row.w_survival for row in select_of(tmp_path).values()} == {None}


def test_the_draft_leaves_no_trace_in_the_bytes_of_rows_that_nothing_corrects(tmp_path):
    rows = {
        EN: [sealed(scenario(f"a{n}.up", generator="offline@1"), dropped=n == 1) for n in range(3)],
        HI: [sealed(scenario("b.up", generator="offline@1", language="hi"))],
    }
    built(tmp_path, rows)
    found = select_of(tmp_path, [EN, HI])
    with open_select(tmp_path) as select:
        kept = [(name, select.read(name)) for name in select.partitions]
    again = [
        (name, table_of([row for target, row in found.items() if target.startswith(letter)], Selection))
        for name, letter in ((EN, "a"), (HI, "b"))
    ]
    assert [table for _, table in kept] == [table for _, table in again]
    write_slices(tmp_path / "directly.parquet", again, Selection)
    assert (tmp_path / "directly.parquet").read_bytes() == (tmp_path / "select.parquet").read_bytes()
