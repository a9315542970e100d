"""Rounds: what is dropped is replaced, at most so often; the build ends and says what is missing."""

from __future__ import annotations

from collections import Counter

import pytest

import synth
from synth.building.lines import open_recipe_suite
from synth.building.rounds import Missing, Standing, plan_next, replacements, take_standing
from synth.building.running import run_build
from synth.building.settings import RunSettings
from synth.building.walk import Stop
from synth.errors import IncompleteError
from synth.events import PartitionSealed, RoundClosed
from synth.filters.base import read_resources
from synth.planning.casting import event_keys
from synth.planning.inventory import take_stock
from synth.planning.rounds import read_rounds, read_slots
from synth.planning.strata import strata_of
from synth.recipe import Recipe, open_shelves
from synth.records.arrow import logical_hash
from synth.records.schema import Scenario
from synth.records.verification import verify

BEYOND = {"languages": ["en"], "families": ["burial_day_taken_back"], "quota": {"records": 90}, "partition": 30}


@pytest.fixture(scope="module")
def beyond(tmp_path_factory):
    """A build whose quota is more than the phrasings of one family can say in different words."""
    events = []
    build = synth.build(BEYOND, tmp_path_factory.mktemp("beyond") / "b", on_event=events.append)
    return build, events


def slots_of(build):
    return [
        (made.number, made.strata[slot.stratum].key, slot)
        for made in read_rounds(build.folder)
        for planned in made.partitions
        for slot in read_slots(build.folder, made.number, planned.row_group)
    ]


def keys_of(build):
    """Give (event key, slot) of every planned event."""
    for made in read_rounds(build.folder):
        for planned in made.partitions:
            slots = read_slots(build.folder, made.number, planned.row_group)
            keys = event_keys(build.recipe.seed, made.strata, slots).tolist()
            yield from ((f"{key:016x}", slot) for key, slot in zip(keys, slots, strict=True))


def test_it_ends_complete_and_says_what_is_missing(beyond):
    build, events = beyond
    report = build.report
    kept = sum(1 for _ in build.records())
    assert build.complete
    assert (report.wanted, report.kept, report.missing) == (90, kept, 90 - kept)
    assert 0 < report.missing < 90
    assert not report.met
    assert any("duplicates" in reason for reason in report.by_reason)
    assert sum(report.by_reason.values()) >= report.dropped
    assert report.kept + report.dropped == sum(1 for _ in build.records(kept=False))
    closed = [event for event in events if isinstance(event, RoundClosed)]
    assert [event.round for event in closed] == list(range(1, report.rounds + 1))
    # what a closed round says is missing is what the next one makes again
    again = Counter(number for number, _, slot in slots_of(build) for _ in range(slot.forms.bit_count()))
    assert [event.missing for event in closed] == [again[event.round + 1] for event in closed]
    assert (closed[-1].kept, closed[-1].missing) == (report.kept, 0)
    assert verify(build.folder) == []


def test_a_dropped_form_takes_the_same_slot_one_try_higher(beyond):
    build, _ = beyond
    slots = slots_of(build)
    first = {(key, slot.ordinal): slot for _, key, slot in slots if slot.replacement == 0}
    again = [(number, key, slot) for number, key, slot in slots if slot.replacement]
    assert again
    for number, key, slot in again:
        assert number == slot.replacement + 1
        assert (key, slot.ordinal) in first
        assert slot.forms & ~first[key, slot.ordinal].forms == 0
    assert Counter((key, slot.ordinal, slot.replacement) for _, key, slot in slots).most_common(1)[0][1] == 1
    assert max(slot.replacement for _, _, slot in slots) < build.recipe.tries


def test_a_form_is_kept_once_for_each_slot(beyond):
    build, _ = beyond
    inventory = take_stock(build.recipe, open_shelves(build.recipe, build.folder))
    place = {}
    for made in read_rounds(build.folder):
        for planned in made.partitions:
            slots = read_slots(build.folder, made.number, planned.row_group)
            for slot, key in zip(slots, event_keys(inventory.recipe.seed, made.strata, slots).tolist(), strict=True):
                place[f"{key:016x}"] = (made.strata[slot.stratum].key, slot.ordinal)
    kept = Counter((*place[r.scenario.event_key], r.scenario.form_key) for r in build.records())
    assert max(kept.values()) == 1


def test_a_rerun_does_nothing(beyond, tmp_path):
    build, _ = beyond
    before = {path: path.stat().st_mtime_ns for path in (build.folder / "parts").rglob("*")}
    again = synth.build(BEYOND, build.folder)
    assert (again.complete, again.report.calls) == (True, 0)
    assert (again.report.kept, again.report.missing) == (build.report.kept, build.report.missing)
    assert {path: path.stat().st_mtime_ns for path in (build.folder / "parts").rglob("*")} == before


@pytest.mark.parametrize("tries", [1, 2])
def test_a_slot_has_so_many_tries(tries, tmp_path):
    build = synth.build(BEYOND | {"tries": tries, "quota": {"records": 60}}, tmp_path / "b")
    assert {slot.replacement for _, _, slot in slots_of(build)} == set(range(tries))
    assert build.report.missing == 60 - build.report.kept


def test_a_build_of_several_rounds_that_is_stopped_often_gives_the_same_rounds(beyond, prints, tmp_path):
    folder = tmp_path / "b"
    for _ in range(40):
        stop = Stop()

        def on_event(event, stop=stop):
            if isinstance(event, PartitionSealed):
                stop.ask("enough")

        try:
            run_build(
                Recipe.of(BEYOND), folder, settings=RunSettings(), recipe_folder=folder, listener=on_event, stop=stop
            )
        except IncompleteError:
            continue
        break
    assert prints(folder) == prints(beyond[0].folder)
    assert verify(folder) == []


def test_a_stratum_that_yields_too_little_is_closed():
    standing = Standing()
    standing.slots["poor"], standing.attempted["poor"], standing.kept["poor"] = 50, 150, 29
    standing.slots["young"], standing.attempted["young"], standing.kept["young"] = 49, 147, 0
    standing.slots["good"], standing.attempted["good"], standing.kept["good"] = 50, 150, 30
    assert [standing.closed(name) for name in ("poor", "young", "good", "unknown")] == [True, False, False, False]


def test_a_closed_stratum_gets_no_more_slots(beyond, tmp_path):
    build, _ = beyond
    recipe = Recipe.of(BEYOND)
    inventory = take_stock(recipe, open_shelves(recipe, build.folder))
    rounds = read_rounds(build.folder)[:1]
    strata = strata_of(inventory)
    slots = [s for p in rounds[0].partitions for s in read_slots(build.folder, 1, p.row_group)]
    standing = Standing()
    for slot in slots:
        key = rounds[0].strata[slot.stratum].key
        standing.slots[key] += 50
        standing.attempted[key] += 150
        standing.missing[key, slot.ordinal] = Missing(0, 1)
    poor = strata[0].key
    for stratum in strata[1:]:
        standing.kept[stratum.key] = 10_000
    (tmp_path / "plan").mkdir()
    made = plan_next(tmp_path, rounds, inventory, replacements(inventory, standing))
    planned = [s for p in made.partitions for s in read_slots(tmp_path, made.number, p.row_group)]
    assert planned
    assert poor not in {made.strata[slot.stratum].key for slot in planned}
    assert {slot.replacement for slot in planned} == {1}


def test_what_stands_is_read_from_sealed_facts_only(beyond):
    build, _ = beyond
    recipe = Recipe.of(BEYOND)
    shelves = open_shelves(recipe, build.folder)
    inventory = take_stock(recipe, shelves)
    standing = take_standing(
        build.folder,
        read_rounds(build.folder),
        inventory,
        open_recipe_suite(inventory),
        lambda language: read_resources(shelves, language),
    )
    assert standing.kept.total() == build.report.kept
    assert sum(missing.forms.bit_count() for missing in standing.missing.values()) == build.report.missing
    rows = [record.scenario for record in build.records(kept=False)]
    assert all(isinstance(row, Scenario) for row in rows)
    assert standing.attempted.total() == len(rows)


def test_what_is_made_at_the_first_try_is_the_same_whenever_the_quota_asks_for_it(beyond, tmp_path):
    """Only what replaces a dropped row may differ: rounds are admitted in their order, and raising a quota adds rounds."""
    build, _ = beyond
    folder = tmp_path / "b"
    synth.build(BEYOND | {"quota": {"records": 45}}, folder)
    raised = synth.build(BEYOND, folder)
    first = {event for event, slot in keys_of(build) if slot.replacement == 0}
    assert first == {event for event, slot in keys_of(raised) if slot.replacement == 0}
    rows = [
        {r.scenario.scenario_id: logical_hash(r.scenario) for r in one.records(kept=False)} for one in (build, raised)
    ]
    own = [{name: digest for name, digest in one.items() if name.partition(".")[0] in first} for one in rows]
    assert len(own[0]) == 90
    assert own[0] == own[1]
    assert verify(folder) == []
