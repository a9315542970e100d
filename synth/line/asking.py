"""Ask, check by rule, and ask once more where that may mend it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from synth.ask import Parsed
from synth.line.checks import Failed, mendable
from synth.line.line import about
from synth.records.labels import Outcome
from synth.records.schema import Call, FailedCheck

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Checked(Generic[A]):
    """What asking came to: a value that passed every check where the outcome is ok; the calls, and what failed on the way."""

    value: A | None
    outcome: Outcome
    calls: tuple[Call, ...]
    failed: tuple[FailedCheck, ...]


async def ask_well(
    ask: Callable[[Sequence[str]], Awaitable[Parsed[A]]], check: Callable[[A], list[Failed]], subject: str
) -> Checked[A]:
    """Give an answer that passes its checks, asked for twice at most.

    Args:
        ask: Puts the question; what an earlier answer failed is named to it, nothing the first time.
        check: Gives what an answer fails. Where one of that may not be mended, nothing is asked again.
        subject: What calls and failed checks say they were about.
    """
    calls: tuple[Call, ...] = ()
    failed: tuple[FailedCheck, ...] = ()
    again: tuple[str, ...] = ()
    for draw in range(2):
        answer = await ask(again)
        calls += about(subject, answer.calls)
        if answer.value is None:
            return Checked(None, answer.outcome, calls, failed)
        found = check(answer.value)
        if not found:
            return Checked(answer.value, Outcome.OK, calls, failed)
        failed += named(subject, draw, found)
        again = mendable(found)
        if not again:
            break
    return Checked(None, Outcome.MISMATCHED, calls, failed)


def named(subject: str, draw: int, found: Sequence[Failed]) -> tuple[FailedCheck, ...]:
    """Give failed checks as a record keeps them."""
    return tuple(FailedCheck(subject, draw, one.check, one.says[:300]) for one in found)
