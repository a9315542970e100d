"""The wire lane: one attempt at an OpenAI-compatible endpoint, over aiohttp.

What an answer means for the run is decided here and nowhere else: 429 waits (RateLimited); 408, 409, 5xx, cut bodies,
time-outs, broken connections and broken envelopes may be sent again (Transient); 401 and 403 end the run (AuthFailed);
a 400 whose code is content_filter is a refusal, which is an answer; any other status is a question that this endpoint
will never take (BadRequest). The key is read from the environment for each attempt, goes to the endpoint's own URL only
(redirects are not followed), and is struck out of whatever an endpoint says before that reaches a message.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn
from weakref import WeakKeyDictionary

from synth.errors import AuthFailed, BadRequest, RateLimited, Transient, UsageError, nearest
from synth.models.base import (
    Endpoint,
    Request,
    Response,
    Usage,
    estimate_prompt,
    estimate_tokens,
    identity_of,
    is_plain_url,
)
from synth.records.labels import Outcome
from synth.records.schema import Message

if TYPE_CHECKING:
    import aiohttp

MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
"""The longest body that is read; an endpoint that sends more is refused."""

_MAX_QUOTE: Final = 300
_MAX_NAME: Final = 200
_SECRET_LENGTH: Final = 16
_CONNECT_SECONDS: Final = 15.0
_REFUSALS: Final = frozenset({"content_filter", "content_policy_violation"})


def open_model(name: str, endpoints: Mapping[str, Endpoint]) -> WireModel:
    """Give the model of that name at its endpoint's URL.

    Raises:
        UsageError: The endpoint is unknown, or its URL is not a plain http or https address.
    """
    alias = identity_of(name, endpoints).endpoint_alias
    endpoint = endpoints.get(alias)
    if endpoint is None or endpoint.url is None:
        raise UsageError(
            f"no endpoint with a URL has the alias {alias!r} (model {name!r})", hint=nearest(alias, endpoints)
        )
    return WireModel(name, endpoint)


class WireModel:
    """A model behind an OpenAI-compatible endpoint; one session for each running loop, opened by its first attempt."""

    pure: Final = False

    def __init__(self, name: str, endpoint: Endpoint) -> None:
        """Keep where to ask; nothing is connected yet."""
        self._address = _address(endpoint)
        self._endpoint = endpoint
        self._name = name
        self._sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession] = WeakKeyDictionary()

    @property
    def name(self) -> str:
        """The name under which it was opened."""
        return self._name

    async def attempt(self, request: Request) -> Response:
        """Ask once.

        Raises:
            RateLimited: The endpoint asks to wait.
            Transient: The transport failed.
            BadRequest: The endpoint will never take this question.
            AuthFailed: The key is missing or refused.
        """
        key = _key(self._endpoint)
        status, headers, body = await self._post(_body(request), key)
        body = _without_key(body, key)
        request_id = _name(
            _without_key(headers.get("x-request-id", "").encode("utf-8", "replace"), key).decode("utf-8")
        )
        says = _Sayings(self._endpoint.alias, key)
        if status == 200:
            return _answer(request, _envelope(body, says), request_id)
        if status == 400 and _error_code(body) in _REFUSALS:
            return _refusal(request, request_id)
        return says.refuse(status, headers, body)

    async def close(self) -> None:
        """Close the running loop's session."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()

    async def _post(self, body: bytes, key: str) -> tuple[int, Mapping[str, str], bytes]:
        import aiohttp

        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        fault = ""
        try:
            async with self._session().post(self._address, data=body, headers=headers, allow_redirects=False) as answer:
                return answer.status, answer.headers, await self._read(answer)
        except TimeoutError:
            fault = f"no answer within {self._endpoint.timeout:g} s"
        except (aiohttp.ClientError, OSError) as error:
            # only the kind: an error's own words may quote headers
            fault = f"the connection failed ({type(error).__name__})"
        raise Transient(f"endpoint {self._endpoint.alias!r}: {fault}")

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in answer.content.iter_chunked(65_536):
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise BadRequest(f"endpoint {self._endpoint.alias!r} sent an answer of more than 8 MB")
        return bytes(body)

    def _session(self) -> aiohttp.ClientSession:
        import aiohttp

        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            # the purse says how many may be in flight, so the connector does not
            session = self._sessions[loop] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=self._endpoint.timeout, sock_connect=_CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return session


class _Sayings:
    """What an endpoint's refusal becomes: an error for people, with the key struck out."""

    def __init__(self, alias: str, key: str) -> None:
        self._alias = alias
        self._key = key

    def refuse(self, status: int, headers: Mapping[str, str], body: bytes) -> NoReturn:
        """Raise what a status means."""
        where = f"endpoint {self._alias!r}"
        if status in {401, 403}:
            # its words are not quoted: they often repeat a part of the key
            raise AuthFailed(
                f"{where} refused the key (HTTP {status})", hint="check the key variable and what the key may do"
            )
        said = f"{where} answered HTTP {status}: {self.quote(body)}"
        if status == 429:
            raise RateLimited(said, retry_after=retry_after(headers.get("Retry-After"), time.time()))
        if status in {408, 409} or status >= 500:
            raise Transient(said)
        raise BadRequest(said)

    def broken(self, why: str) -> Transient:
        """Give the error of an envelope that cannot be understood."""
        return Transient(f"endpoint {self._alias!r} sent no valid answer: {why}")

    def quote(self, body: bytes) -> str:
        """Give the start of what an endpoint said, on one line, without the key."""
        error = _error(body)
        message = error.get("message")
        text = message if isinstance(message, str) else body.decode("utf-8", "replace")
        # struck out before it is cut: a cut key would not be found
        if self._key:
            text = text.replace(self._key, "[key]")
        return " ".join(_clean(text).split())[:_MAX_QUOTE] or "(nothing)"


def retry_after(value: str | None, now: float) -> float | None:
    """Give the seconds to wait that a Retry-After header asks for, as seconds or as a date; None where it says nothing.

    Args:
        value: The header's text.
        now: Seconds since the epoch, for dates.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _address(endpoint: Endpoint) -> str:
    url = endpoint.url or ""
    if not is_plain_url(url):
        # the address is not quoted: it may hold a password
        raise UsageError(
            f"the URL of endpoint {endpoint.alias!r} is not a plain http or https address",
            hint="write it as https://host/v1, without name, password or query; the key comes from the key variable",
        )
    return url.rstrip("/") + "/chat/completions"


def _key(endpoint: Endpoint) -> str:
    variable = endpoint.key_variable
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key or not key.isascii() or not key.isprintable():
        state = "holds what cannot be a key" if key else "is empty or not set"
        raise AuthFailed(
            f"endpoint {endpoint.alias!r}: the environment variable {variable} {state}", hint=f"export {variable}=..."
        )
    return key


def _body(request: Request) -> bytes:
    parameters = request.parameters
    given = {
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "max_tokens": parameters.max_tokens,
        "seed": parameters.seed,
    }
    body = {
        "model": request.model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "response_format": {"type": "json_object"},
        **{name: value for name, value in given.items() if value is not None},
    }
    return json.dumps(body).encode("ascii")


def _without_key(body: bytes, key: str) -> bytes:
    # an endpoint that echoes what it got must not bring the key into a ledger; a shorter "key" is a local server's
    # placeholder, such as EMPTY, and may be a word of the answer
    return body.replace(key.encode("ascii"), b"[key]") if len(key) >= _SECRET_LENGTH else body


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _error(body: bytes) -> dict[str, Any]:
    parsed = _parsed(body)
    error = parsed.get("error") if isinstance(parsed, dict) else None
    return error if isinstance(error, dict) else {}


def _error_code(body: bytes) -> str:
    error = _error(body)
    codes = [error.get("code"), error.get("type")]
    return next((code for code in codes if isinstance(code, str) and code in _REFUSALS), "")


def _envelope(body: bytes, says: _Sayings) -> dict[str, Any]:
    parsed = _parsed(body)
    if not isinstance(parsed, dict):
        raise says.broken("the body is not a JSON object")
    choices = parsed.get("choices")
    if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
        raise says.broken("it holds no choice")
    if not isinstance(choices[0].get("message"), dict):
        raise says.broken("its choice holds no message")
    return parsed


def _answer(request: Request, envelope: dict[str, Any], request_id: str | None) -> Response:
    choice = envelope["choices"][0]
    message = choice["message"]
    text = _clean(_text(message.get("content")))
    return Response(
        text,
        _outcome(choice.get("finish_reason"), message.get("refusal")),
        _name(envelope.get("model")),
        _name(envelope.get("system_fingerprint")),
        request_id or _name(envelope.get("id")),
        _usage(envelope.get("usage"), request.messages, text),
    )


def _refusal(request: Request, request_id: str | None) -> Response:
    usage = Usage(estimate_prompt(request.messages), 0)
    return Response("", Outcome.REFUSED, None, None, request_id, usage)


def _outcome(finish_reason: Any, refusal: Any) -> Outcome:
    if finish_reason == "content_filter" or refusal:
        return Outcome.REFUSED
    return Outcome.TRUNCATED if finish_reason == "length" else Outcome.OK


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str))


def _usage(usage: Any, messages: Sequence[Message], text: str) -> Usage:
    """Give the usage as told, estimated where the endpoint does not tell."""
    told = usage if isinstance(usage, dict) else {}
    tokens_in, tokens_out = _count(told.get("prompt_tokens")), _count(told.get("completion_tokens"))
    return Usage(
        estimate_prompt(messages) if tokens_in is None else tokens_in,
        estimate_tokens(text) if tokens_out is None else tokens_out,
    )


def _count(value: Any) -> int | None:
    # a number that no column could hold is a fault of the endpoint
    return value if type(value) is int and 0 <= value < 2**40 else None


def _name(value: Any) -> str | None:
    return _clean(value)[:_MAX_NAME] if isinstance(value, str) and value else None


def _clean(text: str) -> str:
    """Give a text without lone surrogates: they stand in no UTF-8 file."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
