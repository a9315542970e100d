"""Attempts: one question's way to its answer - known, or asked at the endpoint's pace within the purse, and again where the transport failed.

The only owner of retries: lanes make one attempt, and their libraries run with none of their own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from synth.ask.roles import PendingError, Role
from synth.errors import (
    AttemptError,
    BadRequest,
    FormRefused,
    IncompleteError,
    JobLost,
    ProviderError,
    RateLimited,
    Transient,
)
from synth.models.base import LaterModel, Pending, Request, Response
from synth.models.breaker import Breaker
from synth.models.keeping import Keeping
from synth.models.ledger import Go, Hit
from synth.models.pace import NEVER_ANSWERED, Pace
from synth.models.purse import Purse, Reservation
from synth.models.tokens import most_tokens, worst_case

if TYPE_CHECKING:
    import tenacity

_GLANCE: Final = 0.5
"""A wait looks this often, in seconds, whether a stop is wanted."""


@dataclass(frozen=True, slots=True)
class Retry:
    """When a failed attempt is made again; times are in seconds and are those of one question.

    A question is given up once it had all its `tries` and all its `patience` since the first of them, and at the `deadline` in any case. Waits are drawn
    evenly from zero to `first_wait`, twice that, and so on up to `longest_wait` (full jitter: Brooker 2015, "Exponential Backoff And Jitter"), on top of
    what the endpoint asked for.
    """

    tries: int = 6
    patience: float = 60.0
    deadline: float = 600.0
    first_wait: float = 0.5
    longest_wait: float = 30.0


@dataclass(frozen=True, slots=True)
class Attempts:
    """What one role's questions go through."""

    role: Role
    ledger: Keeping
    purse: Purse
    pace: Pace
    breaker: Breaker
    retry: Retry
    stop: Callable[[], str] | None
    sleep: Callable[[float], Awaitable[None]]
    is_later: bool

    async def answer(self, request: Request, partition: str) -> Response:
        """Give the answer to one question; raises as `Asker.ask` does."""
        found = await self.ledger.find(partition, request)
        if found is not None:
            self.breaker.known()
            return found
        try:
            if self.is_later and (owed := await self._owed(request, partition)) is not None:
                return owed
            return await self._once(request, partition)
        except (Transient, RateLimited) as error:
            first = error
        try:
            return await self._again(request, partition, first)
        except RateLimited as error:
            raise Transient(f"{error.message} (gave up waiting)") from error

    async def _again(self, request: Request, partition: str, first: AttemptError) -> Response:
        """Make further attempts until one is answered, or tries and time are used up."""
        import tenacity

        retry = self.retry
        failed: list[AttemptError] = [first]
        patient = tenacity.stop_all(tenacity.stop_after_attempt(retry.tries), tenacity.stop_after_delay(retry.patience))

        async def attempt() -> Response:
            if failed:
                raise failed.pop()
            return await self._once(request, partition)

        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_any(patient, tenacity.stop_before_delay(retry.deadline)),
            wait=self._wait,
            retry=tenacity.retry_if_exception_type((Transient, RateLimited)),
            sleep=self._pause,
            reraise=True,
        )
        return await retrying(attempt)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        import tenacity

        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, FormRefused):
            return 0.0  # nothing is wrong with the endpoint: the next attempt asks otherwise
        asked = error.retry_after if isinstance(error, RateLimited) else None
        jitter = tenacity.wait_random_exponential(multiplier=self.retry.first_wait, max=self.retry.longest_wait)
        return (asked or 0.0) + jitter(state)

    async def _once(self, request: Request, partition: str) -> Response:
        """Make one attempt, unless somebody else's answer is there first."""
        tokens = worst_case(request)
        await self._wait_for(lambda: self.pace.enter(tokens), self.pace.leave)
        try:
            reservation = await self._reserve(request)
            claim = await self._claim(request, partition, reservation)
            if isinstance(claim, Go):
                outcome = await self._attempt(request, partition, reservation, refused=claim.refused)
        finally:
            # the endpoint is done with it: the next question need not wait for this one's answer to reach the disk
            self.pace.leave()
        if isinstance(claim, Hit):
            return claim.response
        if isinstance(claim, Pending):
            return await self._fetch(request, partition, claim)
        return await self._keep(request, partition, reservation, outcome)

    async def _wait_for(self, gate: Callable[[], Awaitable[int]], give_back: Callable[[], None]) -> int:
        """Wait at a gate of the pace and give its ticket, unless a stop, a fault or too long a pause comes first."""
        while True:
            if (pause := self.pace.pause()) > self.retry.deadline:
                raise Transient(f"endpoint {self.pace.alias!r} asks to wait {pause:.0f} s, which is past the deadline")
            if self.pace.has_answered and (silence := self.pace.silence()) > self.retry.deadline:
                raise IncompleteError(
                    f"endpoint {self.pace.alias!r} has not answered for {silence:.0f} s",
                    hint="what was answered is kept; run again when it is back",
                )
            ticket = await gate()
            try:
                self._refuse_if_stopped()
                self.breaker.check()
            except BaseException:
                if ticket:
                    give_back()
                raise
            if ticket:
                return ticket

    async def _reserve(self, request: Request) -> Reservation:
        tokens = most_tokens(request)
        return await self.purse.room_for(sum(tokens), self.role.price.most(*tokens))

    async def _claim(self, request: Request, partition: str, reservation: Reservation) -> Hit | Go | Pending:
        try:
            claim = await self.ledger.claim(partition, request, reservation.tokens, reservation.micro_units)
        except BaseException:
            self.purse.release(reservation)
            raise
        if not isinstance(claim, Go):
            self.purse.release(reservation)
        return claim

    async def _attempt(
        self, request: Request, partition: str, reservation: Reservation, *, refused: bool
    ) -> Response | Pending:
        """Send a claimed question when the wire is free; a claim that was never sent is taken back."""
        try:
            ticket = await self._wait_for(self.pace.start, self.pace.finish)
        except BaseException:
            self.purse.release(reservation)
            await self.ledger.withdraw(partition, request)
            raise
        try:
            return await self._send(request, partition, reservation, ticket, refused=refused)
        finally:
            self.pace.finish()

    async def _send(
        self, request: Request, partition: str, reservation: Reservation, ticket: int, *, refused: bool
    ) -> Response | Pending:
        """Send a question, which an earlier run may have `refused`; what fails is settled here."""
        try:
            outcome = await self.role.model.attempt(request)
        except (AttemptError, ProviderError) as error:
            perhaps = reservation.micro_units if isinstance(error, AttemptError) and error.may_be_paid else None
            self.purse.settle(reservation, micro_units=perhaps or 0)
            await self.ledger.settle(partition, request, error, perhaps)
            self._count(error, ticket, again=refused)
            raise
        except BaseException:
            # nobody knows what became of it: it stays open in the ledger, and counts with its worst case
            self.purse.settle(reservation, micro_units=reservation.micro_units)
            self.ledger.let_go(request)
            raise
        self.breaker.answered()
        self.pace.answered(outcome.rates if isinstance(outcome, Response) else None)
        return outcome

    async def _keep(
        self, request: Request, partition: str, reservation: Reservation, outcome: Response | Pending
    ) -> Response:
        if isinstance(outcome, Pending):
            self.purse.hand_in(reservation)
            await self.ledger.settle(partition, request, replace(outcome, micro_units=reservation.micro_units))
            raise _pending(request, outcome)
        cost = self.role.price.cost(outcome.usage)
        self.purse.settle(reservation, outcome.usage, cost)
        kept = await self.ledger.settle(partition, request, outcome, cost)
        assert kept is not None
        return kept

    async def _owed(self, request: Request, partition: str) -> Response | None:
        """Give the answer that a provider owes, before anything is set aside for asking; None where nobody owes one."""
        if await self.ledger.job(partition, request) is None:
            return None
        claim = await self.ledger.claim(partition, request)
        if isinstance(claim, Hit):
            return claim.response
        if isinstance(claim, Pending):
            return await self._fetch(request, partition, claim)
        await self.ledger.withdraw(partition, request)  # lost meanwhile
        return None

    async def _fetch(self, request: Request, partition: str, job: Pending) -> Response:
        """Give the answer that a provider owes, if it is there."""
        model = self.role.model
        if not isinstance(model, LaterModel):
            self.ledger.let_go(request)
            raise _pending(request, job)
        try:
            outcome = await model.fetch(request, job.job)
        except (JobLost, BadRequest) as error:
            perhaps = job.micro_units if error.may_be_paid else None
            self.purse.end_job(job.micro_units, micro_units=perhaps or 0)
            await self.ledger.settle(partition, request, error, perhaps)
            self._count(error, 0)
            raise
        except BaseException:
            self.ledger.let_go(request)
            raise
        if isinstance(outcome, Pending):
            self.ledger.let_go(request)
            raise _pending(request, outcome)
        self.breaker.answered()
        cost = self.role.price.cost(outcome.usage)
        self.purse.end_job(job.micro_units, outcome.usage, cost)
        kept = await self.ledger.settle(partition, request, outcome, cost)
        assert kept is not None
        return kept

    def _count(self, error: AttemptError | ProviderError, ticket: int, *, again: bool = False) -> None:
        if isinstance(error, RateLimited):
            self.pace.limited(ticket, error.retry_after)
        elif isinstance(error, Transient) and not isinstance(error, FormRefused | JobLost):
            self.pace.failed(ticket)
            if not self.pace.has_answered and (silence := self.pace.silence()) > NEVER_ANSWERED:
                self.breaker.silent(silence, error.message)
        self.breaker.failed(error, again=again)

    async def _pause(self, seconds: float) -> None:
        """Wait, and give up waiting once a stop is wanted."""
        while self.stop is not None and seconds > _GLANCE:
            self._refuse_if_stopped()
            await self.sleep(_GLANCE)
            seconds -= _GLANCE
        await self.sleep(seconds)

    def _refuse_if_stopped(self) -> None:
        if self.stop is not None and (reason := self.stop()):
            raise IncompleteError(reason, hint="what was answered is kept; run again to go on")


def _pending(request: Request, pending: Pending) -> PendingError:
    message = f"endpoint {request.endpoint_alias!r} answers a question of {request.program} later (job {pending.job})"
    return PendingError(message, job=pending.job)
