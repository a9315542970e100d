"""A person's own programs in the life of an event: each puts its question of a record, and what is answered is kept as labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from synth.line.asking import named
from synth.line.checks import Failed
from synth.line.evidence import QuoteError, find_quote, normal
from synth.line.line import Line, Read, Reader, about, all_read
from synth.line.together import together
from synth.programs.own import Label, Program, brief_of, labels_of
from synth.records.schema import Annotation, Reply, Scenario, Span

OWN: Final = "own"
"""The view of who is asked by a person's own program: only its author knows what the brief shows."""


async def ask_own(line: Line, scenario: Scenario, replies: tuple[Reply, ...], partition: str) -> Read:
    """Give what is answered to every program of a person's own that asks about this record.

    Raises:
        UsageError: a program failed; names it and the record.
    """
    briefs = [(*pair, brief_of(pair[0], scenario, replies)) for pair in line.programs]
    steps = [
        _ask(line, program, reader, brief, scenario, replies, partition)
        for program, reader, brief in briefs
        if brief is not None
    ]
    return all_read(await together(steps, at_once=line.at_once))


async def _ask(
    line: Line,
    program: Program,
    reader: Reader,
    brief: Mapping[str, Any],
    scenario: Scenario,
    replies: tuple[Reply, ...],
    partition: str,
) -> Read:
    labels: list[Label] = []

    def fits(answer: BaseModel) -> None:
        labels[:] = labels_of(program, scenario, replies, answer)

    answer = await line.desk.ask(
        reader.role,
        brief,
        program.contract,
        program.answer,
        partition=partition,
        shows=program.shows,
        check=fits,
    )
    subject = f"{reader.role}.{program.name}"
    calls = about(subject, answer.calls)
    if answer.value is None:
        return Read(calls=calls)
    reported = answer.calls[-1].model_reported or reader.model
    lost: list[Failed] = []
    found = tuple(_annotation(scenario, replies, program, reader, reported, label, lost) for label in labels)
    return Read(found, calls, named(subject, 0, lost))


def _annotation(
    scenario: Scenario,
    replies: tuple[Reply, ...],
    program: Program,
    reader: Reader,
    reported: str,
    label: Label,
    lost: list[Failed],
) -> Annotation:
    target = label.target_id or scenario.scenario_id
    text = next((reply.text for reply in replies if reply.reply_id == target), None)
    return Annotation(
        target_id=target,
        field=f"{program.name}.{label.field}",
        view=OWN,
        annotator=reported,
        annotator_kind=reader.kind,
        annotator_family=reader.family,
        prompt_language=reader.prompt_language,
        value=str(label.value).lower() if isinstance(label.value, bool) else str(label.value),
        share=None if label.share is None else round(float(label.share), 4),
        evidence=_evidence(scenario, text, label.quote, lost),
    )


def _evidence(scenario: Scenario, reply: str | None, quote: str, lost: list[Failed]) -> tuple[Span, ...]:
    """Give where a quotation stands in the reply, or in the turn that is answered; the label is kept without one that stands nowhere."""
    if not quote.strip():
        return ()
    if reply is not None:
        texts = [reply]
    else:
        assert scenario.target_turn is not None
        texts = [scenario.turns[scenario.target_turn].text, scenario.setting or "", *(t.text for t in scenario.turns)]
    try:
        return (find_quote(texts[0], quote),)
    except QuoteError:
        if not any(normal(quote) in text for text in texts):
            where = "scene" if reply is None else "reply"
            lost.append(Failed("evidence", f"{quote[:80]!r} is nowhere in the {where}"))
        return ()
