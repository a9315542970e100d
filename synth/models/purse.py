"""The purse of one run: the calls and tokens that were spent, are in flight and may still be; how many may be in flight at once.

Limits stop a run before they are passed: what is in flight counts with its worst case until it is settled. They are those
of one run; what all runs spent is in the ledger (`synth.models.ledger.statistics`). One purse belongs to one process and
one event loop. Money is an integer of micro-units (a millionth of the currency); no price table exists yet, so whoever
settles says what a call cost, and that is zero for now.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from synth.errors import IncompleteError
from synth.models.base import Usage

DEFAULT_IN_FLIGHT: Final = 32
"""How many attempts one endpoint gets at a time unless the person says otherwise."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most attempts that a run may make and tokens that it may use, None for no limit."""

    max_calls: int | None = None
    max_tokens: int | None = None


@dataclass(slots=True)
class Spent:
    """What was spent: attempts, tokens read, tokens written, micro-units."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    micro_units: int = 0

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
    """Counts one run's spending and holds it within the run's limits; `run` may hold what the run's earlier purses counted."""

    limits: Limits = field(default_factory=Limits)
    max_in_flight: int = DEFAULT_IN_FLIGHT
    run: Spent = field(default_factory=Spent)
    in_flight: int = field(default=0, init=False)
    reserved_tokens: int = field(default=0, init=False)
    reserved_micro_units: int = field(default=0, init=False)
    _held: set[Reservation] = field(default_factory=set, init=False)
    _gates: dict[str, asyncio.Semaphore] = field(default_factory=dict, init=False)

    def gate(self, alias: str) -> asyncio.Semaphore:
        """Give the endpoint's gate, to be held (`async with`) for the length of one attempt."""
        gate = self._gates.get(alias)
        if gate is None:
            gate = self._gates[alias] = asyncio.Semaphore(self.max_in_flight)
        return gate

    def reserve(self, worst_case_tokens: int, worst_case_micro_units: int = 0) -> Reservation:
        """Set one attempt's worst case aside.

        Raises:
            IncompleteError: The attempt could pass a limit; nothing was reserved.
        """
        self._refuse_overshoot(worst_case_tokens)
        reservation = Reservation(worst_case_tokens, worst_case_micro_units)
        self._held.add(reservation)
        self.in_flight += 1
        self.reserved_tokens += worst_case_tokens
        self.reserved_micro_units += worst_case_micro_units
        return reservation

    def settle(self, reservation: Reservation, usage: Usage = _NOTHING, micro_units: int = 0) -> None:
        """Put what an attempt really used in the place of its worst case; a failed one used nothing we know of."""
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

    def count(self, usage: Usage) -> None:
        """Count an answer that needed no reservation: a pure model is free and has no limit."""
        self.run.add(usage)

    def _refuse_overshoot(self, tokens: int) -> None:
        calls, coming = self.in_flight + 1, self.reserved_tokens + tokens
        for what, limit, spent, more in (
            ("max_calls", self.limits.max_calls, self.run.calls, calls),
            ("max_tokens", self.limits.max_tokens, self.run.tokens, coming),
        ):
            if limit is not None and spent + more > limit:
                raise IncompleteError(
                    f"the limit {what} = {limit:,} stops the run: {spent:,} spent, {more:,} more could be needed",
                    hint="what was answered is kept; raise the limit and run again to go on",
                )
