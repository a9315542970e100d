"""Sealed rows joined with what was decided about them: what every reader sees."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from synth.records.arrow import schema_of
from synth.records.schema import Selection

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


def joined_schema(own: pa.Schema) -> pa.Schema:
    """Give the schema of given rows with the decided columns after them."""
    select = schema_of(Selection)
    extra = [select.field(name).with_name(shown) for name, shown in DECIDED.items() if shown not in own.names]
    return pa.schema([field.with_nullable(True) for field in [*own, *extra]])


def joined(rows: pa.Table, select: pa.Table, key: str, *, kept: bool) -> pa.Table:
    """Give rows with what was decided about each; kept ones only where `kept`."""
    schema = joined_schema(rows.schema)
    decided = select.take(pc.index_in(rows.column(key), value_set=select.column("target_id")).combine_chunks())
    columns = [*rows.columns]
    columns += [decided.column(name) for name, shown in DECIDED.items() if shown not in rows.schema.names]
    table = pa.Table.from_arrays(columns, schema=schema)
    return table.filter(pc.fill_null(table.column("is_kept"), False)) if kept else table
