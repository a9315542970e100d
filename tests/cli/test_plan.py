"""`synth init` and `synth plan`."""

from __future__ import annotations

import json

import pytest

from synth.cli.options import Duration
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
    assert value["cost"] == {"expected": 0.0, "at_most": 0.0}, "the embedded model costs nothing"
    assert value["estimate"]["calls"] > 24


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
