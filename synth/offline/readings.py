"""What a scene of ours says: the cells that its lines fit best, and the words that show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from synth.content.scenarios import Family
from synth.offline.lookup import Authored, Found

Labels = Mapping[str, str]
"""A label by its field."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of a line: its family, the keys under which it is spoken and not spoken, the (level, emotion, kind) that its feeling can be."""

    family: Family
    needs: frozenset[str]
    bars: frozenset[str]
    felt: tuple[tuple[str, str, str], ...] = ()

    def fits(self, family: Family, axes: frozenset[str]) -> bool:
        """Say whether the line can be spoken in a family's scene of these keys."""
        return family is self.family and self.needs <= axes and not self.bars & axes


@dataclass(frozen=True, slots=True)
class Place:
    """Words of a scene: the text they stand in, and their half-open code points."""

    text: str
    start: int
    end: int

    @property
    def words(self) -> str:
        """The words."""
        return self.text[self.start : self.end]

    @property
    def nth(self) -> int:
        """How many places before it hold the same words."""
        count, at = 0, self.text.find(self.words)
        while at != self.start:
            count, at = count + 1, self.text.find(self.words, at + 1)
        return count


@dataclass(frozen=True, slots=True)
class Told:
    """A line of ours whose anchor stands in a text; `found` is where the whole of it stands, where that was looked for."""

    text: str
    line: Authored[Known]
    found: Found[Known] | None = None

    @property
    def known(self) -> Known:
        """What is known of the line."""
        return self.line.known

    def whole(self) -> Place | None:
        """Give all its words; None where the text holds but a part of them."""
        found = self.found or self.line.find(self.text)
        return None if found is None else Place(self.text, found.start, found.end)


@dataclass(frozen=True, slots=True)
class Reading:
    """Every set of labels that fits a scene best (one, but for lines that two cells share), the line of its feeling, and its family's lines."""

    fitting: tuple[Labels, ...]
    feeling: Told
    lines: tuple[Told, ...]

    def values(self, field: str) -> tuple[str, ...]:
        """Give what a field can be; more than one value where the words do not decide."""
        return tuple(dict.fromkeys(labels[field] for labels in self.fitting if field in labels))

    def evidence(self, field: str) -> Place | None:
        """Give the words that show a field; None where no words of a turn do."""
        if field != "power_form":
            return self.feeling.whole()
        forms = set(self.values(field))
        showing = [told for told in self.lines if told.known.needs & forms]
        # the lines begin with those of the last turn: it is the one that is asked about
        last = [told for told in showing if told.text == showing[0].text]
        for told in sorted(last, key=lambda told: told.line.size, reverse=True):
            place = told.whole()
            if place is not None:
                return place
        return None

    def cues(self) -> Iterator[tuple[str, Place]]:
        """Give every cue of a masked line, as (kind, words)."""
        for mark in self.feeling.found.marks if self.feeling.found else ():
            if mark.name.startswith("~"):
                yield mark.name[1:], Place(self.feeling.text, mark.start, mark.end)
