"""Find authored lines again in a text: an index by the words of a line that never vary, and the pattern of the whole line."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import regex

from synth.content.markup import Line, Mark

T = TypeVar("T")

ANYTHING: Final = r".{1,200}?"
"""What fills a slot of which nothing is known."""

_GRAM: Final = 6
_STEP: Final = 6
"""Anchors are found by stretches of `_GRAM` letters: a text is looked at in every `_STEP`-th place, an anchor is known by as many first ones."""
_TELLING: Final = _GRAM + _STEP - 1
_PARTS: Final = regex.compile(r"(<[^<>]*>|\{[^{}]*\}|\[[~=]?[\w.]+\||\])")
_SLOTS: Final = regex.compile(r"(\{[^{}]*\})")
_WORD: Final = regex.compile(r"[\p{L}\p{N}]")
_FIRST: Final = regex.compile(r"([^\p{L}\p{N}]*)(\p{Ll})(.*)", regex.DOTALL)

Slot = Callable[[str], str]
"""The name of a slot -> the pattern of what may fill it."""


def any_slot(_name: str) -> str:
    """Give the pattern of a slot that may hold anything."""
    return ANYTHING


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A line that stands in a text: what was known of it, where it stands in half-open code points, and its marks."""

    known: T
    start: int
    end: int
    marks: tuple[Mark, ...]


@dataclass(slots=True, eq=False)
class Authored(Generic[T]):
    """An authored line in an index: what is known of it, its place among the others, its source in NFC, and its anchors: one of them it always holds."""

    known: T
    place: int
    source: str
    anchors: tuple[str, ...]
    slot: Slot
    bounded: bool
    names: tuple[str, ...] = ()
    compiled: regex.Pattern[str] | None = None

    @property
    def size(self) -> int:
        """How many letters of it are sure to stand where it stands."""
        return len(self.anchors[0])

    @property
    def telling(self) -> bool:
        """Whether an anchor alone is long enough to tell the line from chance."""
        return self.size >= _TELLING

    def find(self, text: str) -> Found[T] | None:
        """Give its first place in a text, or None."""
        match = self._pattern().search(text)
        return None if match is None else self._at(match)

    def find_all(self, text: str) -> list[Found[T]]:
        """Give every place of it in a text."""
        return [self._at(match) for match in self._pattern().finditer(text)]

    def _pattern(self) -> regex.Pattern[str]:
        # made when the anchor is first met, for most lines of a language never are: a millisecond each
        if self.compiled is None:
            self.names = tuple(name[1:-1] for name in _PARTS.findall(self.source) if name.startswith("["))
            made = line_pattern(self.source, self.slot, marked=True)
            self.compiled = regex.compile(_bounded(made, self.source) if self.bounded else made, regex.DOTALL)
        return self.compiled

    def _at(self, match: regex.Match[str]) -> Found[T]:
        marks = tuple(Mark(name, *match.span(number)) for number, name in enumerate(self.names, 1))
        return Found(self.known, match.start(), match.end(), marks)


class Index(Generic[T]):
    """Lines by their anchors, in the order in which they were given."""

    def __init__(
        self, lines: Iterable[tuple[Line, T]], slots: Callable[[T], Slot] | None = None, *, bounded: bool = False
    ) -> None:
        """Keep the lines.

        Args:
            lines: Each with what is known of it.
            slots: Gives what may fill the slots of a line; anything where it is left out.
            bounded: Whether a slot at an edge of a line ends where a sentence does: of lines that stand side by side.
        """
        self._by_gram: dict[str, list[tuple[str, Authored[T]]]] = {}
        self._short: list[Authored[T]] = []
        for place, (line, known) in enumerate(lines):
            source = unicodedata.normalize("NFC", line.source)
            slot = any_slot if slots is None else slots(known)
            self._keep(Authored(known, place, source, anchors_of(source), slot, bounded))

    def _keep(self, line: Authored[T]) -> None:
        if not line.telling:
            self._short.append(line)
            return
        for anchor in line.anchors:
            for at in range(_STEP):
                self._by_gram.setdefault(anchor[at : at + _GRAM], []).append((anchor, line))

    def met(self, text: str) -> list[Authored[T]]:
        """Give the lines whose anchors stand in a text, in their order: those that may stand there."""
        grams, met = self._by_gram, [line for line in self._short if line.anchors[0] in text]
        for at in range(0, len(text) - _GRAM + 1, _STEP):
            for anchor, line in grams.get(text[at : at + _GRAM], ()):
                if anchor in text and line not in met:
                    met.append(line)
        return sorted(met, key=_place)

    def find(self, text: str) -> list[Found[T]]:
        """Give the first place of every line that stands in a text, in the order of the lines."""
        return [found for line in self.met(text) if (found := line.find(text)) is not None]

    def find_all(self, text: str) -> list[Found[T]]:
        """Give every place of every line that stands in a text, in the order of the lines."""
        return [found for line in self.met(text) for found in line.find_all(text)]


def _place(line: Authored[T]) -> int:
    return line.place


def anchors_of(source: str) -> tuple[str, ...]:
    """Give the longest stretch of a line that never varies, or, where it is short, the alternatives of which one must stand there; shortest first."""
    parts = [part for part in _PARTS.split(source) if part.strip() and part[0] not in "[]{"]
    first = next((number for number, part in enumerate(parts) if _WORD.search(part)), None)
    if first is not None:  # a line's first letter is raised where it is spoken
        parts[first] = _lowered(parts[first])
    sure = max((part.strip() for part in parts if not part.startswith("<")), key=len, default="")
    if len(sure) >= _TELLING:
        return (sure,)
    choices = [sorted(_alternatives(part), key=len) for part in parts if part.startswith("<") and "{" not in part]
    best = max(choices, key=lambda choice: len(choice[0]), default=[""])
    return tuple(best) if len(best[0]) >= _TELLING else (sure,)


def _alternatives(choice: str) -> list[str]:
    return [alternative.strip() for alternative in choice[1:-1].partition(":")[2].split("|")]


def _lowered(part: str) -> str:
    """Give a line's first part without what may be raised in it."""
    if not part.startswith("<"):
        return _after_first(part)
    key, colon, _ = part.partition(":")
    return f"{key}{colon}{'|'.join(map(_after_first, _alternatives(part)))}>"


def _after_first(stretch: str) -> str:
    found = _FIRST.fullmatch(stretch)
    return found[3] if found else stretch


def line_pattern(source: str, slot: Slot, *, marked: bool = False) -> str:
    """Give the pattern of a line as people may speak it: alternatives by agreement, slots filled, its first letter raised.

    Args:
        source: The line with its marks, in NFC.
        slot: What may fill its slots.
        marked: Whether each mark is a group.
    """
    parts, first = [], True
    for part in _PARTS.split(source):
        if part.startswith("["):
            parts.append("(" if marked else "(?:")
        elif part == "]":
            parts.append(")")
        elif part:
            made = _spoken(part, slot)
            parts.append(_raised(made, part) if first else made)
            first = first and not _WORD.search(part)
    return "".join(parts)


def _bounded(pattern: str, source: str) -> str:
    parts = [part for part in _PARTS.split(source) if part and part[0] not in "[]"]
    before = r"(?<![\p{L}\p{M}\p{N}])" if parts[0].startswith("{") else ""
    after = r"(?=$|[\p{P}\n])" if parts[-1].startswith("{") else ""
    return before + pattern + after


def _spoken(part: str, slot: Slot) -> str:
    if part.startswith("<"):
        alternatives = part[1:-1].partition(":")[2].split("|")
        return f"(?:{'|'.join(_filled(alternative, slot) for alternative in alternatives)})"
    return _filled(part, slot)


def _filled(text: str, slot: Slot) -> str:
    return "".join(
        slot(part[1:-1]) if part.startswith("{") else regex.escape(part) for part in _SLOTS.split(text) if part
    )


def _raised(made: str, part: str) -> str:
    """Give the pattern of a line's first part, whose first letter may be raised."""
    if part.startswith("{"):
        return made
    if part.startswith("<"):
        return f"(?i:{made})"
    found = _FIRST.fullmatch(part)
    if not found:
        return made
    before, letter, rest = found.groups()
    return f"{regex.escape(before)}[{letter}{letter.upper()}]{regex.escape(rest)}"


def raised_lines(lines: Iterable[str]) -> Iterator[str]:
    """Give lines, and each once more with its first letter raised."""
    for line in lines:
        yield line
        found = _FIRST.fullmatch(line)
        if found:
            yield found[1] + found[2].upper() + found[3]
