"""Strata, slots and ordinals: which events a quota asks for, so that raising it only appends."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from synth.errors import RecipeError
from synth.planning.draws import key_of
from synth.planning.inventory import Inventory
from synth.records.labels import Explicitness, PowerForm

MOST_STRATA: Final = 100_000
_LINE_FACTORS: Final = frozenset({"language", "family", "felt_affect"})
"""What decides which lines an event can draw."""
_STARTS: Final = 1009
"""A prime beyond the number of ways in which a family can be told, so that starts and retries spread over all of them."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """One cell of the declared crossing, without its form factor: the fixed factors, sorted by name."""

    factors: tuple[tuple[str, str], ...]

    def get(self, factor: str) -> str | None:
        """Give the value of a factor, None where it is drawn."""
        return dict(self.factors).get(factor)

    @property
    def key(self) -> str:
        """The canonical JSON of the factors."""
        return json.dumps(dict(self.factors), sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @property
    def slot_tail(self) -> str:
        """The part of a slot's name that all slots of the stratum share."""
        return f',"stratum":{self.key}}}'

    def sequence(self, ordinal: int, replacement: int) -> int:
        """Give the turn of this event at the lines of its family, language and level.

        It follows from the slot alone: strata that share lines start at places that their own factors decide, whatever other strata there are.
        """
        further = [pair for pair in self.factors if pair[0] not in _LINE_FACTORS]
        start = key_of(json.dumps(further, ensure_ascii=False)) % _STARTS if further else 0
        return ordinal + start + replacement * _STARTS


def slot_name(ordinal: int, replacement: int, tail: str) -> str:
    """Give the name of an event slot, canonical JSON: what its keys are hashed from."""
    return f'{{"ordinal":{ordinal},"replacement":{replacement}{tail}'


def strata_of(inventory: Inventory) -> list[Stratum]:
    """Give the strata of a recipe in their seeded order.

    Raises:
        RecipeError: more than 10^5 strata, or none that the content can fill.
    """
    factors = [factor for factor in inventory.recipe.cross if factor != "power_form"]
    options = {factor: _options(inventory, factor) for factor in factors}
    size = 1
    for values in options.values():
        size *= len(values)
    forms = len(inventory.recipe.forms) if "power_form" in inventory.recipe.cross else 1
    if size * forms > MOST_STRATA:
        raise RecipeError(
            f"cross: {' x '.join(inventory.recipe.cross)} makes {size * forms} strata, more than {MOST_STRATA}",
            hint="cross fewer factors; the others are balanced by draw and audited pairwise",
        )
    tuples = [tuple(sorted(zip(factors, values, strict=True))) for values in itertools.product(*options.values())]
    able = [values for values in tuples if _able(inventory, dict(values))]
    if not able:
        raise RecipeError("cross: no stratum that the content can fill", hint="see `synth templates list`")
    return _ordered(inventory.recipe.seed, able)


def _ordered(seed: int, able: Sequence[tuple[tuple[str, str], ...]]) -> list[Stratum]:
    """Give strata in a seeded order that takes languages in turn, so that a small quota reaches every language."""
    shuffled = sorted(map(Stratum, able), key=lambda stratum: (key_of(f"{seed}\x1f{stratum.key}"), stratum.key))
    seen: Counter[str] = Counter()
    turns: dict[Stratum, tuple[int, int]] = {}
    for stratum in shuffled:
        language = str(stratum.get("language"))
        turns[stratum] = (seen[language], key_of(f"{seed}\x1f{language}"))
        seen[language] += 1
    return sorted(shuffled, key=turns.__getitem__)


def _options(inventory: Inventory, factor: str) -> Sequence[str]:
    match factor:
        case "language":
            return inventory.recipe.languages
        case "family":
            return tuple(inventory.families)
        case "felt_affect":
            return ("low", "mid", "high", "masked")
        case "profile":
            return tuple(p.profile for group in inventory.profiles.values() for p in group)
        case _:
            return tuple(str(kind) for kind in Explicitness)


def _able(inventory: Inventory, values: Mapping[str, str]) -> bool:
    profile = values.get("profile")
    spoken = profile is None or any(p.profile == profile for p in inventory.profiles[values["language"]])
    return spoken and bool(families_of(inventory, values))


def families_of(inventory: Inventory, values: Mapping[str, str]) -> list[str]:
    """Give the families that can take the factors fixed in `values`: with a wanted form, and a level that fits."""
    names = [values["family"]] if values.get("family") else list(inventory.families)
    return [n for n in names if forms_of(inventory, n) and levels_of(inventory, {**values, "family": n})]


def levels_of(inventory: Inventory, values: Mapping[str, str]) -> list[str]:
    """Give the levels of the family in `values` that its fixed level and explicitness allow; masked is a kind of its own."""
    level, kind = values.get("felt_affect"), values.get("explicitness")
    return [
        name
        for name in inventory.families[values["family"]].emotion.levels
        if (not level or name == level) and (not kind or (name == "masked") == (kind == Explicitness.MASKED))
    ]


def forms_of(inventory: Inventory, family: str) -> tuple[PowerForm, ...]:
    """Give the forms of a family that the recipe wants, in the family's order."""
    return tuple(form for form in inventory.families[family].forms if form in inventory.recipe.forms)


def records_of(inventory: Inventory, stratum: Stratum) -> int:
    """Give how many records one event of a stratum has: its forms, or the fewest where the family is drawn."""
    return min(len(forms_of(inventory, name)) for name in families_of(inventory, dict(stratum.factors)))


def allocate(inventory: Inventory, strata: Sequence[Stratum], records: int) -> list[int]:
    """Give, for each stratum, how many ordinals a quota of records asks for: whole rounds first, then one by one in order."""
    sizes = [records_of(inventory, stratum) for stratum in strata]
    rounds, rest = divmod(records, sum(sizes))
    counts = [rounds] * len(strata)
    for number, size in enumerate(sizes):
        if rest <= 0:
            break
        counts[number] += 1
        rest -= size
    return counts
