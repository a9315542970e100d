"""The cells of a tuning: drawn as a build draws them, halved by hash, and none of them held out for validation or test."""

from __future__ import annotations

import itertools

import pytest

from synth.content.shelves import Shelves
from synth.errors import UsageError
from synth.planning.inventory import take_stock
from synth.recipe import Recipe
from synth.records.labels import Split
from synth.tuning.cases import draw_cases

WRITERS = {"writer": "mine/w", "annotators": ["mine/a"]}


def stock(**settings):
    given = {"languages": ["en", "ja"], "quota": {"records": 1}, "models": WRITERS} | settings
    return take_stock(Recipe.of(given), Shelves())


def names(cases):
    return [[case.name for case in part] for part in (cases.reflected, cases.chosen, cases.held_out)]


def test_half_is_held_out_and_no_event_is_in_two_parts():
    cases = draw_cases(stock(), "write", 24, 1)
    reflected, chosen, held_out = names(cases)
    assert (len(reflected), len(chosen), len(held_out)) == (6, 6, 12)
    events = [case.event.event_key for case in cases.all()]
    assert len(set(events)) == 24
    assert {case.event.language for case in cases.all()} == {"en", "ja"}


def test_the_halves_follow_from_the_keys_and_the_seed():
    first, again, other = (names(draw_cases(stock(), "write", 12, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert sorted(itertools.chain(*first)) == sorted(itertools.chain(*other))


def test_families_that_are_held_out_are_not_tuned_on():
    inventory = stock(
        families=["file_lost_again", "burial_day_taken_back"], splits={"validation": [], "test": ["file_lost_again"]}
    )
    cases = draw_cases(inventory, "write", 8, 1)
    assert {case.family.family for case in cases.all()} == {"burial_day_taken_back"}
    assert {case.event.split for case in cases.all()} == {Split.TRAIN}


def test_each_program_gets_what_it_works_on():
    varied = draw_cases(stock(), "vary", 8, 1).all()
    assert all(case.base is not None and case.base.form != case.cell.form for case in varied)
    spoiled = draw_cases(stock(), "contrast", 12, 1).all()
    assert len({case.failure.key for case in spoiled}) > 2
    assert all(case.name.startswith(case.cell.scenario_id + ".") for case in spoiled)
    assert all(case.base is None and case.failure is None for case in draw_cases(stock(), "reply", 8, 1).all())


def test_too_few_cells_are_an_error():
    inventory = stock(families=["file_lost_again"], splits={"validation": [], "test": ["file_lost_again"]})
    with pytest.raises(UsageError, match="gives 0 events to tune write on, and 4 are needed"):
        draw_cases(inventory, "write", 8, 1)


def test_cells_without_an_answer_are_left_out():
    cases = draw_cases(stock(), "write", 8, 1)
    gone = frozenset({cases.held_out[0].name})
    assert cases.without(gone).held_out == cases.held_out[1:]
