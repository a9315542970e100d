"""Every error that synth raises on purpose, in one tree.

SynthError
├── UsageError                exit 2: what was asked for cannot be done as asked
│   ├── ContentError          a content file breaks a rule (file:line:column)
│   ├── RecipeError           a recipe breaks a rule, or asks for what the content has not
│   └── IdentityError         a build folder belongs to another line, seed or schema
├── ProviderError             exit 4: an endpoint ends the run
│   ├── AuthFailed            the key is missing or refused
│   └── BreakerOpen           one endpoint refused twenty requests in a row
├── AttemptError              one attempt at one question failed; `ask` decides what follows
│   ├── RateLimited           wait, then try again (retry_after in seconds, if told)
│   ├── Transient             the transport failed; try again
│   │   ├── FormRefused       the endpoint takes the question in another form only; the lane has learned it
│   │   └── JobLost           a provider ended a job without an answer; the question is asked anew
│   └── BadRequest            the endpoint will never take this question
├── IncompleteError           exit 3: budget, deadline or a pending job stopped the run
├── FaultError                exit 1: a gate, check or verification found faults
├── StorageError              exit 74: the disk did not take or give what it should
│   └── DamagedError          exit 1 from `verify`: a file is not what its record says
└── LockedError               exit 75: another process works in this folder

A message says what happened, where, which values are valid and what to do. No message holds a key.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "AttemptError",
    "AuthFailed",
    "BadRequest",
    "BreakerOpen",
    "ContentError",
    "DamagedError",
    "FaultError",
    "FormRefused",
    "IdentityError",
    "IncompleteError",
    "JobLost",
    "LockedError",
    "Place",
    "ProviderError",
    "RateLimited",
    "RecipeError",
    "StorageError",
    "SynthError",
    "Transient",
    "UsageError",
    "nearest",
]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something stands: line and column count from one, zero where unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


class SynthError(Exception):
    """The root: catch it to catch everything that synth raises on purpose."""

    exit_code = 1

    def __init__(self, message: str, *, place: Place | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text}\n  {self.hint}" if self.hint else text


class UsageError(SynthError):
    """What was asked for cannot be done as asked."""

    exit_code = 2


class ContentError(UsageError):
    """A content file breaks a rule."""


class RecipeError(UsageError):
    """A recipe breaks a rule, or asks for what the content has not."""


class IdentityError(UsageError):
    """A build folder belongs to another line, seed or schema."""


class ProviderError(SynthError):
    """An endpoint ends the run."""

    exit_code = 4


class AuthFailed(ProviderError):
    """The key of an endpoint is missing or refused."""


class BreakerOpen(ProviderError):
    """One endpoint refused so many requests in a row that going on would only waste them."""


class AttemptError(SynthError):
    """One attempt at one question failed; `ask` decides what follows. `may_be_paid`: the endpoint may have answered, and charged, before it failed."""

    exit_code = 4

    def __init__(self, message: str, *, may_be_paid: bool = False) -> None:
        super().__init__(message)
        self.may_be_paid = may_be_paid


class RateLimited(AttemptError):
    """The endpoint asks to wait; `retry_after` is in seconds, None where it did not say."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Transient(AttemptError):
    """The transport failed; the same question may be sent again."""


class FormRefused(Transient):
    """The endpoint does not take this form of question (a JSON schema, say); the lane has learned it, so the question can be sent again at once."""


class JobLost(Transient):
    """A provider ended a job without an answer (it expired, or was cancelled); the question can be asked anew."""


class BadRequest(AttemptError):
    """The endpoint will never take this question as it stands."""


class IncompleteError(SynthError):
    """A budget, a deadline or a pending job stopped the run; running again goes on."""

    exit_code = 3


class FaultError(SynthError):
    """A gate, a check or a verification found faults."""

    exit_code = 1


class StorageError(SynthError):
    """The disk did not take or give what it should."""

    exit_code = 74


class DamagedError(StorageError):
    """A file is not what its commit record says it is."""

    exit_code = 1


class LockedError(SynthError):
    """Another process works in this folder."""

    exit_code = 75


def nearest(word: str, valid: Iterable[str]) -> str:
    """Give a sentence that lists the valid values and names the one nearest to `word`."""
    values = sorted(valid)
    close = difflib.get_close_matches(word, values, n=1, cutoff=0.6)
    listed = ", ".join(values[:24]) + (f", and {len(values) - 24} more" if len(values) > 24 else "")
    guess = f"did you mean {close[0]!r}? " if close else ""
    return f"{guess}valid: {listed}" if values else f"{guess}there are none"
