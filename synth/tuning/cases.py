"""Cases: the cells on which a program is tuned, drawn by planning, and the half of them that no search ever sees."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from synth.content.scenarios import Family
from synth.errors import UsageError
from synth.planning.casting import Slot
from synth.planning.draws import pick_one
from synth.planning.events import make_events
from synth.planning.inventory import Inventory
from synth.planning.rounds import every_form
from synth.planning.strata import strata_of
from synth.records.cells import Cell, Event, PlannedFailure, is_control
from synth.records.labels import Split

FEWEST: Final = 4
_DRAWN: Final = 4
"""Slots made for each case that is wanted: some are held out for validation or test, or have no second form."""


@dataclass(frozen=True, slots=True)
class Case:
    """One cell to write for: `base` is the form that is edited (vary), `failure` the one that is asked for (contrast)."""

    event: Event
    cell: Cell
    family: Family
    base: Cell | None = None
    failure: PlannedFailure | None = None

    @property
    def name(self) -> str:
        """The scenario's id, with the failure's name where there is one."""
        failure = self.failure
        return f"{self.cell.scenario_id}.{failure.key}.{failure.severity}" if failure else self.cell.scenario_id


@dataclass(frozen=True, slots=True)
class Cases:
    """The cells of a tuning: those a search reflects on, those it chooses by, and those held out from it. An event is in one of them."""

    reflected: tuple[Case, ...]
    chosen: tuple[Case, ...]
    held_out: tuple[Case, ...]

    def all(self) -> tuple[Case, ...]:
        """Give every case."""
        return (*self.reflected, *self.chosen, *self.held_out)

    def without(self, names: frozenset[str]) -> Cases:
        """Give the cases but those of these names."""
        parts = (self.reflected, self.chosen, self.held_out)
        return Cases(*(tuple(case for case in part if case.name not in names) for part in parts))


def draw_cases(inventory: Inventory, program: str, count: int, seed: int) -> Cases:
    """Give so many cases of a program, one an event, halved by the hash of the event's key.

    Families held out for validation and test are held out here too: a prompt that was tuned on them would know them.

    Raises:
        UsageError: the recipe has too few events that can be used.
    """
    found = list(_cases(inventory, program, count))[:count]
    if len(found) < FEWEST:
        raise UsageError(
            f"the recipe gives {len(found)} events to tune {program} on, and {FEWEST} are needed",
            hint="name more families, forms or languages in the recipe; families held out for validation or test are not used",
        )
    mixed = sorted(found, key=lambda case: (_hash(seed, case.event.event_key), case.event.event_key))
    half = len(mixed) // 2
    training = mixed[:half]
    return Cases(tuple(training[::2]), tuple(training[1::2]), tuple(mixed[half:]))


def _hash(seed: int, key: str) -> bytes:
    return hashlib.blake2b(f"{seed}\x1f{key}".encode(), digest_size=16).digest()


def _cases(inventory: Inventory, program: str, count: int) -> Iterator[Case]:
    for event in _events(inventory, _DRAWN * count):
        if event.split == Split.TRAIN and (case := _case(inventory, program, event)) is not None:
            yield case


def _events(inventory: Inventory, count: int) -> Sequence[Event]:
    """Give events in the plan's order: ordinal by ordinal, languages in turn."""
    strata = strata_of(inventory)
    ordinals = range(-(-count // len(strata)))
    slots = [Slot(n, ordinal, 0, every_form(inventory, s)) for ordinal in ordinals for n, s in enumerate(strata)]
    return make_events(inventory, strata, slots[:count])


def _case(inventory: Inventory, program: str, event: Event) -> Case | None:
    """Give the case that an event makes for a program, None where it makes none."""
    family = inventory.families[event.family]
    cells = [cell for cell in event.cells if not is_control(cell.form_key)]
    if not cells:
        return None
    if program == "vary":
        return Case(event, cells[1], family, base=cells[0]) if len(cells) > 1 else None
    if program == "contrast":
        failures = {f"{failure.key}.{failure.severity}": failure for failure in cells[0].failures}
        if not failures:
            return None
        return Case(event, cells[0], family, failure=failures[_one(event, sorted(failures))])
    return Case(event, cells[0], family)


def _one(event: Event, names: list[str]) -> str:
    return pick_one(int(event.event_key, 16), "tuned failure", names)
