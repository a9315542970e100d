"""The public face: small, lazy, and not shadowed by a module."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import synth
from synth.errors import IncompleteError, RecipeError, UsageError

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "aiohttp",
    "datasets",
    "dspy",
    "langdetect",
    "litellm",
    "numpy",
    "openai",
    "pandas",
    "py3langid",
    "pyarrow",
    "pydantic",
    "ruamel",
    "tenacity",
)


def fresh(code):
    """Give what a fresh interpreter prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, check=True
    )
    return json.loads(done.stdout)


def test_import_synth_loads_nothing_heavy():
    loaded = fresh("import json, sys, synth; dir(synth); print(json.dumps(sorted(sys.modules)))")
    assert {name.partition(".")[0] for name in loaded}.isdisjoint(HEAVY)
    assert [name for name in loaded if name.startswith("synth")] == ["synth"]


def test_dir_shows_the_public_names_and_no_other():
    assert dir(synth) == sorted([*synth.__all__, "__version__"])
    assert sorted(synth.__all__) == synth.__all__
    with pytest.raises(AttributeError, match=r"'builds'; it has Build"):
        synth.builds  # noqa: B018


def test_every_public_name_can_be_used_twice_after_every_module_is_imported(recipe, plain, tmp_path):
    for module in pkgutil.walk_packages(synth.__path__, "synth."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert synth.__version__.count(".") == 2
    for number in (1, 2):
        made = synth.Recipe(**recipe)
        plan = synth.plan(made)
        assert isinstance(plan, synth.Plan)
        assert plan.coverage.records >= 24
        build = synth.build(made, tmp_path / str(number))
        assert isinstance(build, synth.Build)
        loaded = synth.load(build.folder)
        assert isinstance(next(loaded.records()), synth.Record)
        with pytest.raises(synth.SynthError):
            synth.load(tmp_path / "nothing")
    assert {name: callable(getattr(synth, name)) for name in synth.__all__} == dict.fromkeys(synth.__all__, True)


def test_every_name_is_the_same_whichever_comes_first():
    code = (
        "import json, importlib, pkgutil, synth\n"
        "for m in pkgutil.walk_packages(synth.__path__, 'synth.'):\n"
        "    if not m.name.endswith('__main__'): importlib.import_module(m.name)\n"
        "print(json.dumps({name: type(getattr(synth, name)).__name__ for name in synth.__all__}))"
    )
    kinds = fresh(code)
    assert set(kinds.values()) == {"type", "function", "ModelMetaclass"}


def test_a_plan_writes_nothing(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = synth.plan(recipe)
    assert list(tmp_path.iterdir()) == []
    assert plan.estimate.calls > 0
    assert (plan.cost.expected, plan.cost.at_most, plan.cost.missing) == (0, 0, ())


def test_a_builtin_recipe_is_planned_and_built_by_its_name(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    planned = synth.plan("quickstart")
    assert planned.recipe.recipe == "quickstart"
    assert synth.Recipe.of("quickstart") == planned.recipe
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(IncompleteError):
        synth.build("quickstart", tmp_path / "named", deadline=0.0)
    assert synth.load(tmp_path / "named").recipe == planned.recipe
    (tmp_path / "quickstart").write_text(json.dumps(recipe), encoding="utf-8")
    assert synth.plan("quickstart").recipe == synth.Recipe(**recipe), "a file comes first"


@pytest.mark.parametrize("ask", [synth.plan, lambda name: synth.build(name, "b"), synth.Recipe.of])
def test_a_name_that_is_no_recipe_is_told_the_nearest(ask, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match=r"no recipe 'quikstart'\n.*did you mean 'quickstart'"):
        ask("quikstart")
    with pytest.raises(RecipeError, match="there is no recipe 'languages: "):
        ask("languages: [en]\nquota: {records: 24}\n" * 100)
    with pytest.raises(RecipeError, match="there is no recipe"):
        ask("a\0b")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8000/v1", "ftp://a.example", "http://", "http://a b/v1", "http://a:99999/"]
)
def test_a_bad_endpoint_is_refused_before_anything_is_written(recipe, tmp_path, url):
    with pytest.raises(UsageError, match="endpoint 'mine'"):
        synth.build(recipe | {"models": {"writer": "mine/m"}}, tmp_path / "b", endpoints={"mine": url})
    with pytest.raises(UsageError, match="endpoint 'mine'"):
        synth.build(recipe, tmp_path / "b", endpoints={"mine": url})
    assert list(tmp_path.iterdir()) == []
