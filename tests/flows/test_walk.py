"""A walk: what one event's failure does to the others."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from pathlib import Path

import pytest

from synth.ask import PendingError
from synth.building.walk import OpenPartition, Stop, Walk
from synth.errors import AuthFailed, IncompleteError, Transient
from synth.events import EventParked
from synth.line.line import Lived
from synth.planning.casting import Slot
from synth.planning.events import make_events
from synth.planning.inventory import take_stock
from synth.planning.rounds import PlannedPartition, every_form
from synth.planning.strata import strata_of
from synth.recipe import Recipe, open_shelves

EVENTS = 12


async def alive(line, event, partition):
    """Live an event as a line of these tests does."""
    return await line.live(event, partition)


class Failing:
    """A line whose first event fails in a given way."""

    def __init__(self, error):
        self.error = error
        self.begun = self.lived = 0

    async def live(self, event, partition):
        self.begun += 1
        first = self.begun == 1
        await asyncio.sleep(0)
        if first:
            raise self.error
        await asyncio.sleep(0)
        self.lived += 1
        return Lived()


@pytest.fixture(scope="module")
def events():
    recipe = Recipe.of({"languages": ["en"], "families": ["burial_day_taken_back"], "quota": {"records": 1}})
    inventory = take_stock(recipe, open_shelves(recipe, Path()))
    strata = strata_of(inventory)
    slots = [Slot(n % len(strata), n // len(strata), 0, every_form(inventory, strata[0])) for n in range(EVENTS)]
    return make_events(inventory, strata, slots)


@pytest.fixture
def walk(events, tmp_path):
    """A function that walks twelve events, three at a time, of which the first fails."""

    def run(error):
        line, stop, told = Failing(error), Stop(), []
        partition = OpenPartition(PlannedPartition("p-en-r0001-b00000", "en", 0, EVENTS, 3 * EVENTS), events)
        made = Walk(tmp_path, {"en": line}, stop=stop, listener=told.append, calls=lambda: 0, window=3, lives=alive)
        try:
            asyncio.run(made.run(iter([partition])))
        finally:
            assert not (tmp_path / "parts").exists()
        return line, stop, partition, Counter(type(event) for event in told)

    return run


@pytest.mark.parametrize("error", [Transient("no line"), PendingError("later", job="j1")])
def test_an_event_without_an_answer_stays_open_and_the_others_go_on(walk, error):
    line, stop, partition, told = walk(error)
    assert (line.begun, line.lived) == (EVENTS, EVENTS - 1)
    assert (partition.parked, len(partition.lived)) == (1, EVENTS - 1)
    assert not stop.wanted()
    assert told[EventParked] == 1


def test_a_limit_that_is_reached_stops_the_walk_and_drains(walk):
    line, stop, partition, told = walk(IncompleteError("the limit max_calls = 9 stops the run"))
    assert stop.reason == "the limit max_calls = 9 stops the run"
    assert line.begun < EVENTS
    assert line.lived == line.begun - 1 == len(partition.lived)
    assert told[EventParked] == 1


def test_an_endpoint_that_refuses_ends_the_walk_after_what_is_in_flight(walk):
    with pytest.raises(AuthFailed, match="no key"):
        walk(AuthFailed("no key"))


class Refusing:
    """A line of which every event is refused at the same moment."""

    async def live(self, event, partition):
        await asyncio.sleep(0)
        raise AuthFailed("no key")


def test_no_error_of_a_walk_is_lost(events, tmp_path):
    lost = []

    async def run():
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: lost.append(context["message"]))
        partition = OpenPartition(PlannedPartition("p-en-r0001-b00000", "en", 0, EVENTS, 3 * EVENTS), events)
        walk = Walk(
            tmp_path, {"en": Refusing()}, stop=stop, listener=told.append, calls=lambda: 0, window=8, lives=alive
        )
        with pytest.raises(AuthFailed, match="no key"):
            await walk.run(iter([partition]))
        gc.collect()

    stop, told = Stop(), []
    asyncio.run(run())
    gc.collect()
    assert lost == []
    assert stop.why() == "no key"
