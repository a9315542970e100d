"""A person's settings: what they may say, and that nothing of a fault is quoted that could be a key."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.building.settings import read_endpoints, settings_file
from synth.errors import UsageError
from synth.models.base import Endpoint

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
