"""The life of an event: named stages, each a function of the event and the answers so far.

event -> write, vary -> scenario filters -> reply, contrast -> reply filters -> annotate -> rows. A scene that a filter drops is not paid for any further; a
reply that a filter drops leaves the record. Whatever becomes of a record, it is sealed with its outcome.
"""

from __future__ import annotations

import hashlib
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from synth.content.prompts import Frame
from synth.content.scenarios import Family
from synth.errors import UsageError
from synth.filters.base import Candidate, OpenSuite, Resources, Stage, decide, run_stage
from synth.line.assemble import Provenance, Told, check_scene, make_scenario
from synth.line.evidence import QuoteError, edits_between, find_quote, join_beats, normal
from synth.line.together import together
from synth.programs.annotate import annotate_scene
from synth.programs.contracts import ContrastAnswer, EventAnswer, LabelsAnswer, ReplyAnswer, SceneAnswer
from synth.programs.contrast import spoil_reply
from synth.programs.event import tell_event
from synth.programs.questions import Desk
from synth.programs.reply import write_reply
from synth.programs.vary import vary_scene
from synth.programs.write import write_scene
from synth.records.cells import Cell, Event, PlannedFailure
from synth.records.labels import OVER_VARIANTS, AnnotatorKind, Direction, Outcome, ReplyKind
from synth.records.schema import Annotation, Call, Reply, Scenario, Span, Verdict

Asked: TypeAlias = tuple[Desk, Event, Cell, Family, EventAnswer, SceneAnswer]
"""What every question about a reply is made of."""


@dataclass(slots=True)
class Lived:
    """What became of an event: rows and verdicts of every form, in the event's order of forms."""

    scenarios: list[Scenario] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def add(self, form: Lived) -> None:
        """Put what became of one form behind the others."""
        self.scenarios += form.scenarios
        self.replies += form.replies
        self.annotations += form.annotations
        self.verdicts += form.verdicts


@dataclass(frozen=True, slots=True)
class Annotator:
    """Who annotates blind: the role, the model's name and family, its kind, and which asking of the same model this is."""

    role: str
    model: str
    family: str | None
    kind: AnnotatorKind
    draw: int
    prompt_language: str


@dataclass(frozen=True, slots=True)
class Line:
    """Everything that the events of one language need to live; `at_once` asks at the same time what does not wait for each other."""

    desk: Desk
    families: Mapping[str, Family]
    frame: Frame
    joiner: str
    provenance: Provenance
    suite: OpenSuite
    resources: Resources
    annotators: tuple[Annotator, ...]
    alternative: bool
    at_once: bool = False

    async def live(self, event: Event, partition: str) -> Lived:
        """Give everything that became of an event.

        Raises:
            Transient: a call's transport failed for good in this run; nothing of the event is kept, and it stays open.
            SynthError: the run ends (keys, breaker, budget).
        """
        scenes = await self._scenes(event, partition)
        forms = await together(
            [self._live_form(event, cell, told, partition) for cell, told in scenes], at_once=self.at_once
        )
        lived = Lived()
        for form in forms:
            lived.add(form)
        return lived

    # -- event, write, vary

    async def _scenes(self, event: Event, partition: str) -> list[tuple[Cell, Told]]:
        family = self.families[event.family]
        told = await tell_event(self.desk, event, family, partition)
        self._check_writer(told.calls)
        if told.value is None:
            # the calls that all forms share stand with the first one
            shared = about("event", told.calls)
            return [(cell, Told(told.outcome, () if n else shared)) for n, cell in enumerate(event.cells)]
        found: list[tuple[Cell, Told]] = []
        left, shared = list(event.cells), about("event", told.calls)
        while left:
            cell = left.pop(0)
            written = await write_scene(self.desk, event, cell, family, told.value, partition)
            scene, outcome = _checked(written.value, written.outcome, cell, family)
            calls = (shared if not found else ()) + about("scene", written.calls)
            found.append((cell, Told(outcome, calls, told.value, scene, None)))
            if scene is not None:
                # the first form that stands is the one whose edits the others are
                base = (cell, scene)
                steps = [self._varied(event, other, told.value, base, partition) for other in left]
                return found + await together(steps, at_once=self.at_once)
        return found

    async def _varied(
        self, event: Event, cell: Cell, told: EventAnswer, base: tuple[Cell, SceneAnswer], partition: str
    ) -> tuple[Cell, Told]:
        family = self.families[event.family]
        written = await vary_scene(self.desk, event, cell, family, told, base, partition)
        scene, outcome = _checked(written.value, written.outcome, cell, family)
        return cell, Told(outcome, about("scene", written.calls), told, scene, base[1])

    def _check_writer(self, calls: Sequence[Call]) -> None:
        """Raise UsageError where rows would be signed `offline@...` and something else wrote them."""
        generator = self.provenance.generator
        reported = {call.model_reported for call in calls if call.model_reported}
        if generator.startswith("offline@") and not reported <= {generator}:
            raise UsageError(
                f"the endpoint `offline` answers as {min(reported)!r}, and this content is {generator!r}",
                hint="serve the same version and overlays, or give that model an alias of its own",
            )

    async def _live_form(self, event: Event, cell: Cell, told: Told, partition: str) -> Lived:
        lived = Lived()
        family = self.families[event.family]
        scenario = make_scenario(cell, family, self.frame, told, self.provenance)
        verdicts = run_stage(self.suite, Stage.SCENARIO, Candidate(scenario), self.resources) if told.scene else []
        calls = list(told.calls)
        replies: list[Reply] = []
        outcome = told.outcome
        if told.scene is not None and not decide(verdicts).dropped:
            outcome, replies = await self._replies(event, cell, told, partition, calls)
        if told.scene is not None and replies:
            candidate = Candidate(scenario, tuple(replies))
            verdicts += run_stage(self.suite, Stage.REPLIES, candidate, self.resources)
            lived.annotations += await self._annotations(event, cell, told.scene, scenario, partition, calls)
        scenario = replace(scenario, calls=tuple(calls), outcome=outcome)
        if replies:  # the row as it is sealed: another suite judges that one too
            verdicts += run_stage(self.suite, Stage.RECORD, Candidate(scenario, tuple(replies)), self.resources)
        lived.scenarios.append(scenario)
        lived.replies += replies
        lived.verdicts += verdicts
        return lived

    # -- reply, contrast

    async def _replies(
        self, event: Event, cell: Cell, told: Told, partition: str, calls: list[Call]
    ) -> tuple[Outcome, list[Reply]]:
        """Give the replies of a form, and the outcome of the faithful one: without it there are no others."""
        assert told.event is not None
        assert told.scene is not None
        family = self.families[event.family]
        asked = (self.desk, event, cell, family, told.event, told.scene)
        answer = await write_reply(*asked, partition)
        calls += about(f"{cell.scenario_id}.faithful", answer.calls)
        if answer.value is None:
            return answer.outcome, []
        beats = {beat.beat: normal(beat.text) for beat in answer.value.beats}
        faithful = _faithful(cell, beats, answer.value, self.joiner)
        found = [faithful]
        others: list[Coroutine[Any, Any, tuple[Reply | None, tuple[Call, ...]]]] = []
        if self.alternative:
            others.append(self._other_reply(asked, partition))
        others += [self._failed_reply(asked, failure, faithful, beats, partition) for failure in cell.failures]
        for reply, asked_for in await together(others, at_once=self.at_once):
            calls += asked_for
            if reply is not None:
                found.append(reply)
        return answer.outcome, found

    async def _other_reply(self, asked: Asked, partition: str) -> tuple[Reply | None, tuple[Call, ...]]:
        cell = asked[2]
        other = await write_reply(*asked, partition, style="alternative")
        made = None if other.value is None else _alternative(cell, other.value, self.joiner)
        return made, about(f"{cell.scenario_id}.alternative", other.calls)

    async def _failed_reply(
        self, asked: Asked, failure: PlannedFailure, faithful: Reply, beats: Mapping[str, str], partition: str
    ) -> tuple[Reply | None, tuple[Call, ...]]:
        cell = asked[2]
        spoiled = await spoil_reply(*asked, beats, failure, partition)
        answer = spoiled.value
        made = None if answer is None else _failure(cell, failure, faithful, beats, answer, self.joiner)
        return made, about(_failure_id(cell, failure), spoiled.calls)

    # -- annotate

    async def _annotations(
        self, event: Event, cell: Cell, scene: SceneAnswer, scenario: Scenario, partition: str, calls: list[Call]
    ) -> list[Annotation]:
        roles = {person.pid: person.role for person in cell.people if person.pid != "X"}
        found: list[Annotation] = []
        steps = [
            annotate_scene(self.desk, one.role, event.language, scene, roles, partition, one.draw)
            for one in self.annotators
        ]
        for one, answer in zip(self.annotators, await together(steps, at_once=self.at_once), strict=True):
            calls += about(one.role, answer.calls)
            if answer.value is not None:
                found += _labels(scenario, answer.value, one, answer.calls[-1].model_reported or one.model)
        return found


def about(subject: str, calls: Sequence[Call]) -> tuple[Call, ...]:
    """Give calls that say what they were about."""
    return tuple(replace(call, about=subject) for call in calls)


def _checked(
    scene: SceneAnswer | None, outcome: Outcome, cell: Cell, family: Family
) -> tuple[SceneAnswer | None, Outcome]:
    if scene is None:
        return None, outcome
    try:
        check_scene(scene, cell, family)
    except ValueError:
        return None, Outcome.MISMATCHED
    return scene, outcome


def _faithful(cell: Cell, beats: Mapping[str, str], answer: ReplyAnswer, joiner: str) -> Reply:
    return _reply(cell, "faithful", ReplyKind.FAITHFUL, join_beats(beats, joiner), answer)


def _alternative(cell: Cell, answer: ReplyAnswer, joiner: str) -> Reply:
    beats = {beat.beat: normal(beat.text) for beat in answer.beats}
    return _reply(cell, "alternative", ReplyKind.ALTERNATIVE, join_beats(beats, joiner), answer)


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
        reasoning=None,
    )


def _failure(
    cell: Cell, failure: PlannedFailure, parent: Reply, beats: Mapping[str, str], answer: ContrastAnswer, joiner: str
) -> Reply | None:
    """Give a failure as edits of its parent; None where it names a beat that the parent has not, or changes nothing."""
    replaced = {beat.beat: normal(beat.text) for beat in answer.beats}
    if not set(replaced) <= set(beats):
        return None
    spoiled = {**beats, **replaced}
    edits = edits_between(beats, spoiled, joiner)
    if not edits:
        return None
    return Reply(
        reply_id=_failure_id(cell, failure),
        scenario_id=cell.scenario_id,
        kind=ReplyKind.FAILURE,
        mechanism=failure.mechanism,
        variant=failure.variant or None,
        direction=Direction.OVER if failure.variant in OVER_VARIANTS else Direction.UNDER,
        severity=failure.severity,
        text=join_beats(spoiled, joiner),
        acts=(),
        parent_id=parent.reply_id,
        edits=edits,
        kept=answer.kept,
        style=None,
        reasoning=None,
    )


def _failure_id(cell: Cell, failure: PlannedFailure) -> str:
    return f"{cell.scenario_id}.{failure.key}.{failure.severity}"


def _labels(scenario: Scenario, answer: LabelsAnswer, annotator: Annotator, reported: str) -> list[Annotation]:
    text = scenario.turns[-1].text
    found = []
    for label in answer.labels:
        evidence: tuple[Span, ...] = ()
        if label.quote:
            try:
                evidence = (find_quote(text, label.quote, label.nth),)
            except QuoteError:
                evidence = ()  # a label whose words are not there is kept, without evidence
        found.append(
            Annotation(
                target_id=scenario.scenario_id,
                field=label.field,
                view="scene",
                annotator=reported,
                annotator_kind=annotator.kind,
                annotator_family=annotator.family,
                prompt_language=annotator.prompt_language,
                value=label.value,
                share=label.share,
                evidence=evidence,
            )
        )
    return found


def digest_parts(parts: Mapping[str, object]) -> str:
    """Give the digest of what decides the rows of a language: 32 hex digits."""
    import json

    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
