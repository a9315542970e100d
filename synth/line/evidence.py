"""Resolve quotations to code points, and put beats together: offsets are ours, never a model's."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Final

import regex

from synth.records.schema import Edit, FormDifference, Span

_ALONE: Final = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]"
_TOKEN: Final = regex.compile(rf"(?:{_ALONE}|(?:(?!{_ALONE})[\p{{L}}\p{{M}}])+|.)\s*", regex.DOTALL)


class QuoteError(ValueError):
    """A quotation does not stand in its text."""


def normal(text: str) -> str:
    """Give a text in NFC without white space at its ends: the text that every span counts in."""
    return unicodedata.normalize("NFC", text).strip()


def find_quote(text: str, quote: str, nth: int = 0) -> Span:
    """Give where the `nth` occurrence of a quotation stands, in code points.

    Raises:
        QuoteError: it does not stand there that often.
    """
    wanted, at = normal(quote), -1
    for _ in range(nth + 1):
        at = text.find(wanted, at + 1) if wanted else -1
        if at < 0:
            raise QuoteError(f"{quote[:80]!r} is not in the text")
    return Span(at, at + len(wanted))


def join_beats(beats: Mapping[str, str], joiner: str) -> str:
    """Give the text of a reply."""
    return joiner.join(beats.values())


def edits_between(parent: Mapping[str, str], reply: Mapping[str, str], joiner: str) -> tuple[Edit, ...]:
    """Give one edit for each replaced beat, common words at its ends trimmed; applying them to the parent gives the reply."""
    found, old_at, new_at = [], 0, 0
    for name, old in parent.items():
        new = reply[name]
        if old != new:
            head, tail = _common_ends(tokens_of(old), tokens_of(new))
            found.append(Edit(old_at + head, old_at + len(old) - tail, new_at + head, new_at + len(new) - tail, name))
        old_at += len(old) + len(joiner)
        new_at += len(new) + len(joiner)
    return tuple(found)


def _common_ends(one: Sequence[str], other: Sequence[str]) -> tuple[int, int]:
    """Give how many code points two token lists share at their beginnings, and at their ends after that."""
    head = _common(one, other)
    tail = _common(one[head:][::-1], other[head:][::-1])
    return sum(map(len, one[:head])), sum(map(len, one[len(one) - tail :]))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    size = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        size += 1
    return size


def form_difference(base: str, text: str) -> tuple[FormDifference, ...]:
    """Give what changed between the first form's turn and this one's, as stretches of both texts."""
    before, after = tokens_of(base), tokens_of(text)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    old, new = _offsets(before), _offsets(after)
    return tuple(
        FormDifference(old[a], old[b], new[c], new[d]) for tag, a, b, c, d in matcher.get_opcodes() if tag != "equal"
    )


def tokens_of(text: str) -> list[str]:
    """Give words and single other characters, each with the space after it; in a script without spaces every character.

    Spaces of their own would be the commonest token, and a difference takes time by how often a token recurs.
    """
    return list(_TOKEN.findall(text))


def _offsets(tokens: Sequence[str]) -> list[int]:
    at, found = 0, [0]
    for token in tokens:
        at += len(token)
        found.append(at)
    return found
