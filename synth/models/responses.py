"""The Responses API's bodies: a question as it wants it, and its answer as the chat completion that it amounts to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from synth.errors import BadRequest, RateLimited, SynthError, Transient
from synth.models.base import Request
from synth.models.envelope import Complaint, clean, short_name
from synth.models.forms import Form, body_of

_FORMAT: Final = "text.format"
_FINISHED: Final = frozenset({"completed", "incomplete"})
_WAITING: Final = frozenset({"rate_limit_exceeded"})
_FAILING: Final = frozenset({"server_error", "vector_store_timeout"})


def question_of(request: Request, form: Form) -> dict[str, Any]:
    """Give the body of a question; what it leaves open is not in it, and there is no seed."""
    body = body_of(request, form)
    stated = body.pop("response_format", None)
    messages, limit = body.pop("messages"), body.pop(form.limit, None)
    if stated is not None:
        # the schema lies one level deeper in a chat completion
        body["text"] = {"format": {"type": stated["type"], **stated.get("json_schema", {})}}
    if limit is not None:
        body["max_output_tokens"] = limit
    return {**body, "input": [{**one, "content": clean(one["content"])} for one in messages], "store": False}


def as_of_completions(complaint: Complaint) -> Complaint:
    """Give a complaint in the words of the chat completions, which call the text's format the response's format."""
    message = complaint.message.replace(_FORMAT, "response_format")
    names = ("response_format" if name.startswith(_FORMAT) else name for name in complaint.names)
    return Complaint(message, tuple(names))


def as_completion(body: Mapping[str, Any], alias: str) -> dict[str, Any]:
    """Give the chat completion that an answer of the Responses API amounts to.

    Raises:
        RateLimited, Transient, BadRequest: It says that it failed.
    """
    status, output = str(body.get("status")), body.get("output")
    if status == "failed":
        raise _failure(body.get("error"), alias)
    if status not in _FINISHED or not isinstance(output, list):
        raise Transient(f"endpoint {alias!r} sent no valid answer: it is not finished", may_be_paid=True)
    parts = [part for item in output for part in _parts(item)]
    refusals = [part for part in parts if part.get("type") == "refusal"]
    return {
        "id": body.get("id"),
        "model": body.get("model"),
        "choices": [
            {
                "finish_reason": _finish(status, body.get("incomplete_details")),
                "message": {"content": [] if refusals else parts, "refusal": bool(refusals)},
            }
        ],
        "usage": _usage(body.get("usage")),
    }


def _parts(item: Any) -> list[dict[str, Any]]:
    content = item.get("content") if isinstance(item, dict) and item.get("type") == "message" else None
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _finish(status: str, details: Any) -> str:
    if status == "completed":
        return "stop"
    reason = details.get("reason") if isinstance(details, dict) else None
    return "content_filter" if reason == "content_filter" else "length"


def _usage(told: Any) -> dict[str, Any]:
    told = told if isinstance(told, dict) else {}
    return {
        "prompt_tokens": told.get("input_tokens"),
        "completion_tokens": told.get("output_tokens"),
        "prompt_tokens_details": told.get("input_tokens_details"),
    }


def _failure(error: Any, alias: str) -> SynthError:
    stated = error if isinstance(error, dict) else {}
    code, message = short_name(stated.get("code")), stated.get("message")
    complaint = Complaint(message if isinstance(message, str) else "", ())
    words = f"endpoint {alias!r} failed to answer ({code or 'no code'}): {complaint.quote()}"
    if code in _WAITING:
        return RateLimited(words)
    return Transient(words) if code is None or code in _FAILING else BadRequest(words)
