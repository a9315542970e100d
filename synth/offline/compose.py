"""Compose turns and replies from authored lines: a pure function of a brief, with every span known because we put it there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from synth.content import markup
from synth.content.markup import Line, Mark
from synth.content.phrasings import LEVELS, Failure, Phrasing, World
from synth.content.pools import REST, Pool

MIRROR: Final = {"up": "down", "down": "up", "level": "level", "split": "split"}
PROFILE: Final = "profile"


class UnphrasedError(KeyError):
    """The phrasing file has no words for what a brief asks."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """A person as the composer knows them: name, gender (m, f), variety of speech, how they call the others."""

    name: str
    gender: str
    variety: str
    calls: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that decides which lines are spoken and how they inflect."""

    phrasing: Phrasing
    stance: str
    beats: tuple[str, ...]
    form: str
    level: str
    emotion: str
    explicitness: str
    variety: str
    people: Mapping[str, Speaker]
    address_out: str
    address_back: str
    world: World
    telling: int
    seed: int
    rank: int

    @property
    def axes(self) -> frozenset[str]:
        """The keys that this scene answers to in a pool."""
        return frozenset((self.form, self.level, self.emotion, self.explicitness, self.variety, self.world.name))

    def addresses(self) -> tuple[str, str]:
        """Give the address value of the turn and of the reply: the file's own, or the profile's."""
        given = self.phrasing.address
        out, back = given.get(self.form, PROFILE), given.get(MIRROR[self.form], PROFILE)
        return (self.address_out if out == PROFILE else out), (self.address_back if back == PROFILE else back)


@dataclass(frozen=True, slots=True)
class Beat:
    """A composed beat: its name, its text, its marks and the slots that it used."""

    name: str
    text: str
    marks: tuple[Mark, ...]
    slots: frozenset[str]


@lru_cache(maxsize=4096)
def permutation(size: int, seed: int, path: str) -> tuple[int, ...]:
    """Give an order of `size` things that depends on the seed and the path only."""
    weigh = [hashlib.blake2b(f"{seed}\x1f{path}\x1f{n}".encode(), digest_size=8).digest() for n in range(size)]
    return tuple(sorted(range(size), key=weigh.__getitem__))


def rank_of(level: str, sequence: int) -> int:
    """Give the place of a row in its family, so that rows of different levels draw different lines."""
    return sequence * len(LEVELS) + LEVELS.index(level)


def choose_world(phrasing: Phrasing, level: str, variety: str, seed: int, sequence: int) -> tuple[World, int]:
    """Give the world of an event and which of its `what` lines tells it: least-used combinations first."""
    worlds = phrasing.worlds_for(level, variety)
    if not worlds:
        raise UnphrasedError(f"{phrasing.file.name} has no world for {level} in {variety}")
    order = permutation(len(worlds), seed, f"{phrasing.file.name}.{','.join(w.name for w in worlds)}")
    tellings = max(len(world.what) for world in worlds)
    ways = [(worlds[n], telling) for telling in range(tellings) for n in order if telling < len(worlds[n].what)]
    # levels start two apart, so that the first rounds of a family tell no two events alike
    return ways[(sequence + 2 * LEVELS.index(level)) % len(ways)]


class Voice:
    """One person speaking in a scene: fills slots, inflects, renders beats."""

    def __init__(self, scene: Scene, speaker: str, listener: str, address: str) -> None:
        self.scene = scene
        self.speaker = speaker
        self.agreement = self._agreement(speaker, listener, address)

    def _agreement(self, speaker: str, listener: str, address: str) -> dict[str, int]:
        people, scene = self.scene.people, self.scene
        genders = {"s": speaker, "a": listener, "x": "X", "S": "S", "A": "A"}
        values = {key: people[pid].gender for key, pid in genders.items() if pid in people}
        values |= {"w": scene.world.gender or "", "v": people[speaker].variety, "tv": address, "h": address}
        found = {}
        for key, labels in scene.phrasing.agreement.items():
            value = values.get(key, "")
            found[key] = labels.index(value) if value in labels else 0
        return found

    def slot(self, name: str) -> str | Line:
        """Give what fills a slot.

        Raises:
            KeyError: nobody and nothing of that name.
        """
        scene = self.scene
        if name in scene.people:
            return scene.people[name].name
        head, dot, tail = name.partition(".")
        if dot and tail == "call" and head in scene.people:
            return scene.people[self.speaker].calls.get(head, scene.people[head].name)
        for slots in (scene.world.slots, scene.phrasing.slots):
            if name in slots:
                return slots[name].at(scene.axes)[1][0]
        raise KeyError(name)

    def say(self, name: str, line: Line) -> Beat:
        """Give a line as this person says it here; raise UnphrasedError where it cannot be filled."""
        try:
            done = markup.render(line, self.slot, self.agreement, raise_first=True)
        except (KeyError, IndexError) as fault:
            where = self.scene.phrasing.file.name
            raise UnphrasedError(f"{where}: {line.source!r} asks for {fault}, which is not there") from fault
        return Beat(name, done.text, done.marks, done.slots)

    def pick(self, name: str, pool: Pool, turn: int) -> Beat:
        """Give one line of a pool: the `turn`-th of its seeded order."""
        try:
            path, lines = pool.at(self.scene.axes)
        except KeyError as fault:
            raise UnphrasedError(f"{self.scene.phrasing.file.name}: {fault.args[0]}") from fault
        order = permutation(len(lines), self.scene.seed, path)
        return self.say(name, lines[order[turn % len(lines)]])


def voices(scene: Scene) -> tuple[Voice, Voice]:
    """Give who tells and who replies, each with their agreement: the reply's is turned round."""
    out, back = scene.addresses()
    if scene.stance == "on_behalf":
        plain = next(iter(scene.phrasing.agreement.get("tv", scene.phrasing.agreement.get("h", ("",)))))
        return Voice(scene, "S", "R", plain), Voice(scene, "S", "X", out)
    if scene.stance == "carry_over":
        return Voice(scene, "S", "A", out), Voice(scene, "S", "A", out)
    return Voice(scene, "S", "A", out), Voice(scene, "A", "S", back)


def tell(scene: Scene) -> Beat:
    """Give the line that tells what happened, with its facts marked."""
    return voices(scene)[0].say("what", scene.world.what[scene.telling])


def setting(scene: Scene) -> str:
    """Give the setting of the scene: what all forms share, then the form's own."""
    voice = voices(scene)[0]
    parts = [scene.phrasing.setting[key] for key in ("all", scene.form) if key in scene.phrasing.setting]
    return scene.phrasing.joiner.join(voice.say("setting", part).text for part in parts)


def request(scene: Scene) -> str:
    """Give what the user asks of the assistant in a re-render family; empty where the turn itself asks."""
    lines = scene.phrasing.request
    if not lines:
        return ""
    order = permutation(len(lines), scene.seed, "request")
    return voices(scene)[0].say("request", lines[order[scene.rank % len(lines)]]).text


def turn(scene: Scene) -> list[Beat]:
    """Give the beats of the speaker's turn, in order."""
    voice, phrasing = voices(scene)[0], scene.phrasing
    if scene.level == "masked":
        return [voice.pick("masked", phrasing.turn["masked"], scene.rank // len(LEVELS))]
    orders = phrasing.orders.get(scene.level) or phrasing.orders[REST]
    place = permutation(len(orders), scene.seed, "orders")[(scene.rank + scene.rank // len(LEVELS)) % len(orders)]
    return [_beat(voice, name) for name in orders[place]]


def _beat(voice: Voice, name: str) -> Beat:
    scene = voice.scene
    if name == "what":
        return tell(scene)
    # lines that depend on the level are met once a round of levels, the others at every row
    step = scene.rank // len(LEVELS) if name == "feel" else scene.rank
    return voice.pick(name, scene.phrasing.turn[name], step)


def faithful(scene: Scene) -> dict[str, Beat]:
    """Give the beats of the honest reply, in order."""
    voice = voices(scene)[1]
    pools = {**scene.phrasing.reply, **scene.world.reply}
    missing = [name for name in scene.beats if name not in pools]
    if missing:
        raise UnphrasedError(f"{scene.phrasing.file.name}: no reply beat {missing[0]} in world {scene.world.name}")
    return {name: voice.pick(name, pools[name], scene.rank) for name in scene.beats}


def alternative(scene: Scene) -> dict[str, Beat]:
    """Give the beats that the second honest reply replaces."""
    voice = voices(scene)[1]
    return {name: voice.pick(name, pool, scene.rank) for name, pool in scene.phrasing.alternative.items()}


def failing(scene: Scene, failure: Failure, severity: int) -> dict[str, Beat]:
    """Give the beats that a failure replaces; raise UnphrasedError where it has no words at that severity."""
    voice = voices(scene)[1]
    own = scene.world.fails.get(f"{failure.key}.{severity}", {})
    pools = {**failure.severities.get(severity, {}), **own}
    if not pools:
        raise UnphrasedError(f"{scene.phrasing.file.name}: no {failure.key} at severity {severity}")
    return {name: voice.pick(name, pool, scene.rank) for name, pool in pools.items()}


def join(beats: Sequence[Beat], joiner: str) -> tuple[str, list[Mark]]:
    """Give the text of beats side by side, and their marks moved to their place in it."""
    parts: list[str] = []
    marks: list[Mark] = []
    at = 0
    for number, beat in enumerate(beats):
        if number:
            parts.append(joiner)
            at += len(joiner)
        marks.extend(Mark(mark.name, mark.start + at, mark.end + at) for mark in beat.marks)
        parts.append(beat.text)
        at += len(beat.text)
    return "".join(parts), marks
