"""Every figure of a build that its audit has, each computed once, one partition in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from synth.audit.agreement import Agreements, Compared
from synth.audit.attrition import Attrition, Survivors, Weighed, Weights
from synth.audit.checks import FailedChecks, Recovered, Statuses, Tally
from synth.audit.explicitness import Arrived, ExplicitnessShare
from synth.audit.figures import Figures
from synth.audit.intensity import IntensityOrder, Siblings
from synth.audit.preferences import Preferences, read_preferences
from synth.audit.reading import Case, FurtherTries, read_cases
from synth.audit.verification import Claims, Disbelieved, Rejected, Verifiability
from synth.content.shelves import Shelves
from synth.errors import StorageError
from synth.records.manifest import read_manifest


@dataclass(frozen=True, slots=True)
class Audit(Figures):
    """The figures of a build: `scenes` are attempted, `kept` of them stand in the build. What was not run is empty or None.

    `disbelieved` names fields whose verifiers cannot be believed, with what their word cost.

    Controls without personas are no attempts. `artifact_gate` is None where pairs were not asked for, or there are none.
    Gates are run on a build that is `complete`: an unfinished round has not been through the set sieves, and its slots have not been tried again.
    """

    complete: bool
    scenes: int
    kept: int
    statuses: tuple[Statuses, ...]
    recovered: tuple[Recovered, ...]
    verification: tuple[Verifiability, ...]
    disbelieved: tuple[Disbelieved, ...]
    agreement: Agreements
    intensity: tuple[IntensityOrder, ...]
    explicitness: tuple[ExplicitnessShare, ...]
    attrition: Attrition
    weights: Weights | None
    failed_checks: tuple[FailedChecks, ...]
    artifact_gate: Preferences | None = None

    @property
    def failed(self) -> tuple[str, ...]:
        """The gates that failed, each as `attrition:<dimension>:<group>` or `artifacts:<population>:<features>:<language>`.

        Empty where all hold, say nothing or are not run.
        """
        if not self.complete:
            return ()
        lost = dict.fromkeys(f"attrition:{one.dimension}:{one.group}" for one in self.attrition.failed)
        return (*lost, *(self.artifact_gate.failed if self.artifact_gate else ()))


def audit_build(
    build: Path,
    language: str | None = None,
    *,
    with_pairs: bool = True,
    shelves: Shelves | None = None,
    again: FurtherTries = lambda _: frozenset(),
) -> Audit:
    """Give the figures of what is sealed and decided in a build, of one language or of all.

    Args:
        build: The folder.
        language: The language, or None for all.
        with_pairs: Whether the artifact gate is measured; it takes seconds for a thousand pairs.
        again: The keys of a partition's events that are further tries (`building.tries`), which the plan holds already; none, if not given.
        shelves: Where its lexicons stand; ours, if none are given.

    Raises:
        StorageError: nothing is decided yet, or a file cannot be read.
        UsageError: the build has nothing of that language.
    """
    audit = audit_cases(read_cases(build, language, again), complete=_is_complete(build))
    return replace(audit, artifact_gate=read_preferences(build, language, shelves)) if with_pairs else audit


def _is_complete(build: Path) -> bool:
    try:
        return bool(read_manifest(build)["complete"])
    except StorageError:
        return False  # a run that was killed before its end wrote none


def audit_cases(partitions: Iterable[Iterable[Case]], *, complete: bool) -> Audit:
    """Give the figures of cases, partition by partition; `complete` says that there will be no more."""
    scenes = kept = 0
    claims, compared, siblings, arrived = Claims(), Compared(), Siblings(), Arrived()
    survivors, weighed, tally, rejected = Survivors(), Weighed(), Tally(), Rejected()
    for cases in partitions:
        for case in cases:
            scenes += 1
            kept += case.decided.kept
            claims.add(case.attempt.language, case.attempt, case.annotations)
            for figure in (compared, siblings, arrived, survivors, weighed, tally, rejected):
                figure.add(case)
    return Audit(
        complete=complete,
        scenes=scenes,
        kept=kept,
        statuses=tally.statuses(),
        recovered=tally.recovered(),
        verification=claims.results(),
        disbelieved=rejected.results(claims.unverifiable()),
        agreement=compared.results(),
        intensity=siblings.results(),
        explicitness=arrived.results(),
        attrition=survivors.results(),
        weights=weighed.results(),
        failed_checks=tally.failed_checks(),
    )
