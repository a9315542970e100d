"""The replies of a form: the faithful one, another faithful one, and failures as edits of the first."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from synth.line.asking import Checked, ask_well
from synth.line.assemble import Told
from synth.line.checks import Failed, check_reply
from synth.line.contrasts import examine_contrast
from synth.line.evidence import edits_between, join_beats, normal
from synth.line.line import Asked, Line
from synth.line.together import together
from synth.programs.contracts import ContrastAnswer, ReasonedAnswer, ReplyAnswer
from synth.programs.contrast import spoil_reply
from synth.programs.reply import write_reply
from synth.records.cells import Cell, Event, PlannedFailure
from synth.records.labels import OVER_VARIANTS, Direction, Outcome, ReplyKind
from synth.records.schema import Call, FailedCheck, Reply


@dataclass(frozen=True, slots=True)
class Replied:
    """Replies, the outcome of the faithful one, without which there are no others; the calls, and what failed on the way."""

    outcome: Outcome
    replies: tuple[Reply, ...]
    calls: tuple[Call, ...]
    failed: tuple[FailedCheck, ...]


async def reply_to(line: Line, event: Event, cell: Cell, told: Told, partition: str) -> Replied:
    """Give the replies of one form."""
    assert told.event is not None
    assert told.scene is not None
    asked = (line.desk, event, cell, line.families[event.family], told.event, told.scene)
    answer = await _answer(line, asked, "faithful", partition)
    if answer.value is None:
        return Replied(answer.outcome, (), answer.calls, answer.failed)
    beats = _beats(answer.value)
    faithful = _reply(cell, "faithful", ReplyKind.FAITHFUL, join_beats(beats, line.joiner), answer.value)
    others: list[Coroutine[Any, Any, Replied]] = []
    if line.alternative:
        others.append(_alternative(line, asked, beats, partition))
    others += [_failure(line, asked, failure, faithful, beats, partition) for failure in cell.failures]
    made = await together(others, at_once=line.at_once)
    return Replied(
        Outcome.OK,
        (faithful, *(reply for one in made for reply in one.replies)),
        answer.calls + tuple(call for one in made for call in one.calls),
        answer.failed + tuple(failed for one in made for failed in one.failed),
    )


async def _answer(
    line: Line, asked: Asked, style: str, partition: str, faithful: Mapping[str, str] | None = None
) -> Checked[ReplyAnswer]:
    _, _, cell, family, _, _ = asked
    return await ask_well(
        lambda again: write_reply(*asked, partition, style=style, reasoning=line.reasoning, again=again),
        lambda answer: check_reply(answer, family, faithful),
        f"{cell.scenario_id}.{style}",
    )


async def _alternative(line: Line, asked: Asked, faithful: Mapping[str, str], partition: str) -> Replied:
    cell = asked[2]
    answer = await _answer(line, asked, "alternative", partition, faithful)
    if answer.value is None:
        return Replied(answer.outcome, (), answer.calls, answer.failed)
    text = join_beats(_beats(answer.value), line.joiner)
    reply = _reply(cell, "alternative", ReplyKind.ALTERNATIVE, text, answer.value)
    return Replied(answer.outcome, (reply,), answer.calls, answer.failed)


async def _failure(
    line: Line, asked: Asked, failure: PlannedFailure, faithful: Reply, beats: Mapping[str, str], partition: str
) -> Replied:
    _, _, cell, family, _, _ = asked
    lexicon, kept = line.resources.lexicon, list[str]()

    def check(answer: ContrastAnswer) -> list[Failed]:
        found = examine_contrast(beats, _beats(answer), answer.kept, family, failure, line.joiner, lexicon)
        kept[:] = found.kept
        return found.failed

    made = await ask_well(
        lambda again: spoil_reply(*asked, beats, failure, partition, line.joiner, again),
        check,
        failure_id(cell, failure),
    )
    if made.value is None:
        return Replied(made.outcome, (), made.calls, made.failed)
    spoiled = {**beats, **_beats(made.value)}
    reply = _failed_reply(cell, failure, faithful, beats, spoiled, line.joiner, tuple(kept))
    return Replied(made.outcome, (reply,), made.calls, made.failed)


def _beats(answer: ReplyAnswer | ContrastAnswer) -> dict[str, str]:
    return {beat.beat: normal(beat.text) for beat in answer.beats}


def _reply(cell: Cell, name: str, kind: ReplyKind, text: str, answer: ReplyAnswer) -> Reply:
    return Reply(
        reply_id=f"{cell.scenario_id}.{name}",
        scenario_id=cell.scenario_id,
        kind=kind,
        mechanism=None,
        variant=None,
        direction=None,
        severity=None,
        text=text,
        acts=answer.acts,
        parent_id=None,
        edits=(),
        kept=(),
        style=answer.style or None,
        reasoning=normal(answer.reasoning) if isinstance(answer, ReasonedAnswer) else None,
    )


def _failed_reply(
    cell: Cell,
    failure: PlannedFailure,
    parent: Reply,
    beats: Mapping[str, str],
    spoiled: Mapping[str, str],
    joiner: str,
    kept: tuple[str, ...],
) -> Reply:
    """Give a failure as edits of its parent."""
    return Reply(
        reply_id=failure_id(cell, failure),
        scenario_id=cell.scenario_id,
        kind=ReplyKind.FAILURE,
        mechanism=failure.mechanism,
        variant=failure.variant or None,
        direction=Direction.OVER if failure.variant in OVER_VARIANTS else Direction.UNDER,
        severity=failure.severity,
        text=join_beats(spoiled, joiner),
        acts=(),
        parent_id=parent.reply_id,
        edits=edits_between(beats, spoiled, joiner),
        kept=kept,
        style=None,
        reasoning=None,
    )


def failure_id(cell: Cell, failure: PlannedFailure) -> str:
    """Give the id of a failure reply."""
    return f"{cell.scenario_id}.{failure.key}.{failure.severity}"
