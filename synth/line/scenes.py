"""The scenes of an event: its particulars, the first form that stands, and the others as edits of it.

Every scene is checked by rule and met by the suite's scenario filters before anything more is paid for it. One that is in another language or form is
asked for once more, with the name of what failed and nothing else: whoever writes again is not told how easy its feeling was to see.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from synth.ask import Parsed
from synth.content.scenarios import Family
from synth.errors import UsageError
from synth.filters.base import Candidate, Stage, decide, run_stage
from synth.filters.language import Declared, LanguageParameters, examine, why_unverified
from synth.line.asking import Checked, ask_well, named
from synth.line.assemble import Told, make_scenario
from synth.line.checks import Failed, check_event, check_scene, mendable
from synth.line.line import Line, about
from synth.line.together import together
from synth.programs.contracts import EventAnswer, SceneAnswer
from synth.programs.event import tell_event
from synth.programs.vary import vary_scene
from synth.programs.write import write_scene
from synth.records.cells import Cell, Event, is_control
from synth.records.labels import Action, Outcome
from synth.records.schema import Call, Scenario, Verdict

MENDED: Final = frozenset({"language", "form"})
"""The filters after which a scene is asked for once more."""

Ask: TypeAlias = Callable[[Sequence[str]], Awaitable[Parsed[SceneAnswer]]]


@dataclass(frozen=True, slots=True)
class Staged:
    """A form as it was written: what was told, its row so far, and what the scenario filters said of it."""

    cell: Cell
    told: Told
    scenario: Scenario
    verdicts: tuple[Verdict, ...]

    @property
    def stands(self) -> bool:
        """Whether there is a scene that no filter drops."""
        return self.told.scene is not None and not decide(self.verdicts).dropped


async def stage_scenes(line: Line, event: Event, partition: str) -> list[Staged]:
    """Give every form of an event, in the event's order.

    Raises:
        UsageError: the endpoint `offline` is another model than the one in whose name rows are signed.
    """
    family = line.families[event.family]
    told = await _told(line, event, family, partition)
    _check_writer(line, told.calls)
    if told.value is None:
        # the calls that all forms share stand with the first one
        return [
            _staged(
                line, event, cell, Told(told.outcome, told.calls if not n else (), failed=told.failed if not n else ())
            )
            for n, cell in enumerate(event.cells)
        ]
    return await _forms(line, event, family, told, told.value, partition)


def _foreign(line: Line, event: Event, answer: EventAnswer) -> list[Failed]:
    """Give what is in another language among particulars that a model made up: scenes would be written from them."""
    if event.sequence is not None or why_unverified(line.resources, event.cells[0].script):
        return []
    text = "\n".join((answer.particulars, *answer.facts.values()))
    declared = Declared.of(line.resources)
    finding = examine(text, declared, line.resources.languages, LanguageParameters())
    return [Failed("language", finding.reason)] if finding else []


async def _forms(
    line: Line, event: Event, family: Family, told: Checked[EventAnswer], answer: EventAnswer, partition: str
) -> list[Staged]:
    found: list[Staged] = []
    left = list(event.cells)
    while left:
        cell = left.pop(0)
        shared = told if not found else None
        written = await _scene(
            line, event, cell, answer, _writing(line, event, cell, family, answer, partition), None, shared
        )
        found.append(written)
        scene = written.told.scene
        if scene is not None and (written.stands or not line.stop_early):
            # the first form that stands is the one whose edits the others are
            base = (cell, scene)
            steps = [_other(line, event, other, family, answer, base, partition) for other in left]
            return found + await together(steps, at_once=line.at_once)
    return found


async def _other(
    line: Line,
    event: Event,
    cell: Cell,
    family: Family,
    answer: EventAnswer,
    base: tuple[Cell, SceneAnswer],
    partition: str,
) -> Staged:
    """Give another form as an edit of the base; a control is told and written anew, for an edit would keep what the persona brought in."""
    if is_control(cell.form_key):
        return await _control(line, replace(event, cells=(cell,)), cell, family, partition)
    ask = _varying(line, event, cell, family, answer, base, partition)
    return await _scene(line, event, cell, answer, ask, base[1])


async def _control(line: Line, event: Event, cell: Cell, family: Family, partition: str) -> Staged:
    told = await _told(line, event, family, partition)
    if told.value is None:
        return _staged(line, event, cell, Told(told.outcome, told.calls, failed=told.failed))
    ask = _writing(line, event, cell, family, told.value, partition)
    return await _scene(line, event, cell, told.value, ask, None, told)


async def _told(line: Line, event: Event, family: Family, partition: str) -> Checked[EventAnswer]:
    """Give the particulars of an event, asked for twice at most."""
    return await ask_well(
        lambda again: tell_event(line.desk, event, family, partition, again),
        lambda answer: check_event(answer, family) + _foreign(line, event, answer),
        "event",
    )


def _writing(line: Line, event: Event, cell: Cell, family: Family, answer: EventAnswer, partition: str) -> Ask:
    return lambda again: write_scene(line.desk, event, cell, family, answer, partition, again)


def _varying(
    line: Line,
    event: Event,
    cell: Cell,
    family: Family,
    answer: EventAnswer,
    base: tuple[Cell, SceneAnswer],
    partition: str,
) -> Ask:
    return lambda again: vary_scene(line.desk, event, cell, family, answer, base, partition, again)


async def _scene(
    line: Line,
    event: Event,
    cell: Cell,
    answer: EventAnswer,
    ask: Ask,
    base: SceneAnswer | None,
    shared: Checked[EventAnswer] | None = None,
) -> Staged:
    """Give one form, asked for twice at most; `shared` are the event's own calls where this is its first form."""
    family = line.families[event.family]

    def check(scene: SceneAnswer) -> list[Failed]:
        return check_scene(scene, cell, family, answer, line.resources.lexicon, base)

    def stage(made: Checked[SceneAnswer]) -> Staged:
        calls = (shared.calls if shared else ()) + made.calls
        failed = (shared.failed if shared else ()) + made.failed
        return _staged(line, event, cell, Told(made.outcome, calls, answer, made.value, base, failed))

    made = await ask_well(ask, check, "scene")
    staged = stage(made)
    if made.value is None or made.failed or not (found := _mended_by_asking(staged)):
        return staged
    return stage(await _again(made, ask, check, found))


def _mended_by_asking(staged: Staged) -> list[Failed]:
    drops = [verdict for verdict in staged.verdicts if verdict.filter in MENDED and verdict.action is Action.DROP]
    return [Failed(verdict.filter, verdict.reason) for verdict in drops if not verdict.advisory]


async def _again(
    made: Checked[SceneAnswer], ask: Ask, check: Callable[[SceneAnswer], list[Failed]], found: Sequence[Failed]
) -> Checked[SceneAnswer]:
    """Give the scene that comes of asking again, or the one that there was: its filters then say why it is dropped."""
    second = await ask(mendable(found))
    calls = made.calls + about("scene", second.calls)
    failed = made.failed + named("scene", 0, found)
    if second.value is not None:
        wrong = check(second.value)
        if not wrong:
            return Checked(second.value, Outcome.OK, calls, failed)
        failed += named("scene", 1, wrong)
    return Checked(made.value, made.outcome, calls, failed)


def _staged(line: Line, event: Event, cell: Cell, told: Told) -> Staged:
    scenario = make_scenario(cell, line.families[event.family], line.frame, told, line.provenance)
    verdicts: list[Verdict] = []
    if told.scene is not None:
        verdicts = run_stage(line.suite, Stage.SCENARIO, Candidate(scenario), line.resources)
    return Staged(cell, told, scenario, tuple(verdicts))


def _check_writer(line: Line, calls: Sequence[Call]) -> None:
    """Raise UsageError where rows would be signed `offline@...` and something else wrote them."""
    generator = line.provenance.generator
    reported = {call.model_reported for call in calls if call.model_reported}
    if generator.startswith("offline@") and not reported <= {generator}:
        raise UsageError(
            f"the endpoint `offline` answers as {min(reported)!r}, and this content is {generator!r}",
            hint="serve the same version and overlays, or give that model an alias of its own",
        )
