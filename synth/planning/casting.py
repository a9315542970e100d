"""Draw, column by column, everything about a block of events that its stratum leaves open: feeling, people, names.

Emotion, intensity and regulation are drawn before and independently of who the people are. All draws of one event share its key and differ by name, so that
adding a draw or an option disturbs no other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from synth.content.scenarios import Family
from synth.planning.draws import key_of, pick
from synth.planning.inventory import Inventory
from synth.planning.strata import Stratum, families_of, levels_of, slot_name
from synth.records.labels import Explicitness, Stance

GENDERS: Final = ("f", "m")
PIDS: Final = ("S", "A", "X")
LEVEL_WEIGHTS: Final = {"low": 28, "mid": 28, "high": 29, "masked": 15}
EXPLICITNESS_WEIGHTS: Final = {Explicitness.NAMED: 25, Explicitness.DESCRIBED: 35, Explicitness.IMPLIED: 25}
DYADS: Final = {"same": 4, "cross": 1}
"""Every fifth conversation is between people of two profiles (CATALOGUE section 2)."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One planned event: which stratum, which ordinal, which try, and a bit for each form to make."""

    stratum: int
    ordinal: int
    replacement: int
    forms: int


@dataclass(frozen=True)
class Cast:
    """The drawn columns of a block of events, one value for each event."""

    keys: Any
    columns: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        """Give a column."""
        return self.columns[name]


def event_keys(seed: int, strata: Sequence[Stratum], slots: Sequence[Slot]) -> Any:
    """Give the 64-bit key of every slot: blake2b of the seed and the slot's name."""
    tails = [stratum.slot_tail for stratum in strata]
    named = (slot_name(slot.ordinal, slot.replacement, tails[slot.stratum]) for slot in slots)
    return np.fromiter((key_of(f"{seed}\x1f{name}") for name in named), dtype=np.uint64, count=len(slots))


def cast(inventory: Inventory, strata: Sequence[Stratum], slots: Sequence[Slot]) -> Cast:
    """Give all drawn columns of a block of events."""
    made = Cast(event_keys(inventory.recipe.seed, strata, slots), {})
    of = np.array([slot.stratum for slot in slots], dtype=np.int64)
    draw = _Drawing(inventory, strata, of, made)
    for name in ("language", "felt_affect", "explicitness"):
        draw.fixed(name)
    draw.choose("family", draw.families, by=("felt_affect", "explicitness"))
    draw.choose("felt_affect", draw.levels, by=("family", "explicitness"))
    draw.choose("emotion", draw.emotions, by=("family", "felt_affect"))
    draw.choose("explicitness", draw.kinds, by=("felt_affect",))
    draw.choose("profile", lambda event: (draw.profiles(event), ()), by=("language",))
    draw.choose("dyad", draw.dyads, by=("language",))
    draw.choose("other", draw.others, by=("language", "profile", "dyad"))
    for pid in PIDS:
        draw.choose(f"gender.{pid}", lambda _: (GENDERS, ()), by=())
    return made


class _Drawing:
    """Fills the columns of one block, group by group of events that have the same options."""

    def __init__(self, inventory: Inventory, strata: Sequence[Stratum], of: Any, made: Cast) -> None:
        self.inventory = inventory
        self.strata = strata
        self.of = of
        self.made = made

    def fixed(self, name: str) -> None:
        values = np.array([stratum.get(name) or "" for stratum in self.strata], dtype=object)
        self.made.columns[name] = values[self.of]

    def choose(
        self, name: str, options: Callable[[dict[str, str]], tuple[Sequence[str], Sequence[int]]], by: Sequence[str]
    ) -> None:
        self.fixed(name)
        column, open_ = self.made.columns[name], self.made.columns[name] == ""
        if not open_.any():
            return
        for event, rows in _groups([self.made[key] for key in by], by, open_):
            values, weights = options(event)
            column[rows] = np.array(values, dtype=object)[pick(self.made.keys[rows], name, values, weights)]

    def families(self, event: dict[str, str]) -> tuple[Sequence[str], Sequence[int]]:
        return families_of(self.inventory, event), ()

    def levels(self, event: dict[str, str]) -> tuple[Sequence[str], Sequence[int]]:
        names = levels_of(self.inventory, event)
        return names, [LEVEL_WEIGHTS[name] for name in names]

    def emotions(self, event: dict[str, str]) -> tuple[Sequence[str], Sequence[int]]:
        felt = self.inventory.families[event["family"]].emotions_at(event["felt_affect"])
        return [str(one.label) for one in felt], [one.share for one in felt]

    @staticmethod
    def kinds(event: dict[str, str]) -> tuple[Sequence[str], Sequence[int]]:
        if event["felt_affect"] == "masked":
            return (str(Explicitness.MASKED),), ()
        return [str(kind) for kind in EXPLICITNESS_WEIGHTS], list(EXPLICITNESS_WEIGHTS.values())

    def profiles(self, event: dict[str, str]) -> tuple[str, ...]:
        return tuple(profile.profile for profile in self.inventory.profiles[event["language"]])

    def dyads(self, event: dict[str, str]) -> tuple[Sequence[str], Sequence[int]]:
        if len(self.profiles(event)) < 2:
            return ("same",), ()
        return tuple(DYADS), tuple(DYADS.values())

    def others(self, event: dict[str, str]) -> tuple[Sequence[str], Sequence[int]]:
        if event["dyad"] == "same":
            return (event["profile"],), ()
        return tuple(name for name in self.profiles(event) if name != event["profile"]), ()


def _groups(columns: Sequence[Any], names: Sequence[str], among: Any) -> list[tuple[dict[str, str], Any]]:
    """Give each combination of the columns' values with the rows, among those asked for, that have it."""
    rows = np.flatnonzero(among)
    if not columns:
        return [({}, rows)]
    found: list[tuple[dict[str, str], Any]] = [({}, rows)]
    for name, column in zip(names, columns, strict=True):
        found = [
            (event | {name: value}, members[column[members] == value])
            for event, members in found
            for value in sorted(set(column[members].tolist()))
        ]
    return found


def draw_names(inventory: Inventory, made: Cast) -> dict[str, list[tuple[str, str]]]:
    """Give (given, family) names of S, A and X for every event; no two people of an event share a given or a family name."""
    drawn: dict[str, list[tuple[str, str]]] = {}
    for pid in PIDS:
        profiles = _profiles(inventory, made, pid)
        given = np.empty(len(made.keys), dtype=object)
        family = np.empty(len(made.keys), dtype=object)
        everyone = np.ones(len(made.keys), dtype=bool)
        for event, rows in _groups([profiles, made[f"gender.{pid}"]], ("profile", "gender"), everyone):
            names = inventory.profile(event["profile"]).names
            given[rows] = _named(made.keys[rows], f"given.{pid}", names.given[event["gender"]])  # type: ignore[index]
            family[rows] = _named(made.keys[rows], f"family.{pid}", names.family or ("",))
        drawn[pid] = _apart(inventory, made, pid, profiles, given.tolist(), family.tolist(), drawn)
    return drawn


def counterpart(family: Family) -> str:
    """Give whom the speaker has to do with, and who may be of another profile: X where somebody else writes on the speaker's behalf."""
    return "X" if family.stance == Stance.ON_BEHALF else "A"


def _profiles(inventory: Inventory, made: Cast, pid: str) -> Any:
    """Give the profile of one person of every event."""
    others = [name for name, family in inventory.families.items() if counterpart(family) == pid]
    return np.where(np.isin(made["family"].astype(str), others), made["other"], made["profile"])


def _named(keys: Any, name: str, options: Sequence[str]) -> Any:
    return np.array(options, dtype=object)[pick(keys, name, options)]


def _apart(
    inventory: Inventory,
    made: Cast,
    pid: str,
    profiles: Any,
    given: list[str],
    family: list[str],
    drawn: dict[str, list[tuple[str, str]]],
) -> list[tuple[str, str]]:
    """Draw again, under another name, where somebody of the event is called so already: by given or by family name."""
    for row, key in enumerate(made.keys):
        names = inventory.profile(profiles[row]).names
        options = {"given": names.given[made[f"gender.{pid}"][row]], "family": names.family or ("",)}
        for part, (column, place) in {"given": (given, 0), "family": (family, 1)}.items():
            taken = {others[row][place] for others in drawn.values()} - {""}
            column[row] = _untaken(key, f"{part}.{pid}", column[row], options[part], taken)
    return list(zip(given, family, strict=True))


def _untaken(key: Any, draw: str, name: str, options: Sequence[str], taken: Collection[str]) -> str:
    attempt = 0
    while name in taken:
        attempt += 1
        name = str(_named(key, f"{draw}.{attempt}", options)[0])
    return name
