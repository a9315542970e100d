"""Habits: an endpoint's ways are learned once a build, whatever walks, rounds and runs it takes, and are lost by none."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from synth.ask import Role
from synth.building import running
from synth.building.habits import known_habits, recall, with_learned
from synth.building.lines import Crew
from synth.building.running import run_build
from synth.building.settings import RunSettings
from synth.content.shelves import Shelves
from synth.errors import IncompleteError
from synth.models import batch
from synth.models.base import Endpoint, Identity
from synth.models.ledger import statistics
from synth.models.wire import WireModel
from synth.offline.embedded import OfflineModel
from synth.offline.serve import Server
from synth.planning.rounds import read_rounds
from synth.recipe import Recipe

SMALL = {
    "languages": ["en"],
    "families": ["burial_day_taken_back", "two_crowds_one_square"],
    "quota": {"records": 12},
    "partition": 3,
}
# more than one family can say in different words, so that rounds follow each other
BEYOND = SMALL | {"families": ["burial_day_taken_back"], "quota": {"records": 48}, "partition": 24, "tries": 2}
PLAIN = {"offline": {"response": "plain"}}


@pytest.fixture(autouse=True)
def no_settings_of_the_person(monkeypatch):
    monkeypatch.setenv("SYNTH_SETTINGS", os.devnull)


@pytest.fixture
def picky():
    """A server that takes neither a schema nor JSON mode."""
    with Server(OfflineModel(Shelves()), schema=False, json_mode=False) as server:
        yield server


@pytest.fixture
def at_once(monkeypatch):
    """Gather for a moment only, and look again at once: the loopback server is not far."""
    made = batch.BatchModel.__init__
    monkeypatch.setattr(
        batch.BatchModel,
        "__init__",
        lambda self, name, endpoint, **given: made(self, name, endpoint, **{"gather": 0.05, "poll": 0.0, **given}),
    )
    monkeypatch.setattr(running, "POLL", 0.01)


def run(recipe, folder, url, *, lane="wire", **settings):
    there = {"offline": Endpoint("offline", url, "", None, lane=lane)}
    given = RunSettings(endpoints=there, max_in_flight=1, **settings)
    return run_build(Recipe.of(recipe), folder, settings=given, recipe_folder=Path())


def refused(folder):
    """Give how many attempts an endpoint refused for their form."""
    return statistics(folder)["errors"].get("FormRefused", 0)


def written(folder, number):
    return json.loads((folder / "runs" / f"{number:04d}.json").read_text())["habits"]


def write_record(folder, number, habits):
    (folder / "runs").mkdir(exist_ok=True)
    (folder / "runs" / f"{number:04d}.json").write_text(json.dumps({"run": number, "habits": habits}))


def test_later_rounds_of_a_run_learn_nothing_again(picky, tmp_path):
    folder = tmp_path / "b"
    run(BEYOND, folder, picky.url)
    assert len(read_rounds(folder)) > 1
    assert refused(folder) == 2, "a schema once, JSON mode once"
    assert written(folder, 1) == PLAIN


def test_a_run_that_waits_learns_nothing_again_when_it_looks_again(picky, at_once, tmp_path):
    folder = tmp_path / "b"
    assert run(SMALL, folder, picky.url, lane="batch", wait=True).complete
    # the first question of each of the four events is lost with each form that is refused; nothing that follows is
    assert 0 < statistics(folder)["errors"]["JobLost"] <= 4 * 2
    assert written(folder, 1) == PLAIN


def test_a_run_that_asks_nothing_keeps_what_is_known(picky, tmp_path):
    folder = tmp_path / "b"
    run(SMALL, folder, picky.url)
    assert (refused(folder), written(folder, 1)) == (2, PLAIN)
    assert run(SMALL, folder, picky.url).calls == 0
    assert written(folder, 2) == PLAIN
    write_record(folder, 3, {})  # as earlier versions did
    with pytest.raises(IncompleteError):
        run(SMALL | {"quota": {"records": 24}}, folder, picky.url, deadline=0.0)
    assert written(folder, 4) == PLAIN
    assert run(SMALL | {"quota": {"records": 24}}, folder, picky.url).calls > 0
    assert (refused(folder), written(folder, 5)) == (2, PLAIN)


def test_a_run_that_fails_keeps_what_it_learned(tmp_path, picky):
    folder = tmp_path / "b"
    with pytest.raises(IncompleteError):
        run(SMALL, folder, picky.url, max_calls=9)
    assert (refused(folder), written(folder, 1)) == (2, PLAIN)


def test_the_last_record_that_knows_any_habits_speaks(tmp_path):
    assert known_habits(tmp_path) == {}
    write_record(tmp_path, 1, {})
    assert known_habits(tmp_path) == {}
    write_record(tmp_path, 9_999, {"a/m": {"response": "json"}})
    write_record(tmp_path, 10_000, {"a/m": {"response": "plain"}})
    write_record(tmp_path, 10_001, {})
    assert known_habits(tmp_path) == {"a/m": {"response": "plain"}}
    write_record(tmp_path, 10_002, {"a/m": {}})
    assert known_habits(tmp_path) == {"a/m": {}}, "what was given up is not dug out again"


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"habits": 3}', '{"habits": {"a/m": ["json"]}}', '{"report": {}}', "\xff"]
)
def test_a_record_that_cannot_be_read_is_passed_over(tmp_path, text):
    write_record(tmp_path, 1, {"a/m": {"seed": "no"}})
    (tmp_path / "runs" / "0002.json").write_text(text, encoding="latin-1")
    (tmp_path / "runs" / "notes.json").write_text('{"habits": {"a/m": {"response": "json"}}}')
    assert known_habits(tmp_path) == {"a/m": {"seed": "no"}}


def test_what_a_crew_holds_takes_the_place_of_what_was_known_of_it():
    there = Endpoint("a", "http://127.0.0.1:9/v1", "", None)
    models = {name: WireModel(name, there) for name in ("a/new", "a/old", "a/stale")}
    crew = Crew({name: Role(model, Identity(name, "a", "")) for name, model in models.items()}, pure=False)
    known = {"a/old": {"response": "json", "what": "else"}, "z/gone": {"seed": "no"}}
    recall(crew, known)
    models["a/new"].recall({"response": "plain"})
    stale = {"a/stale": {"limit": "max_completion_tokens"}}
    held = with_learned(known | stale, crew)
    assert held == {
        "a/new": {"response": "plain"},
        "a/old": {"response": "json"},
        "a/stale": {},
        "z/gone": {"seed": "no"},
    }
    assert list(held) == sorted(held)
    assert with_learned({}, crew) == {"a/new": {"response": "plain"}, "a/old": {"response": "json"}}
