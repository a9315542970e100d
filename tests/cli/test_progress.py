"""Progress as people and machines see it."""

from __future__ import annotations

import io
import json

import pytest

from synth.events import EventLived, EventParked, PartitionSealed, RoundClosed, RunEnded, RunStarted
from synth.progress import Lines, Style, Tally, as_values, bar, drawn

RUN = (
    RunStarted("b", 1, 2, 6),
    EventLived("en", 3, 21, 1, 28),
    EventLived("en", 3, 21, 0, 56),
    PartitionSealed("p-en-r0001-b00000", 6),
    RoundClosed(1, 5, 1, 1),
    RunEnded(False, "the deadline has come"),
)


def test_without_a_terminal_there_are_plain_lines_at_each_seal():
    sink = io.StringIO()
    with drawn(Style.AUTO, sink) as listener:
        for event in RUN:
            listener(event)
    assert sink.getvalue().splitlines() == [
        "round 1: 6 records to make in b",
        "sealed p-en-r0001-b00000 (6 records)",
        "round 1 closed: 5 kept, 1 dropped, 1 to be replaced",
        "stopped: the deadline has come",
    ]
    assert "\x1b" not in sink.getvalue()


def test_a_line_of_the_tally_every_few_seconds():
    clock = iter(range(0, 1000, 2))
    written: list[str] = []
    lines = Lines(written.append, every=5, now=lambda: float(next(clock)))
    lines(RUN[0])
    for _ in range(12):
        lines(EventLived("en", 3, 21, 0, 28))
    tallies = [line for line in written if "records/s" in line]
    assert 2 <= len(tallies) < 12
    assert tallies[0].endswith("records/s")
    assert " of 6 records, 0 dropped, 28 calls" in tallies[0]


def test_trouble_is_told_three_times_and_then_counted():
    written: list[str] = []
    lines = Lines(written.append, every=0.0, now=lambda: 0.0)
    for _ in range(9):
        lines(EventParked("en", "no route"))
    assert written == ["put off (en): no route"] * 3
    lines(EventLived("en", 3, 21, 0, 28))
    assert "9 events put off" in written[-1]


def test_json_lines_hold_every_field():
    sink = io.StringIO()
    with drawn(Style.JSON, sink) as listener:
        for event in RUN:
            listener(event)
    rows = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert rows == [as_values(event) for event in RUN]
    assert rows[3] == {"event": "partition_sealed", "partition": "p-en-r0001-b00000", "records": 6}


def test_none_draws_nothing():
    sink = io.StringIO()
    with drawn(Style.NONE, sink) as listener:
        listener(RUN[0])
    assert sink.getvalue() == ""


@pytest.mark.parametrize("colour", ["", "1"])
def test_on_a_terminal_there_is_a_bar_with_counts_and_calls(monkeypatch, colour):
    from rich.console import Console

    monkeypatch.delenv("NO_COLOR", raising=False)
    if colour:
        monkeypatch.setenv("NO_COLOR", colour)
    sink = io.StringIO()
    console = Console(file=sink, force_terminal=True, width=120, color_system="standard", highlight=False)
    with bar(console) as listener:
        for event in RUN[:4]:
            listener(event)
        console.print("x")
    shown = sink.getvalue()
    assert "sealed p-en-r0001-b00000 (6 records)" in shown
    assert "6/6" in shown
    assert "1 dropped, 56 calls" in shown
    assert ("\x1b[32m" in shown or "\x1b[36m" in shown) == (not colour)


def test_calls_are_added_up_over_rounds_and_workers():
    tally = Tally()
    for calls in (28, 56, 80, 25, 50):
        tally.add(EventLived("en", 3, 21, 0, calls))
    assert tally.calls == 130
