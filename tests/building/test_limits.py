"""Limits on money where answers come later: jobs of earlier runs count for the build, and ending them gives no run more to spend."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from synth.building import calling
from synth.building.running import run_build
from synth.building.settings import RunSettings
from synth.content.shelves import Shelves
from synth.errors import IncompleteError
from synth.models import batch
from synth.models.base import Endpoint
from synth.models.ledger_statistics import spent_before, statistics
from synth.models.prices import Price
from synth.offline.embedded import OfflineModel
from synth.offline.serve import Server
from synth.recipe import Recipe

RECIPE = {
    "languages": ["en"],
    "families": ["burial_day_taken_back", "two_crowds_one_square"],
    "quota": {"records": 24},
    "partition": 12,
}
PRICE = {"offline": {"*": Price(1_000_000, 1_000_000)}}


@pytest.fixture(autouse=True)
def near(monkeypatch):
    """Gather for a moment only, with no settings of the person."""
    monkeypatch.setenv("SYNTH_SETTINGS", os.devnull)
    made = batch.BatchModel.__init__
    monkeypatch.setattr(
        batch.BatchModel,
        "__init__",
        lambda self, name, endpoint, **given: made(self, name, endpoint, **{"gather": 0.05, "poll": 0.0, **given}),
    )


@pytest.fixture
def server():
    with Server(OfflineModel(Shelves())) as running:
        yield running


def night(folder, url, lane="batch", **limits):
    """Run once at a price; gives why the run stopped, nothing where the build is complete."""
    settings = RunSettings(endpoints={"offline": Endpoint("offline", url, "", None, lane=lane)}, prices=PRICE, **limits)
    try:
        return run_build(Recipe.of(RECIPE), folder, settings=settings, recipe_folder=Path()).reason
    except IncompleteError as error:
        return error.message


def owed_and_paid(folder):
    found = statistics(folder)
    return found["jobs_micro_units"], spent_before(found)


def test_jobs_that_end_give_a_run_nothing_more_to_spend(server, tmp_path):
    folder, limit = tmp_path / "b", 40_000
    night(folder, server.url, max_run_cost=limit)
    assert 0 < sum(owed_and_paid(folder)) <= limit
    # how many questions fit in the limit depends on the length of the prompts
    handed_in = statistics(folder)["jobs"]
    assert handed_in > 1
    said = night(folder, server.url, max_run_cost=limit)
    assert "max_run_cost = $0.04 stops the run" in said
    assert statistics(folder)["answers"] == handed_in, "all that was handed in was fetched"
    # what is owed now was handed in by this run, and what is paid was paid by it
    assert 0 < sum(owed_and_paid(folder)) <= limit


def test_the_limit_of_a_build_counts_what_earlier_runs_paid_and_owe(server, tmp_path):
    folder, limit = tmp_path / "b", 50_000
    for _ in range(8):
        said = night(folder, server.url, max_cost=limit)
        assert sum(owed_and_paid(folder)) <= limit
        if not statistics(folder)["jobs"]:
            break
    owed, paid = owed_and_paid(folder)
    assert owed == 0 < paid
    assert "max_cost = $0.05 stops the run" in said
    assert "max_cost = $0.05 stops the run" in night(folder, server.url, lane="wire", max_cost=limit)
    assert paid <= owed_and_paid(folder)[1] <= limit


@pytest.mark.parametrize(
    ("lane", "limits", "is_read"),
    [
        ("wire", {}, False),
        ("wire", {"max_run_cost": 10_000, "max_calls": 50, "max_tokens": 10_000}, False),
        ("wire", {"max_cost": 10_000}, True),
        ("batch", {}, True),
    ],
)
def test_a_whole_ledger_is_read_only_for_those_who_ask(server, monkeypatch, tmp_path, lane, limits, is_read):
    reads = []

    def read(folder):
        reads.append(folder)
        return statistics(folder)

    monkeypatch.setattr(calling, "statistics", read)
    for _ in range(2):
        night(tmp_path / "b", server.url, lane, **limits)
    assert bool(reads) is is_read
    assert statistics(tmp_path / "b")["answers"] > 0
