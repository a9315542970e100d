"""Estimate what a plan will ask: calls and tokens by role, measured on a few events that the embedded model lives through."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from itertools import islice

from synth.building.lines import open_asker, open_crew, open_line, open_recipe_suite
from synth.content.phrasings import FOLDER
from synth.models.purse import Purse
from synth.planning.coverage import plan_slots
from synth.planning.events import make_events
from synth.planning.inventory import OFFLINE, Inventory, take_stock
from synth.planning.strata import allocate, records_of, strata_of
from synth.recipe import Models

SAMPLE = 12
UNSAMPLED_CALLS_A_RECORD = 9.0
UNSAMPLED_TOKENS_A_RECORD = (9000, 1400)
"""What a record took in the embedded model's own languages, for a language that it does not speak."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls and tokens of a plan; `most` counts one repair a call and every try of every slot; `paid` is false where nothing costs."""

    calls: int
    most_calls: int
    tokens_in: int
    tokens_out: int
    most_tokens: int
    paid: bool

    def cost(self, price_in: float, price_out: float) -> tuple[float, float]:
        """Give the cost in the currency of the prices (per million tokens): expected, and at most."""
        if not self.paid:
            return 0.0, 0.0
        expected = (self.tokens_in * price_in + self.tokens_out * price_out) / 1e6
        return expected, expected * (self.most_tokens / max(1, self.tokens_in + self.tokens_out))


def estimate(inventory: Inventory) -> Estimate:
    """Give the estimate of a plan: a sample is lived through in memory, nothing is written or paid."""
    recipe = inventory.recipe
    strata = strata_of(inventory)
    wanted = allocate(inventory, strata, recipe.quota.records)
    records = sum(n * records_of(inventory, s) for s, n in zip(strata, wanted, strict=True))
    sampled, calls, tokens_in, tokens_out = _sample(inventory)
    per: tuple[float, ...] = (UNSAMPLED_CALLS_A_RECORD, *UNSAMPLED_TOKENS_A_RECORD)
    if sampled:
        per = (calls / sampled, tokens_in / sampled, tokens_out / sampled)
    total = [round(records * one) for one in per]
    most = 2 * recipe.tries
    paid = any(name != OFFLINE for name in recipe.models.roles().values())
    return Estimate(total[0], total[0] * most, total[1], total[2], (total[1] + total[2]) * most, paid)


def _sample(inventory: Inventory) -> tuple[int, int, int, int]:
    """Give records, calls and tokens of a few events in the languages that the embedded model speaks."""
    recipe = inventory.recipe
    able = [
        lang
        for lang in recipe.languages
        if all(inventory.shelves.has(f"{FOLDER}/{lang}/{f}.yaml") for f in inventory.families)
    ]
    if not able:
        return 0, 0, 0, 0
    offline = recipe.model_copy(
        update={
            "languages": tuple(able),
            "profiles": (),
            "models": Models(annotators=tuple(OFFLINE for _ in recipe.models.annotators)),
        }
    )
    stock = take_stock(offline, inventory.shelves)
    strata = strata_of(stock)
    slots = list(islice(plan_slots(stock, strata), 4096))
    events = make_events(stock, strata, slots[:: max(1, len(slots) // SAMPLE)][:SAMPLE])
    purse = Purse()
    asker = open_asker(open_crew(stock, {}), None, purse)
    suite = open_recipe_suite(stock)
    counted: Counter[str] = Counter()

    async def live() -> None:
        for event in events:
            lived = await open_line(stock, event.language, asker, suite, {}).live(event, "sample")
            counted["records"] += len(lived.scenarios)

    asyncio.run(live())
    return counted["records"], purse.run.calls, purse.run.tokens_in, purse.run.tokens_out
