"""The marks inside an authored line: parse once, render many times, with exact spans.

`[fact|words]` states a fact, `[~cue|words]` is a cue, `[=aspect|words]` carries an aspect of a reply, `{slot}` is filled, `<key:one|two>` chooses by
agreement. Spans count code points of the rendered NFC text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import regex

_TOKEN: Final = regex.compile(
    r"\[(?P<mark>[~=]?[\w.]+)\||(?P<close>\])|\{(?P<slot>[\w.]+)\}|<(?P<key>\w+):(?P<alternatives>[^<>]*)>"
)
_FIRST_LETTER: Final = regex.compile(r"[^\p{L}\p{N}]*(\p{Ll})")
_LEFTOVER: Final = regex.compile(r"[\[\]{}<>|]")


class MarkupError(ValueError):
    """A line's marks do not resolve; `column` counts code points from one."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class Mark:
    """A rendered mark: its kind (fact ids bare, cues with `~`, aspects with `=`) and half-open code points."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered line: NFC text, its marks, and the slots that it used."""

    text: str
    marks: tuple[Mark, ...]
    slots: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Text:
    text: str


@dataclass(frozen=True, slots=True)
class _Open:
    name: str


@dataclass(frozen=True, slots=True)
class _Close:
    pass


@dataclass(frozen=True, slots=True)
class _Slot:
    name: str


@dataclass(frozen=True, slots=True)
class _Choice:
    key: str
    alternatives: tuple[Line, ...]


def _words(part: _Part, *, first_only: bool) -> str:
    match part:
        case _Text(text):
            return text
        case _Choice(_, alternatives):
            return alternatives[0].bare() if first_only else " ".join(one.bare() for one in alternatives)
        case _:
            return ""


_Part = _Text | _Open | _Close | _Slot | _Choice


@dataclass(frozen=True, slots=True)
class Line:
    """A parsed line."""

    source: str
    parts: tuple[_Part, ...]

    def slots(self) -> frozenset[str]:
        """Give the names of the slots that stand in the line."""
        own = {part.name for part in self.parts if isinstance(part, _Slot)}
        inner = (alt.slots() for part in self.parts if isinstance(part, _Choice) for alt in part.alternatives)
        return frozenset(own.union(*inner))

    def keys(self) -> dict[str, int]:
        """Give the agreement keys that stand in the line, with the number of their alternatives."""
        return {part.key: len(part.alternatives) for part in self.parts if isinstance(part, _Choice)}

    def bare(self) -> str:
        """Give the line's words with the first of its alternatives, without slots and marks."""
        return "".join(_words(part, first_only=True) for part in self.parts)

    def every_word(self) -> str:
        """Give the line's words with all its alternatives side by side, so that a word in any of them is found."""
        return "".join(_words(part, first_only=False) for part in self.parts)

    def marks(self) -> tuple[str, ...]:
        """Give the names of the marks in the line, in order."""
        return tuple(part.name for part in self.parts if isinstance(part, _Open))


@lru_cache(maxsize=65536)
def parse(source: str) -> Line:
    """Give the parsed line.

    Raises:
        MarkupError: marks that nest, are left open or closed twice; characters that no mark explains.
    """
    parts: list[_Part] = []
    opened = end = 0
    for match in _TOKEN.finditer(source):
        _text(source[end : match.start()], end, parts)
        end = match.end()
        if match["mark"]:
            if opened:
                raise MarkupError("marks do not nest", match.start() + 1)
            opened = match.start() + 1
            parts.append(_Open(match["mark"]))
        elif match["close"]:
            if not opened:
                raise MarkupError("] closes no mark", match.start() + 1)
            opened = 0
            parts.append(_Close())
        elif match["slot"]:
            parts.append(_Slot(match["slot"]))
        else:
            alternatives = tuple(_alternative(alt, match.start()) for alt in match["alternatives"].split("|"))
            if len(alternatives) < 2:
                raise MarkupError(f"<{match['key']}:...> has one alternative", match.start() + 1)
            parts.append(_Choice(match["key"], alternatives))
    _text(source[end:], end, parts)
    if opened:
        raise MarkupError("a mark is left open", opened)
    return Line(source, tuple(parts))


def _alternative(source: str, at: int) -> Line:
    line = parse(source)
    if any(not isinstance(part, _Text | _Slot) for part in line.parts):
        raise MarkupError("an alternative holds text and slots only", at + 1)
    return line


def _text(text: str, at: int, parts: list[_Part]) -> None:
    stray = _LEFTOVER.search(text)
    if stray:
        raise MarkupError(f"{stray[0]!r} belongs to no mark", at + stray.start() + 1)
    if text:
        parts.append(_Text(text))


Slots = Callable[[str], "str | Line"]


def render(line: Line, slot: Slots, agreement: Mapping[str, int], *, raise_first: bool = False) -> Rendered:
    """Give the line as text with its marks; `slot` fills a name, `agreement` gives the index of each key.

    Raises:
        KeyError: a slot or an agreement key that is not there.
    """
    out: list[str] = []
    marks: list[tuple[str, int, int]] = []
    used: set[str] = set()
    _render(line, slot, agreement, out, marks, used, 0)
    text = "".join(out)
    if raise_first:
        text = capitalise(text)
    normal = unicodedata.normalize("NFC", text)
    if normal != text:
        moved = [len(unicodedata.normalize("NFC", text[:i])) for _, a, b in marks for i in (a, b)]
        marks = [(name, moved[2 * i], moved[2 * i + 1]) for i, (name, _, _) in enumerate(marks)]
    return Rendered(normal, tuple(Mark(*mark) for mark in marks), frozenset(used))


def _length(out: Sequence[str]) -> int:
    return sum(map(len, out))


def _render(
    line: Line,
    slot: Slots,
    agreement: Mapping[str, int],
    out: list[str],
    marks: list[tuple[str, int, int]],
    used: set[str],
    depth: int,
) -> None:
    if depth > 4:
        raise KeyError(f"slots of {line.source!r} go round in a circle")
    start = name = None
    for part in line.parts:
        match part:
            case _Text(text):
                out.append(text)
            case _Open(mark):
                start, name = _length(out), mark
            case _Close():
                assert start is not None
                assert name is not None
                marks.append((name, start, _length(out)))
            case _Choice(key, alternatives):
                _render(alternatives[agreement[key]], slot, agreement, out, marks, used, depth)
            case _Slot(wanted):
                used.add(wanted[0].lower() + wanted[1:] if wanted not in ("S", "A", "X") else wanted)
                _fill(wanted, slot, agreement, out, used, depth)


def _fill(wanted: str, slot: Slots, agreement: Mapping[str, int], out: list[str], used: set[str], depth: int) -> None:
    try:
        value, raised = slot(wanted), False
    except KeyError:
        lowered = wanted[0].lower() + wanted[1:]
        if lowered == wanted:
            raise
        value, raised = slot(lowered), True
    inner: list[str] = []
    if isinstance(value, str):
        inner.append(value)
    else:
        _render(value, slot, agreement, inner, [], used, depth + 1)
    text = "".join(inner)
    out.append(capitalise(text) if raised else text)


def capitalise(text: str) -> str:
    """Raise the first letter, where the script has case and the letter is not raised yet."""
    first = _FIRST_LETTER.match(text)
    if not first:
        return text
    at = first.start(1)
    raised = text[at].upper()
    return text if len(raised) != 1 else text[:at] + raised + text[at + 1 :]
