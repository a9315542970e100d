"""Fold verdicts into selections: what of a sealed partition is kept, in which lane, and why not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from synth.building.sealing import verdicts_path
from synth.filters.base import Candidate, Decision, OpenSuite, Resources, Stage, decide, run_stage
from synth.records.arrow import rows_of, table_of
from synth.records.labels import GoldStatus, Outcome, ReplyKind
from synth.records.parquet import read_sidecar, write_sidecar
from synth.records.parts import read_table
from synth.records.schema import Reply, Scenario, Selection, Verdict

UNASKED = "unasked"
"""Why a scenario is dropped that the suite of its day dropped before replies were asked for, and that this suite would take."""

MAIN = "main"
HELD = "held"


@dataclass(frozen=True, slots=True)
class Judged:
    """One sealed scenario with its replies and what was decided about it."""

    scenario: Scenario
    replies: tuple[Reply, ...]
    decision: Decision

    @property
    def kept(self) -> bool:
        """Whether the record counts: answered, and neither dropped nor held."""
        return self.scenario.outcome == Outcome.OK and not self.decision.dropped and not self.decision.held


def read_candidates(build: Path, partition: str) -> list[Candidate]:
    """Give the rows of a sealed partition, in their order."""
    replies: dict[str, list[Reply]] = defaultdict(list)
    for reply in rows_of(read_table(build, partition, "replies", Reply), Reply):
        replies[reply.scenario_id].append(reply)
    scenarios = rows_of(read_table(build, partition, "scenarios", Scenario), Scenario)
    return [Candidate(scenario, tuple(replies[scenario.scenario_id])) for scenario in scenarios]


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


def judge(candidates: Sequence[Candidate], verdicts: Iterable[Verdict]) -> Iterator[Judged]:
    """Give each candidate with the decision that its verdicts come to."""
    by_record = _by_record(candidates, verdicts)
    for candidate in candidates:
        own = by_record.get(candidate.scenario.scenario_id, [])
        answered = candidate.scenario.outcome == Outcome.OK
        decision = decide(own, candidate.replies if answered else ())
        if answered and not decision.dropped and not any(r.kind == ReplyKind.FAITHFUL for r in candidate.replies):
            decision = replace(decision, dropped=True, reasons=(*decision.reasons, UNASKED))
        yield Judged(candidate.scenario, candidate.replies, decision)


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
    lane = HELD if decision.held and not decision.dropped else MAIN
    reasons = decision.reasons if answered or decision.reasons else (f"outcome:{scenario.outcome}",)
    gold = None if not scenario.turns else _gold(scenario)
    yield _selection(scenario.scenario_id, "scenario", judged.kept, lane, scenario, gold, reasons)
    for reply in judged.replies:
        lost = reply.reply_id in decision.dropped_replies
        held = reply.reply_id in decision.held_replies
        why = ("reply_dropped",) if lost else ("reply_held",) if held else () if judged.kept else ("scenario",)
        kept = judged.kept and not lost and not held
        yield _selection(reply.reply_id, str(reply.kind), kept, HELD if held else lane, scenario, None, why)


def _gold(scenario: Scenario) -> GoldStatus:
    return GoldStatus.AUTHORED if scenario.generator.startswith("offline@") else GoldStatus.SPECIFIED


def _selection(
    target: str, kind: str, kept: bool, lane: str, scenario: Scenario, gold: GoldStatus | None, reasons: Sequence[str]
) -> Selection:
    return Selection(
        target_id=target,
        kind=kind,
        kept=kept,
        lane=lane,
        split=scenario.split,
        gold_intent=gold,
        gold_affect=gold,
        gold_context=gold,
        recoverability=None,
        w_survival=None,
        leaked=None,
        reasons=tuple(reasons),
    )
