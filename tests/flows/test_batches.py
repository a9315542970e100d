"""A provider's batch through a whole build: handed in once, fetched by later runs, whatever is killed, expires or fails in part."""

from __future__ import annotations

from pathlib import Path

import pytest

import synth
from synth.building.running import run_build
from synth.building.settings import RunSettings
from synth.errors import AuthFailed, IncompleteError
from synth.models import batch
from synth.models.base import Endpoint
from synth.models.ledger import statistics
from synth.offline.batches import Batching
from synth.offline.serve import Server
from synth.recipe import Recipe
from synth.records.verification import verify


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Gather for a moment only: the loopback server is not far."""
    made = batch.BatchModel.__init__
    monkeypatch.setattr(
        batch.BatchModel,
        "__init__",
        lambda self, name, endpoint, **given: made(self, name, endpoint, **{"gather": 0.05, "poll": 0.0, **given}),
    )


def run(recipe, folder, url, **settings):
    there = {"offline": Endpoint("offline", url, "", None, lane="batch")}
    return run_build(Recipe.of(recipe), folder, settings=RunSettings(endpoints=there, **settings), recipe_folder=Path())


def night(recipe, folder, url):
    """Run once and say whether the build is complete."""
    try:
        return run(recipe, folder, url).complete
    except IncompleteError:
        return False


def nights(recipe, folder, url, most=40):
    """Run again and again until the build is complete; gives how many runs were left with answers due."""
    for number in range(most):
        if night(recipe, folder, url):
            return number
        assert statistics(folder)["jobs"] > 0
    raise AssertionError(f"not complete after {most} runs")


def test_a_build_by_batches_ends_after_a_few_nights_with_the_same_bytes(
    english, plain_english, prints, counting, tmp_path
):
    with Server(counting) as server:
        waited = nights(english, tmp_path / "b", server.url)
    # event, write, vary, reply and beside it annotate, the other replies: what does not wait for each other is handed in together
    assert waited == 5
    assert counting.asked.total() == len(counting.asked) == statistics(tmp_path / "b")["answers"]
    assert prints(tmp_path / "b") == prints(plain_english)
    assert verify(tmp_path / "b") == []


def test_lines_that_fail_are_handed_in_anew_and_no_answer_is_paid_twice(
    english, plain_english, prints, counting, tmp_path
):
    with Server(counting, batching=Batching(failing=0.2, failing_status=500)) as server:
        nights(english, tmp_path / "b", server.url)
    found = statistics(tmp_path / "b")
    assert found["errors"]["JobLost"] > 0
    assert (found["jobs"], found["perhaps_paid"]) == (0, 0)
    assert counting.asked.total() == len(counting.asked) == found["answers"]
    assert prints(tmp_path / "b") == prints(plain_english)


def test_lines_that_are_refused_cost_their_records_and_never_the_build(english, counting, tmp_path):
    more = english | {"quota": {"records": 60}, "tries": 1}
    with Server(counting, batching=Batching(failing=0.08, failing_status=400)) as server:
        nights(more, tmp_path / "b", server.url)
    found = statistics(tmp_path / "b")
    assert found["errors"]["BadRequest"] > 5
    assert found["answers"] > 300


def test_a_batch_that_expires_gives_what_it_answered_and_the_rest_is_handed_in_anew(english, counting, tmp_path):
    # this provider never ends a batch of ten lines: each time it expires with half of them answered
    with Server(counting, batching=Batching(after_polls=3, expires_at=2)) as server:
        for _ in range(8):
            night(english, tmp_path / "b", server.url)
    found = statistics(tmp_path / "b")
    assert found["errors"]["JobLost"] > 0
    assert 0 < found["answers"] <= counting.asked.total() == len(counting.asked)
    assert found["perhaps_paid"] == 0


def test_a_refused_key_ends_the_run_with_nothing_handed_in(english, counting, monkeypatch, tmp_path):
    monkeypatch.setenv("SERVER_KEY", "sk-the-right-key-0123456789")
    with Server(counting, key_variable="SERVER_KEY") as server, pytest.raises(AuthFailed):
        run(english, tmp_path / "b", server.url)
    assert statistics(tmp_path / "b")["jobs"] == 0


def test_who_waits_stays_until_all_is_answered(english, counting, monkeypatch, tmp_path):
    from synth.building import running

    monkeypatch.setattr(running, "POLL", 0.01)
    with Server(counting) as server:
        report = run(english, tmp_path / "b", server.url, wait=True)
    assert report.complete
    assert report.met
    assert report.pending == 0
    assert sum(1 for _ in synth.load(tmp_path / "b").records()) == 12
