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
    reservation = asyncio.run(purse.room_for(1000, 5))
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


def test_money_is_held_within_the_run_and_the_build():
    purse = Purse(Limits(max_cost=100, max_run_cost=60), before=50, owed=10)
    held = purse.reserve(1, 40)
    with pytest.raises(
        IncompleteError, match=r"max_cost = \$0\.0001 stops the run: \$0\.00006 spent, \$0\.000041 more"
    ):
        purse.reserve(1, 1)
    purse.settle(held, Usage(1, 1), 15)
    purse.end_job(10, Usage(3, 4), 2)
    assert (purse.run, purse.owed) == (Spent(1, 4, 5, 17), 0)
    purse.hand_in(purse.reserve(1, 33))
    assert (purse.run.micro_units, purse.run.owed, purse.reserved_micro_units) == (17, 33, 0)
    with pytest.raises(IncompleteError, match="max_cost"):
        purse.reserve(1, 1)
    rich = Purse(Limits(max_cost=1000, max_run_cost=60))
    rich.reserve(1, 60)
    with pytest.raises(IncompleteError, match="max_run_cost"):
        rich.reserve(1, 1)


def test_who_is_kept_out_by_those_in_flight_alone_waits_for_them():
    async def run() -> tuple[int, str]:
        purse = Purse(Limits(max_run_cost=100))
        first = await purse.room_for(1, 90)
        second = asyncio.ensure_future(purse.room_for(1, 20))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not second.done()
        purse.settle(first, Usage(1, 1), 50)
        held = await second
        third = asyncio.ensure_future(purse.room_for(1, 60))
        await asyncio.sleep(0)
        purse.settle(held, Usage(1, 1), 20)
        with pytest.raises(IncompleteError) as caught:
            await third
        return purse.run.micro_units, caught.value.message

    spent, message = asyncio.run(run())
    assert spent == 70
    assert "max_run_cost" in message


@given(st.lists(st.integers(1, 40), min_size=1, max_size=40), st.integers(1, 200), st.randoms(use_true_random=False))
def test_no_order_of_concurrent_attempts_passes_a_limit_of_money(worsts, limit, random):
    purse = Purse(Limits(max_cost=limit))
    most = 0

    async def attempt(worst: int) -> None:
        nonlocal most
        try:
            held = await purse.room_for(1, worst)
        except IncompleteError:
            return
        most = max(most, purse.run.micro_units + purse.reserved_micro_units)
        for _ in range(random.randrange(3)):
            await asyncio.sleep(0)
        purse.settle(held, Usage(1, 0), random.randint(0, worst))

    async def run() -> None:
        await asyncio.gather(*(attempt(worst) for worst in worsts))

    asyncio.run(run())
    assert most <= limit
    assert purse.run.micro_units <= limit
    assert (purse.in_flight, purse.reserved_micro_units) == (0, 0)
