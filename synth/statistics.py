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
