"""The router lane: one attempt at any provider that litellm knows, under the name that litellm has for it.

The key is passed with each question. An endpoint that names no key variable asks with none: only the clouds whose
credentials belong to the machine (`AMBIENT`) find them by themselves, so that no key of the environment goes where nobody
sent it. litellm's retries, cache, call-backs, logs and fetches are off, and so is what no setting of its turns off.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
import os
import re
import sys
import threading
import time
import warnings
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final

from synth.errors import BadRequest, UsageError, nearest
from synth.models.base import Endpoint, Request, Response, identity_of
from synth.models.endpoints import address_of, endpoint_of
from synth.models.envelope import read_answer, refusal, short_name
from synth.models.forms import Form, Forms, body_of
from synth.models.keys import keep_from_logs, key_of
from synth.models.rates import read_rates
from synth.models.router_failures import Failure, cleared, failure_of, refused
from synth.models.wire import MAX_ANSWER_BYTES

AMBIENT: Final = frozenset(
    {"bedrock", "bedrock_mantle", "sagemaker", "sagemaker_chat", "sagemaker_nova", "vertex_ai", "vertex_ai_beta"}
)
"""Providers whose credentials belong to the machine or the account: asked without a key, litellm finds them."""

_NO_KEY: Final = "none"
"""Sent where an endpoint has a URL and no key variable: with nothing, litellm would look for a key in the environment."""

_PROVIDER: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
_MODEL: Final = re.compile(r"[A-Za-z0-9@][A-Za-z0-9_.:/@+=-]*")
_OFF: Final = {"num_retries": 0, "max_retries": 0, "drop_params": False, "caching": False, "no-log": True}
_LOGGERS: Final = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")
_OPENING: Final = threading.Lock()
_ASKING: Final[ContextVar[bool]] = ContextVar("synth-asks-by-litellm", default=False)


def open_model(name: str, endpoints: Mapping[str, Endpoint]) -> RouterModel:
    """Give the model of that name at its endpoint's provider.

    Raises:
        UsageError: The endpoint is unknown, names no provider, has no plain URL, or has neither key nor URL where one is needed;
            or the model is no name but an address.
    """
    endpoint = endpoint_of(name, endpoints)
    _check(endpoint)
    _check_model(identity_of(name, endpoints).model)
    return RouterModel(name, endpoint)


class RouterModel:
    """A model behind a provider of litellm's; its clients are litellm's own, one set for each running loop."""

    pure: Final = False

    def __init__(self, name: str, endpoint: Endpoint) -> None:
        """Keep whom to ask; nothing is imported or connected yet."""
        self._name = name
        self._endpoint = endpoint
        self._forms = Forms(endpoint.form)
        self._looked_up: set[str] = set()

    @property
    def name(self) -> str:
        """The name under which it was opened."""
        return self._name

    async def attempt(self, request: Request) -> Response:
        """Ask once.

        Raises:
            RateLimited: The provider asks to wait.
            Transient: The transport failed (FormRefused: the next question is put in a form that the provider takes).
            BadRequest: The provider, or litellm for it, will never take this question.
            AuthFailed: The key is missing or refused.
            UsageError: litellm does not know the provider, or needs a package that is not installed.
        """
        key = key_of(self._endpoint)
        litellm = await asyncio.to_thread(_opened_once)
        keep_from_logs(key)
        self._look_up(litellm, request.model)
        form = self._forms.form(request.contract)
        completion, failure = await self._asked(litellm, self._question(request, form, key), key)
        if failure is None:
            return _answer(request, completion, self._endpoint.alias, key)
        # raised out here, so that litellm's error - which may quote the key - is not chained to ours
        return self._failed(request, form, failure)

    def habits(self) -> Mapping[str, str]:
        """Give what was learned of the provider, as plain names and values."""
        return self._forms.habits()

    def recall(self, habits: Mapping[str, str]) -> None:
        """Take what an earlier run learned of the provider."""
        self._forms.recall(habits)

    async def close(self) -> None:
        """Close litellm's clients of the running loop."""
        if _opened.cache_info().currsize:
            await _close_clients(_opened())

    def _look_up(self, litellm: Any, model: str) -> None:
        """Start from what litellm says that the model takes, once for each model."""
        if model in self._looked_up:
            return
        provider = self._endpoint.provider
        if provider not in (known := {str(getattr(one, "value", one)) for one in litellm.provider_list}):
            raise UsageError(
                f"endpoint {self._endpoint.alias!r}: litellm has no provider {provider!r}",
                hint=nearest(provider, known),
            )
        self._forms.recall(_habits_of(litellm, provider, model))
        self._looked_up.add(model)

    async def _asked(self, litellm: Any, question: Mapping[str, Any], key: str) -> tuple[Any, Failure | None]:
        """Give litellm's completion, or what is known of its failure."""
        _quiet()
        asking = _ASKING.set(True)
        try:
            async with asyncio.timeout(self._endpoint.timeout):
                return await litellm.acompletion(**question), None
        except Exception as error:  # noqa: BLE001 (providers fail in whatever way their libraries do)
            return None, failure_of(error, key)
        finally:
            _ASKING.reset(asking)

    def _question(self, request: Request, form: Form, key: str) -> dict[str, Any]:
        endpoint = self._endpoint
        question = body_of(request, form) | _OFF
        question["model"] = f"{endpoint.provider}/{request.model}"
        question["timeout"] = endpoint.timeout
        question["api_key"] = key or (None if endpoint.provider in AMBIENT else _NO_KEY)
        if endpoint.url is not None:
            question["api_base"] = endpoint.url
        return question

    def _failed(self, request: Request, form: Form, failure: Failure) -> Response:
        """Give the refusal that a failure is, else raise what it means."""
        where = f"endpoint {self._endpoint.alias!r}"
        if failure.missing:
            hint = "install what it names, beside this package"
            raise UsageError(f"{where}: litellm lacks a package for it: {failure.complaint.quote()}", hint=hint)
        if failure.filtered:
            return refusal(request, failure.request_id, read_rates(failure.headers, time.time()))
        raise refused(where, failure, lambda complaint: self._forms.learn(request, form, complaint))


def _check(endpoint: Endpoint) -> None:
    where = f"endpoint {endpoint.alias!r} of the lane router"
    if not _PROVIDER.fullmatch(endpoint.provider):
        raise UsageError(
            f"{where} names no provider", hint="provider: a name of litellm's, such as anthropic, gemini or bedrock"
        )
    if endpoint.url is not None:
        address_of(endpoint)
    if endpoint.key_variable is None and endpoint.url is None and endpoint.provider not in AMBIENT:
        raise UsageError(
            f"{where} has neither a key nor a URL: no key is looked for in the environment unasked",
            hint="key: the name of the variable that holds the provider's key; a server of your own needs its url only",
        )


def _check_model(model: str) -> None:
    """Refuse a model that is an address: some of litellm's providers would send the key there, and a recipe names the model."""
    if not _MODEL.fullmatch(model) or "//" in model or ".." in model.split("/"):
        raise UsageError(
            f"{model!r} is no name of a model",
            hint="letters, digits and - _ . : / @ + =, and no address, such as org/name",
        )


def _answer(request: Request, completion: Any, alias: str, key: str) -> Response:
    envelope = cleared(completion.model_dump(warnings=False), key)
    headers = cleared(_headers(completion), key)
    for choice in envelope.get("choices") or ():
        message = choice.get("message") or {}
        # litellm keeps what it has no place for beside the message
        message.setdefault("refusal", (message.get("provider_specific_fields") or {}).get("refusal"))
    request_id = short_name(headers.get("x-request-id") or headers.get("request-id"))
    rates = read_rates(headers, time.time())
    answer = read_answer(request, envelope, alias=alias, request_id=request_id, rates=rates)
    if len(answer.text.encode("utf-8")) > MAX_ANSWER_BYTES:
        raise BadRequest(f"endpoint {alias!r} sent an answer of more than 8 MB", may_be_paid=True)
    return answer


def _headers(completion: Any) -> dict[str, str]:
    """Give the headers of the provider's answer, which litellm keeps under names of its own."""
    kept = (getattr(completion, "_hidden_params", None) or {}).get("additional_headers") or {}
    return {str(name).removeprefix("llm_provider-"): str(value) for name, value in kept.items()}


def _habits_of(litellm: Any, provider: str, model: str) -> dict[str, str]:
    """Give in which form litellm can put a question to a model: what it leaves out, nobody has to learn by a refusal."""
    with contextlib.suppress(Exception):
        takes = litellm.get_supported_openai_params(model=model, custom_llm_provider=provider) or []
        schema = litellm.supports_response_schema(model=model, custom_llm_provider=provider)
        response = "plain" if "response_format" not in takes else "schema" if schema else "json"
        return {"response": response} | ({} if "seed" in takes else {"seed": "no"})
    return {"response": "plain"}


def _opened_once() -> Any:
    # two threads at once would both find the cache empty
    with _OPENING:
        return _opened()


@functools.cache
def _opened() -> Any:
    """Give litellm, imported so that it fetches nothing, reads no .env file and prints nothing."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["LITELLM_MODE"] = "PRODUCTION"
    _quiet()
    import litellm
    from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

    litellm.suppress_debug_info = True
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    _hold_back(AsyncHTTPHandler)
    return litellm


def _hold_back(handler: Any) -> None:
    """Make litellm's HTTP handler send our questions once and to their address only; others' go as they went.

    It sends a question again where a connection breaks, paid or not, and follows redirects with headers that hold keys; no
    setting of litellm's turns either off.
    """
    again, transport = handler.single_connection_post_request, handler.create_async_transport

    async def send_again(self: Any, *given: Any, **named: Any) -> Any:
        if _ASKING.get() and (fault := sys.exc_info()[1]) is not None:
            raise fault
        return await again(self, *given, **named)

    def create_transport(*given: Any, **named: Any) -> Any:
        made = transport(*given, **named)
        if _ASKING.get() and made is not None:
            made.handle_async_request = _to_its_address(made.handle_async_request)
        return made

    handler.single_connection_post_request = send_again
    handler.create_async_transport = staticmethod(create_transport)


def _to_its_address(send: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    async def sent(request: Any) -> Any:
        answer = await send(request)
        # without it the answer is no redirect, only a status that nobody wanted
        answer.headers.pop("location", None)
        return answer

    return sent


def _quiet() -> None:
    """Keep litellm's warnings from the person; set for good, for what runs beside an attempt must not undo it."""
    warnings.filterwarnings("ignore", module=r"litellm(\.|$)")
    warnings.filterwarnings("ignore", message=r"(?s)Pydantic serializer warnings")
    # litellm says so itself, but once, when it is imported, and whoever resets the filters takes that back
    warnings.filterwarnings("ignore", message=r".*`ReadOnly` qualifier")


async def _close_clients(litellm: Any) -> None:
    cache = litellm.in_memory_llm_clients_cache
    mine = f"-{id(asyncio.get_running_loop())}"
    for name in [name for name in cache.cache_dict if name.endswith(mine)]:
        client = cache.cache_dict[name]
        cache.delete_cache(name)
        with contextlib.suppress(Exception):
            closing = (getattr(client, "aclose", None) or client.close)()
            if inspect.isawaitable(closing):
                await closing
