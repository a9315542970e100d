"""Weights bring kept rows back to the plan, each slot once, however often a slot was tried."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from scenes import SUITE, blind, scenario, seal_rows, sealed

import synth
from synth.audit.build import audit_build
from synth.audit.reading import read_cases
from synth.building.close import close_build
from synth.building.joined import open_select
from synth.building.tries import further_tries
from synth.cli import cli
from synth.filters.base import Resources
from synth.planning.casting import Slot, event_keys
from synth.planning.rounds import PlannedPartition, Round, read_rounds, read_slots
from synth.planning.strata import Stratum
from synth.recipe import Recipe
from synth.records.arrow import rows_of
from synth.records.labels import Explicitness
from synth.records.schema import Selection

KINDS = (Explicitness.NAMED, Explicitness.MASKED)
STRATA = tuple(Stratum((("explicitness", str(kind)), ("language", "en"))) for kind in KINDS)
RECIPE = Recipe.of({"languages": ["en"], "quota": {"records": 8}})
NAMES = [f"p-en-r{number:04d}-b00000" for number in (1, 2, 3)]


def tried(number, slots, lost):
    """Give the scenarios of a round's slots; `lost` says which are dropped."""
    keys = event_keys(RECIPE.seed, STRATA, slots).tolist()
    return [
        sealed(
            scenario(f"{key:016x}.up", event_key=f"{key:016x}", explicitness=KINDS[slot.stratum]),
            blind("explicitness", str(KINDS[slot.stratum])),
            dropped=lost(slot),
        )
        for slot, key in zip(slots, keys, strict=True)
    ]


def plan(build, number, slots):
    """Write a round's slots as planning does, and give the round."""
    folder = Path(build) / "plan"
    folder.mkdir(exist_ok=True, parents=True)
    names = {"stratum": pa.int32(), "ordinal": pa.int32(), "replacement": pa.int16(), "forms": pa.int16()}
    columns = {name: pa.array([getattr(slot, name) for slot in slots], kind) for name, kind in names.items()}
    pq.write_table(pa.table(columns), folder / f"round-{number:04d}.parquet")
    return Round(number, STRATA, {}, {}, {}, (PlannedPartition(NAMES[number - 1], "en", 0, len(slots), len(slots)),))


def refilled(build, first, lost):
    """Make a build of three rounds in which what is lost is tried again; in the second there are fresh slots as well."""
    rounds, slots, partitions = [], first, {}
    for number in (1, 2, 3):
        rounds.append(plan(build, number, slots))
        partitions[NAMES[number - 1]] = tried(number, slots, lost)
        again = [replace(slot, replacement=slot.replacement + 1) for slot in slots if lost(slot)]
        slots = again + ([Slot(n, 900 + k, 0, 1) for n in (0, 1) for k in range(20)] if number == 1 else [])
    assert not slots
    seal_rows(build, partitions)
    close_build(build, rounds, SUITE, lambda name: Resources(name, None, None, None), complete=True, recipe=RECIPE)
    return rounds


def weights_of(build):
    with open_select(build) as select:
        rows = [row for name in select.partitions for row in rows_of(select.read(name), Selection)]
    return {row.target_id: row.w_survival for row in rows if row.kind == "scenario" and row.kept}


FIRST = [Slot(n, k, 0, 1) for n, size in ((0, 85), (1, 15)) for k in range(size)]


def lost_until_third(slot):
    return slot.stratum == 1 and slot.ordinal < 900 and slot.ordinal % 2 == 0 and slot.replacement < 2


def test_slots_that_were_lost_and_filled_again_weigh_no_more_than_others(tmp_path):
    rounds = refilled(tmp_path, FIRST, lost_until_third)
    weights = weights_of(tmp_path)
    assert len(weights) == len(FIRST) + 40, "every slot is kept once"
    assert weights == pytest.approx(dict.fromkeys(weights, 1.0), abs=1e-6)
    again = further_tries(tmp_path, rounds, RECIPE.seed)
    assert [len(again(name)) for name in (*NAMES, "p-en-r0009-b00000")] == [0, 8, 8, 0]
    found = {
        one.explicitness: one
        for one in audit_build(tmp_path, with_pairs=False, again=again).explicitness
        if one.planned
    }
    assert found["masked"].planned == pytest.approx((15 + 20) / 140)
    assert (found["masked"].difference, found["masked"].within) == (pytest.approx(0.0), "yes")
    assert audit_build(tmp_path, with_pairs=False).scenes == 156, "every attempt is still counted as one"


def test_what_is_lost_for_good_is_weighted_back_to_the_plan(tmp_path):
    """Half of the masked slots fail at every try: the others stand for them, however often they were tried."""
    (tmp_path / "plan").mkdir()
    rounds = [plan(tmp_path, n + 1, [replace(s, replacement=n) for s in FIRST if not n or _fails(s)]) for n in (0, 1)]
    partitions = {
        NAMES[n]: tried(n + 1, [replace(s, replacement=n) for s in FIRST if not n or _fails(s)], _fails) for n in (0, 1)
    }
    seal_rows(tmp_path, partitions)
    close_build(tmp_path, rounds, SUITE, lambda name: Resources(name, None, None, None), complete=True, recipe=RECIPE)
    weights = list(weights_of(tmp_path).values())
    assert sum(weights) == pytest.approx(92)
    assert max(weights) * 7 / 92 == pytest.approx(0.15, abs=1e-5)


def _fails(slot):
    return slot.stratum == 1 and slot.ordinal % 2 == 0


def test_a_label_that_only_a_further_try_drew_weighs_something(tmp_path):
    """A replacement may be drawn otherwise than what it replaces, and be all that is kept."""
    slots = [Slot(0, 0, 0, 1)], [Slot(0, 0, 1, 1)]
    rounds = [plan(tmp_path, n + 1, own) for n, own in enumerate(slots)]
    (lost,), (kept,) = (tried(n + 1, own, lambda slot: not slot.replacement) for n, own in enumerate(slots))
    kept = replace(kept, scenario=replace(kept.scenario, directness=2))
    seal_rows(tmp_path, {NAMES[0]: [lost], NAMES[1]: [kept]})
    close_build(tmp_path, rounds, SUITE, lambda name: Resources(name, None, None, None), complete=True, recipe=RECIPE)
    assert weights_of(tmp_path) == {kept.scenario.scenario_id: 1.0}


def test_a_real_build_knows_its_further_tries_and_its_audit_counts_each_slot_once(tmp_path):
    """More is asked for than a family has words for, so slots are tried again; `synth audit` reads the plan of first tries."""
    recipe = {"languages": ["en"], "families": ["burial_day_taken_back"], "quota": {"records": 60}, "partition": 30}
    build = synth.build(recipe, tmp_path / "b")
    rounds = read_rounds(build.folder)
    again = further_tries(build.folder, rounds, build.recipe.seed)
    names = [planned.name for made in rounds for planned in made.partitions]
    rows = [case for cases in read_cases(build.folder, None, again) for case in cases]
    keys = {key for name in names for key in again(name)}
    assert keys
    assert {case.attempt.event_key for case in rows if not case.first} == keys
    slots = [s for made in rounds for p in made.partitions for s in read_slots(build.folder, made.number, p.row_group)]
    assert len({case.attempt.event_key for case in rows if case.first}) == sum(not slot.replacement for slot in slots)
    shown = CliRunner().invoke(cli, ["audit", str(build.folder), "--no-pairs", "--json"], prog_name="synth")
    planned = {one["explicitness"]: one["planned"] for one in json.loads(shown.stdout)["explicitness"]}
    first = Counter(str(case.attempt.explicitness) for case in rows if case.first)
    everything = Counter(str(case.attempt.explicitness) for case in rows)
    assert planned == {kind: pytest.approx(first[kind] / first.total()) for kind in planned}
    assert planned != {kind: pytest.approx(everything[kind] / everything.total()) for kind in planned}
