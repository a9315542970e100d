"""One ledger file: the answers, open claims, journal and jobs of one partition, in SQLite.

A shard belongs to one thread. While its partition is open it is in WAL mode with synchronous FULL; frozen, it is one
plain file that is opened read-only until somebody has to write a missing key. No cursor outlives a call, so the WAL
never grows for a reader. Layout (user_version 2): answers - rowid table with a unique 16-byte key and zlib-1 texts,
`copied_from` naming the shard that an answer was taken over from (null where it was asked for here), `micro_units` what
it cost; sent - claims without a settlement; journal - errors and claims that a kill cut off, `micro_units` the most that
one may have cost, `perhaps_paid` where it may have cost anything; jobs - what a provider will answer later, an empty job
where it ended without an answer. Layout 1 had no costs; such a shard is read as it is, and widened when it is written.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

from synth.errors import StorageError
from synth.models.base import Pending, Request, Response, Usage
from synth.records.labels import Outcome
from synth.records.ledger_files import connect_reading, is_open, rows

Row: TypeAlias = tuple[Any, ...]
"""An answer as it is stored: the columns of _COLUMNS, the text still compressed."""

VERSION: Final = 2
"""The layout's number, in SQLite's user_version."""

_MOST_TOGETHER: Final = 128
"""Rows of one statement: SQLite takes 32,766 values at a time."""

REFUSED: Final = "BadRequest"
"""The journal's kind for a question that its endpoint will never take."""

INTERRUPTED: Final = "interrupted"
"""The journal's kind for a claim that no settlement followed."""

_TABLES: Final = f"""
begin immediate;
create table if not exists answers (
    id integer primary key, key blob not null unique, program text not null, contract integer not null, draw integer not
    null, outcome text not null, text blob, model_reported text, fingerprint text, request_id text, tokens_in integer
    not null, tokens_out integer not null, run text not null, copied_from text,
    tokens_cached integer not null default 0, micro_units integer not null default 0);
create table if not exists sent (
    id integer primary key, key blob not null unique,
    program text not null, worst_case integer not null, run text not null,
    micro_units integer not null default 0);
create table if not exists journal (
    id integer primary key, key blob not null, program text not null, kind text not null, detail text not null,
    worst_case integer not null, run text not null,
    micro_units integer not null default 0, perhaps_paid integer not null default 0);
create table if not exists jobs (
    id integer primary key, key blob not null unique, job text not null, run text not null,
    micro_units integer not null default 0);
pragma user_version = {VERSION};
commit;
"""
_WIDEN: Final = """
begin immediate;
alter table answers add column tokens_cached integer not null default 0;
alter table answers add column micro_units integer not null default 0;
alter table sent add column micro_units integer not null default 0;
alter table journal add column micro_units integer not null default 0;
alter table journal add column perhaps_paid integer not null default 0;
alter table jobs add column micro_units integer not null default 0;
pragma user_version = 2;
commit;
"""
_FIRST: Final = (
    "key, program, contract, draw, outcome, text, model_reported, fingerprint, request_id, tokens_in, tokens_out, run"
)
_COLUMNS: Final = f"{_FIRST}, tokens_cached, micro_units"
_FIND: Final = f"select {_COLUMNS} from answers where key = ?"  # noqa: S608 (a constant of ours)
_FIND_FIRST: Final = f"select {_FIRST}, 0, 0 from answers where key = ?"  # noqa: S608 (a constant of ours)
_KEEP: Final = f"insert or ignore into answers ({_COLUMNS}, copied_from) values ({', '.join('?' * 15)})"  # noqa: S608 (ours)
_CUT_OFF: Final = (
    f"insert into journal (key, program, kind, detail, worst_case, run, micro_units, perhaps_paid) "  # noqa: S608 (ours)
    f"select key, program, '{INTERRUPTED}', '', worst_case, run, micro_units, 1 from sent"
)
_SEND: Final = "insert into sent (key, program, worst_case, run, micro_units) values (?, ?, ?, ?, ?)"
_JOURNAL: Final = (
    "insert into journal (key, program, kind, detail, worst_case, run, micro_units, perhaps_paid) "
    "values (?, ?, ?, ?, 0, ?, ?, ?)"
)


def read_row(connection: sqlite3.Connection, key: bytes) -> Row | None:
    """Give a stored answer by its question's key; raises sqlite3.Error."""
    try:
        found: list[Row] = rows(connection, _FIND, (key,))
    except sqlite3.OperationalError:
        if not _is_first(connection):
            raise
        found = rows(connection, _FIND_FIRST, (key,))
    return found[0] if found else None


def read_job(connection: sqlite3.Connection, key: bytes) -> Pending | None:
    """Give the job under which an answer will come, an empty one where it was lost; raises sqlite3.Error."""
    try:
        found = rows(connection, "select job, micro_units from jobs where key = ?", (key,))
    except sqlite3.OperationalError:
        if not _is_first(connection):
            raise
        found = rows(connection, "select job, 0 from jobs where key = ?", (key,))
    return Pending(*found[0]) if found else None


def _is_first(connection: sqlite3.Connection) -> bool:
    return rows(connection, "pragma user_version") == [(1,)]


def response_of(row: Row) -> Response:
    """Give a stored answer as it was settled."""
    outcome, text, model, fingerprint, request_id, tokens_in, tokens_out = row[4:11]
    words = zlib.decompress(text).decode("utf-8", "surrogatepass")
    usage = Usage(tokens_in, tokens_out, row[12])
    return Response(words, Outcome(outcome), model, fingerprint, request_id, usage)


class Shard:
    """The ledger file of one partition, as its one writer sees it; nothing is created before the first write."""

    def __init__(self, path: Path, run: str) -> None:
        self.path = path
        self.name = path.stem
        self.run = run
        self._connection: sqlite3.Connection | None = None
        self._writable = False
        self._together = False
        self._has_jobs = True
        self._refused: set[bytes] | None = None
        self._sends: list[Row] = []
        self._answers: list[Row] = []
        self._settled: list[Row] = []

    def together(self) -> None:
        """Hold the claims and answers that follow back until `commit`, which writes all of a kind at once.

        A statement of many rows is some ten times as cheap as one for each. Where one of them stands already, `commit` raises
        sqlite3.IntegrityError and nothing is written: then each has to be tried by itself.
        """
        self._together = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def commit(self) -> None:
        """Make what was written since the last commit durable: it is on disk when this returns."""
        self._flush()
        self._together = False
        if self._in_transaction:
            self._execute("commit")

    def rollback(self) -> None:
        """Take back what was written since the last commit."""
        self._together = False
        for held in (self._sends, self._answers, self._settled):
            held.clear()
        if self._in_transaction:
            self._execute("rollback")

    def find(self, key: bytes) -> Response | None:
        """Give the durable answer to a question."""
        if not self._ready_to_read():
            return None
        assert self._connection is not None
        row = read_row(self._connection, key)
        return None if row is None else response_of(row)

    def job(self, key: bytes) -> Pending | None:
        """Give the job under which the answer to a question will come; an empty one says that it was lost."""
        if not self._ready_to_read():
            return None
        assert self._connection is not None
        return read_job(self._connection, key)

    def was_refused(self, key: bytes) -> bool:
        """Say whether an earlier run heard that the endpoint will never take a question."""
        if self._refused is None:
            query = "select key from journal where kind = ? and run <> ?"
            self._refused = {one for (one,) in self._execute(query, (REFUSED, self.run))}
        return key in self._refused

    def send(self, request: Request, tokens: int, micro_units: int) -> None:
        """Write that a question is about to be sent, and the most that it can use and cost."""
        self._begin()
        key = bytes.fromhex(request.key)
        values = (key, request.program, tokens, self.run, micro_units)
        if self._together:
            self._sends.append(values)
            return
        self._cut_off(key)
        self._execute(_SEND, values)

    def adopt(self, row: Row, name: str) -> Response:
        """Keep a copy of an answer that another shard holds, and give it."""
        self._begin()
        self._execute(_KEEP, (*row, name))
        return response_of(row)

    def withdraw(self, key: bytes) -> None:
        """Take a claim back: nothing was sent."""
        if self._in_transaction or self._is_sent(key):
            self._begin()
            self._execute("delete from sent where key = ?", (key,))

    def answer(self, request: Request, response: Response, micro_units: int) -> Response:
        """Keep an answer with its cost and give the one that is kept, which is the first."""
        self._begin()
        key = bytes.fromhex(request.key)
        text = zlib.compress(response.text.encode("utf-8", "surrogatepass"), 1)
        reported = (response.model_reported, response.fingerprint, response.request_id)
        usage = (response.usage.tokens_in, response.usage.tokens_out)
        asked = (key, request.program, request.contract.version, request.draw)
        costs = (response.usage.tokens_cached, micro_units)
        values = (*asked, str(response.outcome), text, *reported, *usage, self.run, *costs, None)
        if self._together:
            self._answers.append(values)
            self._settled.append((key,))
            return response
        is_first = self._changes(_KEEP, values)
        self.withdraw(key)
        self._execute("delete from jobs where key = ?", (key,))
        kept = response if is_first else self.find(key)
        assert kept is not None
        return kept

    def fail(self, request: Request, kind: str, detail: str, perhaps_paid: int | None = None) -> None:
        """Journal an error, which is no answer; `perhaps_paid` is the most micro-units that it may have cost, if any."""
        self._begin()
        key = bytes.fromhex(request.key)
        costs = (perhaps_paid or 0, perhaps_paid is not None)
        self._execute(_JOURNAL, (key, request.program, kind, detail, self.run, *costs))
        self.withdraw(key)

    def park(self, request: Request, pending: Pending) -> None:
        """Keep the job under which an answer will come; an empty one says that it was lost, here and in every other shard."""
        self._begin()
        key = bytes.fromhex(request.key)
        values = (key, pending.job, self.run, pending.micro_units)
        self._execute("insert or replace into jobs (key, job, run, micro_units) values (?, ?, ?, ?)", values)
        self._has_jobs = True
        self.withdraw(key)

    def recover(self) -> int:
        """Journal every claim that a kill cut off and give their number; they can be asked again."""
        self._begin()
        self._execute(_CUT_OFF)
        ((count,),) = self._execute("select count(*) from sent")
        self._execute("delete from sent")
        self.commit()
        return int(count)

    def freeze(self) -> bool:
        """Make one plain file of it, without WAL, and give whether it is one; a shard that was never written stays absent.

        Freezing only makes a file easier to copy and to check, so where it cannot be done now (another program reads the
        file, the disk is full) the shard stays open and as good as before.
        """
        frozen = True
        if self._ready_to_read() and self._writable:
            self._execute("pragma busy_timeout = 0")  # who waits here keeps every other answer waiting
            try:
                self._execute("pragma wal_checkpoint(truncate)")
                frozen = self._execute("pragma journal_mode = delete") == [("delete",)]
            except sqlite3.OperationalError:
                frozen = False
        self.close()
        return frozen

    def close(self) -> None:
        """Close the file; an open shard stays an open shard."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._writable = False

    def _execute(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        assert self._connection is not None
        self._flush()  # whatever is read or written now comes after what is held back
        return rows(self._connection, query, values)

    def _flush(self) -> None:
        """Write what was held back, a statement for each kind."""
        if not (self._sends or self._answers):
            return
        sends, answers, settled = [*self._sends], [*self._answers], [*self._settled]
        for held in (self._sends, self._answers, self._settled):
            held.clear()
        for some in _chunks(sends):
            self._write_many(_SEND, some)
        for some in _chunks(answers):
            self._write_many(_KEEP.replace(" or ignore", ""), some)
        for some in _chunks(settled):
            keys = [key for (key,) in some]
            places = ", ".join("?" * len(keys))
            self._run(f"delete from sent where key in ({places})", keys)  # noqa: S608 (placeholders only)
            if self._has_jobs:
                self._run(f"delete from jobs where key in ({places})", keys)  # noqa: S608 (placeholders only)

    def _write_many(self, query: str, some: Sequence[Row]) -> None:
        head, _, row = query.rpartition(" values ")
        self._run(f"{head} values {', '.join([row] * len(some))}", [value for values in some for value in values])

    def _run(self, query: str, values: Sequence[Any]) -> None:
        assert self._connection is not None
        self._connection.execute(query, values).close()

    def _changes(self, query: str, values: tuple[Any, ...]) -> bool:
        """Run a statement and say whether it changed a row."""
        assert self._connection is not None
        self._flush()
        cursor = self._connection.execute(query, values)
        changed = cursor.rowcount > 0
        cursor.close()
        return changed

    @property
    def _in_transaction(self) -> bool:
        return self._connection is not None and self._connection.in_transaction

    def _begin(self) -> None:
        """Be in a transaction, making or thawing the file where needed."""
        if self._in_transaction:
            return
        if not self._writable:
            self.close()
            self._connection, self._writable = self._connect_writing(), True
        self._execute("begin immediate")

    def _ready_to_read(self) -> bool:
        # a file of no bytes is what a kill leaves of a shard that was just being made
        if self._connection is None and self.path.exists() and self.path.stat().st_size:
            if is_open(self.path):
                self._connection, self._writable = self._connect_writing(), True
            else:
                self._connection = connect_reading(self.path)
        return self._connection is not None

    def _connect_writing(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=30)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        ((version,),) = rows(connection, "pragma user_version")
        if version > VERSION:
            raise StorageError(
                f"{self.path}: its layout {version} is newer than this program's {VERSION}", hint="update humane-synth"
            )
        rows(connection, "pragma journal_mode = wal")
        rows(connection, "pragma synchronous = full")
        if version == 1:
            connection.executescript(_WIDEN)
        elif version < VERSION:
            connection.executescript(_TABLES)
        self._has_jobs = rows(connection, "select exists (select 1 from jobs)") == [(1,)]

    def _is_sent(self, key: bytes) -> bool:
        return self._ready_to_read() and bool(self._execute("select 1 from sent where key = ?", (key,)))

    def _cut_off(self, key: bytes) -> None:
        if self._changes(f"{_CUT_OFF} where key = ?", (key,)):
            self.withdraw(key)


def _chunks(values: Sequence[Row]) -> Iterator[Sequence[Row]]:
    return (values[start : start + _MOST_TOGETHER] for start in range(0, len(values), _MOST_TOGETHER))
