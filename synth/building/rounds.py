"""Close a round and plan the next: set sieves in order, then what is still missing, from sealed facts only."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from synth.building.admission import ResourcesOf, judged_round
from synth.building.judging import Judged
from synth.building.sealing import finished
from synth.filters.base import OpenSuite
from synth.planning.casting import Slot, event_keys
from synth.planning.events import FORM_BITS
from synth.planning.inventory import Inventory
from synth.planning.rounds import Round, fresh_slots, read_slots, write_round
from synth.planning.strata import allocate, strata_of
from synth.records.labels import PowerForm

LEAST_YIELD = 0.2
SLOTS_BEFORE_CLOSING = 50


@dataclass(slots=True)
class Standing:
    """Where a build stands after its closed rounds: kept and attempted records by stratum, and what the quota asked.

    `missing` is of the last round only: each event's stratum, its slot and the forms that were not kept, as bits.
    """

    kept: Counter[str] = field(default_factory=Counter)
    attempted: Counter[str] = field(default_factory=Counter)
    slots: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    missing: list[tuple[str, Slot, int]] = field(default_factory=list)
    rounds: int = 0

    def closed(self, stratum: str) -> bool:
        """Whether a stratum yields too little to be fed any further."""
        enough = self.slots[stratum] >= SLOTS_BEFORE_CLOSING
        return enough and self.kept[stratum] < LEAST_YIELD * self.attempted[stratum]


def sealed(build: Path, made: Round) -> bool:
    """Whether every partition of a round is sealed."""
    done = finished(build)
    return all(planned.name in done for planned in made.partitions)


def take_standing(
    build: Path,
    rounds: Sequence[Round],
    inventory: Inventory,
    suite: OpenSuite,
    resources_of: ResourcesOf,
    before: Standing | None = None,
) -> Standing:
    """Give where a build stands: reads the sealed rounds that `before` has not counted, partition by partition."""
    standing = before or Standing()
    for made in rounds[standing.rounds :]:
        standing.missing.clear()
        for planned, judged in judged_round(build, rounds, made, suite, resources_of):
            slots = read_slots(build, made.number, planned.row_group)
            _count(standing, made, inventory, slots, _forms(judged))
        standing.rounds += 1
    return standing


def _forms(judged: Iterable[Judged]) -> dict[str, int]:
    """Give the kept forms of each event, as bits, with what the sealed part really has in its second half."""
    forms: dict[str, int] = defaultdict(int)
    for one in judged:
        bit = FORM_BITS[one.scenario.power_form]
        forms[one.scenario.event_key] |= bit << _MADE | (bit if one.kept else 0)
    return forms


_MADE = len(PowerForm)
_ALL = (1 << _MADE) - 1


def _count(
    standing: Standing, made: Round, inventory: Inventory, slots: Sequence[Slot], kept: Mapping[str, int]
) -> None:
    keys = event_keys(inventory.recipe.seed, made.strata, slots)
    strata = [stratum.key for stratum in made.strata]
    for slot, key in zip(slots, keys.tolist(), strict=True):
        stratum = strata[slot.stratum]
        bits = kept.get(f"{key:016x}", 0)
        made_forms, had = bits >> _MADE, bits & _ALL
        standing.kept[stratum] += had.bit_count()
        standing.attempted[stratum] += made_forms.bit_count()
        standing.slots[stratum] += 1
        if slot.replacement == 0:
            standing.asked += made_forms.bit_count()
        if lacking := made_forms & ~had:
            standing.missing.append((stratum, slot, lacking))


def plan_next(build: Path, rounds: Sequence[Round], inventory: Inventory, standing: Standing) -> Round | None:
    """Plan the next round: what the quota adds, and a replacement for what the last round did not keep; None where nothing is due.

    A replacement takes the same slot, one try higher, with the missing forms only; a slot has `tries` tries, and a stratum that yields under 20 % after 50
    slots gets no more.
    """
    strata = strata_of(inventory)
    wanted = allocate(inventory, strata, inventory.recipe.quota.records)
    before = dict(rounds[-1].counts) if rounds else {}
    number = rounds[-1].number + 1 if rounds else 1
    index = {stratum.key: n for n, stratum in enumerate(strata)}
    again = _replacements(standing, inventory.recipe.tries, index)
    slots: dict[str, Iterable[Slot]] = {}
    for language in inventory.recipe.languages:
        own = [slot for slot in again if strata[slot.stratum].get("language") == language]
        slots[language] = _chained(own, fresh_slots(inventory, strata, before, wanted, language))
    counts = before | {s.key: max(before.get(s.key, 0), wanted[n]) for n, s in enumerate(strata)}
    return write_round(build, number, inventory, strata, counts, slots)


def _chained(first: Iterable[Slot], then: Iterable[Slot]) -> Iterator[Slot]:
    yield from first
    yield from then


def _replacements(standing: Standing, tries: int, index: Mapping[str, int]) -> list[Slot]:
    found = []
    for stratum, slot, lacking in standing.missing:
        if slot.replacement + 1 < tries and stratum in index and not standing.closed(stratum):
            found.append(Slot(index[stratum], slot.ordinal, slot.replacement + 1, lacking))
    return found
