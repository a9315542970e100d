"""Which checks answers failed, and what was decided about gold: plain counts by language."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from synth.audit.figures import Figures, mean_of, units
from synth.audit.reading import Case
from synth.gold import COLUMNS
from synth.records.labels import GoldStatus


@dataclass(frozen=True, slots=True)
class FailedChecks(Figures):
    """How often answers of one language failed one check: `failed` counts askings, `again` those of them that had been asked again."""

    language: str
    check: str
    failed: int
    again: int
    scenes: int


@dataclass(frozen=True, slots=True)
class Statuses(Figures):
    """How many scenes of one language have each status of one gold field, kept or not; `kept` counts those that are."""

    language: str
    field: str
    counts: dict[str, int]
    kept: dict[str, int]


@dataclass(frozen=True, slots=True)
class Recovered(Figures):
    """How easy the kept scenes of one language and explicitness are to read: the mean of `recoverability` over those that were read blind."""

    language: str
    explicitness: str
    scenes: int
    recoverability: float


class Tally:
    """Counts: scene by scene, in any order."""

    def __init__(self) -> None:
        self._failed: Counter[tuple[str, str]] = Counter()
        self._again: Counter[tuple[str, str]] = Counter()
        self._scenes: Counter[tuple[str, str]] = Counter()
        self._statuses: defaultdict[tuple[str, str], Counter[GoldStatus]] = defaultdict(Counter)
        self._kept: defaultdict[tuple[str, str], Counter[GoldStatus]] = defaultdict(Counter)
        self._recovered: Counter[tuple[str, str]] = Counter()
        self._read: Counter[tuple[str, str]] = Counter()

    def add(self, case: Case) -> None:
        """Count one scene."""
        language = case.attempt.language
        for failed in case.attempt.failed_checks:
            self._failed[language, failed.check] += 1
            self._again[language, failed.check] += failed.draw > 0
        for check in {failed.check for failed in case.attempt.failed_checks}:
            self._scenes[language, check] += 1
        for field, column in COLUMNS.items():
            status = getattr(case.decided, column)
            if status is not None:
                self._statuses[language, field][status] += 1
                self._kept[language, field][status] += case.decided.kept
        if case.decided.kept and case.decided.recoverability is not None:
            self._recovered[language, str(case.attempt.explicitness)] += units(case.decided.recoverability)
            self._read[language, str(case.attempt.explicitness)] += 1

    def failed_checks(self) -> tuple[FailedChecks, ...]:
        """Give failed checks by language, the most frequent first."""
        keys = sorted(self._failed, key=lambda key: (key[0], -self._failed[key], key[1]))
        return tuple(FailedChecks(*key, self._failed[key], self._again[key], self._scenes[key]) for key in keys)

    def statuses(self) -> tuple[Statuses, ...]:
        """Give gold statuses by language and field."""
        keys = sorted(self._statuses, key=lambda key: (key[0], list(COLUMNS).index(key[1])))
        return tuple(Statuses(*key, _named(self._statuses[key]), _named(self._kept[key])) for key in keys)

    def recovered(self) -> tuple[Recovered, ...]:
        """Give recoverability by language and explicitness."""
        return tuple(
            Recovered(*key, n, mean)
            for key, n in sorted(self._read.items())
            if (mean := mean_of(self._recovered[key], n)) is not None
        )


def _named(counts: Counter[GoldStatus]) -> dict[str, int]:
    return {str(status): counts[status] for status in GoldStatus if counts[status]}
