"""The purse of one run: the calls, tokens and money that were spent, are in flight and may still be.

Limits stop a run before they are passed: what is in flight counts with its worst case until it is settled, and whoever
might pass a limit only because of what is in flight waits for that to be settled. One purse belongs to one process and one
event loop. Money is an integer of micro-units (a millionth of a US dollar), so sums are exact and equal the ledger's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from synth.errors import IncompleteError
from synth.models.base import Usage
from synth.models.prices import dollars

_HINT: Final = "what was answered is kept; raise the limit and run again to go on"


@dataclass(frozen=True, slots=True)
class Limits:
    """The most attempts that a run may make, tokens that it may use and micro-units that it may cost; None for no limit.

    `max_cost` is that of the build over all its runs, `max_run_cost` that of this run.
    """

    max_calls: int | None = None
    max_tokens: int | None = None
    max_cost: int | None = None
    max_run_cost: int | None = None


@dataclass(slots=True)
class Spent:
    """What was spent: attempts, tokens read, tokens written, micro-units (what attempts cost, or at most may have cost).

    `owed` is the most that the jobs which this run handed in can still cost.
    """

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    micro_units: int = 0
    owed: int = 0

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.tokens_in + self.tokens_out

    def include(self, other: Spent) -> None:
        """Count what was spent elsewhere in the same run."""
        self.calls += other.calls
        self.tokens_in += other.tokens_in
        self.tokens_out += other.tokens_out
        self.micro_units += other.micro_units
        self.owed += other.owed

    def add(self, usage: Usage, micro_units: int = 0) -> None:
        """Count one attempt and what it used."""
        self.calls += 1
        self.tokens_in += usage.tokens_in
        self.tokens_out += usage.tokens_out
        self.micro_units += micro_units


@dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """One attempt's place in the purse until it is settled or released."""

    tokens: int
    micro_units: int


_NOTHING: Final = Usage(0, 0)


@dataclass(slots=True)
class Purse:
    """Counts one run's spending and holds it within the limits.

    `run` may hold what the run's earlier purses counted, `before` the micro-units that earlier runs of the build cost at most, `owed`
    the most that jobs which earlier runs handed in can still cost.
    """

    limits: Limits = field(default_factory=Limits)
    run: Spent = field(default_factory=Spent)
    before: int = 0
    owed: int = 0
    in_flight: int = field(default=0, init=False)
    reserved_tokens: int = field(default=0, init=False)
    reserved_micro_units: int = field(default=0, init=False)
    _held: set[Reservation] = field(default_factory=set, init=False)
    _waiting: list[asyncio.Future[None]] = field(default_factory=list, init=False)

    async def room_for(self, tokens: int, micro_units: int = 0) -> Reservation:
        """Set one attempt's worst case aside, waiting while only what is in flight stands in its way.

        Raises:
            IncompleteError: The attempt could pass a limit whatever becomes of those in flight; nothing was reserved.
        """
        while True:
            try:
                return self.reserve(tokens, micro_units)
            except IncompleteError:
                if not self.in_flight:
                    raise
            settled = asyncio.get_running_loop().create_future()
            self._waiting.append(settled)
            await settled

    def reserve(self, tokens: int, micro_units: int = 0) -> Reservation:
        """Set one attempt's worst case aside at once.

        Raises:
            IncompleteError: The attempt could pass a limit; nothing was reserved.
        """
        if (fault := self._overshoot(tokens, micro_units)) is not None:
            raise fault
        reservation = Reservation(tokens, micro_units)
        self._held.add(reservation)
        self.in_flight += 1
        self.reserved_tokens += tokens
        self.reserved_micro_units += micro_units
        return reservation

    def settle(self, reservation: Reservation, usage: Usage = _NOTHING, micro_units: int = 0) -> None:
        """Put what an attempt really used and cost, or may have cost, in the place of its worst case."""
        self.release(reservation)
        self.run.add(usage, micro_units)

    def release(self, reservation: Reservation) -> None:
        """Give a reservation back: nothing was sent.

        Raises:
            ValueError: It was given back before.
        """
        if reservation not in self._held:
            raise ValueError("this reservation was settled or released before")
        self._held.remove(reservation)
        self.in_flight -= 1
        self.reserved_tokens -= reservation.tokens
        self.reserved_micro_units -= reservation.micro_units
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    def count(self, usage: Usage) -> None:
        """Count an answer that needed no reservation, because a pure model is free."""
        self.run.add(usage)

    def hand_in(self, reservation: Reservation) -> None:
        """Owe a job's worst case from now on, in the place of its reservation."""
        self.settle(reservation)
        self.run.owed += reservation.micro_units

    def end_job(self, most: int, usage: Usage = _NOTHING, micro_units: int = 0) -> None:
        """Owe a job no longer, whose worst case was `most`; count what it used and cost, or may have cost. Its call was counted when it was handed in."""
        earlier = min(self.owed, most)
        self.owed -= earlier
        self.run.owed -= most - earlier
        self.run.include(Spent(0, usage.tokens_in, usage.tokens_out, micro_units))

    def _overshoot(self, tokens: int, micro_units: int) -> IncompleteError | None:
        limits, run = self.limits, self.run
        if limits.max_calls is not None and run.calls + self.in_flight + 1 > limits.max_calls:
            return _stops(f"max_calls = {limits.max_calls:,}", f"{run.calls:,}", f"{self.in_flight + 1:,}")
        coming = self.reserved_tokens + tokens
        if limits.max_tokens is not None and run.tokens + coming > limits.max_tokens:
            return _stops(f"max_tokens = {limits.max_tokens:,}", f"{run.tokens:,}", f"{coming:,}")
        money = self.reserved_micro_units + micro_units
        for name, limit, spent in (
            ("max_run_cost", limits.max_run_cost, run.micro_units + run.owed),
            ("max_cost", limits.max_cost, self.before + self.owed + run.micro_units + run.owed),
        ):
            if limit is not None and spent + money > limit:
                return _stops(f"{name} = {dollars(limit)}", dollars(spent), dollars(money))
        return None


def _stops(limit: str, spent: str, more: str) -> IncompleteError:
    return IncompleteError(f"the limit {limit} stops the run: {spent} spent, {more} more could be needed", hint=_HINT)
