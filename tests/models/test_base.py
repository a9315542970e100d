from __future__ import annotations

import json
from dataclasses import fields, replace
from importlib.metadata import EntryPoint

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.errors import UsageError
from synth.models import base
from synth.models.base import (
    Contract,
    Endpoint,
    Identity,
    Parameters,
    Request,
    canonical_json,
    identity_of,
    ledger_key,
    make_request,
    open_model,
)
from synth.models.tokens import estimate_tokens, worst_case
from synth.models.wire import WireModel
from synth.records.schema import Message

LOCAL = Endpoint("local", "http://127.0.0.1:9/v1", "r1", None)
QUESTION = {
    "program": "write",
    "contract": Contract("scene", 1),
    "messages": (Message("system", "Be kind."), Message("user", "¿Qué pasó?")),
    "parameters": Parameters(temperature=0.7, seed=5),
}
IDENTITY = Identity("m", "local", "r1")


def test_the_key_is_the_stored_format():
    # a changed key would buy every answer of every build again
    assert ledger_key(IDENTITY, **QUESTION) == "e6ad9b55b5cd34ae5684855ee0d094f2"


@pytest.mark.parametrize(
    "change",
    [
        {"program": "vary"},
        {"contract": Contract("scene", 2)},
        {"messages": (Message("user", "Be kind."), Message("user", "¿Qué pasó?"))},
        {"messages": (Message("system", "Be kind.¿Qué pasó?"),)},
        {"parameters": Parameters(temperature=0.7, seed=6)},
        {"parameters": Parameters(temperature=0.8, seed=5)},
        {"parameters": Parameters(top_p=0.7, seed=5)},
        {"parameters": Parameters(temperature=0.7, seed=5, max_tokens=10)},
        {"draw": 1},
        {"identity": Identity("n", "local", "r1")},
        {"identity": Identity("m", "other", "r1")},
        {"identity": Identity("m", "local", "r2")},
    ],
)
def test_whatever_decides_the_answer_changes_the_key(change):
    changed = {**QUESTION, **change}
    assert ledger_key(changed.pop("identity", IDENTITY), **changed) != ledger_key(IDENTITY, **QUESTION)


def test_one_temperature_written_two_ways_is_one_key():
    whole = {**QUESTION, "parameters": Parameters(temperature=1, top_p=1)}
    point = {**QUESTION, "parameters": Parameters(temperature=1.0, top_p=1.0)}
    assert ledger_key(IDENTITY, **whole) == ledger_key(IDENTITY, **point)


def test_a_request_has_nothing_but_what_a_model_sees_and_its_names():
    assert [field.name for field in fields(Request)] == [
        "model", "endpoint_alias", "revision", "program", "contract", "messages", "parameters", "draw", "key",
    ]  # fmt: skip
    request = make_request(IDENTITY, **QUESTION)
    assert request.key == ledger_key(IDENTITY, **QUESTION)
    assert len(bytes.fromhex(request.key)) == 16


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(st.characters()), st.lists))
def test_canonical_json_is_ascii_and_comes_back(value):
    text = canonical_json(value)
    assert text.isascii()
    assert json.loads(text) == value


def test_canonical_json_takes_lone_surrogates_and_no_nan():
    assert canonical_json("\ud83d") == b'"\\ud83d"'
    with pytest.raises(ValueError):
        canonical_json(float("nan"))


@given(st.text(st.characters(exclude_categories=[])))
def test_the_estimate_counts_code_points_by_their_bytes(text):
    weights = {1: 1, 2: 2, 3: 4, 4: 8}
    quarters = sum(weights[len(char.encode("utf-8", "surrogatepass"))] for char in text)
    assert estimate_tokens(text) == -(-quarters // 4)


def test_the_estimate_is_about_right_for_known_texts():
    assert estimate_tokens("") == 0
    assert estimate_tokens("four") == 1
    assert estimate_tokens("fives") == 2
    assert estimate_tokens("привет") == 3
    assert estimate_tokens("日本語") == 3


def test_the_worst_case_holds_prompt_and_longest_answer():
    request = make_request(IDENTITY, **{**QUESTION, "parameters": Parameters(max_tokens=100)})
    assert worst_case(request) == 8 + estimate_tokens("Be kind.") + estimate_tokens("¿Qué pasó?") + 100


def test_names_stand_for_the_same_model_in_every_lane():
    served = Endpoint("offline", "http://127.0.0.1:9/v1", "", None)
    assert (
        identity_of("offline", {}) == identity_of("offline", {"offline": served}) == Identity("offline", "offline", "")
    )
    moved = replace(LOCAL, url="https://elsewhere.example/v1")
    assert identity_of("local/a/b", {"local": LOCAL}) == identity_of("local/a/b", {"local": moved})
    assert identity_of("local/a/b", {"local": LOCAL}) == Identity("a/b", "local", "r1")


@pytest.mark.parametrize("name", ["", "m", "/m", "local/", "offline/m", "Offline"])
def test_a_name_of_neither_form_says_which_forms_there_are(name):
    with pytest.raises(UsageError, match="<alias>/<model>"):
        open_model(name, {"local": LOCAL})


def test_an_unknown_alias_names_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'local'"):
        open_model("locall/m", {"local": LOCAL})


def test_an_endpoint_with_a_url_is_reached_over_the_wire():
    assert isinstance(open_model("local/m", {"local": LOCAL}), WireModel)
    assert isinstance(open_model("offline", {"offline": replace(LOCAL, alias="offline")}), WireModel)


def test_the_embedded_model_is_found_without_an_installation(monkeypatch):
    monkeypatch.setattr(base, "_lanes", dict)
    model = open_model("offline", {})
    assert model.pure
    assert model.name == "offline"


def test_a_lane_of_another_distribution_is_found_by_its_entry_point(monkeypatch):
    # any callable of (name, endpoints) is a lane
    point = EntryPoint("toy", "synth.models.base:identity_of", "synth.models")
    monkeypatch.setattr(base, "_lanes", lambda: {"toy": point})
    assert open_model("toy/train", {}) == Identity("train", "toy", "")
    with pytest.raises(UsageError, match="toi"):
        open_model("toi/train", {})
