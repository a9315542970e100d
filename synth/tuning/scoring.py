"""Scoring: what one answer of the tuned program is worth, after everything that has to be asked about it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from synth.ask import Parsed
from synth.content.lexicons import Lexicon
from synth.content.shelves import Shelves
from synth.line.checks import Failed, check_event, check_reply, check_scene
from synth.line.contrasts import examine_contrast
from synth.line.evidence import join_beats, normal
from synth.models.base import Contract
from synth.programs.contracts import ContrastAnswer, EventAnswer, ReplyAnswer, SceneAnswer
from synth.programs.contrast import spoil_reply
from synth.programs.event import tell_event
from synth.programs.judge import judge_reply, probes_of
from synth.programs.questions import Desk
from synth.programs.reply import write_reply
from synth.programs.vary import vary_scene
from synth.programs.verify import claims_of, verify_scene
from synth.programs.write import write_scene
from synth.records.schema import Call
from synth.tuning.cases import Case
from synth.tuning.measure import (
    Judged,
    Score,
    accepted,
    kept_probe,
    margin,
    names_feeling,
    natural,
    scored,
    spoilt_probe,
    spoken_by_speaker,
    truths_of,
    unanswered,
)

A = TypeVar("A", bound=BaseModel)

SHARD: Final = "tuning"
"""The ledger shard of a tuning's answers."""


@dataclass(frozen=True, slots=True)
class Tongue:
    """What the bench needs of one language: prompts, words, what stands between two beats, who verifies and judges, the frame that replies are thought in."""

    shelves: Shelves
    language: str
    native: bool
    seats: Mapping[str, str]
    lexicon: Lexicon | None
    joiner: str
    verifiers: tuple[str, ...]
    judges: tuple[str, ...]
    reasoning: str = ""


@dataclass(slots=True)
class TunedDesk(Desk):
    """A desk whose prompt is tried; `brief` is what was asked last."""

    brief: str = ""

    async def ask(
        self, role: str, brief: Mapping[str, Any], contract: Contract, answer: type[A], **more: Any
    ) -> Parsed[A]:
        """Note the brief, and ask."""
        self.brief = json.dumps(brief, ensure_ascii=False)
        return await Desk.ask(self, role, brief, contract, answer, **more)


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one case under one prompt: the score, the brief that was asked, and the answer as JSON text."""

    score: Score
    brief: str = ""
    answer: str = ""


@dataclass(slots=True)
class Asked:
    """A case at work: its desks, and every call that was made for what is measured."""

    case: Case
    tongue: Tongue
    standing: Desk
    tuned: TunedDesk
    calls: list[Call] = field(default_factory=list)

    def value(self, parsed: Parsed[A]) -> A | None:
        """Give what an answer holds, its calls counted."""
        self.calls += parsed.calls
        return parsed.value


@dataclass(frozen=True, slots=True)
class Before:
    """What stands before the tuned program."""

    event: EventAnswer | None = None
    scene: SceneAnswer | None = None
    beats: Mapping[str, str] = field(default_factory=dict)


async def score(program: str, asked: Asked, before: Before) -> tuple[Score, str]:
    """Give the score of a program's answer to a case, and the answer as JSON text; raises SynthError as `Asker.ask` does."""
    match program:
        case "event":
            return await _score_event(asked)
        case "reply":
            return await _score_reply(asked, before)
        case "contrast":
            return await _score_contrast(asked, before)
        case _:
            return await _score_scene(asked, before)


def _text(answer: BaseModel) -> str:
    return answer.model_dump_json(exclude_defaults=True)


# -- scenes: event, write, vary


async def _score_event(asked: Asked) -> tuple[Score, str]:
    case = asked.case
    told = await tell_event(asked.tuned, case.event, case.family, SHARD)
    event = asked.value(told)
    if event is None:
        return unanswered(str(told.outcome), asked.calls), ""
    scene = asked.value(await write_scene(asked.standing, case.event, case.cell, case.family, event, SHARD))
    failed = check_event(event, case.family)
    if scene is None:
        return scored({"plausibility": 0.0}, failed, asked.calls), _text(event)
    return await _scene_score(asked, scene, failed), _text(event)


async def _score_scene(asked: Asked, before: Before) -> tuple[Score, str]:
    case, event = asked.case, before.event
    assert event is not None
    if case.base is not None:
        assert before.scene is not None
        base = (case.base, before.scene)
        written = await vary_scene(asked.tuned, case.event, case.cell, case.family, event, base, SHARD)
    else:
        written = await write_scene(asked.tuned, case.event, case.cell, case.family, event, SHARD)
    scene = asked.value(written)
    if scene is None:
        return unanswered(str(written.outcome), asked.calls), ""
    failed = check_scene(scene, case.cell, case.family, event, asked.tongue.lexicon, before.scene)
    return await _scene_score(asked, scene, failed), _text(scene)


async def _scene_score(asked: Asked, scene: SceneAnswer, failed: Sequence[Failed]) -> Score:
    """Give the score of a scene; `failed` are the checks of the tuned program's own answer."""
    case, tongue = asked.case, asked.tongue
    said = spoken_by_speaker(scene)
    plausibility, heard = await _plausibility(asked, scene)
    parts = {"plausibility": plausibility, "naturalness": natural(said, tongue.lexicon)}
    named = names_feeling(said, case.cell, tongue.lexicon)
    return scored(parts, failed, asked.calls, names=named, heard=heard)


async def _plausibility(asked: Asked, scene: SceneAnswer) -> tuple[float, bool]:
    """Ask the verifiers, each in two questions; give the acceptance of true claims minus that of decoys, and whether anybody answered."""
    case = asked.case
    truths = truths_of(case.cell, case.family, scene)
    halves = claims_of(case.cell.scenario_id, truths, asked.standing.definitions())
    pairs = [(role, half) for role in asked.tongue.verifiers for half in halves]
    answers = await asyncio.gather(
        *(verify_scene(asked.standing, role, case.event.language, scene, half, SHARD) for role, half in pairs)
    )
    true: list[float] = []
    decoys: list[float] = []
    for (_, half), answer in zip(pairs, answers, strict=True):
        if (value := asked.value(answer)) is not None:
            right, wrong = accepted(truths, half, value)
            true += right
            decoys += wrong
    return margin(true, decoys), bool(true or decoys)


# -- replies: reply, contrast


async def _score_reply(asked: Asked, before: Before) -> tuple[Score, str]:
    case = asked.case
    assert before.event is not None
    assert before.scene is not None
    about = (case.event, case.cell, case.family, before.event, before.scene, SHARD)
    written = await write_reply(asked.tuned, *about, reasoning=asked.tongue.reasoning)
    reply: ReplyAnswer | None = asked.value(written)
    if reply is None:
        return unanswered(str(written.outcome), asked.calls), ""
    text = join_beats({beat.beat: normal(beat.text) for beat in reply.beats}, asked.tongue.joiner)
    found = await _judged(asked, before, text)
    parts = {
        "duty": found.mean(lambda probe: probe == "duty"),
        "preserved": found.mean(lambda probe: probe != "duty"),
        "naturalness": natural(text, asked.tongue.lexicon),
    }
    return scored(parts, check_reply(reply, case.family), asked.calls, heard=bool(found.answers)), _text(reply)


async def _score_contrast(asked: Asked, before: Before) -> tuple[Score, str]:
    case, joiner = asked.case, asked.tongue.joiner
    assert before.event is not None
    assert before.scene is not None
    assert case.failure is not None
    about = (case.event, case.cell, case.family, before.event, before.scene)
    spoiled = await spoil_reply(asked.tuned, *about, before.beats, case.failure, SHARD, joiner)
    answer: ContrastAnswer | None = asked.value(spoiled)
    if answer is None:
        return unanswered(str(spoiled.outcome), asked.calls), ""
    replaced = {beat.beat: normal(beat.text) for beat in answer.beats}
    failed = examine_contrast(
        before.beats, replaced, answer.kept, case.family, case.failure, joiner, asked.tongue.lexicon
    ).failed
    text = join_beats({**before.beats, **{n: t for n, t in replaced.items() if n in before.beats}}, joiner)
    found = await _judged(asked, before, text)
    spoilt = spoilt_probe(case.failure)
    parts = {
        "kept": found.mean(kept_probe(case.failure)),
        "spoilt": found.lost(spoilt) if spoilt else None,
        "naturalness": natural(text, asked.tongue.lexicon),
    }
    return scored(parts, failed, asked.calls, heard=bool(found.answers)), _text(answer)


async def _judged(asked: Asked, before: Before, text: str) -> Judged:
    """Ask every judge what a text still supports; give what was asked and the answers that can be used."""
    case, desk = asked.case, asked.standing
    assert before.event is not None
    assert before.scene is not None
    probes = list(probes_of(case.cell, case.family, before.event, before.scene, desk.definitions()))
    answers = await asyncio.gather(
        *(
            judge_reply(desk, role, case.event.language, case.family, before.scene, text, probes, SHARD)
            for role in asked.tongue.judges
        )
    )
    usable = [value for answer in answers if (value := asked.value(answer)) is not None]
    return Judged(tuple(str(probe["id"]) for probe in probes), usable)
