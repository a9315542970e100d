"""A draw disturbs no other: an option that is added moves only what it wins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.planning.draws import key_of, pick, pick_one

KEYS = np.array([key_of(f"slot {n}") for n in range(20_000)], dtype=np.uint64)
names = st.text(min_size=1, max_size=12)
PINNED = [2, 2, 1, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 2, 2, 2, 2, 3, 1, 2, 2, 2, 2, 1]
weighted = st.dictionaries(names, st.integers(1, 1000), min_size=1, max_size=8)


@given(options=weighted, name=names, added=names, weight=st.integers(1, 1000))
def test_an_added_option_moves_only_what_it_wins(options, name, added, weight):
    options.pop(added, None)
    if not options:
        options = {added + "x": 1}
    before = pick(KEYS[:2000], name, list(options), list(options.values()))
    after = pick(KEYS[:2000], name, [*options, added], [*options.values(), weight])
    moved = after == len(options)
    assert (after[~moved] == before[~moved]).all()


@given(options=weighted, name=names, data=st.data())
def test_the_order_of_options_decides_nothing(options, name, data):
    pairs = data.draw(st.permutations(list(options.items())))
    one = pick(KEYS[:500], name, list(options), list(options.values()))
    other = pick(KEYS[:500], name, [key for key, _ in pairs], [value for _, value in pairs])
    assert [list(options)[n] for n in one] == [pairs[n][0] for n in other]


@given(options=weighted, name=names, key=st.integers(0, 2**64 - 1))
def test_one_key_alone_is_drawn_as_among_others(options, name, key):
    drawn = pick(np.array([1, key, 2], dtype=np.uint64), name, list(options), list(options.values()))
    assert pick_one(key, name, list(options), list(options.values())) == list(options)[drawn[1]]


@pytest.mark.parametrize("weights", [(1, 1), (1, 4), (28, 28, 29, 15), (1, 10, 100), (1,) * 12])
def test_an_option_wins_by_its_weight(weights):
    options = [f"option {n}" for n in range(len(weights))]
    counts = np.bincount(pick(KEYS, "draw", options, weights), minlength=len(weights))
    expected = np.array(weights) / sum(weights) * len(KEYS)
    # chi-squared over at most 11 degrees of freedom: 40 is passed once in 10^4 draws at most, and these are fixed
    assert ((counts - expected) ** 2 / expected).sum() < 40


def test_draws_of_one_slot_are_independent():
    one = pick(KEYS, "emotion", ["a", "b", "c"])
    other = pick(KEYS, "gender", ["a", "b", "c"])
    table = np.zeros((3, 3))
    np.add.at(table, (one, other), 1)
    expected = np.outer(table.sum(1), table.sum(0)) / table.sum()
    assert ((table - expected) ** 2 / expected).sum() < 24


def test_a_draw_never_changes():
    """Pinned: another value here would change every plan that was ever made."""
    drawn = pick(KEYS[:24], "felt_affect", ["low", "mid", "high", "masked"], [28, 28, 29, 15])
    assert drawn.tolist() == PINNED


def test_extreme_keys_and_mistakes():
    keys = np.array([0, 1, 2**63, 2**64 - 1], dtype=np.uint64)
    assert set(pick(keys, "x", ["a", "b"]).tolist()) <= {0, 1}
    with pytest.raises(ValueError, match="no option"):
        pick(keys, "x", [])
    with pytest.raises(ValueError, match="positive weight"):
        pick(keys, "x", ["a"], [0])
    with pytest.raises(ValueError, match="positive weight"):
        pick(keys, "x", ["a", "b"], [1])
