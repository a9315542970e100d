"""Parts: the immutable shards of a build. A part is a folder whose commit record is written last.

BUILD/parts/PARTITION/{scenarios,replies}.parquet + commit.json. A folder without its commit record does not exist.
A table without rows has no file, and an empty partition has a commit record only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self, TypeVar

import pyarrow as pa

from synth.errors import DamagedError, StorageError, nearest
from synth.records.arrow import logical_hash, rows_of, schema_of, table_of
from synth.records.durable import canonical_json, disk_error, read_bytes, read_json, write_bytes
from synth.records.parquet import decode, encode
from synth.records.schema import SCHEMA_VERSION, TABLES

__all__ = [
    "COMMIT",
    "PARTS",
    "Commit",
    "FileRecord",
    "Prepared",
    "commits",
    "part_folder",
    "prepare",
    "read_commit",
    "read_table",
    "seal",
    "signed",
    "unsigned",
]

PARTS: Final = "parts"
"""The folder of all parts within a build."""
COMMIT: Final = "commit.json"
"""The file that makes a folder a part."""
Row = TypeVar("Row")
_SIGNATURE: Final = "record_sha256"
_AGAIN: Final = "delete the folder of this part and run `synth build` again: the ledger answers, nothing is paid twice"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What one Parquet file is: rows, bytes and SHA-256."""

    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A table as Parquet bytes, with the number of its rows and their logical hash: what `seal` needs of it."""

    data: bytes
    rows: int
    logical: str


@dataclass(frozen=True, slots=True)
class Commit:
    """The commit record of a part; a table without rows is neither in `files` nor in `logical`.

    Both are keyed by table name. `logical` is blake2b-16 over the logical hashes of the rows in order: it stays when a
    pyarrow upgrade changes the bytes.
    """

    partition: str
    schema_version: str
    line_digest: str
    files: Mapping[str, FileRecord]
    logical: Mapping[str, str]
    pyarrow: str
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Give the record as it stands in commit.json, without its signature."""
        files = {
            name: {"rows": record.rows, "bytes": record.bytes, "sha256": record.sha256}
            for name, record in self.files.items()
        }
        return {
            "partition": self.partition,
            "schema_version": self.schema_version,
            "line_digest": self.line_digest,
            "files": files,
            "logical": dict(self.logical),
            "pyarrow": self.pyarrow,
            **self.extra,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Give the commit of a record; KeyError or TypeError where the record has another form."""
        own = ("partition", "schema_version", "line_digest", "files", "logical", "pyarrow")
        extra = {key: item for key, item in value.items() if key not in own}
        files = {name: FileRecord(**record) for name, record in value["files"].items()}
        return cls(**{key: value[key] for key in own if key != "files"}, files=files, extra=extra)


def prepare(rows: Sequence[Row], row_type: type[Row]) -> Prepared:
    """Give rows as bytes that can be sealed; hashes the rows themselves, where `seal` would have to read them again.

    Raises:
        StorageError: a value does not fit its column, or cannot be hashed.
    """
    data = encode(table_of(rows, row_type))
    return Prepared(data, len(rows), _logical(rows))


def _logical(rows: Iterable[object]) -> str:
    hashes = hashlib.blake2b(digest_size=16)
    for row in rows:
        hashes.update(bytes.fromhex(logical_hash(row)))
    return hashes.hexdigest()


def seal(
    build: Path,
    partition: str,
    tables: Mapping[str, pa.Table | bytes | Prepared],
    *,
    line_digest: str,
    extra: Mapping[str, object] = MappingProxyType({}),
) -> Commit:
    """Write the files of a part, then its commit record, and give the record; sealing the same again changes nothing.

    Args:
        build: the build folder.
        partition: the folder name of the part, such as `p-en-r0001-b00000`.
        tables: table name -> rows in their final order, the Parquet bytes that `encode` gave, or what `prepare` gave.
        line_digest: what the rows were made by.
        extra: JSON values to keep in the record; names of the record's own fields are refused.

    Raises:
        StorageError: the disk did not take it, the part is sealed with other bytes, or a table is not of its schema.
    """
    folder = part_folder(build, partition)
    encoded = {name: _encoded(name, tables[name]) for name in sorted(tables)}
    filled = {name: made for name, made in encoded.items() if made[1].rows}
    commit = Commit(
        partition,
        SCHEMA_VERSION,
        line_digest,
        {name: record for name, (_, record, _) in filled.items()},
        {name: logical for name, (_, _, logical) in filled.items()},
        pa.__version__,
        dict(extra),
    )
    record = _record(commit)
    if (folder / COMMIT).exists():
        return _same(folder, commit, record)
    _clear(folder)
    for name, (data, _, _) in filled.items():
        write_bytes(folder / f"{name}.parquet", data)
    write_bytes(folder / COMMIT, record)
    return commit


def commits(build: Path) -> list[Commit]:
    """Give the commit records of all sealed parts, sorted by partition; an unsealed folder is passed over.

    Raises:
        DamagedError: a commit record is not whole.
        StorageError: the folder cannot be read.
    """
    try:
        folders = sorted(path for path in (build / PARTS).iterdir() if (path / COMMIT).exists())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise disk_error("list", build / PARTS, error) from error
    return [read_commit(build, folder.name) for folder in folders]


def read_commit(build: Path, partition: str) -> Commit:
    """Give the commit record of one part.

    Raises:
        StorageError: the part is not sealed, or its record cannot be read.
        DamagedError: the record is not whole, or names another partition.
    """
    path = part_folder(build, partition) / COMMIT
    if not path.exists():
        raise StorageError(f"part {partition} is not sealed: there is no {path}", hint="run `synth build` to finish it")
    try:
        commit = Commit.from_json(unsigned(read_json(path)))
    except (KeyError, TypeError, AttributeError, ValueError, DamagedError) as error:
        raise DamagedError(f"{path} is not a whole commit record: {error}", hint=_AGAIN) from error
    if commit.partition != partition:
        raise DamagedError(f"{path} is the record of {commit.partition}, in the folder of {partition}", hint=_AGAIN)
    return commit


def read_table(build: Path, partition: str, name: str, row_type: type) -> pa.Table:
    """Give a table of a sealed part in the current schema, its SHA-256 checked; no rows where the part has none of it.

    Raises:
        StorageError: the part is not sealed, a file is missing, or it is of a newer or another schema.
        DamagedError: the file is not what its commit record says.
    """
    _known(name)
    record = read_commit(build, partition).files.get(name)
    if record is None:
        return schema_of(row_type).empty_table()
    path = part_folder(build, partition) / f"{name}.parquet"
    data = read_bytes(path)
    if hashlib.sha256(data).hexdigest() != record.sha256:
        raise DamagedError(f"{path} is not the file that was sealed (SHA-256 differs)", hint=_AGAIN)
    return decode(data, row_type, source=str(path))


def part_folder(build: Path, partition: str) -> Path:
    """Give the folder of a part.

    Raises:
        StorageError: the partition's name would leave the folder of parts.
    """
    if partition in {"", ".", ".."} or any(letter in '/\\:*?"<>|\0' for letter in partition):
        raise StorageError(
            f"{partition!r} cannot name a part", hint="valid: one folder name, such as p-en-r0001-b00000"
        )
    return build / PARTS / partition


def signed(value: Mapping[str, Any]) -> bytes:
    """Give a record as canonical JSON that carries its own SHA-256, so that a flipped bit in it shows."""
    digest = hashlib.sha256(canonical_json(value)).hexdigest()
    return canonical_json({**value, _SIGNATURE: digest})


def unsigned(value: Mapping[str, Any]) -> dict[str, Any]:
    """Give a signed record without its signature.

    Raises:
        ValueError: the signature is missing or is not that of the record.
    """
    body = {key: item for key, item in value.items() if key != _SIGNATURE}
    if value.get(_SIGNATURE) != hashlib.sha256(canonical_json(body)).hexdigest():
        raise ValueError(f"its {_SIGNATURE} is not that of its content")
    return body


def _encoded(name: str, table: pa.Table | bytes | Prepared) -> tuple[bytes, FileRecord, str]:
    row_type = _known(name)
    made = table if isinstance(table, Prepared) else _prepared(name, table, row_type)
    record = FileRecord(made.rows, len(made.data), hashlib.sha256(made.data).hexdigest())
    return made.data, record, made.logical


def _prepared(name: str, table: pa.Table | bytes, row_type: type) -> Prepared:
    data = table if isinstance(table, bytes) else encode(table)
    rows = decode(data, row_type, source=f"the bytes of {name}") if isinstance(table, bytes) else table
    if not rows.schema.equals(schema_of(row_type), check_metadata=True):
        raise StorageError(
            f"the table {name} is not of schema {SCHEMA_VERSION}", hint="make it with `table_of` or `upcast`"
        )
    stored: list[object] = rows_of(rows, row_type)
    return Prepared(data, rows.num_rows, _logical(stored))


def _record(commit: Commit) -> bytes:
    taken = sorted({*Commit.__dataclass_fields__, _SIGNATURE} & set(commit.extra))
    if taken:
        raise StorageError(
            f"extra fields of a commit record take its own names: {', '.join(taken)}", hint="rename them"
        )
    return signed(commit.to_json())


def _same(folder: Path, commit: Commit, record: bytes) -> Commit:
    """Give the commit if the part is sealed with exactly this record."""
    if read_bytes(folder / COMMIT) == record:
        return commit
    old = read_commit(folder.parent.parent, commit.partition)
    ours, theirs = commit.to_json(), old.to_json()
    differing = sorted(key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key))
    raise StorageError(
        f"{folder} is sealed already with another content: {', '.join(differing)} differ"
        + (f" (the rows are the same; pyarrow was {old.pyarrow})" if old.logical == commit.logical else ""),
        hint="a sealed part never changes: build into a new folder, or go on with the line that sealed it",
    )


def _clear(folder: Path) -> None:
    """Remove what a killed seal left in the folder of a part that does not exist yet."""
    try:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            path.unlink()
    except OSError as error:
        raise disk_error("clear", folder, error) from error


def _known(name: str) -> type:
    if name not in TABLES:
        raise StorageError(f"there is no table {name!r}", hint=nearest(name, TABLES))
    return TABLES[name]
