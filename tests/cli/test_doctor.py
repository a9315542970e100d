"""`synth doctor` as a person runs it."""

from __future__ import annotations

import json
import re

import pytest

from synth.content.shelves import Shelves
from synth.offline.embedded import OfflineModel
from synth.offline.serve import Server


@pytest.fixture(scope="module")
def server():
    with Server(OfflineModel(Shelves())) as running:
        yield running


def test_a_sound_place_ends_with_0(run, tmp_path):
    done = run("doctor", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {name: state for state, name in re.findall(r"^(\w+) +(\S.*?) {2,}", done.stdout, re.MULTILINE)}
    # where the tests' own checkout stands beside an installed copy, doctor says so, and it is right
    assert found.pop("package") in {"ok", "warning"}
    assert set(found.values()) == {"ok"}
    assert len(found) == 6
    assert list(tmp_path.iterdir()) == []


def test_a_fault_ends_with_1_and_says_what_to_do(invoke, tiny_recipe):
    done = invoke("doctor", tiny_recipe, "--model", "mine/a", "--endpoint", "mine=https://127.0.0.1:9/v1,NO_SUCH_KEY")
    assert done.exit_code == 1
    assert "fault" in done.stdout
    assert "export NO_SUCH_KEY=..." in done.stdout
    assert "error: 1 fault" in done.stderr


def test_json_says_the_same_to_machines(invoke, server, tiny_recipe):
    words = ("doctor", tiny_recipe, "--model", "mine/a", "--endpoint", f"mine={server.url}", "--json")
    done = invoke(*words)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["faults"] == 0
    assert all(set(one) == {"check", "state", "seen", "advice"} for one in told["findings"])
    (warning,) = [one for one in told["findings"] if one["state"] == "warning" and one["check"] != "package"]
    assert warning["check"] == "model mine/a"  # the embedded model lists itself as `offline`


def test_asking_says_that_it_is_paid(invoke, server, tiny_recipe):
    done = invoke("doctor", tiny_recipe, "--model", "mine/a", "--endpoint", f"mine={server.url}", "--ask")
    assert done.exit_code == 0, done.output
    assert "is paid for" in done.stderr
    assert "answer of mine/a" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("no-such-recipe",),
        ("--ask",),
        ("--model", "mine/a"),
        ("--endpoint", "mine"),
        ("--max-in-flight", "0"),
    ],
)
def test_what_cannot_be_asked_ends_with_2(invoke, words):
    assert invoke("doctor", *words).exit_code == 2


def test_more_calls_at_a_time_need_more_open_files(invoke):
    pytest.importorskip("resource")
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, soft), hard))
    try:
        done = invoke("doctor", "--max-in-flight", "2000")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert done.exit_code == 1
    assert "--max-in-flight" in done.stdout
