"""The asker: seats every role's model, asks, reads the answer, and asks one repair question where it cannot be read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from synth.ask.attempts import Attempts, Retry
from synth.ask.roles import Answer, Parsed, Role
from synth.errors import AttemptError, BadRequest, IncompleteError, ProviderError, UsageError, nearest
from synth.models.answers import Unparsable, cut_around, parse_json
from synth.models.base import Contract, LaterModel, PureModel, Request, Response, Usage, make_request
from synth.models.breaker import Breaker
from synth.models.keeping import Unkept
from synth.models.ledger import Ledger
from synth.models.pace import DEFAULT_IN_FLIGHT, GATHERED, Pace
from synth.models.purse import Purse
from synth.records.labels import Outcome
from synth.records.schema import Call, Message

T = TypeVar("T")

Repair = Callable[[str, str], tuple[Message, ...]]
"""What builds the repair question: (the bad answer's part around the fault, the problem) -> messages."""

_MAX_PROBLEM: Final = 2_000
_NOTHING: Final = Response("", Outcome.REFUSED, None, None, None, Usage(0, 0))


@dataclass(frozen=True, slots=True)
class _Seat:
    """A role at work; `answer` is there where its model is pure."""

    role: Role
    attempts: Attempts
    breaker: Breaker
    answer: Callable[[Request], Response] | None


class Asker:
    """Asks every role's model, once for each question, and owns purse, retries, breakers and paces."""

    def __init__(
        self,
        roles: Mapping[str, Role],
        *,
        ledger: Ledger | None = None,
        purse: Purse | None = None,
        retry: Retry | None = None,
        max_in_flight: int = DEFAULT_IN_FLIGHT,
        stop: Callable[[], str] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Seat the roles.

        Args:
            roles: Name of a seat -> who answers; a role (such as `writer`, `annotator-1`) that has one seat gives it its name.
            ledger: Where answers are kept; without one nothing is. A pure model's answers never are.
            purse: What may be spent; without one there is no limit.
            retry: When a failed attempt is made again.
            max_in_flight: How many attempts one endpoint gets at a time, at most.
            stop: Gives why to stop, or nothing to go on; looked at before every attempt, so that only those in flight end.
            sleep: How one question waits for its next attempt, in seconds.
        """
        self._purse = purse or Purse()
        self._stop = stop
        aliases = {role.identity.endpoint_alias for role in roles.values()}
        # what is gathered for a provider's batch is not in flight
        later = {role.identity.endpoint_alias for role in roles.values() if isinstance(role.model, LaterModel)}
        widths = {alias: GATHERED if alias in later else max_in_flight for alias in aliases}
        paces = {alias: Pace(alias, width, stop=stop) for alias, width in widths.items()}
        # an endpoint that answers the writer may refuse every annotator: each is counted for itself, in all its seats together
        breakers = self._breakers = {
            role.name or name: Breaker(role.identity.endpoint_alias) for name, role in roles.items()
        }
        keeping = ledger or Unkept()
        retry = retry or Retry()
        self._seats = {}
        for name, role in roles.items():
            alias = role.identity.endpoint_alias
            breaker, is_later = breakers[role.name or name], alias in later
            attempts = Attempts(role, keeping, self._purse, paces[alias], breaker, retry, stop, sleep, is_later)
            answer = cast("PureModel", role.model).answer if role.model.pure else None
            self._seats[name] = _Seat(role, attempts, breaker, answer)

    @property
    def is_pure(self) -> bool:
        """Whether every model answers at once."""
        return all(seat.answer is not None for seat in self._seats.values())

    def in_doubt(self) -> bool:
        """Say whether an endpoint's last attempts were all refused, so that it may be refusing everything."""
        return any(breaker.refused for breaker in self._breakers.values())

    def conclude(self) -> None:
        """Raise BreakerOpen where an endpoint answered nothing and refused five questions or more: it would refuse all others too."""
        for breaker in self._breakers.values():
            breaker.conclude()

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
            Transient: The transport failed until tries and time were used up (rate limits too); the record stays open.
            BadRequest: The endpoint will never take this question.
            AuthFailed: The key is missing or refused; the run ends.
            BreakerOpen: The endpoint refused twenty questions in a row; the run ends.
            IncompleteError: A stop is wanted, a limit of the purse would be passed, or (PendingError) the answer comes later.
            UsageError: Nobody has that role.
        """
        seat = self._seat(role)
        return await self._answer(seat, _request(seat, program, contract, messages, draw), partition)

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

    async def close(self) -> None:
        """Close every model once."""
        for model in {id(seat.role.model): seat.role.model for seat in self._seats.values()}.values():
            await model.close()

    async def _answer(self, seat: _Seat, request: Request, partition: str) -> Answer:
        if seat.answer is not None:
            response = self._computed(seat.answer, seat.breaker, request)
        else:
            response = await seat.attempts.answer(request, partition)
        return Answer(response.text, _call(request, response))

    async def _answer_or_refusal(self, seat: _Seat, request: Request, partition: str) -> Answer:
        try:
            return await self._answer(seat, request, partition)
        except BadRequest:
            return Answer("", _call(request, _NOTHING))

    def _seat(self, role: str) -> _Seat:
        try:
            return self._seats[role]
        except KeyError:
            raise UsageError(f"no model has the role {role!r}", hint=nearest(role, self._seats)) from None

    def _computed(self, answer: Callable[[Request], Response], breaker: Breaker, request: Request) -> Response:
        if self._stop is not None and (reason := self._stop()):
            raise IncompleteError(reason, hint="what was answered is kept; run again to go on")
        breaker.check()
        try:
            response = answer(request)
        except (AttemptError, ProviderError) as error:
            breaker.failed(error)
            raise
        breaker.answered()
        self._purse.count(response.usage)
        return response


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
