"""Who is lost on the way: survival by what was planned, as ratios with intervals, so that no kind of scene is thinned out unseen."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from synth.audit.figures import Figures, Ruling
from synth.audit.reading import Attempt, Case
from synth.gold import SIGHTED
from synth.records.labels import AnnotatorKind
from synth.statistics import LEVEL, Estimate, LogRatio, holm, risk_ratio, wilson

LEAST_RATIO: Final = 0.8
LEAST_GROUP: Final = 100
LEAST_ATTEMPTS: Final = 500

DIMENSIONS: Final = (
    "regulation",
    "explicitness",
    "directness",
    "felt",
    "power_form",
    "language",
    "profile",
)


@dataclass(frozen=True, slots=True)
class Survival(Figures):
    """How many attempts of one group survive, and the ratio to those of all others.

    The ratio's interval holds for all groups of the table together (Holm), where the group is tested: 100 attempts of it and of the others, 500 in all.
    `fair` is no where that interval lies wholly under .8. `ratio` is None where there are no others.
    """

    dimension: str
    group: str
    attempted: int
    survived: int
    share: Estimate
    ratio: Estimate | None
    fair: Ruling


@dataclass(frozen=True, slots=True)
class Attrition(Figures):
    """Survival from the attempt to what is kept, and of what was verified from there through gold.

    Attempts are what a model was to write; where nothing was, or nothing was verified, nothing was run.
    """

    attempted: int
    kept: int
    overall: tuple[Survival, ...]
    verified: int
    stood: int
    gold: tuple[Survival, ...]

    @property
    def failed(self) -> tuple[Survival, ...]:
        """The groups that are thinned out."""
        return tuple(one for one in (*self.overall, *self.gold) if one.fair is Ruling.NO)


class Survivors:
    """A count of attempts and survivors by group: scene by scene, in any order."""

    def __init__(self) -> None:
        self._overall = _Table()
        self._gold = _Table()

    def add(self, case: Case) -> None:
        """Count one attempt of a model; what was composed offline is none."""
        if not case.attempt.by_model:
            return
        self._overall.add(case.attempt, survived=case.decided.kept)
        if case.by(AnnotatorKind.MODEL, SIGHTED):
            rejected = any(reason.startswith("gold:") for reason in case.decided.reasons)
            self._gold.add(case.attempt, survived=not rejected)

    def results(self) -> Attrition:
        """Give the figures, by dimension and group."""
        one, gold = self._overall, self._gold
        return Attrition(one.attempted, one.survived, one.results(), gold.attempted, gold.survived, gold.results())


class _Table:
    """Attempts and survivors of one step."""

    def __init__(self) -> None:
        self.attempted = 0
        self.survived = 0
        self._counts: defaultdict[tuple[str, str], Counter[bool]] = defaultdict(Counter)

    def add(self, attempt: Attempt, *, survived: bool) -> None:
        self.attempted += 1
        self.survived += survived
        for dimension in DIMENSIONS:
            for group in _groups(attempt, dimension):
                self._counts[dimension, group][survived] += 1

    def results(self) -> tuple[Survival, ...]:
        keys = sorted(self._counts, key=lambda key: (DIMENSIONS.index(key[0]), key[1]))
        ratios = {key: self._ratio(key) for key in keys}
        tested = [key for key in keys if self._is_tested(key)]
        chances = [ratio.below(LEAST_RATIO) for key in tested if (ratio := ratios[key]) is not None]
        factors = dict(zip(tested, holm(chances), strict=True))
        return tuple(self._survival(key, ratios[key], factors.get(key)) for key in keys)

    def _is_tested(self, key: tuple[str, str]) -> bool:
        n = self._counts[key].total()
        return self.attempted >= LEAST_ATTEMPTS and min(n, self.attempted - n) >= LEAST_GROUP

    def _ratio(self, key: tuple[str, str]) -> LogRatio | None:
        own = self._counts[key]
        rest = self.attempted - own.total()
        return risk_ratio(own[True], own.total(), self.survived - own[True], rest) if rest else None

    def _survival(self, key: tuple[str, str], ratio: LogRatio | None, factor: float | None) -> Survival:
        own = self._counts[key]
        n = own.total()
        found = Survival(*key, n, own[True], wilson(own[True], n), None, Ruling.NOT_RUN)
        if ratio is None:
            return found
        estimate = ratio.estimate(n, 1 - (1 - LEVEL) / (factor or 1.0))
        if factor is None:
            return replace(found, ratio=estimate, fair=Ruling.TOO_FEW)
        return replace(found, ratio=estimate, fair=Ruling.NO if estimate.upper < LEAST_RATIO else Ruling.YES)


def _groups(attempt: Attempt, dimension: str) -> Sequence[str]:
    """Give the groups of an attempt in one dimension: one, or each of its profiles."""
    return attempt.profile_ids if dimension == "profile" else (str(getattr(attempt, dimension)),)


@dataclass(frozen=True, slots=True)
class Weights(Figures):
    """What the weights back to the plan (`w_survival`) come to: how many rows have one, the largest, and how many equal rows they are worth.

    The worth is the effective sample size of Kish (1965).
    """

    rows: int
    largest: float
    worth: float


class Weighed:
    """A sum of weights: scene by scene."""

    def __init__(self) -> None:
        self._rows = 0
        self._largest = self._sum = self._squares = 0.0

    def add(self, case: Case) -> None:
        """Take up the weight of one kept scene."""
        weight = case.decided.w_survival
        if weight is not None:
            self._rows += 1
            self._largest = max(self._largest, weight)
            self._sum += weight
            self._squares += weight**2

    def results(self) -> Weights | None:
        """Give the figures; None where no row has a weight."""
        return Weights(self._rows, self._largest, self._sum**2 / self._squares) if self._rows else None
