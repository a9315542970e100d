"""Verification, the order of intensity, explicitness and plain counts, from hand-made cases."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import SHARES, blind, case, scenario, sighted

from synth.audit.build import audit_cases
from synth.audit.checks import Tally
from synth.audit.explicitness import Arrived
from synth.audit.intensity import SAMPLED, Siblings
from synth.audit.verification import Claims
from synth.records.labels import AnnotatorKind, Explicitness, GoldStatus
from synth.records.schema import FailedCheck, Span


def counted(figure, cases):
    for one in cases:
        figure.add(one)
    return figure.results()


# -- verification


def claims(rows, **changes):
    made = Claims()
    for n, (true, decoy) in enumerate(rows):
        own = scenario(f"e{n}.up", **changes)
        made.add("en", own, [sighted("emotion", "grief", true), sighted("emotion", "anger", decoy)])
    return made


def test_acceptance_and_its_gap():
    made = claims([("clearly", "no")] * 12 + [("plausibly", "plausibly")] * 6 + [("hardly", "no")] * 2)
    (found,) = made.results()
    assert (found.language, found.field, found.verifier) == ("en", "emotion", "verifier-a")
    assert (found.true.value, found.true.n, found.decoy.value, found.decoy.n) == (0.9, 20, 0.3, 20)
    assert found.gap.value == pytest.approx(0.6)
    assert found.gap.lower < 0.6 < found.gap.upper
    assert found.verifiable == "yes"
    assert made.unverifiable() == frozenset()


@pytest.mark.parametrize(
    ("yes", "n", "says"), [(10, 10, "no"), (8, 10, "no"), (7, 10, "yes"), (9, 9, "too few to say")]
)
def test_who_says_yes_to_decoys_verifies_nothing(yes, n, says):
    made = claims([("clearly", "clearly" if k < yes else "no") for k in range(n)])
    (found,) = made.results()
    assert found.verifiable == says
    assert made.unverifiable() == ({("en", "emotion")} if says == "no" else frozenset())


def test_a_label_that_is_as_good_is_no_decoy_and_look_ups_and_cues_are_no_claims():
    made = Claims()
    rows = [
        sighted("emotion", "sadness"),
        sighted("cue", "procedure"),
        sighted("goal", "complain", annotator_kind=AnnotatorKind.LOOKUP),
        sighted("power_form", "up", share=None),
        blind("goal", "help"),
    ]
    made.add("en", scenario(), rows)
    (found,) = made.results()
    assert (found.field, found.true.n, found.decoy, found.gap, found.verifiable) == (
        *("emotion", 1, None, None),
        "too few to say",
    )


def test_one_verifier_who_cannot_tell_is_enough_for_doubt():
    made = claims([("clearly", "no")] * 12)
    for n in range(12):
        own = scenario(f"x{n}.up")
        both = [sighted("emotion", value, annotator="verifier-b") for value in ("grief", "anger")]
        made.add("en", own, both)
    assert [one.verifiable for one in made.results()] == ["yes", "no"]
    assert made.unverifiable() == {("en", "emotion")}


def test_only_the_first_opinion_on_a_claim_counts():
    """A second one is asked only of what would be lost: pooled with the first, it would make a good verifier look worse."""
    made = Claims()
    for n in range(20):
        missed = n < 2
        first = [sighted("goal", "help", "no" if missed else "clearly"), sighted("goal", "complain", "no")]
        second = [
            sighted("goal", "help", "hardly", annotator="verifier-b", evidence=(Span(0, 3),)),
            sighted("goal", "complain", annotator="verifier-b"),
            sighted("goal", "help", "no"),
        ]
        made.add("en", scenario(f"e{n}.up"), first + second * missed)
    (found,) = made.results()
    assert (found.verifier, found.true.n, found.true.value) == ("verifier-a", 20, 0.9)
    assert (found.decoy.n, found.decoy.value) == (20, 0.0)


def test_where_the_first_opinion_said_nothing_the_next_one_is_the_first():
    made = Claims()
    made.add("en", scenario(), [sighted("goal", "help", share=None), sighted("goal", "help", annotator="verifier-b")])
    assert [(one.verifier, one.true.n) for one in made.results()] == [("verifier-b", 1)]


# -- order of intensity


def siblings(felt, read, events, *, kept=True, family="f"):
    return [
        case(
            scenario(f"{family}{felt}e{n}.up", felt=felt, family=family),
            *(blind("felt", str(level), share) for level, share in read.items()),
            kept=kept,
        )
        for n in range(events)
    ]


def test_siblings_are_put_in_order_and_equal_readings_count_half():
    weak, even, strong = (
        siblings(1, {1: 1.0}, 6),
        siblings(2, {1: 0.5, 3: 0.5}, 6),
        siblings(3, {2: 1.0}, 6),
    )
    (found,) = counted(Siblings(), [*weak, *even, *strong])
    assert (found.scenes, found.pairs, found.ordered) == (18, 108, "yes")
    assert found.right == pytest.approx((36 + 36 + 18) / 108)


def test_the_wrong_order_is_not_ordered_and_a_few_pairs_say_nothing():
    wrong = [*siblings(1, {3: 1.0}, 10), *siblings(3, {1: 1.0}, 10)]
    (found,) = counted(Siblings(), wrong)
    assert (found.right, found.ordered) == (0.0, "no")
    (few,) = counted(Siblings(), [*wrong[:9], *wrong[10:19]])
    assert (few.pairs, few.ordered) == (81, "too few to say")


def test_only_siblings_that_are_kept_and_read_are_compared():
    rows = [*siblings(1, {1: 1.0}, 5), *siblings(3, {3: 1.0}, 5, family="g"), *siblings(2, {2: 1.0}, 5, kept=False)]
    (found,) = counted(Siblings(), [*rows, *siblings(3, {}, 5)])
    assert (found.scenes, found.pairs) == (10, 0)
    forms = [
        case(scenario(f"same.{form}", felt=felt), blind("felt", str(felt))) for form, felt in (("up", 1), ("down", 3))
    ]
    (found,) = counted(Siblings(), forms)
    assert found.pairs == 0, "one event is no sibling of itself"


@given(st.permutations(range(40)))
def test_the_sample_is_capped_and_the_same_in_any_order(order):
    rows = [*siblings(1, {1: 1.0}, 30), *siblings(3, {3: 1.0}, 10)]
    (found,) = counted(Siblings(), [rows[n] for n in order])
    assert (found.scenes, found.pairs) == (SAMPLED + 10, SAMPLED * 10)
    assert counted(Siblings(), rows) == (found,)


# -- explicitness


def plainly(kinds, read, *, kept=True):
    return [
        case(scenario(f"e{n}.up", explicitness=kind), *([blind("explicitness", read or kind)]), kept=kept)
        for n, kind in enumerate(kinds)
    ]


KINDS = (
    [Explicitness.NAMED] * 25 + [Explicitness.DESCRIBED] * 35 + [Explicitness.IMPLIED] * 25 + [Explicitness.MASKED] * 15
)


def test_what_arrives_as_planned_is_within():
    found = counted(Arrived(), plainly(KINDS, None))
    assert [(one.explicitness, one.planned, one.kept, one.arrived, one.within) for one in found] == [
        ("named", 0.25, 0.25, 0.25, "yes"),
        ("described", 0.35, 0.35, 0.35, "yes"),
        ("implied", 0.25, 0.25, 0.25, "yes"),
        ("masked", 0.15, 0.15, 0.15, "yes"),
    ]


def test_a_drift_to_what_is_named_is_flagged_where_it_is_over_five_points():
    rows = plainly(KINDS, None)
    drifted = [
        replace(one, annotations=(blind("explicitness", "named"),)) if n in range(85, 85 + 5) else one
        for n, one in enumerate(rows)
    ]
    assert {one.explicitness: (one.difference, one.within) for one in counted(Arrived(), drifted)}["masked"] == (
        *(pytest.approx(-5.0),),
        "yes",
    )
    drifted[90] = replace(drifted[90], annotations=(blind("explicitness", "named"),))
    found = {one.explicitness: one for one in counted(Arrived(), drifted)}
    assert [found[kind].within for kind in ("named", "described", "implied", "masked")] == ["no", "yes", "yes", "no"]
    assert found["named"].difference == pytest.approx(6.0)


def test_what_was_not_kept_or_read_says_nothing():
    lost = counted(Arrived(), plainly(KINDS, None, kept=False))
    assert {(one.kept, one.arrived, one.within) for one in lost} == {(None, None, "not run")}
    few = counted(Arrived(), plainly(KINDS[:99], None))
    assert {one.within for one in few} == {"too few to say"}
    unread = counted(Arrived(), [replace(one, annotations=()) for one in plainly(KINDS, None)])
    assert {(one.kept is None, one.arrived, one.within) for one in unread} == {(False, None, "not run")}


# -- counts, and everything together


def test_failed_checks_are_counted_by_language_with_those_that_asking_again_did_not_mend():
    failed = (FailedCheck("scene", 0, "facts", None), FailedCheck("scene", 1, "facts", None))
    rows = [
        case(scenario(failed_checks=failed)),
        case(scenario("e2.up", failed_checks=(FailedCheck("scene", 0, "cues", "one"),))),
        case(scenario("e3.up", language="hi", failed_checks=failed[:1])),
    ]
    tally = Tally()
    for one in rows:
        tally.add(one)
    assert [(one.language, one.check, one.failed, one.again, one.scenes) for one in tally.failed_checks()] == [
        ("en", "facts", 2, 1, 1),
        ("en", "cues", 1, 0, 1),
        ("hi", "facts", 1, 0, 1),
    ]


def test_statuses_are_counted_with_what_is_kept_of_them():
    rows = [
        case(scenario(), gold_intent=GoldStatus.COVERT, recoverability=0.25),
        case(scenario("e2.up"), gold_intent=GoldStatus.BROKEN, kept=False, recoverability=0.0),
        case(scenario("e3.up"), gold_intent=None, recoverability=0.75),
    ]
    found = audit_cases([rows], complete=True)
    assert next((one.field, one.counts, one.kept) for one in found.statuses) == (
        "goal",
        {"covert": 1, "broken": 1},
        {"covert": 1},
    )
    ((recovered),) = found.recovered
    assert (recovered.explicitness, recovered.scenes, recovered.recoverability) == ("named", 2, 0.5)


answers = st.builds(
    lambda field, value, answer: sighted(field, value, answer),  # noqa: PLW0108 - its defaults are not hypothesis's
    st.just("emotion"),
    st.sampled_from(["grief", "anger"]),
    st.sampled_from([*SHARES]),
)


@given(
    st.lists(st.tuples(st.lists(answers, max_size=3), st.booleans(), st.sampled_from(list(Explicitness))), max_size=12)
)
def test_any_audit_is_plain_json(made):
    rows = [
        case(scenario(f"e{n}.up", explicitness=kind), *own, blind("felt", "2"), kept=kept)
        for n, (own, kept, kind) in enumerate(made)
    ]
    found = audit_cases([rows[:3], rows[3:]], complete=True)
    assert (found.scenes, found.kept) == (len(rows), sum(kept for _, kept, _ in made))
    assert found == audit_cases([rows], complete=True)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == found.to_dict()
    assert found.failed == ()
