"""The same recipe gives the same bytes, however it is run, and nothing is asked twice."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import synth
from synth.building.running import run_build
from synth.building.settings import RunSettings
from synth.building.walk import Stop
from synth.errors import IncompleteError
from synth.events import EventLived, PartitionSealed
from synth.models.ledger import statistics
from synth.recipe import Recipe
from synth.records.arrow import logical_hash, rows_of
from synth.records.parts import commits, read_table
from synth.records.schema import Reply, Scenario
from synth.records.verification import verify

ROOT = Path(__file__).resolve().parents[2]


def clear(folder, *names):
    for name in names:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_a_build_is_whole_and_a_second_run_does_nothing(copy, recipe, prints):
    before = prints(copy)
    assert len([name for name in before if name.endswith("commit.json")]) >= 4
    assert verify(copy) == []
    again = synth.build(recipe, copy)
    assert (again.complete, again.report.calls, again.report.kept, again.report.missing) == (True, 0, 24, 0)
    assert prints(copy) == before
    assert verify(copy) == []


def test_four_workers_give_the_bytes_of_one(english, plain_english, prints, tmp_path):
    build = synth.build(english, tmp_path / "b", workers=4)
    assert len(build.partitions()) == 4
    assert prints(build.folder) == prints(plain_english)
    assert verify(build.folder) == []
    first = json.loads((plain_english / "runs/0001.json").read_text(encoding="utf-8"))["report"]
    assert [build.report.calls, build.report.tokens_in] == [first["calls"], first["tokens_in"]]


def test_http_gives_the_bytes_of_the_process_and_asks_each_question_once(served, plain, prints):
    folder, model = served
    assert prints(folder) == prints(plain)
    assert verify(folder) == []
    assert statistics(folder)["answers"] == model.asked.total()


def test_what_is_deleted_comes_back_from_the_ledger_without_a_call(served, recipe, server, counting, prints, tmp_path):
    folder = Path(shutil.copytree(served[0], tmp_path / "b"))
    before = prints(folder)
    clear(folder, "parts", "annotations", "verdicts", "select.parquet", "manifest.json")
    synth.build(recipe, folder, endpoints={"offline": server.url})
    assert counting.asked.total() == 0
    assert prints(folder) == before
    assert verify(folder) == []


@pytest.mark.parametrize("lost", ["verdicts", "annotations", "select.parquet", "manifest.json"])
def test_any_judgement_that_is_deleted_is_made_again(copy, recipe, prints, lost):
    before = prints(copy)
    clear(copy, lost)
    synth.build(recipe, copy)
    found = prints(copy)
    assert {name: found.get(name) for name in before} == before
    assert verify(copy) == []


def test_nights_that_were_stopped_give_the_bytes_of_one(recipe, plain, prints, tmp_path):
    folder = tmp_path / "b"
    with pytest.raises(IncompleteError, match="deadline"):
        synth.build(recipe, folder, deadline=1e-9)
    assert not synth.load(folder).complete
    for kind in (EventLived, PartitionSealed, PartitionSealed):
        stop = Stop()

        def on_event(event, kind=kind, stop=stop):
            if isinstance(event, kind):
                stop.ask("enough for tonight")

        with pytest.raises(IncompleteError, match="enough for tonight") as caught:
            run_build(
                Recipe.of(recipe), folder, settings=RunSettings(), recipe_folder=Path(), listener=on_event, stop=stop
            )
        assert caught.value.exit_code == 3
    assert 2 <= len(commits(folder)) < len(commits(plain))
    assert verify(folder) == []
    assert synth.build(recipe, folder).complete
    assert prints(folder) == prints(plain)
    assert verify(folder) == []


def test_nights_with_a_budget_of_calls_give_the_bytes_of_one_and_pay_once(
    recipe, served, server, counting, prints, tmp_path
):
    folder, calls = tmp_path / "b", served[1].asked.total()
    for night in range(1, -(-calls // 90)):
        with pytest.raises(IncompleteError, match="max_calls"):
            synth.build(recipe, folder, endpoints={"offline": server.url}, max_calls=90)
        assert counting.asked.total() == 90 * night
    assert synth.build(recipe, folder, endpoints={"offline": server.url}, max_calls=90).complete
    assert prints(folder) == prints(served[0])
    assert counting.asked == served[1].asked
    assert verify(folder) == []


def test_the_hash_seed_of_python_decides_nothing(recipe, plain, prints, tmp_path):
    code = "import json, sys, synth; synth.build(json.loads(sys.argv[1]), sys.argv[2])"
    for seed in ("77",):
        folder = tmp_path / seed
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-c", code, json.dumps(recipe), str(folder)], env=environment, check=True)
        assert prints(folder) == prints(plain)


def test_a_build_works_inside_a_running_loop(recipe, plain, prints, tmp_path):
    async def main():
        return synth.build(recipe, tmp_path / "b")

    build = asyncio.run(main())
    assert build.complete
    assert prints(build.folder) == prints(plain)


def hashes(folder):
    found = {}
    for commit in commits(folder):
        for name, kind in (("scenarios", Scenario), ("replies", Reply)):
            for row in rows_of(read_table(folder, commit.partition, name, kind), kind):
                found[row.scenario_id if kind is Scenario else row.reply_id] = logical_hash(row)
    return found


def test_a_quota_raised_afterwards_only_appends(copy, recipe, prints, tmp_path):
    before = prints(copy)
    larger = recipe | {"quota": {"records": 60}}
    raised = synth.build(larger, copy)
    after = prints(copy)
    kept = [name for name in before if name.startswith(("parts/", "annotations/", "verdicts/")) or "round" in name]
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    at_once = synth.build(larger, tmp_path / "at-once")
    assert raised.report.dropped == 0
    assert hashes(copy) == hashes(at_once.folder)
    assert len({name for name in hashes(copy) if name.count(".") == 1}) >= 60
    assert verify(copy) == []


def test_a_part_that_is_deleted_is_made_again_in_any_round(copy, recipe, prints):
    larger = recipe | {"quota": {"records": 36}}
    synth.build(larger, copy)
    before = prints(copy)
    shutil.rmtree(copy / "parts" / synth.load(copy).partitions()[0])
    assert verify(copy)
    build = synth.build(larger, copy)
    assert build.complete
    assert prints(copy) == before
    assert verify(copy) == []


def test_an_open_round_ends_as_it_was_planned_whatever_the_recipe_names_by_now(recipe, tmp_path):
    folder = tmp_path / "b"
    with pytest.raises(IncompleteError):
        synth.build(recipe, folder, deadline=1e-9)
    fewer = recipe | {"languages": ["en"], "families": ["two_crowds_one_square"]}
    build = synth.build(fewer, folder)
    planned = {(r.scenario.language, r.scenario.family) for r in build.records()}
    assert {("ja", "burial_day_taken_back"), ("en", "burial_day_taken_back")} <= planned
    assert verify(folder) == []


def test_a_record_holds_its_replies_and_tables_and_datasets_agree(plain):
    build = synth.load(plain)
    records = list(build.records())
    assert len(records) == build.table("scenarios").num_rows == 24
    assert sum(len(record.replies) for record in records) == build.table("replies").num_rows
    assert all(reply.scenario_id == r.scenario.scenario_id for r in records for reply in r.replies)
    assert {r.scenario.language for r in build.records(language="ja")} == {"ja"}
    dataset = build.dataset()
    assert set(dataset) == {"train"}
    streamed = build.dataset(streaming=True)["train"]
    assert [row["scenario_id"] for row in streamed] == dataset["train"]["scenario_id"][:]
