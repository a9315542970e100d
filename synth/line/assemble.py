"""Make rows of what was asked and what was answered."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from synth.content.prompts import Frame
from synth.content.scenarios import Family
from synth.line.checks import ASSISTANT
from synth.line.evidence import find_quote, form_difference, normal
from synth.programs.contracts import EventAnswer, SceneAnswer
from synth.records.cells import Cell, Person
from synth.records.labels import GROUP_OF, Origin, Outcome, ProfileStatus, Stance, Task, Tie
from synth.records.schema import (
    SCHEMA_VERSION,
    Address,
    Call,
    CueSpan,
    Duty,
    Fact,
    FactSpan,
    FailedCheck,
    Message,
    Participant,
    Relation,
    Scenario,
    Span,
    Turn,
)

CONTENT_LICENCE: Final = "CC-BY-4.0"
_RENDERED_AGAIN: Final = (Task.TRANSLATE, Task.SUMMARISE, Task.REPORT, Task.REWRITE)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What decides every row of a language: the generator, the line, and the rights."""

    generator: str
    line_digest: str
    origin: Origin
    authored_by_model: str | None
    reread: bool
    licence: str
    terms: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a scene came to: its outcome, and its text where it has one."""

    outcome: Outcome
    calls: tuple[Call, ...]
    event: EventAnswer | None = None
    scene: SceneAnswer | None = None
    base: SceneAnswer | None = None
    failed: tuple[FailedCheck, ...] = ()


def make_scenario(cell: Cell, family: Family, frame: Frame, told: Told, provenance: Provenance) -> Scenario:
    """Give the row of a cell, whatever became of it; everything that was not answered is null or empty."""
    return Scenario(
        schema_version=SCHEMA_VERSION,
        outcome=told.outcome,
        is_synthetic=True,
        participants=tuple(_participants(cell, family)),
        relations=_relations(cell, told.scene),
        facts=tuple(_facts(family, told)),
        norms=(),
        calls=told.calls,
        failed_checks=told.failed,
        **_situation(cell, family),
        **_feeling(cell, family),
        **_rights(provenance),
        **_texts(cell, family, frame, told),
    )


def _situation(cell: Cell, family: Family) -> dict[str, Any]:
    """Give which event and form it is, in which language and place, and who holds what over whom."""
    return {
        **_taken(cell, "scenario_id event_key form_key split family language variety script locale profile_ids"),
        **_taken(cell, "power_gap power_bases exit_cost familiarity"),
        **_taken(family, "domain task stance channel audience dimensions pressure imposition premise held_constant"),
        "mixed_with": (),
        "profile_status": ProfileStatus.REVIEWED if cell.profiles_reviewed else ProfileStatus.DRAFT,
        "power_form": cell.form,
        "tie": Tie(cell.tie),
        "duty": Duty(**family.duty.model_dump()) if family.duty else None,
        "crisis": None,
        "protected": (),
    }


def _feeling(cell: Cell, family: Family) -> dict[str, Any]:
    """Give what is wanted, felt and shown."""
    return {
        **_taken(cell, "goal emotion emotion_also felt shown regulation explicitness directness"),
        "goal_group": GROUP_OF[cell.goal],
        "goal_also": family.goal.also,
        "label_local": next((felt.local for felt in family.emotion.felt if felt.label == cell.emotion), None),
        "valence": family.emotion.valence,
    }


def _rights(provenance: Provenance) -> dict[str, Any]:
    """Give where the words come from, and what may be done with them."""
    return {
        **_taken(provenance, "origin generator authored_by_model reread line_digest licence terms"),
        "source_language": None,
        "derived_from": None,
        "authored_by_person": None,
        "canary": None,
    }


def _texts(cell: Cell, family: Family, frame: Frame, told: Told) -> dict[str, Any]:
    """Give the texts: setting, turns, prompt, source, and what this form changed of the first one."""
    scene = told.scene
    turns = tuple(_turn(cell, family, scene, number) for number in range(len(scene.turns))) if scene else ()
    text = turns[-1].text if turns else None
    base = normal(told.base.turns[-1].text) if told.base and scene else None
    return {
        "form_diff": form_difference(base, text) if base is not None and text is not None else (),
        "setting": normal(scene.setting) if scene else None,
        "prompt": _prompt(cell, family, frame, scene, text) if scene and text else (),
        "target_turn": len(turns) - 1 if turns else None,
        "source_text": "\n\n".join(turn.text for turn in turns if turn.pid == "S")
        if turns and family.task in _RENDERED_AGAIN
        else None,
        "text_sha256": hashlib.sha256(text.encode()).hexdigest() if text else None,
        "turns": turns,
    }


def _taken(source: object, names: str) -> dict[str, Any]:
    return {name: getattr(source, name) for name in names.split()}


def _turn(cell: Cell, family: Family, scene: SceneAnswer, number: int) -> Turn:
    said = scene.turns[number]
    text = normal(said.text)
    cues = [(find_quote(text, cue.quote, cue.nth), cue.kind) for cue in said.cues]
    cause = [find_quote(text, fact.quote, fact.nth) for fact in said.facts if fact.id == family.emotion.cause]
    # what is planned holds of the turn that is answered: before it a feeling may still be on its way (templates/arcs)
    own = said.by == "S" and number == len(scene.turns) - 1
    return Turn(
        pid=said.by,
        to=said.to,
        text=text,
        goal=cell.goal if own else None,
        felt=cell.felt if own else None,
        shown=cell.shown if own else None,
        emotion=cell.emotion if own else None,
        cues=tuple(CueSpan(span.start, span.end, kind) for span, kind in sorted(cues, key=lambda pair: pair[0].start)),
        cause=tuple(sorted(cause, key=lambda span: span.start)),
        register_shift=None,
        spans_language=(),
    )


def _facts(family: Family, told: Told) -> list[Fact]:
    found = []
    for name, spec in family.facts.items():
        spans: list[FactSpan] = []
        words = told.event.facts.get(name) if told.event else None
        for number, turn in enumerate(told.scene.turns if told.scene else ()):
            text = normal(turn.text)
            for fact in turn.facts:
                if fact.id == name:
                    place: Span = find_quote(text, fact.quote, fact.nth)
                    spans.append(FactSpan(number, place.start, place.end))
                    words = text[place.start : place.end]
        found.append(Fact(name, spec.says, words, spec.weight, spec.must, tuple(spans)))
    return found


def _participants(cell: Cell, family: Family) -> list[Participant]:
    found = [_participant(cell, person) for person in cell.people]
    if family.stance in (Stance.ON_BEHALF, Stance.CARRY_OVER):
        found.append(
            Participant(ASSISTANT, "assistant", None, None, None, None, None, None, (cell.language,), None, None)
        )
    return found


def _participant(cell: Cell, person: Person) -> Participant:
    life = person.life
    return Participant(
        pid=person.pid,
        role=person.role,
        name=person.name or None,
        profile_id=person.profile_id or None,
        biography=f"{life.work}\n{life.household}\n{life.cares}\n{life.talks}" if life else None,
        occupation=life.occupation if life else None,
        age_band=life.age_band if life else None,
        gender=person.gender or None,
        languages=(cell.language,),
        directness=cell.directness if person.pid == "S" else None,
        agreement=person.gender or None,
    )


def _relations(cell: Cell, scene: SceneAnswer | None) -> tuple[Relation, ...]:
    """Give the relations, with the address that the texts really use between the two who speak."""
    if scene is None or scene.address is None:
        return cell.relations
    spoken = {0: (scene.address.out, scene.address.back), 1: (scene.address.back, scene.address.out)}
    return tuple(
        replace(relation, address=_spoken(relation.address, *spoken[number])) if number in spoken else relation
        for number, relation in enumerate(cell.relations)
    )


def _spoken(address: Address | None, out: str, back: str) -> Address | None:
    if address is None or not out:
        return address
    return replace(address, self=out, other=back, mutual=out == back)


def _prompt(cell: Cell, family: Family, frame: Frame, scene: SceneAnswer, turn: str) -> tuple[Message, ...]:
    # in a control nobody has a name: people go by the letter of their place
    names: Mapping[str, str] = {person.pid: person.short or person.pid for person in cell.people}
    before = [frame.said.format(name=names.get(one.by, one.by), text=normal(one.text)) for one in scene.turns[:-1]]
    setting = "\n\n".join([normal(scene.setting), *before])
    values = {"setting": setting, "turn": turn, "request": normal(scene.request), **names}
    genders = {person.pid: person.gender for person in cell.people if person.gender}
    pattern = str(getattr(frame, str(family.stance)))
    return (Message("user", fill_frame(pattern, values, genders)),)


def fill_frame(pattern: str, values: Mapping[str, str], genders: Mapping[str, str]) -> str:
    """Give a frame with its slots filled; `<A:m|f>` chooses by a person's gender."""
    from synth.content import markup

    line = markup.parse(pattern)
    agreement = {key: 0 if genders.get(key, "m") == "m" else 1 for key in line.keys()}  # noqa: SIM118 - a method
    return markup.render(line, values.__getitem__, agreement).text
