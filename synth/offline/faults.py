"""Faults that a rehearsal asks for: their names and rates, and which question meets which.

A draw is a digest of (seed, fault, question), for faults of the transport also of how many times the question was asked: no clock and no order decides,
so a retry can pass, and a run that is repeated meets the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Final, Self

from synth.errors import UsageError, nearest

TRANSPORT: Final[tuple[str, ...]] = (
    "rate-limit",
    "rate-limit-date",
    "rate-limit-ms",
    "rate-limit-long",
    "unauthorised",
    "server-error",
    "reset",
)
"""Met instead of an answer, drawn anew at each asking."""

BODY: Final[tuple[str, ...]] = ("stalled-body", "cut-body")
"""Met while an answer is sent, drawn anew at each asking."""

QUESTION: Final[tuple[str, ...]] = ("content-filter", "bad-parameter")
"""Met instead of an answer, at every asking of the question."""

ANSWER: Final[tuple[str, ...]] = (
    "cut-json",
    "wrong-json",
    "wrong-schema",
    "wrong-language",
    "refusal",
    "empty",
    "huge",
    "surrogate",
    "nan",
    "deep",
    "wrong-label",
    "wrong-span",
    "duplicate",
    "truncated",
    "wrong-length",
    "no-cues",
    "yes-saying",
    "no-saying",
)
"""What becomes of an answer's text, at every asking of the question."""

NAMES: Final[tuple[str, ...]] = (*TRANSPORT, *BODY, *QUESTION, *ANSWER)
"""Every fault. Where one question draws several of a group, it meets the first of them in this order."""

_WHOLE: Final = 2**64


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The share of questions, in [0, 1], that meets each fault; `cut_json` is the fault `cut-json`.

    Raises:
        UsageError: A rate is not in [0, 1].
    """

    rate_limit: float = 0.0
    rate_limit_date: float = 0.0
    rate_limit_ms: float = 0.0
    rate_limit_long: float = 0.0
    unauthorised: float = 0.0
    server_error: float = 0.0
    reset: float = 0.0
    stalled_body: float = 0.0
    cut_body: float = 0.0
    content_filter: float = 0.0
    bad_parameter: float = 0.0
    cut_json: float = 0.0
    wrong_json: float = 0.0
    wrong_schema: float = 0.0
    wrong_language: float = 0.0
    refusal: float = 0.0
    empty: float = 0.0
    huge: float = 0.0
    surrogate: float = 0.0
    nan: float = 0.0
    deep: float = 0.0
    wrong_label: float = 0.0
    wrong_span: float = 0.0
    duplicate: float = 0.0
    truncated: float = 0.0
    wrong_length: float = 0.0
    no_cues: float = 0.0
    yes_saying: float = 0.0
    no_saying: float = 0.0

    def __post_init__(self) -> None:
        """Hold every rate to [0, 1]."""
        for field in fields(self):
            _checked(_spelled(field.name), getattr(self, field.name))

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Give the faults that `NAME=RATE` texts ask for; of a name that is given twice the last counts.

        Raises:
            UsageError: A text has another form, its name is no fault, or its rate is not in [0, 1].
        """
        rates = dict(map(parse_fault, texts))
        return cls(**{name.replace("-", "_"): rate for name, rate in rates.items()})

    def rate(self, name: str) -> float:
        """Give the rate of a fault by its name."""
        return float(getattr(self, name.replace("-", "_")))


def parse_fault(text: str) -> tuple[str, float]:
    """Give the name and the rate that `NAME=RATE` says.

    Raises:
        UsageError: It has another form, the name is no fault, or the rate is not in [0, 1].
    """
    name, equals, rate = text.partition("=")
    if name not in NAMES:
        raise UsageError(f"{name!r} is no fault", hint=f"{_listed(name)}; write NAME=RATE, such as rate-limit=0.02")
    if not equals:
        raise UsageError(f"fault {name!r} has no rate", hint=f"write {name}=RATE, a share from 0 to 1: {name}=0.02")
    try:
        share = float(rate)
    except ValueError:
        raise _no_rate(name, rate) from None
    return name, _checked(name, share, rate)


def _listed(name: str) -> str:
    # `nearest` stops its list at 24, and there are more
    guess, _, _ = nearest(name, NAMES).rpartition("valid: ")
    return f"{guess}valid: {', '.join(sorted(NAMES))}"


def _spelled(field: str) -> str:
    return field.replace("_", "-")


def _checked(name: str, rate: float, written: str = "") -> float:
    if not 0 <= rate <= 1:  # false for NaN too
        raise _no_rate(name, written or str(rate))
    return rate


def _no_rate(name: str, rate: str) -> UsageError:
    return UsageError(
        f"fault {name!r}: {rate!r} is no rate", hint=f"write a share of the questions from 0 to 1: {name}=0.02"
    )


class Draws:
    """Which question meets which fault."""

    def __init__(self, faults: Faults, seed: int = 0) -> None:
        """Keep the rates; equal faults and seeds draw alike."""
        self._seed = seed
        self._groups = {group: self._asked_for(faults, group) for group in (TRANSPORT, BODY, QUESTION, ANSWER)}

    def met(self, group: tuple[str, ...], question: bytes, asked: int = 0) -> str:
        """Give the first fault of a group that a question draws, or nothing.

        Args:
            group: One of the groups above.
            question: The question's digest.
            asked: How many times it was asked before; 0 for what stays with the question.
        """
        for name, threshold in self._groups[group]:
            if self._drawn(name, question, asked) < threshold:
                return name
        return ""

    def share(self, name: str, question: bytes, asked: int = 0) -> float:
        """Give the number in [0, 1) that a question draws under a name."""
        return self._drawn(name, question, asked) / _WHOLE

    def _drawn(self, name: str, question: bytes, asked: int) -> int:
        head = f"{self._seed}\x1f{name}\x1f{asked}\x1f".encode()
        return int.from_bytes(hashlib.blake2b(head + question, digest_size=8).digest(), "big")

    @staticmethod
    def _asked_for(faults: Faults, group: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
        rates = ((name, faults.rate(name)) for name in group)
        return tuple((name, int(rate * _WHOLE)) for name, rate in rates if rate > 0)
