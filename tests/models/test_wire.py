from __future__ import annotations

import asyncio
import gc
import json
import logging
import traceback

import pytest
from aiohttp import web

from synth.errors import AuthFailed, BadRequest, RateLimited, SynthError, Transient, UsageError
from synth.models import wire
from synth.models.base import Allowance, Endpoint, Parameters, Rates, Response, Usage
from synth.models.tokens import estimate_prompt, estimate_tokens
from synth.models.wire import WireModel, open_model
from synth.records.labels import Outcome

KEY = "sk-planted-0123456789abcdef"


def completion(**changes):
    choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": '{"a": 1}'}}
    body = {
        "id": "chatcmpl-1",
        "model": "m-2026-01-01",
        "system_fingerprint": "fp_1",
        "choices": [choice],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7},
    }
    for name, value in changes.items():
        if name in body:
            body[name] = value
        elif name == "finish_reason":
            choice[name] = value
        else:
            choice["message"][name] = value
    return body


@pytest.fixture
def attempt(endpoint, question):
    """Give one attempt at an endpoint whose every answer the handler makes."""

    def run(handler, *, key_variable=None, timeout=10.0, request=None, url=None) -> Response:
        async def once() -> Response:
            async with endpoint(handler) as base:
                model = WireModel("local/m", Endpoint("local", url or base, "", key_variable, timeout))
                try:
                    return await model.attempt(request or question())
                finally:
                    await model.close()

        return asyncio.run(once())

    return run


def says(status=200, body=None, *, text=None, headers=None):
    async def handler(_):
        content = text if text is not None else json.dumps(body)
        return web.Response(status=status, text=content, headers=headers, content_type="application/json")

    return handler


def test_a_question_is_sent_as_the_api_wants_it_and_its_answer_is_read(attempt, question):
    seen = {}

    async def handler(http):
        seen.update(await http.json(), key=http.headers.get("Authorization"))
        return web.json_response(completion(), headers={"x-request-id": "req-9"})

    asked = question("¿Qué?", parameters=Parameters(temperature=0.5, max_tokens=50, seed=4))
    response = attempt(handler, request=asked)
    assert seen == {
        "model": "m",
        "messages": [{"role": "user", "content": "¿Qué?"}],
        "response_format": {"type": "json_object"},
        "temperature": 0.5,
        "max_tokens": 50,
        "seed": 4,
        "key": None,
    }
    assert response == Response('{"a": 1}', Outcome.OK, "m-2026-01-01", "fp_1", "req-9", Usage(11, 7))


def test_the_key_goes_to_its_endpoint(attempt, monkeypatch):
    monkeypatch.setenv("PLANTED_KEY", f" {KEY}\n")
    seen = []

    async def handler(http):
        seen.append(http.headers.get("Authorization"))
        return web.json_response(completion())

    attempt(handler, key_variable="PLANTED_KEY")
    assert seen == [f"Bearer {KEY}"]


@pytest.mark.parametrize(
    ("body", "outcome", "text"),
    [
        (completion(finish_reason="length"), Outcome.TRUNCATED, '{"a": 1}'),
        (completion(finish_reason="content_filter", content=None), Outcome.REFUSED, ""),
        (completion(refusal="I will not.", content=None), Outcome.REFUSED, ""),
        (completion(finish_reason=None), Outcome.OK, '{"a": 1}'),
        (completion(content=None), Outcome.OK, ""),
        (completion(content=[{"type": "text", "text": "a"}, {"type": "x"}, {"text": "b"}]), Outcome.OK, "ab"),
        (completion(content="half \ud83d whole 😢"), Outcome.OK, "half \ufffd whole 😢"),
    ],
)
def test_what_an_answer_is(attempt, body, outcome, text):
    response = attempt(says(body=body))
    assert (response.outcome, response.text) == (outcome, text)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "9"}, {"prompt_tokens": -1, "completion_tokens": True}])
def test_usage_that_is_not_told_is_estimated(attempt, question, usage):
    response = attempt(says(body=completion(usage=usage)))
    assert response.usage == Usage(estimate_prompt(question().messages), estimate_tokens('{"a": 1}'))


@pytest.mark.parametrize("code", [{"code": "content_filter"}, {"type": "content_filter", "code": None}])
def test_a_filtered_question_is_refused_and_that_is_an_answer(attempt, code):
    response = attempt(says(400, {"error": {"message": "filtered", **code}}, headers={"x-request-id": "q"}))
    assert (response.text, response.outcome, response.request_id) == ("", Outcome.REFUSED, "q")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadRequest),
        (401, AuthFailed),
        (402, BadRequest),
        (403, AuthFailed),
        (404, BadRequest),
        (408, Transient),
        (409, Transient),
        (413, BadRequest),
        (422, BadRequest),
        (429, RateLimited),
        (500, Transient),
        (503, Transient),
        (529, Transient),
    ],
)
def test_every_status_has_its_error(attempt, status, error):
    with pytest.raises(SynthError) as caught:
        attempt(says(status, {"error": {"message": "the\nwords", "code": "other"}}))
    assert type(caught.value) is error
    assert "local" in str(caught.value)
    if error is not AuthFailed:
        assert "the words" in str(caught.value)


def test_a_model_that_wrote_no_json_may_be_asked_again_and_may_be_paid(attempt):
    error = {"message": "Failed to generate JSON. See 'failed_generation'", "code": "json_validate_failed"}
    with pytest.raises(Transient, match="Failed to generate JSON") as caught:
        attempt(says(400, {"error": {**error, "failed_generation": "{"}}))
    assert caught.value.may_be_paid


@pytest.mark.parametrize("status", [503, 529])
def test_a_busy_endpoint_that_says_how_long_is_waited_for(attempt, status):
    with pytest.raises(RateLimited) as caught:
        attempt(says(status, {}, headers={"Retry-After": "4"}))
    assert caught.value.retry_after == 4.0


def test_a_rate_limit_without_a_time_takes_the_reset_of_what_is_used_up(attempt):
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1m1.5s",
        "x-ratelimit-remaining-tokens": "9",
    }
    with pytest.raises(RateLimited) as caught:
        attempt(says(429, {}, headers=headers))
    assert caught.value.retry_after == 61.5


def test_a_rate_limit_in_milliseconds_is_the_finer_one(attempt):
    with pytest.raises(RateLimited) as caught:
        attempt(says(429, {}, headers={"retry-after-ms": "1200", "Retry-After": "2"}))
    assert caught.value.retry_after == 1.2


def test_limits_stand_beside_the_answer_and_beside_a_refusal(attempt):
    headers = {"X-RateLimit-Limit-Requests": "60", "x-ratelimit-remaining-requests": "59"}
    rates = Rates(requests=Allowance(60, 59))
    assert attempt(says(body=completion(), headers=headers)).rates == rates
    assert attempt(says(400, {"error": {"code": "content_filter"}}, headers=headers)).rates == rates
    assert attempt(says(body=completion())).rates is None


@pytest.mark.parametrize("name", ["x-request-id", "Request-Id", "x-amzn-RequestId"])
def test_a_request_is_known_by_its_header(attempt, name):
    assert attempt(says(body=completion(), headers={name: "r-1"})).request_id == "r-1"


def test_tokens_from_the_prompt_cache_are_told(attempt):
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 8}}
    assert attempt(says(body=completion(usage=usage))).usage == Usage(11, 7, 8)


def test_a_redirect_is_not_followed(attempt):
    hits = []

    async def handler(http):
        hits.append(http.path)
        raise web.HTTPTemporaryRedirect("/v1/chat/completions")

    with pytest.raises(BadRequest, match="307"):
        attempt(handler)
    assert len(hits) == 1


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("0.5", 0.5), (None, None), ("soon", None), ("-3", 0.0)])
def test_a_rate_limit_says_how_long_to_wait(attempt, header, seconds):
    with pytest.raises(RateLimited) as caught:
        attempt(says(429, {}, headers={"Retry-After": header} if header else None))
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "[]",
        "null",
        "{}",
        '{"choices": []}',
        '{"choices": [1]}',
        '{"choices": [{"message": null}]}',
        '{"choices": [{}]}',
        "[" * 100_000,
        '{"choices": [{"message": {"content": "cut',
    ],
)
def test_a_broken_envelope_may_be_asked_again(attempt, text):
    with pytest.raises(Transient, match="no valid answer") as caught:
        attempt(says(text=text))
    assert caught.value.may_be_paid


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"choices": [{"message": {"content": "\xff"}}]}', {}),
        (b"\x1f\x8b not gzip", {"Content-Encoding": "gzip"}),
        (b'{"usage": ' + b"9" * 5000 + b"}", {}),
    ],
)
def test_bytes_that_are_no_text_may_be_asked_again(attempt, body, headers):
    async def handler(_):
        return web.Response(body=body, headers=headers)

    with pytest.raises(Transient) as caught:
        attempt(handler)
    assert caught.value.may_be_paid


def test_what_only_looks_broken_is_an_answer(attempt):
    content = (
        '{"id": "a", "logprobs": NaN, "id": "b", "choices": [{"message": {"content": "\\udc00x"}, "n": -Infinity}]}'
    )
    response = attempt(says(text=content))
    assert (response.text, response.request_id) == ("\ufffdx", "b")


def test_a_proxy_of_the_environment_is_not_used(attempt, monkeypatch, unused_port):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert attempt(says(body=completion())).outcome is Outcome.OK


def test_a_cut_body_may_be_asked_again(attempt):
    async def handler(http):
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(http)
        await answer.write(b'{"choices"')
        assert http.transport is not None
        http.transport.close()
        return answer

    with pytest.raises(Transient, match="connection failed") as caught:
        attempt(handler)
    assert caught.value.may_be_paid


def test_an_endpoint_that_hangs_is_given_up(attempt):
    async def handler(_):
        await asyncio.Event().wait()

    with pytest.raises(Transient, match=r"no answer within 0\.05 s") as caught:
        attempt(handler, timeout=0.05)
    assert caught.value.may_be_paid


def test_a_body_that_stalls_is_given_up_and_may_be_paid(attempt):
    async def handler(http):
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(http)
        await answer.write(b'{"choices"')
        await asyncio.Event().wait()

    with pytest.raises(Transient, match="no answer within") as caught:
        attempt(handler, timeout=0.05)
    assert caught.value.may_be_paid


def test_an_error_whose_body_is_cut_is_not_paid(attempt):
    async def handler(http):
        answer = web.StreamResponse(status=500, headers={"Content-Length": "1000"})
        await answer.prepare(http)
        await answer.write(b'{"error"')
        assert http.transport is not None
        http.transport.close()
        return answer

    with pytest.raises(Transient, match="connection failed") as caught:
        attempt(handler)
    assert not caught.value.may_be_paid


def test_nobody_at_home_may_be_asked_again(attempt, unused_port):
    with pytest.raises(Transient, match="connection failed") as caught:
        attempt(says(body={}), url=f"http://127.0.0.1:{unused_port}/v1")
    assert not caught.value.may_be_paid


@pytest.fixture
def unused_port():
    from aiohttp.test_utils import unused_port

    return unused_port()


def test_an_answer_without_end_is_refused(attempt, monkeypatch):
    monkeypatch.setattr(wire, "MAX_ANSWER_BYTES", 100_000)
    with pytest.raises(BadRequest, match="more than 8 MB") as caught:
        attempt(says(body=completion(content="x" * 200_000)))
    assert caught.value.may_be_paid


def test_a_fault_without_end_is_still_a_fault(attempt, monkeypatch):
    monkeypatch.setattr(wire, "MAX_ANSWER_BYTES", 100_000)
    with pytest.raises(Transient, match="HTTP 500") as caught:
        attempt(says(500, text="x" * 200_000))
    assert not caught.value.may_be_paid


@pytest.mark.parametrize("value", ["", "  ", None, "two\nlines", "schlüssel"])
def test_a_missing_key_says_which_variable_to_set(attempt, monkeypatch, value):
    if value is None:
        monkeypatch.delenv("PLANTED_KEY", raising=False)
    else:
        monkeypatch.setenv("PLANTED_KEY", value)
    with pytest.raises(AuthFailed, match="PLANTED_KEY") as caught:
        attempt(says(body=completion()), key_variable="PLANTED_KEY")
    assert not value or not value.strip() or value not in str(caught.value)


@pytest.mark.parametrize("code", ["content_filter", None])
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 429, 500])
def test_a_key_that_is_echoed_reaches_no_message_record_or_log(attempt, monkeypatch, caplog, status, code):
    monkeypatch.setenv("PLANTED_KEY", KEY)
    caplog.set_level(logging.DEBUG)

    async def handler(http):
        said = f"you sent {http.headers['Authorization']}" + "x" * 5000
        body = (
            completion(content=said, id=said, model=said)
            if status == 200
            else {"error": {"message": said, "code": code}}
        )
        return web.json_response(body, status=status, headers={"x-request-id": said[:100], "Location": "/" + KEY})

    try:
        shown = repr(attempt(handler, key_variable="PLANTED_KEY"))
    except SynthError as error:
        shown = repr(error) + str(error) + "".join(traceback.format_exception(error))
    assert KEY not in shown
    assert KEY not in caplog.text
    model = WireModel("local/m", Endpoint("local", "http://127.0.0.1:9/v1", "", "PLANTED_KEY"))
    assert KEY not in repr(model) + repr(vars(model))


@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_a_key_that_is_spelled_with_escapes_is_struck_out_too(attempt, monkeypatch, status):
    monkeypatch.setenv("PLANTED_KEY", KEY)
    spelled = "".join(f"\\u{ord(character):04x}" for character in KEY)
    body = json.dumps(
        completion(content="KEY", model="KEY", id="KEY") if status == 200 else {"error": {"message": "KEY"}}
    )
    try:
        shown = repr(attempt(says(status, text=body.replace("KEY", spelled)), key_variable="PLANTED_KEY"))
    except SynthError as error:
        shown = str(error)
    assert KEY not in shown
    assert "[key]" in shown


def test_a_placeholder_is_no_secret(attempt, monkeypatch):
    monkeypatch.setenv("PLANTED_KEY", "EMPTY")
    assert attempt(says(body=completion(content="EMPTY")), key_variable="PLANTED_KEY").text == "EMPTY"


def test_a_key_is_struck_out_where_the_connection_breaks(attempt, monkeypatch):
    monkeypatch.setenv("PLANTED_KEY", KEY)

    async def handler(http):
        http.transport.close()

    with pytest.raises(Transient) as caught:
        attempt(handler, key_variable="PLANTED_KEY")
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/v1",
        "host/v1",
        "https://",
        "https://me:hunter2@host/v1",
        "https://h/v1?key=hunter2",
        "http://[bad",
        "http://h:x/",
    ],
)
def test_a_url_is_a_plain_address_and_is_not_quoted(url):
    with pytest.raises(UsageError, match="'local'") as caught:
        open_model("local/m", {"local": Endpoint("local", url, "", None)})
    assert "hunter2" not in str(caught.value)


def test_a_slash_at_the_end_of_a_url_does_not_matter(attempt, endpoint, question):
    async def once() -> Response:
        async with endpoint(says(body=completion())) as base:
            model = open_model("local/m", {"local": Endpoint("local", base + "/", "", None)})
            try:
                return await model.attempt(question())
            finally:
                await model.close()

    assert asyncio.run(once()).outcome is Outcome.OK


def test_one_model_serves_one_loop_after_another(endpoint, question):
    model = None

    async def once() -> Response:
        nonlocal model
        async with endpoint(says(body=completion())) as base:
            model = model or WireModel("local/m", Endpoint("local", base, "", None))
            model._address = base + "/chat/completions"
            first = await model.attempt(question())
            session = model._session()
            assert model._session() is session
            await model.close()
            await model.close()
            assert session.closed
            return first

    assert asyncio.run(once()) == asyncio.run(once())
    gc.collect()


def test_an_answer_without_a_request_header_is_known_by_its_id(attempt):
    assert attempt(says(body=completion())).request_id == "chatcmpl-1"


@pytest.mark.parametrize("code", ["insufficient_quota", "billing_hard_limit_reached"])
def test_an_account_that_is_spent_ends_the_run_and_is_not_waited_for(attempt, code):
    error = {"message": "You exceeded your current quota", "type": code, "param": None, "code": code}
    with pytest.raises(AuthFailed, match="HTTP 429: You exceeded your current quota") as caught:
        attempt(says(429, body={"error": error}, headers={"Retry-After": "1"}))
    assert "nothing left to spend" in caught.value.hint


def test_a_host_that_nobody_can_ask_is_told_before_anything_is_sent(attempt):
    with pytest.raises(BadRequest, match="names no host") as caught:
        attempt(says(body={}), url="http://127.1/v1")
    assert not caught.value.may_be_paid
