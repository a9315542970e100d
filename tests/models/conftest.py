"""What the tests of the door share: requests, answers, and an endpoint that answers as a test tells it to."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import settings

from synth.models.base import Contract, Identity, Parameters, Request, Response, Usage, make_request
from synth.records.labels import Outcome
from synth.records.schema import Message

# a shared machine is slow at times, and that is no fault of what is tested
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")

IDENTITY = Identity("m", "local", "2026-01")


@pytest.fixture
def question() -> Callable[..., Request]:
    def make(text: str = "Hello", **changes: Any) -> Request:
        given: dict[str, Any] = {
            "program": "write",
            "contract": Contract("scene", 1),
            "messages": (Message("user", text),),
            "parameters": Parameters(),
            **changes,
        }
        return make_request(given.pop("identity", IDENTITY), **given)

    return make


@pytest.fixture
def reply() -> Callable[..., Response]:
    def make(text: str = "Hi", outcome: Outcome = Outcome.OK) -> Response:
        return Response(text, outcome, "m-2026", "fp", "r-1", Usage(3, 5))

    return make


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
def endpoint() -> Callable[[Handler], contextlib.AbstractAsyncContextManager[str]]:
    @contextlib.asynccontextmanager
    async def run(handler: Handler) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", handler)
        async with TestServer(app) as server:
            yield str(server.make_url("/v1"))

    return run
