"""Planted attrition is found, and none is found without it; too little says nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import case, scenario, selection, sighted

from synth.audit.attrition import Survivors, Weighed
from synth.records.labels import Explicitness, PowerForm, Regulation

REGULATIONS = list(Regulation)
KINDS = list(Explicitness)
FORMS = list(PowerForm)


def attempts(number, chance, seed=0, **changes):
    """Give attempts over all kinds of scenes, each kept with the chance that `chance` gives its cell."""
    random = np.random.default_rng(seed)
    found = []
    for n, (reg, kind, form, felt, spoken, profile, direct, luck) in enumerate(
        zip(
            *(random.integers(0, size, number) for size in (4, 4, 3, 4, 2, 5, 3)),
            random.random(number),
            strict=True,
        )
    ):
        made = scenario(
            f"e{n}.up",
            regulation=REGULATIONS[reg],
            explicitness=KINDS[kind],
            power_form=FORMS[form],
            felt=int(felt),
            directness=int(direct),
            language=("en", "hi")[spoken],
            profile_ids=(f"profile-{profile}",),
            **changes,
        )
        found.append(case(made, sighted("goal", "help"), kept=bool(luck < chance(made))))
    return found


def survival(cases):
    counted = Survivors()
    for one in cases:
        counted.add(one)
    return counted.results()


def evenly(made):
    return 0.7


def hides(made):
    return 0.4 if made.explicitness == Explicitness.MASKED else 0.75


def test_planted_attrition_is_found_and_named():
    found = survival(attempts(2000, hides))
    assert [(one.dimension, one.group) for one in found.failed] == [("explicitness", "masked")]
    (masked,) = found.failed
    assert masked.ratio.upper < 0.8
    assert masked.ratio.lower < 0.4 / 0.75 < masked.ratio.upper
    assert masked.share.value == pytest.approx(0.4, abs=0.06)
    assert {one.fair for one in found.overall if one.group != "masked"} == {"yes"}


def test_nothing_is_found_where_nothing_was_planted():
    failed = [survival(attempts(1200, evenly, seed)).failed for seed in range(15)]
    assert failed == [()] * 15


def test_at_the_limit_the_gate_rarely_rings():
    """A group that survives at exactly .8 of the others fails in one build of forty at most, whatever the number of groups."""
    limit = [
        survival(attempts(1200, lambda made: 0.56 if made.regulation == REGULATIONS[1] else 0.7, seed))
        for seed in range(40)
    ]
    assert sum(bool(one.failed) for one in limit) <= 2


@pytest.mark.parametrize(("number", "says"), [(499, {"too few to say"}), (1200, {"yes", "no"})])
def test_under_five_hundred_attempts_nothing_is_said(number, says):
    found = survival(attempts(number, hides))
    assert {one.fair for one in found.overall} <= says
    assert all(one.ratio is not None for one in found.overall)
    assert found.attempted == number


def test_a_group_under_a_hundred_says_nothing_however_it_fares():
    rare = [replace(one, attempt=replace(one.attempt, felt=9)) for one in attempts(99, lambda made: 0.0)]
    found = survival([*attempts(1000, evenly), *rare])
    own = {one.group: one for one in found.overall if one.dimension == "felt"}
    assert own["9"].fair == "too few to say"
    assert (own["9"].survived, own["9"].attempted, own["9"].share.value) == (0, 99, 0.0)
    assert own["0"].fair == "yes"


def test_one_group_alone_has_nothing_to_be_compared_with():
    found = survival([replace(one, attempt=replace(one.attempt, language="en")) for one in attempts(600, evenly)])
    (language,) = [one for one in found.overall if one.dimension == "language"]
    assert (language.ratio, language.fair) == (None, "not run")


def test_the_step_of_gold_is_looked_at_by_itself():
    """A filter that drops masked scenes is no fault of gold, and gold that breaks them is one of both."""
    made = attempts(2000, hides)
    by_filter = survival(made)
    assert (by_filter.verified, by_filter.stood) == (2000, 2000)
    assert {one.fair for one in by_filter.gold} == {"yes"}
    broken = [
        one if one.decided.kept else replace(one, decided=replace(one.decided, reasons=("gold:emotion:broken",)))
        for one in made
    ]
    by_gold = survival(broken)
    assert by_gold.stood == by_gold.kept == by_filter.kept
    assert [one.group for one in by_gold.failed] == ["masked", "masked"]
    unverified = [replace(one, annotations=()) for one in made]
    assert (survival(unverified).verified, survival(unverified).gold) == (0, ())


def test_a_scene_of_two_profiles_counts_with_both():
    found = survival([case(scenario(profile_ids=("a", "b"))), case(scenario("e2.up", profile_ids=("b",)), kept=False)])
    own = {one.group: (one.survived, one.attempted) for one in found.overall if one.dimension == "profile"}
    assert own == {"a": (1, 1), "b": (1, 2)}


def test_what_is_composed_offline_is_no_attempt():
    found = survival(attempts(600, hides, generator="offline@1"))
    assert (found.attempted, found.overall, found.gold) == (0, (), ())


def test_the_order_of_scenes_changes_nothing():
    made = attempts(700, hides)
    assert survival(made) == survival(made[::-1])


def test_weights_are_worth_fewer_equal_ones():
    counted = Weighed()
    assert counted.results() is None
    for weight in (1.5, 0.5, None):
        counted.add(replace(case(scenario()), decided=selection(w_survival=weight)))
    found = counted.results()
    assert (found.rows, found.largest, found.worth) == (2, 1.5, 4 / 2.5)
