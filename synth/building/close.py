"""Close a build: fold every verdict into select.parquet, write the manifest and the run's record."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from synth.building.judging import judge, read_candidates, read_verdicts, selections
from synth.building.rounds import ResourcesOf, sealed, set_path
from synth.filters.base import OpenSuite
from synth.planning.rounds import Round
from synth.records.arrow import rows_of, table_of
from synth.records.durable import write_json
from synth.records.manifest import write_manifest
from synth.records.parquet import read_sidecar, write_tables
from synth.records.parts import commits
from synth.records.schema import Selection, Verdict

SELECT = "select.parquet"


def close_build(
    build: Path, rounds: Sequence[Round], suite: OpenSuite, resources_of: ResourcesOf, *, complete: bool
) -> dict[str, int]:
    """Write select.parquet and manifest.json from what is sealed; give the dropped records by reason.

    Rows of a round that is not closed yet stand in select.parquet without the set sieves' word.
    """
    reasons: Counter[str] = Counter()
    tables = _tables(build, rounds, suite, resources_of, reasons)
    write_tables(build / SELECT, tables, Selection)
    write_manifest(build, complete=complete, extra={"suite": suite.digest})
    return dict(sorted(reasons.items()))


def _tables(
    build: Path, rounds: Sequence[Round], suite: OpenSuite, resources_of: ResourcesOf, reasons: Counter[str]
) -> Iterator[pa.Table]:
    done = {commit.partition for commit in commits(build)}
    for made in rounds:
        verdicts = _set_verdicts(build, made, suite)
        for planned in made.partitions:
            if planned.name not in done:
                continue
            candidates = read_candidates(build, planned.name)
            own = read_verdicts(build, planned.name, suite, resources_of(planned.language), candidates)
            rows = [row for one in judge(candidates, [*own, *verdicts]) for row in selections(one)]
            lost = [row for row in rows if row.kind == "scenario" and not row.kept]
            # a reason may name the row it was measured against after a second colon
            reasons.update(":".join(reason.split(":")[:2]) for row in lost for reason in row.reasons)
            yield table_of(rows, Selection)


def _set_verdicts(build: Path, made: Round, suite: OpenSuite) -> list[Verdict]:
    path = set_path(build, suite, made.number)
    if not path.exists() or not sealed(build, made):
        return []
    return rows_of(read_sidecar(path, Verdict), Verdict)


def write_run(build: Path, number: int, report: Any, started: float, ledger: Mapping[str, Any]) -> None:
    """Write runs/<number>.json: when the run was, what it did and what it cost; never a row's concern."""
    value = {
        "run": number,
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "pyarrow": pa.__version__,
        "report": asdict(report),
        "ledger": dict(ledger),
    }
    write_json(build / "runs" / f"{number:04d}.json", value)
