"""Estimate what a plan will ask and cost: calls, tokens and money by role, measured on a few events that the embedded model lives through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from synth.building.rehearsal import rehearse
from synth.models.base import Endpoint, Usage
from synth.models.price_table import PriceTable
from synth.models.prices import Price
from synth.models.purse import Spent
from synth.planning.inventory import OFFLINE, Inventory
from synth.planning.strata import allocate, records_of, strata_of
from synth.recipe import Models

SAMPLE = 12
UNSAMPLED_WRITER = (8.0, 8900.0, 1130.0)
UNSAMPLED_ANNOTATOR = (1.0, 1450.0, 370.0)
"""Calls and tokens that a role took for a record in the embedded model's own languages, for a language that it does not speak."""


@dataclass(frozen=True, slots=True)
class RoleEstimate:
    """What one role's model is asked, and would be asked if every answer needed repair and every record all its tries (`most`, times as much)."""

    model: str
    calls: int
    tokens_in: int
    tokens_out: int
    most: int

    def money(self, price: Price) -> tuple[int, int]:
        """Give the cost in micro-units: expected, and at most."""
        expected = price.cost(Usage(self.tokens_in, self.tokens_out))
        return expected, price.most(self.tokens_in, self.tokens_out) * self.most


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls and tokens of a plan, by role too; `most` counts one repair a call and every try of every slot; `paid` is false where nothing costs."""

    calls: int
    most_calls: int
    tokens_in: int
    tokens_out: int
    most_tokens: int
    paid: bool
    roles: Mapping[str, RoleEstimate]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan would cost, in micro-units: by role expected and at most; `missing` names the models whose price nobody knows.

    `prices` says whose prices these are: the version of the table, or `given`.
    """

    by_role: Mapping[str, tuple[int, int]]
    missing: tuple[str, ...]
    prices: str

    @property
    def expected(self) -> int:
        """Micro-units that are expected."""
        return sum(expected for expected, _ in self.by_role.values())

    @property
    def at_most(self) -> int:
        """Micro-units if every answer needed repair and every record all its tries."""
        return sum(most for _, most in self.by_role.values())


def cost_of(found: Estimate, endpoints: Mapping[str, Endpoint], table: PriceTable, given: Price | None = None) -> Cost:
    """Give what a plan would cost at a table's prices; a price that is `given` holds for every model but the embedded."""

    def price_of(model: str) -> Price | None:
        if given is not None and model != OFFLINE:
            return given
        return table.of(model, endpoints.get(model.partition("/")[0]))

    prices = {role: price_of(one.model) for role, one in found.roles.items()}
    known = {role: found.roles[role].money(price) for role, price in prices.items() if price is not None}
    missing = sorted({found.roles[role].model for role, price in prices.items() if price is None})
    return Cost(known, tuple(missing), "given" if given is not None else table.version)


def estimate(inventory: Inventory) -> Estimate:
    """Give the estimate of a plan: a sample is lived through in memory, nothing is written or paid."""
    recipe = inventory.recipe
    strata = strata_of(inventory)
    wanted = allocate(inventory, strata, recipe.quota.records)
    records = sum(n * records_of(inventory, s) for s, n in zip(strata, wanted, strict=True))
    each = _sample(inventory) or _unsampled(recipe.models)
    roles = {}
    for role, name in recipe.models.roles().items():
        calls, tokens_in, tokens_out = (round(records * one) for one in each.get(role, (0.0, 0.0, 0.0)))
        # each question and one repair; what is written may fail a check and be asked for once more
        most = (4 if role == "writer" else 2) * recipe.tries
        roles[role] = RoleEstimate(name, calls, tokens_in, tokens_out, most)
    calls, tokens_in, tokens_out = (
        sum(getattr(one, what) for one in roles.values()) for what in ("calls", "tokens_in", "tokens_out")
    )
    paid = any(one.model != OFFLINE for one in roles.values())
    most_calls = sum(one.calls * one.most for one in roles.values())
    most_tokens = sum((one.tokens_in + one.tokens_out) * one.most for one in roles.values())
    return Estimate(calls, most_calls, tokens_in, tokens_out, most_tokens, paid, roles)


def _unsampled(models: Models) -> Mapping[str, tuple[float, ...]]:
    return {"writer": UNSAMPLED_WRITER, **dict.fromkeys(models.annotator_roles(), UNSAMPLED_ANNOTATOR)}


def _sample(inventory: Inventory) -> dict[str, tuple[float, ...]]:
    """Give calls and tokens a record of each role, from a few events in the languages that the embedded model speaks; nothing where it speaks none."""
    spent: defaultdict[str, Spent] = defaultdict(Spent)
    records = rehearse(inventory, SAMPLE, lambda role, _, answer: spent[role].add(answer.usage))
    return {
        role: (one.calls / records, one.tokens_in / records, one.tokens_out / records) for role, one in spent.items()
    }
