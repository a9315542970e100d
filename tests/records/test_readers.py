"""A sealed file is read by the tools that people have: DuckDB, Polars and `datasets`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from synth.records.arrow import rows_of, table_of
from synth.records.schema import Crisis, CrisisKind, Reply, Scenario
from synth.records.shards import decode, encode, seal


@pytest.fixture
def part(tmp_path: Path, rows: Any) -> Path:
    scenarios = [rows.scenario("e1.up"), rows.scenario("e1.down", crisis=Crisis(CrisisKind.MEDICAL, 1), felt=3)]
    replies = [row for scenario in scenarios for row in rows.replies(scenario.scenario_id)]
    tables = {"scenarios": table_of(scenarios, Scenario), "replies": table_of(replies, Reply)}
    seal(tmp_path, "p-en", tables, line_digest="0" * 32)
    return tmp_path / "parts" / "p-en"


def test_duckdb_joins_and_reaches_into_nested_columns(part: Path) -> None:
    found = duckdb.sql(
        f"""select s.scenario_id, s.turns[2].cues[1].kind, s.crisis.level, r.edits[1].beat
        from read_parquet('{part}/scenarios.parquet') s
        join read_parquet('{part}/replies.parquet') r using (scenario_id)
        where r.kind = 'failure' and r.severity >= 2 order by s.felt"""
    ).fetchall()
    assert found == [("e1.up", "denial", None, "affect"), ("e1.down", "denial", 1, "affect")]


def test_polars_reads_it_and_what_it_hands_back_is_ours(part: Path, rows: Any) -> None:
    frame = pl.read_parquet(part / "replies.parquet")
    assert frame.schema["text"] == pl.String
    assert frame.filter(pl.col("mechanism") == "attenuation").height == 2
    scenarios = (
        pl.scan_parquet(part / "scenarios.parquet").filter(pl.col("crisis").struct.field("level") == 1).collect()
    )
    assert scenarios["scenario_id"].to_list() == ["e1.down"]
    ours = frame.to_arrow().select(frame.columns)
    assert rows_of(ours, Reply)[:2] == rows.replies("e1.up")


LOAD = """
import datasets, json, sys
where = {"data_files": sys.argv[1], "split": "train", "cache_dir": sys.argv[2]}
found = datasets.load_dataset("parquet", **where)
streamed = datasets.load_dataset("parquet", **where, streaming=True)
print(json.dumps([found.to_list(), list(streamed)]))
"""


@pytest.mark.parametrize(("name", "row_type"), [("scenarios", Scenario), ("replies", Reply)])
def test_datasets_loads_it_offline(part: Path, tmp_path: Path, name: str, row_type: type) -> None:
    path = part / f"{name}.parquet"
    home = {"HF_HOME": str(tmp_path / "home"), "HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(path), str(tmp_path / "cache")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **home, "PYTHONIOENCODING": "utf-8"},
        timeout=300,
    )
    expected = decode(path.read_bytes(), row_type, source=name).to_pylist()
    assert json.loads(done.stdout) == [expected, expected]


def test_bytes_of_a_worker_are_the_bytes_of_the_driver(part: Path, rows: Any) -> None:
    table = table_of(rows.replies("e1.up") + rows.replies("e1.down"), Reply)
    assert (part / "replies.parquet").read_bytes() == encode(table)
