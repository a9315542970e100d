"""The envelope: what an OpenAI-compatible endpoint's body says, as a Response or as the complaint that it is.

A body is data of a stranger: whatever it holds, it becomes an answer, a typed error or a complaint, never a crash.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from synth.errors import Transient
from synth.models.base import Rates, Request, Response, Usage
from synth.models.tokens import estimate_prompt, estimate_tokens
from synth.records.labels import Outcome
from synth.records.schema import Message

MAX_QUOTE: Final = 300
"""How much of an endpoint's words a message repeats, in code points."""

_MOST_WORDS: Final = 4000
_MAX_NAME: Final = 200
_MAX_COUNT: Final = 2**40
_MAX_DETAILS: Final = 8
_EXHAUSTED: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_MISFIRED: Final = "json_validate_failed"
_REFUSALS: Final = frozenset({"content_filter", "content_policy_violation"})


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an error body says: its words, and the names in it that are meant for programs (param, code, type, place)."""

    message: str
    names: tuple[str, ...]

    @property
    def filtered(self) -> bool:
        """Whether a content filter stopped the question, which is an answer and not a fault of its form."""
        return not _REFUSALS.isdisjoint(self.names)

    @property
    def misfired(self) -> bool:
        """Whether the model, not the question, was at fault: it wrote what was not the JSON asked for (Groq answers 400)."""
        return _MISFIRED in self.names

    @property
    def exhausted(self) -> bool:
        """Whether the account has nothing left to spend, which is said with HTTP 429 and is no rate limit."""
        return not _EXHAUSTED.isdisjoint(self.names)

    def without(self, key: str) -> Complaint:
        """Give it with a key struck out; before it is quoted, because half a key would not be found."""
        return replace(self, message=self.message.replace(key, "[key]")) if key else self

    def quote(self) -> str:
        """Give the start of its words, on one line."""
        return " ".join(clean(self.message[:_MOST_WORDS]).split())[:MAX_QUOTE] or "(nothing)"


def read_body(body: bytes, alias: str) -> dict[str, Any]:
    """Give the JSON object of a body that came with status 200.

    Raises:
        Transient: It is none; the endpoint may have charged for it.
    """
    envelope = _parsed(body)
    if not isinstance(envelope, dict):
        raise _broken(alias, "the body is not a JSON object")
    return envelope


def read_answer(
    request: Request,
    envelope: dict[str, Any],
    *,
    alias: str,
    request_id: str | None = None,
    rates: Rates | None = None,
) -> Response:
    """Give the answer of a chat completion: of a call, or of a line of a batch.

    Args:
        request: What was asked; its prompt is counted where the endpoint tells no usage.
        envelope: The chat completion, parsed.
        alias: The endpoint, for messages.
        request_id: The id of the call's headers; without one the envelope's id stands.
        rates: What the headers said of limits.

    Raises:
        Transient: It is no valid envelope; the endpoint may have charged for it.
    """
    choice = _choice(envelope, alias)
    message = choice["message"]
    text = clean(_text(message.get("content")))
    return Response(
        text,
        _outcome(choice.get("finish_reason"), message.get("refusal")),
        short_name(envelope.get("model")),
        short_name(envelope.get("system_fingerprint")),
        request_id or short_name(envelope.get("id")),
        _usage(envelope.get("usage"), request.messages, text),
        rates,
    )


def refusal(request: Request, request_id: str | None, rates: Rates | None = None) -> Response:
    """Give the answer that a content filter's 400 is: a refusal without a text."""
    return Response("", Outcome.REFUSED, None, None, request_id, Usage(estimate_prompt(request.messages), 0), rates)


def read_complaint(body: bytes) -> Complaint:
    """Give what an error body says, in whichever of the usual shapes; a body in none of them is its own words.

    Shapes: `{"error": {"message", "param", "code", "type"}}` (OpenAI), `{"error": "..."}`, `{"message": ...}` (vLLM),
    `{"detail": "..."}` and `{"detail": [{"loc", "msg"}]}` (FastAPI).
    """
    parsed = _parsed(body)
    stated = parsed if isinstance(parsed, dict) else {}
    error = stated.get("error", stated)
    words, names = (error, []) if isinstance(error, str) else _stated(error)
    details = stated.get("detail")
    for detail in details[:_MAX_DETAILS] if isinstance(details, list) else [details]:
        more, named = (detail, []) if isinstance(detail, str) else _stated(detail)
        words = f"{words} {more}".strip()
        names += named
    return Complaint(words or body.decode("utf-8", "replace"), tuple(names))


def short_name(value: Any) -> str | None:
    """Give a name that an endpoint states, cut to what a column holds; None where it states none."""
    return clean(value)[:_MAX_NAME] if isinstance(value, str) and value else None


def clean(text: str) -> str:
    """Give a text without lone surrogates: they stand in no UTF-8 file."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _stated(error: Any) -> tuple[str, list[str]]:
    """Give the words of one error object, and the names in it."""
    if not isinstance(error, dict):
        return "", []
    words = next((error[name] for name in ("message", "msg") if isinstance(error.get(name), str)), "")
    return words, list(_names(error))


def _names(error: dict[str, Any]) -> Iterator[str]:
    for name in ("param", "code", "type"):
        if isinstance(error.get(name), str):
            yield error[name][:_MAX_NAME]
    place = error.get("loc")
    parts = place[:_MAX_DETAILS] if isinstance(place, list) else []
    yield from (part[:_MAX_NAME] for part in parts if isinstance(part, str))


def _broken(alias: str, why: str) -> Transient:
    return Transient(f"endpoint {alias!r} sent no valid answer: {why}", may_be_paid=True)


def _choice(envelope: dict[str, Any], alias: str) -> dict[str, Any]:
    choices = envelope.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        raise _broken(alias, "it holds no choice")
    if choice.get("finish_reason") == "error":
        # routers answer 200 and say in the choice that the provider behind them broke off
        raise _broken(alias, "its choice ended with an error")
    if not isinstance(choice.get("message"), dict):
        raise _broken(alias, "its choice holds no message")
    return choice


def _outcome(finish_reason: Any, refused: Any) -> Outcome:
    if finish_reason == "content_filter" or refused:
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
    tokens_in = estimate_prompt(messages) if tokens_in is None else tokens_in
    tokens_out = estimate_tokens(text) if tokens_out is None else tokens_out
    return Usage(tokens_in, tokens_out, min(_cached(told), tokens_in))


def _cached(told: dict[str, Any]) -> int:
    """Give the tokens read from the provider's prompt cache: OpenAI states them in the details, DeepSeek beside them."""
    details = told.get("prompt_tokens_details")
    stated = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return (_count(told.get("prompt_cache_hit_tokens")) if stated is None else stated) or 0


def _count(value: Any) -> int | None:
    # a number that no column could hold is a fault of the endpoint
    return value if type(value) is int and 0 <= value < _MAX_COUNT else None
