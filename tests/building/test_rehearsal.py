"""A rehearsal hears what every role is asked, and what it hears is what the estimate and the doctor count."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from synth.building.estimate import UNSAMPLED_ANNOTATOR, estimate
from synth.building.prefixes import sample_questions
from synth.building.rehearsal import rehearse
from synth.planning.inventory import take_stock
from synth.recipe import Recipe, open_shelves

RECIPE = {
    "languages": ["en", "ja"],
    "families": ["burial_day_taken_back"],
    "quota": {"records": 12},
    "models": {"writer": "mine/writer", "annotators": ["mine/reader", "offline"]},
    "sampling": {"writer": {"temperature": 1.3}},
}


def stock(**changes):
    recipe = Recipe.of(RECIPE | changes)
    return take_stock(recipe, open_shelves(recipe, Path()))


@pytest.fixture(scope="module")
def heard():
    """What one who listens hears of four events, and how many scenarios they came to."""
    told = []
    return told, rehearse(stock(), 4, lambda *said: told.append(said))


def test_every_role_is_heard_under_its_plain_name_in_all_languages(heard):
    told, scenarios = heard
    asked = Counter(role for role, _, _ in told)
    assert set(asked) == {"writer", "annotator-1", "annotator-2"}
    assert asked["annotator-1"] == asked["annotator-2"] <= scenarios
    assert {question.model for _, question, _ in told} == {"offline"}
    assert len({question.parameters.temperature for _, question, _ in told}) == 1, (
        "another model's sampling is not its own"
    )
    assert all(answer.text for _, _, answer in told)


def test_a_rehearsal_is_the_same_each_time_and_grows_with_its_events(heard):
    again = []
    assert rehearse(stock(), 4, lambda *said: again.append(said)) == heard[1]
    assert again == heard[0]
    assert [question for _, question, _ in again] == sample_questions(stock())
    assert 0 < rehearse(stock(), 1, lambda *_: None) < heard[1]


def test_where_the_embedded_model_speaks_no_language_nothing_is_rehearsed(heard):
    known = stock()
    family = known.families["burial_day_taken_back"]
    unphrased = replace(known, families={**known.families, "nobody_phrased_it": family})
    told = []
    assert rehearse(unphrased, 4, lambda *said: told.append(said)) == len(told) == 0
    assert sample_questions(unphrased) == []
    records = known.recipe.quota.records
    measured, guessed = (estimate(one).roles["annotator-1"].tokens_in for one in (known, unphrased))
    assert guessed != measured > 0
    assert guessed == pytest.approx(UNSAMPLED_ANNOTATOR[1] * records, rel=0.5)
