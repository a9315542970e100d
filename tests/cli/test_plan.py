"""`synth init` and `synth plan`."""

from __future__ import annotations

import json

import pytest

from synth.cli.options import Dollars, Duration
from synth.errors import UsageError
from synth.recipe import Recipe, find_recipe


def test_init_writes_the_quickstart_with_every_field_explained(invoke, tmp_path):
    answer = invoke("init", tmp_path / "new")
    assert answer.exit_code == 0
    written = tmp_path / "new" / "recipe.yaml"
    recipe = Recipe.read(written)
    quickstart = Recipe.read(find_recipe("quickstart"))
    assert set(recipe.model_dump()) == {line.partition(":")[0] for line in _fields(written)}, "a field is missing"
    own = {"recipe": "quickstart", "seed": quickstart.seed, "overlays": (), "splits": quickstart.splits}
    assert recipe.model_copy(update=own) == quickstart
    assert all("#" in line for line in _fields(written))
    assert (tmp_path / "new" / "overlay" / "personas" / "cultures").is_dir()
    planned = invoke("plan", written, "--records", 24)
    assert planned.exit_code == 0, planned.output
    assert planned.stdout.startswith("first-build: 24 records of 8 events")


def _fields(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith(("#", " "))]


def test_init_overwrites_nothing(invoke, tmp_path):
    (tmp_path / "recipe.yaml").write_text("mine")
    answer = invoke("init", tmp_path)
    assert answer.exit_code == 2
    assert "exists already" in answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]
    assert (tmp_path / "recipe.yaml").read_text() == "mine"


def test_plan_shows_coverage_association_calls_and_cost_and_writes_nothing(invoke, tiny_recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = invoke("plan", tiny_recipe, "--model", "mine/gpt", "--price", "1,2")
    assert shown.exit_code == 0, shown.output
    assert "tiny: 24 records of 8 events" in shown.stdout
    assert "file_lost_again 12, told_to_be_over_it 12" in shown.stdout
    assert "felt_affect" in shown.stdout
    assert "next to nothing about the other" in shown.stdout
    assert "cost    about " in shown.stdout
    assert list(tmp_path.iterdir()) == []


def test_plan_as_json_has_the_same_figures(invoke, tiny_recipe):
    value = json.loads(invoke("plan", tiny_recipe, "--json", "--price", "1,2").stdout)
    assert value["coverage"]["records"] == 24
    assert sum(value["coverage"]["counts"]["power_form"].values()) == 24
    assert {(pair["of"], pair["and"]) for pair in value["coverage"]["association"]} >= {("emotion", "profile")}
    cost = value["cost"]
    assert (cost["expected_micro_units"], cost["at_most_micro_units"]) == (0, 0), "the embedded model costs nothing"
    assert value["estimate"]["calls"] > 24
    assert sum(role["calls"] for role in value["estimate"]["roles"].values()) == value["estimate"]["calls"]


PRICED = """
endpoints:
  mine: {url: "https://a.example/v1", prices: {gpt: {read: 1, written: 2}}}
  other: {url: "https://b.example/v1"}
  openai: {url: "https://api.openai.com/v1"}
  near: {url: "http://127.0.0.1:8000/v1"}
"""


@pytest.fixture
def planned(invoke, tiny_recipe, tmp_path, monkeypatch):
    """A function that plans with given words and endpoints that have prices; gives text and values."""
    settings = tmp_path / "settings.yaml"
    settings.write_text(PRICED)

    def call(*words):
        monkeypatch.setenv("SYNTH_SETTINGS", str(settings))
        shown, told = (invoke("plan", tiny_recipe, *words, *more) for more in ((), ("--json",)))
        assert shown.exit_code == 0, shown.output
        return shown.stdout, json.loads(told.stdout)

    return call


def test_a_plan_costs_what_each_role_reads_and_writes_at_its_own_price(planned):
    text, value = planned("--model", "mine/gpt", "--annotator", "offline", "--annotator", "near/llama")
    writer = value["estimate"]["roles"]["writer"]
    expected = writer["tokens_in"] + 2 * writer["tokens_out"]
    cost = value["cost"]
    assert cost["by_role_micro_units"]["writer"] == {"expected": expected, "at_most": 12 * expected}
    assert cost["by_role_micro_units"]["annotator-2"] == {"expected": 0, "at_most": 0}, "one's own machine is free"
    assert (cost["expected_micro_units"], cost["at_most_micro_units"]) == (expected, 12 * expected)
    assert f"at your prices, else those of {cost['prices']}" in text
    assert "annotator-2  near/llama" in text


def test_from_python_a_plan_has_its_cost(tiny_recipe, tmp_path, monkeypatch):
    import synth as library

    page = tmp_path / "settings.yaml"
    page.write_text(PRICED)
    monkeypatch.setenv("SYNTH_SETTINGS", str(page))
    recipe = Recipe.read(tiny_recipe).model_dump() | {"models": {"writer": "mine/gpt", "judges": ["other/big"]}}
    plan = library.plan(recipe)
    writer = plan.estimate.roles["writer"]
    assert plan.cost.by_role["writer"][0] == writer.tokens_in + 2 * writer.tokens_out
    assert plan.cost.missing == ("other/big",), "a judge has a price too, though none is asked yet"
    page.write_text("endpoints: []\n")
    with pytest.raises(UsageError, match=r"settings.yaml:1:1"):
        library.plan(recipe)


def test_the_embedded_model_at_a_price_of_ones_own_costs_that(planned, tmp_path):
    page = tmp_path / "settings.yaml"
    page.write_text("endpoints: {offline: {url: 'http://127.0.0.1:9/v1', prices: {'*': {read: 1, written: 2}}}}\n")
    text, value = planned()
    assert value["cost"]["expected_micro_units"] > 0
    assert "cost    about $0." in text


def test_the_table_knows_what_the_person_does_not_say(planned):
    text, value = planned("--model", "openai/gpt-4o-mini", "--annotator", "mine/gpt")
    writer = value["estimate"]["roles"]["writer"]
    exact = -(-(writer["tokens_in"] * 150_000 + writer["tokens_out"] * 600_000) // 1_000_000)
    assert value["cost"]["by_role_micro_units"]["writer"]["expected"] == exact
    assert value["cost"]["missing"] == []
    assert "cost    about $0." in text


def test_a_price_that_nobody_knows_is_named_and_can_be_given(planned):
    words = ("--model", "other/big", "--annotator", "unset/model", "--annotator", "mine/gpt")
    text, value = planned(*words)
    assert "nobody knows the price of other/big, unset/model" in text
    assert (value["cost"]["missing"], value["cost"]["expected_micro_units"]) == (["other/big", "unset/model"], None)
    assert value["cost"]["by_role_micro_units"]["annotator-2"]["expected"] > 0
    text, value = planned(*words, "--price", "0.5,1.5")
    assert (value["cost"]["missing"], value["cost"]["prices"]) == ([], "given")
    assert "at the prices given" in text


def test_a_language_that_the_embedded_model_does_not_speak_is_estimated_too(planned):
    from synth.building.estimate import UNSAMPLED, Estimate, RoleEstimate, cost_of
    from synth.models.price_table import PriceTable
    from synth.models.prices import Price

    _, value = planned("--model", "mine/gpt")
    measured = value["estimate"]["roles"]
    written = [UNSAMPLED[program] for program in ("event", "write", "vary", "reply", "contrast")]
    for role, constants in (("writer", written), ("annotator-1", [UNSAMPLED["annotate"]])):
        known = [measured[role][name] / 24 for name in ("calls", "tokens_in", "tokens_out")]
        constant = [sum(column) for column in zip(*constants, strict=True)]
        assert all(0.5 < one / other < 2 for one, other in zip(known, constant, strict=True)), (
            "far from what is measured"
        )
    role = RoleEstimate("mine/gpt", 9, 1_000_001, 10, 2)
    found = Estimate(9, 18, 1_000_001, 10, 2_000_022, True, {"writer": role})
    cost = cost_of(found, {}, PriceTable.shipped(), Price(1, 0))
    assert (cost.expected, cost.at_most) == (2, 4), "rounded up to a whole micro-unit"


def test_what_a_plan_does_not_count_it_says(invoke, tmp_path, tiny_recipe):
    def shown(more):
        path = tmp_path / "longer.yaml"
        path.write_text(
            f"{tiny_recipe.read_text(encoding='utf-8')}models: {{writer: mine/w}}\n{more}", encoding="utf-8"
        )
        return [line for line in invoke("plan", path).stdout.splitlines() if "not counted" in line]

    (line,) = shown("turns: {1: 1, 3: 1}\nreasoning: cbt\n")
    assert line.strip().startswith("turns and reasoning: ")
    (line,) = shown("turns: {5: 1}\n")
    assert line.strip().startswith("turns: ")
    assert shown("turns: {1: 1, 3: 0}\n") == []


@pytest.mark.parametrize("price", ["3", "1,2,3,4", "1,x", "-1,2", "$1,2", "1,0.0000001", "inf,1", ""])
def test_a_price_that_is_none_is_refused(invoke, tiny_recipe, price):
    answer = invoke("plan", tiny_recipe, f"--price={price}")
    assert answer.exit_code == 2
    assert "Invalid value for '--price'" in answer.stderr


@pytest.mark.parametrize(("text", "micro"), [("5", 5_000_000), ("0.25", 250_000), ("0", 0)])
def test_dollars(text, micro):
    assert Dollars().convert(text, None, None) == micro


@pytest.mark.parametrize(
    ("text", "says"), [("$5", "leave the currency out"), ("1e3", "such as 5 or 0.25"), ("-1", "zero")]
)
def test_no_dollars(text, says):
    import click

    with pytest.raises(click.BadParameter) as fault:
        Dollars().convert(text, None, None)
    assert says in fault.value.message


def test_a_builtin_recipe_has_a_name_and_a_file_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_recipe("quickstart").name == "quickstart.yaml"
    (tmp_path / "quickstart").mkdir()
    assert find_recipe("quickstart").name == "quickstart.yaml", "a build folder of that name is no recipe"
    (tmp_path / "mine.yaml").write_text("x")
    assert str(find_recipe("mine.yaml")) == "mine.yaml"


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("45s", 45), ("30m", 1800), ("2h", 7200), ("1d12h", 129600)])
def test_durations(text, seconds):
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "h", "2 h", "2h30", "-5", "1.5h", "m2"])
def test_no_durations(text):
    import click

    with pytest.raises(click.BadParameter):
        Duration().convert(text, None, None)
