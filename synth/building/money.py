"""Money as people write and read it: US dollars in decimal text, exact, never by way of binary fractions; inside it is an integer of micro-units."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Final

from synth.models.prices import dollars

__all__ = ["MICRO", "MOST", "about", "micro_units"]

MICRO: Final = 1_000_000
"""Micro-units in one US dollar."""
MOST: Final = 1_000_000
"""Dollars above which an amount, or a price for a million tokens, is taken for a mistake."""

_AMOUNT: Final = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,40})?")
_HOW: Final = "write US dollars as a plain number with at most six decimals, such as 5 or 0.25"


def micro_units(value: object) -> int:
    """Give the micro-units of an amount in US dollars: decimal text, or a number.

    A number is taken as its shortest decimal spelling, which is what a person wrote: 0.15 is 150,000, whatever its binary fraction.

    Raises:
        ValueError: not an amount, below zero, above a million dollars, or finer than a micro-unit; says how to write one and quotes nothing.
    """
    amount = _exact(value)
    if amount < 0:
        raise ValueError(f"is below zero; {_HOW}")
    if amount > MOST:
        raise ValueError(f"is more than {MOST:,} US dollars; {_HOW}")
    exact = amount * MICRO
    if exact.denominator != 1:
        raise ValueError(f"is finer than a millionth of a US dollar; {_HOW}")
    return exact.numerator


def _exact(value: object) -> Fraction:
    if isinstance(value, str):
        text = value.strip()
        if not _AMOUNT.fullmatch(text):
            raise ValueError(f"is not an amount{_slip(text)}; {_HOW}")
        return Fraction(text)
    if isinstance(value, float) and math.isfinite(value):
        return Fraction(repr(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value)
    raise ValueError(f"is not an amount; {_HOW}")


def _slip(text: str) -> str:
    """Give what is wrong with an amount where it is a known slip."""
    if any(sign in text for sign in ("$", "\N{EURO SIGN}", "USD", "usd")):
        return " (leave the currency out)"
    return " (a decimal point, no comma)" if "," in text else ""


def about(micro: int) -> str:
    """Give micro-units as people read an estimate: rounded up to whole cents from one US dollar on."""
    cents = MICRO // 100
    return dollars(micro if micro < MICRO else -(-micro // cents) * cents)
