"""Draw the events of a build: a bar on a terminal, plain lines without one, JSON lines for machines. All of it on stderr."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum, unique
from typing import IO, TYPE_CHECKING, Any, Final

from synth.events import (
    BuildEvent,
    EventLived,
    EventParked,
    Listener,
    PartitionSealed,
    RoundClosed,
    RunEnded,
    RunStarted,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

EVERY: Final = 5.0
"""Seconds between two plain lines."""


@unique
class Style(StrEnum):
    """How progress is drawn; `auto` is a bar on a terminal and plain lines elsewhere."""

    AUTO = "auto"
    PLAIN = "plain"
    JSON = "json"
    NONE = "none"


@contextmanager
def drawn(style: Style, stream: IO[str]) -> Iterator[Listener]:
    """Give a listener that draws on `stream` while the block lasts; it may be called from any one thread."""
    if style == Style.NONE:
        yield _nothing
    elif style == Style.JSON:
        yield lambda event: _write(stream, json.dumps(as_values(event), ensure_ascii=False))
    elif style == Style.AUTO and _is_terminal(stream):
        from rich.console import Console

        with bar(Console(file=stream, highlight=False, markup=False, emoji=False)) as listener:
            yield listener
    else:
        yield Lines(lambda line: _write(stream, line))


def as_values(event: BuildEvent) -> dict[str, Any]:
    """Give an event as plain values with its name under `event`: `RoundClosed` is `round_closed`."""
    name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in type(event).__name__)
    return {"event": name.lstrip("_"), **asdict(event)}


def _nothing(_: BuildEvent) -> None:
    """Draw nothing."""


def _is_terminal(stream: IO[str]) -> bool:
    return stream.isatty()


def _write(stream: IO[str], line: str) -> None:
    stream.write(line + "\n")
    stream.flush()


class Tally:
    """What a run did so far: records made of those due, dropped by a filter, events parked, calls."""

    def __init__(self) -> None:
        self.due = self.made = self.dropped = self.parked = self.calls = self.round = 0
        self._seen = 0

    def add(self, event: BuildEvent) -> None:
        """Add an event."""
        if isinstance(event, RunStarted):
            self.round, self.due = event.round, self.due + event.records
        elif isinstance(event, EventLived):
            self.made += event.records
            self.dropped += event.dropped
            # the figure begins anew with each round, and with each partition of a worker
            self.calls += event.calls - self._seen if event.calls >= self._seen else event.calls
            self._seen = event.calls
        elif isinstance(event, EventParked):
            self.parked += 1

    def words(self) -> str:
        """Give the tally as a line for people."""
        parts = [f"{self.made:,} of {self.due:,} records", f"{self.dropped:,} dropped", f"{self.calls:,} calls"]
        return ", ".join(parts + ([f"{self.parked:,} events put off"] if self.parked else []))


def _said(event: BuildEvent) -> str:
    """Give the line that an event is worth, nothing for those that only move the tally."""
    if isinstance(event, RunStarted):
        return f"round {event.round}: {event.records:,} records to make in {event.folder}"
    if isinstance(event, PartitionSealed):
        return f"sealed {event.partition} ({event.records:,} records)"
    if isinstance(event, RoundClosed):
        missing = f", {event.missing:,} to be replaced" if event.missing else ""
        return f"round {event.round} closed: {event.kept:,} kept, {event.dropped:,} dropped{missing}"
    if isinstance(event, EventParked):
        return f"put off ({event.language}): {event.reason}"
    if isinstance(event, RunEnded) and not event.complete:
        return f"stopped: {event.reason or 'the run did not end by itself'}"
    return ""


class Lines:
    """Plain lines: one at each seal and round, one of the tally every few seconds, at most three of one kind of trouble."""

    def __init__(
        self, write: Callable[[str], object], *, every: float = EVERY, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.write = write
        self.every = every
        self.now = now
        self.tally = Tally()
        self.started = self.last = now()

    def __call__(self, event: BuildEvent) -> None:
        """Draw an event."""
        self.tally.add(event)
        line = "" if isinstance(event, EventParked) and self.tally.parked > 3 else _said(event)
        if line:
            self.write(line)
        if self.now() - self.last >= self.every and isinstance(event, EventLived):
            self.last = self.now()
            rate = self.tally.made / max(self.last - self.started, 1e-9)
            self.write(f"{self.tally.words()}, {rate:.1f} records/s")


@contextmanager
def bar(console: Console) -> Iterator[Listener]:
    """Give a listener that draws one bar with rate, time left, dropped records and calls; seals scroll above it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[more]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading", total=None, rate="", more="")
        yield _Bar(progress, task)


class _Bar:
    """Moves a bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self.progress = progress
        self.task = task
        self.tally = Tally()

    def __call__(self, event: BuildEvent) -> None:
        self.tally.add(event)
        tally = self.tally
        speed = self.progress.tasks[0].speed
        self.progress.update(
            self.task,
            description=f"round {tally.round}",
            total=tally.due or None,
            completed=tally.made,
            rate=f"{speed:.1f}/s" if speed else "",
            more=f"{tally.dropped:,} dropped, {tally.calls:,} calls"
            + (f", {tally.parked:,} put off" * bool(tally.parked)),
        )
        line = "" if isinstance(event, EventParked) and tally.parked > 3 else _said(event)
        if line and not isinstance(event, RunStarted):
            self.progress.console.print(line, soft_wrap=True, highlight=False, markup=False, emoji=False)
