from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import synth
from synth.ask import Asker, Role
from synth.building.lines import open_line, open_recipe_suite, seat
from synth.content.shelves import Shelves
from synth.line import stages
from synth.models.base import Endpoint, Parameters, identity_of
from synth.offline.embedded import OfflineModel, find_brief
from synth.offline.serve import Server
from synth.planning.casting import Slot
from synth.planning.events import make_events
from synth.planning.inventory import take_stock
from synth.planning.rounds import every_form
from synth.planning.strata import strata_of
from synth.recipe import Recipe, open_shelves


class Scripted:
    """The embedded model, whose answers a function (program, brief, answer) -> answer, text or outcome may change."""

    pure = True
    name = "offline"

    def __init__(self, change=lambda _program, _brief, answer: answer):
        self.model = OfflineModel(Shelves())
        self.change = change
        self.programs = Counter()
        self.questions = []

    def answer(self, request):
        brief = find_brief(request.messages)
        self.programs[brief["program"]] += 1
        self.questions.append((brief, request))
        response = self.model.answer(request)
        changed = self.change(brief["program"], brief, json.loads(response.text))
        if isinstance(changed, dict):
            return replace(response, text=json.dumps(changed))
        if isinstance(changed, tuple):
            return replace(response, text="", outcome=changed[0])
        return replace(response, text=changed)

    async def attempt(self, request):
        return self.answer(request)

    async def close(self):
        return None


@pytest.fixture(scope="session")
def scripted():
    """The class of a model whose answers a test may change."""
    return Scripted


MINE = {"writer": "mine/writer", "annotators": ["mine/first", "other/second"]}
"""Models of names of their own, so that their rows count as a model's: a test lets the embedded model play them."""


def planned(ordinals=1, levels=(), **settings):
    """Give the inventory of a recipe's settings and events: ordinals x strata, of some levels only where they are named."""
    recipe = Recipe.of({"languages": ["en"], "quota": {"records": 1}} | settings)
    inventory = take_stock(recipe, open_shelves(recipe, Path()))
    strata = strata_of(inventory)
    slots = [
        Slot(n, o, 0, every_form(inventory, s))
        for o in range(ordinals)
        for n, s in enumerate(strata)
        if not levels or s.get("felt_affect") in levels
    ]
    return inventory, make_events(inventory, strata, slots)


@pytest.fixture(scope="session")
def live():
    """A function that lives events with a model in every role: ordinals x strata of a recipe's settings."""

    def run(model, ordinals=1, levels=(), at_once=False, **settings):
        inventory, events = planned(ordinals, levels, **settings)
        models = inventory.recipe.models.roles()
        seats = [seat(role, language) for role in models for language in inventory.recipe.languages]
        roles = {name: Role(model, identity_of("offline", {}), Parameters()) for name in seats}
        asker, suite = Asker(roles), open_recipe_suite(inventory)
        aliases = {name.partition("/")[0] for name in models.values()} - {"offline"}
        endpoints = {alias: Endpoint(alias, "http://127.0.0.1:9/v1", "", None, family=alias) for alias in aliases}
        lines = {
            language: replace(open_line(inventory, language, asker, suite, endpoints), at_once=at_once)
            for language in inventory.recipe.languages
        }

        async def all_of_them():
            return [await stages.live(lines[event.language], event, "p-r0001-b00000") for event in events]

        return events, asyncio.run(all_of_them())

    return run


@pytest.fixture(scope="session")
def mine():
    """The `models` of a recipe in which everybody is a model and nobody the embedded one."""
    return MINE


@pytest.fixture
def built(tmp_path, monkeypatch):
    """A function that builds with a model behind a server."""
    monkeypatch.setenv("SYNTH_SETTINGS", os.devnull)

    def run(model, **settings):
        recipe = {"languages": ["en"], "families": ["burial_day_taken_back"], "quota": {"records": 12}, "tries": 1}
        with Server(model) as server:
            return synth.build(recipe | settings, tmp_path / "b", endpoints={"offline": server.url})

    return run
