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
    assert plan.estimate.cost(1.0, 1.0) == (0.0, 0.0)
