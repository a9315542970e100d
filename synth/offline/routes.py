"""The routes of the loopback server: one question through draws, limits and keys to what is sent; errors in OpenAI's shape."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from synth.models.tokens import estimate_prompt
from synth.offline import refusals, transport
from synth.offline.completions import Completions, Reply, chunks, completion
from synth.offline.conduct import Conduct
from synth.offline.faults import BODY, TRANSPORT
from synth.offline.limits import Limits
from synth.offline.questions import Question, chat_question, read_json
from synth.offline.refusals import INVALID, MalformedError, RefusedError
from synth.offline.responses import response_body, responses_question

if TYPE_CHECKING:
    from aiohttp import web

_ASKING: Final = frozenset({"/v1/chat/completions", "/v1/responses"})

Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]


class Routes:
    """The handlers of one application, and what they share."""

    def __init__(self, name: str, completions: Completions) -> None:
        """Keep who answers, and under which name; made in the loop that serves or before it."""
        conduct = completions.conduct
        self._name = name
        self._completions = completions
        self._counts = completions.counts
        self._conduct = conduct
        self._limits = Limits(conduct.requests_per_minute, conduct.tokens_per_minute, time.monotonic)
        self._outage = _Outages(conduct)
        self._stopping = asyncio.Event()

    # -- questions

    async def chat(self, http: web.Request) -> web.StreamResponse:
        """Answer POST /v1/chat/completions."""
        return await self._asked(http, chat_question, completion)

    async def responses(self, http: web.Request) -> web.StreamResponse:
        """Answer POST /v1/responses."""
        return await self._asked(http, responses_question, response_body)

    async def _asked(
        self,
        http: web.Request,
        read: Callable[[dict[str, Any]], Question],
        shape: Callable[[Reply], dict[str, Any]],
    ) -> web.StreamResponse:
        """Answer one question, by what it draws: refused or reset, answered, sent whole or not."""
        asked = read(read_json(await _body(http)))
        before = self._counts.asked(asked.digest)
        self._limits.admit(_tokens(asked))
        fault = self._completions.draws.met(TRANSPORT, asked.digest, before)
        if fault == "reset":
            self._counts.faults[fault] += 1
            return transport.reset(http)
        if fault:
            share = self._completions.draws.share(f"{fault} share", asked.digest, before)
            raise refusals.transport_refusal(fault, share, self._conduct.retry_after, _key(http))
        reply = await self._completions.reply(asked)
        return await self._sent(http, reply, shape, self._completions.draws.met(BODY, asked.digest, before))

    async def _sent(
        self, http: web.Request, reply: Reply, shape: Callable[[Reply], dict[str, Any]], fault: str
    ) -> web.StreamResponse:
        if fault:
            self._counts.faults[fault] += 1
        else:
            self._counts.answered(reply.question.digest, reply.outcome, reply.fault)
        headers = {"x-request-id": reply.id, **self._limits.headers()}
        streamed = reply.question.stream
        answer = (
            transport.event_stream(chunks(reply), headers) if streamed else transport.json_answer(shape(reply), headers)
        )
        return await transport.send(http, answer, fault, self._stopping)

    # -- the rest

    async def models(self, _: web.Request) -> web.Response:
        """List the one model."""
        entry = {"id": self._name, "object": "model", "created": 0, "owned_by": "humane-synth"}
        return transport.plain({"object": "list", "data": [entry]})

    async def stats(self, _: web.Request) -> web.Response:
        """Tell the counts."""
        return transport.plain(self._counts.told())

    async def met(self, _: web.Request) -> web.Response:
        """Tell which answers went out with a fault of their text since the last reset, as {id: fault}; the 100,000 newest.

        The id is the one of the header x-request-id, which a ledger keeps; the body's is the same after `chatcmpl-` or `resp_`. An answer of which a
        fault of the body let only a part through is not among them, and one that was asked for again is there once.
        """
        return transport.plain(self._counts.met())

    async def reset(self, _: web.Request) -> web.Response:
        """Set the counts to zero."""
        self._completions.reset()
        self._outage.reset()
        return transport.plain(self._counts.told())

    async def health(self, _: web.Request) -> web.Response:
        """Say that the server is there."""
        return transport.plain({"status": "ok"})

    async def stop(self, _: web.Application) -> None:
        """End what is stalled."""
        self._stopping.set()

    def middleware(self) -> Any:
        """Give what stands before every route: outage and key, and errors in OpenAI's shape."""
        from aiohttp import web

        @web.middleware
        async def middleware(http: web.Request, handler: Handler) -> web.StreamResponse:
            asking = http.path in _ASKING
            if asking:
                self._counts.enter()
            try:
                return await self._guarded(http, handler)
            finally:
                if asking:
                    self._counts.leave()

        return middleware

    async def _guarded(self, http: web.Request, handler: Handler) -> web.StreamResponse:
        from aiohttp import web

        try:
            if http.path.startswith("/v1/"):
                if self._outage.begun_by_one_more(time.monotonic()):
                    self._counts.faults["outage"] += 1
                    return transport.drop(http)
                self._let_in(http)
            return await handler(http)
        except RefusedError as error:
            error = self._completions.refused(error)
            return transport.plain(error.body, error.status, error.headers | self._limits.headers())
        except web.HTTPException as error:
            if http.path in _ASKING:
                self._counts.plain["malformed"] += 1
            return transport.plain(refusals.error_body(error.reason, INVALID), error.status)
        except ConnectionError:
            return transport.drop(http)  # the client is gone
        except Exception as error:  # noqa: BLE001 (a server answers)
            return transport.plain(self._completions.failed(error), 500)

    def _let_in(self, http: web.Request) -> None:
        if self._conduct.key_variable is None:
            return
        given = _key(http)
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._conduct.key().encode("utf-8", "replace")):
            raise refusals.unauthorised(given, "key-variable")


class _Outages:
    """Whether the server is dead: from one request on, for some seconds."""

    def __init__(self, conduct: Conduct) -> None:
        self._outage = conduct.outage
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self._requests = 0
        self._ends: float | None = None

    def begun_by_one_more(self, now: float) -> bool:
        """Count a request, and say whether it meets a dead server."""
        if self._outage is None:
            return False
        self._requests += 1
        if self._ends is None and self._requests >= self._outage.first:
            self._ends = now + self._outage.seconds
        return self._ends is not None and now < self._ends


async def _body(http: web.Request) -> bytes:
    from aiohttp import web

    try:
        return await http.read()
    except ConnectionError:
        raise MalformedError("the body was not sent whole") from None
    except web.RequestPayloadError:
        raise MalformedError("the body is not what its headers say") from None


def _key(http: web.Request) -> str:
    scheme, _, key = http.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _tokens(asked: Question) -> int:
    """Give what a question takes of the tokens a minute: its prompt and the longest answer that it allows."""
    return estimate_prompt(asked.request.messages) + max(0, asked.request.parameters.max_tokens or 0)
