"""Walk a round: keep one window of events over several open partitions, and seal each partition when its last event is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from synth.ask import Asker, PendingError
from synth.building.sealing import seal_partition
from synth.errors import IncompleteError, Transient
from synth.events import EventLived, EventParked, Listener, PartitionSealed
from synth.filters.base import decide
from synth.line.assemble import Told, make_scenario
from synth.line.line import Line, Lived
from synth.line.stages import live
from synth.models.ledger import Ledger
from synth.planning.events import make_events
from synth.planning.inventory import Inventory
from synth.planning.rounds import PlannedPartition, Round, read_slots
from synth.records.cells import Event
from synth.records.labels import Outcome

Lives = Callable[[Line, Event, str], Awaitable[Lived]]
"""What gives everything that becomes of an event: `synth.line.stages.live`."""


@dataclass(slots=True)
class OpenPartition:
    """A partition at work: its planned events, and what has become of them so far."""

    planned: PlannedPartition
    events: Sequence[Event]
    lived: dict[int, Lived] = field(default_factory=dict)
    parked: int = 0

    @property
    def ended(self) -> bool:
        """Whether every event is done or parked."""
        return len(self.lived) + self.parked == len(self.events)

    def in_order(self) -> list[Lived]:
        """Give what became of the events, in the plan's order."""
        return [self.lived[index] for index in range(len(self.events))]


@dataclass(slots=True)
class Stop:
    """Asks a walk to stop: set by a deadline, a budget or Ctrl-C; calls in flight are drained, their events stay open."""

    reason: str = ""
    deadline: float | None = None

    def ask(self, reason: str) -> None:
        """Ask to stop; the first reason is kept."""
        self.reason = self.reason or reason

    def wanted(self) -> bool:
        """Say whether to stop now."""
        return bool(self.why())

    def why(self) -> str:
        """Give why to stop now, nothing where the work goes on."""
        if not self.reason and self.deadline is not None and time.monotonic() >= self.deadline:
            self.reason = "the deadline has come"
        return self.reason


def open_partition(build: Path, inventory: Inventory, made: Round, planned: PlannedPartition) -> OpenPartition:
    """Give a planned partition with its events made."""
    slots = read_slots(build, made.number, planned.row_group)
    return OpenPartition(planned, make_events(inventory, made.strata, slots))


class Walk:
    """One pass over the open partitions of a round; `pending` counts the events that wait for a provider's answer.

    While an endpoint refuses one question after the other, nobody knows whether it refuses these or all, so a partition that ends then is
    sealed after the next answer, or at the end of the walk: where the refusals end the run, nothing of them is sealed.
    """

    def __init__(
        self,
        build: Path,
        lines: Mapping[str, Line],
        *,
        stop: Stop,
        listener: Listener,
        calls: Callable[[], int],
        ledger: Ledger | None = None,
        window: int = 1,
        give_up: bool = False,
        asker: Asker | None = None,
        lives: Lives = live,
    ) -> None:
        self.build = build
        self.lines = lines
        self.stop = stop
        self.listener = listener
        self.calls = calls
        self.ledger = ledger
        self.window = window
        self.give_up = give_up
        self.asker = asker
        self.lives = lives
        self.pending = 0
        self.last = ""
        self._ended: list[OpenPartition] = []

    async def run(self, partitions: Iterator[OpenPartition]) -> None:
        """Live every event, several at a time; raises the first of what ends the run, after the calls in flight are drained."""
        tasks: set[asyncio.Task[None]] = set()
        failure: BaseException | None = None
        try:
            async for partition, index in self._events(partitions):
                tasks.add(asyncio.create_task(self._one(partition, index)))
                while len(tasks) >= self.window and failure is None:
                    done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    failure = _first_failure(done)
                if failure is not None:
                    self.stop.ask(str(getattr(failure, "message", failure)))
                    break
        finally:
            if tasks:
                done, _ = await asyncio.wait(tasks)
                failure = failure or _first_failure(done)
        if failure is not None:
            raise failure
        if not self.stop.wanted():
            if self.asker is not None:
                self.asker.conclude()
            await self._seal_ended()

    async def _events(self, partitions: Iterator[OpenPartition]) -> AsyncIterator[tuple[OpenPartition, int]]:
        for partition in partitions:
            for index in range(len(partition.events)):
                if self.stop.wanted():
                    return
                yield partition, index

    async def _one(self, partition: OpenPartition, index: int) -> None:
        event = partition.events[index]
        try:
            lived = await self.lives(self.lines[event.language], event, partition.planned.name)
        except (Transient, PendingError) as error:
            # its transport failed, or its answer comes later: other events go on
            if not self.give_up or isinstance(error, PendingError):
                partition.parked += 1
                self.pending += isinstance(error, PendingError)
                self.last = error.message
                self.listener(EventParked(event.language, error.message))
                return
            lived = abandon(event, self.lines[event.language])
        except IncompleteError as error:
            partition.parked += 1
            self.stop.ask(error.message)
            self.listener(EventParked(event.language, error.message))
            return
        partition.lived[index] = lived
        self.listener(tell(event.language, lived, self.calls()))
        if partition.ended and not partition.parked:
            self._ended.append(partition)
        if self._ended and not (self.asker is not None and self.asker.in_doubt()):
            await self._seal_ended()

    async def _seal_ended(self) -> None:
        while self._ended:
            await self._seal(self._ended.pop())

    async def _seal(self, partition: OpenPartition) -> None:
        line = self.lines[partition.planned.language]
        lived = partition.in_order()
        partition.lived.clear()
        await asyncio.to_thread(seal_partition, self.build, partition.planned.name, lived, line)
        if self.ledger is not None:
            await self.ledger.freeze(partition.planned.name)
        self.listener(PartitionSealed(partition.planned.name, partition.planned.records))


def _first_failure(tasks: Iterable[asyncio.Task[None]]) -> BaseException | None:
    """Give the error of one of some ended tasks, having taken those of all: one that nobody takes is printed as lost."""
    errors = [error for task in tasks if (error := task.exception()) is not None]
    return errors[0] if errors else None


def abandon(event: Event, line: Line) -> Lived:
    """Give the rows of an event that is given up: every form, with nothing asked or answered, as `abandoned`."""
    told = Told(Outcome.ABANDONED, ())
    family = line.families[event.family]
    return Lived([make_scenario(cell, family, line.frame, told, line.provenance) for cell in event.cells])


def tell(language: str, lived: Lived, calls: int) -> EventLived:
    """Give the event that tells what became of one event."""
    ids = {scenario.scenario_id for scenario in lived.scenarios}
    lost = {verdict.target_id for verdict in lived.verdicts if verdict.target_id in ids and decide([verdict]).dropped}
    return EventLived(language, len(lived.scenarios), len(lived.replies), len(lost), calls)
