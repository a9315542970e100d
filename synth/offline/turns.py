"""Tell a scene in several turns: the speaker's beats divided, and what the other says in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from synth.content import markup
from synth.offline import compose
from synth.offline.compose import Beat, Scene, Speaker


def told_turns(scene: Scene, count: int, listens: Sequence[str]) -> list[dict[str, Any]]:
    """Give the turns of a scene as a writer answers them: one, or more where the other has something to say in between.

    Args:
        scene: What is told; the line of a hidden feeling stays whole in the last turn, and openings come before it.
        count: How many turns are asked for, the speaker first and last.
        listens: What people say who listen; `{S}`, `{A}` and `<A:m|f>` may stand there.
    """
    parts = (count + 1) // 2 if listens else 1
    beats = [*(_openings(scene, parts - 1) if scene.level == "masked" else ()), *compose.turn(scene)]
    other = "R" if scene.stance == "on_behalf" else "A"
    groups = divided(beats, parts)
    turns: list[dict[str, Any]] = []
    for number, group in enumerate(groups):
        if number:
            turns.append(_turn(other, "S", _listening(scene, listens, number)))
        turns.append(_told(scene, group, other))
    return turns


def _openings(scene: Scene, count: int) -> Iterator[Beat]:
    """Give so many different ways of beginning."""
    voice = compose.voices(scene)[0]
    for number in range(count):
        yield voice.pick("open", scene.phrasing.turn["open"], scene.rank + number)


def divided(beats: Sequence[Beat], parts: int) -> list[Sequence[Beat]]:
    """Give beats in so many groups (fewer where they are fewer), the feeling in the last one where that can be: it is the turn that is judged."""
    parts = max(1, min(parts, len(beats)))
    feel = next((number for number, beat in enumerate(beats) if beat.name == "feel"), 0)
    last = 0 if parts == 1 else max(parts - 1, feel)
    ends = [last * number // max(1, parts - 1) for number in range(parts)]
    return [beats[start:end] for start, end in zip(ends, [*ends[1:], len(beats)], strict=True)]


def _told(scene: Scene, beats: Sequence[Beat], other: str) -> dict[str, Any]:
    text, marks = compose.join(beats, scene.phrasing.joiner)
    facts, cues = [], []
    for mark in marks:
        quote = text[mark.start : mark.end]
        quoted = {"quote": quote, "nth": _places(text, quote).index(mark.start)}
        if mark.name.startswith("~"):
            cues.append({"kind": mark.name[1:], **quoted})
        else:
            facts.append({"id": mark.name, **quoted})
    return _turn("S", other, text) | {"facts": facts, "cues": cues}


def _turn(by: str, to: str, text: str) -> dict[str, Any]:
    return {"by": by, "to": [to], "text": text, "facts": [], "cues": []}


def _listening(scene: Scene, listens: Sequence[str], number: int) -> str:
    """Give what the other says after the speaker's `number`-th turn."""
    order = compose.permutation(len(listens), scene.seed, "listens")
    line = markup.parse(listens[order[(scene.rank + number) % len(listens)]])
    people: Mapping[str, Speaker] = scene.people
    agreement = {key: int(key in people and people[key].gender == "f") for key in line.keys()}  # noqa: SIM118 - a method
    return markup.render(line, lambda name: people[name].name, agreement, raise_first=True).text


def _places(text: str, words: str) -> list[int]:
    found, at = [], text.find(words)
    while at >= 0:
        found.append(at)
        at = text.find(words, at + 1)
    return found
