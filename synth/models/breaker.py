"""The breaker: what the failures of one endpoint mean for its next attempts - wait, go on, or end the run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from synth.errors import AttemptError, AuthFailed, BadRequest, BreakerOpen, ProviderError, RateLimited

MAX_REFUSED: Final = 20
"""How many BadRequests in a row, without one answer between them, end the run."""


@dataclass(slots=True)
class Breaker:
    """What one endpoint's attempts say about the next; one for each endpoint alias, in one event loop."""

    alias: str
    refused: int = 0
    resume_at: float = 0.0
    fault: ProviderError | None = None

    def check(self) -> None:
        """Raise what ended this endpoint, if anything did."""
        if self.fault is not None:
            raise type(self.fault)(self.fault.message, hint=self.fault.hint)

    def answered(self) -> None:
        """Count an answer: what was refused before it no longer counts."""
        self.refused = 0

    def failed(self, error: AttemptError | ProviderError) -> None:
        """Count an error; raises BreakerOpen at the last of too many BadRequests in a row."""
        if isinstance(error, AuthFailed):
            self.fault = error
        elif isinstance(error, RateLimited) and error.retry_after is not None:
            self.resume_at = max(self.resume_at, asyncio.get_running_loop().time() + error.retry_after)
        elif isinstance(error, BadRequest):
            self.refused += 1
            if self.refused >= MAX_REFUSED:
                self._open(error)

    def pause(self) -> float:
        """Give the seconds for which the endpoint asked everybody to wait."""
        return max(0.0, self.resume_at - asyncio.get_running_loop().time()) if self.resume_at else 0.0

    def _open(self, error: BadRequest) -> None:
        self.fault = BreakerOpen(
            f"endpoint {self.alias!r} refused {self.refused} requests in a row; the last: {error.message}",
            hint="check the model's name and the sampling parameters; what was answered is kept",
        )
        raise self.fault from error
