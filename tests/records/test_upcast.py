"""Older minor versions are read in the current schema; anything else is refused with what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synth.errors import StorageError
from synth.records import schema
from synth.records.arrow import logical_hash, rows_of, schema_of, table_of, upcast
from synth.records.labels import Outcome
from synth.records.schema import Call, FailedCheck, Reply, Scenario
from synth.records.shards import encode, read_sidecar, write_bytes

FOLDER = Path(__file__).parents[1] / "golden"
SCENARIOS = FOLDER / "scenarios-1.0-without-failed-checks.parquet"
"""Two scenarios as they were written before the column `failed_checks`, which 1.1 added."""
GOLDEN = FOLDER / "replies-1.0-without-later-columns.parquet"
"""Two replies as a minor version would have written them that knew neither style, reasoning, kept nor edits.beat."""


def test_the_golden_file_of_an_older_minor_is_read(rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = pq.ParquetFile(GOLDEN).schema_arrow
    assert {"style", "reasoning", "kept"}.isdisjoint(stored.names)
    assert "beat" not in [field.name for field in stored.field("edits").type.value_type]
    monkeypatch.setattr(schema, "SCHEMA_VERSION", "1.9")
    table = read_sidecar(GOLDEN, Reply)
    assert table.schema.equals(schema_of(Reply), check_metadata=True)
    faithful, failure = rows_of(table, Reply)
    assert faithful == rows.replies()[0]
    assert failure.kept == ()
    assert failure.style is None
    assert [(edit.start, edit.end, edit.beat) for edit in failure.edits] == [(3, 11, None), (30, 33, None)]
    assert encode(table) == encode(table_of([faithful, failure], Reply))


def test_scenarios_from_before_their_failed_checks_were_kept_have_none(rows: Any) -> None:
    stored = pq.ParquetFile(SCENARIOS).schema_arrow
    assert stored.metadata[b"schema_version"] == b"1.0"
    assert set(schema_of(Scenario).names) - set(stored.names) == {"failed_checks"}
    table = read_sidecar(SCENARIOS, Scenario)
    assert table.schema.equals(schema_of(Scenario), check_metadata=True)
    assert table.column("failed_checks").to_pylist() == [[], []]
    written = Call("0" * 32, "write", "scene", 0, "m", Outcome.OK, 3, 5)
    ill = schema.Crisis(schema.CrisisKind.MEDICAL, 1)
    assert rows_of(table, Scenario) == [
        rows.scenario("e1.up", calls=(written,)),
        rows.scenario("e1.down", crisis=ill),
    ]


def test_a_row_without_failed_checks_has_the_hash_that_it_had(rows: Any) -> None:
    plain = rows.scenario("a")
    assert logical_hash(plain) == logical_hash(replace(plain, failed_checks=()))
    assert logical_hash(plain) != logical_hash(
        replace(plain, failed_checks=(FailedCheck("scene", 0, "facts", "not said: day"),))
    )


def test_a_struct_that_is_null_stays_null_when_it_grows(rows: Any) -> None:
    table = table_of(
        [rows.scenario("a"), rows.scenario("b", crisis=schema.Crisis(schema.CrisisKind.MEDICAL, 1))], Scenario
    )
    crisis = table.column("crisis").combine_chunks()
    kinds = pa.StructArray.from_arrays([crisis.field("kind")], names=["kind"], mask=crisis.is_null())
    older = table.set_column(table.schema.get_field_index("crisis"), "crisis", kinds)
    with pytest.raises(StorageError, match=r"column crisis\.level: the column is missing"):
        upcast(older, Scenario, "1.0")
    newer = pa.struct([*table.schema.field("crisis").type, pa.field("note", pa.string())])
    grown = pa.StructArray.from_arrays(
        [*crisis.flatten(), pa.array(["", ""])], fields=list(newer), mask=crisis.is_null()
    )
    with pytest.raises(StorageError, match=r"column crisis\.note: no such column"):
        upcast(table.set_column(table.schema.get_field_index("crisis"), "crisis", grown), Scenario, "1.0")
    large = crisis.cast(pa.struct([pa.field("kind", pa.large_string()), pa.field("level", pa.int64())]))
    polars_like = table.set_column(table.schema.get_field_index("crisis"), "crisis", large)
    assert upcast(polars_like, Scenario, "1.0").equals(table)


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        ("1.99", "pip install -U"),
        ("2.0", "new folder"),
        ("0.9", "new folder"),
        ("soon", "major.minor"),
        ("1.0.0", "major"),
    ],
)
def test_a_version_that_cannot_be_read_says_what_to_do(version: str, advice: str, rows: Any) -> None:
    with pytest.raises(StorageError, match=advice):
        upcast(table_of(rows.replies(), Reply), Reply, version)


def test_a_table_that_is_not_of_its_type_is_refused(rows: Any, tmp_path: Path) -> None:
    table = table_of(rows.replies(), Reply)
    with pytest.raises(StorageError, match="column text: the column is missing"):
        upcast(table.drop_columns(["text"]), Reply, "1.0")
    with pytest.raises(StorageError, match="did you mean 'variant'"):
        upcast(table.append_column("variants", pa.array(["", ""])), Reply, "1.0")
    with pytest.raises(StorageError, match="int64 stands where a list belongs"):
        upcast(table.set_column(table.schema.get_field_index("acts"), "acts", pa.array([1, 2])), Reply, "1.0")
    pq.write_table(table.replace_schema_metadata({}), tmp_path / "bare.parquet")
    with pytest.raises(StorageError, match="says no schema_version"):
        read_sidecar(tmp_path / "bare.parquet", Reply)
    write_bytes(tmp_path / "text.parquet", b"PAR1 or not")
    with pytest.raises(StorageError, match="cannot be read as Parquet"):
        read_sidecar(tmp_path / "text.parquet", Reply)
    with pytest.raises(StorageError, match="ENOENT"):
        read_sidecar(tmp_path / "missing.parquet", Reply)
