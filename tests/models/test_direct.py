from __future__ import annotations

import asyncio
import gc
import json
import logging
import traceback

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from hypothesis import given
from hypothesis import strategies as st

from synth.errors import AuthFailed, BadRequest, FormRefused, RateLimited, SynthError, Transient, UsageError
from synth.models import direct
from synth.models.base import (
    Allowance,
    Contract,
    Endpoint,
    LearningModel,
    Parameters,
    Rates,
    Request,
    Response,
    Usage,
    open_model,
)
from synth.models.direct import ResponsesModel, refused
from synth.models.envelope import read_answer
from synth.models.responses import as_completion
from synth.models.tokens import estimate_prompt, estimate_tokens
from synth.offline.serve import listening
from synth.records.labels import Outcome
from synth.records.schema import Message

KEY = "sk-planted-0123456789abcdef"
SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
CONTRACT = Contract("the scene", 1, lambda: SCHEMA)


def message(*parts):
    return {"type": "message", "role": "assistant", "content": list(parts)}


def text(said):
    return {"type": "output_text", "text": said, "annotations": []}


def answer(**changes):
    usage = {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 7}
    body = {"id": "resp_1", "object": "response", "status": "completed", "model": "m-2026-01-01", "usage": usage}
    return body | {"output": [{"type": "reasoning", "summary": []}, message(text('{"a": '), text("1}"))]} | changes


def says(status=200, body=None, *, raw=None, headers=None):
    async def handler(_):
        content = raw if raw is not None else json.dumps(answer() if body is None else body)
        return web.Response(status=status, text=content, headers=headers, content_type="application/json")

    return handler


@pytest.fixture
def attempt(question):
    """Give one attempt at an endpoint whose every answer the handler makes."""

    def run(handler, *, request=None, url=None, times=1, **given) -> Response:
        async def once() -> Response:
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", handler)
            async with TestServer(app) as server:
                where = Endpoint("local", url or str(server.make_url("/v1")), "", **{"key_variable": None} | given)
                model = ResponsesModel("local/m", where)
                try:
                    for _ in range(times - 1):
                        with pytest.raises(FormRefused):
                            await model.attempt(request or question())
                    return await model.attempt(request or question())
                finally:
                    await model.close()

        return asyncio.run(once())

    return run


# -- questions and answers


def test_a_question_is_sent_as_the_api_wants_it_and_its_answer_is_read(attempt, question):
    seen = {}

    async def handler(http):
        seen.update(await http.json(), path=http.path, key=http.headers.get("Authorization"))
        headers = {"x-request-id": "req-9", "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59"}
        return web.json_response(answer(), headers=headers)

    asked = question("¿Qué?", contract=CONTRACT, parameters=Parameters(0.5, 0.9, 50, 4))
    response = attempt(handler, request=asked)
    assert seen == {
        "path": "/v1/responses",
        "key": None,
        "model": "m",
        "input": [{"role": "user", "content": "¿Qué?"}],
        "text": {"format": {"type": "json_schema", "name": "the_scene", "strict": True, "schema": SCHEMA}},
        "temperature": 0.5,
        "top_p": 0.9,
        "max_output_tokens": 50,
        "store": False,
    }
    assert response == Response('{"a": 1}', Outcome.OK, "m-2026-01-01", None, "req-9", Usage(11, 7, 4))
    assert response.rates == Rates(Allowance(60, 59))


def test_without_a_schema_json_mode_is_asked_for_and_nothing_that_was_left_open(attempt, question):
    seen = {}

    async def handler(http):
        seen.update(await http.json())
        return web.json_response(answer())

    attempt(handler, request=question("half \ud83d"))
    assert seen == {
        "model": "m",
        "input": [{"role": "user", "content": "half \ufffd"}],
        "text": {"format": {"type": "json_object"}},
        "store": False,
    }


@pytest.mark.parametrize(
    ("body", "outcome", "said"),
    [
        (
            answer(status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            Outcome.TRUNCATED,
            '{"a": 1}',
        ),
        (answer(status="incomplete", incomplete_details=None), Outcome.TRUNCATED, '{"a": 1}'),
        (answer(status="incomplete", incomplete_details={"reason": "content_filter"}), Outcome.REFUSED, '{"a": 1}'),
        (answer(output=[message({"type": "refusal", "refusal": "I will not."})]), Outcome.REFUSED, ""),
        (answer(output=[message(text("half \ud83d whole 😢"))]), Outcome.OK, "half \ufffd whole 😢"),
        (answer(output=[]), Outcome.OK, ""),
        (answer(output=[{"type": "web_search_call"}, "x", message(3, text("b"))]), Outcome.OK, "b"),
    ],
)
def test_what_an_answer_is(attempt, body, outcome, said):
    response = attempt(says(body=body))
    assert (response.outcome, response.text) == (outcome, said)


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": "9"}, {"input_tokens": -1, "output_tokens": True}, [1]])
def test_usage_that_is_not_told_is_estimated(attempt, question, usage):
    response = attempt(says(body=answer(usage=usage)))
    assert response.usage == Usage(estimate_prompt(question().messages), estimate_tokens('{"a": 1}'))
    assert response.request_id == "resp_1"


def test_a_filtered_question_is_refused_and_that_is_an_answer(attempt):
    body = {"error": {"message": "filtered", "code": "content_filter"}}
    response = attempt(says(400, body, headers={"x-request-id": "q"}))
    assert (response.text, response.outcome, response.request_id) == ("", Outcome.REFUSED, "q")


def test_the_server_of_this_project_is_spoken_to(question):
    async def once() -> Response:
        def reply(request):
            said = "".join(one.content for one in request.messages)
            return Response(json.dumps({"said": said}), Outcome.OK, "m", None, None, Usage(5, 6))

        async with listening(reply) as url:
            model = open_model("local/m", {"local": Endpoint("local", url, "", None, lane="responses")})
            assert isinstance(model, ResponsesModel)
            try:
                return await model.attempt(question("Hello", contract=CONTRACT))
            finally:
                await model.close()

    response = asyncio.run(once())
    assert json.loads(response.text) == {"said": "Hello"}
    assert (response.outcome, response.usage.tokens_in, response.usage.tokens_out) == (Outcome.OK, 5, 6)


# -- what goes wrong


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (302, BadRequest),
        (400, BadRequest),
        (401, AuthFailed),
        (403, AuthFailed),
        (404, BadRequest),
        (408, Transient),
        (409, Transient),
        (413, BadRequest),
        (422, BadRequest),
        (429, RateLimited),
        (500, Transient),
        (529, RateLimited),
        (502, Transient),
    ],
)
def test_every_status_has_its_error_and_is_met_once(attempt, status, error):
    hits = []

    async def handler(http):
        hits.append(http.path)
        body = {"error": {"message": "the\nwords", "code": "other"}}
        headers = {"Retry-After": "7", "Location": "/elsewhere"}
        return web.json_response(body, status=status, headers=headers)

    with pytest.raises(SynthError) as caught:
        attempt(handler)
    assert type(caught.value) is error
    assert hits == ["/v1/responses"]
    assert "local" in str(caught.value)
    assert getattr(caught.value, "retry_after", 7.0) == 7.0
    if error is not AuthFailed:
        assert "the words" in str(caught.value)


@pytest.mark.parametrize(
    "complaint",
    [
        {"message": "Invalid parameter: 'text.format' of type 'json_schema'.", "param": "text.format"},
        {"message": "Unknown parameter.", "param": "text.format.schema"},
        {"message": "structured outputs are not supported"},
    ],
)
def test_a_form_that_is_not_taken_is_learned(attempt, question, complaint):
    seen = []

    async def handler(http):
        form = (await http.json()).get("text", {}).get("format", {}).get("type", "plain")
        seen.append(form)
        if form != "plain":
            return web.json_response({"error": complaint}, status=400)
        return web.json_response(answer())

    assert attempt(handler, request=question(contract=CONTRACT), times=3).outcome is Outcome.OK
    assert seen == ["json_schema", "json_object", "plain"]


def test_what_was_learned_is_remembered_and_a_form_that_a_person_fixed_stands(attempt, question):
    model = ResponsesModel("local/m", Endpoint("local", "http://127.0.0.1:9/v1", "", None))
    assert isinstance(model, LearningModel)
    assert model.habits() == {}
    model.recall({"response": "plain", "what": "else"})
    assert model.habits() == {"response": "plain"}
    body = {"error": {"message": "no json_schema here", "param": "text.format"}}
    with pytest.raises(BadRequest):
        attempt(says(400, body), request=question(contract=CONTRACT), form="schema")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "server_error", "message": "the words"}, Transient),
        ({"code": "rate_limit_exceeded", "message": "the words"}, RateLimited),
        ({"code": "invalid_prompt", "message": "the words"}, BadRequest),
        (None, Transient),
        ("odd", Transient),
    ],
)
def test_an_answer_that_failed_says_how(attempt, error, kind):
    with pytest.raises(kind) as caught:
        attempt(says(body=answer(status="failed", error=error, output=[])))
    assert type(caught.value) is kind
    assert not isinstance(error, dict) or "the words" in str(caught.value)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "<html>",
        "[]",
        "null",
        "{}",
        '{"status": "completed"}',
        '{"status": "queued", "output": []}',
        "[" * 100_000,
        '{"sta',
    ],
)
def test_a_broken_answer_may_be_asked_again_and_may_be_paid(attempt, raw):
    with pytest.raises(Transient, match="no valid answer") as caught:
        attempt(says(raw=raw))
    assert caught.value.may_be_paid


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["status", "output", "content", "type", "text", "usage", "input_tokens", "model", "error", "code"]
                ),
                inner | st.sampled_from(["completed", "failed", "incomplete", "message", "output_text", "refusal"]),
            )
        ),
    )
)
def test_any_object_is_an_answer_or_a_typed_error(value):
    body = {"status": "completed", "output": value} if not isinstance(value, dict) else value
    request = Request("m", "local", "", "write", CONTRACT, (Message("user", "?"),), Parameters(), 0, "")
    try:
        envelope = as_completion(body, "local")
    except (Transient, RateLimited, BadRequest):
        return
    outcome = read_answer(request, envelope, alias="local").outcome
    assert outcome in {Outcome.OK, Outcome.REFUSED, Outcome.TRUNCATED}


def test_a_cut_body_may_be_asked_again_and_may_be_paid(attempt):
    async def handler(http):
        cut = web.StreamResponse(headers={"Content-Length": "1000"})
        await cut.prepare(http)
        await cut.write(b'{"output"')
        http.transport.close()
        return cut

    with pytest.raises(Transient, match="connection failed") as caught:
        attempt(handler)
    assert caught.value.may_be_paid


def test_an_endpoint_that_hangs_is_given_up(attempt):
    async def handler(_):
        await asyncio.Event().wait()

    with pytest.raises(Transient, match=r"no answer within 0\.3 s") as caught:
        attempt(handler, timeout=0.3)
    assert caught.value.may_be_paid


def test_nobody_at_home_may_be_asked_again_and_was_not_paid(attempt):
    with pytest.raises(Transient, match="connection failed") as caught:
        attempt(says(), url=f"http://127.0.0.1:{unused_port()}/v1")
    assert not caught.value.may_be_paid


def test_an_answer_without_end_is_refused(attempt, monkeypatch):
    monkeypatch.setattr(direct, "MAX_ANSWER_BYTES", 100_000)
    with pytest.raises(BadRequest, match="more than") as caught:
        attempt(says(body=answer(output=[message(text("x" * 200_000))])))
    assert caught.value.may_be_paid


# -- keys, and what a person's environment holds


def test_nothing_of_the_environment_goes_out(attempt, monkeypatch):
    elsewhere = f"http://127.0.0.1:{unused_port()}"
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_WEBHOOK_SECRET"):
        monkeypatch.setenv(name, f"leaked-{name.lower()}")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-leaked: yes\nAuthorization: leaked")
    for name in ("OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, elsewhere)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    seen = []

    async def handler(http):
        seen.append(dict(http.headers))
        return web.json_response(answer())

    assert attempt(handler).outcome is Outcome.OK
    names = {name.lower() for name in seen[0]}
    assert "leaked" not in repr(seen)
    assert names <= {
        "host",
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "user-agent",
        "x-stainless-raw-response",
    }


def test_the_key_goes_to_its_endpoint_and_is_read_anew_for_each_attempt(question, monkeypatch):
    seen = []

    async def handler(http):
        seen.append(http.headers.get("Authorization"))
        return web.json_response(answer())

    async def twice():
        app = web.Application()
        app.router.add_post("/v1/responses", handler)
        async with TestServer(app) as server:
            model = ResponsesModel("local/m", Endpoint("local", str(server.make_url("/v1")), "", "PLANTED_KEY"))
            for key in (f" {KEY}\n", "another-key-0123456789"):
                monkeypatch.setenv("PLANTED_KEY", key)
                await model.attempt(question())
            await model.close()

    asyncio.run(twice())
    assert seen == [f"Bearer {KEY}", "Bearer another-key-0123456789"]


@pytest.mark.parametrize("value", ["", "  ", None, "two\nlines", "schlüssel"])
def test_a_missing_key_says_which_variable_to_set(attempt, monkeypatch, value):
    if value is None:
        monkeypatch.delenv("PLANTED_KEY", raising=False)
    else:
        monkeypatch.setenv("PLANTED_KEY", value)
    with pytest.raises(AuthFailed, match="PLANTED_KEY") as caught:
        attempt(says(), key_variable="PLANTED_KEY")
    assert not value or not value.strip() or value not in str(caught.value)


@pytest.mark.parametrize("code", ["content_filter", None])
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 429, 500])
def test_a_key_that_is_echoed_reaches_no_message_record_or_log(attempt, monkeypatch, caplog, status, code):
    monkeypatch.setenv("PLANTED_KEY", KEY)
    caplog.set_level(logging.DEBUG)

    async def handler(http):
        said = f"you sent {http.headers['Authorization']}" + "x" * 5000
        good = answer(output=[message(text(said))], id=said, model=said)
        body = good if status == 200 else {"error": {"message": said, "code": code}}
        return web.json_response(body, status=status, headers={"x-request-id": said[:100], "Location": "/" + KEY})

    try:
        shown = repr(attempt(handler, key_variable="PLANTED_KEY"))
    except SynthError as error:
        shown = repr(error) + str(error) + "".join(traceback.format_exception(error))
    assert KEY not in shown
    assert KEY not in caplog.text
    assert "openai" in caplog.text
    model = ResponsesModel("local/m", Endpoint("local", "http://127.0.0.1:9/v1", "", "PLANTED_KEY"))
    assert KEY not in repr(vars(model)) + repr(vars(model._provider))


@pytest.mark.parametrize("status", [200, 400])
def test_a_key_that_json_spells_with_escapes_is_struck_out_too(attempt, monkeypatch, status):
    key = 'sk"planted/0123456789é'[:-1] + "abcdef"
    monkeypatch.setenv("PLANTED_KEY", key)
    spelled = "".join(f"\\u{ord(letter):04x}" for letter in key)
    raw = json.dumps(answer(output=[message(text("SAID"))]) if status == 200 else {"error": {"message": "SAID"}})
    try:
        shown = attempt(says(status, raw=raw.replace("SAID", spelled)), key_variable="PLANTED_KEY").text
    except BadRequest as error:
        shown = str(error)
    assert "[key]" in shown
    assert key not in shown


def test_an_error_holds_on_to_no_request(attempt):
    with pytest.raises(RateLimited) as caught:
        attempt(says(429, {}))
    assert caught.value.__context__ is None
    with pytest.raises(Transient) as caught:
        attempt(says(), url=f"http://127.0.0.1:{unused_port()}/v1")
    assert caught.value.__context__ is None


# -- addresses and loops


@pytest.mark.parametrize("url", ["ftp://host/v1", "host/v1", "https://me:hunter2@host/v1", "https://h/v1?key=hunter2"])
def test_a_url_is_a_plain_address_and_is_not_quoted(url):
    with pytest.raises(UsageError, match="'local'") as caught:
        direct.open_model("local/m", {"local": Endpoint("local", url, "", None)})
    assert "hunter2" not in str(caught.value)


def test_an_alias_without_an_endpoint_is_a_usage_error():
    with pytest.raises(UsageError, match="did you mean 'local'"):
        direct.open_model("locla/m", {"local": Endpoint("local", "http://h/v1", "", None)})


def test_a_status_reads_the_same_from_anybody():
    said = direct.Said(429, {"retry-after-ms": "1500"}, b'{"message": "slow down"}')
    error = refused("local", said)
    assert isinstance(error, RateLimited)
    assert (error.retry_after, error.message) == (1.5, "endpoint 'local' answered HTTP 429: slow down")


def test_one_model_serves_one_loop_after_another(question):
    model = None

    async def once(port):
        nonlocal model
        app = web.Application()
        app.router.add_post("/v1/responses", says())
        async with TestServer(app, port=port) as server:
            model = model or ResponsesModel("local/m", Endpoint("local", str(server.make_url("/v1")), "", None))
            answers = await asyncio.gather(*(model.attempt(question()) for _ in range(5)))
            clients = list(model._provider._clients.values())
            assert len(clients) == 1
            await model.close()
            await model.close()
            assert clients[0].is_closed()
            return server.port, answers

    port, first = asyncio.run(once(0))
    assert asyncio.run(once(port)) == (port, first)
    gc.collect()
