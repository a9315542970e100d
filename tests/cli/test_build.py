"""Builds through the real command line: fresh, gone on with, forked, given up, stopped."""

from __future__ import annotations

import json

import pytest

import synth as library
from synth.content.shelves import Shelves
from synth.offline.embedded import OfflineModel
from synth.offline.serve import Server
from synth.records.shards import verify


@pytest.fixture
def server():
    with Server(OfflineModel(Shelves())) as running:
        yield running


def asked(server):
    from urllib.request import urlopen

    with urlopen(server.url.removesuffix("/v1") + "/stats") as answer:
        return json.load(answer)["requests"]


def test_a_build_ends_with_what_a_newcomer_wants_to_know(run, tiny_recipe, tmp_path):
    made = run("build", tiny_recipe, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "tiny: complete in " in made.stdout
    assert "24 scenarios with " in made.stdout
    assert "24 faithful" in made.stdout
    assert "en        Latn" in made.stdout
    assert "folder: tiny" in made.stdout
    assert "synth inspect tiny" in made.stdout
    assert "sealed p-en-r0001-b00000 (12 records)" in made.stderr
    assert len(list(library.load(tmp_path / "tiny").records())) == 24
    assert verify(tmp_path / "tiny") == []


def test_building_again_has_nothing_to_do_and_changes_no_part(invoke, tiny, tiny_recipe, parts_of):
    before = parts_of(tiny)
    again = invoke("build", tiny_recipe, "-o", tiny)
    assert again.exit_code == 0
    assert "tiny: nothing to do, the build is complete" in again.stdout
    assert parts_of(tiny) == before


def test_json_gives_one_object_on_stdout_and_events_on_stderr(run, tiny_recipe, tmp_path):
    made = run("build", tiny_recipe, "-o", tmp_path / "b", "--json", "--workers", "1")
    value = json.loads(made.stdout)
    assert (value["complete"], value["kept"]["scenario"], value["outcomes"]) == (True, 24, {"ok": 24})
    events = [json.loads(line) for line in made.stderr.splitlines()]
    names = [event["event"] for event in events]
    assert names[0] == "run_started"
    assert names[-1] == "run_ended"
    assert sum(event["records"] for event in events if event["event"] == "event_lived") == 24


def test_quiet_says_nothing(invoke, tiny, tiny_recipe):
    answer = invoke("build", tiny_recipe, "-o", tiny, "-q")
    assert (answer.exit_code, answer.output) == (0, "")


def test_flags_are_folded_into_the_recipe(invoke, tiny_recipe, tmp_path):
    folder = tmp_path / "b"
    words = ("--records", 6, "--annotator", "offline", "--annotator", "offline")
    assert invoke("build", tiny_recipe, "-o", folder, *words).exit_code == 0
    recipe = library.load(folder).recipe
    assert (recipe.quota.records, recipe.models.annotators) == (6, ("offline", "offline"))


def test_over_http_the_parts_are_the_same_bytes(invoke, tiny, tiny_recipe, tmp_path, server, parts_of):
    made = invoke("build", tiny_recipe, "-o", tmp_path / "b", "--endpoint", f"offline={server.url}")
    assert made.exit_code == 0, made.output
    assert asked(server) > 100
    assert parts_of(tmp_path / "b") == parts_of(tiny)
    stats = invoke("ledger", tmp_path / "b", "stats", "--json")
    assert json.loads(stats.stdout)["answers"] == asked(server)


def test_another_line_needs_a_fork_and_the_fork_pays_nothing_twice(invoke, tiny_recipe, tmp_path, server):
    old, new = tmp_path / "old", tmp_path / "new"
    over = ("--records", 6, "--endpoint", f"offline={server.url}")
    assert invoke("build", tiny_recipe, "-o", old, *over).exit_code == 0
    paid = asked(server)
    tiny_recipe_without = tmp_path / "other.yaml"
    tiny_recipe_without.write_text(tiny_recipe.read_text() + "replies: {alternative: false}\n")
    refused = invoke("build", tiny_recipe_without, "-o", old, *over)
    assert refused.exit_code == 2
    assert "replies changed (en)" in refused.stderr
    assert "--fork NEW" in refused.stderr
    forked = invoke("build", tiny_recipe_without, "-o", old, "--fork", new, *over)
    assert forked.exit_code == 0, forked.output
    assert "alternative" not in forked.stdout
    assert asked(server) == paid
    assert verify(new) == []
    assert invoke("build", tiny_recipe, "-o", old, "--fork", new, *over).exit_code == 2


def test_a_deadline_ends_with_3_and_the_next_run_goes_on(invoke, tiny_recipe, tmp_path, monkeypatch):
    folder = tmp_path / "b"
    monkeypatch.setattr("synth.building.walk.Stop.wanted", lambda stop: stop.ask("the deadline has come") or True)
    stopped = invoke("build", tiny_recipe, "-o", folder, "--deadline", "1h", "--workers", 1)
    assert stopped.exit_code == 3
    assert "not complete yet" in stopped.stdout
    assert "error: stopped before the quota was met: the deadline has come" in stopped.stderr
    status = invoke("status", folder)
    assert "the deadline has come" in status.stdout
    assert "2 open" in status.stdout
    monkeypatch.undo()
    assert invoke("build", tiny_recipe, "-o", folder).exit_code == 0


def test_a_budget_of_calls_ends_with_3(invoke, tiny_recipe, tmp_path, server):
    words = ("--endpoint", f"offline={server.url}", "--max-calls", 10)
    assert invoke("build", tiny_recipe, "-o", tmp_path / "b", *words).exit_code == 3
    assert asked(server) <= 10


def test_a_folder_that_is_worked_in_is_locked(invoke, tiny, tiny_recipe):
    from synth.building.folder import locked

    with locked(tiny):
        assert invoke("build", tiny_recipe, "-o", tiny).exit_code == 75
        assert invoke("close", tiny).exit_code == 75
        assert invoke("status", tiny).exit_code == 0


def test_a_folder_of_other_things_is_left_alone(invoke, tiny_recipe, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    answer = invoke("build", tiny_recipe, "-o", tmp_path)
    assert answer.exit_code == 2
    assert "'thesis.tex', which is not part of a build" in answer.stderr


def test_give_up_seals_what_gets_no_answer_as_abandoned(invoke, tiny_recipe, tmp_path, monkeypatch):
    from synth.ask import Asker, Retry

    impatient = Retry(tries=1, first_wait=0.0)
    monkeypatch.setattr(
        "synth.building.running.open_asker",
        lambda crew, ledger, purse, **more: Asker(crew.roles, ledger=ledger, purse=purse, retry=impatient, **more),
    )
    recipe = tmp_path / "once.yaml"
    recipe.write_text(tiny_recipe.read_text() + "tries: 1\n")
    folder = tmp_path / "b"
    dead = ("--endpoint", "offline=http://127.0.0.1:9/v1")
    left = invoke("build", recipe, "-o", folder, *dead)
    assert left.exit_code == 3
    assert json.loads(invoke("status", folder, "--json").stdout)["outcomes"] == {}
    given_up = invoke("build", recipe, "-o", folder, *dead, "--give-up")
    assert given_up.exit_code == 3, given_up.output
    assert "24 could not be made (lost at any try: 24 abandoned)" in given_up.stdout
    value = json.loads(invoke("status", folder, "--json").stdout)
    assert (value["outcomes"], value["reasons"]) == ({"abandoned": 24}, {"outcome:abandoned": 24})
    assert verify(folder) == []
    shown = invoke("inspect", folder, "--all", "-n", 1).stdout
    assert "(abandoned)" in shown
    assert "it has no replies: abandoned" in invoke("inspect", folder, shown.split()[0]).stdout
