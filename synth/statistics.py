"""Association between two label columns, as tests and not as bare ratios."""

from __future__ import annotations

from typing import Any

import numpy as np


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
