"""Strata: their order, their lines' turns, and what a small quota reaches."""

from __future__ import annotations

from collections import Counter

import pytest

from synth.errors import RecipeError
from synth.planning.casting import Slot
from synth.planning.events import make_events
from synth.planning.strata import allocate

FOUR = ["ar", "en", "es", "ja"]


def sequences(stock, **settings):
    inventory, strata = stock(**settings)
    slots = [Slot(n, ordinal, 0, 15) for n in range(len(strata)) for ordinal in range(3)]
    return {event.event_key: (event.sequence, event.cells) for event in make_events(inventory, strata, slots)}


@pytest.mark.parametrize("quota", [12, 24, 48])
def test_a_small_quota_reaches_every_language(stock, quota):
    inventory, strata = stock(languages=FOUR, quota={"records": quota})
    counts = Counter()
    for stratum, number in zip(strata, allocate(inventory, strata, quota), strict=True):
        counts[stratum.get("language")] += number
    assert set(counts) == set(FOUR)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_the_order_in_which_factors_are_written_changes_nothing(stock):
    one = sequences(stock, cross=["language", "family", "profile", "explicitness"])
    other = sequences(stock, cross=["explicitness", "profile", "family", "language"])
    assert one == other
    assert len(one) > 100


def test_a_crossed_profile_more_moves_no_event_of_the_others(stock):
    fewer = sequences(
        stock, languages=["en"], cross=["language", "profile"], profiles=["en-IE-dublin", "en-US-atlanta"]
    )
    more = sequences(
        stock,
        languages=["en"],
        cross=["language", "profile"],
        profiles=["en-IE-dublin", "en-NG-lagos", "en-US-atlanta"],
    )
    same = [key for key in fewer if key in more]
    assert len(same) == len(fewer)
    assert all(fewer[key][0] == more[key][0] for key in same)


def test_a_model_is_not_told_of_lines(stock):
    assert {sequence for sequence, _ in sequences(stock, models={"writer": "mine/m"}).values()} == {None}


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_split_of_a_family_that_is_not_there_is_refused(stock, split):
    with pytest.raises(
        RecipeError, match=rf"splits.{split}: there is no family 'file_lost_agian'\n  did you mean 'file_lost_again'"
    ):
        stock(splits={split: ["file_lost_agian"]})
    inventory, _ = stock(splits={split: ["file_lost_again"]})
    assert inventory.recipe.splits.model_dump()[split] == ("file_lost_again",)
