"""The door's words: one question, one answer, and what a model is (one attempt, no retries).

A `Request` holds what a real model sees - messages and sampling parameters - and the names under which the answer is
kept. Lanes (ways to reach a model) are found by the entry point group `synth.models`; a checkout that was never
installed has no entry points and falls back to the two built-in lanes by their import strings, so no lane is ever
imported by this module.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.metadata
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, cast, runtime_checkable
from urllib.parse import urlsplit

from synth.errors import UsageError, nearest
from synth.records.labels import Outcome
from synth.records.schema import Message

OFFLINE: Final = "offline"
"""The reserved endpoint alias and model name of the embedded model."""

ANSWERS: Final = frozenset({Outcome.OK, Outcome.REFUSED, Outcome.TRUNCATED})
"""The outcomes that are answers: kept for ever and replayed. Everything else is an error and is asked again."""

_GROUP: Final = "synth.models"
_BUILT_IN: Final = {
    OFFLINE: "synth.offline.embedded:open_model",
    "wire": "synth.models.wire:open_model",
    "responses": "synth.models.direct:open_model",
    "batch": "synth.models.batch:open_model",
    "router": "synth.models.router:open_model",
    "local": "synth.models.local:open_model",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a person reaches a model: their own setting, never part of a recipe.

    `timeout` is in seconds, for one attempt. `terms`, `licence` and `family` are what the person states of the model: rows carry them.
    `lane` names the way to it (an entry point of `synth.models`): `wire` and `batch` and `responses` need a URL; `router` needs `provider`, a name of
    litellm's; `local` needs `folder`, where the GGUF files lie. `form` fixes the response format (schema, json, plain); empty learns it.
    """

    alias: str
    url: str | None
    revision: str
    key_variable: str | None
    timeout: float = 120.0
    terms: str = ""
    licence: str = ""
    family: str = ""
    lane: str = "wire"
    provider: str = ""
    folder: str = ""
    form: str = ""


def is_plain_url(url: str) -> bool:
    """Say whether a URL is an http or https address with a host and without name, password, query or blanks."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    extras = parts.username is not None or "?" in url or "#" in url
    whole = url.isprintable() and " " not in url
    return whole and parts.scheme in {"http", "https"} and bool(parts.hostname) and not extras


@dataclass(frozen=True, slots=True)
class Identity:
    """Which model answers, without the lane: the model's own id, the endpoint's alias and its declared revision."""

    model: str
    endpoint_alias: str
    revision: str


@dataclass(frozen=True, slots=True)
class Contract:
    """The form of answer a program asks for; the version is an integer that we own and raise by hand.

    `schema` gives the form as JSON Schema, for endpoints that take one: it helps the model and is in no key, for it is generated.
    """

    name: str
    version: int
    schema: Callable[[], Mapping[str, Any]] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Parameters:
    """Sampling parameters; None leaves the choice to the endpoint."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One question; `key` is its ledger key (32 hex)."""

    model: str
    endpoint_alias: str
    revision: str
    program: str
    contract: Contract
    messages: tuple[Message, ...]
    parameters: Parameters
    draw: int
    key: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens read and written; of those read, how many came from the provider's prompt cache."""

    tokens_in: int
    tokens_out: int
    tokens_cached: int = 0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an endpoint says that it allows of one thing a minute (requests, or tokens): the limit, and what is left of it."""

    limit: int | None = None
    left: int | None = None
    resets_in: float | None = None
    """Seconds until the whole limit is there again."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What an endpoint's headers say of its limits."""

    requests: Allowance = Allowance()
    tokens: Allowance = Allowance()


@dataclass(frozen=True, slots=True)
class Response:
    """One answer; the outcome is ok, refused or truncated, and nothing else."""

    text: str
    outcome: Outcome
    model_reported: str | None
    fingerprint: str | None
    request_id: str | None
    usage: Usage
    rates: Rates | None = field(default=None, compare=False)
    """What the endpoint said of its limits beside the answer; never kept."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A question that a provider took and will answer later, under this job id; `micro_units` is the most that it can cost."""

    job: str
    micro_units: int = field(default=0, compare=False)


class Model(Protocol):
    """One attempt at one question.

    `attempt` raises RateLimited, Transient, BadRequest or AuthFailed, and never retries by itself.
    """

    @property
    def pure(self) -> bool:
        """Whether equal messages always give equal answers, for nothing; a pure model is also a `PureModel`."""

    @property
    def name(self) -> str:
        """The name under which it was opened."""

    async def attempt(self, request: Request) -> Response | Pending:
        """Give the answer, or the job under which it will come."""

    async def close(self) -> None:
        """Give back connections."""


@runtime_checkable
class PureModel(Model, Protocol):
    """A model that computes its answer from the messages alone, at once."""

    def answer(self, request: Request) -> Response:
        """Give the answer; raises BadRequest where the messages are not for it."""


@runtime_checkable
class LaterModel(Model, Protocol):
    """A model that answers later: `attempt` gives a `Pending`, and `fetch` what has become of it."""

    async def fetch(self, request: Request, job: str) -> Response | Pending:
        """Give the answer under a job, or the job again while it is not there.

        Raises:
            JobLost: The provider ended the job without an answer; the question can be asked anew.
            BadRequest: The provider refused this question of the job for good.
            AttemptError, ProviderError: As `attempt` does; the job stands.
        """


@runtime_checkable
class LearningModel(Model, Protocol):
    """A model whose lane learns how its endpoint wants to be asked, so that the next run need not learn it again."""

    def habits(self) -> Mapping[str, str]:
        """Give what was learned, as plain names and values."""

    def recall(self, habits: Mapping[str, str]) -> None:
        """Take what an earlier run learned; what is not understood is passed over."""


Lane = Callable[[str, Mapping[str, Endpoint]], Model]
"""What an entry point of the group `synth.models` names: (model name, endpoints by alias) -> Model."""


def canonical_json(value: Any) -> bytes:
    """Give the one ASCII spelling of a JSON value: keys sorted, no spaces, no NaN; lone surrogates stay escapes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def ledger_key(
    identity: Identity,
    *,
    program: str,
    contract: Contract,
    messages: Iterable[Message],
    parameters: Parameters,
    draw: int = 0,
) -> str:
    """Give the name of a question, 32 hex of blake2b-16 over canonical JSON.

    What decides the answer is in it; transport tries, lane, URL and generated schemas never are.
    """
    question = {
        "model": identity.model,
        "endpoint": [identity.endpoint_alias, identity.revision],
        "program": program,
        "contract": contract.version,
        "messages": [[message.role, message.content] for message in messages],
        "parameters": {
            "temperature": _number(parameters.temperature),
            "top_p": _number(parameters.top_p),
            "max_tokens": parameters.max_tokens,
        },
        "seed": parameters.seed,
        "draw": draw,
    }
    return hashlib.blake2b(canonical_json(question), digest_size=16).hexdigest()


def _number(value: float | None) -> float | None:
    # 1 and 1.0 are one temperature but two JSON texts
    return None if value is None else float(value)


def make_request(
    identity: Identity,
    *,
    program: str,
    contract: Contract,
    messages: tuple[Message, ...],
    parameters: Parameters,
    draw: int = 0,
) -> Request:
    """Give the request with its key filled in."""
    key = ledger_key(identity, program=program, contract=contract, messages=messages, parameters=parameters, draw=draw)
    return Request(
        identity.model,
        identity.endpoint_alias,
        identity.revision,
        program,
        contract,
        messages,
        parameters,
        draw,
        key,
    )


def identity_of(name: str, endpoints: Mapping[str, Endpoint]) -> Identity:
    """Give what a model name stands for, the same whichever lane reaches it.

    Args:
        name: `offline`, or `<alias>/<model>` (the model's id may hold further slashes).
        endpoints: The person's endpoints by alias.

    Raises:
        UsageError: The name has neither form.
    """
    alias, slash, model = name.partition("/")
    if name == OFFLINE:
        alias, model = OFFLINE, OFFLINE
    elif not (slash and alias and model) or alias == OFFLINE:
        raise UsageError(
            f"{name!r} is not a model name",
            hint=f"write {OFFLINE!r} for the embedded model, or <alias>/<model>; aliases: {_aliases(endpoints)}",
        )
    endpoint = endpoints.get(alias)
    return Identity(model, alias, endpoint.revision if endpoint else "")


def open_model(name: str, endpoints: Mapping[str, Endpoint]) -> Model:
    """Give the model of that name.

    `offline` is the embedded model, or whatever serves it where an endpoint of that alias has a URL; `<alias>/<model>`
    goes by the lane of the alias's endpoint (over the wire to its URL unless it says otherwise), or to the lane of that
    name where there is no such endpoint.

    Raises:
        UsageError: The name has the wrong form, or nothing is known under its alias.
    """
    alias = identity_of(name, endpoints).endpoint_alias
    endpoint = endpoints.get(alias)
    if endpoint is not None and (endpoint.url is not None or endpoint.lane != "wire"):
        return _lane(endpoint.lane)(name, endpoints)
    if alias != OFFLINE and alias not in _lanes():
        raise UsageError(
            f"no endpoint with a URL has the alias {alias!r} (model {name!r})",
            hint=f"{nearest(alias, endpoints)}; add the endpoint to your settings, or use {OFFLINE!r}",
        )
    return _lane(alias)(name, endpoints)


def _aliases(endpoints: Mapping[str, Endpoint]) -> str:
    return ", ".join(sorted(endpoints)) or "none"


@functools.cache
def _lanes() -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=_GROUP)}


def _lane(name: str) -> Lane:
    """Give the lane's opener: from its entry point, else the built-in one by its import string."""
    point = _lanes().get(name)
    if point is not None:
        return cast("Lane", point.load())
    if name not in _BUILT_IN:
        raise UsageError(f"there is no lane {name!r}", hint=nearest(name, {*_BUILT_IN, *_lanes()}))
    module, _, attribute = _BUILT_IN[name].partition(":")
    return cast("Lane", getattr(importlib.import_module(module), attribute))
