"""What the doctor finds: each check on what it is given, endpoints over real HTTP."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.building.doctor import check_alias, check_prefixes, check_price, check_settings, examine
from synth.building.findings import State
from synth.building.installation import (
    check_content,
    check_disk,
    check_locks,
    check_open_files,
    check_package,
    nearest_folder,
    owners,
)
from synth.building.prefixes import prefixes, sample_questions
from synth.building.probing import check_listed, list_models, probe
from synth.content.shelves import Shelves
from synth.errors import UsageError
from synth.models.base import Contract, Endpoint, Identity, Parameters, make_request
from synth.models.price_table import PriceTable
from synth.models.prices import Price
from synth.offline.embedded import OfflineModel
from synth.offline.serve import Server
from synth.planning.inventory import take_stock
from synth.recipe import Recipe
from synth.records.schema import Message

KEY = "sk-doctor-0123456789abcdefghijklmnop"
TINY = {"recipe": "tiny", "languages": ["en"], "families": ["burial_day_taken_back"], "quota": {"records": 6}}


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch):
    monkeypatch.setenv("SYNTH_SETTINGS", os.devnull)
    monkeypatch.setenv("DOCTORS_KEY", KEY)


@contextmanager
def answering(status=200, body=b"", headers=()):
    """Give the URL of an endpoint that answers every GET so, and what it was asked: path and key."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("Authorization")))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def mine(url=None, variable=None, **more):
    return {"mine": Endpoint("mine", url, "", variable, **more)}


def listed(*names):
    return json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in names]}).encode()


def by_check(found):
    return {one.check: one for one in found}


# -- the installation


def test_our_package_alone_is_sound(tmp_path):
    import synth

    init = Path(synth.__file__)
    found = check_package(init, ["humane-synth"], [tmp_path, init.parents[1]])
    assert (found.state, found.seen, found.advice) == (State.OK, str(init.parent), "")
    assert set(owners("synth")) <= {"humane-synth"}


def test_a_foreign_owner_of_the_package_is_a_fault():
    import synth

    found = check_package(Path(synth.__file__), ["humane-synth", "synth"], [])
    assert found.state is State.FAULT
    assert "synth owns a package `synth` too" in found.seen
    assert "pip uninstall synth" in found.advice


@pytest.mark.parametrize("name", ["synth/__init__.py", "synth.py"])
def test_another_synth_in_the_current_folder_is_named(tmp_path, name):
    import synth

    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    found = check_package(Path(synth.__file__), [], [tmp_path])
    assert found.state is State.WARNING
    assert str(path) in found.seen


def test_content_is_counted_with_its_overlays_and_has_a_digest(tmp_path):
    plain = check_content(Shelves())
    assert plain.state is State.OK
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas/mine.yaml").write_text("a: 1\n")
    more = check_content(Shelves([tmp_path]))
    assert f"1 from {tmp_path}" in more.seen
    assert plain.seen.rpartition(" ")[2] != more.seen.rpartition(" ")[2]
    assert check_content(Shelves()) == plain


@pytest.mark.parametrize(
    ("free", "state"),
    [
        (0, State.FAULT),
        (999_999_999, State.FAULT),
        (10**9, State.WARNING),
        (10**10 - 1, State.WARNING),
        (10**10, State.OK),
    ],
)
def test_free_disk(free, state, tmp_path):
    assert check_disk(tmp_path, free).state is state


def test_a_build_folder_that_is_not_there_yet_is_on_the_disk_of_what_is(tmp_path):
    assert nearest_folder(tmp_path / "a" / "b") == tmp_path
    assert nearest_folder(tmp_path) == tmp_path


def test_a_held_lock_keeps_others_out():
    assert check_locks().state is State.OK


def test_a_temporary_folder_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    found = check_locks()
    assert found.state is State.FAULT
    assert "no lock could be taken" in found.seen


@given(st.integers(1, 4096), st.none() | st.integers(0, 10**6))
def test_open_files_are_held_against_the_calls_at_a_time(calls, limit):
    found = check_open_files(limit, calls)
    assert (found.state is State.OK) == (limit is None or limit >= calls + 256)
    assert found.state is State.OK or f"ulimit -n {calls + 256}" in found.advice


# -- endpoints


def test_an_endpoint_that_lists_the_model_is_sound():
    with answering(body=listed("a", "b")) as (url, asked):
        found = by_check(probe(mine(url, "DOCTORS_KEY"), ["mine/a"]))
    assert asked == [("/v1/models", f"Bearer {KEY}")]
    assert {one.state for one in found.values()} == {State.OK}
    assert found["model mine/a"].seen == "listed"
    assert found["key of mine"].seen == "DOCTORS_KEY is set"
    assert "lists 2" in found["endpoint mine"].seen


def test_the_embedded_model_behind_http_is_sound():
    with Server(OfflineModel(Shelves())) as server:
        found = probe({"offline": Endpoint("offline", server.url, "", None)}, ["offline"])
    assert [(one.check, one.state) for one in found] == [
        ("endpoint offline", State.OK),
        ("model offline", State.OK),
    ]


@pytest.mark.parametrize(
    ("status", "body", "state", "words"),
    [
        (401, KEY.encode(), State.FAULT, "refused the key (HTTP 401)"),
        (403, b"", State.FAULT, "refused the key (HTTP 403)"),
        (500, KEY.encode(), State.FAULT, "fails (HTTP 500)"),
        (404, b"", State.WARNING, "lists no models (HTTP 404)"),
        (429, b"", State.WARNING, "lists no models (HTTP 429)"),
        (200, b"<html>", State.WARNING, "the body is not JSON"),
        (200, b"[" * 100_000, State.WARNING, "the body is not JSON"),
        (200, b'{"data": 3}', State.WARNING, "the body holds no list"),
        (200, b'{"data": [3, {"id": 4}, {"id": "a"}]}', State.OK, "lists 1"),
        (200, b'[{"id": "a"}]', State.OK, "lists 1"),
    ],
)
def test_what_an_endpoint_answers_is_told_and_never_its_words(status, body, state, words):
    with answering(status, body) as (url, _):
        found = by_check(probe(mine(url, "DOCTORS_KEY"), ["mine/a"]))
    assert found["endpoint mine"].state is state
    assert words in found["endpoint mine"].seen
    assert all(KEY[:12] not in f"{one.seen}{one.advice}" for one in found.values())


def test_a_redirect_is_not_followed():
    with (
        answering(body=listed("a")) as (elsewhere, reached),
        answering(302, headers=[("Location", f"{elsewhere}/models")]) as (url, asked),
    ):
        found = by_check(probe(mine(url, "DOCTORS_KEY"), ["mine/a"]))
    assert len(asked) == 1
    assert reached == []
    assert found["endpoint mine"].state is State.FAULT
    assert "redirect (HTTP 302)" in found["endpoint mine"].seen


def test_no_proxy_stands_between(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with answering(body=listed("a")) as (url, _):
        assert list_models(url, "").models == {"a"}


def test_an_endpoint_that_is_not_there_is_unreachable():
    with answering() as (url, _):
        pass
    found = by_check(probe(mine(url), []))["endpoint mine"]
    assert found.state is State.FAULT
    assert "unreachable" in found.seen


def test_an_endpoint_that_says_nothing_is_given_up():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = list_models(f"http://127.0.0.1:{silent.getsockname()[1]}/v1", KEY, timeout=0.2)
    assert found.status == 0
    assert "no answer within" in found.fault


def test_a_model_that_is_not_listed_is_a_warning_with_the_near_one():
    near = check_listed("mine/qwen-72B", frozenset({"Qwen/qwen-72b", "other"}))
    assert near.state is State.WARNING
    assert "'Qwen/qwen-72b'" in near.advice
    assert check_listed("mine/gemini", frozenset({"models/gemini"})).state is State.OK
    assert "did you mean" not in check_listed("mine/x", frozenset({"y"})).advice


@pytest.mark.parametrize("value", [None, "", "   ", "with\nnewline", "schlüssel-schlüssel"])
def test_a_key_that_is_none_is_a_fault_and_nothing_is_asked(monkeypatch, value):
    monkeypatch.delenv("DOCTORS_KEY")
    if value is not None:
        monkeypatch.setenv("DOCTORS_KEY", value)
    with answering(body=listed("a")) as (url, asked):
        (found,) = probe(mine(url, "DOCTORS_KEY"), ["mine/a"])
    assert asked == []
    assert found.state is State.FAULT
    assert found.advice == "export DOCTORS_KEY=..."


def test_lanes_without_an_address_are_not_probed(tmp_path):
    (routed,) = probe(mine(lane="router", provider="groq"), ["mine/a"])
    assert (routed.state, "not probed" in routed.seen) == (State.OK, True)
    assert probe(mine(lane="local", folder=str(tmp_path)), [])[0].state is State.OK
    assert probe(mine(lane="local", folder=str(tmp_path / "none")), [])[0].state is State.FAULT
    assert probe(mine(lane="local", folder=str(tmp_path)), ["mine/../b.gguf"])[0].state is State.FAULT


# -- settings, prices, prompts


def test_settings_are_named_without_their_urls(monkeypatch, tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("endpoints:\n  mine: {url: 'http://127.0.0.1:9/v1', key: DOCTORS_KEY}\n")
    monkeypatch.setenv("SYNTH_SETTINGS", str(file))
    reach, found = check_settings(["two=http://127.0.0.1:8/v1"])
    assert set(reach.endpoints) == {"mine", "two"}
    assert found.state is State.OK
    assert "mine (wire), two (wire)" in found.seen


def test_a_settings_file_that_breaks_a_rule_is_a_fault_that_quotes_nothing(monkeypatch, tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text(f"endpoints:\n  mine: {{url: 'https://me:{KEY}@example.org/v1'}}\n")
    monkeypatch.setenv("SYNTH_SETTINGS", str(file))
    reach, found = check_settings([])
    assert reach.endpoints == {}
    assert found.state is State.FAULT
    assert "settings.yaml:2" in found.seen
    assert KEY[:12] not in f"{found.seen}{found.advice}"


def test_an_endpoint_given_wrongly_is_a_usage_error():
    with pytest.raises(UsageError):
        check_settings(["mine"])


def test_prices_are_told_with_whose_they_are():
    openai = mine("https://api.openai.com/v1")
    table = PriceTable.shipped()
    told = check_price("mine/gpt-4o-mini", openai, table)
    assert told.state is State.OK
    assert told.seen == (f"$0.15 read, $0.075 cached, $0.60 written, for a million tokens ({table.version})")
    own = check_price("mine/gpt-4o-mini", openai, table.with_own({"mine": {"*": Price(1, 2)}}))
    assert own.seen == "$0.000001 read, $0.000002 written, for a million tokens (your settings)"
    unknown = check_price("mine/nobodys", openai, table)
    assert unknown.state is State.FAULT
    assert "prices: nobodys" in unknown.advice
    assert check_price("offline", {}, table).seen == "free"


def test_an_alias_that_is_not_set_is_a_fault():
    found = check_alias("mine/a", {})
    assert found is not None
    assert found.state is State.FAULT
    assert check_alias("offline", {}) is None


def asked(program, text):
    return make_request(
        Identity("m", "offline", ""),
        program=program,
        contract=Contract("scene", 1),
        messages=(Message("user", text),),
        parameters=Parameters(),
    )


def test_a_prefix_ends_where_two_prompts_differ():
    (found,) = prefixes([asked("write", "same words, one"), asked("write", "same words, two"), asked("event", "alone")])
    assert (found.program, found.prompts) == ("write", 2)
    assert found.share == len("same words, ") / len("same words, one")
    assert prefixes([asked("write", "once"), asked("write", "once")]) == []


@given(st.lists(st.text(max_size=20), min_size=2, max_size=6, unique=True))
def test_a_prefix_is_common_to_all_and_no_longer_one_is(texts):
    (found,) = prefixes([asked("write", text) for text in texts])
    same = max(n for n in range(21) if len({text[:n] for text in texts}) == 1)
    length = min(same, *map(len, texts))
    assert found.share * sum(map(len, texts)) == pytest.approx(length * len(texts))


def test_the_prompts_of_a_recipe_are_measured():
    inventory = take_stock(Recipe.of(TINY), Shelves())
    questions = sample_questions(inventory)
    measured = {one.program: one for one in prefixes(questions)}
    assert set(measured) == {"annotate", "contrast", "event", "reply", "vary", "write"}
    assert all(0 < one.share < 1 and one.tokens > 0 for one in measured.values())
    assert sample_questions(inventory) == questions
    assert "annotate" in check_prefixes(questions).seen
    assert "not measured" in check_prefixes([]).seen


# -- the whole


def test_a_sound_place_has_no_fault(tmp_path):
    found = examine(None, folder=tmp_path)
    assert [one.check for one in found] == ["version", "package", "content", "disk", "locks", "open files", "settings"]
    assert not [one for one in found if one.state is State.FAULT]


def test_a_recipe_probes_only_what_it_names():
    recipe = Recipe.of(TINY | {"models": {"writer": "mine/a"}})
    with answering(body=listed("a")) as (url, reached), answering() as (other, unreached):
        found = by_check(examine((recipe, Path()), [f"mine={url}", f"other={other}"]))
    assert len(reached) == 1
    assert unreached == []
    assert found["model mine/a"].state is State.OK
    assert found["price of mine/a"].seen == "free"
    assert "endpoint other" not in found


def test_a_model_of_a_recipe_without_endpoint_is_a_fault_and_the_rest_is_looked_at():
    recipe = Recipe.of(TINY | {"models": {"writer": "gone/a", "annotators": ["offline"]}})
    found = by_check(examine((recipe, Path()), []))
    assert found["model gone/a"].state is State.FAULT
    assert found["price of offline"].state is State.OK


def test_asking_puts_one_real_question_to_each_model():
    recipe = Recipe.of(TINY | {"models": {"writer": "mine/a", "annotators": ["mine/b", "offline"]}})
    with Server(OfflineModel(Shelves())) as server:
        found = by_check(examine((recipe, Path()), [f"mine={server.url}"], ask=True))
        import urllib.request

        with urllib.request.urlopen(f"{server.url.removesuffix('/v1')}/stats") as stats:
            assert json.load(stats)["requests"] == 2
    assert {found[f"answer of mine/{name}"].state for name in "ab"} == {State.OK}


def test_asking_without_a_recipe_is_a_usage_error():
    with pytest.raises(UsageError, match="--ask"):
        examine(None, ask=True)


def test_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examine((Recipe.of(TINY), Path()), folder=Path("build"))
    assert list(tmp_path.iterdir()) == []
