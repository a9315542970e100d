"""Whether the explicitness that was planned is what arrives: a build must not drift to feelings that are named."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from math import fsum
from typing import Final

from synth.audit.agreement import shares_of
from synth.audit.figures import Figures, Ruling, mean_of, units
from synth.audit.reading import Case
from synth.gold import BLIND
from synth.records.labels import AnnotatorKind, Explicitness

POINTS: Final = 5.0
LEAST_SCENES: Final = 100


@dataclass(frozen=True, slots=True)
class ExplicitnessShare(Figures):
    """One kind of explicitness in one language: its share of what was planned, of what is kept, and of what annotators read in what is kept.

    Planned is each slot once, by its first try: what is hard to keep is tried again, and would otherwise seem to be wanted more often.

    `difference` is what arrived less what was planned, in points of a hundred; `within` says whether it is 5 or less either way: not run where nobody
    annotated, too few to say under 100 kept scenes that somebody read.
    """

    language: str
    explicitness: str
    planned: float
    kept: float | None
    arrived: float | None
    scenes: int
    difference: float | None
    within: Ruling


class Arrived:
    """A count of explicitness, planned, kept and read: scene by scene, in any order."""

    def __init__(self) -> None:
        self._planned: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._kept: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._read: Counter[str] = Counter()
        self._sums: Counter[tuple[str, str]] = Counter()

    def add(self, case: Case) -> None:
        """Count one scene."""
        language, kind = case.attempt.language, str(case.attempt.explicitness)
        if case.first:
            self._planned[language][kind] += 1
        if not case.decided.kept:
            return
        self._kept[language][kind] += 1
        read = _read(case)
        self._read[language] += bool(read)
        for name, share in read.items():
            self._sums[language, name] += units(share)

    def results(self) -> tuple[ExplicitnessShare, ...]:
        """Give the figures by language, from named to masked."""
        return tuple(self._share(language, str(kind)) for language in sorted(self._planned) for kind in Explicitness)

    def _share(self, language: str, kind: str) -> ExplicitnessShare:
        planned, kept = self._planned[language], self._kept[language]
        read = self._read[language]
        share = planned[kind] / planned.total()
        arrived = mean_of(self._sums[language, kind], read)
        difference = None if arrived is None else 100 * (arrived - share)
        return ExplicitnessShare(
            language=language,
            explicitness=kind,
            planned=share,
            kept=kept[kind] / kept.total() if kept else None,
            arrived=arrived,
            scenes=read,
            difference=difference,
            within=_within(read, difference),
        )


def _within(scenes: int, difference: float | None) -> Ruling:
    if difference is None:
        return Ruling.NOT_RUN
    if scenes < LEAST_SCENES:
        return Ruling.TOO_FEW
    return Ruling.YES if round(abs(difference), 9) <= POINTS else Ruling.NO


def _read(case: Case) -> dict[str, float]:
    """Give the mean share of each kind over the annotators who labelled it; empty where none did."""
    labels = shares_of(case.by(AnnotatorKind.MODEL, BLIND)).values()
    said = [one["explicitness"] for one in labels if "explicitness" in one]
    whole = [(own, total) for own in said if (total := fsum(own.values()))]
    kinds = {kind for own, _ in whole for kind in own}
    return {kind: fsum(own.get(kind, 0.0) / total for own, total in whole) / len(whole) for kind in kinds}
