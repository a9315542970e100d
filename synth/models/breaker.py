"""The breaker: what the failures of one endpoint mean for the run - go on, or end it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from synth.errors import AttemptError, AuthFailed, BadRequest, BreakerOpen, ProviderError

MAX_REFUSED: Final = 20
"""How many BadRequests in a row, without one answer between them, end the run."""

NOTHING_BUT: Final = 5
"""How many BadRequests end a run in which the endpoint answered nothing else."""


@dataclass(slots=True)
class Breaker:
    """What the attempts of one role at one endpoint say about the run."""

    alias: str
    refused: int = 0
    has_answered: bool = False
    fault: ProviderError | None = None
    last: BadRequest | None = None

    def check(self) -> None:
        """Raise what ended this endpoint, if anything did."""
        if self.fault is not None:
            raise type(self.fault)(self.fault.message, hint=self.fault.hint)

    def answered(self) -> None:
        """Count an answer: what was refused before it no longer counts."""
        self.refused = 0
        self.has_answered = True

    def known(self) -> None:
        """Count an answer of an earlier run: whatever the endpoint refuses now, it does not refuse everything."""
        self.has_answered = True

    def conclude(self) -> None:
        """Raise BreakerOpen where a run comes to its end and all that it heard were refusals, and not just a few."""
        if not self.has_answered and self.refused >= NOTHING_BUT and self.last is not None:
            self._open(self.last)

    def failed(self, error: AttemptError | ProviderError, *, again: bool = False) -> None:
        """Count an error; raises BreakerOpen at the last of too many BadRequests in a row.

        A question that is refused `again`, as in an earlier run, says nothing new of an endpoint that answers others.
        """
        if isinstance(error, AuthFailed):
            self.fault = error
        elif isinstance(error, BadRequest) and not (again and self.has_answered):
            self.refused += 1
            self.last = error
            if self.refused >= MAX_REFUSED:
                self._open(error)

    def silent(self, seconds: float, last: str) -> None:
        """Raise BreakerOpen for an endpoint that has not answered once."""
        self.fault = BreakerOpen(
            f"endpoint {self.alias!r} has not answered once in {seconds:.0f} s; the last: {last}",
            hint="check its address, and whether it is up: synth doctor",
        )
        raise self.fault

    def _open(self, error: BadRequest) -> None:
        self.fault = BreakerOpen(
            f"endpoint {self.alias!r} refused {self.refused} requests in a row; the last: {error.message}",
            hint="check the model's name and the sampling parameters; what was answered is kept",
        )
        raise self.fault from error
