"""Amounts that people write: exact, or refused with a reason."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.building.money import about, micro_units
from synth.models.prices import dollars


@pytest.mark.parametrize(
    ("written", "micro"),
    [
        ("5", 5_000_000),
        ("0.25", 250_000),
        (" 0.000001 ", 1),
        ("0.100000000", 100_000),
        (0.15, 150_000),
        (0.1, 100_000),
        (1e-6, 1),
        (3, 3_000_000),
        (0, 0),
        ("-0", 0),
        ("1000000", 10**12),
    ],
)
def test_an_amount_is_exact(written, micro):
    assert micro_units(written) == micro


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("$5", "leave the currency out"),
        ("5 USD", "leave the currency out"),
        ("5\N{EURO SIGN}", "leave the currency out"),
        ("0,25", "a decimal point"),
        ("1_000", "is not an amount"),
        ("1e3", "is not an amount"),
        ("nan", "is not an amount"),
        ("\N{ARABIC-INDIC DIGIT FIVE}", "is not an amount"),
        ("", "is not an amount"),
        (".5", "is not an amount"),
        (True, "is not an amount"),
        (None, "is not an amount"),
        (float("inf"), "is not an amount"),
        (float("nan"), "is not an amount"),
        ("-1", "is below zero"),
        (-0.5, "is below zero"),
        (10**400, "is more than"),
        (1e300, "is more than"),
        ("1000000.000001", "is more than"),
        ("0.0000001", "is finer than"),
        (1e-7, "is finer than"),
        ("0.1000000000000000000000000000000000001", "is finer than"),
    ],
)
def test_what_is_no_amount_is_told_how_to_be_written(written, says):
    with pytest.raises(ValueError, match=r"such as 5 or 0\.25") as fault:
        micro_units(written)
    assert says in str(fault.value)


@given(micro=st.integers(0, 10**12))
def test_every_amount_survives_text_and_number(micro):
    text = str(Decimal(micro).scaleb(-6).normalize().__format__("f"))
    assert micro_units(text) == micro
    assert micro_units(float(text)) == micro
    assert micro_units(dollars(micro).removeprefix("$").replace(",", "")) == micro


@given(st.one_of(st.text(max_size=12), st.floats(), st.integers(), st.booleans(), st.none()))
def test_whatever_is_written_is_an_amount_or_a_value_error(value):
    try:
        micro = micro_units(value)
    except ValueError:
        return
    assert 0 <= micro <= 10**12


def test_money_is_read_as_people_read_it():
    assert [dollars(one) for one in (0, 250_000, 1_234_500_000, 12, -1_500_000)] == [
        "$0.00",
        "$0.25",
        "$1,234.50",
        "$0.000012",
        "-$1.50",
    ]
    assert [about(one) for one in (12, 999_999, 1_000_001, 6_717_328)] == ["$0.000012", "$0.999999", "$1.01", "$6.72"]
