"""Builds through the real command line: fresh, gone on with, forked, given up, stopped."""

from __future__ import annotations

import json

import pytest

import synth as library
from synth.content.shelves import Shelves
from synth.errors import IncompleteError, UsageError
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


@pytest.fixture
def at_a_price(invoke, server, tmp_path, monkeypatch):
    """The server as the endpoint `offline` (after `invoke`, which unsets all settings), at one micro-unit for a token read and two for one written."""
    page = tmp_path / "settings.yaml"
    page.write_text(f"endpoints: {{offline: {{url: '{server.url}', prices: {{'*': {{read: 1, written: 2}}}}}}}}\n")
    monkeypatch.setenv("SYNTH_SETTINGS", str(page))


def spent(invoke, folder):
    return json.loads(invoke("status", folder, "--json").stdout)["account"]["spent_micro_units"]


@pytest.mark.usefixtures("at_a_price")
def test_what_a_build_and_a_run_may_cost_is_never_passed(invoke, tiny_recipe, tmp_path, parts_of, tiny):
    folder, words = tmp_path / "b", ("--max-in-flight", 4)
    stopped = invoke("build", tiny_recipe, "-o", folder, *words, "--max-cost", "0.03")
    assert stopped.exit_code == 3, stopped.output
    assert "not complete yet" in stopped.stdout
    first = spent(invoke, folder)
    assert 0 < first <= 30_000
    again = invoke("build", tiny_recipe, "-o", folder, *words, "--max-cost", "0.03")
    assert again.exit_code == 3, "the limit is that of all runs"
    assert spent(invoke, folder) <= 30_000
    one_more = invoke("build", tiny_recipe, "-o", folder, *words, "--max-run-cost", "0.02")
    assert one_more.exit_code == 3, one_more.output
    assert first < spent(invoke, folder) <= 30_000 + 20_000
    whole = invoke("build", tiny_recipe, "-o", folder, *words, "--max-cost", "5")
    assert whole.exit_code == 0, whole.output
    assert parts_of(folder) == parts_of(tiny)


@pytest.mark.usefixtures("at_a_price")
def test_nothing_may_be_spent_at_all(invoke, tiny_recipe, tmp_path, server):
    assert invoke("build", tiny_recipe, "-o", tmp_path / "b", "--max-cost", "0").exit_code == 3
    assert asked(server) == 0


@pytest.mark.parametrize(
    ("word", "says"),
    [("$5", "leave the currency out"), ("1e6", "is not an amount"), ("0.0000001", "finer"), ("-1", "below")],
)
@pytest.mark.parametrize("option", ["--max-cost", "--max-run-cost"])
def test_an_amount_that_is_none_is_refused(invoke, tiny_recipe, tmp_path, option, word, says):
    answer = invoke("build", tiny_recipe, "-o", tmp_path / "b", f"{option}={word}")
    assert answer.exit_code == 2
    assert says in answer.stderr
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("amount", ["$5", -1, float("nan"), True, "1,5", 10**9])
def test_from_python_an_amount_that_is_none_is_refused(tiny_recipe, tmp_path, amount):
    for limit in ("max_cost", "max_run_cost"):
        with pytest.raises(UsageError, match=f"{limit} is .*such as 5 or 0.25"):
            library.build(tiny_recipe, tmp_path / "b", **{limit: amount})
    assert not (tmp_path / "b").exists()


@pytest.mark.usefixtures("at_a_price")
@pytest.mark.parametrize("limit", [0.03, "0.03"])
def test_from_python_a_cost_is_limited_in_dollars(invoke, tiny_recipe, tmp_path, limit):
    with pytest.raises(IncompleteError):
        library.build(tiny_recipe, tmp_path / "b", max_in_flight=4, max_cost=limit)
    assert 0 < spent(invoke, tmp_path / "b") <= 30_000


def test_every_flag_reaches_the_run(invoke, tiny_recipe, tmp_path, monkeypatch):
    seen = {}

    def hear(recipe, folder, *, settings, **more):
        seen["settings"] = settings
        raise IncompleteError("heard")

    monkeypatch.setattr("synth.building.running.run_build", hear)
    (tmp_path / "b").mkdir()
    words = ("--max-cost", "2.5", "--max-run-cost", "0.000001", "--allow-unpriced", "--wait", "--deadline", "2h")
    more = ("--max-in-flight", 7, "--max-calls", 8, "--max-tokens", 9, "--give-up", "--workers", 2, "-q")
    assert invoke("build", tiny_recipe, "-o", tmp_path / "b", *words, *more).exit_code == 3
    expected = {"max_cost": 2_500_000, "max_run_cost": 1, "allow_unpriced": True, "wait": True, "deadline": 7200.0}
    expected |= {"max_in_flight": 7, "max_calls": 8, "max_tokens": 9, "give_up": True, "workers": 2}
    assert {name: getattr(seen["settings"], name) for name in expected} == expected


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

    impatient = Retry(tries=1, patience=0.0, first_wait=0.0)
    monkeypatch.setattr(
        "synth.building.calling.open_asker",
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
