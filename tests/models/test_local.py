"""The lane `local`: which file is opened, always; and, where SYNTH_REAL_MODEL names a GGUF file, what it answers."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.errors import BadRequest, UsageError
from synth.models.base import Contract, Endpoint, Identity, Parameters, open_model
from synth.models.local import CONTEXT, LocalModel, model_file
from synth.records.labels import Outcome

HERE = Endpoint("here", None, "2026-01", None, 60.0, lane="local")


@pytest.fixture
def folder(tmp_path):
    there = tmp_path / "models"
    (there / "deep").mkdir(parents=True)
    for name in ("small.gguf", "Large.GGUF", "notes.txt", "deep/inner.gguf"):
        (there / name).write_bytes(b"GGUF")
    (tmp_path / "outside.gguf").write_bytes(b"GGUF")
    return there


@pytest.fixture
def there(folder):
    return replace(HERE, folder=str(folder))


# -- which file


@pytest.mark.parametrize("name", ["small.gguf", "Large.GGUF"])
def test_a_file_of_the_folder_is_found_by_its_name(there, folder, name):
    assert model_file(there, name) == folder / name


@pytest.mark.parametrize(
    "name",
    [
        "../outside.gguf",
        "..",
        ".",
        "deep/inner.gguf",
        "deep/../small.gguf",
        "deep\\inner.gguf",
        "C:small.gguf",
        "C:\\small.gguf",
        "./small.gguf",
        "small.gguf/",
        "small.gguf\x00",
        "notes.txt",
        "deep",
        "",
    ],
)
def test_nothing_but_a_plain_name_of_a_gguf_file_is_taken(there, name):
    with pytest.raises(UsageError, match="holds no GGUF file") as caught:
        model_file(there, name)
    assert "Large.GGUF, small.gguf" in caught.value.hint


def test_an_absolute_path_is_not_taken(there, folder):
    for path in (folder / "small.gguf", folder.parent / "outside.gguf"):
        with pytest.raises(UsageError, match="holds no GGUF file"):
            model_file(there, str(path))


@given(name=st.text(st.sampled_from("./\\:~ small.gguf\x00*?[]outsidedeep"), max_size=30))
def test_no_name_leads_out_of_the_folder(tmp_path_factory, name):
    folder = tmp_path_factory.getbasetemp() / "any-name"
    folder.mkdir(exist_ok=True)
    (folder / "small.gguf").touch()
    try:
        found = model_file(replace(HERE, folder=str(folder)), name)
    except UsageError:
        return
    assert found.parent == folder
    assert found.name == name


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_link_is_followed_within_the_folder_only(there, folder):
    (folder / "out.gguf").symlink_to(folder.parent / "outside.gguf")
    (folder / "inner.gguf").symlink_to(folder / "deep" / "inner.gguf")
    (folder / "gone.gguf").symlink_to(folder / "nothing.gguf")
    (folder / "same.gguf").symlink_to("small.gguf")
    for name in ("out.gguf", "inner.gguf", "gone.gguf"):
        with pytest.raises(UsageError, match="holds no GGUF file") as caught:
            model_file(there, name)
        assert name not in caught.value.hint
    assert model_file(there, "same.gguf") == folder / "same.gguf"


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_the_folder_itself_may_be_a_link(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    assert model_file(replace(HERE, folder=str(tmp_path / "link")), "small.gguf") == folder.resolve() / "small.gguf"


def test_a_misspelled_name_is_told_its_nearest(there):
    with pytest.raises(UsageError, match=r"did you mean 'small\.gguf'"):
        open_model("here/smal.gguf", {"here": there})


def test_an_empty_folder_says_so(tmp_path):
    with pytest.raises(UsageError, match="there are none"):
        model_file(replace(HERE, folder=str(tmp_path)), "small.gguf")


@pytest.mark.parametrize("folder", ["", "models", "../models", "/nowhere/at/all"])
def test_the_folder_is_an_absolute_path_that_is_there(folder):
    with pytest.raises(UsageError, match="folder of endpoint 'here'") as caught:
        open_model("here/small.gguf", {"here": replace(HERE, folder=folder)})
    assert "absolute path" in str(caught.value)


def test_without_the_package_it_says_what_to_install(there, monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(UsageError, match="xllamacpp") as caught:
        open_model("here/small.gguf", {"here": there})
    assert caught.value.hint == "pip install 'humane-synth[local]'"


# -- what it answers


@pytest.fixture
def model():
    """The real model, not loaded yet."""
    file = os.environ.get("SYNTH_REAL_MODEL")
    if not file or importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("SYNTH_REAL_MODEL names no GGUF file, or xllamacpp is not installed")
    path = Path(file).resolve()
    return open_model(f"here/{path.name}", {"here": replace(HERE, folder=str(path.parent))})


@pytest.fixture
def ask(question):
    def make(text, model, **parameters):
        identity = Identity(model.name.partition("/")[2], "here", "2026-01")
        return question(text, identity=identity, parameters=Parameters(temperature=0.8, max_tokens=24, **parameters))

    return make


def run(*steps):
    async def all_of_them():
        return [await step() for step in steps]

    return asyncio.run(all_of_them())


@pytest.mark.real_model
def test_a_real_model_answers_and_reports_no_path(model, ask, capfd):
    (answer, _) = run(lambda: model.attempt(ask("Say hello.", model)), model.close)
    assert answer.outcome in {Outcome.OK, Outcome.TRUNCATED}
    assert answer.text
    assert 0 < answer.usage.tokens_out <= 24
    assert answer.model_reported == model.name.partition("/")[2]
    assert capfd.readouterr() == ("", "")


@pytest.mark.real_model
def test_the_same_question_has_the_same_answer_and_another_seed_another(model, ask):
    first, again, other, _ = run(
        lambda: model.attempt(ask("Tell a story.", model)),
        lambda: model.attempt(ask("Tell a story.", model)),
        lambda: model.attempt(ask("Tell a story.", model, seed=1)),
        model.close,
    )
    assert first.text == again.text
    assert first.text != other.text


@pytest.mark.real_model
def test_a_contract_with_a_schema_is_answered_in_its_shape(model, ask):
    shape = {
        "type": "object",
        "properties": {"feeling": {"enum": ["joy", "fear"]}},
        "required": ["feeling"],
        "additionalProperties": False,
    }
    request = replace(ask("What do they feel?", model), contract=Contract("labels", 1, lambda: shape))
    answer, _ = run(lambda: model.attempt(request), model.close)
    assert json.loads(answer.text)["feeling"] in {"joy", "fear"}


@pytest.mark.real_model
def test_close_stops_the_server_and_another_attempt_starts_it_again(model, ask):
    def address():
        parts = urlsplit(model._server.listening_address)
        return parts.hostname, parts.port

    async def through():
        await model.attempt(ask("Say hello.", model))
        host, port = address()
        await model.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, port), timeout=5).close()
        answer = await model.attempt(ask("Say hello.", model))
        await model.close()
        return host, answer

    host, answer = asyncio.run(through())
    assert host == "127.0.0.1"
    assert answer.text


@pytest.mark.real_model
def test_a_question_longer_than_the_context_is_a_bad_request(model, ask):
    async def through():
        try:
            await model.attempt(ask("word " * CONTEXT, model))
        finally:
            await model.close()

    with pytest.raises(BadRequest, match="context"):
        asyncio.run(through())


@pytest.mark.real_model
def test_a_file_that_is_no_model_is_a_usage_error(model, ask, folder, there):
    broken = open_model("here/small.gguf", {"here": there})
    assert isinstance(broken, LocalModel)
    with pytest.raises(UsageError, match=r"cannot load 'small\.gguf'") as caught:
        asyncio.run(broken.attempt(ask("Say hello.", broken)))
    assert str(folder) not in str(caught.value)
