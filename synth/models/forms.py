"""Forms: how a question is put to an endpoint, and what its 400 teaches about that.

Endpoints differ in three ways: whether they take a JSON Schema, JSON mode or neither; what they call the longest answer;
whether they take a seed. A lane starts with the strongest form and goes one step down when an endpoint names what it does
not take. A step is never taken back, so that many questions in flight learn it once and none goes in circles.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from synth.models.base import Contract, Request
from synth.models.envelope import Complaint

RESPONSES: Final = ("schema", "json", "plain")
"""How an answer's form is asked for, from the strongest: by JSON Schema, by JSON mode, by the prompt's words alone."""

LIMITS: Final = ("max_tokens", "max_completion_tokens")
"""The names that endpoints give to the longest answer."""

TEACHING: Final = frozenset({400, 404, 415, 422})
"""The statuses that can be about a question's form."""


@dataclass(frozen=True, slots=True)
class Form:
    """How one question is put: a value of `RESPONSES`, a value of `LIMITS`, and whether a seed is sent."""

    response: str = "schema"
    limit: str = "max_tokens"
    seed: bool = True


def body_of(request: Request, form: Form) -> dict[str, Any]:
    """Give the body of a chat completion; what a question leaves open is not in it."""
    body = _question(request, form)
    if (response_format := _response_format(request.contract, form.response)) is not None:
        body["response_format"] = response_format
    return body


def encoded(request: Request, form: Form) -> bytes:
    """Give that body as bytes: UTF-8 without escapes, for scripts that escapes would double."""
    text = _ENCODER.encode(_question(request, form))
    schema = request.contract.schema if form.response == "schema" else None
    text = text[:-1] + _format_text(request.contract.name, schema, form.response) + "}"
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        # half a character can be written as an escape only
        return json.dumps(json.loads(text)).encode("ascii")


class Forms:
    """What one model's lane has learned about how its endpoint wants to be asked."""

    def __init__(self, fixed: str = "") -> None:
        """Start with the strongest form; `fixed` is a value of `RESPONSES` that nothing unlearns, or empty."""
        self._fixed = fixed in RESPONSES
        self._response = fixed if self._fixed else RESPONSES[0]
        self._limit, self._limits_left = LIMITS[0], 1
        self._seed = True

    def form(self, contract: Contract) -> Form:
        """Give the form in which a question with this contract is put; without a schema JSON mode is the strongest."""
        response = "json" if self._response == "schema" and contract.schema is None else self._response
        return Form(response, self._limit, self._seed)

    def learn(self, request: Request, form: Form, complaint: Complaint) -> str:
        """Take what an endpoint says of a question in this form; gives what it does not take, or nothing.

        A question whose form was weakened meanwhile learns nothing more, and can be put again in the form that stands.
        """
        if complaint.filtered:
            return ""
        named = _named(complaint, _sent(request, form))
        if named == "response_format":
            return named if self._weaken(form.response) else ""
        if named in LIMITS:
            return named if self._rename(named) else ""
        if named == "seed":
            self._seed = False
        return named

    def habits(self) -> dict[str, str]:
        """Give what was learned, as plain names and values; nothing where the strongest form was never refused."""
        learned = {"response": self._response} if self._response != RESPONSES[0] and not self._fixed else {}
        if self._limit != LIMITS[0]:
            learned["limit"] = self._limit
        return learned if self._seed else {**learned, "seed": "no"}

    def recall(self, habits: Mapping[str, str]) -> None:
        """Take what an earlier run learned; what is not understood, or stronger than what stands, is passed over."""
        response, limit = habits.get("response"), habits.get("limit")
        if not self._fixed and response in RESPONSES and RESPONSES.index(response) > RESPONSES.index(self._response):
            self._response = response
        if limit == LIMITS[1]:
            # it may be stale: one refusal still leads back to the other name
            self._limit = limit
        if habits.get("seed") == "no":
            self._seed = False

    def _weaken(self, used: str) -> bool:
        if RESPONSES.index(self._response) > RESPONSES.index(used):
            return True
        if self._fixed or used == RESPONSES[-1]:
            return False
        self._response = RESPONSES[RESPONSES.index(used) + 1]
        return True

    def _rename(self, used: str) -> bool:
        if self._limit != used:
            return True
        if not self._limits_left:
            return False
        self._limits_left -= 1
        self._limit = LIMITS[1 - LIMITS.index(used)]
        return True


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")

_RESPONSE: Final = re.compile(
    r"response[_ ]?format|json[_ ]schema|json[_ ]object|json[_ ]mode|guided[_ ](?:decoding|json|grammar)|structured[_ ]outputs?",
    re.IGNORECASE,
)
_REFUSED: Final = r"(?:un|not |n't )(?:supported|recogni[sz]ed|known|expected|permitted|allowed|support)|extra|invalid (?:param|arg|field)"
_ABOUT_SEED: Final = re.compile(
    rf"[\"'`]seed[\"'`]|\bseed\b.{{0,60}}?(?:{_REFUSED})|(?:{_REFUSED}).{{0,60}}?\bseed\b", re.IGNORECASE
)
_ABOUT_VALUE: Final = re.compile(
    r"too (?:large|big|high|small|low|long)|at (?:most|least)|maximum|minimum|exceed|(?:less|greater|more|larger) than|context (?:length|window)",
    re.IGNORECASE,
)
"""Words about how large a limit is: its name is taken then, and another name would not help."""


def _question(request: Request, form: Form) -> dict[str, Any]:
    """Give the body without the response format."""
    parameters = request.parameters
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
    }
    if parameters.temperature is not None:
        body["temperature"] = parameters.temperature
    if parameters.top_p is not None:
        body["top_p"] = parameters.top_p
    if parameters.max_tokens is not None:
        body[form.limit] = parameters.max_tokens
    if form.seed and parameters.seed is not None:
        body["seed"] = parameters.seed
    return body


def _response_format(contract: Contract, response: str) -> dict[str, Any] | None:
    """Give the response format; strict only where the schema is within what strict mode takes."""
    if response == "plain":
        return None
    if response == "json" or contract.schema is None:
        return {"type": "json_object"}
    schema = contract.schema()
    stated = {"name": _UNSAFE.sub("_", contract.name)[:64] or "answer", "strict": is_strict(schema), "schema": schema}
    return {"type": "json_schema", "json_schema": stated}


@functools.lru_cache(maxsize=64)
def _format_text(name: str, schema: Callable[[], Mapping[str, Any]] | None, response: str) -> str:
    """Give the member of a body that states the response format, written once for all questions of a contract."""
    stated = _response_format(Contract(name, 0, schema), response)
    return "" if stated is None else f',"response_format":{_ENCODER.encode(stated)}'


_STRICT_WORDS: Final = frozenset(
    {"$defs", "$ref", "additionalProperties", "anyOf", "const", "enum", "items", "properties", "required", "type"}
)


def is_strict(schema: Any) -> bool:
    """Say whether a JSON Schema keeps to the strict subset: closed objects, all members required, shape only.

    Bounds (the longest text, the smallest number) are left out on purpose: providers differ in which of them they take.
    """
    if not isinstance(schema, Mapping) or not _STRICT_WORDS.issuperset(schema):
        return False
    members = schema.get("properties", {})
    if "properties" in schema or schema.get("type") == "object":
        closed = schema.get("additionalProperties") is False
        if not closed or sorted(schema.get("required", ())) != sorted(members):
            return False
    inner = [*members.values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", ())]
    return all(map(is_strict, [*inner, schema["items"]] if "items" in schema else inner))


def _sent(request: Request, form: Form) -> tuple[str, ...]:
    """Give what a question's body held of that which an endpoint may not take."""
    parameters = request.parameters
    sent = () if form.response == "plain" else ("response_format",)
    sent = sent if parameters.max_tokens is None else (*sent, form.limit)
    return (*sent, "seed") if form.seed and parameters.seed is not None else sent


def _named(complaint: Complaint, sent: tuple[str, ...]) -> str:
    """Give which of the things sent a complaint is about, by its names first and then by its words."""
    message = complaint.message[:_MOST_WORDS]
    about_value = _ABOUT_VALUE.search(message) is not None
    for part in sent:
        if part in complaint.names and not (part in LIMITS and about_value):
            return part
    words = " ".join((message, *complaint.names))
    return next((part for part in sent if _speaks_of(words, part) and not (part in LIMITS and about_value)), "")


def _speaks_of(words: str, part: str) -> bool:
    if part == "response_format":
        return bool(_RESPONSE.search(words))
    if part == "seed":
        return bool(_ABOUT_SEED.search(words))
    return re.search(rf"\b{part}\b", words) is not None


_MOST_WORDS: Final = 2000
"""How much of a complaint is read: it may repeat the whole question."""
