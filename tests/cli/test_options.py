"""What several commands take: settings and endpoints, and what a fault in them says and does not say."""

from __future__ import annotations

import os

import pytest

SECRET = "sk-very-secret-0123456789"


@pytest.fixture
def build(invoke, tiny_recipe, tmp_path, monkeypatch):
    """A function that builds into tmp_path/b with given words, settings named by SYNTH_SETTINGS."""

    def call(*words, settings=os.devnull):
        monkeypatch.setenv("SYNTH_SETTINGS", str(settings))
        return invoke("build", tiny_recipe, "-o", tmp_path / "b", *words)

    return call


@pytest.mark.parametrize("kind", ["missing", "folder", "latin-1", "not yaml", "unknown key", "a list"])
def test_settings_that_cannot_be_read_end_with_2_and_their_path(build, tmp_path, kind):
    path = tmp_path / "settings.yaml"
    texts = {"latin-1": b"# \xe9\n", "not yaml": b"endpoints: [", "unknown key": b"endpoint: {}\n", "a list": b"- a\n"}
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(texts[kind])
    answer = build(settings=path)
    assert answer.exit_code == 2, answer.output
    assert str(path) in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    "word", [f"mine={SECRET}", f"mine=http://a.example/v1,{SECRET}", f"mine=https://me:{SECRET}@a.example/v1", SECRET]
)
def test_a_fault_of_an_endpoint_quotes_nothing_that_could_be_a_key(build, tmp_path, word):
    answer = build("--endpoint", word)
    assert answer.exit_code == 2, answer.output
    assert "alias=URL" in answer.stderr
    assert SECRET not in answer.output
    assert not (tmp_path / "b").exists()


def test_a_recipe_is_named_or_the_nearest_is_told(invoke):
    assert invoke("plan", "quickstart", "--records", "24").exit_code == 0
    answer = invoke("plan", "quickstrat")
    assert answer.exit_code == 2
    assert "did you mean 'quickstart'?" in answer.stderr
