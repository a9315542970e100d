"""The wire lane: one attempt at an OpenAI-compatible endpoint, over aiohttp.

What a status means for the run stands in `synth.models.statuses`. Here cut bodies, time-outs, broken connections and broken
envelopes may be sent again (Transient, which says where it may be paid), and a 400 whose code is content_filter is a
refusal, which is an answer. The key is read from the environment for each attempt, goes to the endpoint's own URL only
(redirects are not followed), and is struck out of whatever an endpoint says before that reaches an answer or a message.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from synth.errors import BadRequest, Transient
from synth.models.base import Endpoint, Request, Response
from synth.models.endpoints import address_of, served_endpoint_of
from synth.models.envelope import read_answer, read_body, read_complaint, refusal, short_name
from synth.models.forms import Forms, encoded
from synth.models.keys import SECRET_LENGTH, key_of, without_key
from synth.models.rates import read_rates
from synth.models.statuses import error_of

if TYPE_CHECKING:
    import aiohttp

MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
"""The longest body that is read; an endpoint that sends more is refused."""

_CONNECT_SECONDS: Final = 15.0
_REQUEST_IDS: Final = ("x-request-id", "request-id", "x-amzn-requestid")


def open_model(name: str, endpoints: Mapping[str, Endpoint]) -> WireModel:
    """Give the model of that name at its endpoint's URL.

    Raises:
        UsageError: The endpoint is unknown, or its URL is not a plain http or https address.
    """
    return WireModel(name, served_endpoint_of(name, endpoints))


class WireModel:
    """A model behind an OpenAI-compatible endpoint; one session for each running loop, opened by its first attempt."""

    pure: Final = False

    def __init__(self, name: str, endpoint: Endpoint) -> None:
        """Keep where to ask; nothing is connected yet."""
        self._address = address_of(endpoint) + "/chat/completions"
        self._endpoint = endpoint
        self._name = name
        self._forms = Forms(endpoint.form)
        self._sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession] = WeakKeyDictionary()

    @property
    def name(self) -> str:
        """The name under which it was opened."""
        return self._name

    async def attempt(self, request: Request) -> Response:
        """Ask once.

        Raises:
            RateLimited: The endpoint asks to wait.
            FormRefused: The endpoint takes the question in another form only, which was learned.
            Transient: The transport failed.
            BadRequest: The endpoint will never take this question.
            AuthFailed: The key is missing or refused.
        """
        key = key_of(self._endpoint)
        form = self._forms.form(request.contract)
        status, headers, body = await self._post(encoded(request, form), key)
        body = without_key(body, key)
        if status == 200:
            return self._answer(request, headers, body, key)
        complaint = read_complaint(body).without(key)
        if status == 400 and complaint.filtered:
            return refusal(request, _request_id(headers, key), read_rates(headers, time.time()))
        where = f"endpoint {self._endpoint.alias!r}"
        raise error_of(where, status, headers, complaint, lambda said: self._forms.learn(request, form, said))

    def habits(self) -> Mapping[str, str]:
        """Give what was learned of the form that the endpoint takes."""
        return self._forms.habits()

    def recall(self, habits: Mapping[str, str]) -> None:
        """Take what an earlier run learned; what is not understood is passed over."""
        self._forms.recall(habits)

    async def close(self) -> None:
        """Close the running loop's session."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()

    def _answer(self, request: Request, headers: Mapping[str, str], body: bytes, key: str) -> Response:
        alias = self._endpoint.alias
        response = read_answer(
            request,
            read_body(body, alias),
            alias=alias,
            request_id=_request_id(headers, key),
            rates=read_rates(headers, time.time()),
        )
        return _struck_response(response, key) if key else response

    async def _post(self, body: bytes, key: str) -> tuple[int, Mapping[str, str], bytes]:
        import aiohttp

        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        status, sent = 0, True
        try:
            async with self._session().post(self._address, data=body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
                return status, answer.headers, await self._read(answer)
        except TimeoutError as error:
            fault = f"no answer within {self._endpoint.timeout:g} s"
            sent = not isinstance(error, aiohttp.ConnectionTimeoutError)
        except aiohttp.InvalidURL:
            raise BadRequest(f"endpoint {self._endpoint.alias!r}: its URL names no host that can be asked") from None
        except (aiohttp.ClientError, OSError) as error:
            # only the kind: an error's own words may quote headers
            fault = f"the connection failed ({type(error).__name__})"
            sent = not isinstance(error, aiohttp.ClientConnectorError)
        # a question that was sent may have been answered, unless the status said that it was not
        raise Transient(f"endpoint {self._endpoint.alias!r}: {fault}", may_be_paid=sent and status in {0, 200})

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                if answer.status != 200:
                    break
                # never again: the next attempt would be as long, and as dear
                raise BadRequest(
                    f"endpoint {self._endpoint.alias!r} sent an answer of more than 8 MB", may_be_paid=True
                )
        return bytes(body)

    def _session(self) -> aiohttp.ClientSession:
        import aiohttp

        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            timeout = self._endpoint.timeout
            # the purse says how many may be in flight, so the connector does not
            session = self._sessions[loop] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=min(_CONNECT_SECONDS, timeout / 2)),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return session


def _request_id(headers: Mapping[str, str], key: str) -> str | None:
    return short_name(_struck(next((headers[name] for name in _REQUEST_IDS if name in headers), ""), key))


def _struck(text: str, key: str) -> str:
    """Give a text without the key: JSON may have spelled it with escapes, which the bytes did not show."""
    return text.replace(key, "[key]") if len(key) >= SECRET_LENGTH else text


def _struck_response(response: Response, key: str) -> Response:
    stated = (response.text, response.model_reported, response.fingerprint, response.request_id)
    if not any(text and key in text for text in stated):
        return response
    text, model, fingerprint, request_id = (one and _struck(one, key) for one in stated)
    return replace(response, text=text or "", model_reported=model, fingerprint=fingerprint, request_id=request_id)
