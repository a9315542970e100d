from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.statistics import (
    ac1,
    auc,
    cramers_v,
    crosstab,
    holm,
    kappa,
    newcombe,
    quantile,
    rake,
    risk_ratio,
    wilson,
)

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


# -- proportions


def test_published_intervals():
    """Newcombe (1998): one sample of 81 of 263 (Table I), two samples 56/70 against 48/80 (Table II, a)."""
    one = wilson(81, 263)
    assert (one.lower, one.upper) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    gap = newcombe(56, 70, 48, 80)
    assert gap.value == pytest.approx(0.2)
    assert (gap.lower, gap.upper) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert gap.n == 150


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_proportion_lies_in_its_interval_and_that_in_nothing_and_one(case):
    found = wilson(*case)
    assert 0 <= found.lower <= found.value <= found.upper <= 1
    assert found.lower < found.upper
    other = wilson(case[1] - case[0], case[1])
    assert other.lower == pytest.approx(1 - found.upper)


def test_a_proportion_of_nothing_is_refused():
    with pytest.raises(ValueError, match="needs a case"):
        wilson(0, 0)


def test_a_known_ratio_and_its_test():
    ratio = risk_ratio(40, 100, 60, 100)
    assert np.exp(ratio.value) == pytest.approx(2 / 3)
    assert ratio.error == pytest.approx((1 / 40 - 1 / 100 + 1 / 60 - 1 / 100) ** 0.5)
    lower, upper = ratio.interval()
    assert lower * upper == pytest.approx(4 / 9)
    # the interval's end lies under a value exactly where the test at half the rest says so
    for level in (0.6, 0.9, 0.99):
        edge = ratio.interval(level)[1]
        assert ratio.below(edge) == pytest.approx((1 - level) / 2, rel=1e-6)
    assert ratio.below(0.5) > 0.5
    assert risk_ratio(0, 50, 25, 50).interval()[1] == pytest.approx(0.3134, abs=1e-4)
    assert risk_ratio(50, 50, 10, 10).below(0.8) > 0.95


def test_the_interval_of_a_ratio_covers_it_in_nineteen_of_twenty():
    random = np.random.default_rng(20261120)
    hits = random.binomial([150, 700], [0.5, 0.7], size=(2000, 2))
    inside = 0
    for one, rest in hits.tolist():
        lower, upper = risk_ratio(one, 150, rest, 700).interval()
        inside += lower <= 5 / 7 <= upper
    assert 0.935 <= inside / 2000 <= 0.965


def test_holm_multiplies_as_published_and_never_turns_two_values_round():
    values = [0.01, 0.04, 0.03, 0.005]
    factors = holm(values)
    assert [value * factor for value, factor in zip(values, factors, strict=True)] == pytest.approx(
        [0.03, 0.06, 0.06, 0.02]
    )
    assert holm([0.0, 0.0]) == [2.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(1e-12, 1), min_size=1, max_size=20))
def test_holm_never_makes_a_test_easier(values):
    factors = holm(values)
    assert all(factor >= 1 - 1e-12 for factor in factors)
    adjusted = sorted((value, value * factor) for value, factor in zip(values, factors, strict=True))
    assert all(one[1] <= other[1] + 1e-12 for one, other in pairwise(adjusted))


@pytest.mark.parametrize(("level", "value"), [(0.95, 1.959964), (0.99, 2.575829), (1 - 2e-12, 7.0345)])
def test_quantiles(level, value):
    assert quantile(level) == pytest.approx(value, abs=1e-3)


# -- agreement


counts = st.integers(2, 5).flatmap(
    lambda k: st.lists(st.lists(st.integers(0, 60), min_size=k, max_size=k), min_size=k, max_size=k)
)


def delta_error(statistic, table):
    """Give the standard error of a function of a multinomial table, by differences: what the published formulas come to."""
    table = np.array(table, dtype=float)
    n, step = table.sum(), 1e-6
    shares = table / n
    slope = np.zeros_like(shares)
    for place in np.ndindex(*shares.shape):
        up, down = shares.copy(), shares.copy()
        up[place] += step
        down[place] = max(0.0, down[place] - step)
        slope[place] = (statistic(up) - statistic(down)) / (up[place] - down[place])
    return float(np.sqrt(((shares * slope**2).sum() - (shares * slope).sum() ** 2) / n))


def plain_kappa(shares, *, ordinal=False):
    total, size = shares.sum(), len(shares)
    weights = np.eye(size)
    if ordinal:
        weights = 1 - np.abs(np.subtract.outer(np.arange(size), np.arange(size))) / (size - 1)
    expected = (weights * np.outer(shares.sum(axis=1), shares.sum(axis=0))).sum() / total**2
    return ((weights * shares).sum() / total - expected) / (1 - expected)


def plain_ac1(shares):
    total, size = shares.sum(), len(shares)
    labels = (shares.sum(axis=1) + shares.sum(axis=0)) / (2 * total)
    expected = (labels * (1 - labels)).sum() / (size - 1)
    return (np.trace(shares) / total - expected) / (1 - expected)


def test_known_agreement():
    """Cohen's own example has kappa .4; where nearly all labels are one, kappa collapses and AC1 does not."""
    assert kappa([[20, 5], [10, 15]]).value == pytest.approx(0.4)
    skewed = [[118, 5], [2, 0]]
    assert kappa(skewed).value < 0
    assert ac1(skewed).value == pytest.approx(0.9407, abs=5e-4)
    assert kappa([[50, 0], [0, 50]]).value == kappa([[50, 0], [0, 50]]).lower == 1.0


def test_no_agreement_of_nothing():
    assert kappa([[0, 0], [0, 0]]) is None
    assert kappa([[40, 0], [0, 0]]) is None, "chance alone would agree always"
    assert ac1([[1, 0], [0, 0]]) is None


@given(counts)
def test_errors_are_those_of_the_delta_method(table):
    square = np.array(table) + 1  # no empty cell, so that differences exist on both sides
    n = square.sum()
    for found, statistic in (
        (kappa(square), plain_kappa),
        (kappa(square, ordinal=True), lambda shares: plain_kappa(shares, ordinal=True)),
    ):
        assert found.value == pytest.approx(statistic(square / n))
        reach = 1.959964 * delta_error(statistic, square)
        assert found.lower == pytest.approx(max(-1.0, found.value - reach), abs=1e-4)
        assert found.upper == pytest.approx(min(1.0, found.value + reach), abs=1e-4)
    found = ac1(square)
    assert found.value == pytest.approx(plain_ac1(square / n))
    reach = 1.959964 * delta_error(plain_ac1, square) * (n / (n - 1)) ** 0.5  # Gwet divides by n - 1
    assert found.lower == pytest.approx(max(-1.0, found.value - reach), abs=1e-4)


@pytest.mark.parametrize("known", [0.3, 0.6])
@pytest.mark.parametrize("shares", [(0.25, 0.25, 0.25, 0.25), (0.6, 0.2, 0.15, 0.05)], ids=["even", "skewed"])
def test_intervals_cover_a_known_agreement_in_nineteen_of_twenty_simulated_sets(known, shares):
    """Two annotators who both know `known` of the scenes and guess the others by the same shares: every kappa is `known`."""
    random = np.random.default_rng(4)
    labels = np.array(shares)
    expected = float((labels * (1 - labels)).sum()) / 3
    same = known + (1 - known) * float((labels**2).sum())
    truths = {"kappa": known, "weighted": known, "ac1": (same - expected) / (1 - expected)}
    inside = dict.fromkeys(truths, 0)
    joint = known * np.diag(labels) + (1 - known) * np.outer(labels, labels)
    for _ in range(400):
        table = random.multinomial(250, joint.ravel()).reshape(4, 4)
        found = {"kappa": kappa(table), "weighted": kappa(table, ordinal=True), "ac1": ac1(table)}
        for name, one in found.items():
            inside[name] += one.lower <= truths[name] <= one.upper
    assert all(0.92 <= hits / 400 <= 0.98 for hits in inside.values()), inside


# -- weighting back


cells = st.lists(st.tuples(*(st.sampled_from(["a", "b", "c"]) for _ in range(3))), min_size=1, max_size=12, unique=True)


@given(cells, st.data())
def test_raking_meets_margins_that_can_be_met(cells, data):
    sizes = st.lists(st.integers(1, 30), min_size=len(cells), max_size=len(cells))
    attempted, counts = data.draw(sizes), data.draw(sizes)
    margins = [
        {label: sum(n for cell, n in zip(cells, attempted, strict=True) if cell[d] == label) for label in "abc"}
        for d in range(3)
    ]
    weights = rake(cells, counts, margins)
    weighed = [weight * count for weight, count in zip(weights, counts, strict=True)]
    assert sum(weighed) == pytest.approx(sum(counts))
    for dimension, margin in enumerate(margins):
        for label, wanted in margin.items():
            mass = sum(w for cell, w in zip(cells, weighed, strict=True) if cell[dimension] == label)
            assert mass / sum(counts) == pytest.approx(wanted / sum(attempted), abs=1e-4)


def test_a_label_that_is_gone_is_shared_by_the_others():
    weights = rake([("a",), ("b",)], [10, 30], [{"a": 40, "b": 40, "gone": 20}])
    assert weights == pytest.approx([2.0, 2 / 3])
    assert rake([], [], []) == []
    with pytest.raises(ValueError, match="none of a is wanted"):
        rake([("a",)], [1], [{"b": 3}])
