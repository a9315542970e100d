from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.statistics import auc, cramers_v, crosstab

tables = st.lists(st.lists(st.integers(0, 500), min_size=3, max_size=3), min_size=2, max_size=5)


@given(tables)
def test_it_lies_between_nothing_and_one_and_knows_no_order(table):
    counts = np.array(table)
    value = cramers_v(counts)
    assert 0.0 <= value <= 1.0 + 1e-9
    assert cramers_v(counts.T) == pytest.approx(value)
    assert cramers_v(counts[::-1]) == pytest.approx(value)


def test_known_tables():
    assert cramers_v([[50, 0], [0, 50]]) == pytest.approx(1.0)
    assert cramers_v([[25, 25], [25, 25]]) == 0.0
    assert cramers_v([[10, 0], [10, 0]]) == cramers_v([[5]]) == cramers_v([[0, 0], [0, 0]]) == 0.0
    # Bergsma's correction by hand: phi2 = .04, minus 1/99; width 2 - 1/99 - 1
    assert cramers_v([[30, 20], [20, 30]]) == pytest.approx(((0.04 - 1 / 99) / (1 - 1 / 99)) ** 0.5)


def test_a_table_of_two_columns_counts_each_pair():
    assert crosstab([0, 0, 1, 2], [1, 1, 0, 1]).tolist() == [[0, 2], [1, 0], [0, 1]]


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=60))
def test_the_area_is_how_often_a_positive_scores_higher(rows):
    positive = [score for score, is_positive in rows if is_positive]
    negative = [score for score, is_positive in rows if not is_positive]
    wins = [(a > b) + (a == b) / 2 for a in positive for b in negative]
    expected = sum(wins) / len(wins) if wins else 0.5
    assert auc([score for score, _ in rows], [is_positive for _, is_positive in rows]) == pytest.approx(expected)
