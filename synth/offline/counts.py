"""What the loopback server counts: requests, outcomes, faults, tokens and money, as /stats tells them."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from synth.models.base import Usage
from synth.models.prices import Price
from synth.offline.faults import NAMES
from synth.records.labels import Outcome

OPTIONS: Final = (
    "no-schema",
    "no-json-mode",
    "reasoning",
    "requests-per-minute",
    "tokens-per-minute",
    "key-variable",
    "outage",
)
"""Options that refuse a request as faults do, and are counted among them."""

_PLAIN: Final = (
    "requests",
    str(Outcome.OK),
    str(Outcome.REFUSED),
    str(Outcome.TRUNCATED),
    "malformed",
    "failed",
    "asked_again",
    "tokens_in",
    "tokens_out",
    "micro_units",
)
MOST_MET: Final = 100_000
"""So many answers with a fault are remembered, the newest."""

_BATCHES: Final = ("files", "batches", "batch_polls", "batch_lines")


class Counts:
    """The counts of one server since it began, or since they were set back to zero.

    Every request that is done is in just one of: an outcome, `malformed`, `failed`, and the faults that stand for an answer. Faults of an answer's text
    are counted beside its outcome.
    """

    def __init__(self, price: Price) -> None:
        self._price = price
        self.in_flight = 0
        self.batches: Counter[str] = Counter()
        self.reset()

    def reset(self) -> None:
        """Set everything to zero, but what is in flight, and forget which questions were asked."""
        self.plain: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.batches.clear()
        self._peak = self.in_flight
        self._asked: Counter[bytes] = Counter()
        self._answered: set[bytes] = set()
        self._met: dict[str, str] = {}

    def enter(self) -> None:
        """Count a request that comes."""
        self.plain["requests"] += 1
        self.in_flight += 1
        self._peak = max(self._peak, self.in_flight)

    def leave(self) -> None:
        """Count a request that is done."""
        self.in_flight -= 1

    def asked(self, question: bytes) -> int:
        """Count a question; gives how many times it was asked before."""
        before = self._asked[question]
        self._asked[question] = before + 1
        if question in self._answered:
            self.plain["asked_again"] += 1
        return before

    def answered(self, question: bytes, outcome: Outcome, fault: str = "") -> None:
        """Count an answer that was sent whole; `fault` is what its text had."""
        self._answered.add(question)
        self.plain[str(outcome)] += 1
        if fault:
            self._remember(question.hex(), fault)

    def met(self) -> dict[str, str]:
        """Give the fault of every answer that went out with one, by what names the answer; the oldest first."""
        return dict(self._met)

    def _remember(self, answer: str, fault: str) -> None:
        self._met.pop(answer, None)  # asked again: it is the newest now
        self._met[answer] = fault
        if len(self._met) > MOST_MET:
            del self._met[next(iter(self._met))]

    def charged(self, usage: Usage) -> None:
        """Count what an answer cost, whether or not it arrives."""
        self.plain["tokens_in"] += usage.tokens_in
        self.plain["tokens_out"] += usage.tokens_out
        self.plain["micro_units"] += self._price.cost(usage)

    def told(self) -> dict[str, Any]:
        """Give everything, as /stats tells it."""
        return {
            **{name: self.plain[name] for name in _PLAIN},
            **{name: self.batches[name] for name in _BATCHES},
            "distinct": len(self._asked),
            "in_flight": self.in_flight,
            "peak_in_flight": self._peak,
            "faults": {name: self.faults[name] for name in (*NAMES, *OPTIONS)},
        }
