"""What a plan will hold: counts by factor and the association of feeling with identity, in flat memory whatever the size."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from synth.planning.casting import Slot, cast
from synth.planning.inventory import Inventory
from synth.planning.rounds import fresh_slots, whole_forms
from synth.planning.strata import Stratum, allocate, strata_of
from synth.records.labels import PowerForm
from synth.statistics import cramers_v

CHUNK: Final = 16_384
FACTORS: Final = ("language", "family", "felt_affect", "emotion", "explicitness", "profile", "gender.S")
PAIRS: Final = tuple(itertools.product(("emotion", "felt_affect", "family"), ("profile", "gender.S", "gender.A")))
"""Feeling and family against identity: what must come out independent (SPEC section 5)."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a plan holds: events, records, counts of each factor's values, V of each pair, records of each stratum."""

    events: int
    records: int
    strata: int
    counts: Mapping[str, Mapping[str, int]]
    association: Mapping[tuple[str, str], float]
    smallest_stratum: int
    largest_stratum: int


def plan_slots(inventory: Inventory, strata: Sequence[Stratum]) -> Iterator[Slot]:
    """Give every slot that the recipe's quota asks for, language by language."""
    wanted = allocate(inventory, strata, inventory.recipe.quota.records)
    for language in sorted(inventory.recipe.languages):
        yield from fresh_slots(inventory, strata, {}, wanted, language)


def measure(inventory: Inventory) -> Coverage:
    """Give the coverage of a recipe's plan, chunk by chunk."""
    strata = strata_of(inventory)
    tally = _Tally(inventory, strata)
    slots = plan_slots(inventory, strata)
    while chunk := list(itertools.islice(slots, CHUNK)):
        tally.add(chunk)
    return tally.coverage()


class _Tally:
    """Adds up chunks of slots."""

    def __init__(self, inventory: Inventory, strata: Sequence[Stratum]) -> None:
        self.inventory = inventory
        self.strata = strata
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        self.tables: dict[tuple[str, str], Counter[tuple[str, str]]] = defaultdict(Counter)
        self.per_stratum = np.zeros(len(strata), dtype=np.int64)
        self.forms = {name: whole_forms(inventory, name) for name in inventory.families}
        self.events = self.records = 0

    def add(self, slots: Sequence[Slot]) -> None:
        """Add a chunk of slots; an event counts once for each of its forms."""
        made = cast(self.inventory, self.strata, slots)
        bits = np.array([slot.forms for slot in slots]) & self._wanted(made["family"])
        forms = sum((bits >> n) & 1 for n in range(len(PowerForm)))
        self.events += len(slots)
        self.records += int(forms.sum())
        np.add.at(self.per_stratum, [slot.stratum for slot in slots], forms)
        for name in FACTORS:
            self.counts[name].update(_weighted(made[name], forms))
        for number, form in enumerate(PowerForm):
            self.counts["power_form"][str(form)] += int(((bits >> number) & 1).sum())
        for one, other in PAIRS:
            # events and not records: the forms of an event share its draws, and repeating them would feign evidence
            self.tables[one, other].update(zip(made[one].tolist(), made[other].tolist(), strict=True))

    def _wanted(self, families: Iterable[str]) -> np.ndarray:
        return np.array([self.forms[name] for name in families])

    def coverage(self) -> Coverage:
        """Give what was added up."""
        held = self.per_stratum[self.per_stratum > 0]
        return Coverage(
            events=self.events,
            records=self.records,
            strata=len(self.strata),
            counts={name: dict(sorted(counter.items())) for name, counter in self.counts.items()},
            association={pair: cramers_v(_table(table)) for pair, table in self.tables.items()},
            smallest_stratum=int(self.per_stratum.min()) if len(self.per_stratum) else 0,
            largest_stratum=int(held.max()) if len(held) else 0,
        )


def _weighted(column: np.ndarray, forms: np.ndarray) -> dict[str, int]:
    values, index = np.unique(column.astype(str), return_inverse=True)
    totals = np.bincount(index, weights=forms)
    return {str(value): int(total) for value, total in zip(values, totals, strict=True) if total}


def _table(counter: Counter[tuple[str, str]]) -> np.ndarray:
    rows = sorted({row for row, _ in counter})
    columns = sorted({column for _, column in counter})
    return np.array([[counter[row, column] for column in columns] for row in rows])
