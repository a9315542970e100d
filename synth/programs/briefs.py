"""The brief that ends every prompt: what a cell asks, as plain values. The annotator's holds the scene and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synth.content.definitions import Definitions
from synth.content.scenarios import Family
from synth.programs.contracts import EventAnswer, SceneAnswer
from synth.records.cells import Cell, Event, Person, PlannedFailure
from synth.records.labels import OVER_VARIANTS, Direction

Brief = dict[str, Any]

SHORTEST, LONGEST = 0.85, 1.18
"""A failure's length as a share of its parent's (SPEC section 4)."""


def people(cell: Cell) -> Brief:
    """Give the people of a cell: name, role, gender, variety of speech, how each calls the others, and who they are where that is drawn."""
    return {person.pid: _person(person) for person in cell.people}


def _person(person: Person) -> Brief:
    if not person.name:
        return {"role": person.role}
    told = {
        "name": person.short,
        "role": person.role,
        "gender": person.gender,
        "variety": "-".join(person.profile_id.split("-")[:2]),
        "calls": dict(person.calls),
    }
    if person.life is not None:
        life = person.life
        told["life"] = [life.work, life.household, life.cares, life.talks]
        told["age"] = life.age_band
    return told


def _head(program: str, event: Event, family: Family, again: Sequence[str] = ()) -> Brief:
    return {
        "program": program,
        "language": event.language,
        "family": family.family,
        "happening": family.happening,
        "domain": str(family.domain),
        "task": str(family.task),
        "stance": str(family.stance),
        "level": event.level,
        "emotion": str(event.emotion),
        "explicitness": str(event.explicitness),
        **({} if event.sequence is None else {"draw": {"seed": event.seed, "sequence": event.sequence}}),
        **({"again": list(again)} if again else {}),
    }


def of_event(event: Event, family: Family, again: Sequence[str] = ()) -> Brief:
    """Give the brief of the event program."""
    cell = event.cells[0]
    return _head("event", event, family, again) | {
        "variety": cell.variety,
        "felt": cell.felt,
        "facts": {name: fact.says for name, fact in family.facts.items()},
        "people": people(cell),
    }


def _form(cell: Cell, family: Family, answer: EventAnswer) -> Brief:
    return {
        "form": str(cell.form),
        "variety": cell.variety,
        "relationship": cell.relationship,
        "power_gap": cell.power_gap,
        "channel": family.channel,
        "goal": str(cell.goal),
        "felt": cell.felt,
        "shown": cell.shown,
        "regulation": str(cell.regulation),
        "directness": cell.directness,
        "people": people(cell),
        "address": {"out": cell.address_out, "back": cell.address_back},
        "facts": {
            name: {"says": fact.says, "must": str(fact.must), "words": answer.facts.get(name, "")}
            for name, fact in family.facts.items()
        },
        # which authored world and line these are; a model that writes its own has none
        "event": {"particulars": answer.particulars}
        | ({"world": answer.world, "telling": answer.telling} if answer.world else {}),
    }


def _meant(cell: Cell, defined: Definitions) -> Brief:
    """Give what the two leading labels mean, for a model that writes."""
    return {
        "meant": {
            "emotion": defined.emotions[str(cell.emotion)].says,
            "goal": defined.goals[str(cell.goal)].says,
        }
    }


def of_write(
    event: Event,
    cell: Cell,
    family: Family,
    answer: EventAnswer,
    defined: Definitions | None = None,
    arc: str = "",
    again: Sequence[str] = (),
) -> Brief:
    """Give the brief of the write program; `defined` and `arc` are for models that write their own."""
    brief = _head("write", event, family, again) | _form(cell, family, answer)
    if defined is not None and event.sequence is None:
        brief |= _meant(cell, defined) | {"turns": cell.turns}
        brief |= {"arc": arc} if arc else {}
    return brief


def of_vary(
    event: Event,
    cell: Cell,
    family: Family,
    answer: EventAnswer,
    base: Cell,
    scene: SceneAnswer,
    defined: Definitions | None = None,
    again: Sequence[str] = (),
) -> Brief:
    """Give the brief of the vary program: the cell, and the text of the form that it edits."""
    given: Brief = {"form": str(base.form), "setting": scene.setting, "turns": [turn.text for turn in scene.turns]}
    brief = _head("vary", event, family, again) | _form(cell, family, answer) | {"from": given}
    if defined is not None and event.sequence is None:
        by = [{"by": turn.by, "to": list(turn.to)} for turn in scene.turns]
        given |= {"request": scene.request, "by": by}
        brief |= _meant(cell, defined) | {"turns": cell.turns}
    return brief


def of_scene(scene: SceneAnswer) -> Brief:
    """Give a scene as everybody is shown it who reads and does not write: setting and turns, no facts, no cues."""
    turns = [{"by": turn.by, "to": list(turn.to), "text": turn.text} for turn in scene.turns]
    return {"setting": scene.setting, "turns": turns}


def of_reply(
    event: Event,
    cell: Cell,
    family: Family,
    answer: EventAnswer,
    scene: SceneAnswer,
    style: str,
    *,
    reasoning: str = "",
    again: Sequence[str] = (),
) -> Brief:
    """Give the brief of the reply program; style is faithful or alternative."""
    duty = family.duty.model_dump() if family.duty else None
    return (
        _head("reply", event, family, again)
        | _form(cell, family, answer)
        | {
            "style": style,
            "scene": of_scene(scene),
            "request": scene.request,
            "duty": duty,
            "premise": str(family.premise),
            "audience": family.audience,
            "beats": {name: beat.says for name, beat in family.reply.beats.items()},
        }
        | ({"reasoning": reasoning} if reasoning else {})
    )


def of_contrast(
    event: Event,
    cell: Cell,
    family: Family,
    answer: EventAnswer,
    scene: SceneAnswer,
    beats: Mapping[str, str],
    failure: PlannedFailure,
    joiner: str = " ",
    again: Sequence[str] = (),
) -> Brief:
    """Give the brief of the contrast program: the good reply's beats, and how one of them is to fail."""
    direction = Direction.OVER if failure.variant in OVER_VARIANTS else Direction.UNDER
    brief = (
        _head("contrast", event, family, again)
        | _form(cell, family, answer)
        | {
            "scene": of_scene(scene),
            "reply": dict(beats),
            "mechanism": str(failure.mechanism),
            "variant": failure.variant,
            "direction": str(direction),
            "severity": failure.severity,
        }
    )
    if failure.longer is not None:
        size = sum(map(len, beats.values())) + len(joiner) * (len(beats) - 1)
        duty = family.duty.model_dump() if family.duty else None
        # whole characters inside the band, so that what is asked is never what is refused
        least, most = int(size * SHORTEST) + 1, int(size * LONGEST)
        brief |= {
            "length": {"least": least, "most": most, "now": size, "rather": "longer" if failure.longer else "shorter"},
            "duty": duty,
            "carries": {name: list(beat.carries) for name, beat in family.reply.beats.items()},
        }
    return brief


def of_annotate(language: str, scene: SceneAnswer) -> Brief:
    """Give the brief of a blind annotator: the language, the scene, who speaks to whom. Nothing of the cell.

    People go by their letters: the name of a role would give away who holds what over whom.
    """
    return {"program": "annotate", "language": language, "scene": of_scene(scene)}


def of_verify(language: str, scene: SceneAnswer, claims: Sequence[Mapping[str, Any]]) -> Brief:
    """Give the brief of a sighted verifier: what the annotator sees, and claims of which nothing says whether they are true."""
    return of_annotate(language, scene) | {"program": "verify", "claims": [dict(claim) for claim in claims]}


def of_judge(
    language: str,
    family: Family,
    scene: SceneAnswer,
    reply: str,
    probes: Sequence[Mapping[str, Any]],
) -> Brief:
    """Give the brief of a judge: the scene, one text, and what to look for in it. Nothing says what kind of text it is."""
    return {
        "program": "judge",
        "language": language,
        "task": str(family.task),
        "stance": str(family.stance),
        "scene": of_scene(scene),
        "reply": reply,
        "probes": [dict(probe) for probe in probes],
    }
