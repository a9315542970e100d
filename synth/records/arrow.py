"""Arrow tables of rows and back, derived from the type hints of a row: there is no second definition of a table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TypeVar

import pyarrow as pa

from synth.errors import StorageError, nearest
from synth.records import schema
from synth.records.converters import foreign, struct_of

__all__ = ["logical_hash", "rows_of", "schema_of", "table_of", "upcast"]

Row = TypeVar("Row")


def schema_of(row_type: type) -> pa.Schema:
    """Give the Arrow schema of a row type; its metadata says `schema_version` and nothing else."""
    return pa.schema(list(struct_of(row_type).arrow), metadata={"schema_version": schema.SCHEMA_VERSION})


def table_of(rows: Sequence[Row], row_type: type[Row]) -> pa.Table:
    """Give the table of `rows`, in their order.

    Raises:
        StorageError: a value does not fit its column, a label is unknown, or a null stands where none may.
    """
    columns = [field.encode(rows, field.name) for field in struct_of(row_type).fields]
    return pa.Table.from_arrays(columns, schema=schema_of(row_type))


def rows_of(table: pa.Table, row_type: type[Row]) -> list[Row]:
    """Give the rows of a table of the current schema (see `upcast`), labels as members; other columns are passed over.

    Raises:
        StorageError: a column is missing, a label is unknown, or a null stands where none may.
    """
    struct = struct_of(row_type)
    for field in struct.fields:
        if field.name not in table.column_names:
            raise foreign(field.name, f"the column is missing; {nearest(field.name, table.column_names)}")
    return struct.decode_columns([_whole(table.column(field.name)) for field in struct.fields], "")


def logical_hash(row: object) -> str:
    """Give 32 hex digits that name what a row says: blake2b-16 of its canonical JSON.

    Nulls and empty lists are left out and keys are sorted, so neither pyarrow, nor the order of fields, nor a nullable
    column that a later minor version adds changes the hash of a row.

    Raises:
        StorageError: a number is NaN or infinite, or a text holds a lone surrogate.
    """
    plain = struct_of(type(row)).plain(row)
    try:
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    except ValueError as error:
        raise StorageError(
            f"a {type(row).__name__} has a value that cannot be hashed: {error}",
            hint="valid: finite numbers, and text without lone surrogates; write None for a score that is not known",
        ) from error


def upcast(table: pa.Table, row_type: type, stored_version: str) -> pa.Table:
    """Give a stored table in the current schema: columns that its minor version had not are null, or empty lists.

    Raises:
        StorageError: the version is newer or of another major, or the table is not what its version promises.
    """
    _readable(stored_version)
    if len(set(table.column_names)) < table.num_columns:
        raise foreign(", ".join(table.column_names), "two columns share a name")
    columns = {name: _whole(table.column(name)) for name in table.column_names}
    arrays = struct_of(row_type).upcast_columns(columns, table.num_rows, "")
    return pa.Table.from_arrays(arrays, schema=schema_of(row_type))


def _readable(stored: str) -> None:
    major, minor = _version(stored)
    own_major, own_minor = _version(schema.SCHEMA_VERSION)
    if major != own_major:
        raise StorageError(
            f"the table has schema {stored}, this humane-synth reads {own_major}.0 to {schema.SCHEMA_VERSION}",
            hint=f"read it with a humane-synth of schema {major}, or build into a new folder (synth build ... -o NEW)",
        )
    if minor > own_minor:
        raise StorageError(
            f"the table has schema {stored}, newer than {schema.SCHEMA_VERSION} of this humane-synth",
            hint="upgrade: pip install -U humane-synth",
        )


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    if not (major.isascii() and major.isdigit() and minor.isascii() and minor.isdigit()):
        raise StorageError(
            f"{text!r} is no schema version; valid: major.minor, such as {schema.SCHEMA_VERSION}",
            hint="the file was not written by humane-synth, or was changed since: run `synth verify` on its build",
        )
    return int(major), int(minor)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
