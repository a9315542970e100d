"""Figures about labels and rows as tests and intervals, not as bare ratios: association, proportions, agreement of raters, weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final

import numpy as np

LEVEL: Final = 0.95
"""The level of every interval, unless its maker says another."""
_NORMAL: Final = NormalDist()
_NOTHING: Final = 1e-12
_TURNS: Final = 1_000
_CLOSE: Final = 1e-12


def cramers_v(table: Any) -> float:
    """Give the bias-corrected Cramer's V of a contingency table: 0 where columns are independent, 1 where one decides the other.

    Rows and columns without any count are left out. Source: Bergsma (2013), "A bias-correction for Cramer's V and Tschuprow's T".
    """
    counts = np.asarray(table, dtype=np.float64)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    total = counts.sum()
    rows, columns = counts.shape
    if total < 2 or min(rows, columns) < 2:
        return 0.0
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / total
    phi2 = ((counts - expected) ** 2 / expected).sum() / total
    corrected = max(0.0, phi2 - (rows - 1) * (columns - 1) / (total - 1))
    width = min(rows - (rows - 1) ** 2 / (total - 1), columns - (columns - 1) ** 2 / (total - 1)) - 1
    return float(np.sqrt(corrected / width)) if width > 0 else 0.0


def crosstab(first: Any, second: Any) -> Any:
    """Give the contingency table of two columns of integer codes."""
    left, right = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
    rows, columns = int(left.max()) + 1, int(right.max()) + 1
    return np.bincount(left * columns + right, minlength=rows * columns).reshape(rows, columns)


def auc(scores: Any, positive: Any) -> float:
    """Give the area under the ROC curve: how often a positive scores above a negative, ties counting half. 0.5 where one kind is missing.

    Source: Hanley and McNeil (1982), by the rank sum of Mann and Whitney (1947).
    """
    values, is_positive = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=bool)
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n, m = int(is_positive.sum()), int((~is_positive).sum())
    if not n or not m:
        return 0.5
    return float((ranks[is_positive].sum() - n * (n + 1) / 2) / (n * m))


# -- proportions and their intervals


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval (another level where its maker says so) and the number of cases it stands on."""

    value: float
    lower: float
    upper: float
    n: int


def quantile(level: float) -> float:
    """Give how many standard errors a two-sided interval of a normal figure goes to each side: 1.96 for .95."""
    # the tail is asked for, not the body: a level next to 1 would be 1
    return -_NORMAL.inv_cdf((1 - level) / 2)


def wilson(hits: int, n: int, level: float = LEVEL) -> Estimate:
    """Give a proportion with its score interval. Source: Wilson (1927).

    Raises:
        ValueError: there is no case.
    """
    if n < 1:
        raise ValueError("a proportion needs a case")
    z2 = quantile(level) ** 2
    share = hits / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = math.sqrt(z2 * (share * (1 - share) + z2 / (4 * n)) / n) / (1 + z2 / n)
    return Estimate(share, min(share, max(0.0, middle - reach)), max(share, min(1.0, middle + reach)), n)


def newcombe(hits: int, n: int, other_hits: int, other_n: int) -> Estimate:
    """Give the difference of two proportions with its hybrid score interval. Source: Newcombe (1998), method 10."""
    one, other = wilson(hits, n), wilson(other_hits, other_n)
    gap = one.value - other.value
    lower = gap - math.hypot(one.value - one.lower, other.upper - other.value)
    upper = gap + math.hypot(one.upper - one.value, other.value - other.lower)
    return Estimate(gap, lower, upper, n + other_n)


@dataclass(frozen=True, slots=True)
class LogRatio:
    """The logarithm of a ratio of two proportions and its standard error."""

    value: float
    error: float

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Give the ends of the ratio's interval."""
        reach = quantile(level) * self.error
        return math.exp(self.value - reach), math.exp(self.value + reach)

    def estimate(self, n: int, level: float = LEVEL) -> Estimate:
        """Give the ratio with its interval, as standing on `n` cases."""
        return Estimate(math.exp(self.value), *self.interval(level), n)

    def below(self, ratio: float) -> float:
        """Give the one-sided p value against the ratio being `ratio` or more."""
        distance = self.value - math.log(ratio)
        if not self.error:
            return 0.0 if distance < 0 else 1.0
        return _NORMAL.cdf(distance / self.error)


def risk_ratio(hits: int, n: int, other_hits: int, other_n: int) -> LogRatio:
    """Give the ratio of two proportions on its logarithm. Source: Katz et al. (1978).

    Where one of them has no hit, half a case is added to hits and cases of both (Walter 1975).
    """
    add = 0.5 if not hits or not other_hits else 0.0
    a, b, c, d = hits + add, n + add, other_hits + add, other_n + add
    return LogRatio(math.log(a / b) - math.log(c / d), math.sqrt(max(0.0, 1 / a - 1 / b + 1 / c - 1 / d)))


def holm(values: Sequence[float]) -> list[float]:
    """Give by what each p value is multiplied, so that all of them together err at the level of one. Source: Holm (1979).

    Who divides the level by it instead gets the interval that says the same as the adjusted test.
    """
    order = sorted(range(len(values)), key=lambda n: (values[n], n))
    found = [1.0] * len(values)
    highest = 0.0
    for rank, n in enumerate(order):
        highest = max(highest, values[n] * (len(values) - rank))
        found[n] = highest / values[n] if values[n] else float(len(values) - rank)
    return found


# -- agreement of two raters


def kappa(table: Any, *, ordinal: bool = False) -> Estimate | None:
    """Give Cohen's kappa of a square table of counts, with its large-sample interval; None where chance alone would agree always.

    `ordinal` weighs a disagreement by its distance (linear weights). Source: Cohen (1960, 1968); error by Fleiss, Cohen and Everitt (1969).
    """
    counts = np.asarray(table, dtype=np.float64)
    n, size = float(counts.sum()), len(counts)
    if n < 1:
        return None
    weights = 1 - np.abs(np.subtract.outer(np.arange(size), np.arange(size))) / (size - 1) if ordinal else np.eye(size)
    shares = counts / n
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    observed, expected = float((weights * shares).sum()), float((weights * np.outer(rows, columns)).sum())
    if 1 - expected < _NOTHING:
        return None
    by_row, by_column = weights @ columns, rows @ weights
    spread = weights * (1 - expected) - np.add.outer(by_row, by_column) * (1 - observed)
    variance = float((shares * spread**2).sum()) - (observed * expected - 2 * expected + observed) ** 2
    error = math.sqrt(max(0.0, variance) / n) / (1 - expected) ** 2
    return _around((observed - expected) / (1 - expected), error, int(n))


def ac1(table: Any) -> Estimate | None:
    """Give Gwet's AC1 of a square table of counts over all labels of the scheme, with its interval; None without two cases.

    Unlike kappa it does not collapse where nearly all labels are one. Source: Gwet (2008), equations 8 and 19 for two raters.
    """
    counts = np.asarray(table, dtype=np.float64)
    n, size = float(counts.sum()), len(counts)
    if n < 2 or size < 2:
        return None
    shares = counts / n
    labels = (shares.sum(axis=1) + shares.sum(axis=0)) / 2
    observed, expected = float(np.trace(shares)), float((labels * (1 - labels)).sum()) / (size - 1)
    value = (observed - expected) / (1 - expected)
    chance = np.add.outer(1 - labels, 1 - labels) / 2 / (size - 1)
    own = (np.eye(size) - expected) / (1 - expected) - 2 * (1 - value) * (chance - expected) / (1 - expected)
    variance = float((shares * (own - value) ** 2).sum()) / (n - 1)
    return _around(value, math.sqrt(variance), int(n))


def _around(value: float, error: float, n: int) -> Estimate:
    reach = quantile(LEVEL) * error
    return Estimate(value, max(-1.0, value - reach), min(1.0, value + reach), n)


# -- weighting back


def rake(cells: Sequence[Sequence[str]], counts: Sequence[int], margins: Sequence[Mapping[str, int]]) -> list[float]:
    """Give a weight for each cell, so that its cases weighted have the margins that are wanted; the mean over cases is 1.

    A label that no cell has cannot be weighted back: the others share what it had. Where the margins cannot all be met at once, the weights are those of the
    last of 1,000 turns. Source: Deming and Stephan (1940).

    Args:
        cells: for each cell its label in every dimension.
        counts: how many cases each cell has, 1 or more.
        margins: for each dimension the wanted count of each label; their sums need not agree.

    Raises:
        ValueError: of some dimension nothing is wanted that a cell has.
    """
    if not cells:
        return []
    cases = np.asarray(counts, dtype=np.float64)
    total = float(cases.sum())
    steps = [_step([cell[n] for cell in cells], wanted, total) for n, wanted in enumerate(margins)]
    mass = cases.copy()
    for _ in range(_TURNS):
        before = mass
        for codes, targets in steps:
            mass = mass * (targets / _positive(np.bincount(codes, weights=mass, minlength=len(targets))))[codes]
        if float(np.abs(mass - before).max()) < _CLOSE * total:
            break
    weights = mass / cases
    return [float(weight) for weight in weights * (total / float((weights * cases).sum()))]


def _step(labels: Sequence[str], wanted: Mapping[str, int], total: float) -> tuple[Any, Any]:
    """Give the code of each cell in one dimension, and the mass that each code is to have."""
    names = sorted(set(labels))
    place = {name: code for code, name in enumerate(names)}
    targets = np.asarray([wanted.get(name, 0) for name in names], dtype=np.float64)
    if not targets.sum():
        raise ValueError(f"none of {', '.join(names)} is wanted")
    return np.asarray([place[label] for label in labels]), targets * (total / float(targets.sum()))


def _positive(values: Any) -> Any:
    return np.where(values > 0, values, 1.0)
