"""Prices: what a call costs, in integers, so that sums are exact.

A price is in micro-units of the currency (a millionth of a US dollar) for a million tokens, so 0.15 USD a million is 150,000. A call's cost is rounded
up to a whole micro-unit, once for each call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from synth.models.base import Usage

_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Micro-units for a million tokens read, written, and read from the provider's prompt cache (None: as those read)."""

    read: int
    written: int
    cached: int | None = None

    def cost(self, usage: Usage) -> int:
        """Give the micro-units of one call, rounded up."""
        cached = min(usage.tokens_cached, usage.tokens_in)
        price_cached = self.read if self.cached is None else self.cached
        parts = (usage.tokens_in - cached) * self.read + cached * price_cached + usage.tokens_out * self.written
        return -(-parts // _MILLION)

    def most(self, tokens_in: int, tokens_out: int) -> int:
        """Give the most micro-units that a call of so many tokens can cost."""
        return (
            self.cost(Usage(tokens_in, tokens_out))
            if self.cached is None or self.cached <= self.read
            else (-(-(tokens_in * self.cached + tokens_out * self.written) // _MILLION))
        )


FREE: Final = Price(0, 0)
"""What the embedded model and a person's own machine cost."""


def dollars(micro_units: int) -> str:
    """Give micro-units as people read US dollars: cents, and as many more decimals as there are: `$0.25`, `$1,234.50`, `$0.000012`."""
    whole, rest = divmod(abs(micro_units), _MILLION)
    sign = "-" if micro_units < 0 else ""
    decimals = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}${whole:,}.{decimals}"
