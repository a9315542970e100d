"""Parquet bytes of a table and back: one set of writer settings, so that the same rows give the same bytes.

The bytes depend on the rows and on the pyarrow version (it stands in the footer), not on chunks, threads or time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from synth.errors import DamagedError
from synth.records.arrow import upcast
from synth.records.durable import read_bytes, write_bytes

__all__ = ["WRITER", "decode", "encode", "footer_rows", "read_sidecar", "write_sidecar"]

WRITER: Final[dict[str, Any]] = {
    "compression": "zstd",
    "compression_level": 3,
    "row_group_size": 8192,
    "write_page_index": True,
    "write_page_checksum": True,
    "version": "2.6",
}
"""Settings of every shard: measured in research/curation.md section 3 (zstd 3: 2.6 x smaller, 50,000 rows a second)."""

_UNREADABLE: Final = (pa.ArrowException, OSError, UnicodeDecodeError)  # the last for a damaged column name


def encode(table: pa.Table) -> bytes:
    """Give the Parquet bytes of a table; chunks do not matter, and of the metadata only `schema_version` stays."""
    kept = {key: value for key, value in (table.schema.metadata or {}).items() if key == b"schema_version"}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(kept).combine_chunks(), sink, **WRITER)
    return bytes(sink.getvalue())


def decode(data: bytes, row_type: type, *, source: str) -> pa.Table:
    """Give the table of Parquet bytes in the current schema; `source` names the file in errors.

    Raises:
        DamagedError: these are no Parquet bytes, a page fails its checksum, or the file says no schema version.
        StorageError: the file is of a newer or another schema.
    """
    try:
        table = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True).read()
        version = (table.schema.metadata or {}).get(b"schema_version")
        if version is None:
            raise _damaged(source, "it says no schema_version")
        return upcast(table, row_type, version.decode(errors="replace"))
    except _UNREADABLE as error:
        raise _damaged(source, str(error)) from error


def footer_rows(data: bytes, *, source: str) -> int:
    """Give the number of rows that the footer of a Parquet file says.

    Raises:
        DamagedError: the footer cannot be read.
    """
    try:
        return int(pq.ParquetFile(pa.BufferReader(data)).metadata.num_rows)
    except _UNREADABLE as error:
        raise _damaged(source, str(error)) from error


def write_sidecar(path: Path, table: pa.Table) -> None:
    """Put a table of judgements (verdicts, select, annotations) at `path`, durably; it may be written anew.

    Raises:
        StorageError: the disk did not take it.
    """
    write_bytes(path, encode(table))


def read_sidecar(path: Path, row_type: type) -> pa.Table:
    """Give the table of a sidecar in the current schema.

    Raises:
        StorageError: the file is missing, cannot be read, or is of a newer or another schema.
        DamagedError: its bytes are no Parquet.
    """
    return decode(read_bytes(path), row_type, source=str(path))


def _damaged(source: str, why: str) -> DamagedError:
    return DamagedError(
        f"{source} cannot be read as Parquet: {why}", hint="run `synth verify` on the build: it says what to do"
    )
