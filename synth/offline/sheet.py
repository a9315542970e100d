"""A page of rendered rows for a reader to mark: setting, turn, and every reply, one after another."""

from __future__ import annotations

import random
from dataclasses import replace

from synth.content.phrasings import read_phrasing
from synth.content.scenarios import read_family
from synth.content.shelves import Shelves
from synth.offline import compose
from synth.offline.settings import scenes


def sheet(shelves: Shelves, language: str, family: str, count: int, seed: int = 0) -> str:
    """Give `count` rows of a family, drawn at random over all its settings, as plain text."""
    phrasing, spec = read_phrasing(shelves, language, family), read_family(shelves, family)
    every = list(scenes(phrasing, spec, all_genders=True))
    draw = random.Random(seed) if seed else random.Random()  # noqa: S311 - a reader's sample, nothing is kept
    rows = []
    for number, scene in enumerate(draw.sample(every, min(count, len(every)))):
        told = replace(scene, telling=number % len(scene.world.what), rank=draw.randrange(48), seed=draw.randrange(9))
        rows.append(_row(number + 1, told))
    return "\n".join(rows)


def _row(number: int, scene: compose.Scene) -> str:
    joiner = scene.phrasing.joiner
    turn, marks = compose.join(compose.turn(scene), joiner)
    genders = " ".join(f"{pid}={person.name}({person.gender})" for pid, person in scene.people.items())
    head = f"{scene.form} {scene.level} {scene.emotion}/{scene.explicitness} {scene.world.name} {scene.variety}"
    lines = [f"\n== {number}. {head} | {genders} address {scene.addresses()}", f"setting   {compose.setting(scene)}"]
    if scene.phrasing.request:
        lines.append(f"request   {compose.request(scene)}")
    lines.append(f"turn      {turn}")
    lines.append("marks     " + "; ".join(f"{mark.name}={turn[mark.start : mark.end]}" for mark in marks))
    faithful = compose.faithful(scene)
    lines.append(f"faithful  {joiner.join(beat.text for beat in faithful.values())}")
    lines.append(f"alternat. {_whole(faithful, compose.alternative(scene), joiner)}")
    for failure in scene.phrasing.failures_at(scene.level):
        for severity in failure.severities:
            text = _whole(faithful, compose.failing(scene, failure, severity), joiner)
            lines.append(f"{failure.key} {severity}: {text}")
    return "\n".join(lines)


def _whole(faithful: dict[str, compose.Beat], replaced: dict[str, compose.Beat], joiner: str) -> str:
    return joiner.join(beat.text for beat in {**faithful, **replaced}.values())
