"""Prove a language's phrasing files: keys, marks, spans, agreement, lexicon, openers, lengths, claims (templates/README.md, Lint).

Every line is rendered in every setting in which it can be spoken, so that a file without faults cannot fail a build.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from synth.content.lexicons import Lexicon, read_lexicon
from synth.content.markup import Line
from synth.content.phrasings import FOLDER, Phrasing, read_phrasing
from synth.content.pools import Pool
from synth.content.reading import place_of
from synth.content.scenarios import Family, read_family
from synth.content.shelves import Shelves
from synth.errors import ContentError, Place
from synth.offline.claims import lengths, reply_faults
from synth.offline.settings import SPOKEN
from synth.offline.words import UNSPACED, words_of
from synth.records.labels import Cue, Explicitness, Stance, Task

LEAST_SHARE: Final = 0.30
_LINE_WORDS: Final = 40
_LINE_POINTS: Final = 90
_TELLING_WORDS: Final = 60
_TELLING_POINTS: Final = 140
_TESTIMONY_WORDS: Final = 130
_TESTIMONY_POINTS: Final = 290
_CUES: Final = frozenset(f"~{cue}" for cue in Cue)


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """A broken rule of a content file; a warning does not fail the check."""

    place: Place
    message: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.place}: {'warning: ' if self.warning else ''}{self.message}"


def check_language(shelves: Shelves, language: str, families: Sequence[str] = ()) -> list[Fault]:
    """Give every fault of a language's phrasing files, or of the named families' files."""
    files = shelves.files(f"{FOLDER}/{language}")
    lexicon = read_lexicon(shelves, language)
    faults: list[Fault] = []
    read: list[Phrasing] = []
    for file in files:
        name = file.name.rpartition("/")[2].removesuffix(".yaml")
        try:
            phrasing, family = read_phrasing(shelves, language, name), read_family(shelves, name)
        except ContentError as error:
            faults.append(Fault(error.place or Place(file.name), f"{error.message} {error.hint}".strip()))
            continue
        read.append(phrasing)
        if not families or name in families:
            faults.extend(FileCheck(phrasing, family, lexicon).faults())
    faults.extend(fault for fault in _openers(read) if not families or _of(fault, families))
    return list(dict.fromkeys(faults))


def _of(fault: Fault, families: Sequence[str]) -> bool:
    return any(fault.place.file.endswith(f"/{family}.yaml") for family in families)


def _openers(read: Sequence[Phrasing]) -> Iterator[Fault]:
    """No two lines that people speak open with the same three words (six letters in ja, zh, th)."""
    seen: dict[tuple[str, ...], tuple[Phrasing, str]] = {}
    for phrasing in read:
        count = 6 if phrasing.language in UNSPACED else 3
        spoken: list[tuple[str, Line]] = [p for pool in phrasing.turn.values() for p in pool.walk()]
        spoken += [
            (f"worlds/{w.name}/what/{n}", line) for w in phrasing.worlds.values() for n, line in enumerate(w.what)
        ]
        spoken += [p for pool in phrasing.reply.values() for p in pool.walk()]
        for path, line in spoken:
            if line.parts and isinstance(line.source, str) and line.source.startswith("{"):
                continue  # opens with a slot: what is said there differs by world
            opening = tuple(words_of(line.bare(), phrasing.language)[:count])
            if len(opening) < count:
                continue
            other = seen.setdefault(opening, (phrasing, path))
            if other != (phrasing, path):
                there = place_of(other[0].file.text(), other[0].file.name, other[1].split("/"))
                here = place_of(phrasing.file.text(), phrasing.file.name, path.split("/"))
                yield Fault(here, f"opens with the same words as {there}: {' '.join(opening)!r}")


class FileCheck:
    """The rules for one file."""

    def __init__(self, phrasing: Phrasing, family: Family, lexicon: Lexicon | None) -> None:
        self.phrasing = phrasing
        self.family = family
        self.lexicon = lexicon

    def fault(self, message: str, path: str = "", *, warning: bool = False) -> Fault:
        """Give a fault at a path of the file."""
        file = self.phrasing.file
        return Fault(place_of(file.text(), file.name, path.split("/") if path else ()), message, warning)

    def faults(self) -> Iterator[Fault]:
        """Give every fault of the file, shape first; lines are rendered only where the shape holds."""
        shape = [*self._shape(), *self._feelings(), *self._marks(), *self._agreement(), *self._lengths()]
        yield from shape
        yield from self._words()
        if not any("missing" in fault.message for fault in shape):
            for path, message in reply_faults(self.phrasing, self.family, self.lexicon):
                yield self.fault(message, path)

    # -- shape

    def _shape(self) -> Iterator[Fault]:
        phrasing, forms = self.phrasing, {str(form) for form in self.family.forms}
        for beat in ("open", "ask", "masked"):
            pool = phrasing.turn[beat]
            if set(pool.branches) != forms:
                yield self.fault(
                    f"turn.{beat} has the forms {sorted(pool.branches)}, missing or too many: {sorted(forms)}",
                    f"turn/{beat}",
                )
        for form in forms - {"all"}:
            if form not in phrasing.setting:
                yield self.fault(f"setting.{form} is missing", "setting")
        yield from self._minimum()
        for key, orders in phrasing.orders.items():
            for order in orders:
                if unknown := set(order) - set(self.family.turn.beats):
                    yield self.fault(
                        f"turn.orders.{key} names {sorted(unknown)}; valid: {', '.join(self.family.turn.beats)}",
                        "turn/orders",
                    )
        if "any" not in phrasing.orders:
            yield self.fault("turn.orders.any is missing", "turn/orders")
        yield from self._worlds()
        if self.family.task == Task.SUMMARISE and not phrasing.request:
            yield self.fault("request is missing: what the user asks of the assistant", "family")

    def _minimum(self) -> Iterator[Fault]:
        for form, pool in self.phrasing.turn["open"].branches.items():
            if sum(1 for _ in pool.walk()) < 3:
                yield self.fault(f"turn.open.{form} has fewer than three lines", f"turn/open/{form}")
        for form, pool in self.phrasing.turn["masked"].branches.items():
            if sum(1 for _ in pool.walk()) < 2:
                yield self.fault(f"turn.masked.{form} has fewer than two lines", f"turn/masked/{form}")
        fails = self.phrasing.fails
        for mechanism in ("attenuation", "granularity", "avoidance", "distancing"):
            under = [f for f in fails.values() if f.mechanism == mechanism and f.direction == "under"]
            if not any(2 in failure.severities for failure in under):
                yield self.fault(f"fails.{mechanism} at severity 2 is missing", "fails")
        if sum(1 for f in fails.values() if f.direction == "under" and 3 in f.severities) < 2:
            yield self.fault("fewer than two mechanisms at severity 3", "fails")
        if sum(1 for f in fails.values() if f.direction == "over") < 2:
            yield self.fault("fewer than two over variants", "fails")
        if not self.phrasing.alternative:
            yield self.fault("the alternative reply is missing", "alternative")

    def _worlds(self) -> Iterator[Fault]:
        phrasing = self.phrasing
        taken = (
            {str(form) for form in self.family.forms}
            | {"low", "mid", "high", "masked", "any"}
            | set(phrasing.varieties)
        )
        for name in phrasing.worlds:
            if name in taken:
                yield self.fault(f"a world may not be called {name!r}", f"worlds/{name}")
        for variety in phrasing.varieties:
            for level in self.family.emotion.levels:
                need = 1 if level == "low" else 3
                have = len(phrasing.worlds_for(level, variety))
                if have < need:
                    yield self.fault(f"{have} worlds carry {level} in {variety}; at least {need}", "worlds")

    # -- lines

    def _turn_lines(self) -> Iterator[tuple[str, Line]]:
        for beat in ("open", "feel", "ask"):
            yield from self.phrasing.turn[beat].walk()

    def _every_line(self) -> Iterator[tuple[str, Line]]:
        phrasing = self.phrasing
        pools: list[Pool] = [*phrasing.turn.values(), *phrasing.reply.values(), *phrasing.alternative.values()]
        for world in phrasing.worlds.values():
            pools += [*world.reply.values(), *(pool for beats in world.fails.values() for pool in beats.values())]
            pools += world.slots.values()
            yield from ((f"worlds/{world.name}/what/{n}", line) for n, line in enumerate(world.what))
        pools += [pool for f in phrasing.fails.values() for beats in f.severities.values() for pool in beats.values()]
        pools += phrasing.slots.values()
        for pool in pools:
            yield from pool.walk()
        yield from ((f"setting/{key}", line) for key, line in phrasing.setting.items())
        yield from ((f"request/{n}", line) for n, line in enumerate(phrasing.request))

    def _feelings(self) -> Iterator[Fault]:
        for level in self.family.emotion.levels:
            if level == "masked":
                continue
            for felt in self.family.emotions_at(level):
                for kind in SPOKEN:
                    yield from self._feeling(level, str(felt.label), kind)

    def _feeling(self, level: str, emotion: str, kind: Explicitness) -> Iterator[Fault]:
        pool = self.phrasing.turn["feel"]
        for key in (level, emotion, str(kind)):
            if key not in pool.branches:
                yield self.fault(f"turn.feel.{level}.{emotion}.{kind} is missing", pool.path)
                return
            pool = pool.branches[key]
        if self.lexicon is None:
            return
        for path, line in pool.walk():
            named = {name for name, _, _ in self.lexicon.feelings_in(line.every_word())}
            if kind == Explicitness.NAMED and emotion not in named:
                yield self.fault(f"names no {emotion} of the lexicon", path)
            if kind != Explicitness.NAMED and named:
                yield self.fault(f"names {', '.join(sorted(named))}, but stands under {kind}", path)

    def _marks(self) -> Iterator[Fault]:
        facts = set(self.family.facts)
        for world in self.phrasing.worlds.values():
            for number, line in enumerate(world.what):
                if sorted(line.marks()) != sorted(facts):
                    path = f"worlds/{world.name}/what/{number}"
                    yield self.fault(f"marks {sorted(line.marks())}; each of {sorted(facts)} exactly once", path)
        slots = [pool for world in self.phrasing.worlds.values() for pool in world.slots.values()]
        for pool in [*slots, *self.phrasing.slots.values()]:
            for path, line in pool.walk():
                if line.marks():
                    yield self.fault("a slot holds no marks: they stand in the lines that use it", path)
        for path, line in self._turn_lines():
            if line.marks():
                yield self.fault(f"marks {line.marks()[0]!r}; only `what` and masked lines are marked", path)
        for path, line in self.phrasing.turn["masked"].walk():
            yield from self._masked(path, line, facts)

    def _masked(self, path: str, line: Line, facts: set[str]) -> Iterator[Fault]:
        marks = line.marks()
        if not facts & set(marks):
            yield self.fault("a masked line marks at least one fact", path)
        if self.family.stance in (Stance.ON_BEHALF, Stance.CARRY_OVER) and (
            lost := self.family.preserved() - set(marks)
        ):
            yield self.fault(f"marks no {', '.join(sorted(lost))}: the assistant knows nothing but this turn", path)
        if sum(mark in _CUES for mark in marks) < 2:
            yield self.fault("a masked line marks at least two cues", path)
        if unknown := [mark for mark in marks if mark not in _CUES and mark not in facts]:
            yield self.fault(f"{unknown[0]!r} is no fact and no cue; cues: {', '.join(sorted(_CUES))}", path)
        if self.lexicon is not None:
            for emotion, start, end in self.lexicon.feelings_in(line.every_word()):
                yield self.fault(f"names {emotion} ({line.every_word()[start:end]!r}) in a masked line", path)

    def _agreement(self) -> Iterator[Fault]:
        known = self.phrasing.agreement
        for path, line in self._every_line():
            for key, count in line.keys().items():
                if key not in known:
                    yield self.fault(f"<{key}:...> is not in agreement", path)
                elif count != len(known[key]):
                    yield self.fault(f"<{key}:...> has {count} alternatives, agreement lists {len(known[key])}", path)

    def _lengths(self) -> Iterator[Fault]:
        unspaced = self.phrasing.language in UNSPACED
        for path, line in self._every_line():
            words, points = _LINE_WORDS, _LINE_POINTS
            if self.family.task == Task.SUMMARISE:
                words, points = _TESTIMONY_WORDS, _TESTIMONY_POINTS
            elif path.startswith("worlds") and "/what/" in path:
                words, points = _TELLING_WORDS, _TELLING_POINTS
            limit = points if unspaced else words
            if len(words_of(line.bare(), self.phrasing.language)) > limit:
                yield self.fault(f"longer than {limit} {'code points' if unspaced else 'words'}", path)
            if line.source != line.source.strip() or "  " in line.source:
                yield self.fault("spaces at an end, or two together", path)

    def _words(self) -> Iterator[Fault]:
        if self.lexicon is None:
            return
        for path, line in self._every_line():
            text = line.bare()
            for start, end in self.lexicon.calques_in(text):
                yield self.fault(f"{text[start:end]!r} is a calque of counselling English", path)


def balance_faults(shelves: Shelves, language: str) -> list[Fault]:
    """Over a language, longer and shorter failures of one mechanism are balanced (30-70 %)."""
    tally: dict[str, Counter[bool]] = defaultdict(Counter)
    files = shelves.files(f"{FOLDER}/{language}")
    for file in files:
        name = file.name.rpartition("/")[2].removesuffix(".yaml")
        try:
            phrasing, family = read_phrasing(shelves, language, name), read_family(shelves, name)
        except ContentError:
            continue
        for mechanism, difference in lengths(phrasing, family):
            if difference:
                tally[mechanism][difference > 0] += 1
    found = []
    for mechanism, counts in sorted(tally.items()):
        share = counts[True] / counts.total()
        if not LEAST_SHARE <= share <= 1 - LEAST_SHARE:
            message = (
                f"{share:.0%} of the {mechanism} failures of {language} are longer than the faithful reply; 30-70 %"
            )
            found.append(Fault(Place(f"{FOLDER}/{language}"), message))
    return found
