"""Check what a phrasing file claims of its replies: lengths, what each failure keeps, echoes, facts, duty, affect."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from synth.content.lexicons import Lexicon
from synth.content.phrasings import Failure, Phrasing
from synth.content.pools import Pool
from synth.content.scenarios import Family
from synth.offline.compose import Beat, Scene, UnphrasedError, Voice, voices
from synth.offline.settings import scenes
from synth.offline.words import UNSPACED, words_of
from synth.records.labels import Stance

SHORTEST: Final = 0.85
LONGEST: Final = 1.18


@dataclass(frozen=True, slots=True)
class Choice:
    """Every way in which one reply can come out in one setting: the alternatives of each beat."""

    scene: Scene
    beats: Mapping[str, tuple[Beat, ...]]

    def combinations(self) -> Iterator[dict[str, Beat]]:
        """Give every combination of the beats' alternatives."""
        for chosen in itertools.product(*self.beats.values()):
            yield dict(zip(self.beats, chosen, strict=True))


def spoken(voice: Voice, pools: Mapping[str, Pool]) -> dict[str, tuple[Beat, ...]]:
    """Give every line of each pool, as this person would say it here.

    Raises:
        UnphrasedError: a pool has nothing for this setting, or a line cannot be filled.
    """
    found = {}
    for name, pool in pools.items():
        try:
            _, lines = pool.at(voice.scene.axes)
        except KeyError as fault:
            raise UnphrasedError(str(fault.args[0])) from fault
        found[name] = tuple(voice.say(name, line) for line in lines)
    return found


def faithful_choice(scene: Scene) -> Choice:
    """Give every honest reply of a scene; raise UnphrasedError where a beat is missing."""
    pools = {**scene.phrasing.reply, **scene.world.reply}
    if missing := [name for name in scene.beats if name not in pools]:
        raise UnphrasedError(f"no reply beat {missing[0]!r} in world {scene.world.name}")
    return Choice(scene, spoken(voices(scene)[1], {name: pools[name] for name in scene.beats}))


def replaced_choice(scene: Scene, pools: Mapping[str, Pool]) -> Choice:
    """Give every way of saying the beats that a failure or an alternative replaces."""
    return Choice(scene, spoken(voices(scene)[1], pools))


def failure_pools(scene: Scene, failure: Failure, severity: int) -> dict[str, Pool]:
    """Give the beats that a failure replaces in this scene's world."""
    return {**failure.severities.get(severity, {}), **scene.world.fails.get(f"{failure.key}.{severity}", {})}


def stated(beats: Mapping[str, Beat], facts: frozenset[str]) -> frozenset[str]:
    """Give the facts that a reply states: by an echo slot, its impersonal twin, or a mark."""
    slots = {slot.rstrip("_") for beat in beats.values() for slot in beat.slots}
    marks = {mark.name for beat in beats.values() for mark in beat.marks}
    return facts & (slots | marks)


def aspects(beats: Mapping[str, Beat]) -> frozenset[str]:
    """Give the aspects whose words are marked in a reply."""
    return frozenset(mark.name[1:] for beat in beats.values() for mark in beat.marks if mark.name.startswith("="))


def kept(
    faithful: Mapping[str, Beat], failing: Mapping[str, Beat], family: Family, lexicon: Lexicon | None, joiner: str
) -> frozenset[str]:
    """Give what a failing reply still keeps of the honest one: facts, affect, duty, deixis, address.

    facts: every fact that must be preserved and that the honest reply states; affect, duty: a mark is left; deixis: a first- and a
    second-person form of the language's lexicon is left; address: the beats that carry it are untouched.
    """
    found = set()
    if stated(failing, family.preserved()) >= stated(faithful, family.preserved()):
        found.add("facts")
    found |= aspects(failing) & {"affect", "duty"}
    text = joiner.join(beat.text for beat in failing.values())
    if lexicon is None or (lexicon.first_person(text) and lexicon.second_person(text)):
        found.add("deixis")
    if all(faithful[name].text == failing[name].text for name in family.beats_that_carry("address")):
        found.add("address")
    return frozenset(found)


def reply_faults(phrasing: Phrasing, family: Family, lexicon: Lexicon | None) -> Iterator[tuple[str, str]]:
    """Give (path, message) for every broken claim, once for each message."""
    seen: set[tuple[str, str]] = set()
    for path, message in _faults(phrasing, family, lexicon):
        if (path, message.partition(" (")[0]) not in seen:
            seen.add((path, message.partition(" (")[0]))
            yield path, message


def _faults(phrasing: Phrasing, family: Family, lexicon: Lexicon | None) -> Iterator[tuple[str, str]]:
    heard: set[tuple[object, ...]] = set()
    for scene in scenes(phrasing, family, all_genders=True):
        inflected = tuple(sorted(voices(scene)[0].agreement.items()))
        setting = (
            scene.form,
            scene.level,
            scene.world.name,
            scene.variety,
            scene.emotion,
            scene.explicitness,
            inflected,
        )
        if setting not in heard:
            heard.add(setting)
            yield from _turn_faults(scene)
    done: set[tuple[object, ...]] = set()
    for scene in scenes(phrasing, family, all_genders=False):
        choice = _try(lambda scene=scene: faithful_choice(scene))
        if isinstance(choice, str):
            yield "reply", f"{choice} ({_where(scene)})"
            continue
        key = (scene.form, scene.level, scene.world.name, scene.variety, scene.people["S"].gender, _texts(choice))
        if key in done:
            continue
        done.add(key)
        yield from _faithful_faults(choice, family, lexicon)
        yield from _alternative_faults(choice, family, lexicon)
        for failure in phrasing.failures_at(scene.level):
            for severity in failure.severities:
                yield from _failure_faults(choice, failure, severity, family, lexicon)


def _texts(choice: Choice) -> str:
    return "\x1f".join(beat.text for beats in choice.beats.values() for beat in beats)


def _where(scene: Scene) -> str:
    return f"{scene.form}, {scene.level}, {scene.world.name}, {scene.variety}"


def _try(make: object) -> Choice | str:
    try:
        return make()  # type: ignore[operator, no-any-return]
    except UnphrasedError as fault:
        return str(fault.args[0])


def _turn_faults(scene: Scene) -> Iterator[tuple[str, str]]:
    voice = voices(scene)[0]
    pools = (
        {"masked": scene.phrasing.turn["masked"]}
        if scene.level == "masked"
        else {beat: scene.phrasing.turn[beat] for beat in ("open", "feel", "ask")}
    )
    try:
        spoken(voice, pools)
        for line in scene.world.what:
            voice.say("what", line)
        for key in ("all", scene.form):
            if key in scene.phrasing.setting:
                voice.say("setting", scene.phrasing.setting[key])
        for line in scene.phrasing.request:
            voice.say("request", line)
    except UnphrasedError as fault:
        yield "turn", f"{fault.args[0]} ({_where(scene)})"


def _faithful_faults(choice: Choice, family: Family, lexicon: Lexicon | None) -> Iterator[tuple[str, str]]:
    scene = choice.scene
    for beats in choice.combinations():
        if lacking := family.preserved() - stated(beats, family.preserved()):
            yield "reply", f"the faithful reply does not state {', '.join(sorted(lacking))} ({_where(scene)})"
        for aspect in ("affect", "duty"):
            if family.beats_that_carry(aspect) and aspect not in aspects(beats):
                path = f"reply/{family.beats_that_carry(aspect)[0]}"
                yield path, f"the faithful reply marks no [={aspect}|...] ({_where(scene)})"
    yield from _echo_faults(scene, choice)
    if lexicon is not None and family.stance in (Stance.IN_RELATION, Stance.CONFIDANT):
        text = " ".join(beats[0].text for beats in choice.beats.values())
        if not (lexicon.first_person(text) and lexicon.second_person(text)):
            yield "reply", f"the faithful reply has no first- or no second-person form of the lexicon ({_where(scene)})"


def _echo_faults(scene: Scene, choice: Choice) -> Iterator[tuple[str, str]]:
    del choice
    if scene.stance == Stance.CARRY_OVER:
        return  # an editor may quote
    teller, replier = voices(scene)
    told = [_grams(teller.say("what", line).text, scene.phrasing.language) for line in scene.world.what]
    for name, pool in scene.world.slots.items():
        if name not in {mark for line in scene.world.what for mark in line.marks()}:
            continue
        for beats in spoken(replier, {name: pool}).values():
            shared = [
                gram
                for beat in beats
                for gram in _grams(beat.text, scene.phrasing.language)
                if any(gram in t for t in told)
            ]
            if shared:
                said = ("" if len(shared[0][0]) == 1 else " ").join(shared[0])
                yield f"worlds/{scene.world.name}/slots/{name}", f"echoes the speaker's own words {said!r}"


def _grams(text: str, language: str) -> frozenset[tuple[str, ...]]:
    words, size = words_of(text, language), 10 if language in UNSPACED else 4
    return frozenset(tuple(words[i : i + size]) for i in range(len(words) - size + 1))


def _alternative_faults(choice: Choice, family: Family, lexicon: Lexicon | None) -> Iterator[tuple[str, str]]:
    scene, phrasing = choice.scene, choice.scene.phrasing
    other = _try(lambda: replaced_choice(scene, phrasing.alternative))
    if isinstance(other, str):
        yield "alternative", f"{other} ({_where(scene)})"
        return
    faithful = next(choice.combinations())
    for beats in other.combinations():
        whole = {**faithful, **beats}
        for claim in sorted({"facts", "affect", "duty"} & set(phrasing.alternative_keeps)):
            if claim not in kept(faithful, whole, family, lexicon, phrasing.joiner):
                yield "alternative", f"claims to keep {claim}, and does not ({_where(scene)})"
        if all(whole[name].text == faithful[name].text for name in whole):
            yield "alternative", f"is the faithful reply again ({_where(scene)})"


def _failure_faults(
    choice: Choice, failure: Failure, severity: int, family: Family, lexicon: Lexicon | None
) -> Iterator[tuple[str, str]]:
    scene = choice.scene
    path = f"fails/{failure.key}/{severity}"
    pools = failure_pools(scene, failure, severity)
    if unknown := set(pools) - set(scene.beats):
        yield path, f"replaces {sorted(unknown)}, which are no beats of the reply; valid: {', '.join(scene.beats)}"
        return
    other = _try(lambda: replaced_choice(scene, pools))
    if isinstance(other, str):
        yield path, f"{other} ({_where(scene)})"
        return
    honest, spoiled = list(choice.combinations()), list(other.combinations())
    for faithful, beats in itertools.product(honest, spoiled):
        yield from _length_faults(path, scene, faithful, {**faithful, **beats})
    # what is kept follows from each line by itself, so every line is met once and not every pair
    pairs = [(honest[0], beats) for beats in spoiled] + [(faithful, spoiled[0]) for faithful in honest[1:]]
    for faithful, beats in pairs:
        yield from _claim_faults(path, failure, faithful, {**faithful, **beats}, family, lexicon, scene)


def _length_faults(
    path: str, scene: Scene, faithful: Mapping[str, Beat], failing: Mapping[str, Beat]
) -> Iterator[tuple[str, str]]:
    gaps = len(scene.phrasing.joiner) * (len(faithful) - 1)
    before, after = (sum(len(beat.text) for beat in beats.values()) + gaps for beats in (faithful, failing))
    if not SHORTEST <= after / before <= LONGEST:
        ratio = f"{after / before:.3f}: {before} -> {after}"
        yield path, f"length ratio outside {SHORTEST}-{LONGEST} ({ratio}; {_where(scene)})"


def _claim_faults(
    path: str,
    failure: Failure,
    faithful: Mapping[str, Beat],
    failing: Mapping[str, Beat],
    family: Family,
    lexicon: Lexicon | None,
    scene: Scene,
) -> Iterator[tuple[str, str]]:
    if all(faithful[name].text == failing[name].text for name in faithful):
        yield path, f"changes nothing ({_where(scene)})"
    held = kept(faithful, failing, family, lexicon, scene.phrasing.joiner)
    for claim in failure.keeps:
        if claim not in held:
            yield path, f"claims to keep {claim}, and does not ({_where(scene)})"
    if failure.key == "avoidance" and "duty" in aspects(failing):
        yield path, f"leaves a [=duty|...] mark, so the duty is not avoided ({_where(scene)})"


def lengths(phrasing: Phrasing, family: Family) -> Iterator[tuple[str, int]]:
    """Give (mechanism, difference in length) for one rendering of every failure in every setting."""
    for scene in scenes(phrasing, family, all_genders=False):
        if scene.people["S"].gender == "f":
            continue
        try:
            faithful = next(faithful_choice(scene).combinations())
            for failure in phrasing.failures_at(scene.level):
                for severity in failure.severities:
                    beats = next(replaced_choice(scene, failure_pools(scene, failure, severity)).combinations())
                    longer = sum(len(beats[name].text) - len(faithful[name].text) for name in beats)
                    yield str(failure.mechanism), longer
        except (UnphrasedError, KeyError):
            continue
