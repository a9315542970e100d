"""The one door of openai: its client for an endpoint, its failures as errors of ours, and the lane `responses`.

The client is told everything it would otherwise take from the environment, so that a person's own OPENAI_* settings and
proxies go nowhere; it retries nothing, follows no redirect, and reads the key anew for each request. A question of the
Responses API is stored by nobody (`store` is false); its answer is read as the chat completion that it amounts to.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from synth.errors import AttemptError, BadRequest, ProviderError, Transient
from synth.models.base import Endpoint, Request, Response
from synth.models.endpoints import address_of, served_endpoint_of
from synth.models.envelope import Complaint, read_answer, read_body, read_complaint, refusal, short_name
from synth.models.forms import Forms
from synth.models.keys import SECRET_LENGTH, keep_from_logs, key_of, without_key
from synth.models.rates import read_rates
from synth.models.responses import as_completion, as_of_completions, question_of
from synth.models.statuses import Learn, error_of

if TYPE_CHECKING:
    import httpx
    from openai import AsyncOpenAI

MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
"""The longest answer, and the longest line of a file, that is kept."""

_CONNECT_SECONDS: Final = 15.0
_FILE_SECONDS: Final = 3_600.0
_CHUNK: Final = 65_536
_OURS: Final = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "transfer-encoding"}
    | {"user-agent"}
    | {"x-stainless-raw-response"}  # the client looks there for how it was called itself
)

Ask = Callable[["AsyncOpenAI"], AbstractAsyncContextManager[Any]]
"""What is asked of a client, as one of its `with_streaming_response` calls."""


@dataclass(frozen=True, slots=True)
class Said:
    """What an endpoint answered, whatever its status, without the key."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def open_client(endpoint: Endpoint) -> AsyncOpenAI:
    """Give openai's client for an endpoint, which sends nothing that stands only in the environment; for one running loop.

    Raises:
        UsageError: The endpoint's URL is not a plain http or https address.
    """
    import httpx
    import openai

    timeout = httpx.Timeout(endpoint.timeout, connect=_CONNECT_SECONDS)

    async def sign(request: httpx.Request) -> None:
        key = key_of(endpoint)
        keep_from_logs(key)
        _leave_ours(request.headers, key)

    async def strike(response: httpx.Response) -> None:
        # the client logs headers for whoever debugs: an endpoint that echoes the key must not bring it there
        key = key_of(endpoint)
        response.headers = httpx.Headers([(name, without_key(text, key)) for name, text in response.headers.raw])

    transport = openai.DefaultAioHttpClient(
        verify=ssl.create_default_context(),
        timeout=timeout,
        limits=httpx.Limits(max_connections=0),  # for aiohttp no limit: the purse says how many may be in flight
        follow_redirects=False,
        trust_env=False,
        event_hooks={"request": [sign], "response": [strike]},
    )
    return openai.AsyncOpenAI(
        api_key="unused",  # `sign` puts the real one into each request
        admin_api_key="",
        organization="",
        project="",
        webhook_secret="",
        base_url=address_of(endpoint),
        timeout=timeout,
        max_retries=0,
        http_client=transport,
    )


class Provider:
    """An endpoint behind openai's client: one client for each running loop, opened by its first call."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Keep where to ask; raises UsageError where the URL is no plain address."""
        address_of(endpoint)
        self.endpoint = endpoint
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncOpenAI] = WeakKeyDictionary()

    async def call(self, ask: Ask, *, seconds: float | None = None) -> Said:
        """Give what the endpoint answers, whatever its status.

        Args:
            ask: The call; of its body at most `MAX_ANSWER_BYTES` are read.
            seconds: How long the whole may take; without it, the endpoint's timeout.

        Raises:
            AuthFailed: The key is missing.
            Transient: The transport failed.
            BadRequest: The answer is too long.
        """
        body = bytearray()

        def take(chunk: bytes) -> None:
            body.extend(chunk)
            if len(body) > MAX_ANSWER_BYTES:
                raise BadRequest(f"endpoint {self.endpoint.alias!r} sent an answer of more than 8 MB", may_be_paid=True)

        said = await self._stream(ask, take, self.endpoint.timeout if seconds is None else seconds)
        return replace(said, body=said.body + _struck(bytes(body), key_of(self.endpoint)))

    async def get(self, ask: Ask, *, seconds: float | None = None) -> dict[str, Any]:
        """Give the JSON object that the endpoint answers with; raises what its status means, and what `call` does."""
        said = await self.call(ask, seconds=seconds)
        if said.status != 200:
            raise refused(self.endpoint.alias, said)
        return read_body(said.body, self.endpoint.alias)

    async def lines(self, file: str, take: Callable[[bytes], None]) -> Said:
        """Give every line of a file to `take` as it comes, without the key, where the status is 200; else what was said.

        A line of more than `MAX_ANSWER_BYTES` is passed over.

        Raises:
            AuthFailed, Transient, RateLimited: As a call does; what was taken by then is a part of the file.
        """
        splitter = _Lines(key_of(self.endpoint), take)
        said = await self._stream(
            lambda client: client.files.with_streaming_response.content(file), splitter.feed, _FILE_SECONDS
        )
        if said.status in {401, 408, 409, 429} or said.status >= 500:
            raise refused(self.endpoint.alias, said)
        splitter.end()
        return said

    async def close(self) -> None:
        """Close the running loop's client."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()

    async def _stream(self, ask: Ask, take: Callable[[bytes], None], seconds: float) -> Said:
        """Give what was answered; the body of a 200 goes to `take` piece by piece, any other stands in what is given."""
        from httpx import HTTPError
        from openai import APIStatusError, OpenAIError

        key = key_of(self.endpoint)
        try:
            async with asyncio.timeout(seconds), ask(self._client()) as answer:
                async for chunk in answer.iter_bytes(_CHUNK):
                    take(chunk)
                return Said(200, dict(answer.headers), b"")  # whichever of the 2xx it was
        except APIStatusError as error:
            told = error.response
            return Said(told.status_code, dict(told.headers), _struck(told.content, key))
        except (OpenAIError, HTTPError, OSError) as error:
            fault = _root(error)
        # outside: whatever was caught holds the request with its headers
        raise self._broken(fault, seconds)

    def _client(self) -> AsyncOpenAI:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = open_client(self.endpoint)
        return client

    def _broken(self, fault: BaseException, seconds: float) -> Transient:
        where = f"endpoint {self.endpoint.alias!r}"
        unsent = isinstance(fault, ConnectionRefusedError | socket.gaierror)
        if isinstance(fault, TimeoutError):
            return Transient(f"{where}: no answer within {seconds:g} s", may_be_paid=True)
        # only the kind: an error's own words may quote headers
        return Transient(f"{where}: the connection failed ({type(fault).__name__})", may_be_paid=not unsent)


class _Lines:
    """Cuts what comes in pieces into lines."""

    def __init__(self, key: str, take: Callable[[bytes], None]) -> None:
        self._key = key
        self._take = take
        self._rest = bytearray()
        self._passing = False

    def feed(self, chunk: bytes) -> None:
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            self._add(piece)
            self.end()
        self._add(rest)

    def end(self) -> None:
        if self._rest and not self._passing:
            self._take(_struck(bytes(self._rest), self._key))
        self._rest.clear()
        self._passing = False

    def _add(self, piece: bytes) -> None:
        self._passing = self._passing or len(self._rest) + len(piece) > MAX_ANSWER_BYTES
        if self._passing:
            self._rest.clear()
        else:
            self._rest += piece


def refused(alias: str, said: Said, learn: Learn | None = None) -> AttemptError | ProviderError:
    """Give what a status other than 200 means, by `synth.models.statuses`."""
    return error_of(f"endpoint {alias!r}", said.status, said.headers, read_complaint(said.body), learn)


# -- the lane `responses`


def open_model(name: str, endpoints: Mapping[str, Endpoint]) -> ResponsesModel:
    """Give the model of that name at its endpoint's Responses API.

    Raises:
        UsageError: The endpoint is unknown, or its URL is not a plain http or https address.
    """
    return ResponsesModel(name, served_endpoint_of(name, endpoints))


class ResponsesModel:
    """A model behind the Responses API; it takes no seed, and what JSON form it takes is learned."""

    pure: Final = False

    def __init__(self, name: str, endpoint: Endpoint) -> None:
        """Keep where to ask; nothing is connected yet."""
        self._name = name
        self._provider = Provider(endpoint)
        self._forms = Forms(endpoint.form)

    @property
    def name(self) -> str:
        """The name under which it was opened."""
        return self._name

    async def attempt(self, request: Request) -> Response:
        """Ask once.

        Raises:
            RateLimited: The endpoint asks to wait.
            Transient: The transport failed.
            FormRefused: The endpoint does not take the answer's form; a weaker one was learned.
            BadRequest: The endpoint will never take this question.
            AuthFailed: The key is missing or refused.
        """
        form = replace(self._forms.form(request.contract), seed=False)
        question = question_of(request, form)
        said = await self._provider.call(lambda client: client.responses.with_streaming_response.create(**question))
        rates = read_rates(said.headers, time.time())
        request_id = short_name(said.headers.get("x-request-id"))
        if said.status == 200:
            alias = self._provider.endpoint.alias
            envelope = as_completion(read_body(said.body, alias), alias)
            return read_answer(request, envelope, alias=alias, request_id=request_id, rates=rates)
        if read_complaint(said.body).filtered and said.status == 400:
            return refusal(request, request_id, rates)

        def learn(complaint: Complaint) -> str:
            return self._forms.learn(request, form, as_of_completions(complaint))

        raise refused(self._provider.endpoint.alias, said, learn)

    def habits(self) -> Mapping[str, str]:
        """Give what was learned about the answer's form."""
        return self._forms.habits()

    def recall(self, habits: Mapping[str, str]) -> None:
        """Take what an earlier run learned."""
        self._forms.recall(habits)

    async def close(self) -> None:
        """Close the running loop's client."""
        await self._provider.close()


def _leave_ours(headers: httpx.Headers, key: str) -> None:
    """Take out of a request's headers what nobody here put there, and sign it."""
    for name in set(headers) - _OURS:
        del headers[name]
    if key:
        headers["Authorization"] = f"Bearer {key}"


def _struck(body: bytes, key: str) -> bytes:
    """Give a body without the key, however JSON spells it."""
    if len(key) < SECRET_LENGTH:
        return body
    if b"\\u00" in body or b"\\/" in body:
        with contextlib.suppress(ValueError, RecursionError):
            # written once more, letters that need no escape have none
            body = json.dumps(json.loads(body)).encode("ascii")
    return without_key(without_key(body, key), json.dumps(key)[1:-1])


def _root(error: BaseException) -> BaseException:
    """Give what lies under an error that others wrapped: a time-out, or else the first of all."""
    while not isinstance(error, TimeoutError) and (under := error.__cause__ or error.__context__) is not None:
        error = under
    return error
