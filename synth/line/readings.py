"""What readers say of a scene: annotators blind, verifiers sighted; and what judges say of each reply."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from synth.ask import Parsed
from synth.gold import BLIND, CUE, FIELDS, SIGHTED, acceptable
from synth.line.asking import named
from synth.line.assemble import Told
from synth.line.checks import Failed
from synth.line.evidence import QuoteError, find_quote, normal
from synth.line.line import Line, Read, Reader, about, all_read
from synth.line.together import together
from synth.programs.annotate import annotate_scene
from synth.programs.contracts import ClaimsAnswer, LabelsAnswer, ProbesAnswer
from synth.programs.judge import judge_reply, probes_of
from synth.programs.verify import SHARES, Claim, Truth, claims_of, verify_scene
from synth.records.cells import Cell, Event
from synth.records.labels import Explicitness
from synth.records.schema import Annotation, Reply, Scenario, Span

PROBE: Final = "probe."
"""What begins the field of a judge's answer; the id of the probe follows."""


async def read_blind(line: Line, event: Event, told: Told, scenario: Scenario, partition: str) -> Read:
    """Give what every annotator says who sees the scene and nothing of the cell."""
    assert told.scene is not None
    steps = [
        annotate_scene(line.desk, one.role, event.language, told.scene, partition, one.draw) for one in line.annotators
    ]
    answers = await together(steps, at_once=line.at_once)
    return all_read(_labelled(scenario, one, answer) for one, answer in zip(line.annotators, answers, strict=True))


def _labelled(scenario: Scenario, reader: Reader, answer: Parsed[LabelsAnswer]) -> Read:
    calls = about(reader.role, answer.calls)
    if answer.value is None:
        return Read(calls=calls)
    reported = _reported(reader, answer)
    lost: list[Failed] = []
    found = []
    for label in answer.value.labels:
        evidence = _evidence(scenario, label.quote, label.nth, lost)
        found.append(_annotation(scenario, reader, reported, label.field, BLIND, label.value, label.share, evidence))
    # who could not tell a gold label has read the scene all the same: it is what makes a label hard to see
    told = {label.field for label in answer.value.labels}
    found += [
        _annotation(scenario, reader, reported, name, BLIND, None, None, ()) for name in FIELDS if name not in told
    ]
    return Read(tuple(found), calls, named(reader.role, 0, lost))


def _reported(reader: Reader, answer: Parsed[LabelsAnswer] | Parsed[ClaimsAnswer] | Parsed[ProbesAnswer]) -> str:
    return answer.calls[-1].model_reported or reader.model


def _evidence(scenario: Scenario, quote: str, nth: int, lost: list[Failed]) -> tuple[Span, ...]:
    """Give where a quotation stands in the turn that is answered; one that stands nowhere in the scene is lost, and the label is kept without it."""
    if not quote.strip():
        return ()
    assert scenario.target_turn is not None
    try:
        return (find_quote(scenario.turns[scenario.target_turn].text, quote, nth),)
    except QuoteError:
        texts = [scenario.setting or "", *(turn.text for turn in scenario.turns)]
        if not any(normal(quote) in text for text in texts):
            lost.append(Failed("evidence", f"{quote[:80]!r} is nowhere in the scene"))
        return ()


def _annotation(
    scenario: Scenario,
    reader: Reader,
    reported: str,
    field: str,
    view: str,
    value: str | None,
    share: float | None,
    evidence: tuple[Span, ...],
    target: str = "",
) -> Annotation:
    return Annotation(
        target_id=target or scenario.scenario_id,
        field=field,
        view=view,
        annotator=reported,
        annotator_kind=reader.kind,
        annotator_family=reader.family,
        prompt_language=reader.prompt_language,
        value=value,
        share=share,
        evidence=evidence,
    )


# -- verify


async def verify(line: Line, event: Event, told: Told, scenario: Scenario, partition: str, opinion: int = 0) -> Read:
    """Give what verifiers say of the gold labels and of as many decoys: two questions of complementary halves, of two verifiers where there are.

    A second `opinion` puts each question to the other verifier, and anew to the same one where there is one.
    """
    assert told.scene is not None
    halves = claims_of(scenario.scenario_id, list(_truths(scenario)), line.desk.definitions())
    first = int.from_bytes(hashlib.blake2b(scenario.scenario_id.encode(), digest_size=4).digest(), "big")
    asked = [
        (line.verifiers[(first + n + opinion) % len(line.verifiers)], claims)
        for n, claims in enumerate(halves)
        if claims
    ]
    steps = [
        verify_scene(line.desk, one.role, event.language, told.scene, claims, partition, opinion)
        for one, claims in asked
    ]
    answers = await together(steps, at_once=line.at_once)
    return all_read(
        _judged_claims(scenario, one, claims, answer) for (one, claims), answer in zip(asked, answers, strict=True)
    )


def _truths(scenario: Scenario) -> Iterator[Truth]:
    for field in FIELDS:
        yield Truth(field, str(getattr(scenario, field)), acceptable(scenario, field))
    if scenario.explicitness != Explicitness.MASKED:
        return
    for turn in scenario.turns:  # cues of an earlier turn hint at it too
        for cue in turn.cues if turn.pid == "S" else ():
            same = {str(other.kind) for other in turn.cues if (other.start, other.end) == (cue.start, cue.end)}
            yield Truth(CUE, str(cue.kind), frozenset(same), turn.text[cue.start : cue.end], cue.start)


def _judged_claims(scenario: Scenario, reader: Reader, claims: Sequence[Claim], answer: Parsed[ClaimsAnswer]) -> Read:
    calls = about(f"{reader.role}.verify", answer.calls)
    if answer.value is None:
        return Read(calls=calls)
    reported = _reported(reader, answer)
    lost: list[Failed] = []
    found = []
    for judged in sorted(answer.value.claims, key=lambda one: one.id):
        claim = claims[judged.id - 1]
        evidence = _evidence(scenario, judged.quote, 0, lost)
        if claim.field == CUE:
            evidence = (Span(claim.start, claim.start + len(claim.quote)),)
        share = SHARES[judged.answer]
        found.append(_annotation(scenario, reader, reported, claim.field, SIGHTED, claim.value, share, evidence))
    return Read(tuple(found), calls, named(f"{reader.role}.verify", 0, lost))


# -- judge


async def judge(
    line: Line, event: Event, cell: Cell, told: Told, scenario: Scenario, replies: Iterable[Reply], partition: str
) -> Read:
    """Give what every judge finds in every reply of what the scene holds."""
    assert told.scene is not None
    assert told.event is not None
    family = line.families[event.family]
    probes = list(probes_of(cell, family, told.event, told.scene, line.desk.definitions()))
    pairs = [(one, reply) for reply in replies for one in line.judges]
    steps = [
        judge_reply(line.desk, one.role, event.language, family, told.scene, reply.text, probes, partition, one.draw)
        for one, reply in pairs
    ]
    answers = await together(steps, at_once=line.at_once)
    return all_read(_probed(scenario, *pair, answer) for pair, answer in zip(pairs, answers, strict=True))


def _probed(scenario: Scenario, reader: Reader, reply: Reply, answer: Parsed[ProbesAnswer]) -> Read:
    calls = about(f"{reader.role}.{reply.reply_id}", answer.calls)
    if answer.value is None:
        return Read(calls=calls)
    reported = _reported(reader, answer)
    found, lost = [], []
    for probe in sorted(answer.value.probes, key=lambda one: one.id):
        evidence: tuple[Span, ...] = ()
        if probe.quote.strip():
            try:
                evidence = (find_quote(reply.text, probe.quote),)
            except QuoteError:
                lost.append(Failed("evidence", f"{probe.quote[:80]!r} is not in the reply"))
        field = f"{PROBE}{probe.id}"
        found.append(
            _annotation(scenario, reader, reported, field, SIGHTED, probe.answer, None, evidence, reply.reply_id)
        )
    return Read(tuple(found), calls, named(f"{reader.role}.{reply.reply_id}", 0, lost))
