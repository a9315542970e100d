"""`synth tune` as a person runs it."""

from __future__ import annotations

import json
import os

import pytest

from synth.content.shelves import Shelves
from synth.offline.embedded import OfflineModel
from synth.offline.serve import Server

RECIPE = """recipe: small
languages: [en, ja]
families: [file_lost_again, told_to_be_over_it]
quota: {records: 12}
models: {writer: mine/w, annotators: [mine/a], judges: [mine/j]}
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def server():
    with Server(OfflineModel(Shelves()), heeds=True) as running:
        yield running


def test_it_writes_an_overlay_and_says_how_to_use_it(run, recipe, server, tmp_path):
    done = run(
        "tune", "write", "--recipe", recipe, "-o", tmp_path / "ov", "--endpoint", f"mine={server.url}", "--events", 8
    )
    assert done.returncode == 0, done.stderr
    first, counted, *rest = done.stdout.splitlines()
    assert first.startswith("kept: 0.")
    assert "calls," in counted
    assert f"written: {tmp_path / 'ov/templates/prompts/write.md'}" in rest
    assert any("overrides: [templates/prompts/write.md]" in line for line in rest)
    assert "held-out cells before" in done.stderr
    assert "%|" not in done.stdout + done.stderr  # dspy's bars stay away


def test_the_recipe_takes_the_overlay_as_it_was_told(invoke, recipe, server, tmp_path):
    asked = ("--recipe", recipe, "-o", tmp_path / "ov", "--endpoint", f"mine={server.url}", "--events", 4)
    assert invoke("tune", "contrast", *asked).exit_code == 0
    told = "overlays: [ov]\noverrides: [templates/prompts/contrast.md]\n"
    recipe.write_text(recipe.read_text(encoding="utf-8") + told, encoding="utf-8")
    planned = invoke("plan", recipe)
    assert planned.exit_code == 0, planned.output


def test_a_budget_ends_it_with_three_and_the_same_command_goes_on(invoke, recipe, server, tmp_path):
    words = (
        "tune",
        "write",
        "--recipe",
        recipe,
        "-o",
        tmp_path / "ov",
        "--endpoint",
        f"mine={server.url}",
        "--events",
        "8",
    )
    stopped = invoke(*words, "--max-calls", "9")
    assert stopped.exit_code == 3
    assert "max_calls" in stopped.output
    assert "goes on" in stopped.output
    assert invoke(*words).exit_code == 0
    again = invoke(*words)
    assert "this run: 0 calls, 0 tokens" in again.output


def test_one_language_can_be_tuned_alone(invoke, recipe, server, tmp_path):
    words = (
        "tune",
        "reply",
        "--recipe",
        recipe,
        "-o",
        tmp_path / "ov",
        "--endpoint",
        f"mine={server.url}",
        "--events",
        "4",
    )
    assert invoke(*words, "--language", "ja").exit_code == 0
    wrong = invoke(*words, "--language", "de")
    assert (wrong.exit_code, "valid: en, ja" in wrong.output) == (2, True)


@pytest.mark.parametrize("program", ["annotate", "verify", "judge", "repair"])
def test_what_measures_is_not_tuned(invoke, program, tmp_path):
    done = invoke("tune", program, "--recipe", "quickstart", "-o", tmp_path / "ov")
    assert done.exit_code == 2
    assert f"{program} is not tuned: it measures or mends" in done.output
    assert not (tmp_path / "ov").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("wirte",), "did you mean 'write'"),
        (("write",), "the embedded model proposes no instruction"),
        (("write", "--model", "offline"), "the embedded model proposes no instruction"),
        (("write", "--model", "nowhere/m"), "the recipe names the endpoint 'nowhere', which is not set"),
        (("write", "--events", "3"), "4<=x<=1000"),
        (("write", "--optimizer", "other"), "'gepa', 'mipro'"),
    ],
)
def test_errors_are_for_people(invoke, words, told, tmp_path):
    done = invoke("tune", *words, "--recipe", "quickstart", "-o", tmp_path / "ov")
    assert done.exit_code == 2
    assert told in done.output


def test_an_unknown_price_is_refused_before_anything_is_asked(invoke, recipe, tmp_path):
    done = invoke(
        "tune", "write", "--recipe", recipe, "-o", tmp_path / "ov", "--endpoint", "mine=https://models.example/v1"
    )
    assert done.exit_code == 2
    assert "nobody knows what" in done.output


def test_money_is_counted_at_the_persons_prices(invoke, recipe, server, tmp_path, monkeypatch):
    settings = tmp_path / "settings.yaml"
    price = "{read: 0.15, written: 0.60}"
    settings.write_text(
        f"endpoints: {{mine: {{url: {json.dumps(server.url)}, prices: {{'*': {price}}}}}}}\n", encoding="utf-8"
    )
    monkeypatch.setenv("SYNTH_SETTINGS", str(settings))
    words = ("tune", "write", "--recipe", recipe, "-o", tmp_path / "ov", "--events", "4")
    done = invoke(*words, "--max-cost", "0.01")
    assert done.exit_code == 3, done.output
    assert "$0.00" in done.output
    assert done.output.count("$0.00 ") == 0


def test_no_key_stands_in_any_file(invoke, recipe, server, tmp_path, monkeypatch):
    key = "made-up-key-0123456789abcdef"
    monkeypatch.setenv("MADE_UP_KEY", key)
    where = f"mine={server.url},MADE_UP_KEY"
    done = invoke("tune", "write", "--recipe", recipe, "-o", tmp_path / "ov", "--endpoint", where, "--events", "4")
    assert done.exit_code == 0, done.output
    files = [path for path in (tmp_path / "ov").rglob("*") if path.is_file()]
    assert len(files) > 2
    assert not [path for path in files if key.encode() in path.read_bytes()]
    assert key not in done.output


def test_the_help_says_what_is_measured_and_what_is_not(invoke):
    text = " ".join(invoke("tune", "--help").output.split())
    for words in (
        "Half of the cells are held out",
        "never by whether annotators recover the feeling",
        "is not tuned",
        "exit code 3",
    ):
        assert words in text
    assert "leave nothing out" in " ".join(invoke("serve", "--help").output.split())
    assert os.environ["SYNTH_SETTINGS"] == os.devnull
