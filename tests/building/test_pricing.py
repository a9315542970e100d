"""A crew knows what each of its models costs, or says how to say it."""

from __future__ import annotations

import pytest

from synth.building.lines import open_crew
from synth.building.pricing import price_models, refuse_open_ended
from synth.building.settings import RunSettings, read_reach
from synth.content.shelves import Shelves
from synth.errors import UsageError
from synth.models.base import Endpoint
from synth.models.price_table import PriceTable
from synth.models.prices import FREE, Price
from synth.planning.inventory import take_stock
from synth.recipe import Recipe

NEAR = Endpoint("near", "http://127.0.0.1:9/v1", "", None)
FAR = Endpoint("far", "https://a.example/v1", "", "FAR_KEY")
ENDPOINTS = {"near": NEAR, "far": FAR}
TABLE = PriceTable.shipped()


def stock(**models):
    recipe = {"languages": ["en"], "families": ["file_lost_again"], "quota": {"records": 3}, "models": models}
    return take_stock(Recipe.of(recipe), Shelves())


def test_each_role_has_the_price_of_its_model():
    table = TABLE.with_own({"far": {"big": Price(3, 9, 1)}, "near": {"paid": Price(7, 7), "llama": FREE}})
    crew = open_crew(
        stock(writer="far/big", annotators=["offline", "near/llama"], judges=["near/paid"]), ENDPOINTS, table
    )
    prices = {role: one.price for role, one in crew.roles.items()}
    expected = {"writer": Price(3, 9, 1), "annotator-1": FREE, "annotator-2": FREE, "judge-1": Price(7, 7)}
    assert prices == {f"{role}@en": price for role, price in expected.items()}
    assert crew.unpriced == ()


def test_an_unknown_price_is_refused_with_the_very_lines_that_say_it(tmp_path, monkeypatch):
    inventory = stock(writer="far/some/model:1", annotators=["far/b", "offline"])
    with pytest.raises(UsageError, match="nobody knows what 'far/b', 'far/some/model:1' costs") as fault:
        open_crew(inventory, ENDPOINTS, TABLE)
    told = str(fault.value)
    assert fault.value.exit_code == 2
    assert "--allow-unpriced" in told
    assert not {FAR.url, FAR.key_variable} & set(told.split())
    lines = [line.removeprefix("    ") for line in told.splitlines()]
    shown = lines[lines.index("endpoints:") : -1]
    shown.insert(2, "    url: https://a.example/v1")
    page = tmp_path / "settings.yaml"
    page.write_text("\n".join(shown))
    monkeypatch.setenv("SYNTH_SETTINGS", str(page))
    reach = read_reach()
    assert open_crew(inventory, reach.endpoints, TABLE.with_own(reach.prices)).unpriced == ()


def test_an_unknown_price_that_is_allowed_counts_as_free_and_is_named():
    crew = open_crew(stock(writer="far/a", annotators=["far/a", "offline"]), ENDPOINTS, TABLE, allow_unpriced=True)
    assert {one.price for one in crew.roles.values()} == {FREE}
    assert crew.unpriced == ("far/a",)
    assert price_models(["far/a"], ENDPOINTS, TABLE, allow_unpriced=True) == {"far/a": None}


def test_a_crew_without_prices_costs_nothing():
    crew = open_crew(stock(writer="far/a"), ENDPOINTS)
    assert {one.price for one in crew.roles.values()} == {FREE}
    assert crew.unpriced == ()


@pytest.mark.parametrize("limit", ["max_cost", "max_run_cost", "max_tokens"])
def test_a_limit_that_nobody_could_hold_is_refused_before_anything_is_asked(limit):
    recipe = Recipe.of({"languages": ["en"], "quota": {"records": 3}, "sampling": {"writer": {"max_tokens": None}}})
    with pytest.raises(UsageError, match=rf"{limit} cannot be held: the recipe gives 'writer' no max_tokens") as caught:
        refuse_open_ended(recipe, RunSettings(**{limit: 5}))
    assert "sampling: {writer: {max_tokens: 2048}}" in caught.value.hint
    refuse_open_ended(recipe, RunSettings(max_calls=5))
