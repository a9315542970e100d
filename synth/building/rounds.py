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
from synth.records.cells import is_control
from synth.records.labels import PowerForm

LEAST_YIELD = 0.2
SLOTS_BEFORE_CLOSING = 50


@dataclass(slots=True)
class Missing:
    """What a slot still lacks: its forms that no try kept, as bits, and its highest try so far."""

    replacement: int
    forms: int


@dataclass(slots=True)
class Standing:
    """Where a build stands after its closed rounds: kept and attempted records by stratum, and what is missing.

    `missing` is over all rounds, by stratum and ordinal; only slots that lack a form stand there.
    """

    kept: Counter[str] = field(default_factory=Counter)
    attempted: Counter[str] = field(default_factory=Counter)
    slots: Counter[str] = field(default_factory=Counter)
    missing: dict[tuple[str, int], Missing] = field(default_factory=dict)
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
        strata = [stratum.key for stratum in made.strata]
        for planned, judged in judged_round(build, rounds, made, suite, resources_of):
            slots = read_slots(build, made.number, planned.row_group)
            keys = event_keys(inventory.recipe.seed, made.strata, slots)
            forms = _forms(judged)
            for slot, key in zip(slots, keys.tolist(), strict=True):
                _count(standing, strata[slot.stratum], slot, forms.get(f"{key:016x}", 0))
        standing.rounds += 1
    return standing


def _forms(judged: Iterable[Judged]) -> dict[str, int]:
    """Give the kept forms of each event, as bits, with what the sealed part really has in its second half."""
    forms: dict[str, int] = defaultdict(int)
    for one in judged:
        if is_control(one.scenario.form_key):
            continue  # it counts for no quota
        bit = FORM_BITS[one.scenario.power_form]
        forms[one.scenario.event_key] |= bit << _MADE | (bit if one.kept else 0)
    return forms


_MADE = len(PowerForm)
_ALL = (1 << _MADE) - 1


def _count(standing: Standing, stratum: str, slot: Slot, bits: int) -> None:
    made, kept = bits >> _MADE, bits & _ALL
    standing.kept[stratum] += kept.bit_count()
    standing.attempted[stratum] += made.bit_count()
    standing.slots[stratum] += 1
    place = stratum, slot.ordinal
    if slot.replacement == 0 and made & ~kept:
        standing.missing[place] = Missing(0, made & ~kept)
    elif slot.replacement and (known := standing.missing.get(place)):
        # a slot that lacks nothing was replaced for another suite: there is nothing to count
        known.replacement, known.forms = slot.replacement, known.forms & ~kept
        if not known.forms:
            del standing.missing[place]


def plan_next(
    build: Path, rounds: Sequence[Round], inventory: Inventory, again: Mapping[str, Sequence[Slot]]
) -> Round | None:
    """Plan the next round: the replacements `again` of each language, then what the quota adds; None where nothing is due."""
    strata = strata_of(inventory)
    wanted = allocate(inventory, strata, inventory.recipe.quota.records)
    before = dict(rounds[-1].counts) if rounds else {}
    number = rounds[-1].number + 1 if rounds else 1
    slots: dict[str, Iterable[Slot]] = {
        language: _chained(again.get(language, ()), fresh_slots(inventory, strata, before, wanted, language))
        for language in inventory.recipe.languages
    }
    counts = before | {s.key: max(before.get(s.key, 0), wanted[n]) for n, s in enumerate(strata)}
    return write_round(build, number, inventory, strata, counts, slots)


def _chained(first: Iterable[Slot], then: Iterable[Slot]) -> Iterator[Slot]:
    yield from first
    yield from then


def replacements(inventory: Inventory, standing: Standing) -> dict[str, list[Slot]]:
    """Give, by language, what is to be made again: the same slot, one try higher, with the missing forms only.

    A slot has `tries` tries; a stratum that yields under 20 % after 50 slots, and an ordinal that the quota does not ask for any more, get none.
    """
    strata = strata_of(inventory)
    wanted = allocate(inventory, strata, inventory.recipe.quota.records)
    index = {stratum.key: n for n, stratum in enumerate(strata)}
    found: dict[str, list[Slot]] = defaultdict(list)
    for (stratum, ordinal), missing in standing.missing.items():
        n = index.get(stratum)
        if n is None or ordinal >= wanted[n] or missing.replacement + 1 >= inventory.recipe.tries:
            continue
        if not standing.closed(stratum):
            found[str(strata[n].get("language"))].append(Slot(n, ordinal, missing.replacement + 1, missing.forms))
    return found
