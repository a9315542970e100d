"""A sidecar of all partitions in one file: written one partition after another, read one partition at a time.

The footer says which run of rows is whose: key `partitions`, a JSON list of [partition, rows] in the order of the file. Row groups
begin anew with each partition, so a reader holds one partition's rows however long the file is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from synth.errors import DamagedError
from synth.records.arrow import schema_of, upcast
from synth.records.durable import disk_error, replacing
from synth.records.parquet import WRITER

__all__ = ["Slices", "open_slices", "write_slices"]

_KEY: Final = b"partitions"
_AGAIN: Final = "run `synth close` on the build: it writes this file anew from the sealed parts"


def write_slices(path: Path, slices: Iterable[tuple[str, pa.Table]], row_type: type) -> None:
    """Put the tables of partitions at `path`, one after another, durably and without holding them all.

    Raises:
        StorageError: the disk did not take it.
    """
    schema = schema_of(row_type)
    kept = {b"schema_version": (schema.metadata or {})[b"schema_version"]}
    settings = {name: value for name, value in WRITER.items() if name != "row_group_size"}
    runs: list[tuple[str, int]] = []
    with replacing(path) as file, pq.ParquetWriter(file, schema.with_metadata(kept), **settings) as writer:
        for partition, table in slices:
            if table.num_rows:
                whole = table.replace_schema_metadata(kept).combine_chunks()
                writer.write_table(whole, WRITER["row_group_size"])
            runs.append((partition, table.num_rows))
        writer.add_key_value_metadata({_KEY: json.dumps(runs, separators=(",", ":")).encode()})


class Slices:
    """An open file of slices; `partitions` are their names in the order of the file."""

    def __init__(self, file: pq.ParquetFile, path: Path, row_type: type) -> None:
        self._file = file
        self._path = path
        self._row_type = row_type
        metadata = file.metadata.metadata or {}
        self._version = metadata.get(b"schema_version", b"").decode(errors="replace")
        self._groups = _runs(file, metadata.get(_KEY, b""), path)
        self.partitions = tuple(self._groups)

    def read(self, partition: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Give the rows of one partition in the current schema, or a few columns of them as they are stored.

        Raises:
            DamagedError: its pages cannot be read.
            StorageError: the file is of a newer or another schema.
        """
        try:
            names = None if columns is None else list(columns)
            table = self._file.read_row_groups(self._groups[partition], columns=names)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(self._path, str(error)) from error
        return upcast(table, self._row_type, self._version) if columns is None else table


@contextmanager
def open_slices(path: Path, row_type: type) -> Iterator[Slices]:
    """Give the slices of a file that `write_slices` wrote; it is closed once the block ends.

    Raises:
        StorageError: the file is missing, cannot be read, or is of a newer or another schema.
        DamagedError: its footer is not whole.
    """
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except pa.ArrowException as error:
        raise _damaged(path, str(error)) from error
    except OSError as error:
        raise disk_error("read", path, error) from error
    with file:
        slices = Slices(file, path, row_type)
        yield slices


def _runs(file: pq.ParquetFile, written: bytes, path: Path) -> dict[str, list[int]]:
    """Give the row groups of each partition; the footer's list and its row groups must agree."""
    rows = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    found: dict[str, list[int]] = {}
    number = 0
    for partition, left in _listed(written, path):
        first = number
        while left > 0 and number < len(rows):
            left -= rows[number]  # noqa: PLW2901 - counts down to the end of the run
            number += 1
        if left or partition in found:
            raise _damaged(path, f"its row groups are not what it says of {partition}")
        found[partition] = list(range(first, number))
    if number < len(rows):
        raise _damaged(path, "it has row groups of no partition")
    return found


def _listed(written: bytes, path: Path) -> list[tuple[str, int]]:
    try:
        value: Any = json.loads(written)
        return [(str(partition), int(rows)) for partition, rows in value]
    except (ValueError, TypeError) as error:
        raise _damaged(path, "it does not say which rows are of which partition") from error


def _damaged(path: Path, why: str) -> DamagedError:
    return DamagedError(f"{path} cannot be read by partition: {why}", hint=_AGAIN)
