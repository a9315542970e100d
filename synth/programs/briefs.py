"""The brief that ends every prompt: what a cell asks, as plain values. The annotator's holds the scene and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synth.content.scenarios import Family
from synth.programs.contracts import EventAnswer, SceneAnswer
from synth.records.cells import Cell, Event, PlannedFailure
from synth.records.labels import OVER_VARIANTS, Direction

Brief = dict[str, Any]


def people(cell: Cell) -> Brief:
    """Give the people of a cell: name, role, gender, variety of speech, how each calls the others."""
    return {
        person.pid: {
            "name": person.short,
            "role": person.role,
            "gender": person.gender,
            "variety": "-".join(person.profile_id.split("-")[:2]),
            "calls": dict(person.calls),
        }
        for person in cell.people
    }


def _head(program: str, event: Event, family: Family) -> Brief:
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
    }


def of_event(event: Event, family: Family) -> Brief:
    """Give the brief of the event program."""
    cell = event.cells[0]
    return _head("event", event, family) | {
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
        "event": answer.model_dump(),
    }


def of_write(event: Event, cell: Cell, family: Family, answer: EventAnswer) -> Brief:
    """Give the brief of the write program."""
    return _head("write", event, family) | _form(cell, family, answer)


def of_vary(event: Event, cell: Cell, family: Family, answer: EventAnswer, base: Cell, scene: SceneAnswer) -> Brief:
    """Give the brief of the vary program: the cell, and the text of the form that it edits."""
    given = {"form": str(base.form), "setting": scene.setting, "turns": [turn.text for turn in scene.turns]}
    return _head("vary", event, family) | _form(cell, family, answer) | {"from": given}


def _scene(scene: SceneAnswer) -> Brief:
    turns = [{"by": turn.by, "to": list(turn.to), "text": turn.text} for turn in scene.turns]
    return {"setting": scene.setting, "turns": turns}


def of_reply(event: Event, cell: Cell, family: Family, answer: EventAnswer, scene: SceneAnswer, style: str) -> Brief:
    """Give the brief of the reply program; style is faithful or alternative."""
    duty = family.duty.model_dump() if family.duty else None
    return (
        _head("reply", event, family)
        | _form(cell, family, answer)
        | {
            "style": style,
            "scene": _scene(scene),
            "request": scene.request,
            "duty": duty,
            "beats": {name: beat.says for name, beat in family.reply.beats.items()},
        }
    )


def of_contrast(
    event: Event,
    cell: Cell,
    family: Family,
    answer: EventAnswer,
    scene: SceneAnswer,
    beats: Mapping[str, str],
    failure: PlannedFailure,
) -> Brief:
    """Give the brief of the contrast program: the good reply's beats, and how one of them is to fail."""
    direction = Direction.OVER if failure.variant in OVER_VARIANTS else Direction.UNDER
    return (
        _head("contrast", event, family)
        | _form(cell, family, answer)
        | {
            "scene": _scene(scene),
            "reply": dict(beats),
            "mechanism": str(failure.mechanism),
            "variant": failure.variant,
            "direction": str(direction),
            "severity": failure.severity,
        }
    )


def of_annotate(language: str, scene: SceneAnswer, roles: Mapping[str, str]) -> Brief:
    """Give the brief of a blind annotator: the language, the scene, who speaks to whom. Nothing of the cell."""
    return {"program": "annotate", "language": language, "roles": dict(roles), "scene": _scene(scene)}
