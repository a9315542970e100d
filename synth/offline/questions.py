"""What a body of /v1/chat/completions asks: the question as a model sees it, and in which form the client wants it answered."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from synth.models.base import OFFLINE, Contract, Parameters, Request
from synth.offline.refusals import MalformedError
from synth.records.schema import Message

MAX_BODY: Final = 8 * 1024 * 1024
"""The longest body, in bytes, that is read."""

_NO_CONTRACT: Final = Contract("", 0)


@dataclass(frozen=True, slots=True)
class Question:
    """One question: `digest` names it, whatever form it is asked in."""

    request: Request
    digest: bytes
    body: Mapping[str, Any]
    form: str
    """The type of the response format: text, json_object, json_schema, or nothing."""
    form_name: str = "response_format"
    stream: bool = False
    with_usage: bool = False


def read_json(body: bytes) -> dict[str, Any]:
    """Give the JSON object of a body.

    Raises:
        MalformedError: It is no JSON, or no object.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedError("the body is not JSON") from None
    if not isinstance(value, dict):
        raise MalformedError("the body is not a JSON object")
    return value


def chat_question(body: Mapping[str, Any]) -> Question:
    """Give what a chat completion's body asks.

    Raises:
        MalformedError: A field is missing or of another type.
    """
    if body.get("n") not in (None, 1) or not isinstance(body.get("stream"), bool | None):
        raise MalformedError("`n` other than 1 is not served, and `stream` is true or false")
    messages, limit = _messages(body.get("messages")), _limit(body)
    stream_options = body.get("stream_options")
    with_usage = isinstance(stream_options, dict) and stream_options.get("include_usage") is True
    form = format_type("response_format", body.get("response_format"))
    return question(body, messages, limit, form, stream=body.get("stream") is True, with_usage=with_usage)


def question(
    body: Mapping[str, Any],
    messages: tuple[Message, ...],
    limit: int | None,
    form: str,
    *,
    form_name: str = "response_format",
    stream: bool = False,
    with_usage: bool = False,
) -> Question:
    """Give the question of messages under the sampling parameters of a body.

    Raises:
        MalformedError: The model or a parameter is missing or of another type.
    """
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise MalformedError("`model` must be a text")
    parameters = Parameters(number(body, "temperature"), number(body, "top_p"), limit, integer(body, "seed"))
    request = Request(model, OFFLINE, "", "", _NO_CONTRACT, messages, parameters, 0, "")
    return Question(request, _digest(request), body, form, form_name, stream, with_usage)


def _digest(request: Request) -> bytes:
    asked = request.parameters
    said = [[message.role, message.content] for message in request.messages]
    text = json.dumps([request.model, said, asked.temperature, asked.top_p, asked.max_tokens, asked.seed])
    return hashlib.blake2b(text.encode("ascii"), digest_size=12).digest()


def format_type(name: str, value: Any) -> str:
    """Give the type of a response format, or nothing where there is none."""
    if value is None:
        return ""
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in {"text", "json_object", "json_schema"}:
        raise MalformedError(f"`{name}.type` must be one of text, json_object, json_schema")
    return kind


def _messages(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise MalformedError("`messages` must be a list of at least one message")
    return tuple(message(f"messages[{index}]", said, {"text"}) for index, said in enumerate(value))


def message(where: str, value: Any, kinds: set[str]) -> Message:
    """Give a message whose content is a text, or a list of parts of these kinds.

    Raises:
        MalformedError: It is none; `where` says which.
    """
    role = value.get("role") if isinstance(value, dict) else None
    if not isinstance(role, str) or not role:
        raise MalformedError(f"{where}.role must be a text")
    content = value.get("content")
    if isinstance(content, list) and all(_is_text_part(part, kinds) for part in content):
        content = "".join(part["text"] for part in content)
    if not isinstance(content, str):
        raise MalformedError(f"{where}.content must be a text, or a list of text parts")
    return Message(role, content)


def _is_text_part(value: Any, kinds: set[str]) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        return False
    kind = value.get("type")
    return isinstance(kind, str) and kind in kinds


def number(body: Mapping[str, Any], name: str) -> float | None:
    """Give a finite number of a body, or None where it has none."""
    value = body.get(name)
    if value is None:
        return None
    if type(value) not in {int, float} or (isinstance(value, float) and not math.isfinite(value)):
        raise MalformedError(f"`{name}` must be a number")
    try:
        return float(value)
    except OverflowError:
        raise MalformedError(f"`{name}` is too large") from None


def integer(body: Mapping[str, Any], name: str) -> int | None:
    """Give an integer of a body, or None where it has none."""
    value = body.get(name)
    if value is not None and type(value) is not int:
        raise MalformedError(f"`{name}` must be an integer")
    return value


def _limit(body: Mapping[str, Any]) -> int | None:
    limit = integer(body, "max_tokens")
    return integer(body, "max_completion_tokens") if limit is None else limit
