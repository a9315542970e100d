"""A rehearsal: a few events of a recipe, lived through by the embedded model in memory; who listens hears what each role is asked and answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from synth.building.lines import Crew, open_asker, open_crew, open_line, open_recipe_suite
from synth.content.phrasings import FOLDER
from synth.line.stages import live
from synth.models.base import PureModel, Request, Response
from synth.models.purse import Purse
from synth.planning.coverage import plan_slots
from synth.planning.events import make_events
from synth.planning.inventory import OFFLINE, Inventory, take_stock
from synth.planning.strata import strata_of
from synth.recipe import Gold, Models
from synth.records.cells import Event

Hear = Callable[[str, Request, Response], object]
"""Who listens: (role, question, answer)."""

_MOST_SLOTS: Final = 4096
"""How many slots of a plan, at most, the events are spread over."""


def rehearse(inventory: Inventory, events: int, hear: Hear) -> int:
    """Live so many events of a recipe, and give how many scenarios they came to; none where the embedded model speaks no language of it.

    Every role is played by the embedded model, in the languages that it speaks; nothing is written or paid.
    """
    stock = _spoken(inventory)
    if stock is None:
        return 0
    asker = open_asker(_overheard(open_crew(stock, {}), hear), None, Purse())
    suite = open_recipe_suite(stock)

    async def lived() -> int:
        found = [
            await live(open_line(stock, one.language, asker, suite, {}), one, "sample")
            for one in _spread(stock, events)
        ]
        return sum(len(one.scenarios) for one in found)

    return asyncio.run(lived())


def _spoken(inventory: Inventory) -> Inventory | None:
    """Give the stock of the same recipe in the languages that the embedded model speaks, written and annotated by it."""
    recipe, shelves = inventory.recipe, inventory.shelves
    able = tuple(
        language
        for language in recipe.languages
        if all(shelves.has(f"{FOLDER}/{language}/{family}.yaml") for family in inventory.families)
    )
    if not able:
        return None
    played = {
        name: tuple(OFFLINE for _ in getattr(recipe.models, name)) for name in ("annotators", "verifiers", "judges")
    }
    changes: dict[str, object] = {
        "languages": able,
        "profiles": (),
        "models": Models(**played),
        "gold": Gold(verify=recipe.verifies),
        # what the recipe says of the sampling of its other roles, and what only a model can write, is not asked of the embedded one
        "sampling": {},
        "turns": {1: 1},
        "reasoning": "none",
        "default_persona": False,
        "programs": (),
    }
    return take_stock(recipe.model_copy(update=changes), shelves)


def _spread(stock: Inventory, number: int) -> Sequence[Event]:
    """Give so many events, spread evenly over the beginning of the plan."""
    strata = strata_of(stock)
    slots = list(islice(plan_slots(stock, strata), _MOST_SLOTS))
    return make_events(stock, strata, slots[:: max(1, len(slots) // number)][:number])


def _overheard(crew: Crew, hear: Hear) -> Crew:
    """Give a crew of pure models that somebody listens to."""
    seats = {}
    for seat, role in crew.roles.items():
        assert isinstance(role.model, PureModel)
        seats[seat] = replace(role, model=_Overheard(role.model, role.name, hear))
    return replace(crew, roles=seats)


@dataclass(frozen=True, slots=True)
class _Overheard:
    """A pure model that tells what it is asked and answers."""

    model: PureModel
    role: str
    hear: Hear
    pure: bool = True

    @property
    def name(self) -> str:
        return self.model.name

    def answer(self, request: Request) -> Response:
        response = self.model.answer(request)
        self.hear(self.role, request, response)
        return response

    async def attempt(self, request: Request) -> Response:
        return self.answer(request)

    async def close(self) -> None:
        await self.model.close()
