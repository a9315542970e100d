"""Whether verifiers can tell a true claim from a decoy: without that their yes is no evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from synth.audit.figures import Figures, Ruling
from synth.gold import FIELDS, SIGHTED, Labelled, acceptable, accepts, witness
from synth.records.labels import AnnotatorKind
from synth.records.schema import Annotation
from synth.statistics import Estimate, newcombe, wilson

LEAST_GAP: Final = 0.3
LEAST_CLAIMS: Final = 10


@dataclass(frozen=True, slots=True)
class Verifiability(Figures):
    """How often one verifier accepts true claims and decoys of one field in one language, and the gap between them.

    `verifiable` is no where the gap is under .3, and too few to say under 10 claims of either kind.
    """

    language: str
    field: str
    verifier: str
    true: Estimate | None
    decoy: Estimate | None
    gap: Estimate | None
    verifiable: Ruling


class Claims:
    """A count of sighted answers: scenario by scenario, in any order."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str, bool, bool]] = Counter()

    def add(self, language: str, scenario: Labelled, annotations: Iterable[Annotation]) -> None:
        """Count what models said of claims about a scenario; a claim is a decoy where its label is not acceptable there."""
        for row in annotations:
            counted = row.view == SIGHTED and row.annotator_kind == AnnotatorKind.MODEL and row.field in FIELDS
            if counted and row.share is not None:
                decoy = row.value not in acceptable(scenario, row.field)
                self._counts[language, row.field, witness(row), decoy, accepts(row.share)] += 1

    def results(self) -> tuple[Verifiability, ...]:
        """Give the figures by language, field and verifier."""
        found = sorted({key[:3] for key in self._counts}, key=lambda key: (key[0], FIELDS.index(key[1]), key[2]))
        return tuple(self._result(*key) for key in found)

    def unverifiable(self) -> frozenset[tuple[str, str]]:
        """Give (language, field) where a verifier was found unable to tell true claims from decoys: its yes is in every mean."""
        return frozenset((one.language, one.field) for one in self.results() if one.verifiable is Ruling.NO)

    def _result(self, language: str, field: str, verifier: str) -> Verifiability:
        counts = {
            decoy: [self._counts[language, field, verifier, decoy, said] for said in (False, True)]
            for decoy in (False, True)
        }
        (no, yes), (decoy_no, decoy_yes) = counts[False], counts[True]
        n, decoys = no + yes, decoy_no + decoy_yes
        gap = newcombe(yes, n, decoy_yes, decoys) if n and decoys else None
        true = wilson(yes, n) if n else None
        return Verifiability(
            language, field, verifier, true, wilson(decoy_yes, decoys) if decoys else None, gap, _ruling(n, decoys, gap)
        )


def _ruling(n: int, decoys: int, gap: Estimate | None) -> Ruling:
    if gap is None or min(n, decoys) < LEAST_CLAIMS:
        return Ruling.TOO_FEW
    return Ruling.NO if round(gap.value, 9) < LEAST_GAP else Ruling.YES
