"""What the lines of a batch's files say: of its input, which questions it holds; of its output, what became of each.

A file is data of a stranger: a line that cannot be read, or speaks of no question of ours, is passed over, and what it
should have told is missing. Missing is not refused: the question is asked anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from synth.errors import BadRequest, JobLost, Transient
from synth.models.base import Request, Response, canonical_json
from synth.models.direct import Said, refused
from synth.models.envelope import Complaint, read_answer, read_complaint, refusal, short_name

URL: Final = "/v1/chat/completions"
"""Where every line of a batch is sent."""

_KEY: Final = re.compile(r"[0-9a-f]{32}")


class Results:
    """What a batch's output and error files say, as lines by the key of their question; at most as many bytes as said."""

    def __init__(self, most_bytes: int) -> None:
        """Hold nothing yet; a line that does not fit any more is missing."""
        self._lines: dict[str, bytes] = {}
        self._most = most_bytes
        self.size = 0

    def add(self, line: bytes) -> None:
        """Take one line; of two that speak of one question, an answer stands, else the first."""
        stated = read_line(line)
        if stated is None or self.size + len(line) > self._most:
            return
        key: str = stated["custom_id"]
        held = self._lines.get(key)
        if held is None or (is_answer(stated) and not is_answer(read_line(held) or {})):
            self.size += len(line) - len(held or b"")
            self._lines[key] = line

    def get(self, key: str) -> dict[str, Any] | None:
        """Give what the line of a question says, or None where there is none."""
        line = self._lines.get(key)
        return read_line(line) if line is not None else None

    def keys(self) -> Iterator[str]:
        """Give the keys of the questions that have a line."""
        return iter(self._lines)


def write_line(key: str, body: Mapping[str, Any]) -> bytes:
    """Give the line that asks one question."""
    return canonical_json({"custom_id": key, "method": "POST", "url": URL, "body": body}) + b"\n"


def read_line(line: bytes) -> dict[str, Any] | None:
    """Give what a line of any of the files says, or None where it is about no question of ours."""
    try:
        stated = json.loads(line)
    except (ValueError, RecursionError):
        return None
    key = stated.get("custom_id") if isinstance(stated, dict) else None
    return stated if isinstance(key, str) and _KEY.fullmatch(key) else None


def is_answer(stated: Mapping[str, Any]) -> bool:
    """Say whether a line of an output file holds a chat completion."""
    status, body = _response(stated)
    return status == 200 and isinstance(body, dict)


def complaint_of(stated: Mapping[str, Any]) -> tuple[int, Complaint]:
    """Give the status of a line that holds no answer, zero where it was never sent, and what it complains about."""
    status, body = _response(stated)
    return status, read_complaint(_said(stated, body))


def outcome_of(request: Request, stated: Mapping[str, Any], alias: str) -> Response:
    """Give the answer that a line is.

    Raises:
        BadRequest: The provider refused this question for good.
        JobLost: It gave no answer that can be read.
    """
    status, body = _response(stated)
    if status == 200 and isinstance(body, dict):
        try:
            return read_answer(request, body, alias=alias, request_id=_request_id(stated))
        except Transient as error:
            # it stands in a file and will never read otherwise
            raise JobLost(error.message, may_be_paid=True) from None
    said = Said(status, {}, _said(stated, body))
    complaint = read_complaint(said.body)
    if not 400 <= status < 500 or status in {408, 409, 429}:
        raise JobLost(f"endpoint {alias!r} left a question of a batch unanswered ({status}): {complaint.quote()}")
    if complaint.filtered:
        return refusal(request, _request_id(stated))
    raise BadRequest(refused(alias, said).message)


def _response(stated: Mapping[str, Any]) -> tuple[int, Any]:
    response = stated.get("response")
    response = response if isinstance(response, dict) else {}
    status = response.get("status_code")
    return (status if type(status) is int else 0), response.get("body")


def _said(stated: Mapping[str, Any], body: Any) -> bytes:
    """Give the error that a line states, in its response or beside it, as a body."""
    if body is None:
        body = {"error": stated.get("error")}
    return json.dumps(body).encode("ascii")


def _request_id(stated: Mapping[str, Any]) -> str | None:
    response = stated.get("response")
    return short_name(response.get("request_id")) if isinstance(response, dict) else None
