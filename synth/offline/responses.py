"""OpenAI's Responses API, not streamed: what a body of /v1/responses asks, and the same answer in that shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from synth.models.base import Usage
from synth.offline.completions import Reply
from synth.offline.questions import Question, format_type, integer, message, question
from synth.offline.refusals import MalformedError
from synth.records.labels import Outcome
from synth.records.schema import Message

_PARTS: Final = {"input_text", "output_text"}
_REASONS: Final = {Outcome.TRUNCATED: "max_output_tokens", Outcome.REFUSED: "content_filter"}


def responses_question(body: Mapping[str, Any]) -> Question:
    """Give what a body of the Responses API asks: the same question as a chat completion of these messages.

    Raises:
        MalformedError: A field is missing or of another type, or a stream is asked for.
    """
    if body.get("stream"):
        raise MalformedError("`stream` is not served by /v1/responses; /v1/chat/completions streams")
    text = body.get("text")
    if text is not None and not isinstance(text, dict):
        raise MalformedError("`text` must be an object")
    form = format_type("text.format", (text or {}).get("format"))
    messages = (*_instructions(body.get("instructions")), *_input(body.get("input")))
    return question(body, messages, integer(body, "max_output_tokens"), form, form_name="text.format")


def _instructions(value: Any) -> tuple[Message, ...]:
    if value is None:
        return ()
    if not isinstance(value, str):
        raise MalformedError("`instructions` must be a text")
    return (Message("system", value),)


def _input(value: Any) -> tuple[Message, ...]:
    if isinstance(value, str):
        return (Message("user", value),)
    if not isinstance(value, list) or not value:
        raise MalformedError("`input` must be a text, or a list of at least one message")
    return tuple(message(f"input[{index}]", said, _PARTS) for index, said in enumerate(value))


def response_body(reply: Reply) -> dict[str, Any]:
    """Give an answer in the shape of the Responses API."""
    asked = reply.question.body
    refused = reply.refusal is not None
    reason = None if refused else _REASONS.get(reply.outcome)
    status = "incomplete" if reason else "completed"
    return {
        "id": f"resp_{reply.id}",
        "object": "response",
        "created_at": 0,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "instructions": asked.get("instructions"),
        "max_output_tokens": asked.get("max_output_tokens"),
        "model": reply.model,
        "output": [_message(reply, status)],
        "parallel_tool_calls": False,
        "temperature": asked.get("temperature"),
        "text": asked.get("text") or {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": asked.get("top_p"),
        "usage": _usage(reply.usage),
        "metadata": {},
    }


def _message(reply: Reply, status: str) -> dict[str, Any]:
    said: dict[str, Any] = {"type": "output_text", "text": reply.text, "annotations": []}
    if reply.refusal is not None:
        said = {"type": "refusal", "refusal": reply.refusal}
    return {"type": "message", "id": f"msg_{reply.id}", "status": status, "role": "assistant", "content": [said]}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.tokens_in,
        "input_tokens_details": {"cached_tokens": usage.tokens_cached, "cache_write_tokens": 0},
        "output_tokens": usage.tokens_out,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.tokens_in + usage.tokens_out,
    }
