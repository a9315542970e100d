"""Whether annotators put siblings in the order of their felt intensity: people can order feelings, not measure them."""

from __future__ import annotations

import hashlib
from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, product
from statistics import fmean
from typing import Final, TypeAlias

from synth.audit.agreement import shares_of
from synth.audit.figures import Figures, Ruling
from synth.audit.reading import Case
from synth.gold import BLIND
from synth.records.labels import AnnotatorKind

WANTED: Final = 0.8
LEAST_PAIRS: Final = 100
SAMPLED: Final = 12
"""How many scenes of each language, family and level are compared; which ones, their ids decide."""

Scene: TypeAlias = tuple[str, str, float]
"""The rank of a scene in its sample, its event, and the felt intensity that annotators read in it, 0..3."""


@dataclass(frozen=True, slots=True)
class IntensityOrder(Figures):
    """Of pairs of kept scenes of one family with another felt level, the share that annotators order right; equal readings count half.

    Pairs share scenes, so no interval is given. `ordered`: .8 or more; too few to say under 100 pairs.
    """

    language: str
    scenes: int
    pairs: int
    right: float
    ordered: Ruling


class Siblings:
    """A sample of scenes by language, family and level: the same one in whatever order they come."""

    def __init__(self) -> None:
        self._samples: defaultdict[tuple[str, str, int], list[Scene]] = defaultdict(list)

    def add(self, case: Case) -> None:
        """Take up a kept scene whose felt intensity somebody read blind."""
        read = _felt(case)
        if read is None or not case.decided.kept:
            return
        attempt = case.attempt
        rank = hashlib.blake2b(attempt.scenario_id.encode(), digest_size=8).hexdigest()
        sample = self._samples[attempt.language, attempt.family, attempt.felt]
        insort(sample, (rank, attempt.event_key, read))
        del sample[SAMPLED:]

    def results(self) -> tuple[IntensityOrder, ...]:
        """Give the figure of each language."""
        return tuple(self._order(language) for language in sorted({key[0] for key in self._samples}))

    def _order(self, language: str) -> IntensityOrder:
        own = {key: sample for key, sample in self._samples.items() if key[0] == language}
        families = sorted({family for _, family, _ in own})
        marks = [mark for family in families for mark in self._marks(language, family)]
        right = fmean(marks) if marks else 0.0
        ruling = Ruling.YES if round(right, 9) >= WANTED else Ruling.NO
        return IntensityOrder(
            language=language,
            scenes=sum(map(len, own.values())),
            pairs=len(marks),
            right=right,
            ordered=ruling if len(marks) >= LEAST_PAIRS else Ruling.TOO_FEW,
        )

    def _marks(self, language: str, family: str) -> Iterator[float]:
        """Give 1 for each pair in the right order, 0 for the wrong one, half for none."""
        levels = sorted(level for spoken, name, level in self._samples if (spoken, name) == (language, family))
        for low, high in combinations(levels, 2):
            pairs = product(self._samples[language, family, low], self._samples[language, family, high])
            yield from _marked(pairs)


def _marked(pairs: Iterable[tuple[Scene, Scene]]) -> Iterator[float]:
    for (_, lower_event, lower), (_, higher_event, higher) in pairs:
        if lower_event != higher_event:
            yield 0.5 if lower == higher else float(lower < higher)


def _felt(case: Case) -> float | None:
    """Give the felt intensity of a scene as annotators read it, each of them counting once."""
    said = [fields["felt"] for fields in shares_of(case.by(AnnotatorKind.MODEL, BLIND)).values() if "felt" in fields]
    means = [
        sum(int(level) * share for level, share in own.items()) / total for own in said if (total := sum(own.values()))
    ]
    return fmean(means) if means else None
