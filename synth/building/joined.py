"""Sealed rows joined with what was decided about them, one partition at a time: what every reader sees.

A partition that is sealed but not decided yet (its run was killed before it closed) is seen by no reader.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from synth.building.close import SELECT
from synth.building.judging import cause_of
from synth.errors import DamagedError, StorageError, UsageError, nearest
from synth.records.arrow import schema_of
from synth.records.labels import Split
from synth.records.parts import commits, read_table
from synth.records.schema import Reply, Scenario, Selection
from synth.records.slices import Slices, open_slices

DECIDED: Final = {
    "split": "split",
    "kept": "is_kept",
    "lane": "lane",
    "gold_intent": "gold_intent",
    "gold_affect": "gold_affect",
    "gold_context": "gold_context",
    "recoverability": "recoverability",
    "w_survival": "w_survival",
    "leaked": "leaked",
    "reasons": "reasons",
}
"""Columns of select.parquet and their names beside a row; a reply's own `kept` lists what it keeps, so the decision is `is_kept`."""

_KEYS: Final[dict[str, tuple[type, str]]] = {"scenarios": (Scenario, "scenario_id"), "replies": (Reply, "reply_id")}
_BATCH: Final = 256
"""Rows that are Python objects at one time while a reader streams."""


@contextmanager
def open_select(build: Path) -> Iterator[Slices]:
    """Give what was decided, by partition.

    Raises:
        StorageError: select.parquet is missing or cannot be read.
    """
    path = build / SELECT
    if not path.exists():
        raise StorageError(f"{path} is missing", hint=f"synth close {build}")
    with open_slices(path, Selection) as select:
        yield select


def decided_partitions(build: Path, select: Slices) -> list[str]:
    """Give the sealed partitions that something was decided about."""
    known = set(select.partitions)
    return [commit.partition for commit in commits(build) if commit.partition in known]


def row_type_of(name: str) -> type:
    """Give the row type of a table that readers join; raise UsageError where there is none of that name."""
    if name not in _KEYS:
        raise UsageError(f"there is no table {name!r}", hint=nearest(name, _KEYS))
    return _KEYS[name][0]


def joined_schema(own: pa.Schema) -> pa.Schema:
    """Give the schema of given rows with the decided columns after them."""
    select = schema_of(Selection)
    extra = [select.field(name).with_name(shown) for name, shown in DECIDED.items() if shown not in own.names]
    return pa.schema([field.with_nullable(True) for field in [*own, *extra]])


def joined(rows: pa.Table, select: pa.Table, key: str, *, kept: bool) -> pa.Table:
    """Give rows with what was decided about each; kept ones only where `kept`.

    Raises:
        DamagedError: something was decided about other rows than these.
    """
    schema = joined_schema(rows.schema)
    places = pc.index_in(rows.column(key), value_set=select.column("target_id")).combine_chunks()
    if places.null_count:
        raise undecided(rows.column(key).filter(pc.is_null(places))[0].as_py())
    decided = select.take(places)
    columns = [*rows.columns]
    columns += [decided.column(name) for name, shown in DECIDED.items() if shown not in rows.schema.names]
    table = pa.Table.from_arrays(columns, schema=schema)
    return table.filter(table.column("is_kept")) if kept else table


def undecided(row_id: str) -> DamagedError:
    """Give the error for a row of a decided partition that select.parquet does not name."""
    return DamagedError(
        f"{SELECT} says nothing of {row_id}: it is not of these parts", hint="`synth close` on the build writes it anew"
    )


def read_joined(build: Path, name: str, *, kept: bool, partitions: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Give one table of each partition (or of those given), joined with what was decided about it."""
    row_type = row_type_of(name)
    with open_select(build) as select:
        for partition in decided_partitions(build, select) if partitions is None else partitions:
            rows = read_table(build, partition, name, row_type)
            yield joined(rows, select.read(partition), _KEYS[name][1], kept=kept)


def stream_rows(build: str, name: str, kept: bool, split: str, partitions: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Give the rows of one split as Python values; holds one partition as Arrow, and a batch of it as objects."""
    for table in read_joined(Path(build), name, kept=kept, partitions=partitions):
        for batch in table.filter(pc.equal(table.column("split"), split)).to_batches(_BATCH):
            yield from batch.to_pylist()


def splits_of(build: Path, name: str, *, kept: bool) -> dict[Split, list[str]]:
    """Give the partitions that hold rows of each split, without a row of them: train, validation, test, those that have any.

    Raises:
        UsageError: there is no row at all; says what was dropped and why.
    """
    row_type_of(name)
    found: dict[Split, list[str]] = {split: [] for split in Split}
    with open_select(build) as select:
        for partition in decided_partitions(build, select):
            table = select.read(partition, ["kind", "kept", "split"])
            own = pc.equal(pc.equal(table.column("kind"), "scenario"), name == "scenarios")
            chosen = table.filter(pc.and_(own, table.column("kept")) if kept else own)
            for value in chosen.column("split").unique().to_pylist():
                found[Split(value)].append(partition)
        if not any(found.values()):
            raise _no_rows(build, select, name, kept=kept)
    return {split: partitions for split, partitions in found.items() if partitions}


def _no_rows(build: Path, select: Slices, name: str, *, kept: bool) -> UsageError:
    if not kept:
        return UsageError(f"{build} holds no {name} yet", hint="run `synth build` again to go on")
    dropped, reasons = 0, Counter[str]()
    for partition in decided_partitions(build, select):
        table = select.read(partition, ["kind", "kept", "reasons"])
        lost = table.filter((pc.field("kind") == "scenario") & ~pc.field("kept")).column("reasons").to_pylist()
        dropped += len(lost)
        reasons.update(cause_of(reason) for listed in lost for reason in listed)
    top = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common(5))
    return UsageError(
        f"{build} keeps no {name}: {dropped} scenarios are dropped" + (f", most for {top}" if top else ""),
        hint=f"see them all with dataset({name!r}, kept=False)",
    )
