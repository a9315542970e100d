from __future__ import annotations

import pytest

from synth.errors import StorageError
from synth.records.arrow import table_of
from synth.records.parquet import encode
from synth.records.parts import prepare, read_table, seal
from synth.records.schema import Reply, Scenario


def test_prepared_rows_are_sealed_like_their_table_and_their_bytes(tmp_path, rows):
    scenarios, replies = [rows.scenario("e1.up"), rows.scenario("e2.up")], list(rows.replies("e1.up"))
    tables = {"scenarios": table_of(scenarios, Scenario), "replies": table_of(replies, Reply)}
    prepared = {"scenarios": prepare(scenarios, Scenario), "replies": prepare(replies, Reply)}
    commit = seal(tmp_path / "prepared", "p", prepared, line_digest="0" * 32)
    assert commit == seal(tmp_path / "tables", "p", tables, line_digest="0" * 32)
    encoded = {name: encode(table) for name, table in tables.items()}
    assert commit == seal(tmp_path / "bytes", "p", encoded, line_digest="0" * 32)
    assert read_table(tmp_path / "prepared", "p", "replies", Reply).num_rows == len(replies)


def test_a_prepared_table_needs_a_known_name(tmp_path):
    with pytest.raises(StorageError, match="scenario"):
        seal(tmp_path, "p", {"scenarioz": prepare([], Scenario)}, line_digest="")
