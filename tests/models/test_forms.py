"""How a question is put, and what an endpoint's refusal teaches."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from synth.errors import BadRequest, FormRefused, Transient
from synth.models.base import Contract, Endpoint, LearningModel, Parameters, Request, Response, Usage
from synth.models.envelope import Complaint, read_complaint
from synth.models.forms import LIMITS, RESPONSES, Form, Forms, body_of, encoded, is_strict
from synth.models.wire import WireModel
from synth.offline.serve import Server
from synth.records.labels import Outcome
from synth.records.schema import Message

SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}
WITH = Contract("a scene", 1, lambda: SCHEMA)
OPEN = Contract("facts", 1, lambda: {"type": "object", "additionalProperties": {"type": "string"}})
WITHOUT = Contract("scene", 1)
EVERYTHING = Parameters(temperature=0.5, top_p=0.9, max_tokens=50, seed=4)


def test_a_contract_with_a_schema_is_asked_for_by_it(question):
    body = body_of(question("¿Qué?", contract=WITH, parameters=EVERYTHING), Form())
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "¿Qué?"}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "a_scene", "strict": True, "schema": SCHEMA},
        },
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 50,
        "seed": 4,
    }


def test_what_is_left_open_is_not_sent(question):
    body = body_of(question(contract=WITH, parameters=EVERYTHING), Form("plain", "max_completion_tokens", seed=False))
    assert body["max_completion_tokens"] == 50
    assert not {"response_format", "max_tokens", "seed"} & set(body)
    assert set(body_of(question(), Form("plain"))) == {"model", "messages"}


def test_a_schema_that_strict_mode_does_not_take_is_not_called_strict(question):
    assert body_of(question(contract=OPEN), Form())["response_format"]["json_schema"]["strict"] is False


@pytest.mark.parametrize("contract", [WITH, WITHOUT, OPEN])
@pytest.mark.parametrize("response", RESPONSES)
@given(text=st.text(st.characters()))
def test_the_bytes_are_the_body(contract, response, text):
    messages = (Message("system", "Answer in JSON"), Message("user", text))
    request = Request("m", "local", "", "write", contract, messages, EVERYTHING, 0, "")
    sent, body = encoded(request, Form(response)), body_of(request, Form(response))
    # what holds half characters is compared as JSON spells it: two halves of one are one there
    assert json.loads(sent) == json.loads(json.dumps(body))


def test_text_is_sent_without_escapes(question):
    assert "आप 😢".encode() in encoded(question("आप 😢"), Form())


@pytest.mark.parametrize(
    "schema",
    [
        {**SCHEMA, "required": []},
        {**SCHEMA, "additionalProperties": True},
        {name: value for name, value in SCHEMA.items() if name != "additionalProperties"},
        {**SCHEMA, "properties": {"text": {"type": "string", "minLength": 1}}},
        {**SCHEMA, "properties": {"text": {"type": "array", "items": {"type": "object"}}}},
        {**SCHEMA, "properties": {"text": {"anyOf": [{"type": "string", "default": ""}]}}},
        {"$defs": {"a": {"type": "object"}}, **SCHEMA},
        {"type": "object"},
        [],
        None,
    ],
)
def test_strict_is_closed_whole_and_shape_only(schema):
    assert is_strict(SCHEMA)
    assert is_strict({**SCHEMA, "properties": {"text": {"anyOf": [{"type": "string"}, {"type": "null"}]}}})
    assert not is_strict(schema)


# -- what is learned


def about(message: str, *names: str) -> Complaint:
    return Complaint(message, names)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "Invalid parameter", "param": "response_format", "code": None}},
        {"error": {"message": "'response_format' of type 'json_schema' is not supported with this model."}},
        {"error": {"message": "This model does not support JSON mode", "code": "json_mode_unsupported"}},
        {"object": "error", "message": "Failed to compile guided decoding backend", "type": "BadRequestError"},
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "response_format"], "msg": "Extra inputs"}]},
        {"error": "Structured outputs are not available"},
        {"error": {"message": "Invalid schema for response_format 'scene': strict"}},
    ],
)
def test_a_refused_response_format_teaches_the_next_weaker_one(question, body):
    forms, complaint = Forms(), read_complaint(json.dumps(body).encode())
    request = question(contract=WITH)
    used = [forms.form(WITH).response]
    while forms.learn(request, forms.form(WITH), complaint):
        used.append(forms.form(WITH).response)
    assert used == ["schema", "json", "plain"]
    assert forms.habits() == {"response": "plain"}


def test_a_contract_without_a_schema_learns_from_json_mode_on(question):
    forms = Forms()
    assert forms.form(WITHOUT).response == "json"
    assert forms.learn(question(), forms.form(WITHOUT), about("no json_object")) == "response_format"
    assert forms.form(WITH).response == "plain"


def test_what_was_in_flight_in_a_stronger_form_learns_nothing_more(question):
    forms, request = Forms(), question(contract=WITH, parameters=EVERYTHING)
    used = forms.form(WITH)
    for _ in range(50):
        assert forms.learn(request, used, about("", "response_format"))
        assert forms.learn(request, used, about("", "max_tokens"))
        assert forms.learn(request, used, about("", "seed"))
    assert forms.form(WITH) == Form("json", "max_completion_tokens", seed=False)


@pytest.mark.parametrize(
    ("message", "names"),
    [
        ("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'.", ()),
        ("", ("max_tokens", "unsupported_parameter")),
    ],
)
def test_a_refused_limit_teaches_its_other_name_and_back_once(question, message, names):
    forms, request = Forms(), question(parameters=EVERYTHING)
    assert forms.learn(request, forms.form(WITHOUT), about(message, *names)) == "max_tokens"
    assert forms.habits() == {"limit": "max_completion_tokens"}
    assert not forms.learn(request, forms.form(WITHOUT), about("unknown field max_completion_tokens"))


def test_a_recalled_limit_that_is_stale_is_given_up(question):
    forms = Forms()
    forms.recall({"limit": "max_completion_tokens"})
    complaint = about("unknown field max_completion_tokens")
    assert forms.learn(question(parameters=EVERYTHING), forms.form(WITHOUT), complaint)
    assert forms.form(WITHOUT).limit == "max_tokens"


@pytest.mark.parametrize(
    ("message", "names"),
    [
        ("max_tokens is too large: 9000. This model supports at most 4096 completion tokens", ("max_tokens",)),
        ("'max_tokens' or 'max_completion_tokens' is too large; the maximum context length is 4096", ()),
        ("max_tokens must be greater than 0", ()),
        ("the gardener planted a seed", ()),
        ("the model does not exist", ("model_not_found",)),
        ("filtered: response_format", ("content_filter",)),
        ("", ()),
    ],
)
def test_other_complaints_teach_nothing(question, message, names):
    forms, request = Forms(), question(contract=WITH, parameters=EVERYTHING)
    assert forms.learn(request, forms.form(WITH), about(message, *names)) == ""
    assert forms.habits() == {}


@pytest.mark.parametrize(
    ("message", "names"),
    [
        ("Unrecognized request argument supplied: seed", ()),
        ("`seed` is not allowed", ()),
        ("seed is not supported", ()),
        ("Extra inputs are not permitted", ("extra_forbidden", "body", "seed")),
    ],
)
def test_a_refused_seed_is_dropped(question, message, names):
    forms, request = Forms(), question(parameters=EVERYTHING)
    assert forms.learn(request, forms.form(WITHOUT), about(message, *names)) == "seed"
    assert forms.habits() == {"seed": "no"}
    assert not forms.learn(request, forms.form(WITHOUT), about(message, *names))


def test_what_was_not_sent_is_not_learned_from(question):
    forms = Forms("plain")
    for message in ("seed is not supported", "max_tokens is not supported", "response_format is not supported"):
        assert not forms.learn(question(), forms.form(WITH), about(message))


@pytest.mark.parametrize("fixed", RESPONSES)
def test_a_fixed_form_is_never_unlearned(question, fixed):
    forms = Forms(fixed)
    forms.recall({"response": "plain"})
    assert not forms.learn(question(contract=WITH), forms.form(WITH), about("no response_format"))
    assert (forms.form(WITH).response, forms.habits()) == (fixed, {})


@given(
    st.dictionaries(
        st.sampled_from(["response", "limit", "seed", "x"]), st.sampled_from([*RESPONSES, *LIMITS, "no", "", "\0"])
    )
)
def test_any_habits_are_taken_or_passed_over_and_given_again(habits):
    forms, again = Forms(), Forms()
    forms.recall(habits)
    again.recall(forms.habits())
    assert again.form(WITH) == forms.form(WITH)
    assert forms.habits().items() <= habits.items()


@pytest.mark.parametrize("value", [None, 3, ["plain"], {"a": 1}])
def test_hostile_habits_are_passed_over(value):
    forms = Forms()
    forms.recall({"response": value, "limit": value, "seed": value})
    assert forms.habits() == {}


@given(
    st.text(st.characters()),
    st.lists(st.text(st.characters())),
    st.sampled_from(RESPONSES),
    st.sampled_from(LIMITS),
    st.booleans(),
)
def test_any_complaint_ends_after_a_few_steps(message, names, response, limit, seed):
    request = Request("m", "local", "", "write", WITH, (), EVERYTHING, 0, "")
    forms = Forms()
    complaint = about(f"response_format max_tokens max_completion_tokens 'seed' {message}", *names)
    steps = 0
    while steps < 10 and forms.learn(request, forms.form(WITH), complaint):
        steps += 1
    assert steps < 10
    forms.learn(request, Form(response, limit, seed), about(message, *names))


# -- over HTTP


def picky(takes):
    """Give an endpoint that takes a body only where `takes` says nothing against it, and what it was sent."""
    seen = []

    async def handler(http):
        body = await http.json()
        seen.append(body)
        if fault := takes(body):
            return web.json_response({"error": fault}, status=400)
        message = {"role": "assistant", "content": "```json\n{}\n```"}
        return web.json_response({"choices": [{"finish_reason": "stop", "message": message}]})

    return handler, seen


def old(body):
    """Say what an old server has against a body: it knows messages and a limit by its new name."""
    for name in ("response_format", "max_tokens", "seed"):
        if name in body:
            return {"message": f"Unrecognized request argument supplied: {name}", "param": None}
    return None


async def until_answered(model, request):
    """Ask as `ask` does where a form is refused: again, at once."""
    while True:
        try:
            return await model.attempt(request)
        except FormRefused:
            continue


def asked(endpoint, handler, work, *, form=""):
    async def run():
        async with endpoint(handler) as url:
            model = WireModel("local/m", Endpoint("local", url, "", None, form=form))
            try:
                return await work(model)
            finally:
                await model.close()

    return asyncio.run(run())


def test_a_lane_learns_once_what_its_endpoint_takes(endpoint, question):
    handler, seen = picky(old)
    request = question(contract=WITH, parameters=EVERYTHING)

    async def work(model):
        assert isinstance(model, LearningModel)
        first = await until_answered(model, request)
        learned = len(seen)
        await model.attempt(request)
        return first, learned, dict(model.habits())

    first, learned, habits = asked(endpoint, handler, work)
    assert first.outcome is Outcome.OK
    assert (learned, len(seen)) == (5, 6)
    assert habits == {"response": "plain", "limit": "max_completion_tokens", "seed": "no"}

    async def later(model):
        model.recall(habits)
        await model.attempt(request)

    asked(endpoint, handler, later)
    assert len(seen) == 7


def test_a_refused_form_was_not_paid_and_may_be_sent_again(endpoint, question):
    handler, _ = picky(old)

    async def work(model):
        with pytest.raises(FormRefused, match="supplied: response_format") as caught:
            await model.attempt(question(contract=WITH))
        return caught.value

    error = asked(endpoint, handler, work)
    assert isinstance(error, Transient)
    assert not error.may_be_paid


def test_many_questions_in_flight_learn_together(endpoint, question):
    handler, seen = picky(old)
    request = question(contract=WITH, parameters=EVERYTHING)

    async def work(model):
        await asyncio.gather(*(until_answered(model, request) for _ in range(40)))
        return model.habits()

    assert asked(endpoint, handler, work) == {"response": "plain", "limit": "max_completion_tokens", "seed": "no"}
    assert len(seen) <= 40 * 5


def test_a_fixed_form_that_is_refused_is_a_bad_request(endpoint, question):
    handler, seen = picky(old)

    async def work(model):
        with pytest.raises(BadRequest, match="response_format"):
            await model.attempt(question(contract=WITH))

    asked(endpoint, handler, work, form="schema")
    assert len(seen) == 1


@pytest.mark.parametrize("status", [404, 415, 422])
def test_other_statuses_teach_too(endpoint, question, status):
    async def handler(http):
        if "response_format" in await http.json():
            return web.json_response({"detail": "response_format: not here"}, status=status)
        return web.json_response({"choices": [{"message": {"content": "{}"}}]})

    async def work(model):
        return await until_answered(model, question(contract=WITH))

    assert asked(endpoint, handler, work).text == "{}"


def test_a_filter_that_speaks_of_the_form_teaches_nothing(endpoint, question):
    handler, _ = picky(
        lambda _: {"code": "content_filter", "message": "response_format json_schema", "param": "prompt"}
    )

    async def work(model):
        answer = await model.attempt(question(contract=WITH))
        return answer.outcome, dict(model.habits())

    assert asked(endpoint, handler, work) == (Outcome.REFUSED, {})


class Echo:
    """Answers every question alike."""

    pure = True
    name = "echo"

    def answer(self, _):
        return Response("{}", Outcome.OK, "echo", None, None, Usage(1, 1))

    async def attempt(self, request):
        return self.answer(request)

    async def close(self):
        """Hold nothing open."""


@pytest.mark.parametrize(
    ("conduct", "habits"),
    [
        ({}, {}),
        ({"schema": False}, {"response": "json"}),
        ({"schema": False, "json_mode": False}, {"response": "plain"}),
        ({"reasoning": True}, {"limit": "max_completion_tokens"}),
    ],
)
def test_the_loopback_server_s_ways_are_learned(question, conduct, habits):
    async def work(url):
        model = WireModel("local/m", Endpoint("local", url, "", None))
        try:
            answers = [await until_answered(model, question(contract=WITH, parameters=EVERYTHING)) for _ in range(2)]
            return {answer.text for answer in answers}, model.habits()
        finally:
            await model.close()

    with Server(Echo(), **conduct) as server:
        assert asyncio.run(work(server.url)) == ({"{}"}, habits)
