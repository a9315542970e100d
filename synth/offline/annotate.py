"""Annotate by looking lines up: the offline annotator knows only what it could have said itself, and says nothing where it does not know."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from synth.content.markup import Line
from synth.content.phrasings import FOLDER, LEVELS, Phrasing, read_phrasing
from synth.content.pools import REST, Pool
from synth.content.scenarios import Family, read_family
from synth.content.shelves import Shelves
from synth.offline.lookup import Index
from synth.offline.readings import Known, Labels, Place, Reading, Told
from synth.records.labels import Explicitness, PowerForm

_FORMS: Final = frozenset(map(str, PowerForm))
_JUDGED: Final = _FORMS | {*LEVELS, *map(str, Explicitness)}


class Reader:
    """An index over the lines that speakers say in a language, and the settings of their forms."""

    def __init__(self, shelves: Shelves, language: str) -> None:
        read = []
        for file in shelves.files(f"{FOLDER}/{language}"):
            name = file.name.rpartition("/")[2].removesuffix(".yaml")
            read.append((read_phrasing(shelves, language, name), read_family(shelves, name)))
        self._turns = Index(line for phrasing, family in read for line in _turn_lines(phrasing, family))
        self._read = read

    @cached_property
    def _settings(self) -> Index[Known]:
        return Index(line for phrasing, family in self._read for line in _setting_lines(phrasing, family))

    def labels(self, scene: str | Mapping[str, Any]) -> list[dict[str, Any]]:
        """Give the labels of a turn or a scene with the words that show them; none where no line of ours stands in it."""
        reading = self.read({"turns": [{"text": scene}]} if isinstance(scene, str) else scene)
        if reading is None:
            return []
        shown = _quoted(reading.evidence("emotion"))
        labels = [
            {"field": field, "value": value, **shown}
            for field, value in reading.fitting[0].items()
            if field != "power_form"
        ]
        forms = reading.values("power_form")
        if len(forms) == 1:
            labels.append({"field": "power_form", "value": forms[0], **_quoted(reading.evidence("power_form"))})
        return labels

    def read(self, scene: Mapping[str, Any]) -> Reading | None:
        """Give what the speaker's turns and the setting say; None where they say nothing of ours."""
        told = [one for text in _said(scene["turns"]) for one in self._told(text)]
        best: list[tuple[Told, Labels]] = []
        most = 0
        for feeling, family, axes, labels in _readings(told):
            size = sum(one.line.size for one in told if one.known.fits(family, axes))
            if size > most:
                best, most = [], size
            if size == most:
                best.append((feeling, labels))
        if not best:
            return None
        feeling, fitting = best[0][0], [labels for _, labels in best]
        family = feeling.known.family
        if len({labels["power_form"] for labels in fitting}) > 1:
            fitting = self._by_setting(fitting, family, str(scene.get("setting") or ""))
        return Reading(tuple(fitting), feeling, tuple(one for one in told if one.known.family is family))

    def _told(self, text: str) -> Iterator[Told]:
        """Give the lines of a turn: the whole line is looked for where it says a feeling, or where its anchor is short enough for chance."""
        for line in self._turns.met(text):
            if line.telling and not line.known.felt:
                yield Told(text, line)
            elif (found := line.find(text)) is not None:
                yield Told(text, line, found)

    def _by_setting(self, fitting: list[Labels], family: Family, setting: str) -> list[Labels]:
        """Give the labels whose form the setting tells; all where it tells none."""
        found = [found.known for found in self._settings.find(setting) if found.known.family is family]
        forms = frozenset().union(*(known.needs for known in found))
        return [labels for labels in fitting if labels["power_form"] in forms] or fitting


def _quoted(place: Place | None) -> dict[str, Any]:
    quote = {"quote": "", "nth": 0} if place is None else {"quote": place.words, "nth": place.nth}
    return {**quote, "share": 1.0}


def _said(turns: Sequence[Mapping[str, Any]]) -> list[str]:
    """Give the speaker's turns, the last one first: it is the one that is asked about."""
    own = [str(turn["text"]) for turn in turns if turn.get("by", "S") == "S"]
    return (own or [str(turn["text"]) for turn in turns])[::-1]


def _readings(told: Sequence[Told]) -> Iterator[tuple[Told, Family, frozenset[str], Labels]]:
    """Give every cell that a line of feeling in a scene can stand for."""
    for feeling in told:
        known = feeling.known
        if not known.felt:
            continue
        needs = frozenset().union(*(one.known.needs for one in told if one.known.family is known.family))
        forms = needs & known.family.forms.keys() or known.family.forms
        for (level, emotion, kind), form in itertools.product(known.felt, sorted(forms)):
            axes = frozenset((level, emotion, kind, str(form)))
            if known.fits(known.family, axes):
                yield feeling, known.family, axes, _labels(known.family, level, emotion, kind, str(form))


def _labels(family: Family, level: str, emotion: str, kind: str, form: str) -> Labels:
    spec = family.emotion.levels[level]  # type: ignore[index]
    return {
        "goal": str(family.goal_at(level)),
        "emotion": emotion,
        "felt": str(spec.felt),
        "shown": str(spec.shown),
        "regulation": str(spec.regulation),
        "explicitness": kind,
        "power_form": form,
    }


def _turn_lines(phrasing: Phrasing, family: Family) -> Iterator[tuple[Line, Known]]:
    judged = _JUDGED | {str(felt.label) for felt in family.emotion.felt}
    for beat, pool in phrasing.turn.items():
        felt = tuple(_felt(family, masked=beat == "masked")) if beat in ("feel", "masked") else ()
        for line, needs, bars in _keyed(pool):
            here = tuple(one for one in felt if needs & judged - _FORMS <= set(one) and not bars & set(one))
            yield line, Known(family, needs & judged, bars & judged, here)
    for world in phrasing.worlds.values():
        for line in world.what:
            yield line, Known(family, frozenset(), frozenset())


def _felt(family: Family, *, masked: bool) -> Iterator[tuple[str, str, str]]:
    """Give the levels, feelings and kinds of naming that a family's lines of feeling stand for."""
    for level in family.emotion.levels:
        for felt, kind in itertools.product(family.emotions_at(level), Explicitness):
            if (level == "masked") == (kind == Explicitness.MASKED) == masked:
                yield level, str(felt.label), str(kind)


def _setting_lines(phrasing: Phrasing, family: Family) -> Iterator[tuple[Line, Known]]:
    for form in family.forms:
        if str(form) in phrasing.setting:
            yield phrasing.setting[str(form)], Known(family, frozenset({str(form)}), frozenset())


def _keyed(
    pool: Pool, needs: frozenset[str] = frozenset(), bars: frozenset[str] = frozenset()
) -> Iterator[tuple[Line, frozenset[str], frozenset[str]]]:
    """Give every line of a pool with the keys that it stands under, and those that it does not because they have their own."""
    for line in pool.lines:
        yield line, needs, bars
    for key, branch in pool.branches.items():
        if key == REST:
            yield from _keyed(branch, needs, bars | (pool.branches.keys() - {REST}))
        else:
            yield from _keyed(branch, needs | {key}, bars)
