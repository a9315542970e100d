"""Headers as endpoints send them, and as none should: limits, and how long to wait."""

from __future__ import annotations

import email.utils
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from synth.models.base import Allowance, Rates
from synth.models.rates import read_rates, retry_after, wait_asked

NOW = 1_800_000_000.0
IN_A_MINUTE = "2027-01-15T08:01:00Z"
"""A minute after NOW."""


def sent(**headers: str) -> CIMultiDictProxy[str]:
    """Give headers as aiohttp does."""
    return CIMultiDictProxy(CIMultiDict({name.replace("_", "-"): text for name, text in headers.items()}))


@pytest.mark.parametrize("now", [0.0, NOW])
def test_headers_without_limits_say_nothing(now):
    assert read_rates(sent(Content_Type="application/json", X_Request_Id="ratelimit", Server="s"), now) is None


def test_the_limits_of_openai():
    headers = sent(
        x_ratelimit_limit_requests="10000",
        x_ratelimit_remaining_requests="9999",
        x_ratelimit_reset_requests="6ms",
        x_ratelimit_limit_tokens="30000000",
        x_ratelimit_remaining_tokens="29999958",
        x_ratelimit_reset_tokens="6m0s",
    )
    assert read_rates(headers, NOW) == Rates(Allowance(10_000, 9_999, 0.006), Allowance(30_000_000, 29_999_958, 360.0))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1.5s", 1.5),
        ("120ms", 0.12),
        ("1h2m3s", 3723.0),
        ("1d", 86400.0),
        ("2m59.56s", 179.56),
        ("30", 30.0),
        (" 0.25 ", 0.25),
        (IN_A_MINUTE, 60.0),
        ("2027-01-15T09:01:00+01:00", 60.0),
        ("2027-01-15T08:01:00", 60.0),
        ("2001-01-01T00:00:00Z", 0.0),
        (str(int(NOW) + 9), 9.0),
        (str((int(NOW) + 9) * 1000), 9.0),
    ],
)
def test_a_reset_is_seconds_a_span_a_date_or_an_epoch(text, seconds):
    rates = read_rates(sent(X_RateLimit_Reset_Tokens=text), NOW)
    assert rates is not None
    assert rates.tokens.resets_in == pytest.approx(seconds)


def test_the_limits_of_anthropic():
    headers = sent(
        anthropic_ratelimit_requests_limit="50",
        anthropic_ratelimit_requests_remaining="49",
        anthropic_ratelimit_requests_reset=IN_A_MINUTE,
        anthropic_ratelimit_tokens_limit="40000",
        anthropic_ratelimit_tokens_remaining="39000",
        anthropic_ratelimit_input_tokens_remaining="1",
    )
    assert read_rates(headers, NOW) == Rates(Allowance(50, 49, 60.0), Allowance(40_000, 39_000))


def test_without_common_tokens_the_scarcer_of_input_and_output_counts():
    headers = sent(
        anthropic_ratelimit_input_tokens_limit="40000",
        anthropic_ratelimit_input_tokens_remaining="900",
        anthropic_ratelimit_output_tokens_limit="8000",
        anthropic_ratelimit_output_tokens_remaining="7000",
    )
    assert read_rates(headers, NOW) == Rates(tokens=Allowance(40_000, 900))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (sent(RateLimit_Limit="100", RateLimit_Remaining="50", RateLimit_Reset="30"), Allowance(100, 50, 30.0)),
        (sent(RateLimit_Limit="10, 10;w=1, 1000;w=3600", RateLimit_Remaining="3"), Allowance(600, 3)),
        (sent(X_RateLimit_Limit="20", X_RateLimit_Remaining="0"), Allowance(20, 0)),
        (sent(RateLimit="limit=100, remaining=50, reset=5"), Allowance(100, 50, 5.0)),
        (
            sent(RateLimit='"default";r=50;t=30', RateLimit_Policy='"default";q=100;w=30'),
            Allowance(200, 50, 30.0),
        ),
        (
            sent(
                RateLimit='"burst";r=9;t=1, "day";r=4;t=900', RateLimit_Policy='"burst";q=10;w=60,"day";q=1440;w=86400'
            ),
            Allowance(1, 4, 900.0),
        ),
        (sent(RateLimit="default;r=50"), Allowance(None, 50)),
    ],
)
def test_the_fields_of_the_ietf(headers, expected):
    assert read_rates(headers, NOW) == Rates(requests=expected)


def test_a_policy_may_be_about_tokens_or_about_neither():
    headers = sent(
        RateLimit='"r";r=5, "t";r=700;t=2, "b";r=1',
        RateLimit_Policy='"r";q=10;w=60, "t";q=900;qu="tokens";w=60, "b";q=9;qu="content-bytes"',
    )
    assert read_rates(headers, NOW) == Rates(Allowance(10, 5), Allowance(900, 700, 2.0))


HOSTILE = ["-1", "nan", "NaN", "inf", "1e309", "9" * 400, "0x10", "١٢", "²", "", "1_000", "--", "1" * 16, "\x00", "1s1"]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "name", ["x-ratelimit-remaining-tokens", "anthropic-ratelimit-requests-limit", "ratelimit-reset"]
)
def test_hostile_numbers_are_passed_over(name, text):
    assert read_rates({name: text}, NOW) is None


def test_a_number_that_is_hostile_leaves_its_neighbours():
    headers = {"x-ratelimit-limit-requests": "-9", "x-ratelimit-remaining-requests": "5"}
    assert read_rates(headers, NOW) == Rates(requests=Allowance(None, 5))


NAMES = st.sampled_from(
    [f"x-ratelimit-{part}-{what}" for part in ("limit", "remaining", "reset") for what in ("requests", "tokens")]
    + [f"anthropic-ratelimit-{what}-{part}" for part in ("limit", "reset") for what in ("tokens", "input-tokens")]
    + ["RateLimit", "RateLimit-Policy", "RateLimit-Limit", "RateLimit-Reset", "Retry-After", "retry-after-ms"]
)
TEXTS = (
    st.text(st.characters())
    | st.floats().map(str)
    | st.integers().map(str)
    | st.datetimes().map(str)
    | st.from_regex(r'"[a-z]*"(;[rtqw]=[0-9]{0,20})*(, ?"t";r=[0-9]+)?', fullmatch=True)
    | st.from_regex(r"([0-9]{1,20}(ms|s|m|h|d))+", fullmatch=True)
)


@given(st.dictionaries(NAMES, TEXTS))
@example({"RateLimit": '"' * 5000, "RateLimit-Policy": '"a";q=1;w=0'})
@example({"x-ratelimit-reset-tokens": "9999-12-31T23:59:59-23:59"})
@example({"x-ratelimit-reset-tokens": "0001-01-01T00:00:00+23:59"})
def test_any_headers_give_sane_numbers_or_nothing(headers):
    rates = read_rates(headers, NOW)
    for one in (rates.requests, rates.tokens) if rates else ():
        assert one.limit is None or 0 <= one.limit < 10**17
        assert one.left is None or 0 <= one.left < 10**15
        assert one.resets_in is None or (one.resets_in >= 0 and math.isfinite(one.resets_in))
    wait = wait_asked(CIMultiDict(headers), rates, NOW)
    assert wait is None or (wait >= 0 and math.isfinite(wait))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (sent(Retry_After="7"), 7.0),
        (sent(Retry_After="7", retry_after_ms="250"), 0.25),
        (sent(Retry_After="7", retry_after_ms="soon"), 7.0),
        (sent(Retry_After=email.utils.formatdate(NOW + 90, usegmt=True)), 90.0),
        (sent(Retry_After="2", x_ratelimit_remaining_tokens="0", x_ratelimit_reset_tokens="9s"), 2.0),
        (sent(x_ratelimit_remaining_tokens="0", x_ratelimit_reset_tokens="9s"), 9.0),
        (sent(x_ratelimit_remaining_tokens="1", x_ratelimit_reset_tokens="9s"), None),
        (
            sent(
                x_ratelimit_remaining_tokens="0",
                x_ratelimit_reset_tokens="9s",
                x_ratelimit_remaining_requests="0",
                x_ratelimit_reset_requests="1m",
            ),
            60.0,
        ),
        (sent(x_ratelimit_remaining_tokens="0"), None),
        (sent(), None),
    ],
)
def test_how_long_an_endpoint_asks_to_wait(headers, seconds):
    assert wait_asked(headers, read_rates(headers, NOW), NOW) == seconds


def test_a_rate_limit_may_say_a_date():
    assert retry_after(email.utils.formatdate(NOW + 90, usegmt=True), NOW) == 90.0
    assert retry_after(email.utils.formatdate(NOW - 90, usegmt=True), NOW) == 0.0


@given(st.text(st.characters()) | st.floats().map(str) | st.sampled_from(HOSTILE))
def test_any_retry_after_is_a_time_or_nothing(text):
    seconds = retry_after(text, 0.0)
    assert seconds is None or 0.0 <= seconds < float("inf")
