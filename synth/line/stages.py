"""The life of an event: named stages, each a function of the event and the answers so far.

event -> write, vary -> checks, scenario filters -> verify -> reply, contrast and, beside them, annotate -> reply filters -> judge -> own programs -> rows.
A scene that a filter or its verifiers drop is paid for no further; a reply that a filter drops leaves the record. Whatever becomes of a record, it is
sealed with its outcome.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any

from synth.filters.base import Candidate, Stage, decide, run_stage
from synth.gold import decision, gold_of, waits_for_blind
from synth.line.line import Line, Lived, Read
from synth.line.own import ask_own
from synth.line.readings import judge, read_blind, verify
from synth.line.replies import Replied, reply_to
from synth.line.scenes import Staged, stage_scenes
from synth.line.together import together
from synth.records.cells import Event
from synth.records.schema import Reply, Verdict


async def live(line: Line, event: Event, partition: str) -> Lived:
    """Give everything that became of an event.

    Raises:
        Transient: a call's transport failed for good in this run; nothing of the event is kept, and it stays open.
        SynthError: the run ends (keys, breaker, budget).
    """
    scenes = await stage_scenes(line, event, partition)
    steps = [_live_form(line, event, staged, partition) for staged in scenes]
    lived = Lived()
    for form in await together(steps, at_once=line.at_once):
        lived.add(form)
    return lived


async def _live_form(line: Line, event: Event, staged: Staged, partition: str) -> Lived:
    if staged.told.scene is None or (line.stop_early and not staged.stands):
        return Lived(scenarios=[staged.scenario], verdicts=list(staged.verdicts))
    sighted = await _sighted(line, event, staged, partition)
    rejected = bool(decision(gold_of(staged.scenario, sighted.annotations)))
    if line.stop_early and rejected:
        return _sealed(line, staged, sighted, None)
    return await _answered(line, event, staged, sighted, partition)


async def _sighted(line: Line, event: Event, staged: Staged, partition: str) -> Read:
    """Give what verifiers say.

    Where they reject a label that nobody read blind yet, annotators are asked too, for what they recover decides what a rejection means. What would then
    be lost gets a second opinion: one verifier who misses one label in twenty would otherwise cost every seventh scene.
    """
    if not line.verifiers:
        return Read()
    told, scenario = staged.told, staged.scenario
    read = await verify(line, event, told, scenario, partition)
    if waits_for_blind(gold_of(scenario, read.annotations)):
        read += await read_blind(line, event, told, scenario, partition)
    if decision(gold_of(scenario, read.annotations)):
        read += await verify(line, event, told, scenario, partition, opinion=1)
    return read


async def _answered(line: Line, event: Event, staged: Staged, sighted: Read, partition: str) -> Lived:
    """Give a form with its replies, and what annotators and judges say."""
    cell, told, scenario = staged.cell, staged.told, staged.scenario
    steps: list[Coroutine[Any, Any, Any]] = [reply_to(line, event, cell, told, partition)]
    if not any(call.program == "annotate" for call in sighted.calls):
        steps.append(read_blind(line, event, told, scenario, partition))
    replied, *blind = await together(steps, at_once=line.at_once)
    read = sum(blind, sighted)
    verdicts = _met_replies(line, staged, replied.replies)
    left = [reply for reply in replied.replies if reply.reply_id not in decide(verdicts).dropped_replies]
    if line.judges and (left or not line.stop_early):
        judged = left if line.stop_early else replied.replies
        read += await judge(line, event, cell, told, scenario, judged, partition)
    if line.programs:
        read += await ask_own(line, scenario, replied.replies, partition)
    return _sealed(line, staged, read, replied, verdicts)


def _met_replies(line: Line, staged: Staged, replies: Sequence[Reply]) -> list[Verdict]:
    """Give the word of the reply filters, before anybody is paid to judge what they drop."""
    if not replies:
        return []
    return run_stage(line.suite, Stage.REPLIES, Candidate(staged.scenario, tuple(replies)), line.resources)


def _sealed(
    line: Line, staged: Staged, read: Read, replied: Replied | None, of_replies: Sequence[Verdict] = ()
) -> Lived:
    """Give the rows of a form as they are sealed, with the word of every filter that meets them."""
    scenario, verdicts = staged.scenario, [*staged.verdicts, *of_replies]
    replies = replied.replies if replied else ()
    scenario = replace(
        scenario,
        outcome=replied.outcome if replied else scenario.outcome,
        calls=scenario.calls + (replied.calls if replied else ()) + read.calls,
        failed_checks=scenario.failed_checks + (replied.failed if replied else ()) + read.failed,
    )
    if replies:  # the row as it is sealed: another suite judges that one too
        verdicts += run_stage(line.suite, Stage.RECORD, Candidate(scenario, replies), line.resources)
    return Lived([scenario], list(replies), list(read.annotations), verdicts)
