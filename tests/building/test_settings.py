"""A person's settings: what they may say, and that nothing of a fault is quoted that could be a key."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.building.settings import RunSettings, check_aliases, read_endpoints, read_reach, settings_file
from synth.errors import UsageError
from synth.models.base import Endpoint
from synth.models.prices import Price

WHOLE = """
endpoints:
  mine:
    url: http://127.0.0.1:8000/v1/
    revision: abc
    key: MY_KEY
    timeout: 30
    terms: Llama 3.3 Community License
    licence: llama3.3
    family: llama
  plain: {url: "https://example.org/v1"}
"""
LANES = """
endpoints:
  open: {lane: responses, url: "https://api.openai.com/v1", key: OPENAI_API_KEY, form: json}
  night: {lane: batch, url: "https://api.openai.com/v1", key: OPENAI_API_KEY}
  routed: {lane: router, provider: mistral, key: MISTRAL_API_KEY}
  proxied: {lane: router, provider: azure, url: "https://me.example/openai"}
  disk: {lane: local, folder: models/gguf}
  far: {lane: local, folder: /srv/gguf, form: plain}
"""
PRICED = """
endpoints:
  mine:
    url: https://a.example/v1
    prices:
      gpt-4.1/mini: {read: 0.15, written: "0.60", cached: 0.075}
      "*": {read: 1, written: 1000000}
  free: {url: "https://b.example/v1", prices: {"*": {read: 0, written: 0}}}
  none: {url: "https://c.example/v1"}
"""
SECRET = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No person's own settings: an empty configuration folder."""
    monkeypatch.delenv("SYNTH_SETTINGS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def page(monkeypatch, tmp_path):
    """A function that writes the settings file and names it."""

    def write(text):
        file = tmp_path / "mine.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        monkeypatch.setenv("SYNTH_SETTINGS", str(file))
        return file

    return write


def test_an_endpoint_says_where_a_model_is_and_what_it_is(page):
    page(WHOLE)
    stated = ("Llama 3.3 Community License", "llama3.3", "llama")
    mine = Endpoint("mine", "http://127.0.0.1:8000/v1", "abc", "MY_KEY", 30.0, *stated)
    assert read_endpoints() == {"mine": mine, "plain": Endpoint("plain", "https://example.org/v1", "", None)}


def test_a_given_endpoint_changes_address_and_key_and_nothing_else(page):
    page(WHOLE)
    found = read_endpoints(["mine=http://127.0.0.1:9/v1", "new=https://a.example/v1,NEW_KEY"])
    stated = ("Llama 3.3 Community License", "llama3.3", "llama")
    assert found["mine"] == Endpoint("mine", "http://127.0.0.1:9/v1", "abc", None, 30.0, *stated)
    assert found["new"] == Endpoint("new", "https://a.example/v1", "", "NEW_KEY")


def test_an_endpoint_says_by_which_lane_it_is_reached(page, tmp_path):
    page(LANES)
    url = "https://api.openai.com/v1"
    assert read_endpoints() == {
        "open": Endpoint("open", url, "", "OPENAI_API_KEY", lane="responses", form="json"),
        "night": Endpoint("night", url, "", "OPENAI_API_KEY", lane="batch"),
        "routed": Endpoint("routed", None, "", "MISTRAL_API_KEY", lane="router", provider="mistral"),
        "proxied": Endpoint("proxied", "https://me.example/openai", "", None, lane="router", provider="azure"),
        "disk": Endpoint("disk", None, "", None, lane="local", folder=str(tmp_path / "models" / "gguf")),
        "far": Endpoint("far", None, "", None, lane="local", folder="/srv/gguf", form="plain"),
    }


def test_a_given_address_keeps_the_lane_and_a_folder_of_files_has_none(page):
    page(LANES)
    moved = read_endpoints(["night=http://127.0.0.1:9/v1"])["night"]
    assert (moved.lane, moved.url, moved.key_variable) == ("batch", "http://127.0.0.1:9/v1", None)
    with pytest.raises(UsageError, match="'disk' is of the lane local"):
        read_endpoints(["disk=http://127.0.0.1:9/v1"])


def test_a_recipe_may_name_every_endpoint_that_is_set(page):
    page(LANES)
    known = read_endpoints()
    check_aliases(["offline", *(f"{alias}/model" for alias in known)], known)
    with pytest.raises(UsageError, match="did you mean 'night'"):
        check_aliases(["nigt/model"], known)
    with pytest.raises(UsageError, match="'mine' has no url, which the lane wire needs"):
        check_aliases(["mine/model"], {"mine": Endpoint("mine", None, "", None)})
    with pytest.raises(UsageError, match="'mine' has no folder, which the lane local needs"):
        check_aliases(["mine/model"], {"mine": Endpoint("mine", None, "", None, lane="local")})


def test_prices_are_exact_integers_of_micro_units(page):
    page(PRICED)
    assert read_reach().prices == {
        "mine": {"gpt-4.1/mini": Price(150_000, 600_000, 75_000), "*": Price(1_000_000, 1_000_000_000_000)},
        "free": {"*": Price(0, 0)},
    }
    assert set(read_reach(["mine=http://127.0.0.1:9/v1"]).prices) == {"mine", "free"}, "an address changes no price"


def test_nothing_is_limited_or_priced_unless_it_is_said():
    plain = RunSettings()
    assert (plain.max_cost, plain.max_run_cost, plain.allow_unpriced, plain.wait) == (None, None, False, False)
    assert (plain.endpoints, plain.prices) == ({}, {})


@pytest.mark.parametrize("text", ["", "# nothing\n", "endpoints: {}\n", "\ufeffendpoints: {}\n"])
def test_no_endpoint_is_no_fault(page, text):
    assert read_endpoints() == {}
    page(text)
    assert read_endpoints() == {}


def test_the_null_device_is_an_empty_file(monkeypatch):
    monkeypatch.setenv("SYNTH_SETTINGS", os.devnull)
    assert read_endpoints() == {}


def test_the_usual_place_is_read(tmp_path):
    file = tmp_path / "config" / "humane-synth" / "settings.yaml"
    assert settings_file() == file
    file.parent.mkdir(parents=True)
    file.write_text(WHOLE)
    assert set(read_endpoints()) == {"mine", "plain"}


def test_a_named_file_that_is_not_there_is_a_fault(monkeypatch, tmp_path):
    for path in (tmp_path / "nothing.yaml", tmp_path / "no" / "folder.yaml"):
        monkeypatch.setenv("SYNTH_SETTINGS", str(path))
        with pytest.raises(UsageError, match="there is no such file") as fault:
            read_endpoints()
        assert str(fault.value).startswith(str(path))


def test_a_file_that_cannot_be_read_is_named(page, monkeypatch, tmp_path):
    file = page("endpoints: {}\n# \N{LATIN SMALL LETTER E WITH ACUTE}\n".encode("latin-1"))
    with pytest.raises(UsageError, match="not UTF-8") as fault:
        read_endpoints()
    assert str(fault.value).startswith(str(file))
    monkeypatch.setenv("SYNTH_SETTINGS", str(tmp_path))
    with pytest.raises(UsageError, match="cannot be read") as fault:
        read_endpoints()
    assert str(fault.value).startswith(str(tmp_path))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_file_of_somebody_else_is_named(page):
    file = page(WHOLE)
    file.chmod(0)
    with pytest.raises(UsageError, match="Permission denied"):
        read_endpoints()


@pytest.mark.parametrize(
    ("line", "place", "says"),
    [
        ("  mine: {url: ftp://a.example}", ":2:10: ", "plain http or https"),
        ("  mine: {url: 'http://'}", ":2:10: ", "plain http or https"),
        (f"  mine: {{url: 'https://me:{SECRET}@a.example/v1'}}", ":2:10: ", "plain http or https"),
        (f"  mine: {{url: 'https://a.example/v1?key={SECRET}'}}", ":2:10: ", "plain http or https"),
        (f"  mine: {{url: 'http://a.example', key: {SECRET}}}", ":2:35: ", "name of the environment variable"),
        ("  mine: {url: 'http://a.example', keys: A}", ":2:35: ", "did you mean 'key'"),
        ("  mine: {url: 'http://a.example', revision: 2025-11-03}", ":2:35: ", "write it in quotes"),
        (f"  mine: {{key: A, key: {SECRET}}}", ":2:18: ", 'duplicate key "key"'),
        ("  mine: {key: A}", ":2:", "url is missing"),
        ("  My: {url: 'http://a.example'}", ":2:3: ", "'My' is no alias"),
        ('  mine: {url: "http://a.example", terms: "a\\nb"}', ":2:35: ", "terms"),
        ("  mine: {url: 'http://a.example', timeout: 0}", ":2:35: ", "greater than 0"),
        ("  mine: {lane: batch, key: A}", ":2:3: ", "url is missing: the lane batch needs it"),
        ("  mine: {provider: mistral}", ":2:3: ", "or write lane: router"),
        ("  mine: {folder: here}", ":2:3: ", "or write lane: local"),
        ("  mine: {lane: router, url: 'http://a.example'}", ":2:3: ", "provider is missing: the lane router needs it"),
        ("  mine: {lane: local}", ":2:3: ", "folder is missing: the lane local needs it"),
        ("  mine: {lane: local, folder: a, key: A}", ":2:3: ", "url and key are not for it"),
        ("  mine: {url: 'http://a.example', folder: a}", ":2:3: ", "folder is for the lane local"),
        (
            "  mine: {lane: roter, provider: mistral}",
            ":2:10: ",
            "did you mean 'router'? valid: batch, local, responses",
        ),
        (f"  mine: {{lane: {SECRET}}}", ":2:10: ", "is no lane"),
        (f"  mine: {{url: 'http://a.example', form: {SECRET}}}", ":2:35: ", "valid: json, plain, schema"),
        ("  offline: {lane: local, folder: a}", ":2:3: ", "that of the embedded model"),
        ("  mine: {url: 'http://a.example', prices: {m: {read: 1}}}", ":2:44: ", "written is missing"),
        ("  mine: {url: 'http://a.example', prices: {m: {read: -1, written: 1}}}", ":2:48: ", "is below zero"),
        ("  mine: {url: 'http://a.example', prices: {m: {read: 1, written: $5}}}", ":2:57: ", "leave the currency out"),
        ("  mine: {url: 'http://a.example', prices: {m: {read: '0,5', written: 1}}}", ":2:48: ", "a decimal point"),
        ("  mine: {url: 'http://a.example', prices: {m: {read: 0.0000001, written: 1}}}", ":2:48: ", "finer than"),
        (
            "  mine: {url: 'http://a.example', prices: {m: {read: 1000001, written: 1}}}",
            ":2:48: ",
            "more than 1,000,000",
        ),
        ("  mine: {url: 'http://a.example', prices: {m: {read: yes, written: 1}}}", ":2:48: ", "is not an amount"),
        ("  mine: {url: 'http://a.example', prices: {m: {read: true, written: 1}}}", ":2:48: ", "is not an amount"),
        ("  mine: {url: 'http://a.example', prices: {m: {reed: 1, written: 1}}}", ":2:48: ", "did you mean 'read'"),
        ("  mine: {url: 'http://a.example', prices: 3}", ":2:35: ", "prices"),
    ],
)
def test_a_fault_is_placed_and_quotes_no_secret(page, line, place, says):
    file = page(f"endpoints:\n{line}\n")
    with pytest.raises(UsageError) as fault:
        read_endpoints()
    told = str(fault.value)
    assert told.startswith(f"{file}{place}")
    assert says in told
    assert SECRET not in told


@pytest.mark.parametrize(
    "word",
    [
        f"mine={SECRET}",
        f"mine=http://{SECRET}@a.example/v1",
        f"mine=http://a.example/v1,{SECRET}",
        f"mine=http://a.example/v1?key={SECRET}",
        f"mine=http://a.example:{SECRET}/v1",
        f"Mine={SECRET}",
        f"={SECRET}",
        SECRET,
    ],
)
def test_a_given_endpoint_that_is_none_is_refused_without_its_words(word):
    with pytest.raises(UsageError, match="alias=URL") as fault:
        read_endpoints([word])
    assert SECRET not in str(fault.value)
    assert fault.value.__context__ is None or fault.value.__suppress_context__


@given(url=st.text(max_size=30))
def test_whatever_is_given_is_an_endpoint_or_a_usage_error(url):
    try:
        found = read_endpoints([f"mine={url}", f"other=http://{url}"])
    except UsageError:
        return
    assert {one.url.partition(":")[0] for one in found.values()} <= {"http", "https"}


_WORDS = st.sampled_from(["wire", "batch", "router", "local", "http://a.example/v1", "5", "", "A_KEY", "json"])
_VALUES = st.one_of(_WORDS, st.text(max_size=8), st.integers(), st.floats(), st.booleans(), st.none())
_PRICES = st.dictionaries(st.text(max_size=4), st.dictionaries(st.sampled_from(["read", "written", "cached"]), _VALUES))
_FIELDS = st.sampled_from(["lane", "url", "provider", "folder", "form", "key", "timeout", "revision", "family"])


@given(
    fields=st.dictionaries(_FIELDS, _VALUES),
    prices=st.one_of(st.none(), _VALUES, _PRICES),
    alias=st.one_of(st.just("mine"), st.just("offline"), st.text(max_size=4)),
)
def test_whatever_a_page_says_is_settings_or_a_usage_error(tmp_path_factory, fields, prices, alias):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(json.dumps({"endpoints": {alias: fields | ({} if prices is None else {"prices": prices})}}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNTH_SETTINGS", str(file))
        try:
            reach = read_reach()
        except UsageError as error:
            reach, told = None, str(error)
    if reach is None:
        assert told.startswith(str(file))
        return
    check_aliases([f"{alias}/m"], reach.endpoints)
    for own in reach.prices.values():
        assert all(isinstance(one.read, int) and 0 <= one.read <= 10**12 for one in own.values())
