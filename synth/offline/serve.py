"""A pure model as an OpenAI-compatible server: what builds and clients rehearse against, for nothing, with faults on request.

A request carries no program and no contract, so the model sees the messages and parameters only, and its answer - text,
outcome, model, usage - is the same over HTTP as in process. Ids are digests of the question; a clock is read by limits a
minute, outages and dates in headers only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Self, Unpack

from synth.models.base import OFFLINE, PureModel
from synth.offline.batches import add_routes as add_batch_routes
from synth.offline.completions import Answer, Completions
from synth.offline.conduct import Conduct, Options
from synth.offline.heeding import heeding
from synth.offline.questions import MAX_BODY
from synth.offline.routes import Routes

if TYPE_CHECKING:
    from aiohttp import web


async def serve(
    answer: Answer,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    name: str = OFFLINE,
    ready: Callable[[str], None] | None = None,
    **options: Unpack[Options],
) -> None:
    """Serve until cancelled, and print nothing.

    Args:
        answer: The `answer` of a pure model.
        host: Where to listen; the default is reached from this machine only.
        port: 0 takes a free one.
        name: The model's name in `/v1/models`.
        ready: Called once with the base URL (`http://host:port/v1`).
        options: The fields of `Conduct`: faults, latency, limits, prices.

    Raises:
        OSError: The port is taken.
        UsageError: An option is out of its range.
    """
    async with listening(answer, host, port, name=name, **options) as url:
        if ready is not None:
            ready(url)
        await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def listening(
    answer: Answer, host: str = "127.0.0.1", port: int = 0, *, name: str = OFFLINE, **options: Unpack[Options]
) -> AsyncIterator[str]:
    """Serve in the running loop while the block lasts; gives the base URL."""
    from aiohttp import web

    app = application(answer, name=name, **options)
    runner = web.AppRunner(app, access_log=None, logger=_silent(), shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
        bound = runner.addresses[0]
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        yield f"http://{shown}:{bound[1]}/v1"
    finally:
        await runner.cleanup()


def _silent() -> logging.Logger:
    """Give a logger that says nothing: what a client sends wrong is no news to who runs the server."""
    logger = logging.getLogger(__name__)
    logger.disabled = True
    return logger


class Server:
    """A server in a thread of its own, for tests and notebooks: `with Server(model, latency=0.2) as server: server.url`."""

    def __init__(self, model: PureModel, host: str = "127.0.0.1", port: int = 0, **options: Unpack[Options]) -> None:
        """Keep what to serve; raises UsageError where an option is out of its range."""
        Conduct(**options)
        self._options = options
        self._model = model
        self._host = host
        self._port = port
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="synth-serve", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._fault: BaseException | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._fault is not None:
            self._thread.join()
            raise self._fault
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 (it is raised by the thread that waits)
            self._fault = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        model = self._model
        async with listening(model.answer, self._host, self._port, name=model.name, **self._options) as url:
            self.url = url
            self._ready.set()
            await self._stop.wait()


def application(answer: Answer, *, name: str = OFFLINE, **options: Unpack[Options]) -> web.Application:
    """Give the server's routes: /v1/chat/completions, /v1/responses, /v1/models, files and batches, /stats, /met, /reset and /health."""
    from aiohttp import web

    conduct = Conduct(**options)
    completions = Completions(heeding(answer) if conduct.heeds else answer, conduct)
    routes = Routes(name, completions)
    app = web.Application(client_max_size=MAX_BODY, middlewares=[routes.middleware()])
    app.router.add_post("/v1/chat/completions", routes.chat)
    app.router.add_post("/v1/responses", routes.responses)
    app.router.add_get("/v1/models", routes.models)
    app.router.add_get("/stats", routes.stats)
    app.router.add_get("/met", routes.met)
    app.router.add_post("/reset", routes.reset)
    app.router.add_get("/health", routes.health)
    app.on_shutdown.append(routes.stop)
    add_batch_routes(app, completions.answer_one, batching=conduct.batching, counts=completions.counts.batches)
    return app
