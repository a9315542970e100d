"""What an HTTP status means for a run: one judgement for every lane.

401 and 403 end the run, and so does an account that has nothing left to spend (AuthFailed); 429 waits, and so does a 503 or
529 that says how long (RateLimited); 408, 409 and every other 5xx may be sent again, and so may a question whose model, not
the question, was at fault (Transient, which says that it may be paid); a status that names what the question was put with
teaches another form (FormRefused); any other status is a question that this endpoint will never take (BadRequest). A content
filter's 400 is a refusal, which is an answer: the lanes look for it first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from synth.errors import AttemptError, AuthFailed, BadRequest, FormRefused, ProviderError, RateLimited, Transient
from synth.models.envelope import Complaint
from synth.models.forms import TEACHING
from synth.models.rates import read_rates, wait_asked

Learn = Callable[[Complaint], str]
"""Takes what an endpoint says of a question's form; gives what it does not take, or nothing (as `Forms.learn` does)."""

_BUSY: Final = frozenset({503, 529})
_AGAIN: Final = frozenset({408, 409})


def error_of(
    where: str, status: int, headers: Mapping[str, str], complaint: Complaint, learn: Learn | None = None
) -> AttemptError | ProviderError:
    """Give the error that a status other than 200 means.

    Args:
        where: Who answered, to begin a message with: `endpoint 'alias'`.
        status: The HTTP status.
        headers: The answer's headers; those of a plain dictionary in small letters.
        complaint: What the body says, without the key.
        learn: Called where nothing but the question's form can be at fault; without it nothing is learned.
    """
    if status in {401, 403}:
        return refused_key(where, status)
    said = f"{where} answered HTTP {status}: {complaint.quote()}"
    if complaint.exhausted:
        return AuthFailed(said, hint="the account has nothing left to spend: waiting does not help")
    now = time.time()
    wait = wait_asked(headers, read_rates(headers, now), now)
    if status == 429 or (status in _BUSY and wait is not None):
        return RateLimited(said, retry_after=wait)
    if status in _AGAIN or status >= 500 or complaint.misfired:
        return Transient(said, may_be_paid=complaint.misfired)
    return refused_form(said, status, complaint, learn) or BadRequest(said)


def refused_key(where: str, status: int) -> AuthFailed:
    """Give the error of a refused key, without the endpoint's words: they often repeat a part of it."""
    hint = "check the key variable and what the key may do"
    return AuthFailed(f"{where} refused the key (HTTP {status})", hint=hint)


def refused_form(said: str, status: int, complaint: Complaint, learn: Learn | None) -> FormRefused | None:
    """Give the error of a question that can be put in another form, which was learned; None where nothing was."""
    part = learn(complaint) if learn is not None and status in TEACHING else ""
    return FormRefused(f"{said} (it does not take this {part}; the next attempt asks otherwise)") if part else None
