"""What happens during a build, typed: building emits, progress draws, `--json` prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run begins: how many events and records of the open round are still to be made."""

    folder: str
    round: int
    events: int
    records: int


@dataclass(frozen=True, slots=True)
class EventLived:
    """An event is done: its records, the replies it got, the records that a filter dropped, and the calls made so far."""

    language: str
    records: int
    replies: int
    dropped: int
    calls: int


@dataclass(frozen=True, slots=True)
class EventParked:
    """An event stays open: its transport failed for good in this run, or its answer comes later."""

    language: str
    reason: str


@dataclass(frozen=True, slots=True)
class PartitionSealed:
    """A partition is on disk."""

    partition: str
    records: int


@dataclass(frozen=True, slots=True)
class RoundClosed:
    """A round is sealed and sieved: kept and dropped records so far, and how many the next round makes again (`missing`)."""

    round: int
    kept: int
    dropped: int
    missing: int


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run ends: whether nothing more is due, and why it stopped where something is."""

    complete: bool
    reason: str


BuildEvent = RunStarted | EventLived | EventParked | PartitionSealed | RoundClosed | RunEnded
Listener = Callable[[BuildEvent], object]
