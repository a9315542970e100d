"""Read a build for the audit: what was attempted, what was decided and what was said about it, one partition at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from synth.errors import StorageError, UsageError
from synth.records.annotations import read_annotations
from synth.records.arrow import rows_of
from synth.records.cells import is_control
from synth.records.labels import AnnotatorKind, Emotion, Explicitness, Goal, GoalGroup, PowerForm, Regulation
from synth.records.parts import commits, read_table
from synth.records.schema import Annotation, FailedCheck, Scenario, Selection
from synth.records.slices import Slices, open_slices

SELECT: Final = "select.parquet"

FurtherTries: TypeAlias = Callable[[str], Collection[str]]
"""The event keys of a partition, by its name, that are not the first try of their slot."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The cell of one scenario that was attempted, whatever became of it: the columns that figures are made of."""

    scenario_id: str
    family: str
    event_key: str
    language: str
    profile_ids: tuple[str, ...]
    power_form: PowerForm
    goal: Goal
    goal_group: GoalGroup
    goal_also: tuple[Goal, ...]
    emotion: Emotion
    emotion_also: tuple[Emotion, ...]
    felt: int
    shown: int
    regulation: Regulation
    explicitness: Explicitness
    directness: int
    generator: str
    failed_checks: tuple[FailedCheck, ...]

    @property
    def by_model(self) -> bool:
        """Whether a model was to write it: what is composed offline is no attempt."""
        return by_model(self.generator)


@dataclass(frozen=True, slots=True)
class Case:
    """One attempt with what was decided about it, and what models and persons said of it; `first` says that it is the first try of its slot."""

    attempt: Attempt
    decided: Selection
    annotations: tuple[Annotation, ...]
    first: bool = True

    def by(self, kind: AnnotatorKind, view: str) -> list[Annotation]:
        """Give what annotators of one kind said who saw one view."""
        return [row for row in self.annotations if row.annotator_kind == kind and row.view == view]


def by_model(generator: str) -> bool:
    """Say whether a generator is a model that writes, not the embedded one that composes what was authored."""
    return not generator.startswith("offline@")


def read_cases(
    build: Path, language: str | None = None, again: FurtherTries = lambda _: frozenset()
) -> Iterator[list[Case]]:
    """Give the scenarios of each partition that is sealed and decided, of one language or of all; controls without personas are no attempts.

    `again` gives the keys of a partition's events that are further tries (`building.tries`); by default every attempt is a first one.

    Raises:
        StorageError: nothing is decided yet, or a file cannot be read.
        UsageError: the build has nothing of that language.
    """
    path = build / SELECT
    if not path.exists():
        raise StorageError(f"{path} is missing", hint=f"synth close {build}")
    with open_slices(path, Selection) as select:
        for partition in decided_partitions(build, select, language):
            yield _cases(build, partition, select, again(partition))


def decided_partitions(build: Path, select: Slices, language: str | None = None) -> list[str]:
    """Give the partitions that are sealed and decided, of one language or of all.

    Raises:
        UsageError: the build has nothing of that language.
    """
    known = set(select.partitions)
    sealed = [commit.partition for commit in commits(build) if commit.partition in known]
    spoken = sorted({language_of(partition) for partition in sealed})
    if language is not None and language not in spoken:
        raise UsageError(f"the build has no {language!r}", hint=f"valid: {', '.join(spoken) or 'none'}")
    return [partition for partition in sealed if language in (None, language_of(partition))]


def language_of(partition: str) -> str:
    """Give the language of a partition, which its name says."""
    return partition.removeprefix("p-").rpartition("-r")[0]


def read_attempts(table: pa.Table) -> list[Attempt]:
    """Give the cells of a table of scenarios."""
    return rows_of(table, Attempt)


def _cases(build: Path, partition: str, select: Slices, again: Collection[str]) -> list[Case]:
    scenarios = read_table(build, partition, "scenarios", Scenario)
    chosen = select.read(partition)
    own = rows_of(chosen.filter(pc.field("kind") == "scenario"), Selection)
    decided = {row.target_id: row for row in own}
    said: Mapping[str, Sequence[Annotation]] = _by_target(read_annotations(build, partition))
    return [
        Case(
            attempt,
            decided[attempt.scenario_id],
            tuple(said.get(attempt.scenario_id, ())),
            first=attempt.event_key not in again,
        )
        for attempt in read_attempts(scenarios)
        if attempt.scenario_id in decided and not is_control(attempt.scenario_id)
    ]


def _by_target(rows: Sequence[Annotation]) -> Mapping[str, Sequence[Annotation]]:
    found: dict[str, list[Annotation]] = defaultdict(list)
    for row in rows:
        found[row.target_id].append(row)
    return found
