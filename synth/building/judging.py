"""Fold verdicts and gold into selections: what of a sealed partition is kept, in which lane, and why not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from synth.building.sealing import verdicts_path
from synth.filters.base import Candidate, Decision, OpenSuite, Resources, Stage, decide, run_stage
from synth.gold import COLUMNS, FieldGold, gold_of, recoverability
from synth.gold import decision as rejected
from synth.records.annotations import read_annotations
from synth.records.arrow import rows_of, table_of
from synth.records.cells import is_control
from synth.records.labels import GoldStatus, Outcome, ReplyKind
from synth.records.parquet import read_sidecar, write_sidecar
from synth.records.parts import read_table
from synth.records.schema import Annotation, Reply, Scenario, Selection, Verdict

UNASKED = "unasked"
"""Why a scenario is dropped that the suite of its day dropped before replies were asked for, and that this suite would take."""

MAIN = "main"
HELD = "held"
CONTROLS = "control"
"""The lane of controls without personas, and why they are not kept: what others are held against counts for no quota and is no training row."""
RELABELLED = "relabelled"
"""The lane of what nothing speaks against but that its text says another label than the cell."""

Said: TypeAlias = Mapping[str, Sequence[Annotation]]
"""What models and persons said of each target of a partition, by its id."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One sealed scenario with its replies, what was said of it, and what was decided about it."""

    scenario: Scenario
    replies: tuple[Reply, ...]
    decision: Decision
    golds: Mapping[str, FieldGold]
    said: tuple[Annotation, ...]

    @property
    def kept(self) -> bool:
        """Whether the record counts: answered, neither dropped nor held, and no control."""
        return self.stands and not is_control(self.scenario.form_key)

    @property
    def stands(self) -> bool:
        """Whether the record was answered, and is neither dropped nor held."""
        return self.scenario.outcome == Outcome.OK and not self.decision.dropped and not self.decision.held


def read_candidates(build: Path, partition: str) -> list[Candidate]:
    """Give the rows of a sealed partition, in their order."""
    replies: dict[str, list[Reply]] = defaultdict(list)
    for reply in rows_of(read_table(build, partition, "replies", Reply), Reply):
        replies[reply.scenario_id].append(reply)
    scenarios = rows_of(read_table(build, partition, "scenarios", Scenario), Scenario)
    return [Candidate(scenario, tuple(replies[scenario.scenario_id])) for scenario in scenarios]


def read_said(build: Path, partition: str) -> Said:
    """Give what stands beside a sealed partition of labels that are evidence: what models and persons said."""
    found: dict[str, list[Annotation]] = defaultdict(list)
    for row in read_annotations(build, partition):
        found[row.target_id].append(row)
    return found


def read_verdicts(
    build: Path, partition: str, suite: OpenSuite, resources: Resources, candidates: Sequence[Candidate]
) -> list[Verdict]:
    """Give the record filters' verdicts on a partition; make and keep them where another suite judged it, or a kill came between."""
    path = verdicts_path(build, suite.digest_of([resources.language]), partition)
    if path.exists():
        return rows_of(read_sidecar(path, Verdict), Verdict)
    found: list[Verdict] = []
    for candidate in candidates:
        if not candidate.scenario.turns:
            continue
        own = run_stage(suite, Stage.SCENARIO, Candidate(candidate.scenario), resources)
        if not decide(own).dropped and candidate.replies:
            own += run_stage(suite, Stage.REPLIES, candidate, resources)
            own += run_stage(suite, Stage.RECORD, candidate, resources)
        found += own
    write_sidecar(path, table_of(found, Verdict))
    return found


def judge(candidates: Sequence[Candidate], said: Said, verdicts: Iterable[Verdict]) -> Iterator[Judged]:
    """Give each candidate with the decision that its verdicts and its gold come to."""
    by_record = _by_record(candidates, verdicts)
    for candidate in candidates:
        scenario, replies = candidate.scenario, candidate.replies
        labels = tuple(said.get(scenario.scenario_id, ()))
        golds = gold_of(scenario, labels)
        answered = scenario.outcome == Outcome.OK
        own = by_record.get(scenario.scenario_id, [])
        # a control has no failures to go with its honest reply
        required = replies if answered and not is_control(scenario.form_key) else ()
        decision = _with_gold(decide(own, required), golds)
        if answered and not decision.dropped and not any(r.kind == ReplyKind.FAITHFUL for r in replies):
            decision = replace(decision, dropped=True, reasons=(*decision.reasons, UNASKED))
        yield Judged(scenario, replies, decision, golds, labels)


def _with_gold(decision: Decision, golds: Mapping[str, FieldGold]) -> Decision:
    """Give a decision with what gold says against the record behind what filters say."""
    reasons = rejected(golds)
    return replace(decision, dropped=True, reasons=(*decision.reasons, *reasons)) if reasons else decision


def _by_record(candidates: Sequence[Candidate], verdicts: Iterable[Verdict]) -> Mapping[str, list[Verdict]]:
    owner = {reply.reply_id: c.scenario.scenario_id for c in candidates for reply in c.replies}
    found: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        found[owner.get(verdict.target_id, verdict.target_id)].append(verdict)
    return found


def selections(judged: Judged) -> Iterator[Selection]:
    """Give the rows of select.parquet for one record: the scenario's, then its replies'."""
    scenario, decision = judged.scenario, judged.decision
    answered = scenario.outcome == Outcome.OK
    lane = _lane(judged)
    reasons = decision.reasons if answered or decision.reasons else (f"outcome:{scenario.outcome}",)
    reasons = (CONTROLS,) if lane == CONTROLS else reasons
    own = _selection(scenario.scenario_id, "scenario", judged.kept, lane, scenario, reasons)
    yield replace(own, **_statuses(judged), recoverability=recoverability(judged.golds))
    for reply in judged.replies:
        lost = reply.reply_id in decision.dropped_replies
        held = reply.reply_id in decision.held_replies
        why = ("reply_dropped",) if lost else ("reply_held",) if held else () if judged.kept else ("scenario",)
        kept = judged.kept and not lost and not held
        yield _selection(reply.reply_id, str(reply.kind), kept, HELD if held else lane, scenario, why)


def cause_of(reason: str) -> str:
    """Give a reason as it is counted: without the row that a filter measured it against, which it names after a second colon."""
    return reason if reason.startswith("gold:") else ":".join(reason.split(":")[:2])


def _lane(judged: Judged) -> str:
    decision = judged.decision
    if is_control(judged.scenario.form_key) and judged.stands:
        return CONTROLS
    if decision.held and not decision.dropped:
        return HELD
    relabelled = any(gold.status == GoldStatus.RELABELLED for gold in judged.golds.values())
    return RELABELLED if relabelled and all(reason.endswith(f":{RELABELLED}") for reason in decision.reasons) else MAIN


def _statuses(judged: Judged) -> dict[str, Any]:
    """Give the status columns; a scenario without a text has no gold."""
    if not judged.scenario.turns:
        return {}
    return {column: judged.golds[field].status for field, column in COLUMNS.items()}


def _selection(target: str, kind: str, kept: bool, lane: str, scenario: Scenario, reasons: Sequence[str]) -> Selection:
    return Selection(
        target_id=target,
        kind=kind,
        kept=kept,
        lane=lane,
        split=scenario.split,
        gold_intent=None,
        gold_affect=None,
        gold_context=None,
        recoverability=None,
        w_survival=None,
        leaked=None,
        reasons=tuple(reasons),
    )
