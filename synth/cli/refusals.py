"""Refusals, counted by who speaks and what is felt: a model that refuses one culture, language or feeling more than others skews a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from synth.errors import StorageError
from synth.records.labels import Outcome

if TYPE_CHECKING:
    import pyarrow as pa

GROUPS: Final = ("language", "profile", "emotion", "felt")
"""What refusals are counted by; felt affect is the emotion, and how strongly it is felt (0 to 3)."""

_COLUMNS: Final = ("outcome", "language", "profile_ids", "emotion", "felt")
_CALLS: Final = ("calls.list.element.program", "calls.list.element.outcome")
_SHOWN: Final = 8
_Count = Counter[tuple[str, str]]
"""How many rows have a value and an outcome."""


@dataclass(frozen=True, slots=True)
class Group:
    """How many of what was asked was refused, among the records (or calls) of one value."""

    value: str
    asked: int
    refused: int

    @property
    def rate(self) -> float:
        """The share that was refused."""
        return self.refused / self.asked if self.asked else 0.0

    def as_values(self) -> dict[str, Any]:
        """Give plain values, ready for JSON."""
        return {"value": self.value, "asked": self.asked, "refused": self.refused, "rate": round(self.rate, 6)}


@dataclass(frozen=True, slots=True)
class Refusals:
    """Refused records of those that were asked for (all but the abandoned), by each of GROUPS, and refused calls by program."""

    records: Group
    groups: Mapping[str, Sequence[Group]]
    programs: Sequence[Group]

    @property
    def calls(self) -> int:
        """Refused calls."""
        return sum(one.refused for one in self.programs)

    def above(self) -> list[tuple[str, Group]]:
        """Give the values that are refused more often than records are on the whole, the most refused first."""
        whole = self.records
        found = [
            (kind, one)
            for kind in GROUPS
            for one in self.groups[kind]
            if one.refused * whole.asked > whole.refused * one.asked  # in integers: exact
        ]
        return sorted(found, key=lambda item: (-item[1].rate, -item[1].refused, GROUPS.index(item[0]), item[1].value))

    def as_values(self) -> dict[str, Any]:
        """Give plain values, ready for JSON."""
        by = {f"by_{kind}": [one.as_values() for one in rows] for kind, rows in self.groups.items()}
        programs = [one.as_values() for one in self.programs]
        return {"asked": self.records.asked, "refused": self.records.refused, **by, "calls_by_program": programs}


def read_refusals(paths: Sequence[Path]) -> Refusals:
    """Give the refusals among the scenarios of some parts' files, one file in memory at a time.

    Raises:
        StorageError: a file cannot be read.
    """
    counts: dict[str, _Count] = {kind: Counter() for kind in (*GROUPS, "record", "program")}
    for path in paths:
        for kind, found in _count(_read(path)):
            counts[kind].update(found)
    (records,) = _groups(counts["record"]) or [Group("", 0, 0)]
    return Refusals(records, {kind: _groups(counts[kind]) for kind in GROUPS}, _groups(counts["program"]))


def _groups(found: _Count) -> list[Group]:
    """Give the groups by name; what was abandoned was not answered at all, and counts for nobody."""
    asked: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for (value, outcome), number in found.items():
        asked[value] += number * (outcome != Outcome.ABANDONED)
        refused[value] += number * (outcome == Outcome.REFUSED)
    return [Group(value, asked[value], refused[value]) for value in sorted(asked) if asked[value]]


def _read(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:  # a data set's reader takes no part of a list of structs
            return file.read(columns=[*_COLUMNS, *_CALLS])
    except (pa.ArrowException, OSError) as error:
        raise StorageError(f"{path} cannot be read: {error}", hint="synth verify says what is wrong") from None


def _count(table: pa.Table) -> Iterator[tuple[str, _Count]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    outcome = table.column("outcome").combine_chunks()
    profiles = table.column("profile_ids").combine_chunks()
    calls = pc.list_flatten(table.column("calls").combine_chunks())
    yield "record", _pairs(pa.array([""] * len(table), pa.string()), outcome)
    yield "profile", _pairs(pc.list_flatten(profiles), outcome.take(pc.list_parent_indices(profiles)))
    yield "program", _pairs(calls.field("program"), calls.field("outcome"))
    for name in ("language", "emotion", "felt"):
        yield name, _pairs(table.column(name).combine_chunks(), outcome)


def _pairs(values: pa.Array, outcomes: pa.Array) -> _Count:
    import pyarrow as pa

    table = pa.table({"value": values.cast(pa.string()), "outcome": outcomes.cast(pa.string())})
    found = table.group_by(["value", "outcome"]).aggregate([([], "count_all")]).to_pylist()
    return Counter({(row["value"], row["outcome"]): row["count_all"] for row in found})


def show_refusals(refusals: Refusals) -> None:
    """Print how much was refused, and what is refused more often than the rest."""
    from synth.cli.printing import count, heading, say, table

    if not refusals.records.refused and not refusals.calls:
        return
    whole = refusals.records
    programs = ", ".join(f"{one.refused:,} of {one.value}" for one in refusals.programs if one.refused)
    heading(f"\nrefused: {whole.refused:,} of {count(whole.asked, 'record')} ({whole.rate:.1%})")
    if refusals.calls:
        say(f"  {count(refusals.calls, 'call')}: {programs}")
    if above := refusals.above():
        say("  more often than that:")
        rows = [(kind, one.value, f"{one.refused:,} of {one.asked:,}", f"{one.rate:.1%}") for kind, one in above]
        table(rows[:_SHOWN], indent=4)
        if len(rows) > _SHOWN:
            say(f"    and {len(rows) - _SHOWN} more: synth status DIR --json has them all")
