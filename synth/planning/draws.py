"""Named draws that do not disturb each other: weighted rendezvous hashing in integer arithmetic.

An option wins by its own hash of (slot, name of the draw, option). Adding an option moves only the slots that it wins, adding a draw moves nothing, and no
generator's stream or library version is involved (measured: a factor added to a sequential stream changed every cell).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

_FRACTION_BITS: Final = 20
_TABLE_BITS: Final = 12
_MASK: Final = 0xFFFF_FFFF_FFFF_FFFF


def key_of(text: str) -> int:
    """Give the 64-bit key of a text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _logarithms() -> Any:
    """Give floor(2^20 log2(1 + i/4096)) for i in 0..4095, by repeated squaring of integers."""
    table = []
    for i in range(1 << _TABLE_BITS):
        value, bits = ((1 << _TABLE_BITS) + i) << (62 - _TABLE_BITS), 0
        for _ in range(_FRACTION_BITS):
            value = (value * value) >> 62
            bits <<= 1
            if value >> 63:
                value >>= 1
                bits |= 1
        table.append(bits)
    return np.array(table, dtype=np.uint64)


_LOGARITHM: Final = _logarithms()


def _mixed(values: Any) -> Any:
    """Give the finaliser of splitmix64 (Steele, Lea and Flood 2014) of 64-bit values."""
    values = values ^ (values >> np.uint64(30))
    values = values * np.uint64(0xBF58476D1CE4E5B9)
    values = values ^ (values >> np.uint64(27))
    values = values * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _cost(hashes: Any) -> Any:
    """Give -log2(hash / 2^64) in units of 2^-20: the arrival time of a unit-rate exponential, as integers."""
    exponent = np.frexp((hashes >> np.uint64(11)).astype(np.float64))[1].astype(np.int64) + 10
    exponent = np.maximum(exponent, 0)
    mantissa = (hashes << (np.int64(63) - exponent).astype(np.uint64)) >> np.uint64(63 - _TABLE_BITS)
    fraction = _LOGARITHM[(mantissa & np.uint64((1 << _TABLE_BITS) - 1)).astype(np.int64)]
    return np.uint64(64 << _FRACTION_BITS) - ((exponent.astype(np.uint64) << np.uint64(_FRACTION_BITS)) + fraction)


def pick(keys: Any, name: str, options: Sequence[str], weights: Sequence[int] = ()) -> Any:
    """Give, for each 64-bit slot key, the index of the option that wins the draw `name`.

    `weights` are positive integers; an option of weight w wins w times as often as one of weight 1.

    Raises:
        ValueError: there is no option, or a weight is not positive.
    """
    if not options:
        raise ValueError(f"the draw {name!r} has no option")
    weights = tuple(weights) or (1,) * len(options)
    if len(weights) != len(options) or min(weights) < 1:
        raise ValueError(f"the draw {name!r} needs one positive weight for each option")
    keys = np.atleast_1d(np.asarray(keys, dtype=np.uint64))
    best = np.zeros(len(keys), dtype=np.int64)
    least, highest = np.full(len(keys), _MASK, dtype=np.uint64), np.zeros(len(keys), dtype=np.uint64)
    for number, (option, weight) in enumerate(zip(options, weights, strict=True)):
        hashes = _mixed(keys ^ np.uint64(key_of(f"{name}\x1f{option}")))
        costs = (_cost(hashes) << np.uint64(12)) // np.uint64(weight)
        better = (costs < least) | ((costs == least) & (hashes > highest))
        best[better], least[better], highest[better] = number, costs[better], hashes[better]
    return best


def pick_one(key: int, name: str, options: Sequence[str], weights: Sequence[int] = ()) -> str:
    """Give the option that wins the draw `name` for one slot key."""
    return options[int(pick(np.array([key], dtype=np.uint64), name, options, weights)[0])]
