"""What was paid is found again however a build is cut, a stop waits only for calls in flight, and `verify` sees the ledger."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

import synth
from synth.building.folder import fork
from synth.building.running import run_build
from synth.building.settings import RunSettings
from synth.building.walk import Stop
from synth.errors import BadRequest, IncompleteError
from synth.events import PartitionSealed
from synth.models.base import Endpoint
from synth.models.ledger import statistics
from synth.models.ledger_shard import is_open
from synth.offline.embedded import find_brief
from synth.offline.serve import Server
from synth.recipe import Recipe
from synth.records.labels import Outcome
from synth.records.verification import verify


def run(recipe, folder, url, *, stop=None, listener=lambda _: None, **settings):
    """Build against a server, with the settings of a command line."""
    there = {"offline": Endpoint("offline", url, "", None)}
    return run_build(
        Recipe.of(recipe),
        folder,
        settings=RunSettings(endpoints=there, **settings),
        recipe_folder=Path(),
        stop=stop,
        listener=listener,
    )


@pytest.mark.parametrize("partition", [3, 12])
def test_a_fork_into_other_partitions_asks_nothing_again(served, recipe, server, counting, partition, tmp_path):
    new = tmp_path / "new"
    fork(served[0], new)
    build = synth.build(recipe | {"partition": partition}, new, endpoints={"offline": server.url})
    assert len(build.partitions()) != len(synth.load(served[0]).partitions())
    assert counting.asked.total() == 0
    assert verify(new) == []
    paid = statistics(served[0])
    after = statistics(new)
    assert after["copied"] > 0
    assert {**after, "copied": 0} == {**paid, "copied": 0}


def test_every_shard_replays_its_partition_by_itself(served, recipe, server, counting, tmp_path):
    new = tmp_path / "new"
    fork(served[0], new)
    for name in [path.name for path in (new / "ledger").iterdir()]:
        (new / "ledger" / name).rename(new / "ledger" / f"old-{name}")
    synth.build(recipe, new, endpoints={"offline": server.url})
    assert counting.asked.total() == 0
    for path in (new / "ledger").glob("old-*"):
        path.unlink()
    for name in ("parts", "annotations", "verdicts"):
        shutil.rmtree(new / name)
    (new / "manifest.json").unlink()
    synth.build(recipe, new, endpoints={"offline": server.url})
    assert counting.asked.total() == 0
    assert verify(new) == []


def test_a_stop_waits_for_the_calls_in_flight_only(recipe, counting, plain, prints, tmp_path):
    stop, folder = Stop(), tmp_path / "b"
    answer = counting.model.answer

    def counted(request):
        if counting.asked.total() == 9:
            stop.ask("enough for today")
        return answer(request)

    counting.model.answer = counted
    with Server(counting) as server:
        with pytest.raises(IncompleteError, match="enough for today"):
            run(recipe, folder, server.url, stop=stop, max_in_flight=4)
        # the ninth question asked to stop: of its fellows in flight three more can have been served
        assert 9 <= counting.asked.total() <= 12
        first = counting.asked.total()
        assert statistics(folder)["answers"] == first
        assert verify(folder) == []
        counting.model.answer = answer
        assert run(recipe, folder, server.url).complete
    assert set(counting.asked.values()) == {1}
    assert prints(folder) == prints(plain)


def test_a_deadline_of_the_embedded_model_ends_an_event_between_its_questions(recipe, tmp_path, monkeypatch):
    asked, stop = [], Stop()
    from synth.offline.embedded import OfflineModel

    answer = OfflineModel.answer

    def counted(self, request):
        asked.append(request)
        if len(asked) == 2:
            stop.ask("enough")
        return answer(self, request)

    monkeypatch.setattr(OfflineModel, "answer", counted)
    settings = RunSettings()
    with pytest.raises(IncompleteError, match="enough"):
        run_build(Recipe.of(recipe), tmp_path / "b", settings=settings, recipe_folder=Path(), stop=stop)
    assert len(asked) == 2


def test_the_limit_of_calls_is_kept_to_the_call(recipe, counting, tmp_path):
    with Server(counting) as server:
        with pytest.raises(IncompleteError, match="max_calls = 7"):
            run(recipe, tmp_path / "b", server.url, max_calls=7)
        assert counting.asked.total() == 7
        report = json.loads((tmp_path / "b/runs/0001.json").read_text(encoding="utf-8"))["report"]
        assert report["calls"] == 7
        assert run(recipe, tmp_path / "b", server.url).complete
    assert set(counting.asked.values()) == {1}


def test_a_program_that_reads_a_shard_ends_no_run(recipe, server, tmp_path):
    folder, readers = tmp_path / "b", []
    shard = folder / "ledger" / "p-en-r0001-b00000.sqlite"

    def listener(_event):
        if shard.exists() and not readers:
            readers.append(sqlite3.connect(shard, check_same_thread=False))
            readers[0].execute("begin")
            readers[0].execute("select count(*) from sqlite_master").fetchall()

    try:
        assert run(recipe, folder, server.url, listener=listener).complete
        assert is_open(shard)
        listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["ledger"]
        assert set(listed[shard.name]) == {"answers"}
        assert verify(folder) == []
    finally:
        for reader in readers:
            reader.close()
    assert verify(folder) == []
    # what is due again opens the ledger, and what was left open is frozen then
    shutil.rmtree(folder / "parts" / "p-en-r0001-b00000")
    told = []
    run(recipe, folder, server.url, listener=told.append)
    assert [event.partition for event in told if isinstance(event, PartitionSealed)] == ["p-en-r0001-b00000"]
    assert not is_open(shard)
    assert verify(folder) == []


def test_the_ledger_of_a_build_is_verified(served, tmp_path):
    folder = Path(shutil.copytree(served[0], tmp_path / "b"))
    listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["ledger"]
    assert set(listed) == {f"{name}.sqlite" for name in synth.load(folder).partitions()}
    assert sum(one["answers"] for one in listed.values()) == statistics(folder)["answers"]
    assert all(one["sha256"] for one in listed.values())
    victim, gone = sorted((folder / "ledger").glob("*.sqlite"))[:2]
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(data)
    gone.unlink()
    (folder / "ledger" / "notes.txt").write_text("mine", encoding="utf-8")
    faults = {fault.path: fault.what for fault in verify(folder)}
    assert set(faults) == {f"ledger/{victim.name}", f"ledger/{gone.name}", "ledger/notes.txt"}
    assert "SHA-256 differs" in faults[f"ledger/{victim.name}"]
    assert "missing" in faults[f"ledger/{gone.name}"]


def test_a_question_that_is_refused_as_bad_stands_in_its_row(recipe, counting, tmp_path):
    answer = counting.model.answer

    def picky(request):
        if find_brief(request.messages)["program"] == "reply" and counting.programs["reply"] == 1:
            raise BadRequest("too long")
        return answer(request)

    counting.model.answer = picky
    with Server(counting) as server:
        run(recipe, tmp_path / "b", server.url, max_in_flight=1)
    rows = [record.scenario for record in synth.load(tmp_path / "b").records(kept=False)]
    refused = [(row, call) for row in rows for call in row.calls if call.outcome == Outcome.REFUSED]
    ((row, call),) = refused
    assert (call.program, call.tokens_in, len(call.key)) == ("reply", 0, 32)
    assert row.outcome == Outcome.REFUSED
    assert statistics(tmp_path / "b")["errors"] == {"BadRequest": 1}
