"""The real command line: in a process of its own, or through click's runner."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from synth.cli import cli

ROOT = Path(__file__).resolve().parents[2]
TINY = "recipe: tiny\nlanguages: [en]\nfamilies: [file_lost_again, told_to_be_over_it]\nquota: {records: 24}\npartition: 12\n"


def environment(**more):
    """Give the environment of a child: ours, the checkout importable, nobody's settings, no colour forced."""
    kept = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "SYNTH_DEBUG")}
    return {**kept, "PYTHONPATH": str(ROOT), "SYNTH_SETTINGS": os.devnull, "PYTHONIOENCODING": "utf-8", **more}


def synth(*words, **more):
    """Run `python -m synth` to its end."""
    return subprocess.run(
        [sys.executable, *more.pop("python", ()), "-m", "synth", *map(str, words)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
        cwd=more.pop("cwd", None),
        env=environment(**more),
    )


@pytest.fixture(scope="session")
def run():
    return synth


@pytest.fixture(scope="session")
def child_environment():
    return environment()


@pytest.fixture
def invoke(monkeypatch):
    """Run the command line in this process."""
    monkeypatch.setenv("SYNTH_SETTINGS", os.devnull)
    monkeypatch.delenv("SYNTH_DEBUG", raising=False)

    def call(*words):
        return CliRunner().invoke(cli, [str(word) for word in words], prog_name="synth")

    return call


@pytest.fixture(scope="session")
def tiny_recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny(tiny_recipe, tmp_path_factory):
    """One language, 24 records, two parts, built by the real command; only read."""
    folder = tmp_path_factory.mktemp("builds") / "tiny"
    made = synth("build", tiny_recipe, "-o", folder)
    assert made.returncode == 0, made.stderr
    return folder


def part_bytes(folder):
    """Give every file of every part, by its path within the build."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.glob("parts/*/*"))}


@pytest.fixture(scope="session")
def parts_of():
    return part_bytes
