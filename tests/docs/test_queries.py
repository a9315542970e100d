"""docs/queries.md is run as it stands, on a quickstart build."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import pytest
from pages import blocks


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_every_question_is_answered_in_three_libraries(
    quickstart: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(quickstart)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    names: dict[str, Any] = {}
    found = blocks("docs/queries.md", "python")
    assert len(found) == 10
    for _, body in found:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(body, "docs/queries.md", "exec"), names)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_answers_agree(quickstart: Path) -> None:
    import duckdb
    import polars as pl

    import synth

    build = synth.load(quickstart / "quickstart")
    rows = [
        r
        for r in build.records()
        if (r.scenario.language, r.scenario.power_form, r.scenario.goal) == ("es", "up", "confront")
    ]
    table = pl.from_arrow(build.table("scenarios"))
    polars = table.filter(pl.col("language") == "es", pl.col("power_form") == "up", pl.col("goal") == "confront")
    folder = quickstart / "quickstart"
    counted = duckdb.sql(
        f"select count(*) from '{folder}/parts/*/scenarios.parquet' join '{folder}/select.parquet' on target_id = scenario_id "
        "where kept and language = 'es' and power_form = 'up' and goal = 'confront'"
    ).fetchall()
    assert len(rows) == len(polars) == counted[0][0] > 0
