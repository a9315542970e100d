"""Agreement three ways: annotators with each other (reliability), with the plan (fidelity), and persons with the plan (validity)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, TypeAlias

import numpy as np

from synth.audit.figures import Figures, Ruling
from synth.audit.reading import Case
from synth.gold import BLIND, FIELDS, acceptable, witness
from synth.records.labels import (
    GROUP_OF,
    AnnotatorKind,
    Emotion,
    Explicitness,
    Goal,
    GoalGroup,
    PowerForm,
    Regulation,
)
from synth.records.schema import Annotation
from synth.statistics import Estimate, ac1, kappa, wilson

LEAST_SCENES: Final = 200
LEAST_KAPPA: Final = 0.4
PLAN: Final = "plan"
PERSONS: Final = "persons"
GROUP: Final = "goal_group"

LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    "goal": tuple(map(str, Goal)),
    GROUP: tuple(map(str, GoalGroup)),
    "emotion": tuple(map(str, Emotion)),
    "felt": ("0", "1", "2", "3"),
    "shown": ("0", "1", "2", "3"),
    "regulation": tuple(map(str, Regulation)),
    "explicitness": tuple(map(str, Explicitness)),
    "power_form": tuple(map(str, PowerForm)),
}
"""Every label of each field; agreement on goals is judged on the group, for the fine label is one of several right ones."""
ORDINAL: Final = frozenset({"felt", "shown"})

Key: TypeAlias = tuple[str, str, str, str]
"""Language, field, and who was compared with whom."""


@dataclass(frozen=True, slots=True)
class Agreement(Figures):
    """How far two sides give the same label to the same scene, each its top one by share.

    `scenes` both labelled; `same` is the bare share. `weighted` is kappa with linear weights (ordinal fields only), `accepted` how often the label is
    one of the plan's acceptable ones (set-valued fields, against the plan only). `usable`: the lower end of kappa's 95 % interval (the weighted one where
    there is one) is .4 or more; too few to say under 200 scenes, or where all labels are one.
    """

    language: str
    field: str
    first: str
    second: str
    scenes: int
    same: float
    kappa: Estimate | None
    weighted: Estimate | None
    ac1: Estimate | None
    accepted: Estimate | None
    usable: Ruling


@dataclass(frozen=True, slots=True)
class Agreements(Figures):
    """All agreement of a build; a side that nobody took is empty: it was not run."""

    reliability: tuple[Agreement, ...]
    fidelity: tuple[Agreement, ...]
    validity: tuple[Agreement, ...]


class Compared:
    """A count of who gave which label beside whom: scene by scene, in any order."""

    def __init__(self) -> None:
        self._counts: defaultdict[Key, Counter[tuple[str, str]]] = defaultdict(Counter)
        self._accepted: Counter[Key] = Counter()

    def add(self, case: Case) -> None:
        """Count the blind labels of one scene."""
        models = tops(case.by(AnnotatorKind.MODEL, BLIND))
        for first, second in combinations(sorted(models), 2):
            for field in models[first].keys() & models[second].keys():
                self._count(case, field, (first, second), (models[first][field], models[second][field]))
        for name, labels in models.items():
            self._with_plan(case, name, labels)
        for labels in tops(case.by(AnnotatorKind.PERSON, BLIND)).values():
            self._with_plan(case, PERSONS, labels)

    def _with_plan(self, case: Case, name: str, labels: Mapping[str, str]) -> None:
        for field, label in labels.items():
            planned = str(getattr(case.attempt, field))
            self._count(case, field, (name, PLAN), (label, planned))
            key = (case.attempt.language, field, name, PLAN)
            self._accepted[key] += field in FIELDS and label in acceptable(case.attempt, field)

    def _count(self, case: Case, field: str, who: tuple[str, str], said: tuple[str, str]) -> None:
        self._counts[case.attempt.language, field, *who][said] += 1

    def results(self) -> Agreements:
        """Give the agreement of every pair that labelled a scene in common, by language and field."""
        order = list(LABELS)
        keys = sorted(self._counts, key=lambda key: (key[0], order.index(key[1]), key[2:]))
        made = [self._agreement(key) for key in keys]
        return Agreements(
            reliability=tuple(one for one in made if one.second != PLAN),
            fidelity=tuple(one for one in made if one.second == PLAN and one.first != PERSONS),
            validity=tuple(one for one in made if one.second == PLAN and one.first == PERSONS),
        )

    def _agreement(self, key: Key) -> Agreement:
        language, field, first, second = key
        table = _table(self._counts[key], LABELS[field])
        n = int(table.sum())
        plain = kappa(table)
        weighted = kappa(table, ordinal=True) if field in ORDINAL else None
        set_valued = second == PLAN and field in FIELDS
        return Agreement(
            language=language,
            field=field,
            first=first,
            second=second,
            scenes=n,
            same=float(np.trace(table)) / n,
            kappa=plain,
            weighted=weighted,
            ac1=ac1(table),
            accepted=wilson(self._accepted[key], n) if set_valued else None,
            usable=_usable(n, weighted or plain),
        )


def _table(counts: Mapping[tuple[str, str], int], labels: Sequence[str]) -> Any:
    place = {label: n for n, label in enumerate(labels)}
    table = np.zeros((len(labels), len(labels)))
    for (one, other), count in counts.items():
        table[place[one], place[other]] += count
    return table


def _usable(n: int, value: Estimate | None) -> Ruling:
    if n < LEAST_SCENES or value is None:
        return Ruling.TOO_FEW
    return Ruling.YES if value.lower >= LEAST_KAPPA else Ruling.NO


def tops(rows: Iterable[Annotation]) -> dict[str, dict[str, str]]:
    """Give the label of each annotator and field that has the largest share; of equals the first in the field's list."""
    return {
        name: {field: _top(field, said) for field, said in fields.items()} for name, fields in shares_of(rows).items()
    }


def _top(field: str, said: Mapping[str, float]) -> str:
    return max(said, key=lambda label: (said[label], -LABELS[field].index(label)))


def shares_of(rows: Iterable[Annotation]) -> dict[str, dict[str, dict[str, float]]]:
    """Give the share that each annotator gives to each label of each field; goals by their group as well."""
    found: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(float)))
    for row in rows:
        if row.value is None or row.value not in LABELS.get(row.field, ()):
            continue
        share = 1.0 if row.share is None else row.share
        said = found[witness(row)]
        said[row.field][row.value] += share
        if row.field == "goal":
            said[GROUP][str(GROUP_OF[Goal(row.value)])] += share
    return {name: {field: dict(said) for field, said in fields.items()} for name, fields in found.items()}
