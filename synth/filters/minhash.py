"""MinHash signatures of our own (Broder 1997): a stored format must not change under a build.

Text is NFKC, case-folded, without punctuation, symbols, separators and controls, marks kept; shingles are runs of
characters. 128 minima in 32 bands of 4: two texts of Jaccard similarity s share a band with probability 1 - (1 -
s**4)**32, .99 at s = .6, .87 at .5.
"""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Final

import numpy as np
from numpy.typing import NDArray

SIGNATURE_VERSION: Final = 1
"""The stored format: any change below of normalisation, shingle hash, constants or byte order raises it."""

PERMUTATIONS: Final = 128
BANDS: Final = 32
ROWS: Final = PERMUTATIONS // BANDS
SHINGLE: Final = 5
SHINGLE_UNSPACED: Final = 3

_RADIX: Final = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio, odd (Knuth, multiplicative hashing)
_MIX: Final = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53))  # finaliser of MurmurHash3

Minima = NDArray[np.uint32]
Keys = NDArray[np.uint64]


def _constants(name: str, count: int) -> NDArray[np.uint32]:
    """Give fixed 32-bit constants: BLAKE2b-32 of "synth-minhash-1:<name>:<index>", little-endian."""
    words = (hashlib.blake2b(f"synth-minhash-1:{name}:{i}".encode(), digest_size=4).digest() for i in range(count))
    return np.frombuffer(b"".join(words), dtype="<u4").astype(np.uint32)


_MULTIPLIERS: Final = (_constants("multiplier", PERMUTATIONS) | np.uint32(1))[:, None]
_FLIPS: Final = _constants("flip", PERMUTATIONS)[:, None]
_BAND_WEIGHTS: Final = _constants("band", PERMUTATIONS * 2).view("<u8").reshape(BANDS, ROWS) | np.uint64(1)


class _Strip(dict[int, int | None]):
    """A table for str.translate that learns: None for punctuation, symbols, separators and controls (P S Z C)."""

    def __missing__(self, code: int) -> int | None:
        kept = None if unicodedata.category(chr(code))[0] in "PSZC" else code
        self[code] = kept
        return kept


_STRIP: Final = _Strip()


def normalise(text: str) -> str:
    """Give what is compared of a text; normalising again changes nothing.

    Marks are letters' parts in Hindi and Thai and stay. Stripping can bring a base and a mark together, and folding can
    undo a composition, so the steps are repeated until they rest (nearly always at once).
    """
    while True:
        done = unicodedata.normalize("NFKC", text).casefold().translate(_STRIP)
        if done.isascii() or unicodedata.normalize("NFKC", done).casefold() == done:
            return done
        text = done


def shingle_hashes(plain: str, length: int) -> NDArray[np.uint32]:
    """Give a 32-bit hash of each run of `length` characters (the whole text where it is shorter), repeats included."""
    codes = np.frombuffer(plain.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    count = max(1, len(codes) - length + 1)
    hashes = codes[:count].copy()
    for offset in range(1, min(length, len(codes))):
        hashes *= _RADIX
        hashes += codes[offset : offset + count]
    for factor in _MIX:
        hashes ^= hashes >> np.uint64(33)
        hashes *= factor
    return (hashes >> np.uint64(32)).astype(np.uint32)


def minima(plain: str, length: int) -> Minima:
    """Give the signature: 128 minima, uint32, of (hash XOR flip) * multiplier modulo 2**32."""
    hashes = np.unique(shingle_hashes(plain, length))
    mixed = hashes ^ _FLIPS
    mixed *= _MULTIPLIERS
    return mixed.min(axis=1)  # type: ignore[no-any-return]


def band_keys(signature: Minima) -> Keys:
    """Give the 32 bucket keys of a signature; a band's number is part of its key."""
    mixed: Keys = (signature.reshape(BANDS, ROWS).astype(np.uint64) * _BAND_WEIGHTS).sum(axis=1, dtype=np.uint64)
    mixed ^= mixed >> np.uint64(29)
    mixed += np.arange(BANDS, dtype=np.uint64) * _RADIX
    return mixed


def similarity(one: Minima, others: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Give the estimated Jaccard similarity of one signature with each of n: the share of equal minima."""
    return (others == one).mean(axis=1)  # type: ignore[no-any-return]
