from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.models.allowance import Bucket
from synth.models.base import Allowance, Rates
from synth.models.pace import Pace


class Clock:
    """A clock that a test moves by hand."""

    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


def run(coroutine):
    return asyncio.run(coroutine)


async def go(pace, tokens=1.0):
    """Pass both gates and give the ticket; 0 where one of them sends away."""
    if not await pace.enter(tokens):
        return 0
    ticket = await pace.start()
    if not ticket:
        pace.leave()
    return ticket


def done(pace):
    pace.finish()
    pace.leave()


async def go_many(pace, count):
    return [await go(pace) for _ in range(count)]


def test_the_window_lets_so_many_in_and_no_more():
    async def live():
        pace = Pace("a", 3, clock=Clock())
        inside, most = 0, 0

        async def attempt():
            nonlocal inside, most
            assert await go(pace)
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
            done(pace)

        await asyncio.gather(*(attempt() for _ in range(10)))
        return most, pace.in_flight

    assert run(live()) == (3, 0)


def test_a_quarter_more_are_let_in_than_may_be_on_the_wire():
    async def live():
        pace = Pace("a", 8, clock=Clock())
        waiting = [asyncio.ensure_future(go(pace)) for _ in range(20)]
        for _ in range(3):
            await asyncio.sleep(0)
        seen = pace.entered, pace.in_flight
        for place in waiting:
            assert await place
            done(pace)
        return seen, pace.entered, pace.in_flight

    assert run(live()) == ((10, 8), 0, 0)


def test_whoever_came_first_goes_first():
    async def live():
        pace, order = Pace("a", 1, clock=Clock()), []
        await go(pace)

        async def attempt(name):
            await go(pace)
            order.append(name)
            done(pace)

        waiting = [asyncio.ensure_future(attempt(name)) for name in "abc"]
        await asyncio.sleep(0)
        done(pace)
        await asyncio.gather(*waiting)
        return order

    assert run(live()) == ["a", "b", "c"]


def test_a_lone_rate_limit_holds_nobody_and_many_hold_everybody():
    async def live():
        clock = Clock()
        pace = Pace("a", 64, clock=clock)
        for number in range(200):
            ticket = await go(pace)
            if number % 50 == 7:
                pace.limited(ticket, 1.0)
            else:
                pace.answered(None)
            done(pace)
        assert (pace.pause(), pace.window) == (0.0, 64.0)
        tickets = await go_many(pace, 64)
        for ticket in tickets:
            pace.limited(ticket, 1.0)
            done(pace)
        # those 64 were sent together, so they halve the window once
        assert (pace.pause(), pace.window) == (1.0, 32.0)
        clock.now += 1.0
        assert pace.pause() == 0.0
        for _ in range(2_000):
            assert await go(pace)
            pace.answered(None)
            done(pace)
        return pace.window

    assert run(live()) == 64.0


def test_a_long_retry_after_holds_everybody_at_once():
    async def live():
        pace = Pace("a", 4, clock=Clock())
        pace.limited(await go(pace), 86_400.0)
        done(pace)
        return pace.pause()

    assert run(live()) == 86_400.0


def test_an_endpoint_that_is_down_is_looked_at_by_one_attempt_at_a_time_until_it_is_back():
    async def live():
        clock = Clock()
        pace = Pace("a", 64, clock=clock)
        for ticket in await go_many(pace, 64):
            pace.failed(ticket)
            done(pace)
        looks = []
        for _ in range(8):
            assert 0 < pace.pause() <= 5.0
            looks.append(pace.pause())
            clock.now += pace.pause()
            assert int(pace.window) == 1
            pace.failed(await go(pace))
            done(pace)
        assert looks[0] <= 0.25
        assert looks[-1] >= 2.5
        clock.now += pace.pause()
        for _ in range(33):
            await go(pace)
            pace.answered(None)
            done(pace)
        # back at half its window after as many answers, and then one more for each window of them
        return pace.window

    assert 32 <= run(live()) < 34


def test_an_outage_of_a_night_is_only_a_long_wait():
    async def live():
        clock = Clock()
        pace = Pace("a", 4, clock=clock)
        for _ in range(3_000):
            clock.now += pace.pause()
            pace.failed(await go(pace))
            done(pace)
        assert pace.silence() > 3_000
        pace.answered(None)
        return pace.silence(), pace.has_answered

    assert run(live()) == (0.0, True)


def test_who_waits_is_sent_away_when_a_stop_is_wanted():
    async def live():
        wanted = []
        pace = Pace("a", 1, stop=lambda: wanted[0] if wanted else "")
        await go(pace)
        waiting = asyncio.ensure_future(go(pace))
        await asyncio.sleep(0)
        wanted.append("enough")
        return await waiting, pace.in_flight

    assert run(live()) == (0, 1)


def test_who_waits_looks_again_when_the_endpoint_asks_for_longer():
    async def live():
        pace = Pace("a", 1, clock=Clock())
        ticket = await go(pace)
        waiting = asyncio.ensure_future(go(pace))
        await asyncio.sleep(0)
        pace.limited(ticket, 3_600.0)
        return await waiting

    assert run(live()) == 0


@pytest.mark.parametrize("let_in", [True, False])
def test_a_cancelled_place_is_given_back(let_in):
    async def live():
        pace = Pace("a", 1, clock=Clock())
        await go(pace)
        waiting = asyncio.ensure_future(go(pace))
        await asyncio.sleep(0)
        if let_in:
            done(pace)  # the place is his, and he has not woken up yet
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        if not let_in:
            done(pace)
        return pace.in_flight

    assert run(live()) == 0


def test_what_the_headers_allow_a_minute_is_spent_evenly():
    async def live():
        clock = Clock()
        pace = Pace("a", 64, clock=clock)
        await go(pace, 100.0)
        pace.answered(Rates(Allowance(60, 2), Allowance(6_000, 6_000)))
        done(pace)
        assert await go(pace, 100.0)
        assert await go(pace, 100.0)
        third = asyncio.ensure_future(go(pace, 100.0))
        await asyncio.sleep(0)
        assert not third.done()
        clock.now += 1.0
        done(pace)
        return bool(await third)

    assert run(live())


def test_a_question_larger_than_the_whole_allowance_waits_for_all_of_it_and_no_longer():
    clock, bucket = Clock(), Bucket()
    bucket.learn(Allowance(1_000, 0), 0, clock())
    assert bucket.wait(5_000, clock()) == pytest.approx(60.0)
    clock.now += 60
    assert bucket.wait(5_000, clock()) == 0.0


@given(
    st.lists(
        st.tuples(st.none() | st.integers(0, 10**12), st.none() | st.integers(0, 10**12), st.floats(0, 1e6)),
        max_size=30,
    )
)
def test_no_headers_make_a_wait_longer_than_a_minute(told):
    clock, bucket = Clock(), Bucket()
    for limit, left, seconds in told:
        bucket.learn(Allowance(limit, left), 3, clock())
        wait = bucket.wait(1.0, clock())
        assert wait >= 0.0
        if wait:
            assert wait * bucket.limit / 60.0 <= bucket.limit + 3
        bucket.take(1.0)
        clock.now += seconds


@given(st.lists(st.sampled_from(["in", "out", "ok", "limited", "failed", "later"]), max_size=200))
def test_the_window_is_never_shut_and_never_wider_than_asked(steps):
    async def live():
        clock = Clock()
        pace, tickets = Pace("a", 8, clock=clock), []
        for step in steps:
            if step == "in" and not pace.pause() and pace.in_flight < int(pace.window):
                tickets.append(await go(pace))
            elif step == "later":
                clock.now += 10
            elif tickets:
                ticket = tickets.pop()
                if step == "ok":
                    pace.answered(None)
                elif step == "limited":
                    pace.limited(ticket, None)
                elif step == "failed":
                    pace.failed(ticket)
                done(pace)
            assert 1 <= pace.window <= 8
            assert pace.in_flight == len(tickets)
            assert pace.pause() <= 5.0

    run(live())
