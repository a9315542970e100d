"""Hand-made rows of scenarios, labels and decisions, for the tests of gold and audit; keyword arguments replace fields."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, get_origin, get_type_hints

from synth.audit.reading import Attempt, Case
from synth.building.close import Closed, close_build
from synth.building.sealing import verdicts_path
from synth.content.suites import Suite
from synth.filters.base import OpenSuite, Resources
from synth.gold import BLIND, SIGHTED
from synth.planning.rounds import PlannedPartition, Round
from synth.recipe import Recipe
from synth.records.annotations import annotations_path
from synth.records.arrow import table_of
from synth.records.labels import (
    Action,
    AnnotatorKind,
    Cue,
    Emotion,
    Explicitness,
    Goal,
    GoalGroup,
    GoldStatus,
    PowerForm,
    Regulation,
    ReplyKind,
    Split,
)
from synth.records.parquet import write_sidecar
from synth.records.parts import seal
from synth.records.schema import Annotation, CueSpan, Reply, Scenario, Selection, Span, Turn, Verdict

SHARES = {"clearly": 1.0, "plausibly": 0.6667, "hardly": 0.3333, "no": 0.0}


def plainest(hint: Any) -> Any:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return next(iter(hint))
    if get_origin(hint) is tuple:
        return ()
    if get_origin(hint) is UnionType or is_dataclass(hint):
        return None
    return hint()


def cue(number: int = 0) -> CueSpan:
    return CueSpan(number * 4, number * 4 + 3, Cue.PROCEDURE)


@cache
def blank_scenario() -> Scenario:
    hints = get_type_hints(Scenario)
    return Scenario(**{field.name: plainest(hints[field.name]) for field in fields(Scenario)})


def scenario(scenario_id: str = "e1.up", *, cues: int = 0, **changes: Any) -> Scenario:
    """Give a scenario of the weaker party's grief that asks for help."""
    text = "I will sort the files, and then I will sort them again."
    turn = Turn("S", ("A",), text, None, 3, 1, None, tuple(map(cue, range(cues))), (), None, ())
    own: dict[str, Any] = {
        "scenario_id": scenario_id,
        "event_key": scenario_id.partition(".")[0],
        "schema_version": "1.0",
        "language": "en",
        "generator": "writer-1",
        "goal": Goal.HELP,
        "goal_group": GoalGroup.SEEK,
        "goal_also": (Goal.ADVICE,),
        "emotion": Emotion.GRIEF,
        "emotion_also": (Emotion.SADNESS,),
        "power_form": PowerForm.UP,
        "felt": 3,
        "shown": 1,
        "regulation": Regulation.NONE,
        "explicitness": Explicitness.NAMED,
        "turns": (turn,),
    }
    return replace(blank_scenario(), **(own | changes))


def replies(scenario_id: str = "e1.up") -> list[Reply]:
    """Give a faithful reply and a failure."""
    blank = Reply(
        f"{scenario_id}.faithful",
        scenario_id,
        ReplyKind.FAITHFUL,
        *(None,) * 4,
        text="I hear you.",
        acts=(),
        parent_id=None,
        edits=(),
        kept=(),
        style=None,
        reasoning=None,
    )
    return [blank, replace(blank, reply_id=f"{scenario_id}.attenuation.2", kind=ReplyKind.FAILURE, severity=2)]


def blind(field: str, value: str, share: float | None = 1.0, **changes: Any) -> Annotation:
    """Give a label of somebody who saw the scene only."""
    row = Annotation("e1.up", field, BLIND, "annotator-a", AnnotatorKind.MODEL, None, "en", value, share, ())
    return replace(row, **changes)


def sighted(field: str, value: str, answer: str = "clearly", **changes: Any) -> Annotation:
    """Give a verifier's word on one claim."""
    row = Annotation("e1.up", field, SIGHTED, "verifier-a", AnnotatorKind.MODEL, None, "en", value, None, ())
    return replace(row, **({"share": SHARES[answer]} | changes))


def hint(number: int, answer: str = "clearly", **changes: Any) -> Annotation:
    """Give a verifier's word on one cue."""
    span = cue(number)
    return sighted("cue", str(span.kind), answer, **({"evidence": (Span(span.start, span.end),)} | changes))


def selection(target_id: str = "e1.up", *, kept: bool = True, **changes: Any) -> Selection:
    row = Selection(
        target_id, "scenario", kept, "main", Split.TRAIN, *(GoldStatus.SPECIFIED,) * 3, None, None, None, ()
    )
    return replace(row, **changes)


def case(made: Scenario, *rows: Annotation, kept: bool = True, **decided: Any) -> Case:
    """Give a scenario as the audit reads it, with what is said of it, whatever the labels' own target is."""
    attempt = Attempt(**{field.name: getattr(made, field.name) for field in fields(Attempt)})
    own = tuple(replace(row, target_id=made.scenario_id) for row in rows)
    return Case(attempt, selection(made.scenario_id, kept=kept, **decided), own)


# -- a build of hand-made rows

SUITE = OpenSuite(Suite("none", 1, (), {}, None), ())  # type: ignore[arg-type]  # a suite without filters has no fault to place


@dataclass(frozen=True, slots=True)
class Sealed:
    """One scenario as it is sealed; `dropped` by a filter that the fixture plays."""

    scenario: Scenario
    annotations: tuple[Annotation, ...] = ()
    dropped: bool = False
    replies: bool = True


def sealed(made: Scenario, *rows: Annotation, dropped: bool = False, answered: bool = True) -> Sealed:
    """Give a scenario with what is said of it, whatever the labels' own target is."""
    own = tuple(replace(row, target_id=made.scenario_id) for row in rows)
    return Sealed(made, own, dropped, answered)


def seal_rows(build: Path, partitions: Mapping[str, Collection[Sealed]]) -> None:
    """Seal partitions, named as a build names them, with their labels and a filter's verdicts."""
    for name, made in partitions.items():
        tables = {
            "scenarios": table_of([one.scenario for one in made], Scenario),
            "replies": table_of([r for one in made if one.replies for r in replies(one.scenario.scenario_id)], Reply),
        }
        rows = [row for one in made for row in one.annotations]
        write_sidecar(annotations_path(build, name), table_of(rows, Annotation))
        lost = [
            Verdict(one.scenario.scenario_id, "record", "form", 1, Action.DROP, None, "refusal", advisory=False)
            for one in made
            if one.dropped
        ]
        write_sidecar(verdicts_path(build, SUITE.digest_of([_language(name)]), name), table_of(lost, Verdict))
        seal(build, name, tables, line_digest="0" * 32)


def close_rows(build: Path, partitions: Collection[str], recipe: Recipe | None = None) -> Closed:
    """Decide about sealed partitions, as the end of a run does."""
    planned = tuple(PlannedPartition(name, _language(name), n, 1, 1) for n, name in enumerate(partitions))
    made = Round(1, (), {}, {}, {}, planned)
    resources: Callable[[str], Resources] = lambda name: Resources(name, None, None, None)  # type: ignore[arg-type]  # noqa: E731
    of = recipe or Recipe.of({"languages": ["en"], "quota": {"records": 8}})
    return close_build(build, [made], SUITE, resources, complete=True, recipe=of)


def built(build: Path, partitions: Mapping[str, Collection[Sealed]]) -> Closed:
    """Seal rows and close."""
    seal_rows(build, partitions)
    return close_rows(build, list(partitions))


def _language(partition: str) -> str:
    return partition.removeprefix("p-").rpartition("-r")[0]
