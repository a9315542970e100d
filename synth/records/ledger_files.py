"""The ledger's files as the manifest lists them and `verify` checks them: SQLite shards, frozen (one plain file) or open (WAL).

A frozen shard is listed with its size and SHA-256. An open one changes by itself: only its count of answers is listed, which may grow and never shrinks.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from synth.errors import DamagedError, StorageError
from synth.records.durable import disk_error, file_digest

__all__ = [
    "LEDGER",
    "connect_reading",
    "is_open",
    "is_shard",
    "ledger_entries",
    "open_faults",
    "rows",
    "shard_beside",
    "shard_files",
    "storage_errors",
]

LEDGER: Final = "ledger"
"""The folder of a build that holds its ledger."""
_SHARD: Final = re.compile(r"(\w[\w.-]*)\.sqlite")
_BESIDE: Final = ("-wal", "-shm", "-journal")
_WAL: Final = b"\x02\x02"


def shard_files(build: Path) -> list[Path]:
    """Give the shards of a build's ledger, sorted."""
    return sorted(path for path in (build / LEDGER).glob("*.sqlite") if is_shard(path.name))


def is_shard(name: str) -> bool:
    """Give whether a file name is that of a shard."""
    return _SHARD.fullmatch(name) is not None


def shard_beside(name: str) -> str | None:
    """Give the name of the shard that an SQLite side file belongs to; None where it is no side file."""
    shard = next((name.removesuffix(ending) for ending in _BESIDE if name.endswith(ending)), "")
    return shard if is_shard(shard) else None


def is_open(path: Path) -> bool:
    """Give whether a shard is in WAL mode, which it is until it is frozen.

    Raises:
        StorageError: the file cannot be read.
    """
    if path.with_name(path.name + "-wal").exists():
        return True
    try:
        with path.open("rb") as file:
            # bytes 18 and 19 of an SQLite file are its write and read versions: 1 rollback journal, 2 WAL
            return file.read(20)[18:] == _WAL
    except OSError as error:
        raise disk_error("read", path, error) from error


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into StorageError, or DamagedError where the file is not a sound database."""
    try:
        yield
    except sqlite3.OperationalError as error:
        busy = "locked" in str(error)
        hint = "another program has this file open: close it" if busy else "is the disk full, or read-only?"
        raise StorageError(f"{path}: {error}", hint=f"{hint}; then run again") from error
    except sqlite3.DatabaseError as error:
        raise DamagedError(f"{path}: {error}", hint="restore this file, or remove it to ask again") from error


def rows(connection: sqlite3.Connection, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
    """Give every row at once, so that no cursor stays open."""
    with contextlib.closing(connection.execute(query, values)) as cursor:
        return cursor.fetchall()


def connect_reading(path: Path, *, at_rest: bool = False) -> sqlite3.Connection:
    """Give a read-only connection, to a file `at_rest` also on a disk that cannot be written; raises sqlite3.Error."""
    # in WAL mode even a reader makes files beside the shard, unless the shard has no WAL and is said to stay as it is
    still = at_rest and not path.with_name(path.name + "-wal").exists()
    mode = "mode=ro&immutable=1" if still else "mode=ro"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None, timeout=30)


def _count(connection: sqlite3.Connection) -> int:
    # a kill can leave a shard before its first write
    if rows(connection, "pragma user_version") == [(0,)] and not rows(
        connection, "select 1 from sqlite_master limit 1"
    ):
        return 0
    ((count,),) = rows(connection, "select count(*) from answers")
    return int(count)


def ledger_entries(build: Path) -> dict[str, dict[str, Any]]:
    """Give what the manifest lists of the ledger: shard -> answers and, where it is frozen, bytes and sha256.

    Raises:
        StorageError: a shard cannot be read; DamagedError where one is no sound database.
    """
    return {path.name: _entry(path) for path in shard_files(build)}


def _entry(path: Path) -> dict[str, Any]:
    with storage_errors(path), contextlib.closing(connect_reading(path, at_rest=True)) as connection:
        answers = _count(connection)
    if is_open(path):
        return {"answers": answers}
    size, digest = file_digest(path)
    return {"answers": answers, "bytes": size, "sha256": digest}


def open_faults(path: Path, at_least: int) -> list[str]:
    """Give what is wrong with a shard that no digest vouches for: SQLite's own check, and answers that are gone.

    Raises:
        StorageError: the file cannot be read; DamagedError where it is no sound shard.
    """
    with storage_errors(path), contextlib.closing(connect_reading(path, at_rest=True)) as connection:
        found = [str(word) for (word,) in rows(connection, "pragma quick_check(5)") if word != "ok"]
        if found:
            return [f"SQLite's quick_check says: {'; '.join(found)}"]
        answers = _count(connection)
    return [f"{answers} answers stand where {at_least} were"] if answers < at_least else []
