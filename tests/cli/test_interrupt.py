"""Ctrl-C and SIGTERM during a build: 130, nothing half-written, and a later run completes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from synth.records.shards import verify


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_ends_with_130_and_goes_on_later(run, tiny_recipe, tmp_path, child_environment, number):
    folder = tmp_path / "b"
    words = ["build", str(tiny_recipe), "-o", str(folder), "--records", "60", "--workers", "1", "--json"]
    build = subprocess.Popen(
        [sys.executable, "-m", "synth", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment,
    )
    for line in build.stderr:
        if json.loads(line)["event"] == "partition_sealed":
            build.send_signal(number)
            break
    _, said = build.communicate(timeout=60)
    assert build.returncode == 130, said
    assert "Traceback" not in said
    assert said.splitlines()[-1] == "interrupted"
    sealed = {path.parent.name: path.read_bytes() for path in folder.glob("parts/*/commit.json")}
    assert sealed
    assert len(sealed) < 5
    assert verify(folder) == []
    later = run(*words)
    assert later.returncode == 0, later.stderr
    assert json.loads(later.stdout)["complete"]
    assert all((folder / "parts" / name / "commit.json").read_bytes() == old for name, old in sealed.items())
    assert verify(folder) == []
