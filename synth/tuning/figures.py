"""Figures: a mean with its interval, and the gain from one instruction to another on the same cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

_DRAWS: Final = 4_000
_LOWER, _UPPER = 2.5, 97.5


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over `n` cells and its 95 % interval (`low` to `high`)."""

    mean: float
    low: float
    high: float
    n: int

    def values(self) -> dict[str, float | int]:
        """Give it as plain numbers, rounded to four decimals."""
        return {"mean": round(self.mean, 4), "low": round(self.low, 4), "high": round(self.high, 4), "n": self.n}

    def text(self) -> str:
        """Give it as people read it: `0.71 (0.64 to 0.78, n = 12)`."""
        return f"{self.mean:.2f} ({self.low:.2f} to {self.high:.2f}, n = {self.n})"


def figure(values: Sequence[float], seed: int = 0) -> Figure:
    """Give the mean of values, one a cell, with the percentile interval of a seeded bootstrap over cells.

    Source: Efron (1979), "Bootstrap methods: another look at the jackknife". With few cells such an interval is too narrow; it is there to keep
    people from reading a difference of one cell as a result.
    """
    if not values:
        return Figure(0.0, 0.0, 0.0, 0)
    given = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(seed).integers(0, len(given), size=(_DRAWS, len(given)))
    low, high = np.percentile(given[drawn].mean(axis=1), [_LOWER, _UPPER])
    return Figure(float(given.mean()), float(low), float(high), len(given))


def gain(before: Sequence[float], after: Sequence[float], seed: int = 0) -> Figure:
    """Give the mean difference, cell by cell, with its interval."""
    return figure([new - old for old, new in zip(before, after, strict=True)], seed)
