"""A pure model as an OpenAI-compatible server: what builds and clients rehearse against, for nothing.

A request carries no program and no contract, so the model sees the messages and parameters only, and its answer - text,
outcome, model, usage - is the same over HTTP as in process. Nothing here knows a clock: ids are digests of the
question.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, Self

from synth.errors import AttemptError
from synth.models.base import OFFLINE, Contract, Parameters, PureModel, Request, Response
from synth.records.labels import Outcome
from synth.records.schema import Message

if TYPE_CHECKING:
    from aiohttp import web

Answer = Callable[[Request], Response]
"""What a server asks: the `answer` of a pure model."""

_MAX_BODY: Final = 8 * 1024 * 1024
_NO_CONTRACT: Final = Contract("", 0)
_FINISH: Final = {Outcome.OK: "stop", Outcome.TRUNCATED: "length", Outcome.REFUSED: "content_filter"}


class _MalformedError(ValueError):
    """A body that is no question; its words go to the client."""


async def serve(
    answer: Answer,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    name: str = OFFLINE,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until cancelled, and print nothing.

    Args:
        answer: The `answer` of a pure model.
        host: Where to listen; the default is reached from this machine only.
        port: 0 takes a free one.
        name: The model's name in `/v1/models`.
        ready: Called once with the base URL (`http://host:port/v1`).

    Raises:
        OSError: The port is taken.
    """
    async with listening(answer, host, port, name=name) as url:
        if ready is not None:
            ready(url)
        await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def listening(
    answer: Answer, host: str = "127.0.0.1", port: int = 0, *, name: str = OFFLINE
) -> AsyncIterator[str]:
    """Serve in the running loop while the block lasts; gives the base URL."""
    from aiohttp import web

    runner = web.AppRunner(application(answer, name=name), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        bound = runner.addresses[0]
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        yield f"http://{shown}:{bound[1]}/v1"
    finally:
        await runner.cleanup()


class Server:
    """A server in a thread of its own, for tests and notebooks: `with Server(model) as server: server.url`."""

    def __init__(self, model: PureModel, host: str = "127.0.0.1", port: int = 0) -> None:
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
        async with listening(self._model.answer, self._host, self._port, name=self._model.name) as url:
            self.url = url
            self._ready.set()
            await self._stop.wait()


def application(answer: Answer, *, name: str = OFFLINE) -> web.Application:
    """Give the server's routes: /v1/chat/completions, /v1/models, /stats and /health."""
    from aiohttp import web

    counts: Counter[str] = Counter(dict.fromkeys(("requests", *_FINISH, "malformed", "failed"), 0))

    async def completions(http: web.Request) -> web.Response:
        counts["requests"] += 1
        try:
            request = _request(await _json(http))
            response = answer(request)
        except (_MalformedError, AttemptError) as error:
            counts["malformed"] += 1
            return _fault(400, str(error), "invalid_request_error")
        except web.HTTPException:
            counts["malformed"] += 1
            raise
        except Exception:
            counts["failed"] += 1
            raise
        counts[response.outcome] += 1
        body = _completion(request, response)
        return web.json_response(body, headers={"x-request-id": body["id"]})

    async def models(_: web.Request) -> web.Response:
        entry = {"id": name, "object": "model", "created": 0, "owned_by": "humane-synth"}
        return web.json_response({"object": "list", "data": [entry]})

    async def stats(_: web.Request) -> web.Response:
        return web.json_response({str(what): count for what, count in counts.items()})

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application(client_max_size=_MAX_BODY, middlewares=[_errors_as_json()])
    app.router.add_post("/v1/chat/completions", completions)
    app.router.add_get("/v1/models", models)
    app.router.add_get("/stats", stats)
    app.router.add_get("/health", health)
    return app


def _errors_as_json() -> Any:
    """Give the middleware that says every error in OpenAI's shape; what went wrong inside is not told."""
    from aiohttp import web

    @web.middleware
    async def middleware(
        http: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(http)
        except web.HTTPException as error:
            return _fault(error.status, error.reason, "invalid_request_error")
        except Exception as error:  # noqa: BLE001 (a server answers)
            return _fault(500, f"the model failed ({type(error).__name__})", "server_error")

    return middleware


def _fault(status: int, message: str, kind: str) -> web.Response:
    from aiohttp import web

    error = {"message": message, "type": kind, "param": None, "code": None}
    return web.json_response({"error": error}, status=status)


async def _json(http: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await http.read())
    except (ValueError, RecursionError):
        raise _MalformedError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise _MalformedError("the body is not a JSON object")
    return body


def _request(body: dict[str, Any]) -> Request:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise _MalformedError("`model` must be a text")
    if body.get("stream") or body.get("n") not in {None, 1}:
        raise _MalformedError("`stream` and `n` other than 1 are not served")
    parameters = Parameters(_number(body, "temperature"), _number(body, "top_p"), _limit(body), _integer(body, "seed"))
    return Request(model, OFFLINE, "", "", _NO_CONTRACT, _messages(body.get("messages")), parameters, 0, "")


def _messages(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise _MalformedError("`messages` must be a list of at least one message")
    return tuple(_message(index, message) for index, message in enumerate(value))


def _message(index: int, value: Any) -> Message:
    role = value.get("role") if isinstance(value, dict) else None
    if not isinstance(role, str) or not role:
        raise _MalformedError(f"messages[{index}].role must be a text")
    content = value.get("content")
    if isinstance(content, list) and all(_is_text_part(part) for part in content):
        content = "".join(part["text"] for part in content)
    if not isinstance(content, str):
        raise _MalformedError(f"messages[{index}].content must be a text, or a list of text parts")
    return Message(role, content)


def _is_text_part(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "text" and isinstance(value.get("text"), str)


def _number(body: dict[str, Any], name: str) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if type(value) not in {int, float}:
        raise _MalformedError(f"`{name}` must be a number")
    try:
        return float(value)
    except OverflowError:
        raise _MalformedError(f"`{name}` is too large") from None


def _integer(body: dict[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is not None and type(value) is not int:
        raise _MalformedError(f"`{name}` must be an integer")
    return value


def _limit(body: dict[str, Any]) -> int | None:
    limit = _integer(body, "max_tokens")
    return _integer(body, "max_completion_tokens") if limit is None else limit


def _completion(request: Request, response: Response) -> dict[str, Any]:
    question = json.dumps([[message.role, message.content] for message in request.messages]).encode("ascii")
    usage = response.usage
    return {
        "id": f"chatcmpl-{hashlib.blake2b(question, digest_size=12).hexdigest()}",
        "object": "chat.completion",
        "created": 0,
        "model": response.model_reported or request.model,
        "system_fingerprint": response.fingerprint,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": response.text, "refusal": None},
                "logprobs": None,
                "finish_reason": _FINISH[response.outcome],
            }
        ],
        "usage": {
            "prompt_tokens": usage.tokens_in,
            "completion_tokens": usage.tokens_out,
            "total_tokens": usage.tokens_in + usage.tokens_out,
        },
    }
