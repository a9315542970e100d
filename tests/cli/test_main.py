"""The outermost command: help without weight, exit codes, errors for people."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

import synth
from synth import errors
from synth.cli import _VERBS, cli
from synth.cli.exits import exit_code

HEAVY = ("litellm", "openai", "dspy", "datasets", "pyarrow", "aiohttp", "numpy", "pydantic", "rich", "ruamel", "regex")


def test_help_loads_nothing_heavy_and_no_command(run):
    shown = run("--help", python=("-X", "importtime"))
    assert shown.returncode == 0
    assert all(verb in shown.stdout for verb in _VERBS)
    loaded = {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines() if line.startswith("import time")}
    assert "click" in loaded
    assert not {name for name in loaded if name.partition(".")[0] in HEAVY}
    assert not loaded & {f"synth.cli.{verb}" for verb in _VERBS}


@pytest.mark.parametrize("verb", _VERBS)
def test_help_says_of_a_command_what_the_command_says_of_itself(verb):
    command = cli.get_command(click.Context(cli), verb)
    assert command.name == verb
    assert command.short_help == _VERBS[verb]


def test_version_and_short_help(invoke):
    assert invoke("--version").output.strip() == f"synth, version {synth.__version__}"
    assert invoke("build", "-h").exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bild"], "did you mean 'build'?"),
        (["build"], "Missing argument 'RECIPE'"),
        (["build", "quickstart", "--records", "none"], "--records"),
        (["build", "quickstart", "--deadline", "soon"], "write 90 (seconds), 30m, 2h or 1d12h"),
        (["plan", "quickstart", "--price", "3"], "is no pair of prices"),
        (["build", "quickstar"], "did you mean 'quickstart'?"),
        (["build", "quickstart", "--model", "gpt"], "'gpt' is not a model name"),
        (["build", "quickstart", "--model", "mine/gpt"], "--endpoint mine=URL"),
        (["build", "quickstart", "--endpoint", "mine"], "alias=URL"),
        (["status", "nowhere"], "holds no build"),
        (["verify", "nowhere"], "is no build folder"),
        (["inspect", "nowhere"], "holds no build"),
        (["--overlay", "nowhere", "personas", "list"], "no such overlay folder"),
    ],
)
def test_what_cannot_be_done_as_asked_is_exit_2(invoke, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    answer = invoke(*words)
    assert answer.exit_code == 2
    assert answer.stderr.startswith("error: ")
    assert said in answer.stderr
    assert answer.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_a_recipe_has_its_place_and_no_traceback(run, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("languages: [en]\nquota: {records: 24}\nsed: 3\n", encoding="utf-8")
    answer = run("plan", recipe)
    assert answer.returncode == 2
    assert f"{recipe}:3:1: unknown key 'sed'" in answer.stderr
    assert "did you mean 'seed'?" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.RecipeError("x"), 2),
        (errors.BreakerOpen("x"), 4),
        (errors.Transient("x"), 4),
        (errors.IncompleteError("x"), 3),
        (errors.FaultError("x"), 1),
        (errors.StorageError("x"), 74),
        (errors.DamagedError("x"), 1),
        (errors.LockedError("x"), 75),
        (OSError(errno.ENOSPC, "No space left on device", "/full"), 74),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (click.UsageError("x"), 2),
        (BrokenPipeError(), 0),
        (ZeroDivisionError("x"), 1),
    ],
)
def test_exit_codes(error, code, monkeypatch, capsys):
    monkeypatch.delenv("SYNTH_DEBUG", raising=False)
    kept = sys.stdout
    try:
        assert exit_code(error) == code
    finally:
        if sys.stdout is not kept:
            sys.stdout.close()
            sys.stdout = kept
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert bool(said) == (code != 0)


def test_an_error_has_its_place_and_its_hint(capsys):
    exit_code(errors.ContentError("is odd", place=errors.Place("a.yaml", 2, 5), hint="make it even"))
    assert capsys.readouterr().err == "error: a.yaml:2:5: is odd\n  make it even\n"


def test_the_unexpected_is_short_and_says_how_to_see_more(invoke, monkeypatch):
    def broken(*_args, **_named):
        raise RuntimeError("the ground moved")

    monkeypatch.setattr("synth.cli.overview.read_overview", broken)
    answer = invoke("status", "anywhere")
    assert answer.exit_code == 1
    assert answer.stderr.startswith("error: RuntimeError: the ground moved")
    assert "SYNTH_DEBUG=1" in answer.stderr
    assert "Traceback" not in answer.stderr
    monkeypatch.setenv("SYNTH_DEBUG", "1")
    assert "Traceback" in invoke("status", "anywhere").stderr


@pytest.mark.parametrize("words", [["inspect"], ["status", "--json"]])
def test_a_reader_that_has_had_enough_is_no_error(tiny, child_environment, words):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "synth", *words, str(tiny)]
    answer = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=child_environment, check=False)
    os.close(writer)
    assert (answer.returncode, answer.stderr) == (0, b"")


def test_the_page_of_commands_is_what_the_commands_say(run):
    from synth.cli.reference import reference

    page = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
    assert page.read_text(encoding="utf-8") == reference(), "python -m synth.cli.reference > docs/commands.md"
    shown = run("verify", "--help", COLUMNS="102").stdout
    assert shown.strip() in reference()
