"""Preference pairs of a build: what was spoiled, and what was crossed. Made by whoever reads a build, never stored in a part.

A **failure** pair sets a faithful reply above a failure of the same scene. A **crossed** pair sets it above the faithful reply of a sibling
scene of the same family and language, which is a good reply in the wrong place:

| variant | the sibling is | mechanism | direction |
|---|---|---|---|
| level | another event, felt otherwise, same form | attenuation | under where the rejected reply answers a weaker feeling, else over |
| form | the same event in another power form | other: it fits another relation | none |
| world | another event, same form and felt, other particulars | granularity: it states facts of another scene | none |

Within each variant siblings are **matched by twos and crossed both ways**: every reply that is crossed is chosen once and rejected once, by the
same other reply. So whatever a model makes of replies alone, it is right in exactly half of these pairs, and longer and shorter rejected replies
balance exactly. (A derangement with longer cycles does not give that: where replies go round a -> b -> c -> a, one order of the three is right
twice.) Partners are as near in length as they can be; who finds none stays out. A level sibling is another event, so its particulars differ too.

A reply fits a sibling's scene only if it uses the same address there, its people agree in gender with those of the scene, and it says no name
or title that is not a name or title of the scene. Splits hold whole families, so no pair lies between two.

A scene gives up to three crossed pairs and four to six failure pairs: whoever releases pairs draws failures down until a third is crossed.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import regex

from synth.offline.words import UNSPACED, words_of
from synth.records.cells import is_control
from synth.records.labels import Direction, Mechanism, ReplyKind, Split, Stance
from synth.records.schema import Reply, Scenario

LEVEL: Final = "level"
FORM: Final = "form"
WORLD: Final = "world"

_SAME_WORLD: Final = 0.20
"""The share of what a reply tells that another reply tells too, from which on both may tell of the same particulars.

Measured on 203 authored events in en, ar and ja (2026-11-20), replies to one level of feeling: .24 and more in 171 couples from one world, and
less than .20 in one of four couples from two (they share lines that tell nothing of a world).
"""
_LEAST_EVENTS: Final = 4  # fewer do not show which words tell
_NEIGHBOURS: Final = 64  # how many candidates in order of length are looked at
_LETTERS: Final = regex.compile(r"[\p{L}\p{M}\p{N}]+")


@dataclass(frozen=True, slots=True)
class Pair:
    """A reply that is preferred to another in one scene, and why; the texts stand as they are in the build.

    `variant` of a crossed pair is level, form or world; of a failure pair its own. `severity` of a level pair is the distance of what is felt.
    """

    chosen: str
    rejected: str
    chosen_id: str
    rejected_id: str
    kind: ReplyKind
    mechanism: Mechanism
    variant: str | None
    direction: Direction | None
    severity: int | None
    scenario_id: str
    event: str
    family: str
    language: str
    split: Split


def pairs(
    scenarios: Iterable[Scenario],
    replies: Iterable[Reply],
    kinds: Sequence[ReplyKind] = (ReplyKind.FAILURE, ReplyKind.CROSSED),
) -> Iterator[Pair]:
    """Yield the failure pairs, then the crossed pairs, of scenes and their replies; the order given is of no matter.

    Holds all faithful replies that it is given, so a large build is handed over a language, or a family, at a time. A scene without a faithful
    reply gives nothing, nor does a control without personas.
    """
    own = {one.scenario_id: one for one in scenarios if not is_control(one.form_key)}
    told = sorted((one for one in replies if one.scenario_id in own), key=lambda one: one.reply_id)
    faithful = [one for one in told if one.kind == ReplyKind.FAITHFUL]
    if ReplyKind.FAILURE in kinds:
        yield from _failure_pairs(own, faithful, told)
    if ReplyKind.CROSSED in kinds:
        yield from _crossed_pairs([_Answered(own[one.scenario_id], one) for one in faithful])


def _failure_pairs(own: dict[str, Scenario], faithful: Sequence[Reply], told: Sequence[Reply]) -> Iterator[Pair]:
    chosen = {one.reply_id: one for one in faithful}
    for one in told:
        parent = chosen.get(one.parent_id or "")
        if one.kind == ReplyKind.FAILURE and parent is not None and one.mechanism is not None:
            cause = (ReplyKind.FAILURE, one.mechanism, one.variant, one.direction, one.severity)
            yield _pair(own[one.scenario_id], parent, one, *cause)


def _pair(
    scenario: Scenario,
    chosen: Reply,
    rejected: Reply,
    kind: ReplyKind,
    mechanism: Mechanism,
    variant: str | None,
    direction: Direction | None,
    severity: int | None,
) -> Pair:
    return Pair(
        chosen=chosen.text,
        rejected=rejected.text,
        chosen_id=chosen.reply_id,
        rejected_id=rejected.reply_id,
        kind=kind,
        mechanism=mechanism,
        variant=variant,
        direction=direction,
        severity=severity,
        scenario_id=scenario.scenario_id,
        event=scenario.event_key,
        family=scenario.family,
        language=scenario.language,
        split=scenario.split,
    )


# -- crossing


class _Answered:
    """A scene with its faithful reply, and what decides where else that reply would fit."""

    __slots__ = ("address", "agreement", "everyone", "naming", "reply", "scenario", "telling", "tells")

    def __init__(self, scenario: Scenario, reply: Reply) -> None:
        self.scenario = scenario
        self.reply = reply
        replier, replied = _ends(scenario)
        used = [one.address for one in scenario.relations if (one.from_pid, one.to_pid) == (replier, replied)]
        self.address = tuple((one.system, one.self, one.verb_level) for one in used if one is not None)
        gender = {one.pid: one.agreement for one in scenario.participants}
        self.agreement = (gender.get(replier), gender.get(replied))
        self.everyone = (scenario.variety, *sorted(gender.items(), key=lambda item: item[0]))
        self.naming = _names(scenario)
        self.telling: dict[str, float] = {}
        self.tells = 0.0

    @property
    def pool(self) -> tuple[Hashable, ...]:
        """What both scenes of a crossed pair have in common, whatever the variant."""
        one = self.scenario
        return (one.split, one.family, one.language, one.script, self.address, self.agreement)

    def fits(self, other: _Answered) -> bool:
        """Say whether this reply could be said in the other scene: it names nobody who is not there, and is not the other reply."""
        return self.reply.text != other.reply.text and all(
            name in other.naming for name in self.naming if name in self.reply.text
        )


def _ends(scenario: Scenario) -> tuple[str, str]:
    """Give who replies to whom: the assistant of a message or a summary speaks as the speaker."""
    if scenario.stance == Stance.ON_BEHALF:
        return "S", "X"
    return ("S", "A") if scenario.stance == Stance.CARRY_OVER else ("A", "S")


def _names(scenario: Scenario) -> frozenset[str]:
    """Give the names and titles of a scene's people, whole and in parts; a part of one letter could stand in any word."""
    given = [one.name for one in scenario.participants if one.name]
    given += [one.address.titles for one in scenario.relations if one.address is not None and one.address.titles]
    parts = [part for name in given for part in _LETTERS.findall(name)]
    return frozenset(name for name in (*given, *parts) if len(name) > 1)


def _crossed_pairs(answered: Sequence[_Answered]) -> Iterator[Pair]:
    _find_telling(answered)
    for one, other in _crossings(answered, lambda one: (one.pool, one.scenario.event_key), _in_one_event):
        yield from _both_ways(one, other, Mechanism.OTHER, FORM)
    for one, other in _crossings(answered, lambda one: (one.pool, one.scenario.power_form), _felt_otherwise):
        yield from _both_ways(one, other, Mechanism.ATTENUATION, LEVEL)
    for one, other in _crossings(answered, _lived, _told_otherwise):
        yield from _both_ways(one, other, Mechanism.GRANULARITY, WORLD)


def _lived(one: _Answered) -> tuple[Hashable, ...]:
    scenario = one.scenario
    return (one.pool, scenario.power_form, scenario.felt, scenario.shown)


def _in_one_event(one: _Answered, other: _Answered) -> bool:
    return one.scenario.event_key == other.scenario.event_key


def _felt_otherwise(one: _Answered, other: _Answered) -> bool:
    return one.scenario.felt != other.scenario.felt


def _told_otherwise(one: _Answered, other: _Answered) -> bool:
    """Say whether two replies tell of different particulars; false where nothing tells."""
    if one.scenario.event_key == other.scenario.event_key:
        return False
    shared = math.fsum(one.telling[word] for word in one.telling.keys() & other.telling.keys())
    return shared < _SAME_WORLD * min(one.tells, other.tells)


def _find_telling(answered: Sequence[_Answered]) -> None:
    """Weigh the words of every reply by how few events of its family say them: squared inverse document frequency."""
    by_family: dict[tuple[str, str], list[_Answered]] = defaultdict(list)
    for one in answered:
        by_family[one.scenario.family, one.scenario.language].append(one)
    for (_, language), members in by_family.items():
        words = [_words(one.reply.text, language) for one in members]
        said: dict[str, set[str]] = defaultdict(set)
        for one, own in zip(members, words, strict=True):
            said[one.scenario.event_key] |= own
        events = Counter(word for together in said.values() for word in together)
        if len(said) >= _LEAST_EVENTS:
            for one, own in zip(members, words, strict=True):
                one.telling = {word: math.log(len(said) / events[word]) ** 2 for word in sorted(own)}
                one.tells = math.fsum(one.telling.values())


def _words(text: str, language: str) -> set[str]:
    """Give the words of a text; where letters stand alone, every two in a row."""
    found = words_of(text, language)
    return {one + other for one, other in pairwise(found)} if language in UNSPACED else set(found)


def _crossings(
    answered: Sequence[_Answered],
    group: Callable[[_Answered], tuple[Hashable, ...]],
    suits: Callable[[_Answered, _Answered], bool],
) -> Iterator[tuple[_Answered, _Answered]]:
    """Yield replies of one group by twos: first those whose people agree in everything, then those that are left."""
    left = sorted(answered, key=lambda one: (len(one.reply.text), one.reply.reply_id))
    for narrow in (True, False):
        groups: dict[tuple[Hashable, ...], list[_Answered]] = defaultdict(list)
        for one in left:
            groups[(*group(one), one.everyone if narrow else ())].append(one)
        met: set[str] = set()
        for members in groups.values():
            for one, other in _matched(members, suits):
                met |= {one.reply.reply_id, other.reply.reply_id}
                yield one, other
        left = [one for one in left if one.reply.reply_id not in met]


def _matched(
    members: Sequence[_Answered], suits: Callable[[_Answered, _Answered], bool]
) -> Iterator[tuple[_Answered, _Answered]]:
    """Yield members by twos, each with the next in order of length that suits it and fits both ways; nobody twice."""
    left = list(members)
    while left:
        one = left.pop(0)
        for place, other in enumerate(left[:_NEIGHBOURS]):
            if suits(one, other) and one.fits(other) and other.fits(one):
                yield one, left.pop(place)
                break


def _both_ways(one: _Answered, other: _Answered, mechanism: Mechanism, variant: str) -> Iterator[Pair]:
    for own, sibling in ((one, other), (other, one)):
        distance = own.scenario.felt - sibling.scenario.felt
        felt = (
            (Direction.UNDER if distance > 0 else Direction.OVER, abs(distance)) if variant == LEVEL else (None, None)
        )
        yield _pair(own.scenario, own.reply, sibling.reply, ReplyKind.CROSSED, mechanism, variant, *felt)
