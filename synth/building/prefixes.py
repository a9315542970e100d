"""What of a recipe's prompts is the same from cell to cell: the prefix that a provider's prompt cache can keep.

A few events are lived through by the embedded model, in memory, and every question that it is asked is written down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from typing import Final, Literal, cast

from synth.building.lines import open_asker, open_crew, open_line, open_recipe_suite
from synth.content.phrasings import FOLDER
from synth.models.base import PureModel, Request, Response
from synth.models.purse import Purse
from synth.models.tokens import estimate_tokens
from synth.planning.coverage import plan_slots
from synth.planning.events import make_events
from synth.planning.inventory import OFFLINE, Inventory, take_stock
from synth.planning.strata import strata_of
from synth.recipe import Models

SAMPLE: Final = 4
"""How many events are lived through; each asks every program several times."""

_MOST_SLOTS: Final = 4096


@dataclass(frozen=True, slots=True)
class Prefix:
    """A program's prompts: the share of their characters that stand before the first one that differs, and about how many tokens those are."""

    program: str
    prompts: int
    share: float
    tokens: int


class _Listening:
    """A pure model that writes down what it is asked."""

    pure: Literal[True] = True

    def __init__(self, model: PureModel, heard: list[Request]) -> None:
        self._model = model
        self._heard = heard

    @property
    def name(self) -> str:
        """The name of the model that answers."""
        return self._model.name

    def answer(self, request: Request) -> Response:
        """Give the model's answer."""
        self._heard.append(request)
        return self._model.answer(request)

    async def attempt(self, request: Request) -> Response:
        """Give the model's answer."""
        return self.answer(request)

    async def close(self) -> None:
        """Give nothing back: the model is in this process."""


def sample_questions(inventory: Inventory) -> list[Request]:
    """Give the questions of a few events, in their order; none where the embedded model speaks no language of the recipe."""
    stock = _spoken(inventory)
    if stock is None:
        return []
    heard: list[Request] = []
    crew = open_crew(stock, {})
    roles = {
        seat: replace(role, model=_Listening(cast("PureModel", role.model), heard)) for seat, role in crew.roles.items()
    }
    asker = open_asker(replace(crew, roles=roles), None, Purse())
    suite = open_recipe_suite(stock)
    slots = list(islice(plan_slots(stock, strata_of(stock)), _MOST_SLOTS))
    events = make_events(stock, strata_of(stock), slots[:: max(1, len(slots) // SAMPLE)][:SAMPLE])

    async def live() -> None:
        for event in events:
            await open_line(stock, event.language, asker, suite, {}).live(event, "sample")

    asyncio.run(live())
    return heard


def prefixes(questions: Sequence[Request]) -> list[Prefix]:
    """Give what the questions of each program that was asked at least twice begin with, by program."""
    texts: dict[str, set[str]] = {}
    for question in questions:
        prompt = "\n".join(message.content for message in question.messages)
        texts.setdefault(question.program, set()).add(prompt)
    return [_prefix(program, sorted(found)) for program, found in sorted(texts.items()) if len(found) > 1]


def _prefix(program: str, prompts: Sequence[str]) -> Prefix:
    # of sorted texts, the first and the last differ soonest
    pairs = zip(prompts[0], prompts[-1], strict=False)
    same = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    share = len(same) * len(prompts) / sum(map(len, prompts))
    return Prefix(program, len(prompts), share, estimate_tokens(same))


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
    annotators = tuple(OFFLINE for _ in recipe.models.annotators)
    # what the recipe says of the sampling of its other roles is not asked of the embedded model
    changes = {"languages": able, "profiles": (), "models": Models(annotators=annotators), "sampling": {}}
    return take_stock(recipe.model_copy(update=changes), shelves)
