from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import SHARES, blind, hint, scenario, sighted

from synth.gold import COLUMNS, FIELDS, accepts, decision, disjoint, gold_of, recoverability, waits_for_blind
from synth.records.labels import AnnotatorKind, Cue, Emotion, Explicitness, Goal, GoldStatus, PowerForm
from synth.records.schema import CueSpan, Selection

RIGHT = {"goal": "help", "emotion": "grief", "power_form": "up"}
ALSO = {"goal": "advice", "emotion": "sadness"}
WRONG = {"goal": "complain", "emotion": "anger", "power_form": "down"}


def read(field, kind):
    """Give what two blind annotators say of a field."""
    if kind == "unread":
        return []
    labels = {
        "recovers": [(RIGHT[field], 1.0)],
        "other": [(WRONG[field], 1.0)],
        "scattered": [(WRONG[field], 0.5), (RIGHT[field], 0.3)],
        "silent": [],
    }[kind]
    return [
        blind(name, value, share, annotator=who)
        for who in ("annotator-a", "annotator-b")
        for name, value, share in [*((field, *label) for label in labels), ("felt", "3", 1.0)]
    ]


def asked(field, plausible):
    """Give a verifier's word on the true claim, and on a decoy that nothing may depend on."""
    if plausible is None:
        return []
    answer = "plausibly" if plausible else "hardly"
    return [sighted(field, RIGHT[field], answer), sighted(field, WRONG[field], "no" if plausible else "clearly")]


TABLE = [
    # blind, plausible -> status of a writer's row, status of an offline row
    ("recovers", True, "confirmed", "confirmed"),
    ("other", True, "covert", "covert"),
    ("scattered", True, "covert", "covert"),
    ("silent", True, "covert", "covert"),
    ("unread", True, "specified", "authored"),
    ("recovers", False, "contested", "contested"),
    ("other", False, "relabelled", "relabelled"),
    ("scattered", False, "broken", "broken"),
    ("silent", False, "broken", "broken"),
    ("unread", False, "broken", "broken"),
    ("recovers", None, "specified", "authored"),
    ("other", None, "specified", "authored"),
    ("scattered", None, "specified", "authored"),
    ("silent", None, "specified", "authored"),
    ("unread", None, "specified", "authored"),
]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(("kind", "plausible", "status", "offline"), TABLE)
def test_every_cell_of_the_table(field, kind, plausible, status, offline):
    rows = [*read(field, kind), *asked(field, plausible)]
    for generator, expected in (("writer-1", status), ("offline@1", offline)):
        golds = gold_of(scenario(generator=generator), rows)
        found = golds[field]
        assert found.status == expected
        assert found.plausible is plausible
        assert found.other == (WRONG[field] if kind == "other" else None)
        assert found.recovered == {"unread": None, "recovers": 1.0, "scattered": 0.3}.get(kind, 0.0)
        lost = expected in ("broken", "relabelled")
        assert decision(golds) == ((f"gold:{field}:{expected}",) if lost else ())
        assert waits_for_blind(golds) == (kind == "unread" and plausible is False)


def test_statuses_have_a_column_each():
    assert set(COLUMNS.values()) <= set(Selection.__dataclass_fields__)


@pytest.mark.parametrize("field", ALSO)
def test_a_label_that_is_as_good_is_recovered_and_is_no_decoy(field):
    rows = [blind(field, ALSO[field], 0.25), blind(field, RIGHT[field], 0.25), sighted(field, ALSO[field], "plausibly")]
    found = gold_of(scenario(), rows)[field]
    assert (found.recovered, found.plausible, found.status) == (0.5, True, "confirmed")
    assert found.other is None


def test_a_label_that_two_thirds_see_is_another_one_and_one_of_the_right_ones_never_is():
    both = [blind("emotion", "anger", 0.34), blind("emotion", "anger", 1.0, annotator="annotator-b")]
    assert gold_of(scenario(), both)["emotion"].other == "anger"
    less = [blind("emotion", "anger", 0.30), blind("emotion", "anger", 1.0, annotator="annotator-b")]
    assert gold_of(scenario(), less)["emotion"].other is None
    assert gold_of(scenario(), [blind("emotion", "sadness")])["emotion"].other is None
    assert gold_of(scenario(), [blind("emotion", "a strange calm")])["emotion"].other is None


def test_an_annotator_who_says_nothing_of_a_field_halves_what_is_recovered():
    rows = [blind("goal", "help"), blind("felt", "3", annotator="annotator-b")]
    golds = gold_of(scenario(), rows)
    assert golds["goal"].recovered == 0.5
    assert recoverability(golds) == pytest.approx(0.5 / 3, abs=1e-6)


def test_a_model_asked_twice_counts_once():
    rows = [blind("goal", "help"), blind("goal", "complain"), blind("goal", "help", annotator="annotator-b")]
    assert gold_of(scenario(), rows)["goal"].recovered == 0.75


def test_models_of_one_name_and_two_families_are_two():
    rows = [blind("goal", "help", annotator_family="a"), blind("goal", "complain", annotator_family="b")]
    assert gold_of(scenario(), [*rows, blind("goal", "help", annotator_family="a")])["goal"].recovered == 0.5
    words = [sighted("goal", "help", "no"), sighted("goal", "advice", "no"), sighted("goal", "help")]
    split = [*words[:2], replace(words[2], annotator_family="b")]
    assert [gold_of(scenario(), claims)["goal"].plausible for claims in (words, split)] == [False, True]


def test_verifiers_have_one_voice_each():
    rows = [
        sighted("goal", "help", "no"),
        sighted("goal", "advice", "no"),
        sighted("goal", "help", "clearly", annotator="verifier-b"),
    ]
    assert gold_of(scenario(), rows)["goal"].plausible is True
    assert (
        gold_of(scenario(), [*rows, sighted("goal", "help", "no", annotator="verifier-c")])["goal"].plausible is False
    )


def test_plausibly_and_hardly_come_to_a_yes():
    rows = [sighted("goal", "help", "plausibly"), sighted("goal", "help", "hardly", annotator="verifier-b")]
    assert gold_of(scenario(), rows)["goal"].plausible is True


@pytest.mark.parametrize(("answer", "says"), [("clearly", True), ("plausibly", True), ("hardly", False), ("no", False)])
def test_what_a_yes_is(answer, says):
    assert accepts(SHARES[answer]) is says


# -- masked scenes


MASKED = {"explicitness": Explicitness.MASKED, "cues": 3}
FOUND = [*read("emotion", "recovers"), *asked("emotion", True)]


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        (["clearly", "plausibly", "no"], "confirmed"),
        (["clearly", "hardly", "no"], "broken"),
        (["clearly"], "confirmed"),
        ([None, "hardly", None], "confirmed"),
        ([None, "no", "no"], "broken"),
        (["no", "hardly"], "broken"),
        (["no"], "confirmed"),
        ([], "confirmed"),
    ],
)
def test_a_masked_feeling_needs_two_cues_that_can_be_seen(answers, status):
    """A cue that nobody answered for is not unseen: silence rejects nothing."""
    rows = [*FOUND, *(hint(number, answer) for number, answer in enumerate(answers) if answer)]
    golds = gold_of(scenario(**MASKED), rows)
    assert golds["emotion"].status == status
    assert golds["goal"].status == "specified"
    assert decision(golds) == (("gold:emotion:broken",) if status == "broken" else ())
    assert not waits_for_blind(golds)
    assert gold_of(scenario(cues=3), rows)["emotion"].status == "confirmed", "only masked scenes need cues"


def test_an_answer_that_cannot_be_read_takes_no_cue_away():
    rows = [*FOUND, hint(0), hint(1, share=None), hint(2, "no")]
    assert gold_of(scenario(**MASKED), rows)["emotion"].status == "confirmed"


def test_cues_over_the_same_words_are_one_cue():
    """Two kinds in one place, or a quotation within another; those of two turns stand in two texts."""
    (turn,) = scenario(**MASKED).turns
    here = CueSpan(4, 12, Cue.PROCEDURE)
    for other, status in ((CueSpan(4, 12, Cue.JOKE), "broken"), (CueSpan(11, 15, Cue.JOKE), "broken")):
        own = scenario(**MASKED, turns=(replace(turn, cues=(here, other)),))
        assert gold_of(own, FOUND)["emotion"].status == status
        two = tuple(replace(turn, cues=(cue,)) for cue in (here, other))
        assert gold_of(replace(own, turns=two), FOUND)["emotion"].status == "confirmed"
    beside = scenario(
        **MASKED, turns=(replace(turn, cues=(here, CueSpan(12, 15, Cue.JOKE), CueSpan(4, 30, Cue.JOKE))),)
    )
    assert gold_of(beside, FOUND)["emotion"].status == "confirmed"


@given(st.sets(st.tuples(st.integers(0, 9), st.integers(1, 5)), max_size=6))
def test_disjoint_spans_are_as_many_as_can_stand_beside_each_other(made):
    spans = [(start, start + size) for start, size in made]
    apart = [
        len(some)
        for size in range(len(spans) + 1)
        for some in combinations(sorted(spans), size)
        if all(one[1] <= other[0] for one, other in pairwise(some))
    ]
    assert disjoint(spans) == max(apart)


def test_a_decoy_of_a_cue_is_no_cue_however_it_is_answered():
    """A kind that the scene does not state at that place, or its own kind at another."""
    decoys = [replace(hint(number), value="joke") for number in range(3)]
    elsewhere = [hint(7), hint(8)]
    one = [hint(0), hint(1, "no"), hint(2, "hardly")]
    assert gold_of(scenario(**MASKED), [*FOUND, *one, *decoys, *elsewhere])["emotion"].status == "broken"
    no_decoys = [replace(hint(number, "no"), value="joke") for number in range(3)]
    assert gold_of(scenario(**MASKED), [*FOUND, hint(0), hint(1), *no_decoys])["emotion"].status == "confirmed"


def test_cues_of_somebody_else_do_not_hint_at_the_speaker():
    made = scenario(**MASKED)
    others = replace(made, turns=tuple(replace(turn, pid="A") for turn in made.turns))
    assert gold_of(others, FOUND)["emotion"].status == "broken"


def test_cues_are_judged_by_all_verifiers_together():
    rows = [hint(0), hint(1), hint(0, "no", annotator="verifier-b"), hint(1, "hardly", annotator="verifier-b")]
    assert gold_of(scenario(**MASKED), [*FOUND, *rows])["emotion"].status == "confirmed"
    third = [hint(0, "no", annotator="verifier-c"), hint(1, "no", annotator="verifier-c")]
    assert gold_of(scenario(**MASKED), [*FOUND, *rows, *third])["emotion"].status == "broken"


def test_a_masked_scene_without_cues_is_no_better_than_one_whose_cues_nobody_sees():
    without = scenario(**MASKED | {"cues": 1})
    assert gold_of(without, FOUND)["emotion"].status == "broken"
    assert gold_of(without, read("emotion", "recovers"))["emotion"].status == "specified", "nobody verified it"


# -- what holds for any labels


VALUES = {"goal": list(Goal), "emotion": list(Emotion), "power_form": list(PowerForm)}
field_and_value = st.sampled_from(FIELDS).flatmap(
    lambda field: st.tuples(
        st.just(field), st.sampled_from([RIGHT[field], WRONG[field]]) | st.sampled_from([*map(str, VALUES[field])])
    )
)
names = st.sampled_from(["a", "b", "c"])
shares = st.sampled_from([0.0, 0.1, 1 / 3, 0.5, 2 / 3, 1.0])
blinds = st.builds(lambda fv, share, who: blind(*fv, share, annotator=who), field_and_value, shares, names)
sighteds = st.builds(
    lambda fv, answer, who: sighted(*fv, answer, annotator=who), field_and_value, st.sampled_from([*SHARES]), names
)
hints = st.builds(hint, st.integers(0, 3), st.sampled_from([*SHARES]))
labels = st.lists(blinds | sighteds | hints, max_size=24)
scenarios = st.builds(
    lambda kind, cues, generator: scenario(explicitness=kind, cues=cues, generator=generator),
    st.sampled_from(Explicitness),
    st.integers(0, 3),
    st.sampled_from(["writer-1", "offline@1"]),
)


@given(scenarios, labels)
def test_no_status_without_its_evidence(made, rows):
    golds = gold_of(made, rows)
    somebody_read = any(row.view == "scene" for row in rows)
    for field, gold in golds.items():
        claims = [row for row in rows if row.view == "sighted" and row.field == field]
        was_verified = any(row.value in {RIGHT[field], ALSO.get(field)} for row in claims)
        assert (gold.recovered is not None) == somebody_read
        assert (gold.plausible is not None) == was_verified
        if gold.status in ("confirmed", "covert"):
            assert gold.plausible
            assert somebody_read
        if gold.status in ("contested", "relabelled"):
            assert gold.plausible is False
            assert somebody_read
        if gold.status == "broken" and gold.plausible is not False:
            assert field == "emotion"
            assert made.explicitness == "masked"
            assert any(row.view == "sighted" for row in rows)
        if gold.status in ("authored", "specified"):
            assert gold.plausible is None or (gold.plausible and not somebody_read)
            assert (gold.status == "authored") == made.generator.startswith("offline@")
    value = recoverability(golds)
    assert value is None or 0 <= value <= 1
    assert (value is None) == (not somebody_read)
    assert all(gold.recovered is None or 0 <= gold.recovered <= 1 for gold in golds.values())


@given(scenarios, labels, st.data())
def test_the_order_of_labels_changes_nothing(made, rows, data):
    assert gold_of(made, data.draw(st.permutations(rows))) == gold_of(made, rows)


@given(scenarios, labels, labels)
def test_look_ups_persons_and_other_scenes_change_nothing(made, rows, more):
    alien = [
        *(replace(row, annotator_kind=AnnotatorKind.LOOKUP) for row in more),
        *(replace(row, annotator_kind=AnnotatorKind.PERSON) for row in more),
        *(replace(row, target_id="e2.up") for row in more),
    ]
    assert gold_of(made, [*alien, *rows]) == gold_of(made, rows)


def test_who_could_not_tell_has_read_the_scene():
    """An annotator who leaves a label out makes it hard to see; one who was never asked says nothing of it."""
    made = scenario()
    told = [blind("emotion", made.emotion, 1.0, annotator="a"), blind("emotion", None, None, annotator="b")]
    assert gold_of(made, told)["emotion"].recovered == 0.5
    assert gold_of(made, told[:1])["emotion"].recovered == 1.0
    assert gold_of(made, told[1:])["emotion"].recovered == 0.0
    assert gold_of(made, [])["emotion"].recovered is None


@given(scenarios, labels)
def test_only_verification_rejects(made, rows):
    """Blind labels alone reject nothing, and a claim that is accepted does not either, unless a masked scene lacks cues."""
    only_blind = [row for row in rows if row.view == "scene"]
    assert decision(gold_of(made, only_blind)) == ()
    golds = gold_of(made, rows)
    for reason in decision(golds):
        gold = golds[reason.split(":")[1]]
        assert gold.plausible is False or made.explicitness == "masked"


def test_statuses_are_members_of_the_closed_list():
    assert all(isinstance(gold.status, GoldStatus) for gold in gold_of(scenario(), []).values())
