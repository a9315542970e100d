"""The ledger: no answer is paid for twice in a build. One SQLite file for each partition, one writer thread, group commit.

The protocol, for one process and one event loop: `claim` a question (durably *sent* when it says Go), make one attempt,
`settle` it. The first durable answer is the answer for everybody and is what `settle` gives; errors are journalled and
never replayed; a claim that no settlement followed is reported at the next start and can be asked again. One key is in
flight once, over the whole build.

An answer is looked for in the partition's own shard, then in all others (a fork, other partitions, an equal question), and
is copied into its own, so that each shard by itself replays its partition.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TypeVar, overload

from synth.errors import AttemptError, BadRequest, JobLost, ProviderError
from synth.models.base import ANSWERS, Pending, Request, Response
from synth.models.ledger_index import Elsewhere
from synth.models.ledger_shard import Shard
from synth.models.ledger_statistics import statistics
from synth.records.ledger_files import LEDGER, is_open, shard_files, storage_errors

__all__ = ["Go", "Hit", "Ledger", "statistics"]

T = TypeVar("T")

_MAX_BATCH: Final = 512
_MAX_OPEN: Final = 64
_MAX_DETAIL: Final = 2_000
_LOST: Final = Pending("")
_PARTITION: Final = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True, slots=True)
class Hit:
    """The question has a durable answer."""

    response: Response


@dataclass(frozen=True, slots=True)
class Go:
    """The question is yours: make one attempt and settle it; `refused` before, by an earlier run."""

    refused: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Operation:
    """Work for the writer thread; what is `alone` stands in no transaction."""

    partition: str
    act: Callable[[Shard], Any]
    done: asyncio.Future[Any]
    alone: bool


class Ledger:
    """The answers of one build, owned by one process and one event loop."""

    def __init__(self, build: Path, run: str) -> None:
        """Open the ledger of a build folder, and find the claims that a kill cut off.

        Args:
            build: The build folder; the ledger is its folder `ledger`.
            run: The name of this run, stored beside each answer.

        Raises:
            StorageError: A file cannot be read, written or understood.
        """
        self._folder = build / LEDGER
        self._folder.mkdir(parents=True, exist_ok=True)
        self._run = run
        left = [path for path in shard_files(build) if is_open(path)]
        self._interrupted = sum(self._recover(path) for path in left)
        self._unfrozen = {path.stem for path in left}
        self._in_flight: dict[str, asyncio.Event] = {}
        self._shards: OrderedDict[str, Shard] = OrderedDict()
        self._elsewhere = Elsewhere(build)
        self._added: list[bytes] = []
        self._queue: queue.SimpleQueue[_Operation | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="synth-ledger", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def interrupted(self) -> int:
        """Give how many claims were in flight when an earlier run was killed, as found at this start."""
        return self._interrupted

    def unfrozen(self) -> frozenset[str]:
        """Give the partitions whose shards an earlier run left open, or that could not be frozen in this one."""
        return frozenset(self._unfrozen)

    async def find(self, partition: str, request: Request) -> Response | None:
        """Give the durable answer, waiting while the same question is in flight; None where somebody has to ask."""
        await self._while_in_flight(request.key)
        key = bytes.fromhex(request.key)
        if self._elsewhere.is_unknown(key):
            return None
        return await self._submit(partition, lambda shard: self._find(shard, key))

    async def claim(
        self, partition: str, request: Request, tokens: int = 0, micro_units: int = 0
    ) -> Hit | Go | Pending:
        """Give the answer, or the right to make one attempt, or the job under which the answer will come.

        Waits while the same question is in flight, for whichever partition. Before Go, *sent* is on disk with the most that
        the attempt can use and cost; whoever got it must `settle` or `let_go`. Whoever got a job holds the question too.
        """
        await self._while_in_flight(request.key)
        self._in_flight[request.key] = asyncio.Event()
        try:
            found = await self._submit(partition, lambda shard: self._claim(shard, request, tokens, micro_units))
        except asyncio.CancelledError:
            # nothing was sent; the thread keeps the order, so this undoes the claim before anybody else makes one
            self._post(partition, lambda shard: shard.withdraw(bytes.fromhex(request.key)))
            self.let_go(request)
            raise
        except BaseException:
            self.let_go(request)
            raise
        if found is None or isinstance(found, bool):
            return Go(bool(found))
        if isinstance(found, Pending):
            return found
        self.let_go(request)
        return Hit(found)

    @overload
    async def settle(self, partition: str, request: Request, outcome: Response, micro_units: int = 0) -> Response: ...

    @overload
    async def settle(
        self,
        partition: str,
        request: Request,
        outcome: AttemptError | ProviderError | Pending,
        micro_units: int | None = None,
    ) -> None: ...

    async def settle(
        self,
        partition: str,
        request: Request,
        outcome: Response | AttemptError | ProviderError | Pending,
        micro_units: int | None = None,
    ) -> Response | None:
        """End a claim: keep an answer (and give the one that is kept), park a job, or journal an error.

        `micro_units` is what an answer cost, or the most that a failed attempt may have cost (None: nothing). A job ends with
        its answer, or with JobLost or BadRequest; any other error leaves it.

        Raises:
            ValueError: A response whose outcome is not an answer.
            StorageError: The disk did not take it.
        """
        try:
            done = self._post(partition, self._settlement(request, outcome, micro_units))
        except BaseException:
            self.let_go(request)
            raise
        # held until it is on disk, also where nobody waits for that any more: else another partition could ask meanwhile
        done.add_done_callback(lambda _: self.let_go(request))
        kept: Response | None = await asyncio.shield(done)
        return kept

    async def job(self, partition: str, request: Request) -> Pending | None:
        """Give the job under which the answer will come; whoever fetches it claims the question first."""
        key = bytes.fromhex(request.key)
        if self._elsewhere.is_unknown(key):
            return None
        found: Pending | None = await self._submit(partition, lambda shard: self._job(shard, key))
        return found

    async def withdraw(self, partition: str, request: Request) -> None:
        """Take back a claim that was never sent: it is in no account."""
        try:
            await self._submit(partition, lambda shard: shard.withdraw(bytes.fromhex(request.key)))
        finally:
            self.let_go(request)

    def let_go(self, request: Request) -> None:
        """Hold a question no longer, unsettled: on disk it stays *sent*, and whoever waits for it may claim it."""
        event = self._in_flight.pop(request.key, None)
        if event is not None:
            event.set()

    async def freeze(self, partition: str) -> bool:
        """Make one plain file of a sealed partition's shard; it can still be read, and thaws where a key is missing.

        Gives False where that cannot be done now, as while another program reads the file: the shard stays open, loses
        nothing and is among `unfrozen`, to be frozen later.
        """
        frozen = await self._submit(partition, self._freeze, alone=True)
        (self._unfrozen.discard if frozen else self._unfrozen.add)(partition)
        return frozen

    def close(self) -> None:
        """Finish what was handed in, close the files and end the thread; twice is as good as once."""
        self._queue.put(None)
        self._thread.join()

    def _recover(self, path: Path) -> int:
        with storage_errors(path), Shard(path, self._run) as shard:
            return shard.recover()

    async def _while_in_flight(self, key: str) -> None:
        while (event := self._in_flight.get(key)) is not None:
            await event.wait()

    async def _submit(self, partition: str, act: Callable[[Shard], T], *, alone: bool = False) -> T:
        result: T = await self._post(partition, act, alone=alone)
        return result

    def _post(self, partition: str, act: Callable[[Shard], Any], *, alone: bool = False) -> asyncio.Future[Any]:
        if not _PARTITION.fullmatch(partition):
            raise ValueError(f"{partition!r} is not a partition's name: letters, digits, '-', '_' and '.'")
        if not self._thread.is_alive():
            raise RuntimeError("this ledger is closed")
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.put(_Operation(partition, act, done, alone))
        return done

    # -- the writer thread: everything below runs in it, and all SQLite of this ledger does

    def _work(self) -> None:
        going = True
        while going:
            batch = self._next_batch()
            going = batch[-1] is not None
            _deliver([result for group in _groups(batch) for result in self._commit(group)])
        self._elsewhere.close()
        for shard in self._shards.values():
            shard.close()

    def _find(self, shard: Shard, key: bytes) -> Response | None:
        found = shard.find(key)
        if found is None and (row := self._elsewhere.find(shard.name, key)) is not None:
            found = shard.adopt(row[1], row[0])
        return found

    def _claim(self, shard: Shard, request: Request, tokens: int, micro_units: int) -> Response | Pending | bool:
        """Give what is known of a question, or claim it and say whether it was refused before."""
        key = bytes.fromhex(request.key)
        found: Response | Pending | None = None
        if not self._elsewhere.is_unknown(key):
            found = self._find(shard, key) or shard.job(key) or self._elsewhere.job(shard.name, key)
        if found is None or found == _LOST:
            shard.send(request, tokens, micro_units)
            return shard.was_refused(key)
        return found

    def _job(self, shard: Shard, key: bytes) -> Pending | None:
        found = shard.job(key) or self._elsewhere.job(shard.name, key)
        return None if found == _LOST else found

    def _settlement(
        self, request: Request, outcome: Response | AttemptError | ProviderError | Pending, micro_units: int | None
    ) -> Callable[[Shard], Response | None]:
        if isinstance(outcome, Response):
            if outcome.outcome not in ANSWERS:
                raise ValueError(f"{outcome.outcome!s} is not an answer: {', '.join(sorted(ANSWERS))}")
            return lambda shard: self._answer(shard, request, outcome, micro_units or 0)
        if isinstance(outcome, Pending):
            return lambda shard: self._park(shard, request, outcome)
        return lambda shard: self._fail(shard, request, outcome, micro_units)

    def _answer(self, shard: Shard, request: Request, response: Response, micro_units: int) -> Response:
        self._added.append(bytes.fromhex(request.key))
        return shard.answer(request, response, micro_units)

    def _fail(
        self, shard: Shard, request: Request, error: AttemptError | ProviderError, perhaps_paid: int | None
    ) -> None:
        shard.fail(request, type(error).__name__, str(error)[:_MAX_DETAIL], perhaps_paid)
        # a job that is over must not be asked for again, in whichever shard it stands
        key = bytes.fromhex(request.key)
        if isinstance(error, JobLost | BadRequest) and (shard.job(key) or self._elsewhere.job(shard.name, key)):
            self._park(shard, request, _LOST)

    def _park(self, shard: Shard, request: Request, pending: Pending) -> None:
        self._added.append(bytes.fromhex(request.key))
        shard.park(request, pending)

    def _freeze(self, shard: Shard) -> bool:
        self._elsewhere.let_go(shard.name)
        return shard.freeze()

    def _next_batch(self) -> list[_Operation | None]:
        batch = [self._queue.get()]
        while batch[-1] is not None and len(batch) < _MAX_BATCH and not self._queue.empty():
            batch.append(self._queue.get())
        return batch

    def _commit(self, group: Sequence[_Operation]) -> Sequence[tuple[_Operation, Any]]:
        """Run operations of one partition in one transaction; where one fails, each gets its own."""
        try:
            values = self._run_together(group)
        except Exception as error:  # noqa: BLE001 (whatever it is, it belongs to the one who waits)
            if len(group) == 1:
                return [(group[0], error)]
            return [result for operation in group for result in self._commit([operation])]
        return list(zip(group, values, strict=True))

    def _run_together(self, group: Sequence[_Operation]) -> list[Any]:
        shard = self._shard(group[0].partition)
        self._added.clear()
        with storage_errors(shard.path):
            try:
                if len(group) > 1:
                    shard.together()
                values = [operation.act(shard) for operation in group]
                shard.commit()
            except BaseException:
                shard.rollback()
                raise
        self._elsewhere.added(shard.name, self._added)
        return values

    def _shard(self, partition: str) -> Shard:
        shard = self._shards.pop(partition, None) or Shard(self._folder / f"{partition}.sqlite", self._run)
        self._shards[partition] = shard
        if len(self._shards) > _MAX_OPEN:
            self._shards.popitem(last=False)[1].close()
        return shard


def _groups(batch: Sequence[_Operation | None]) -> Iterator[list[_Operation]]:
    """Give the operations by partition, in order, all of one in one group but what is alone."""
    last: dict[str, list[_Operation]] = {}
    groups: list[list[_Operation]] = []
    for operation in batch:
        if operation is None:
            continue
        group = last.get(operation.partition)
        if group is None or group[0].alone or operation.alone:
            group = last[operation.partition] = []
            groups.append(group)
        group.append(operation)
    return iter(groups)


def _deliver(results: Sequence[tuple[_Operation, Any]]) -> None:
    """Hand a batch of results to their loop with one call."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Operation, Any]]] = {}
    for result in results:
        by_loop.setdefault(result[0].done.get_loop(), []).append(result)
    for loop, delivered in by_loop.items():
        # a loop that was closed meanwhile has nobody left who waits
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, delivered)


def _resolve(results: Sequence[tuple[_Operation, Any]]) -> None:
    for operation, value in results:
        if operation.done.done():
            continue
        if isinstance(value, Exception):
            operation.done.set_exception(value)
        else:
            operation.done.set_result(value)
