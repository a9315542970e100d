"""Ask: the one way from a program to a model.

find -> (gate, reserve, claim, attempt, settle), again where the transport failed -> parse -> at most one repair
question. A pure model answers at once: it is not ledgered, costs nothing and never waits. What jitter and waiting
change is time, never an answer. Once a stop is wanted, what the ledger knows is still given and nothing more is asked.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar, cast

from synth.errors import (
    AttemptError,
    BadRequest,
    IncompleteError,
    ProviderError,
    RateLimited,
    Transient,
    UsageError,
    nearest,
)
from synth.models.answers import Unparsable, cut_around, parse_json
from synth.models.base import (
    Contract,
    Endpoint,
    Identity,
    Model,
    Parameters,
    Pending,
    PureModel,
    Request,
    Response,
    Usage,
    identity_of,
    make_request,
    open_model,
    worst_case,
)
from synth.models.breaker import Breaker
from synth.models.keeping import Keeping, Unkept
from synth.models.ledger import Go, Hit, Ledger
from synth.models.purse import Purse, Reservation
from synth.records.labels import Outcome
from synth.records.schema import Call, Message

__all__ = [
    "Answer",
    "Asker",
    "Parsed",
    "PendingError",
    "Repair",
    "Retry",
    "Role",
    "Unparsable",
    "open_role",
    "parse_json",
]

T = TypeVar("T")

Repair = Callable[[str, str], tuple[Message, ...]]
"""What builds the repair question: (the bad answer's part around the fault, the problem) -> messages."""

_MAX_PROBLEM: Final = 2_000
_GLANCE: Final = 0.5
"""A wait looks this often, in seconds, whether a stop is wanted."""


class PendingError(IncompleteError):
    """A provider will answer later, under `job`; other questions can go on."""

    def __init__(self, message: str, *, job: str) -> None:
        super().__init__(message, hint="run again later: the answer is fetched, not asked for again")
        self.job = job


@dataclass(frozen=True, slots=True)
class Role:
    """Who answers in a role: a model, what it stands for in the ledger, and how it is asked."""

    model: Model
    identity: Identity
    parameters: Parameters = field(default_factory=Parameters)


def open_role(name: str, endpoints: Mapping[str, Endpoint], parameters: Parameters | None = None) -> Role:
    """Give a role by its model's name; raises UsageError as `open_model` does."""
    return Role(open_model(name, endpoints), identity_of(name, endpoints), parameters or Parameters())


@dataclass(frozen=True, slots=True)
class Retry:
    """When a failed attempt is made again; times are in seconds and are those of one question."""

    tries: int = 6
    deadline: float = 600.0
    first_wait: float = 0.5
    longest_wait: float = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said, and the call as the record keeps it."""

    text: str
    call: Call


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """What the answers came to: a value where the outcome is ok, and every call that was made for it."""

    value: T | None
    outcome: Outcome
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class _Seat:
    """A role at work; `answer` is there where its model is pure."""

    role: Role
    breaker: Breaker
    answer: Callable[[Request], Response] | None


class Asker:
    """Asks every role's model, once for each question, and owns purse, retries and breakers."""

    def __init__(
        self,
        roles: Mapping[str, Role],
        *,
        ledger: Ledger | None = None,
        purse: Purse | None = None,
        retry: Retry | None = None,
        stop: Callable[[], str] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Seat the roles.

        Args:
            roles: Role name (such as `writer`, `annotator_a`) -> who answers.
            ledger: Where answers are kept; without one nothing is. A pure model's answers never are.
            purse: What may be spent; without one there is no limit.
            retry: When a failed attempt is made again.
            stop: Gives why to stop, or nothing to go on; looked at before every attempt, so that only those in flight end.
            sleep: How to wait, in seconds.
        """
        breakers = {role.identity.endpoint_alias: Breaker(role.identity.endpoint_alias) for role in roles.values()}
        self._seats = {name: _seat(role, breakers[role.identity.endpoint_alias]) for name, role in roles.items()}
        self._ledger: Keeping = ledger or Unkept()
        self._purse = purse or Purse()
        self._retry = retry or Retry()
        self._stop = stop
        self._sleep = sleep

    async def ask(
        self,
        role: str,
        *,
        program: str,
        contract: Contract,
        messages: tuple[Message, ...],
        partition: str,
        draw: int = 0,
    ) -> Answer:
        """Give the answer to one question, from the ledger where it is known.

        Raises:
            Transient: The transport failed until tries or time were used up (rate limits too); the record stays open.
            BadRequest: The endpoint will never take this question.
            AuthFailed: The key is missing or refused; the run ends.
            BreakerOpen: The endpoint refused twenty questions in a row; the run ends.
            IncompleteError: A stop is wanted, a limit of the purse would be passed, or (PendingError) the answer comes later.
            UsageError: Nobody has that role.
        """
        seat = self._seat(role)
        return await self._answer(seat, _request(seat, program, contract, messages, draw), partition)

    async def _answer(self, seat: _Seat, request: Request, partition: str) -> Answer:
        if seat.answer is not None:
            response = self._computed(seat.answer, seat.breaker, request)
        else:
            response = await self._kept_or_asked(seat, request, partition)
        return Answer(response.text, _call(request, response))

    async def ask_parsed(
        self,
        role: str,
        *,
        program: str,
        contract: Contract,
        messages: tuple[Message, ...],
        partition: str,
        validate: Callable[[dict[str, Any]], T],
        repair: Repair | None = None,
        draw: int = 0,
    ) -> Parsed[T]:
        """Give the value that an answer holds, after at most one repair question (program `<program>.repair`).

        `validate` gives the value or raises ValueError (pydantic's ValidationError is one), whose words go into the
        repair question; `repair` builds that question, and without it none is asked. A question that its endpoint will
        never take (BadRequest) is a refusal: it costs one record, and its call says so; twenty in a row end the run.

        Raises:
            SynthError: As `ask` does.
        """
        seat = self._seat(role)
        answer = await self._answer_or_refusal(seat, _request(seat, program, contract, messages, draw), partition)
        calls = (answer.call,)
        if answer.call.outcome is not Outcome.OK:
            return Parsed(None, answer.call.outcome, calls)
        try:
            return Parsed(validate(parse_json(answer.text)), Outcome.OK, calls)
        except ValueError as error:
            problem = error
        if repair is None:
            return Parsed(None, Outcome.UNPARSABLE, calls)
        question = _repair_question(repair, answer.text, problem)
        again = _request(seat, f"{program}.repair", contract, question, draw)
        mended = await self._answer_or_refusal(seat, again, partition)
        return _after_repair(mended, (*calls, mended.call), validate)

    async def _answer_or_refusal(self, seat: _Seat, request: Request, partition: str) -> Answer:
        try:
            return await self._answer(seat, request, partition)
        except BadRequest:
            return Answer("", _call(request, Response("", Outcome.REFUSED, None, None, None, Usage(0, 0))))

    async def close(self) -> None:
        """Close every model once."""
        for model in {id(seat.role.model): seat.role.model for seat in self._seats.values()}.values():
            await model.close()

    def _seat(self, role: str) -> _Seat:
        try:
            return self._seats[role]
        except KeyError:
            raise UsageError(f"no model has the role {role!r}", hint=nearest(role, self._seats)) from None

    def _computed(self, answer: Callable[[Request], Response], breaker: Breaker, request: Request) -> Response:
        self._refuse_if_stopped()
        breaker.check()
        try:
            response = answer(request)
        except (AttemptError, ProviderError) as error:
            breaker.failed(error)
            raise
        breaker.answered()
        self._purse.count(response.usage)
        return response

    async def _kept_or_asked(self, seat: _Seat, request: Request, partition: str) -> Response:
        found = await self._ledger.find(partition, request)
        if found is not None:
            return found
        try:
            return await self._again_and_again(seat, request, partition)
        except RateLimited as error:
            raise Transient(f"{error.message} (gave up waiting)") from error

    async def _again_and_again(self, seat: _Seat, request: Request, partition: str) -> Response:
        import tenacity

        retry = self._retry
        jitter = tenacity.wait_random_exponential(multiplier=retry.first_wait, max=retry.longest_wait)

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after if isinstance(error, RateLimited) else None
            return (asked or 0.0) + jitter(state)

        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(retry.tries), tenacity.stop_before_delay(retry.deadline)
            ),
            wait=wait,
            retry=tenacity.retry_if_exception_type((Transient, RateLimited)),
            sleep=self._pause,
            reraise=True,
        )
        return await retrying(self._try_once, seat, request, partition)

    async def _try_once(self, seat: _Seat, request: Request, partition: str) -> Response:
        """Make one attempt, unless somebody else's answer is there first."""
        await self._wait_for(seat.breaker)
        worst = worst_case(request)
        async with self._purse.gate(request.endpoint_alias):
            self._refuse_if_stopped()
            seat.breaker.check()
            reservation = self._purse.reserve(worst)
            try:
                claim = await self._ledger.claim(partition, request, worst)
            except BaseException:
                self._purse.release(reservation)
                raise
            if isinstance(claim, Go):
                return await self._sent(seat, request, partition, reservation)
            self._purse.release(reservation)
        if isinstance(claim, Hit):
            return claim.response
        raise _pending(request, claim)

    async def _sent(self, seat: _Seat, request: Request, partition: str, reservation: Reservation) -> Response:
        """Send a claimed question and settle it, whatever comes."""
        try:
            outcome = await seat.role.model.attempt(request)
        except (AttemptError, ProviderError) as error:
            self._purse.settle(reservation)
            await self._ledger.settle(partition, request, error)
            seat.breaker.failed(error)
            raise
        except BaseException:
            self._purse.settle(reservation)
            self._ledger.let_go(request)
            raise
        seat.breaker.answered()
        if isinstance(outcome, Pending):
            self._purse.settle(reservation)
            await self._ledger.settle(partition, request, outcome)
            raise _pending(request, outcome)
        self._purse.settle(reservation, outcome.usage)
        kept = await self._ledger.settle(partition, request, outcome)
        assert kept is not None
        return kept

    async def _wait_for(self, breaker: Breaker) -> None:
        """Wait as long as the endpoint asked everybody to, and a little more so that not all come back at once."""
        pause = breaker.pause()
        if pause > self._retry.deadline:
            raise Transient(f"endpoint {breaker.alias!r} asks to wait {pause:.0f} s, which is past the deadline")
        if pause > 0:
            await self._pause(pause + random.uniform(0, self._retry.first_wait))  # noqa: S311 (time only)

    async def _pause(self, seconds: float) -> None:
        """Wait, and give up waiting once a stop is wanted."""
        while self._stop is not None and seconds > _GLANCE:
            self._refuse_if_stopped()
            await self._sleep(_GLANCE)
            seconds -= _GLANCE
        await self._sleep(seconds)

    def _refuse_if_stopped(self) -> None:
        if self._stop is not None and (reason := self._stop()):
            raise IncompleteError(reason, hint="what was answered is kept; run again to go on")


def _seat(role: Role, breaker: Breaker) -> _Seat:
    answer = cast("PureModel", role.model).answer if role.model.pure else None
    return _Seat(role, breaker, answer)


def _request(seat: _Seat, program: str, contract: Contract, messages: tuple[Message, ...], draw: int) -> Request:
    return make_request(
        seat.role.identity,
        program=program,
        contract=contract,
        messages=messages,
        parameters=seat.role.parameters,
        draw=draw,
    )


def _call(request: Request, response: Response) -> Call:
    return Call(
        key=request.key,
        program=request.program,
        about=None,  # whoever asked knows, and fills it in
        draw=request.draw,
        model_reported=response.model_reported,
        outcome=response.outcome,
        tokens_in=response.usage.tokens_in,
        tokens_out=response.usage.tokens_out,
    )


def _pending(request: Request, pending: Pending) -> PendingError:
    message = f"endpoint {request.endpoint_alias!r} answers a question of {request.program} later (job {pending.job})"
    return PendingError(message, job=pending.job)


def _repair_question(repair: Repair, text: str, problem: ValueError) -> tuple[Message, ...]:
    position = problem.position if isinstance(problem, Unparsable) else 0
    return repair(cut_around(text, position), str(problem)[:_MAX_PROBLEM])


def _after_repair(mended: Answer, calls: tuple[Call, ...], validate: Callable[[dict[str, Any]], T]) -> Parsed[T]:
    try:
        if mended.call.outcome is Outcome.OK:
            return Parsed(validate(parse_json(mended.text)), Outcome.OK, calls)
    except ValueError:
        pass
    return Parsed(None, Outcome.UNPARSABLE, calls)
