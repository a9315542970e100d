"""Estimate what a plan will ask and cost: calls, tokens and money by role, measured on a few events that the embedded model lives through."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from synth.ask import Role
from synth.building.lines import Crew, open_asker, open_crew, open_line, open_recipe_suite
from synth.content.phrasings import FOLDER
from synth.models.base import Endpoint, PureModel, Request, Response, Usage
from synth.models.price_table import PriceTable
from synth.models.prices import Price
from synth.models.purse import Purse, Spent
from synth.planning.coverage import plan_slots
from synth.planning.events import make_events
from synth.planning.inventory import OFFLINE, Inventory, take_stock
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

    def cost(self, price_in: float, price_out: float) -> tuple[float, float]:
        """Give the cost in the currency of the prices (per million tokens), one for all models but the embedded: expected, and at most."""
        paid = [role for role in self.roles.values() if role.model != OFFLINE]
        each = [((role.tokens_in * price_in + role.tokens_out * price_out) / 1e6, role.most) for role in paid]
        return sum((one for one, _ in each), 0.0), sum((one * most for one, most in each), 0.0)


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
    most = 2 * recipe.tries
    roles = {}
    for role, name in recipe.models.roles().items():
        calls, tokens_in, tokens_out = (round(records * one) for one in each.get(role, (0.0, 0.0, 0.0)))
        roles[role] = RoleEstimate(name, calls, tokens_in, tokens_out, most)
    calls, tokens_in, tokens_out = (
        sum(getattr(one, what) for one in roles.values()) for what in ("calls", "tokens_in", "tokens_out")
    )
    paid = any(one.model != OFFLINE for one in roles.values())
    return Estimate(calls, calls * most, tokens_in, tokens_out, (tokens_in + tokens_out) * most, paid, roles)


def _unsampled(models: Models) -> Mapping[str, tuple[float, ...]]:
    return {"writer": UNSAMPLED_WRITER, **dict.fromkeys(models.annotator_roles(), UNSAMPLED_ANNOTATOR)}


def _sample(inventory: Inventory) -> dict[str, tuple[float, ...]]:
    """Give calls and tokens a record of each role, from a few events in the languages that the embedded model speaks."""
    recipe = inventory.recipe
    able = [
        lang
        for lang in recipe.languages
        if all(inventory.shelves.has(f"{FOLDER}/{lang}/{f}.yaml") for f in inventory.families)
    ]
    if not able:
        return {}
    models = Models(annotators=tuple(OFFLINE for _ in recipe.models.annotators))
    # what the recipe says of the sampling of its other roles is not asked of the embedded model
    offline = recipe.model_copy(update={"languages": tuple(able), "profiles": (), "models": models, "sampling": {}})
    stock = take_stock(offline, inventory.shelves)
    strata = strata_of(stock)
    slots = list(islice(plan_slots(stock, strata), 4096))
    events = make_events(stock, strata, slots[:: max(1, len(slots) // SAMPLE)][:SAMPLE])
    spent = {role: Spent() for role in models.roles()}
    asker = open_asker(_counting(open_crew(stock, {}), spent), None, Purse())
    suite = open_recipe_suite(stock)

    async def live() -> int:
        lived = [await open_line(stock, one.language, asker, suite, {}).live(one, "sample") for one in events]
        return sum(len(one.scenarios) for one in lived)

    records = asyncio.run(live())
    return {
        role: (one.calls / records, one.tokens_in / records, one.tokens_out / records) for role, one in spent.items()
    }


def _counting(crew: Crew, spent: Mapping[str, Spent]) -> Crew:
    """Give a crew of pure models that counts what each role is asked."""
    seats = {}
    for seat, role in crew.roles.items():
        assert isinstance(role.model, PureModel)
        seats[seat] = Role(_Counted(role.model, spent[seat.partition("@")[0]].add), role.identity, role.parameters)
    return replace(crew, roles=seats)


@dataclass(frozen=True, slots=True)
class _Counted:
    """A pure model that tells what it used."""

    model: PureModel
    tell: Callable[[Usage], None]
    pure: bool = True

    @property
    def name(self) -> str:
        return self.model.name

    def answer(self, request: Request) -> Response:
        response = self.model.answer(request)
        self.tell(response.usage)
        return response

    async def attempt(self, request: Request) -> Response:
        return self.answer(request)

    async def close(self) -> None:
        await self.model.close()
