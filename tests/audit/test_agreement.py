"""Agreement of simulated annotators whose agreement is known, and what its figures leave out."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import blind, case, scenario

from synth.audit.agreement import LABELS, Compared, tops
from synth.gold import FIELDS
from synth.records.labels import AnnotatorKind, Emotion, Goal

A, B = "annotator-a", "annotator-b"
NAMES = LABELS["emotion"][:4]


def compared(cases):
    counted = Compared()
    for one in cases:
        counted.add(one)
    return counted.results()


def pairs(first, second, field="emotion", **changes):
    """Give scenes that two annotators label, one label each."""
    return [
        case(scenario(f"e{n}.up", **changes), blind(field, one, annotator=A), blind(field, other, annotator=B))
        for n, (one, other) in enumerate(zip(first, second, strict=True))
    ]


def known(number, agreement, seed):
    """Give labels of two annotators who both know that share of scenes, and guess the others by the same shares."""
    random = np.random.default_rng(seed)
    shares = [0.4, 0.3, 0.2, 0.1]
    truth, one, other = (random.choice(NAMES, number, p=shares) for _ in range(3))
    knows = random.random(number) < agreement
    return np.where(knows, truth, one).tolist(), np.where(knows, truth, other).tolist()


def the(rows, field):
    (found,) = [row for row in rows if row.field == field]
    return found


def test_intervals_of_simulated_annotators_cover_what_is_known():
    """Over 40 builds of 250 scenes: 38 are expected; 3 misses fewer or 5 more are chance, half an interval is not."""
    inside = 0
    for seed in range(40):
        found = the(compared(pairs(*known(250, 0.55, seed))).reliability, "emotion")
        inside += found.kappa.lower <= 0.55 <= found.kappa.upper
        assert found.scenes == 250
        assert found.ac1.lower < found.ac1.value < found.ac1.upper
    assert 33 <= inside <= 40


@pytest.mark.parametrize(
    ("number", "agreement", "usable"),
    [(199, 0.9, "too few to say"), (200, 0.9, "yes"), (400, 0.3, "no"), (210, 0.42, "no")],
)
def test_a_field_is_usable_by_the_lower_end_with_two_hundred_scenes(number, agreement, usable):
    """At .42 of 210 scenes the figure itself may lie over .4: its lower end does not."""
    found = the(compared(pairs(*known(number, agreement, 3))).reliability, "emotion")
    assert found.usable == usable


def test_one_label_for_all_scenes_says_nothing_of_kappa():
    found = the(compared(pairs(["grief"] * 250, ["grief"] * 250)).reliability, "emotion")
    assert (found.same, found.kappa, found.usable) == (1.0, None, "too few to say")
    assert found.ac1.value == 1.0


def test_each_side_of_the_triangle():
    rows = [
        case(
            scenario(),
            blind("goal", "advice", annotator=A),
            blind("goal", "complain", annotator=B),
            blind("goal", "help", annotator="maria", annotator_kind=AnnotatorKind.PERSON),
            blind("goal", "request", annotator="x", annotator_kind=AnnotatorKind.LOOKUP),
        )
    ]
    found = compared(rows)
    assert [(one.first, one.second, one.field, one.same) for one in found.reliability] == [
        (A, B, "goal", 0.0),
        (A, B, "goal_group", 0.0),
    ]
    assert [(one.first, one.field, one.same) for one in found.fidelity] == [
        (A, "goal", 0.0),
        (B, "goal", 0.0),
        (A, "goal_group", 1.0),
        (B, "goal_group", 0.0),
    ]
    assert [(one.first, one.field, one.same) for one in found.validity] == [
        ("persons", "goal", 1.0),
        ("persons", "goal_group", 1.0),
    ]
    accepted = {one.first: one.accepted.value for one in found.fidelity if one.field == "goal"}
    assert accepted == {A: 1.0, B: 0.0}, "advice is as good as help here"
    assert all(one.accepted is None for one in [*found.reliability, *found.fidelity] if one.field not in FIELDS)


def test_without_a_second_annotator_or_a_person_nothing_was_run():
    found = compared([case(scenario(), blind("goal", "help"))])
    assert (found.reliability, found.validity) == ((), ())
    assert found.fidelity


def test_two_families_of_one_name_are_two_annotators():
    rows = [blind("goal", "help", annotator_family=family) for family in ("one", "two")]
    found = compared([case(scenario(), *rows)]).reliability
    assert {(row.first, row.second) for row in found} == {("annotator-a (one)", "annotator-a (two)")}


def test_the_top_label_is_the_one_with_the_largest_share_and_goals_add_up_by_group():
    rows = [blind("goal", "complain", 0.4), blind("goal", "help", 0.3), blind("goal", "advice", 0.3)]
    assert tops(rows) == {A: {"goal": "complain", "goal_group": "seek"}}
    assert tops(reversed(rows)) == tops(rows)
    tie = [blind("felt", "2", 0.5), blind("felt", "1", 0.5)]
    assert tops(tie) == tops(tie[::-1]) == {A: {"felt": "1"}}
    assert tops([blind("emotion", "a strange calm"), blind("weather", "rain")]) == {}


def test_a_label_that_is_missing_leaves_the_scene_out_of_that_field_alone():
    rows = [blind("goal", "help", annotator=A), blind("felt", "2", annotator=A), blind("felt", "2", annotator=B)]
    found = compared([case(scenario(), *rows)])
    assert [one.field for one in found.reliability] == ["felt"]


def test_ordinal_fields_have_linear_weights_and_languages_stay_apart():
    levels = [(n % 4, min(3, n % 4 + (n % 3 == 0))) for n in range(240)]
    rows = pairs([str(one) for one, _ in levels], [str(other) for _, other in levels], "felt")
    found = the(compared(rows).reliability, "felt")
    assert found.weighted.value > found.kappa.value
    assert found.usable == "yes"
    both = [*rows, *pairs(["grief"], ["anger"], language="hi")]
    assert [(one.language, one.field) for one in compared(both).reliability] == [("en", "felt"), ("hi", "emotion")]


def test_the_order_of_scenes_changes_nothing():
    rows = pairs(*known(60, 0.5, 1))
    assert compared(rows) == compared(rows[::-1])


def test_the_lists_are_those_of_the_record():
    assert LABELS["goal"] == tuple(Goal)
    assert LABELS["emotion"] == tuple(Emotion)
    made = scenario()
    assert all(str(getattr(made, field)) in labels for field, labels in LABELS.items())
