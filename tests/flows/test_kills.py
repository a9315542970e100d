"""A build that is killed loses nothing, pays nothing twice and gives the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import synth
from synth.records.verification import verify

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
CHILD = """
import json, sys, synth
if __name__ == "__main__":
    synth.build(json.loads(sys.argv[1]), sys.argv[2], workers=2, on_event=lambda event: print(event, flush=True))
"""


def test_builds_killed_at_random_moments_lose_nothing_and_give_the_same_bytes():
    command = [sys.executable, str(ROOT / "benchmarks/crash.py"), "--rounds", "4", "--seed", "3"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    score = json.loads(done.stdout)
    assert (score["rounds"], score["lost"], score["duplicated"], score["faults"]) == (4, 0, 0, 0)
    assert score["unaccounted"] == 0
    assert score["bytes_equal"]
    assert score["kills"] >= 2


def test_workers_end_with_a_driver_that_is_killed(english, plain_english, prints, tmp_path):
    script = tmp_path / "child.py"
    script.write_text(CHILD, encoding="utf-8")
    command = [sys.executable, str(script), json.dumps(english), str(tmp_path / "b")]
    child = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert "RunStarted" in child.stdout.readline()
    while "PartitionSealed" not in child.stdout.readline():
        assert child.poll() is None
    child.send_signal(signal.SIGKILL)
    # the workers hold the same pipe: it ends when the last of them does
    child.communicate(timeout=60)
    build = synth.build(english, tmp_path / "b")
    assert prints(build.folder) == prints(plain_english)
    assert verify(build.folder) == []
