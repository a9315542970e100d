from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.errors import IncompleteError
from synth.models.base import Usage
from synth.models.purse import Limits, Purse, Spent


def test_a_settled_attempt_counts_what_it_used():
    purse = Purse()
    reservation = purse.reserve(1000, 5)
    assert (purse.in_flight, purse.reserved_tokens, purse.reserved_micro_units) == (1, 1000, 5)
    purse.settle(reservation, Usage(3, 4), 2)
    assert (purse.in_flight, purse.reserved_tokens, purse.reserved_micro_units) == (0, 0, 0)
    assert purse.run == Spent(1, 3, 4, 2)
    assert purse.run.tokens == 7


def test_a_released_reservation_counts_nothing_and_is_given_back_once():
    purse = Purse()
    reservation = purse.reserve(10)
    purse.release(reservation)
    assert purse.run == Spent()
    with pytest.raises(ValueError, match="before"):
        purse.settle(reservation)


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (Limits(max_calls=1), "max_calls = 1"),
        (Limits(max_tokens=19), "max_tokens = 19"),
    ],
)
def test_a_limit_stops_before_what_is_in_flight_could_pass_it(limits, name):
    purse = Purse(limits)
    held = purse.reserve(10)
    with pytest.raises(IncompleteError, match=name) as caught:
        purse.reserve(10)
    assert caught.value.exit_code == 3
    assert purse.in_flight == 1
    purse.release(held)
    purse.reserve(10)


def test_the_next_purse_of_a_run_goes_on_counting():
    spent = Spent()
    for _ in range(2):
        purse = Purse(Limits(max_calls=2), run=spent)
        purse.settle(purse.reserve(10), Usage(1, 1))
    with pytest.raises(IncompleteError, match="max_calls = 2"):
        Purse(Limits(max_calls=2), run=spent).reserve(10)
    spent.include(Spent(3, 1, 1))
    assert spent == Spent(5, 3, 3)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 2)), max_size=60), st.integers(1, 300), st.integers(1, 20))
def test_no_order_of_attempts_passes_a_limit(steps, max_tokens, max_calls):
    purse = Purse(Limits(max_calls=max_calls, max_tokens=max_tokens))
    held = []
    for tokens, act in steps:
        if act == 0 or not held:
            try:
                held.append((purse.reserve(tokens), tokens))
            except IncompleteError:
                continue
        else:
            reservation, worst = held.pop()
            if act == 1:
                purse.settle(reservation, Usage(worst // 2, worst - worst // 2))
            else:
                purse.release(reservation)
        assert purse.run.tokens + purse.reserved_tokens <= max_tokens
        assert purse.run.calls + purse.in_flight <= max_calls
    assert purse.in_flight == len(held)


def test_the_gate_lets_so_many_in_and_no_more():
    async def run() -> int:
        purse = Purse(max_in_flight=3)
        inside, most = 0, 0

        async def attempt() -> None:
            nonlocal inside, most
            async with purse.gate("local"):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(attempt() for _ in range(10)))
        assert purse.gate("local") is purse.gate("local")
        assert purse.gate("local") is not purse.gate("other")
        return most

    assert asyncio.run(run()) == 3
