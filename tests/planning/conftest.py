from __future__ import annotations

from pathlib import Path

import pytest

from synth.planning.inventory import take_stock
from synth.planning.strata import strata_of
from synth.recipe import Recipe, open_shelves


@pytest.fixture(scope="session")
def stock():
    """A function that gives the inventory and strata of a recipe's settings."""

    def of(folder=None, **settings):
        recipe = Recipe.of({"languages": ["en", "es"], "quota": {"records": 1}} | settings)
        inventory = take_stock(recipe, open_shelves(recipe, folder or Path()))
        return inventory, strata_of(inventory)

    return of
