"""One process works in a folder at a time, in a folder of its own, and stops when it is asked to."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest

import synth
from synth.building import api
from synth.building.walk import Stop
from synth.errors import IncompleteError, LockedError, RecipeError, UsageError
from synth.events import EventLived, PartitionSealed, RunEnded
from synth.records.verification import verify


def test_a_second_build_in_the_folder_is_refused_and_disturbs_nothing(recipe, plain, prints, tmp_path):
    folder, refused = tmp_path / "b", []

    def on_event(event):
        if isinstance(event, EventLived) and not refused:
            before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != ".lock"}
            with pytest.raises(LockedError, match="another process works in") as caught:
                synth.build(recipe | {"seed": 9}, folder)
            refused.append(caught.value.exit_code)
            after = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != ".lock"}
            assert after == before

    synth.build(recipe, folder, on_event=on_event)
    assert refused == [75]
    assert prints(folder) == prints(plain)
    assert verify(folder) == []


@pytest.mark.parametrize("name", ["thesis.docx", "notes.tmp", ".git"])
def test_a_folder_with_other_things_is_left_alone(recipe, tmp_path, name):
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="not part of a build") as caught:
        synth.build(recipe, tmp_path)
    assert caught.value.exit_code == 2
    assert name in caught.value.message
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"


def test_a_file_is_no_folder(recipe, tmp_path):
    (tmp_path / "b").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="is no folder"):
        synth.build(recipe, tmp_path / "b")


def test_what_a_killed_write_left_is_swept(copy, recipe):
    (copy / "select.parquet.tmp").write_bytes(b"half")
    (copy / "parts" / "half.tmp").write_bytes(b"half")
    synth.build(recipe, copy)
    assert verify(copy) == []


def test_there_is_nothing_to_load(tmp_path):
    with pytest.raises(UsageError, match="holds no build"):
        synth.load(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal")
def test_ctrl_c_drains_and_leaves_a_folder_that_goes_on(recipe, plain, prints, tmp_path):
    folder, sealed, ended = tmp_path / "b", [], []

    def on_event(event):
        if isinstance(event, PartitionSealed):
            sealed.append(event)
        if isinstance(event, PartitionSealed) and len(sealed) == 1:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        if isinstance(event, RunEnded):
            ended.append(event)

    with pytest.raises(KeyboardInterrupt):
        synth.build(recipe, folder, on_event=on_event)
    assert [(event.complete, "interrupted" in event.reason) for event in ended] == [(False, True)]
    assert not synth.load(folder).complete
    assert verify(folder) == []
    synth.build(recipe, folder)
    assert prints(folder) == prints(plain)


def test_a_listener_that_fails_ends_the_run_and_the_folder_goes_on(recipe, plain, prints, tmp_path):
    def on_event(event):
        if isinstance(event, PartitionSealed):
            raise ZeroDivisionError("of the listener")

    with pytest.raises(ZeroDivisionError):
        synth.build(recipe, tmp_path / "b", on_event=on_event)
    synth.build(recipe, tmp_path / "b")
    assert prints(tmp_path / "b") == prints(plain)


def test_what_fails_in_the_thread_is_raised_in_the_callers(tmp_path):
    def work():
        raise IncompleteError("enough")

    with pytest.raises(IncompleteError, match="enough"):
        api.in_own_thread(work, Stop())
    assert api.in_own_thread(lambda: 7, Stop()) == 7


def test_mistakes_in_a_recipe_are_told_with_the_nearest_name(tmp_path):
    with pytest.raises(RecipeError, match=r"unknown key 'seeds'\n  did you mean 'seed'"):
        synth.build({"languages": ["en"], "seeds": 2, "quota": {"records": 3}}, tmp_path / "b")
    with pytest.raises(RecipeError, match="burial_day_taken_back"):
        synth.build({"languages": ["en"], "families": ["burial_day_taken"], "quota": {"records": 3}}, tmp_path / "b")
    with pytest.raises(RecipeError, match="no phrasings in 'xx'"):
        synth.plan({"languages": ["xx"], "families": ["burial_day_taken_back"], "quota": {"records": 3}})
    with pytest.raises(UsageError, match="endpoint 'mine'"):
        synth.build({"languages": ["en"], "quota": {"records": 3}, "models": {"writer": "mine/m"}}, tmp_path / "b")


def test_a_loop_that_is_kept_busy_is_not_ours(recipe, tmp_path):
    beats = []

    async def beat():
        while True:
            beats.append(1)
            await asyncio.sleep(0)

    async def main():
        task = asyncio.create_task(beat())
        build = await asyncio.to_thread(synth.build, recipe, tmp_path / "b")
        task.cancel()
        return build

    assert asyncio.run(main()).complete
    assert len(beats) > 1
