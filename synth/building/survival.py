"""What only the whole build says of a row: whether verifiers could be believed in its language, and how much of the plan it stands for.

Counts only are held: what every partition adds is counted once, and its rows are corrected afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from synth.audit.reading import Attempt, read_attempts
from synth.audit.verification import Claims
from synth.building.judging import Judged
from synth.gold import COLUMNS
from synth.records.arrow import rows_of, table_of
from synth.records.cells import is_control
from synth.records.labels import GoldStatus
from synth.records.parts import read_table
from synth.records.schema import Scenario, Selection
from synth.statistics import rake

WEIGHED: Final = ("language", "regulation", "explicitness", "directness", "felt", "power_form")
"""The margins of the plan, each slot's first try, to which kept rows are weighted back: retrying a slot must not weigh what is hard to keep twice."""
_VERIFIED: Final = frozenset({GoldStatus.CONFIRMED, GoldStatus.COVERT, GoldStatus.CONTESTED})
_DIGITS: Final = 6


class Survival:
    """What all partitions together say; `add` each of them, then `corrected` gives the rows of each as they are published."""

    def __init__(self) -> None:
        self._claims = Claims()
        self._planned: tuple[Counter[str], ...] = tuple(Counter() for _ in WEIGHED)
        self._kept: Counter[tuple[str, ...]] = Counter()
        self._weights: dict[tuple[str, ...], float] = {}
        self._unverifiable: frozenset[tuple[str, str]] = frozenset()

    def add(self, judged: Iterable[Judged], again: Collection[str] = ()) -> None:
        """Count the records of a partition: claims, what was planned for model writers, and attempts that are kept; controls are no attempts.

        `again` holds the keys of events that are further tries of a slot: the plan has their slot already.
        """
        for one in judged:
            scenario = one.scenario
            if is_control(scenario.form_key):
                continue
            self._claims.add(scenario.language, scenario, one.said)
            if scenario.generator.startswith("offline@"):
                continue
            cell = _cell(scenario)
            for counts, label in zip(self._planned, cell, strict=True) if scenario.event_key not in again else ():
                counts[label] += 1
            if one.kept:
                self._kept[cell] += 1

    def settle(self) -> None:
        """Work out, after the last partition, what is verifiable and what each kept row weighs."""
        self._unverifiable = self._claims.unverifiable()
        cells = sorted(self._kept)
        # what only a further try drew was as rare in the plan as can be, but never nothing: its rows would weigh nothing
        wanted = [{cell[n]: counts[cell[n]] or 1 for cell in cells} for n, counts in enumerate(self._planned)]
        weights = rake(cells, [self._kept[cell] for cell in cells], wanted)
        self._weights = {cell: round(weight, _DIGITS) for cell, weight in zip(cells, weights, strict=True)}

    def corrected(self, build: Path, partition: str, language: str, rows: pa.Table) -> pa.Table:
        """Give the rows of select.parquet of one partition, with weights, and with statuses that rest on verifiers who can be believed."""
        columns = [column for field, column in COLUMNS.items() if (language, field) in self._unverifiable]
        if not columns and not self._weights:
            return rows
        attempts = _attempts(build, partition) if self._weights else {}
        found = [_corrected(row, columns, self._weight(row, attempts)) for row in rows_of(rows, Selection)]
        return table_of(found, Selection)

    def _weight(self, row: Selection, attempts: dict[str, Attempt]) -> float | None:
        attempt = attempts.get(row.target_id)
        return self._weights[_cell(attempt)] if row.kept and attempt is not None and attempt.by_model else None


def _attempts(build: Path, partition: str) -> dict[str, Attempt]:
    found = read_attempts(read_table(build, partition, "scenarios", Scenario))
    return {one.scenario_id: one for one in found}


def _cell(row: Scenario | Attempt) -> tuple[str, ...]:
    return tuple(str(getattr(row, name)) for name in WEIGHED)


def _corrected(row: Selection, columns: Sequence[str], weight: float | None) -> Selection:
    changed: dict[str, Any] = {name: GoldStatus.SPECIFIED for name in columns if getattr(row, name) in _VERIFIED}
    return replace(row, **changed, w_survival=weight) if changed or weight is not None else row
