"""What `ask` needs of a ledger, and the one that keeps nothing."""

from __future__ import annotations

from typing import Protocol

from synth.errors import AttemptError, ProviderError
from synth.models.base import Pending, Request, Response
from synth.models.ledger import Go, Hit

__all__ = ["Keeping", "Unkept"]

Outcome = Response | AttemptError | ProviderError | Pending


class Keeping(Protocol):
    """What is asked of a ledger; `synth.models.ledger.Ledger` says what each of these does."""

    async def find(self, partition: str, request: Request) -> Response | None:
        """Give the durable answer."""

    async def job(self, partition: str, request: Request) -> Pending | None:
        """Give the job under which the answer will come."""

    async def claim(
        self, partition: str, request: Request, tokens: int = 0, micro_units: int = 0
    ) -> Hit | Go | Pending:
        """Give the answer, the right to make one attempt, or the job under which the answer will come."""

    async def settle(
        self, partition: str, request: Request, outcome: Outcome, micro_units: int | None = None
    ) -> Response | None:
        """End a claim and give the answer that is kept."""

    async def withdraw(self, partition: str, request: Request) -> None:
        """Take back a claim that was never sent."""

    def let_go(self, request: Request) -> None:
        """Hold a question no longer."""


class Unkept:
    """The ledger of an asker that has none: it knows nothing and keeps nothing."""

    async def find(self, _partition: str, _request: Request) -> None:
        """Know no answer."""

    async def job(self, _partition: str, _request: Request) -> None:
        """Know no job."""

    async def claim(self, _partition: str, _request: Request, _tokens: int = 0, _micro_units: int = 0) -> Go:
        """Let everybody ask."""
        return Go()

    async def settle(
        self, _partition: str, _request: Request, outcome: Outcome, _micro_units: int | None = None
    ) -> Response | None:
        """Give an answer back as it is."""
        return outcome if isinstance(outcome, Response) else None

    def let_go(self, _request: Request) -> None:
        """Hold nothing."""

    async def withdraw(self, _partition: str, _request: Request) -> None:
        """Hold nothing."""
