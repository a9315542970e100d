"""Sealing: a part is there whole or not at all, never changes, and reads back as it was."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth.errors import DamagedError, StorageError
from synth.records.arrow import logical_hash, rows_of, schema_of, table_of
from synth.records.schema import Reply, Scenario, Verdict
from synth.records.shards import (
    commits,
    decode,
    encode,
    read_commit,
    read_manifest,
    read_sidecar,
    read_table,
    seal,
    sweep,
    verify,
    write_bytes,
    write_json,
    write_manifest,
    write_sidecar,
)

PART = "p-en-r0001-b00000"


def sealed(build: Path, rows: Any, **options: Any) -> Any:
    tables = {"scenarios": table_of([rows.scenario()], Scenario), "replies": table_of(rows.replies(), Reply)}
    return seal(build, PART, tables, **{"line_digest": "0" * 32, **options})


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_sealed_part_reads_back_as_it_was(tmp_path: Path, rows: Any) -> None:
    commit = sealed(tmp_path, rows, extra={"round": 1})
    assert rows_of(read_table(tmp_path, PART, "scenarios", Scenario), Scenario) == [rows.scenario()]
    assert rows_of(read_table(tmp_path, PART, "replies", Reply), Reply) == rows.replies()
    assert commits(tmp_path) == [commit] == [read_commit(tmp_path, PART)]
    data = (tmp_path / "parts" / PART / "replies.parquet").read_bytes()
    assert commit.files["replies"].sha256 == hashlib.sha256(data).hexdigest()
    assert (commit.files["replies"].rows, commit.files["replies"].bytes) == (2, len(data))
    hashes = b"".join(bytes.fromhex(logical_hash(row)) for row in rows.replies())
    assert commit.logical["replies"] == hashlib.blake2b(hashes, digest_size=16).hexdigest()
    assert commit.extra == {"round": 1}


def test_the_file_is_written_as_the_design_says(tmp_path: Path, rows: Any) -> None:
    sealed(tmp_path, rows)
    with pq.ParquetFile(tmp_path / "parts" / PART / "replies.parquet") as file:
        column = file.metadata.row_group(0).column(0)
        assert column.compression == "ZSTD"
        assert column.has_offset_index
        assert column.has_column_index
        assert file.metadata.format_version == "2.6"
        assert set(file.schema_arrow.metadata) == {b"schema_version"}
        assert str(file.schema_arrow.field("kind").type) == "string"
    many = table_of(rows.replies() * 5000, Reply)
    write_sidecar(tmp_path / "many.parquet", many)
    with pq.ParquetFile(tmp_path / "many.parquet") as file:
        assert [file.metadata.row_group(place).num_rows for place in range(2)] == [8192, 1808]


def test_a_flipped_bit_in_a_page_fails_its_checksum(tmp_path: Path, rows: Any) -> None:
    path = tmp_path / "replies.parquet"
    write_sidecar(path, table_of(rows.replies(), Reply))
    data = bytearray(path.read_bytes())
    with pq.ParquetFile(path) as file:
        column = file.metadata.row_group(0).column(0)
        start = column.dictionary_page_offset
        end = start + column.total_compressed_size
    data[end - 1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedError, match="cannot be read as Parquet"):
        read_sidecar(path, Reply)


REPLY_BYTES = encode(table_of([], Reply))


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, len(REPLY_BYTES) - 1), bit=st.integers(0, 7), cut=st.integers(0, 40))
def test_damaged_bytes_give_a_storage_error_and_nothing_else(place: int, bit: int, cut: int) -> None:
    data = bytearray(REPLY_BYTES)
    data[place] ^= 1 << bit
    try:
        table = decode(bytes(data[: len(data) - cut]), Reply, source="damaged bytes")
    except StorageError:
        return
    assert (cut, table.schema) == (0, schema_of(Reply))


def test_sealing_again_changes_nothing_or_is_refused(tmp_path: Path, rows: Any) -> None:
    commit = sealed(tmp_path, rows)
    before = files_below(tmp_path)
    assert sealed(tmp_path, rows) == commit
    tables = {"replies": encode(table_of(rows.replies(), Reply)), "scenarios": table_of([rows.scenario()], Scenario)}
    assert seal(tmp_path, PART, tables, line_digest="0" * 32) == commit
    with pytest.raises(StorageError, match="line_digest differ"):
        sealed(tmp_path, rows, line_digest="1" * 32)
    with pytest.raises(StorageError, match="files, logical differ"):
        seal(tmp_path, PART, {"scenarios": table_of([rows.scenario("e2.up")], Scenario)}, line_digest="0" * 32)
    with pytest.raises(StorageError, match="a sealed part never changes"):
        seal(tmp_path, PART, {}, line_digest="0" * 32)
    assert files_below(tmp_path) == before


def test_an_empty_partition_has_a_commit_record_and_no_parquet(tmp_path: Path) -> None:
    empty = table_of([], Scenario)
    commit = seal(tmp_path, PART, {"scenarios": empty, "replies": encode(table_of([], Reply))}, line_digest="0" * 32)
    assert list(files_below(tmp_path)) == [str(Path("parts", PART, "commit.json"))]
    assert commits(tmp_path) == [commit]
    assert read_table(tmp_path, PART, "scenarios", Scenario).equals(empty)


def test_a_kill_between_files_leaves_no_part(tmp_path: Path, rows: Any) -> None:
    folder = tmp_path / "parts" / PART
    write_bytes(folder / "annotations.parquet", b"of another try")
    write_bytes(folder / "scenarios.parquet", encode(table_of([rows.scenario("e9.up")], Scenario)))
    (folder / "replies.parquet.tmp").write_bytes(b"half a f")
    assert commits(tmp_path) == []
    with pytest.raises(StorageError, match="not sealed"):
        read_table(tmp_path, PART, "scenarios", Scenario)
    assert {fault.path.rsplit("/", 1)[-1] for fault in verify(tmp_path)} >= {
        "annotations.parquet",
        "scenarios.parquet",
        "replies.parquet.tmp",
    }
    commit = sealed(tmp_path, rows)
    assert commits(tmp_path) == [commit]
    write_manifest(tmp_path, complete=True)
    assert verify(tmp_path) == []
    assert sorted(path.name for path in folder.iterdir()) == ["commit.json", "replies.parquet", "scenarios.parquet"]


def test_a_kill_in_a_write_leaves_a_leftover_that_sweep_removes(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a [1]" / "select.parquet", b"old")
    leftover = tmp_path / "a [1]" / "select.parquet.tmp"
    leftover.write_bytes(b"ne")
    assert sweep(tmp_path) == [leftover]
    assert files_below(tmp_path) == {str(Path("a [1]", "select.parquet")): b"old"}
    assert sweep(tmp_path) == sweep(tmp_path / "missing") == []


def test_reading_what_is_not_what_was_sealed_is_refused(tmp_path: Path, rows: Any) -> None:
    sealed(tmp_path, rows)
    folder = tmp_path / "parts" / PART
    (folder / "replies.parquet").write_bytes(encode(table_of(rows.replies()[:1], Reply)))
    with pytest.raises(DamagedError, match="SHA-256 differs"):
        read_table(tmp_path, PART, "replies", Reply)
    text = (folder / "commit.json").read_text(encoding="utf-8")
    (folder / "commit.json").write_text(text.replace("0" * 32, "1" * 32), encoding="utf-8")
    with pytest.raises(DamagedError, match="not a whole commit record"):
        commits(tmp_path)
    (folder / "commit.json").write_text(text, encoding="utf-8")
    folder.rename(folder.with_name("p-fr"))
    with pytest.raises(DamagedError, match="in the folder of p-fr"):
        commits(tmp_path)


@pytest.mark.parametrize("partition", ["", "..", "a/b", "a\\b", "c:"])
def test_a_partition_cannot_leave_its_folder(tmp_path: Path, partition: str) -> None:
    with pytest.raises(StorageError, match="cannot name a part"):
        seal(tmp_path, partition, {}, line_digest="")
    assert files_below(tmp_path) == {}


def test_what_cannot_be_sealed_is_refused_before_anything_is_written(tmp_path: Path, rows: Any) -> None:
    replies = table_of(rows.replies(), Reply)
    with pytest.raises(StorageError, match="did you mean 'replies'"):
        seal(tmp_path, PART, {"reply": replies}, line_digest="")
    with pytest.raises(StorageError, match="take its own names: files"):
        seal(tmp_path, PART, {"replies": replies}, line_digest="", extra={"files": 3})
    with pytest.raises(StorageError, match="is not of schema"):
        seal(tmp_path, PART, {"replies": replies.drop_columns(["style"])}, line_digest="")
    assert files_below(tmp_path) == {}


def test_json_is_canonical(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": [1.5, None], "a": "é\n"})
    data = (tmp_path / "a.json").read_bytes()
    assert data == '{\n  "a": "é\\n",\n  "b": [\n    1.5,\n    null\n  ]\n}\n'.encode()
    write_json(tmp_path / "b.json", {"a": "é\n", "b": [1.5, None]})
    assert (tmp_path / "b.json").read_bytes() == data


def test_two_builds_of_the_same_rows_have_the_same_bytes(tmp_path: Path, rows: Any) -> None:
    for name in ("one", "two [2]"):
        sealed(tmp_path / name, rows)
        write_manifest(tmp_path / name, complete=False)
    assert files_below(tmp_path / "one") == files_below(tmp_path / "two [2]")


def test_the_manifest_lists_the_durable_files_only(clean_build: Path) -> None:
    manifest = read_manifest(clean_build)
    verdicts = "verdicts/abc/p-en-r0001-b00000.parquet"
    assert sorted(manifest["files"]) == ["plan/round-0001.parquet", "recipe.yaml", "select.parquet", verdicts]
    assert list(manifest["parts"]) == ["p-en-r0001-b00000", "p-hi-r0001-b00000", "p-ja-r0001-b00000"]
    assert (manifest["complete"], manifest["seed"]) == (True, 7)
    assert json.loads((clean_build / "manifest.json").read_bytes())["parts"] == manifest["parts"]
    with pytest.raises(StorageError, match="take its own names: parts"):
        write_manifest(clean_build, complete=True, extra={"parts": 1})


def test_a_sidecar_is_written_anew(clean_build: Path) -> None:
    path = clean_build / "verdicts" / "abc" / "p-en-r0001-b00000.parquet"
    table = read_sidecar(path, Verdict)
    assert [row.action for row in rows_of(table, Verdict)] == ["keep"]
    write_sidecar(path, table.slice(1))
    assert read_sidecar(path, Verdict).num_rows == 0
