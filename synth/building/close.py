"""Close a build: fold every verdict and the gold into select.parquet, write the manifest and the run's record.

Two passes over the partitions: the first decides and counts, the second corrects the rows by what only the whole build says (`building.survival`).
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from synth.building.admission import ResourcesOf, judged_round, set_path
from synth.building.judging import Judged, cause_of, judge, read_candidates, read_said, read_verdicts, selections
from synth.building.sealing import finished
from synth.building.survival import Survival
from synth.building.tries import FurtherTries, further_tries
from synth.filters.base import OpenSuite
from synth.planning.rounds import Round
from synth.recipe import Recipe
from synth.records.arrow import table_of
from synth.records.cells import is_control
from synth.records.durable import TEMPORARY, write_json
from synth.records.manifest import write_manifest
from synth.records.schema import Selection
from synth.records.slices import open_slices, write_slices

SELECT = "select.parquet"


@dataclass(frozen=True, slots=True)
class Closed:
    """What sealed records came to: how many the quota wants, are kept and not, and of those not kept how many for each reason.

    Controls without personas are neither: they count for no quota.
    """

    wanted: int
    kept: int
    dropped: int
    by_reason: dict[str, int]

    @property
    def missing(self) -> int:
        """How many records the quota wants more than are kept."""
        return max(0, self.wanted - self.kept)

    @property
    def met(self) -> bool:
        """Whether the quota is met."""
        return not self.missing


def close_build(
    build: Path, rounds: Sequence[Round], suite: OpenSuite, resources_of: ResourcesOf, *, complete: bool, recipe: Recipe
) -> Closed:
    """Write select.parquet and manifest.json from what is sealed; give what is kept and dropped.

    `complete` says that nothing more is due. The manifest holds it, how many records the quota asks for, what is kept and missing, and which built-in files
    the recipe replaces. Rows of a round that is not closed yet stand in select.parquet without the set sieves' word.
    """
    wanted = recipe.quota.records
    kept: Counter[bool] = Counter()
    reasons: Counter[str] = Counter()
    survival = Survival()
    again = further_tries(build, rounds, recipe.seed)
    slices = _slices(build, rounds, suite, resources_of, again, survival, kept, reasons)
    _write_select(build, rounds, slices, survival)
    closed = Closed(wanted, kept[True], kept[False], dict(sorted(reasons.items())))
    spoken = sorted({planned.language for made in rounds for planned in made.partitions})
    figures = {"wanted": wanted, "kept": closed.kept, "missing": closed.missing, "met": closed.met}
    told = {"suite": suite.digest_of(spoken), "overrides": sorted(recipe.overrides)}
    write_manifest(build, complete=complete, extra={**figures, **told})
    return closed


def _write_select(
    build: Path, rounds: Sequence[Round], slices: Iterable[tuple[str, pa.Table]], survival: Survival
) -> None:
    """Write the rows as they are decided to a draft, and from there to their place as they are published."""
    draft = build / f"{SELECT}.draft{TEMPORARY}"  # what a kill leaves of it is swept
    languages = {planned.name: planned.language for made in rounds for planned in made.partitions}
    try:
        write_slices(draft, slices, Selection)
        survival.settle()
        with open_slices(draft, Selection) as decided:
            names = decided.partitions
            corrected = ((name, survival.corrected(build, name, languages[name], decided.read(name))) for name in names)
            write_slices(build / SELECT, corrected, Selection)
    finally:
        draft.unlink(missing_ok=True)


def _slices(
    build: Path,
    rounds: Sequence[Round],
    suite: OpenSuite,
    resources_of: ResourcesOf,
    again: FurtherTries,
    survival: Survival,
    kept: Counter[bool],
    reasons: Counter[str],
) -> Iterator[tuple[str, pa.Table]]:
    done = finished(build)
    for made in rounds:
        for partition, judged in _judged(build, rounds, made, suite, resources_of, done):
            survival.add(judged, again(partition))
            rows = [row for one in judged for row in selections(one)]
            asked = [row for row in rows if row.kind == "scenario" and not is_control(row.target_id)]
            kept.update(row.kept for row in asked)
            reasons.update(cause_of(reason) for row in asked if not row.kept for reason in row.reasons)
            yield partition, table_of(rows, Selection)


def _judged(
    build: Path,
    rounds: Sequence[Round],
    made: Round,
    suite: OpenSuite,
    resources_of: ResourcesOf,
    done: Collection[str],
) -> Iterator[tuple[str, list[Judged]]]:
    if set_path(build, rounds, made, suite).exists() and all(planned.name in done for planned in made.partitions):
        found = judged_round(build, rounds, made, suite, resources_of)
        yield from ((planned.name, judged) for planned, judged in found)
        return
    for planned in made.partitions:
        if planned.name in done:
            candidates = read_candidates(build, planned.name)
            own = read_verdicts(build, planned.name, suite, resources_of(planned.language), candidates)
            yield planned.name, list(judge(candidates, read_said(build, planned.name), own))


def write_run(
    build: Path,
    number: int,
    report: Any,
    started: float,
    ledger: Mapping[str, Any],
    habits: Mapping[str, Mapping[str, str]],
) -> None:
    """Write runs/<number>.json: when the run was, what it did, cost and learned about its endpoints; never a row's concern."""
    value = {
        "run": number,
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "pyarrow": pa.__version__,
        "report": asdict(report),
        "ledger": dict(ledger),
        "habits": {name: dict(learned) for name, learned in habits.items()},
    }
    write_json(build / "runs" / f"{number:04d}.json", value)
