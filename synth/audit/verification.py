"""Whether verifiers can tell a true claim from a decoy: without that their yes is no evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from synth.audit.figures import Figures, Ruling
from synth.audit.reading import Case
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


@dataclass(frozen=True, slots=True)
class Disbelieved(Figures):
    """One field in one language whose verifiers cannot tell true claims from decoys, and how many scenes were dropped on their word all the same."""

    language: str
    field: str
    dropped: int


class Rejected:
    """A count of scenes that verifiers' word dropped: scene by scene, in any order."""

    def __init__(self) -> None:
        self._dropped: Counter[tuple[str, str]] = Counter()

    def add(self, case: Case) -> None:
        """Count one scene, once for each field that gold rejects (`gold:<field>:<status>`)."""
        named = (reason.split(":") for reason in case.decided.reasons if reason.startswith("gold:"))
        self._dropped.update({(case.attempt.language, field) for _, field, _ in named})

    def results(self, unverifiable: Collection[tuple[str, str]]) -> tuple[Disbelieved, ...]:
        """Give what was dropped of each (language, field) that nobody could verify, by language and field."""
        keys = sorted(unverifiable, key=lambda key: (key[0], FIELDS.index(key[1])))
        return tuple(Disbelieved(*key, self._dropped[key]) for key in keys)


class Claims:
    """A count of sighted answers: scenario by scenario, in any order."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str, bool, bool]] = Counter()

    def add(self, language: str, scenario: Labelled, annotations: Iterable[Annotation]) -> None:
        """Count what models first said of claims about a scenario; a claim is a decoy where its label is not acceptable there.

        The line puts first opinions before second ones (`line.stages`), so of the rows about one claim the first, in their order, counts. Second ones are
        asked only of what would be rejected: they would pull the share of accepted claims down.
        """
        asked: set[tuple[str, str, str | None]] = set()
        for row in annotations:
            counted = row.view == SIGHTED and row.annotator_kind == AnnotatorKind.MODEL and row.field in FIELDS
            claim = (row.target_id, row.field, row.value)  # a verifier may quote other words the second time
            if counted and row.share is not None and claim not in asked:
                asked.add(claim)
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
