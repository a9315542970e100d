"""Words of a text, or its letters one by one where the script has no spaces."""

from __future__ import annotations

from typing import Final

import regex

UNSPACED: Final = frozenset({"ja", "zh", "th"})
_WORD: Final = regex.compile(r"[\p{L}\p{M}\p{N}'’]+")


def words_of(text: str, language: str) -> list[str]:
    """Give the case-folded words of a text; letters in ja, zh, th."""
    found = _WORD.findall(text.casefold())
    return [letter for word in found for letter in word] if language in UNSPACED else found
