"""Tunings over real HTTP on loopback: a server that heeds its instruction, and models that propose what a test wants."""

from __future__ import annotations

import functools
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import synth
from synth.building.lines import open_crew, seat
from synth.building.settings import read_reach
from synth.content.shelves import Shelves
from synth.models.base import Parameters, identity_of, open_model
from synth.models.prices import Price
from synth.models.purse import Limits
from synth.offline.embedded import OfflineModel
from synth.offline.heeding import heeding
from synth.offline.serve import Server
from synth.planning.inventory import take_stock
from synth.recipe import Recipe, open_shelves
from synth.tuning.jobs import REFLECTOR, Job
from synth.tuning.tuner import tune

RECIPE = {
    "recipe": "rehearsal",
    "languages": ["en"],
    "families": ["file_lost_again", "told_to_be_over_it", "burial_day_taken_back"],
    "quota": {"records": 24},
    "models": {"writer": "mine/w", "annotators": ["mine/a"], "judges": ["mine/j"]},
}


class Proposing:
    """The heeding model, whose proposals a function (proposal) -> text may change; it counts what it is asked, by program."""

    pure = True
    name = "offline"

    def __init__(self, change=lambda proposal: proposal):
        self.heeded = heeding(OfflineModel(Shelves()).answer)
        self.change = change
        self.asked = Counter()

    def answer(self, request):
        text = request.messages[0].content
        response = self.heeded(request)
        if "```brief" in text:
            self.asked[text.rpartition('"program": "')[2].partition('"')[0]] += 1
            return response
        self.asked["reflected"] += 1
        ((member, proposal),) = json.loads(response.text).items()
        return replace(response, text=json.dumps({member: self.change(proposal)}, ensure_ascii=False))

    async def attempt(self, request):
        return self.answer(request)

    async def close(self):
        return None


@pytest.fixture(autouse=True)
def no_settings_of_the_person(monkeypatch, tmp_path):
    monkeypatch.setenv("SYNTH_SETTINGS", os.devnull)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def proposing():
    """The class of a model whose proposals a test may change."""
    return Proposing


@pytest.fixture
def recipe():
    """The recipe of a rehearsal, as values."""
    return json.loads(json.dumps(RECIPE))


def run(
    model,
    folder,
    program="write",
    recipe=RECIPE,
    overlay=None,
    conduct=None,
    price=None,
    max_calls=None,
    max_cost=None,
    stop=lambda: "",
    **more,
):
    """Tune against a model behind a server; gives the outcome and the lines told."""
    told = []
    with Server(model, **(conduct or {})) as server:
        made = Recipe.of(recipe)
        endpoints = read_reach([f"mine={server.url}"]).endpoints
        inventory = take_stock(made, open_shelves(made, folder))
        roles = open_crew(inventory, endpoints).roles
        roles = {name: replace(role, price=price or role.price) for name, role in roles.items()}
        reflector = replace(
            next(iter(roles.values())),
            model=open_model("mine/r", endpoints),
            identity=identity_of("mine/r", endpoints),
            parameters=Parameters(max_tokens=8192, seed=1),
            name=REFLECTOR,
        )
        job = Job(
            program=program,
            inventory=inventory,
            roles={**roles, REFLECTOR: reflector},
            seats={
                language: {role: seat(role, language) for role in made.models.roles()} for language in made.languages
            },
            overlay=Path(overlay or folder / "overlay"),
            limits=Limits(max_calls, None, max_cost),
            **{"events": 8, "version": synth.__version__, **more},
        )
        return tune(job, stop=stop, tell=told.append), told


@pytest.fixture
def tuned(tmp_path):
    """A function that tunes against a model behind a server: (model, program, settings of the job) -> (outcome, lines told)."""
    return functools.partial(_tuned_in, tmp_path)


def _tuned_in(folder, model, *words, **more):
    return run(model, folder, *words, **more)


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory):
    """One tuning that found what helps: (outcome, lines told, the model, the folder); only read."""
    folder = tmp_path_factory.mktemp("rehearsed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNTH_SETTINGS", os.devnull)
        model = Proposing()
        outcome, told = run(model, folder, price=Price(150_000, 600_000))
    return outcome, told, model, folder
