"""Where else in a build an answer stands: an index of question keys over every shard, so that no partition pays for what another has.

It is read from the shards' key columns once, at the first question that its own shard cannot answer, and takes 12 bytes for
each answer of the build (90 million answers: 1.1 GB): the first 8 bytes of the key and the number of the shard, in sorted
arrays. The shard itself then has the last word with the whole key, so two keys that begin alike cost one more look and
nothing else. Belongs to the ledger's writer thread.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synth.models.base import Pending
from synth.models.ledger_shard import Row, read_job, read_row
from synth.records.ledger_files import LEDGER, connect_reading, is_open, rows, shard_files, storage_errors

__all__ = ["Elsewhere", "KeyIndex"]

_LOOSE: Final = 1 << 18
"""So many keys are held unsorted before they become a segment."""
_LARGEST: Final = 1 << 22
"""A segment grows no larger by merging: sorting one takes about 100 MB for a moment."""
_MAX_READERS: Final = 8
_KEYS: Final = "select key from answers union all select key from jobs"

Segment: TypeAlias = tuple[NDArray[np.uint64], NDArray[np.uint32]]


class KeyIndex:
    """Key -> names of the shards that may hold it."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._loose: dict[int, int] = {}
        self._segments: list[Segment] = []

    def add(self, name: str, keys: Iterable[bytes]) -> None:
        """Note that a shard holds these keys (16 bytes each)."""
        number = self._number(name)
        for key in keys:
            self._loose[int.from_bytes(key[:8], "big")] = number
            if len(self._loose) >= _LOOSE:
                self._sort_loose()

    def may_hold(self, key: bytes) -> list[str]:
        """Give the shards that may hold a key; among them is the last that noted it."""
        head = int.from_bytes(key[:8], "big")
        # one look: whoever asks from another thread may be overtaken by the owner
        loose = self._loose.get(head)
        found = [] if loose is None else [loose]
        for heads, numbers in reversed(self._segments):
            start = int(np.searchsorted(heads, np.uint64(head)))
            while start < len(heads) and int(heads[start]) == head:
                found.append(int(numbers[start]))
                start += 1
        return [self._names[number] for number in dict.fromkeys(found)]

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            self._numbers[name] = len(self._names)
            self._names.append(name)
        return self._numbers[name]

    def _sort_loose(self) -> None:
        """Make a segment of what is loose; merge segments as a binary counter carries."""
        heads = np.fromiter(self._loose.keys(), np.uint64, len(self._loose))
        numbers = np.fromiter(self._loose.values(), np.uint32, len(self._loose))
        self._loose.clear()
        self._segments.append(_sorted(heads, numbers))
        while len(self._segments) > 1 and self._carries():
            right, left = self._segments.pop(), self._segments.pop()
            self._segments.append(_sorted(np.concatenate([left[0], right[0]]), np.concatenate([left[1], right[1]])))

    def _carries(self) -> bool:
        left, right = len(self._segments[-2][0]), len(self._segments[-1][0])
        return left <= right and left + right <= _LARGEST


def _sorted(heads: NDArray[np.uint64], numbers: NDArray[np.uint32]) -> Segment:
    order = np.argsort(heads, kind="stable")
    return heads[order], numbers[order]


class Elsewhere:
    """The shards of a build as read for a partition that is not their own."""

    def __init__(self, build: Path) -> None:
        self._build = build
        self._index: KeyIndex | None = None
        self._readers: OrderedDict[str, sqlite3.Connection] = OrderedDict()

    def find(self, own: str, key: bytes) -> tuple[str, Row] | None:
        """Give the answer to a question from any shard but the own one, and that shard's name."""
        return next(((name, row) for name in self._others(own, key) if (row := self._row(name, key)) is not None), None)

    def job(self, own: str, key: bytes) -> Pending | None:
        """Give the job under which the answer to a question will come, as any shard but the own one knows it."""
        return next((job for name in self._others(own, key) if (job := self._job(name, key)) is not None), None)

    def is_unknown(self, key: bytes) -> bool:
        """Say whether no shard of the build knows a question, own ones included; False where that is not known yet.

        May be asked from another thread than the owner's: a question that is being added at that moment may still read as
        unknown, and whoever claims it then finds it.
        """
        return self._index is not None and not self._index.may_hold(key)

    def added(self, name: str, keys: Sequence[bytes]) -> None:
        """Note what a shard holds since its last commit; before the first look it need not be noted."""
        if self._index is not None:
            self._index.add(name, keys)

    def let_go(self, name: str) -> None:
        """Read a shard no longer, so that its file can be changed as a whole."""
        reader = self._readers.pop(name, None)
        if reader is not None:
            reader.close()

    def close(self) -> None:
        """Close what is open for reading."""
        for name in [*self._readers]:
            self.let_go(name)

    def _others(self, own: str, key: bytes) -> Iterator[str]:
        if self._index is None:
            self._index = self._read_all()
        return (name for name in self._index.may_hold(key) if name != own and self._path(name).exists())

    def _read_all(self) -> KeyIndex:
        index = KeyIndex()
        for path in shard_files(self._build):
            with storage_errors(path), contextlib.closing(connect_reading(path)) as connection:
                if rows(connection, "pragma user_version") != [(0,)]:
                    index.add(path.stem, (key for (key,) in rows(connection, _KEYS)))
        return index

    def _row(self, name: str, key: bytes) -> Row | None:
        with storage_errors(self._path(name)), self._reading(name) as connection:
            return read_row(connection, key)

    def _job(self, name: str, key: bytes) -> Pending | None:
        with storage_errors(self._path(name)), self._reading(name) as connection:
            return read_job(connection, key)

    @contextlib.contextmanager
    def _reading(self, name: str) -> Iterator[sqlite3.Connection]:
        """Give a connection: kept for a frozen shard, and closed at once for an open one, which may be about to freeze."""
        if is_open(self._path(name)):
            self.let_go(name)
            with contextlib.closing(connect_reading(self._path(name))) as connection:
                yield connection
            return
        reader = self._readers.pop(name, None) or connect_reading(self._path(name))
        self._readers[name] = reader
        if len(self._readers) > _MAX_READERS:
            self._readers.popitem(last=False)[1].close()
        yield reader

    def _path(self, name: str) -> Path:
        return self._build / LEDGER / f"{name}.sqlite"
