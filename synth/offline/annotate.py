"""Annotate by looking lines up: the offline annotator knows only what it could have said itself, and says nothing where it does not know."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import regex

from synth.content.markup import Line
from synth.content.phrasings import FOLDER, Phrasing, read_phrasing
from synth.content.scenarios import Family, read_family
from synth.content.shelves import Shelves
from synth.records.labels import Explicitness


@dataclass(frozen=True, slots=True)
class Known:
    """A line that the annotator knows: the words that never vary, its source, and the labels that follow from it."""

    anchor: str
    source: str
    labels: tuple[tuple[str, str], ...]


class Reader:
    """An index over the feeling lines and masked lines of a language."""

    def __init__(self, shelves: Shelves, language: str) -> None:
        self._known: list[Known] = []
        for file in shelves.files(f"{FOLDER}/{language}"):
            name = file.name.rpartition("/")[2].removesuffix(".yaml")
            phrasing, family = read_phrasing(shelves, language, name), read_family(shelves, name)
            self._known.extend(_lines_of(phrasing, family))

    def labels(self, text: str) -> list[dict[str, Any]]:
        """Give the labels of a turn with the words that show them; none where no line of ours stands in it."""
        for known in self._known:
            if known.anchor not in text:
                continue
            found = _pattern(known.source).search(text)
            if found:
                evidence = {"quote": found[0], "nth": _nth(text, found[0], found.start()), "share": 1.0}
                return [{"field": field, "value": value, **evidence} for field, value in known.labels]
        return []


def _nth(text: str, words: str, start: int) -> int:
    count, at = 0, text.find(words)
    while at != start:
        count, at = count + 1, text.find(words, at + 1)
    return count


def _lines_of(phrasing: Phrasing, family: Family) -> Iterator[Known]:
    for level in family.emotion.levels:
        for felt, kind in itertools.product(family.emotions_at(level), Explicitness):
            if (level == "masked") != (kind == Explicitness.MASKED):
                continue
            yield from _lines_at(phrasing, family, level, str(felt.label), kind)


def _lines_at(phrasing: Phrasing, family: Family, level: str, emotion: str, kind: Explicitness) -> Iterator[Known]:
    spec = family.emotion.levels[level]  # type: ignore[index]
    labels = (
        ("goal", str(family.goal_at(level))),
        ("emotion", emotion),
        ("felt", str(spec.felt)),
        ("shown", str(spec.shown)),
        ("regulation", str(spec.regulation)),
        ("explicitness", str(kind)),
    )
    pool = phrasing.turn["masked" if kind == Explicitness.MASKED else "feel"]
    for path, line in pool.walk():
        if kind == Explicitness.MASKED or {level, emotion, str(kind)} <= set(path.split("/")):
            yield Known(_anchor(line), line.source, labels)


def _anchor(line: Line) -> str:
    """Give the longest stretch of a line that never varies: a quick test before its pattern is tried."""
    stretches = regex.split(r"<[^<>]*>|\{[^{}]*\}|\[[~=]?[\w.]+\||\]", line.source)
    return str(max(stretches, key=len)).strip()


@lru_cache(maxsize=4096)
def _pattern(source: str) -> regex.Pattern[str]:
    """Give the pattern of a line; made when its anchor is first met, for most lines of a language never are."""
    parts = []
    for part in regex.split(r"(<[^<>]*>|\{[^{}]*\}|\[[~=]?[\w.]+\||\])", source):
        if part.startswith("<"):
            alternatives = part[1:-1].partition(":")[2].split("|")
            parts.append("(?:" + "|".join(_plain(alternative) for alternative in alternatives) + ")")
        elif part.startswith("{"):
            parts.append(r".{1,200}?")
        elif not part.startswith("[") and part != "]":
            parts.append(regex.escape(part))
    head = parts[0] if parts else ""
    if head[:1].isalpha():
        parts[0] = f"[{head[0]}{head[0].upper()}]{head[1:]}"
    return regex.compile("".join(parts), regex.DOTALL)


def _plain(alternative: str) -> str:
    return "".join(
        r".{1,200}?" if part.startswith("{") else regex.escape(part)
        for part in regex.split(r"(\{[^{}]*\})", alternative)
        if part
    )
