"""Bodies of endpoints, sound and broken: an answer, a typed error or a complaint, never a crash."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from synth.errors import Transient
from synth.models.base import Contract, Parameters, Rates, Request, Usage
from synth.models.envelope import MAX_QUOTE, read_answer, read_body, read_complaint, refusal
from synth.models.tokens import estimate_prompt, estimate_tokens
from synth.records.labels import Outcome


def completion(**usage):
    choice = {"finish_reason": "stop", "message": {"content": "yes"}}
    told = {"prompt_tokens": 100, "completion_tokens": 7, **usage}
    return {"id": "c-1", "model": "m-1", "system_fingerprint": "fp", "choices": [choice], "usage": told}


@pytest.mark.parametrize(
    ("told", "cached"),
    [
        ({}, 0),
        ({"prompt_tokens_details": {"cached_tokens": 64}}, 64),
        ({"prompt_tokens_details": None, "prompt_cache_hit_tokens": 32}, 32),
        ({"prompt_tokens_details": {"cached_tokens": 8}, "prompt_cache_hit_tokens": 32}, 8),
        ({"prompt_tokens_details": {"cached_tokens": 500}}, 100),
        ({"prompt_tokens_details": {"cached_tokens": -1}}, 0),
        ({"prompt_tokens_details": {"cached_tokens": True}}, 0),
        ({"prompt_tokens_details": [1], "prompt_cache_hit_tokens": "9"}, 0),
    ],
)
def test_tokens_from_the_prompt_cache_are_counted(question, told, cached):
    assert read_answer(question(), completion(**told), alias="local").usage == Usage(100, 7, cached)


def test_the_call_s_id_stands_before_the_envelope_s(question):
    rates = Rates()
    answer = read_answer(question(), completion(), alias="local", request_id="r-9", rates=rates)
    assert (answer.request_id, answer.rates, answer.fingerprint) == ("r-9", rates, "fp")
    assert read_answer(question(), completion(), alias="local").request_id == "c-1"


@pytest.mark.parametrize(
    "choices",
    [None, [], {}, [None], [{}], [{"message": "x"}], [{"message": {"content": "x"}, "finish_reason": "error"}]],
)
def test_a_choice_that_is_none_may_be_asked_again_and_may_be_paid(question, choices):
    with pytest.raises(Transient, match="'local' sent no valid answer") as caught:
        read_answer(question(), {"choices": choices}, alias="local")
    assert caught.value.may_be_paid


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[1]",
        b"\xff\xfe\x00",
        b'{"a": \xe9}',
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"n": ' + b"9" * 5000 + b"}",
        b'{"cut": "',
    ],
)
def test_a_body_that_is_no_object_may_be_asked_again(body):
    with pytest.raises(Transient, match="not a JSON object") as caught:
        read_body(body, "local")
    assert caught.value.may_be_paid


def test_what_only_looks_broken_is_read(question):
    body = b'{"logprobs": NaN, "id": "a", "id": "b", "choices": [{"message": {"content": "\\ud83d"}, "x": Infinity}]}'
    answer = read_answer(question(), read_body(body, "local"), alias="local")
    assert (answer.text, answer.request_id, answer.outcome) == ("\ufffd", "b", Outcome.OK)
    assert answer.usage == Usage(estimate_prompt(question().messages), estimate_tokens("\ufffd"))


NAMES = (
    *("choices", "message", "content", "refusal", "finish_reason", "text", "model", "id"),
    *("usage", "prompt_tokens", "prompt_tokens_details", "cached_tokens", "prompt_cache_hit_tokens"),
    *("error", "detail", "param", "code", "type", "loc", "msg"),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
)
MESSAGES = st.fixed_dictionaries({"content": VALUES}, optional={"refusal": VALUES})
ENVELOPES = st.fixed_dictionaries(
    {"choices": st.lists(st.fixed_dictionaries({"message": MESSAGES}, optional={"finish_reason": VALUES}), min_size=1)},
    optional={"usage": VALUES, "model": VALUES, "id": VALUES},
)


@given(value=VALUES | ENVELOPES)
@example(value={"choices": [{"message": {"content": ["\udc00", {"text": "\ud800"}]}}]})
def test_any_envelope_is_an_answer_or_transient(value):
    request = Request("m", "local", "", "write", Contract("scene", 1), (), Parameters(), 0, "")
    try:
        answer = read_answer(request, read_body(json.dumps(value).encode(), "local"), alias="local")
    except Transient as error:
        answer, fault = None, error
    if answer is None:
        assert fault.may_be_paid
        return
    assert answer.outcome in {Outcome.OK, Outcome.REFUSED, Outcome.TRUNCATED}
    assert 0 <= answer.usage.tokens_cached <= answer.usage.tokens_in
    "".join(filter(None, (answer.text, answer.model_reported, answer.request_id))).encode()


@pytest.mark.parametrize(
    ("body", "message", "names"),
    [
        ({"error": {"message": "no", "param": "seed", "code": "x", "type": "t"}}, "no", ("seed", "x", "t")),
        ({"error": {"message": "no", "param": None, "code": 400}}, "no", ()),
        ({"error": "no"}, "no", ()),
        ({"object": "error", "message": "no", "type": "BadRequestError", "code": 400}, "no", ("BadRequestError",)),
        ({"detail": "no"}, "no", ()),
        (
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed", 0], "msg": "no"}, {"msg": "never"}]},
            "no never",
            ("extra_forbidden", "body", "seed"),
        ),
        ({"detail": [1, None, "no"]}, "no", ()),
        ({"error": {}}, '{"error": {}}', ()),
        ([1], "[1]", ()),
    ],
)
def test_a_complaint_is_read_in_its_usual_shapes(body, message, names):
    complaint = read_complaint(json.dumps(body).encode())
    assert (complaint.message, complaint.names) == (message, names)


@given(VALUES | st.fixed_dictionaries({"error": VALUES, "detail": VALUES}))
def test_any_complaint_can_be_quoted(value):
    quote = read_complaint(json.dumps(value).encode()).quote()
    assert 0 < len(quote) <= MAX_QUOTE
    assert "\n" not in quote
    quote.encode()


@given(st.binary())
def test_any_bytes_can_be_quoted(body):
    assert 0 < len(read_complaint(body).quote()) <= MAX_QUOTE


def test_a_key_is_struck_out_before_a_complaint_is_cut():
    key = "sk-0123456789abcdef"
    complaint = read_complaint(("x" * (MAX_QUOTE - 5) + key).encode()).without(key)
    assert "sk-" not in complaint.quote()


def test_a_filtered_question_is_a_refusal(question):
    assert read_complaint(b'{"error": {"code": "content_filter", "message": "no"}}').filtered
    assert not read_complaint(b'{"error": {"code": "other", "message": "content_filter"}}').filtered
    assert refusal(question("Hello"), "r").usage == Usage(estimate_prompt(question("Hello").messages), 0)
