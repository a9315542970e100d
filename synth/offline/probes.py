"""Answer a judge's probes by looking lines up: what the found lines of a reply carry is there, and what nothing is known of is weaker."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from synth.content.markup import Line
from synth.content.phrasings import FOLDER, Phrasing, read_phrasing
from synth.content.pools import Pool
from synth.content.shelves import Shelves
from synth.offline.lookup import ANYTHING, Found, Index, line_pattern, raised_lines

_PEOPLE: Final = frozenset({"S", "A", "X"})
_NAME: Final = r"(?:\p{Lu}\p{Ll}{0,3}\. ?)?[\p{L}\p{N}][\p{L}\p{M}\p{N}'’ʼ‘ ・·＝_\-‐]{0,60}?"
"""A name or a title with one: no sentence ends in it but after a title."""
_DEEPEST: Final = 4
_WHOLE: Final = frozenset({"intent", "address"})

Verdict = tuple[str, str]
"""(yes, weaker or no; the words that show it, or nothing)."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of a line of a reply: whether it is honest, what its slots state, and what may fill them."""

    honest: bool
    states: frozenset[str]
    slots: Slots


class Slots:
    """What may fill the slots of one phrasing, as patterns."""

    def __init__(self, phrasing: Phrasing) -> None:
        self._lines: dict[str, list[Line]] = {}
        for slots in (*(world.slots for world in phrasing.worlds.values()), phrasing.slots):
            for name, pool in slots.items():
                self._lines.setdefault(name, []).extend(line for _, line in pool.walk())
        self._patterns: dict[str, str] = {}

    def pattern(self, name: str, depth: int = 0) -> str:
        """Give the pattern of what may fill a slot: its lines, longest first; a name may be any."""
        if name.partition(".")[0] in _PEOPLE or depth > _DEEPEST:
            return _NAME
        if name not in self._patterns:
            self._patterns[name] = self._made(name, depth)
        return self._patterns[name]

    def _made(self, name: str, depth: int) -> str:
        lines = self._lines.get(name) or self._lines.get(_small(name))
        if not lines:
            return ANYTHING
        sources = dict.fromkeys(unicodedata.normalize("NFC", line.source) for line in lines)
        spoken = sources if name in self._lines else dict.fromkeys(raised_lines(sources))
        patterns = (line_pattern(source, lambda inner: self.pattern(inner, depth + 1)) for source in spoken)
        return f"(?:{'|'.join(sorted(patterns, key=len, reverse=True))})"

    def states(self, line: Line) -> frozenset[str]:
        """Give the slots of a line and of what fills them, as facts are named by them: small, and without the mark of the impersonal twin."""
        met: set[str] = set()
        fresh = {_small(name) for name in line.slots()}
        while fresh:
            met |= fresh
            inner = (name for slot in fresh for filling in self._lines.get(slot, ()) for name in filling.slots())
            fresh = {_small(name) for name in inner} - met
        return frozenset(name.rstrip("_") for name in met)


def _small(name: str) -> str:
    return name if name in _PEOPLE else name[:1].lower() + name[1:]


class Judge:
    """An index over the lines of replies, honest and failing, in a language."""

    def __init__(self, shelves: Shelves, language: str) -> None:
        self._shelves = shelves
        self._language = language

    @cached_property
    def _index(self) -> Index[Known]:
        return Index(self._lines(), lambda known: known.slots.pattern, bounded=True)

    def _lines(self) -> Iterator[tuple[Line, Known]]:
        for file in self._shelves.files(f"{FOLDER}/{self._language}"):
            name = file.name.rpartition("/")[2].removesuffix(".yaml")
            yield from _lines_of(read_phrasing(self._shelves, self._language, name))

    def answers(self, reply: str, probes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Give the answer to every probe of a reply, with the words that show it."""
        lines = _covering(reply, self._index.find_all(reply))
        known = _is_covered(reply, lines)
        answers = []
        for probe in probes:
            answer, quote = _verdict(str(probe["id"]), reply, lines, whole=known)
            answers.append({"id": probe["id"], "answer": answer, "quote": quote})
        return answers


def _verdict(probe: str, reply: str, lines: Sequence[Found[Known]], *, whole: bool) -> Verdict:
    if probe in _WHOLE:
        return ("yes" if whole and all(line.known.honest for line in lines) else "weaker"), ""
    fact = probe.removeprefix("fact.")
    for line in lines:
        mark = next((mark for mark in line.marks if mark.name in (fact, f"={probe}")), None)
        if mark is not None:
            return "yes", reply[mark.start : mark.end]
        if fact != probe and fact in line.known.states:
            return "yes", reply[line.start : line.end]
    return ("no" if whole else "weaker"), ""


def _covering(text: str, found: Sequence[Found[Known]]) -> list[Found[Known]]:
    """Give the lines side by side that cover most of a text; of those that cover as much the honest ones, and the fewest."""
    best: list[tuple[tuple[int, int, int], Found[Known] | None, int]] = [((0, 0, 0), None, 0)]
    ending: dict[int, list[Found[Known]]] = {}
    for line in found:
        ending.setdefault(line.end, []).append(line)
    for at in range(1, len(text) + 1):
        best.append((best[at - 1][0], None, at - 1))
        for line in ending.get(at, ()):
            covered, honest, few = best[line.start][0]
            weight = (covered + line.end - line.start, honest + (line.end - line.start) * line.known.honest, few - 1)
            if weight > best[at][0]:
                best[at] = weight, line, line.start
    return _walked_back(best)


def _walked_back(best: Sequence[tuple[tuple[int, int, int], Found[Known] | None, int]]) -> list[Found[Known]]:
    chosen, at = [], len(best) - 1
    while at:
        _, line, before = best[at]
        if line is not None:
            chosen.append(line)
        at = before
    return chosen[::-1]


def _is_covered(text: str, lines: Sequence[Found[Known]]) -> bool:
    """Say whether nothing but spaces stands outside of the lines."""
    edges = [0, *(edge for line in lines for edge in (line.start, line.end)), len(text)]
    return bool(lines) and not any(text[edges[n] : edges[n + 1]].strip() for n in range(0, len(edges), 2))


def _lines_of(phrasing: Phrasing) -> Iterator[tuple[Line, Known]]:
    slots = Slots(phrasing)
    worlds = phrasing.worlds.values()
    honest = [*phrasing.reply.values(), *phrasing.alternative.values()]
    honest += [pool for world in worlds for pool in world.reply.values()]
    spoiled = [
        pool for fail in phrasing.fails.values() for beats in fail.severities.values() for pool in beats.values()
    ]
    spoiled += [pool for world in worlds for beats in world.fails.values() for pool in beats.values()]
    for is_honest, pools in ((True, honest), (False, spoiled)):
        for line in _walked(pools):
            yield line, Known(is_honest, slots.states(line), slots)


def _walked(pools: Iterable[Pool]) -> Iterator[Line]:
    for pool in pools:
        for _, line in pool.walk():
            yield line
