"""What `synth status` says of money, kills, answers that are due, and refusals: on builds over HTTP."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from dataclasses import replace

import pytest

from synth.content.shelves import Shelves
from synth.offline.embedded import OfflineModel, find_brief
from synth.offline.serve import Server
from synth.records.labels import Outcome

PRICE = "{read: 1, written: 2}"
"""One micro-unit for a token read and two for one written: a call's cost is exact."""


class Choosy:
    """The embedded model, which refuses what a function says of a brief."""

    pure = True
    name = "offline"

    def __init__(self, refuses):
        self.model = OfflineModel(Shelves())
        self.refuses = refuses
        self.asked = 0

    def answer(self, request):
        self.asked += 1
        response = self.model.answer(request)
        if self.refuses(find_brief(request.messages)):
            return replace(response, text="", outcome=Outcome.REFUSED)
        return response

    async def attempt(self, request):
        return self.answer(request)

    async def close(self):
        return None


@pytest.fixture
def settings(invoke, tmp_path, monkeypatch):
    """A function that writes the person's settings for an address (after `invoke`, which unsets all settings)."""

    def write(url, more=""):
        page = tmp_path / "settings.yaml"
        page.write_text(f"endpoints:\n  offline:\n    url: {url}\n{more}")
        monkeypatch.setenv("SYNTH_SETTINGS", str(page))

    return write


@pytest.fixture
def priced(invoke, settings, tiny_recipe, tmp_path):
    """A build of six records at a price; gives its folder and how often the server was asked."""
    model = Choosy(lambda _brief: False)
    with Server(model) as server:
        settings(server.url, f"    prices: {{'*': {PRICE}}}\n")
        made = invoke("build", tiny_recipe, "-o", tmp_path / "b", "--records", 6)
        assert made.exit_code == 0, made.output
    return tmp_path / "b", model.asked, made.stdout


def status(invoke, folder):
    shown, told = (invoke("status", folder, *more) for more in ((), ("--json",)))
    assert (shown.exit_code, told.exit_code) == (0, 0), shown.output
    return shown.stdout, json.loads(told.stdout)


def test_money_is_exact_to_the_micro_unit(invoke, priced):
    folder, asked, printed = priced
    text, value = status(invoke, folder)
    account, ledger = value["account"], value["ledger"]
    assert ledger["answers"] == asked
    assert account["spent_micro_units"] == ledger["tokens_in"] + 2 * ledger["tokens_out"] > 0
    assert account["spent_us_dollars"] == f"0.{account['spent_micro_units']:06d}"
    shown = f"paid  ${account['spent_us_dollars'].rstrip('0')} for {asked:,} answers in the ledger"
    assert shown in text
    assert shown in printed, "the page that ends a build says it too"
    assert account["interrupted"] == account["in_flight"] == {"calls": 0, "at_most_micro_units": 0}
    for nothing in ("at the kill", "perhaps paid", "due", "refused"):
        assert nothing not in text


def test_what_a_kill_may_have_cost_is_named(invoke, priced, tmp_path):
    folder = shutil.copytree(priced[0], tmp_path / "killed")
    shard = next((folder / "ledger").glob("*.sqlite"))
    with contextlib.closing(sqlite3.connect(shard)) as ledger, ledger:
        for table, kind in (("sent", ""), ("journal", "interrupted"), ("journal", "Transient")):
            _plant(ledger, table, kind)
    text, value = status(invoke, folder)
    account = value["account"]
    assert account["in_flight"] == {"calls": 1, "at_most_micro_units": 1500}
    assert account["interrupted"] == {"calls": 1, "at_most_micro_units": 1500}
    assert account["perhaps_paid"] == {"calls": 1, "at_most_micro_units": 1500}
    assert account["spent_micro_units"] == status(invoke, priced[0])[1]["account"]["spent_micro_units"]
    assert "in flight (now, or at the kill): 1 call, at most $0.0015" in text
    assert "in flight at the kill: 1 call, at most $0.0015" in text
    assert "perhaps paid: 1 call, at most $0.0015" in text


def _plant(ledger, table, kind):
    """Put a claim, or a failed attempt, of 1,500 micro-units in a shard; other columns get what their type is."""
    columns = [(name, of) for _, name, of, *_ in ledger.execute(f"pragma table_info({table})") if name != "id"]
    known = {"micro_units": 1500, "perhaps_paid": int(kind != "interrupted"), "kind": kind, "key": kind.encode() * 2}
    plain = {"blob": b"x", "text": "", "integer": 0}
    values = [known.get(name, plain[of.lower().split()[0]]) for name, of in columns]
    marks = ", ".join("?" * len(values))
    ledger.execute(f"insert into {table} ({', '.join(name for name, _ in columns)}) values ({marks})", values)


@pytest.fixture
def unpriced(settings):
    """A served model at an address that is no loopback address (though it leads here), so that nobody knows its price."""
    model = Choosy(lambda _brief: False)
    with Server(model) as server:
        settings(server.url, f"  far: {{url: '{server.url.replace('127.0.0.1', '0.0.0.0')}', revision: one}}\n")
        yield model


def test_an_unknown_price_ends_a_build_before_any_call(invoke, unpriced, tiny_recipe, tmp_path):
    refused = invoke("build", tiny_recipe, "-o", tmp_path / "b", "--annotator", "far/some-model")
    assert refused.exit_code == 2, refused.output
    assert "nobody knows what 'far/some-model' costs" in refused.stderr
    assert '"some-model": {read: 0.15, written: 0.60}' in refused.stderr
    assert "--allow-unpriced" in refused.stderr
    assert "0.0.0.0" not in refused.output
    assert unpriced.asked == 0


@pytest.mark.usefixtures("unpriced")
def test_a_model_that_counts_as_free_is_named(invoke, tiny_recipe, tmp_path):
    words = ("--annotator", "far/some-model", "--records", 6)
    made = invoke("build", tiny_recipe, "-o", tmp_path / "b", *words, "--allow-unpriced")
    assert made.exit_code == 0, made.output
    told = "counted as free, for nobody knows the price: far/some-model"
    assert told in made.stdout
    text, value = status(invoke, tmp_path / "b")
    assert value["account"]["unpriced"] == ["far/some-model"]
    assert told in text
    assert "paid  $0.00 for" in text, "one's own machine is free"


def test_refusals_are_counted_by_language_profile_and_felt_affect(invoke, settings, tmp_path):
    recipe = tmp_path / "two.yaml"
    recipe.write_text(
        "recipe: two\nlanguages: [en, es]\nfamilies: [file_lost_again, told_to_be_over_it]\n"
        "quota: {records: 48}\npartition: 12\ntries: 1\n"
    )
    refused_rows = {"program": "reply", "language": "es", "level": "high", "style": "faithful"}
    model = Choosy(lambda brief: refused_rows.items() <= brief.items())
    with Server(model) as server:
        settings(server.url)
        made = invoke("build", recipe, "-o", tmp_path / "b")
        assert made.exit_code == 3, made.output
    text, value = status(invoke, tmp_path / "b")
    found = value["refusals"]
    asked, refused = found["asked"], found["refused"]
    assert (asked, refused) == (48, value["outcomes"]["refused"])
    assert refused > 0
    by_language = {row["value"]: row for row in found["by_language"]}
    assert by_language["en"]["refused"] == 0
    assert by_language["es"]["refused"] == refused
    for table in ("by_language", "by_emotion", "by_felt"):
        assert sum(row["asked"] for row in found[table]) == asked
        assert sum(row["refused"] for row in found[table]) == refused
        assert [row["value"] for row in found[table]] == sorted(row["value"] for row in found[table])
    assert {row["value"]: row["refused"] for row in found["by_felt"]}["3"] == refused
    assert {row["value"][:2] for row in found["by_profile"]} == {"en", "es"}
    assert sum(row["refused"] for row in found["by_profile"]) >= refused
    assert {row["value"]: row["refused"] for row in found["calls_by_program"]}["reply"] >= refused
    assert f"refused: {refused} of 48 records" in text
    lines = text.partition("more often than that:\n")[2].splitlines()
    assert lines[0].split()[0] in {"language", "profile", "emotion", "felt"}
    assert any(line.split()[:2] == ["language", "es"] for line in lines[:8])
    assert not any(line.split()[:2] == ["language", "en"] for line in lines)
    assert len([line for line in lines if line.startswith("    ") and " of " in line]) <= 8


def test_what_was_abandoned_was_refused_by_nobody():
    from collections import Counter

    from synth.cli.refusals import Group, Refusals, _groups

    found = _groups(Counter({("ja", "abandoned"): 5, ("en", "refused"): 1, ("en", "ok"): 3, ("en", "abandoned"): 2}))
    assert found == [Group("en", 4, 1)]
    assert found[0].as_values() == {"value": "en", "asked": 4, "refused": 1, "rate": 0.25}
    empty = Refusals(Group("", 0, 0), dict.fromkeys(("language", "profile", "emotion", "felt"), ()), ())
    assert (empty.above(), empty.calls, empty.records.rate) == ([], 0, 0.0)


def test_what_is_refused_most_stands_first():
    from synth.cli.refusals import Group, Refusals

    groups = {
        "language": [Group("en", 100, 10), Group("ja", 10, 5)],
        "profile": [Group("ja-b", 4, 2), Group("ja-a", 4, 2)],
        "emotion": [Group("grief", 55, 8), Group("anger", 55, 7)],
        "felt": [Group("3", 1, 1)],
    }
    shown = [(kind, one.value) for kind, one in Refusals(Group("", 110, 15), groups, ()).above()]
    expected = [("felt", "3"), ("language", "ja"), ("profile", "ja-a"), ("profile", "ja-b"), ("emotion", "grief")]
    assert shown == expected


def test_answers_that_are_due_are_said():
    from synth.cli.accounts import read_account, show_account

    account = read_account({"answers": 3, "jobs": 2, "micro_units": 5, "tokens_cached": 7}, [{"unpriced": ["a/b"]}, {}])
    assert (account.due, account.spent, account.tokens_cached, account.unpriced) == (2, 5, 7, ["a/b"])
    assert account.as_values()["due"] == 2
    import click.testing

    @click.command()
    def show():
        show_account(account, 3)

    printed = click.testing.CliRunner().invoke(show).stdout
    assert "due   2 answers from providers: run the same build again to fetch them" in printed
    assert "7 tokens read from providers' caches" in printed
