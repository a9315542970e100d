"""The forms of answer, as JSON Schema: what endpoints are told, and what they are not."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from pydantic import BaseModel, ValidationError

from synth.models.base import Contract, Identity, Parameters, ledger_key, make_request
from synth.models.forms import Form, body_of, is_strict
from synth.programs import contracts
from synth.programs.contracts import (
    CLOSED,
    CONTRAST,
    EVENT,
    JUDGE,
    LABELS,
    REASONED,
    REPLY,
    SCENE,
    VERIFY,
    ClaimsAnswer,
    ContrastAnswer,
    EventAnswer,
    LabelsAnswer,
    ProbesAnswer,
    ReasonedAnswer,
    ReplyAnswer,
    SceneAnswer,
    shape,
)
from synth.records.labels import Cue
from synth.records.schema import Message

ALL = {
    EVENT: EventAnswer,
    SCENE: SceneAnswer,
    REPLY: ReplyAnswer,
    REASONED: ReasonedAnswer,
    CONTRAST: ContrastAnswer,
    LABELS: LabelsAnswer,
    VERIFY: ClaimsAnswer,
    JUDGE: ProbesAnswer,
}
IDENTITY = Identity("m", "local", "")


@pytest.mark.parametrize("contract", ALL, ids=lambda one: one.name)
def test_a_key_is_the_same_with_and_without_a_schema(contract):
    bare = Contract(contract.name, contract.version)
    asked = {"program": "p", "messages": (Message("user", "x"),), "parameters": Parameters(), "draw": 0}
    assert contract.schema is not None
    assert ledger_key(IDENTITY, contract=contract, **asked) == ledger_key(IDENTITY, contract=bare, **asked)
    assert (contract, repr(contract)) == (bare, repr(bare))


def test_a_key_is_what_it_was_before_there_were_schemas():
    # the scene's first version, of that time
    request = make_request(
        IDENTITY,
        program="write",
        contract=replace(SCENE, version=1),
        messages=(Message("user", "x"),),
        parameters=Parameters(),
    )
    assert request.key == "2f617bad0a56a6a6f22c464011444414"


@pytest.mark.parametrize("contract", ALL, ids=lambda one: one.name)
def test_all_but_the_open_facts_keep_to_the_strict_subset(contract):
    assert contract.schema is not None
    assert is_strict(contract.schema()) is (contract is not EVENT)
    assert contract.schema() is contract.schema()


def test_the_offline_writer_s_own_is_not_asked_of_others():
    assert EVENT.schema is not None
    assert SCENE.schema is not None
    assert list(EVENT.schema()["properties"]) == ["particulars", "facts"]
    assert list(SCENE.schema()["properties"]) == ["setting", "request", "turns"]
    turn = SCENE.schema()["properties"]["turns"]["items"]
    assert turn["required"] == ["by", "to", "text", "facts", "cues"]
    cue = turn["properties"]["cues"]["items"]["properties"]
    assert cue == {"kind": {"enum": [str(one) for one in Cue], "type": "string"}, "quote": {"type": "string"}}


def least(schema):
    """Give the smallest value that a schema admits."""
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "object":
        return {name: least(schema["properties"][name]) for name in schema.get("required", ())}
    if schema["type"] == "array":
        return [least(schema["items"])]
    return {"string": "x", "number": 0.5, "integer": 0}[schema["type"]]


def held(schema, value):
    """Give of a value what its schema speaks of."""
    if "properties" in schema:
        return {name: held(member, value[name]) for name, member in schema["properties"].items()}
    return [held(schema["items"], one) for one in value] if "items" in schema else value


@pytest.mark.parametrize("contract", ALL, ids=lambda one: one.name)
def test_what_a_schema_asks_for_is_what_the_contract_admits(contract):
    assert contract.schema is not None
    schema = contract.schema()
    value = least(schema)
    if contract is LABELS:
        # a value out of its field's closed list, which the schema cannot say
        value["labels"][0]["value"] = CLOSED["goal"][0]
    assert held(schema, ALL[contract].model_validate(value).model_dump(mode="json")) == value


def test_no_words_of_ours_reach_a_model_through_a_schema():
    for contract in ALL:
        body = body_of(
            make_request(IDENTITY, program="p", contract=contract, messages=(), parameters=Parameters()), Form()
        )
        assert "description" not in str(body)
        assert "title" not in str(body)


def test_references_choices_and_members_named_like_keywords_are_kept():
    class Inner(BaseModel):
        title: str = ""

    class Outer(BaseModel):
        description: Inner | None = None
        default: list[Inner] = []

    inner = {
        "type": "object",
        "properties": {"title": {"type": "string"}},
        "required": ["title"],
        "additionalProperties": False,
    }
    made = shape(Outer.model_json_schema())
    assert made["properties"] == {
        "description": {"anyOf": [inner, {"type": "null"}]},
        "default": {"type": "array", "items": inner},
    }
    assert is_strict(made)


def test_no_schema_is_made_before_it_is_asked_for():
    program = (
        "from synth.programs import contracts as c\n"
        "asked = (c.EVENT, c.SCENE, c.REPLY, c.REASONED, c.CONTRAST, c.LABELS, c.VERIFY, c.JUDGE)\n"
        "made = [one.schema.cache_info().currsize for one in asked]\n"
        "assert made == [0] * 8, made\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=contracts.__file__.rsplit("/synth/", 1)[0], check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("field", "value", "is_one"),
    [
        ("emotion", "grief", True),
        ("felt", 2, True),
        ("felt", "3", True),
        ("shown", 4, False),
        ("emotion", "I'm going to be okay.", False),
        ("emotion", "...", False),
        ("mood", "grief", False),
        ("power_form", "up", True),
        ("power_form", "upwards", False),
    ],
)
def test_a_label_out_of_no_list_is_no_label(field, value, is_one):
    answer = {"labels": [{"field": field, "value": value, "quote": "x"}]}
    if is_one:
        assert LabelsAnswer.model_validate(answer).labels[0].value == str(value)
    else:
        with pytest.raises(ValidationError):
            LabelsAnswer.model_validate(answer)
