"""`verify` says nothing of a clean build, and names every planted fault with its file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synth.errors import UsageError
from synth.records.arrow import table_of
from synth.records.consistency import edits_invert
from synth.records.labels import Cue, Must
from synth.records.parts import signed, unsigned
from synth.records.schema import (
    CueSpan,
    Edit,
    Fact,
    FactSpan,
    FormDifference,
    LanguageSpan,
    Reply,
    Scenario,
    Selection,
    Span,
)
from synth.records.shards import seal, verify, write_bytes, write_manifest, write_sidecar

PART = "parts/p-en-r0001-b00000"
COMMIT = f"{PART}/commit.json"
RECORDED = (
    COMMIT,
    f"{PART}/scenarios.parquet",
    f"{PART}/replies.parquet",
    "ledger/p-en-r0001-b00000.sqlite",
    "parts/p-ja-r0001-b00000/commit.json",
    "manifest.json",
    "plan/round-0001.parquet",
    "recipe.yaml",
    "select.parquet",
    "verdicts/abc/p-en-r0001-b00000.parquet",
)


def resign(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite a signed record as someone would who forges its signature too."""
    value = unsigned(json.loads(path.read_bytes()))
    change(value)
    path.write_bytes(signed(value))


def test_a_clean_build_has_no_fault(clean_build: Path) -> None:
    assert verify(clean_build) == []


def test_a_build_before_its_first_manifest_has_that_one_fault(clean_build: Path) -> None:
    (clean_build / "manifest.json").unlink()
    (fault,) = verify(clean_build)
    assert fault.path == "manifest.json"
    assert "ENOENT" in fault.what
    assert "synth build" in fault.fix


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(path=st.sampled_from(RECORDED), place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(clean_build: Path, path: str, place: int, bit: int) -> None:
    file = clean_build / path
    before = file.read_bytes()
    data = bytearray(before)
    data[place % len(data)] ^= 1 << bit
    file.write_bytes(data)
    try:
        assert path in {fault.path for fault in verify(clean_build)}
    finally:
        file.write_bytes(before)


@pytest.mark.parametrize("path", RECORDED)
def test_a_missing_file_is_found(clean_build: Path, path: str) -> None:
    (clean_build / path).unlink()
    assert path in {fault.path for fault in verify(clean_build)}


@pytest.mark.parametrize(
    "path", ["note.txt", "plan/round-0002.parquet", f"{PART}/more.parquet", "parts/p-xx/scenarios.parquet"]
)
def test_a_foreign_file_is_found(clean_build: Path, path: str) -> None:
    write_bytes(clean_build / path, b"who wrote this?")
    (fault,) = verify(clean_build)
    assert fault.path == path
    assert "record names this file" in fault.what


@pytest.mark.parametrize(
    "path", ["ledger/p-hi-r0001-b00000.sqlite-shm", "runs/0002.json", "reviews/2.parquet", "report.html", ".lock"]
)
def test_what_changes_by_itself_is_no_fault(clean_build: Path, path: str) -> None:
    write_bytes(clean_build / path, b"{}")
    assert verify(clean_build) == []


@pytest.mark.parametrize(
    "path",
    [
        *("ledger/note.txt", "ledger/gone.sqlite-wal", "runs/2.json", "runs/0002.txt", "runs/a/0002.json"),
        *("build.lock", "parts/.lock", "plan/.lock"),
    ],
)
def test_a_foreign_file_is_found_where_files_come_and_go(clean_build: Path, path: str) -> None:
    write_bytes(clean_build / path, b"{}")
    (fault,) = verify(clean_build)
    assert fault.path == path


def test_a_run_that_is_no_json_is_found(clean_build: Path) -> None:
    write_bytes(clean_build / "runs" / "0001.json", b'{"cut')
    (fault,) = verify(clean_build)
    assert fault.path == "runs/0001.json"
    assert "no JSON" in fault.what


FROZEN, OPEN = "ledger/p-en-r0001-b00000.sqlite", "ledger/p-hi-r0001-b00000.sqlite"


def test_the_manifest_lists_the_ledger(clean_build: Path) -> None:
    listed = json.loads((clean_build / "manifest.json").read_bytes())["ledger"]
    data = (clean_build / FROZEN).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    assert listed == {
        "p-en-r0001-b00000.sqlite": {"answers": 1, "bytes": len(data), "sha256": digest},
        "p-hi-r0001-b00000.sqlite": {"answers": 1},
    }


@pytest.mark.parametrize("path", [FROZEN, OPEN])
def test_a_missing_shard_of_the_ledger_is_found(clean_build: Path, path: str) -> None:
    (clean_build / path).unlink()
    (fault,) = verify(clean_build)
    assert (fault.path, fault.what) == (path, "the file is missing, and the manifest lists it")


def test_an_open_shard_may_grow_and_never_shrinks(clean_build: Path) -> None:
    with contextlib.closing(sqlite3.connect(clean_build / OPEN)) as connection:
        names = "program, contract, draw, outcome, text, tokens_in, tokens_out, run"
        copied = f"insert into answers (key, {names}) select x'00', {names} from answers"
        connection.execute(copied)
        connection.commit()
        assert verify(clean_build) == []
        connection.execute("delete from answers")
        connection.commit()
    (fault,) = verify(clean_build)
    assert (fault.path, fault.what) == (OPEN, "0 answers stand where 1 were")


@pytest.mark.parametrize("path", [OPEN, "ledger/p-new.sqlite"])
def test_a_shard_without_a_digest_is_checked_as_a_database(clean_build: Path, path: str) -> None:
    (clean_build / path).write_bytes(b"not a database" * 400)
    (fault,) = verify(clean_build)
    assert fault.path == path
    assert "not a database" in fault.what


def test_a_torn_page_of_an_open_shard_is_found(clean_build: Path) -> None:
    data = bytearray((clean_build / OPEN).read_bytes())
    data[4096:8192] = bytes(4096)
    (clean_build / OPEN).write_bytes(data)
    assert OPEN in {fault.path for fault in verify(clean_build)}


def test_a_ledger_without_a_manifest_is_checked_too(clean_build: Path) -> None:
    (clean_build / "manifest.json").unlink()
    (clean_build / OPEN).write_bytes(b"not a database" * 400)
    assert {fault.path for fault in verify(clean_build)} == {"manifest.json", OPEN}


def test_a_leftover_is_found(clean_build: Path) -> None:
    (clean_build / "select.parquet.tmp").write_bytes(b"ha")
    (fault,) = verify(clean_build)
    assert (fault.path, fault.what) == ("select.parquet.tmp", "a write was cut off here")


def test_a_wrong_row_count_is_found(clean_build: Path) -> None:
    (clean_build / "manifest.json").unlink()
    resign(clean_build / COMMIT, lambda record: record["files"]["replies"].update(rows=5))
    fault = {fault.path: fault for fault in verify(clean_build)}[f"{PART}/replies.parquet"]
    assert fault.what == "its footer says 4 rows, its commit record 5"


def test_a_forged_commit_record_is_not_the_one_of_the_manifest(clean_build: Path) -> None:
    resign(clean_build / COMMIT, lambda record: record.update(line_digest="f" * 32))
    assert "not the one that the manifest repeats" in str({fault.path: fault for fault in verify(clean_build)}[COMMIT])


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"partition": 1}'])
@pytest.mark.parametrize("path", [COMMIT, "manifest.json"])
def test_an_unreadable_record_is_found(clean_build: Path, path: str, content: bytes) -> None:
    (clean_build / path).write_bytes(content)
    assert [fault.path for fault in verify(clean_build)] == [path]


def test_a_signed_record_of_another_form_is_found(clean_build: Path) -> None:
    resign(clean_build / "manifest.json", lambda record: record.update(files=[1]))
    resign(clean_build / COMMIT, lambda record: record.pop("files"))
    assert {"manifest.json", COMMIT} <= {fault.path for fault in verify(clean_build)}


def test_a_part_that_was_removed_is_found(clean_build: Path) -> None:
    shutil.rmtree(clean_build / "parts" / "p-hi-r0001-b00000")
    (fault,) = verify(clean_build)
    assert fault.path == "parts/p-hi-r0001-b00000/commit.json"


def test_a_select_row_that_names_nothing_is_found(clean_build: Path, rows: Any) -> None:
    chosen = [rows.selection(name) for name in ("e1.up", "e1.up/1", "e7.up", "e1.up/9")]
    write_sidecar(clean_build / "select.parquet", table_of(chosen, Selection))
    write_manifest(clean_build, complete=True)
    (fault,) = verify(clean_build)
    assert (fault.path, fault.what.split(": ")[1]) == ("select.parquet", "e7.up, e1.up/9")


def test_a_select_file_that_is_no_table_is_found(clean_build: Path) -> None:
    write_bytes(clean_build / "select.parquet", b"nothing")
    write_manifest(clean_build, complete=True)
    (fault,) = verify(clean_build)
    assert (fault.path, fault.fix) == ("select.parquet", "run `synth close`: it writes the file anew")


def test_a_folder_that_is_no_build_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageError, match="no build folder"):
            verify(folder)


def faults_of(build: Path, scenarios: list[Scenario], replies: list[Reply]) -> list[str]:
    tables = {"scenarios": table_of(scenarios, Scenario), "replies": table_of(replies, Reply)}
    seal(build, "p", tables, line_digest="")
    write_manifest(build, complete=True)
    return [fault.what for fault in verify(build)]


def outside(start: int, end: int) -> dict[str, Any]:
    return {
        "cues": (CueSpan(start, end, Cue.BODY),),
        "cause": (Span(start, end),),
        "spans_language": (LanguageSpan(start, end, "hi"),),
    }


@pytest.mark.parametrize("name", ["cues", "cause", "spans_language"])
@pytest.mark.parametrize(("start", "end"), [(0, 41), (-1, 3), (5, 4)])
def test_a_span_outside_its_text_is_found(tmp_path: Path, rows: Any, name: str, start: int, end: int) -> None:
    scenario = rows.scenario()
    length = len(scenario.turns[1].text)
    bad = replace(scenario.turns[1], **{name: outside(start, end)[name]})
    (what,) = faults_of(tmp_path, [replace(scenario, turns=(scenario.turns[0], bad))], [])
    assert what == f"scenario e1.up: turn 1, {name}: [{start}, {end}) is outside its text of {length} code points"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"text_sha256": "0" * 64}, "text_sha256 is not that of its text"),
        ({"target_turn": 2}, "target_turn is 2, and there are 2 turns"),
        ({"target_turn": None}, "neither a target turn nor a source text"),
        ({"target_turn": None, "source_text": "x"}, "text_sha256 is not that of its text"),
        ({"facts": (Fact("f", "", None, 1, Must.AVOID, (FactSpan(2, 0, 1),)),)}, "fact f: turn 2 does not exist"),
        ({"facts": (Fact("f", "", None, 1, Must.AVOID, (FactSpan(0, 0, 7),)),)}, "fact f, turn 0: [0, 7) is outside"),
        ({"form_diff": (FormDifference(0, 99, 2, 7),)}, "form_diff [2, 7) is outside its first turn of 6 code points"),
    ],
)
def test_a_scenario_that_contradicts_itself_is_found(
    tmp_path: Path, rows: Any, change: dict[str, Any], says: str
) -> None:
    (what,) = faults_of(tmp_path, [rows.scenario(**change)], [])
    assert says in what


def test_a_scenario_without_text_is_no_fault(tmp_path: Path, rows: Any) -> None:
    refused = rows.scenario(turns=(), facts=(), target_turn=None, text_sha256=None)
    assert faults_of(tmp_path, [refused], []) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"edits": (Edit(3, 11, 3, 12, None), Edit(30, 33, 30, 30, None))}, "do not turn its parent"),
        ({"edits": (Edit(30, 33, 30, 30, None), Edit(3, 11, 3, 11, None))}, "do not turn its parent"),
        ({"edits": (Edit(3, 11, 3, 11, None), Edit(30, 99, 30, 30, None))}, "do not turn its parent"),
        ({"edits": ()}, "do not turn its parent"),
        ({"parent_id": "e1.up/7"}, "its parent 'e1.up/7' is not in this part"),
        ({"parent_id": None}, "it has edits, but no parent"),
        ({"scenario_id": "e5.up"}, "its scenario 'e5.up' is not in this part"),
    ],
)
def test_a_reply_that_contradicts_its_parent_is_found(
    tmp_path: Path, rows: Any, change: dict[str, Any], says: str
) -> None:
    faithful, failure = rows.replies()
    (what,) = faults_of(tmp_path, [rows.scenario()], [faithful, replace(failure, **change)])
    assert what.startswith("reply e1.up/1: ")
    assert says in what


@given(
    beats=st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4), st.text(max_size=4)), max_size=4), tail=st.text()
)
def test_edits_made_from_both_texts_invert(beats: list[tuple[str, str, str]], tail: str) -> None:
    parent = text = ""
    edits = []
    for same, old, new in beats:
        parent, text = parent + same, text + same
        edits.append(Edit(len(parent), len(parent) + len(old), len(text), len(text) + len(new), None))
        parent, text = parent + old, text + new
    assert edits_invert(parent + tail, text + tail, edits)
    assert not edits_invert(parent + tail, text + tail + "!", edits)
    assert not edits_invert(parent + tail + "?", text + tail, edits)
