"""The lane `router`: litellm asked over real HTTP, as its OpenAI, vLLM and Anthropic providers ask."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import traceback
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from synth.errors import AuthFailed, BadRequest, FormRefused, RateLimited, SynthError, Transient, UsageError
from synth.models.base import Contract, Endpoint, LearningModel, Parameters, Response, Usage, open_model
from synth.models.router import AMBIENT, RouterModel
from synth.models.tokens import estimate_prompt
from synth.offline.serve import Server
from synth.records.labels import Outcome

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-planted-0123456789abcdef"
PROVIDERS = ("openai", "hosted_vllm")
HERE = Endpoint("local", None, "", "PLANTED_KEY", 20.0, lane="router", provider="openai")


@pytest.fixture(autouse=True)
def planted(monkeypatch):
    monkeypatch.setenv("PLANTED_KEY", KEY)


def completion(**changes):
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": '{"a": 1}'}}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": "m-2026-01-01"}
    body |= {"system_fingerprint": "fp_1", "choices": [choice], "usage": usage}
    for name, value in changes.items():
        if name in body:
            body[name] = value
        elif name == "finish_reason":
            choice[name] = value
        else:
            choice["message"][name] = value
    return body


def says(status=200, body=None, *, text=None, headers=None, hits=None):
    async def handler(http):
        if hits is not None:
            hits.append(http.path)
        content = text if text is not None else json.dumps(body)
        return web.Response(status=status, text=content, headers=headers, content_type="application/json")

    return handler


async def once(model, request) -> Response:
    try:
        return await model.attempt(request)
    finally:
        await model.close()


@pytest.fixture
def attempt(endpoint, question):
    """Give one attempt by litellm at an endpoint whose every answer the handler makes."""

    def run(handler, *, request=None, **changes) -> Response:
        async def there() -> Response:
            async with endpoint(handler) as base:
                model = open_model("local/m", {"local": replace(HERE, **({"url": base} | changes))})
                return await once(model, request or question())

        return asyncio.run(there())

    return run


@pytest.fixture
def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


# -- what is sent


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_question_is_sent_once_and_its_answer_is_read(attempt, question, provider):
    seen = []

    async def handler(http):
        seen.append((await http.json(), http.headers["Authorization"]))
        told = completion()
        told["usage"]["prompt_tokens_details"] = {"cached_tokens": 4}
        limits = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59"}
        return web.json_response(told, headers={"x-request-id": "req-9", **limits})

    asked = question("¿Qué?", parameters=Parameters(temperature=0.5, max_tokens=50, seed=4))
    response = attempt(handler, request=asked, provider=provider)
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "¿Qué?"}],
        "response_format": {"type": "json_object"},
        "temperature": 0.5,
        "max_tokens": 50,
        "seed": 4,
    }
    assert seen == [(body, f"Bearer {KEY}")]
    assert response == Response('{"a": 1}', Outcome.OK, "m-2026-01-01", "fp_1", "req-9", Usage(11, 7, 4))
    assert (response.rates.requests.limit, response.rates.requests.left) == (60, 59)


def test_a_schema_goes_to_the_models_that_take_one(attempt, question):
    asked = []

    async def handler(http):
        asked.append((await http.json())["response_format"]["type"])
        return web.json_response(completion())

    shape = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    for model in ("gpt-4o-mini", "unheard-of"):
        request = replace(question(contract=Contract("scene", 1, lambda: shape)), model=model)
        attempt(handler, request=request)
    assert asked == ["json_schema", "json_object"]


def test_what_a_provider_does_not_take_is_learned_from_its_refusal(endpoint, question):
    asked = []

    async def handler(http):
        body = await http.json()
        asked.append("response_format" in body)
        if asked[-1]:
            words = {"message": "response_format is not supported", "param": "response_format"}
            return web.json_response({"error": words}, status=400)
        return web.json_response(completion())

    async def run():
        async with endpoint(handler) as base:
            model = open_model("local/m", {"local": replace(HERE, url=base)})
            with pytest.raises(FormRefused, match="response_format"):
                await model.attempt(question())
            answer = await once(model, question())
            assert isinstance(model, LearningModel)
            other = RouterModel("local/m", replace(HERE, url=base))
            other.recall(model.habits())
            await once(other, question())
            return answer

    assert asyncio.run(run()).outcome is Outcome.OK
    assert asked == [True, False, False]


def test_a_server_without_a_key_gets_none_of_the_environment(attempt, monkeypatch):
    for name in ("OPENAI_API_KEY", "HOSTED_VLLM_API_KEY"):
        monkeypatch.setenv(name, KEY)
    seen = []

    async def handler(http):
        seen.append(http.headers.get("Authorization"))
        return web.json_response(completion())

    for provider in PROVIDERS:
        attempt(handler, provider=provider, key_variable=None)
    assert len(seen) == 2
    assert KEY not in "".join(map(str, seen))


# -- what an answer is


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("body", "outcome", "text"),
    [
        (completion(finish_reason="length"), Outcome.TRUNCATED, '{"a": 1}'),
        (completion(finish_reason="content_filter", content=None), Outcome.REFUSED, ""),
        (completion(refusal="I will not.", content=None), Outcome.REFUSED, ""),
        (completion(content=None), Outcome.OK, ""),
        (completion(content="half \ud83d whole 😢"), Outcome.OK, "half \ufffd whole 😢"),
    ],
)
def test_what_an_answer_is(attempt, provider, body, outcome, text):
    response = attempt(says(body=body), provider=provider)
    assert (response.outcome, response.text, response.usage) == (outcome, text, Usage(11, 7))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_filtered_question_is_refused_and_that_is_an_answer(attempt, question, provider):
    error = {"error": {"message": "filtered", "code": "content_filter"}}
    response = attempt(says(400, error, headers={"x-request-id": "q"}), provider=provider)
    assert (response.text, response.outcome, response.request_id) == ("", Outcome.REFUSED, "q")
    assert response.usage == Usage(estimate_prompt(question().messages), 0)


def test_the_embedded_model_answers_as_in_process(question):
    class Echo:
        pure = True
        name = "echo"

        def answer(self, request):
            return Response(request.messages[-1].content, Outcome.OK, "echo", "fp", None, Usage(3, 4))

    with Server(Echo()) as server:
        model = open_model("local/m", {"local": replace(HERE, url=server.url, key_variable=None)})
        there = asyncio.run(once(model, question("¡Qué lástima! 日本 😢")))
    assert (there.text, there.model_reported, there.usage) == ("¡Qué lástima! 日本 😢", "echo", Usage(3, 4))


# -- what a failure is


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (307, BadRequest),
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
        (504, Transient),
        (529, Transient),
    ],
)
def test_every_status_has_its_error_after_one_request(attempt, provider, status, error):
    hits = []
    # the words are those by which litellm would take every one of these for a time-out
    body = {"error": {"message": "Request timed out, says\nthe endpoint", "code": "other"}}
    with pytest.raises(SynthError) as caught:
        attempt(says(status, body, hits=hits, headers={"Location": "/v1/chat/completions"}), provider=provider)
    assert type(caught.value) is error
    assert "local" in str(caught.value)
    assert len(hits) == 1
    if error is not AuthFailed:
        assert f"HTTP {status}: Request timed out, says the endpoint" in str(caught.value)
    if error is Transient:
        assert not caught.value.may_be_paid


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("0.5", 0.5), (None, None), ("soon", None)])
def test_a_rate_limit_says_how_long_to_wait(attempt, provider, header, seconds):
    with pytest.raises(RateLimited) as caught:
        attempt(says(429, {}, headers={"Retry-After": header} if header else None), provider=provider)
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("text", ["", "<html>", "[]", "null", "{}", '{"choices": []}', '{"choices": [{"mess'])
def test_a_broken_envelope_may_be_asked_again(attempt, provider, text):
    hits = []
    with pytest.raises(Transient, match="no valid answer") as caught:
        attempt(says(text=text, hits=hits), provider=provider)
    assert caught.value.may_be_paid
    assert len(hits) == 1


async def cut(http):
    answer = web.StreamResponse(headers={"Content-Length": "1000"})
    await answer.prepare(http)
    await answer.write(b'{"choices"')
    http.transport.close()
    return answer


async def dropped(http):
    http.transport.close()
    return web.Response()


async def stalled(http):
    await asyncio.sleep(30)
    return web.Response()


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("handler", "timeout"), [(cut, 20.0), (dropped, 20.0), (stalled, 0.3)])
def test_a_broken_connection_is_not_tried_again_here_and_may_be_paid(attempt, provider, handler, timeout):
    hits = []

    async def counted(http):
        hits.append(http.path)
        return await handler(http)

    with pytest.raises(Transient, match="no valid answer") as caught:
        attempt(counted, provider=provider, timeout=timeout)
    assert caught.value.may_be_paid
    assert len(hits) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_question_that_never_left_is_not_paid(attempt, provider, free_port):
    with pytest.raises(Transient) as caught:
        attempt(says(), provider=provider, url=f"http://127.0.0.1:{free_port}/v1")
    assert not caught.value.may_be_paid


def test_an_answer_without_end_is_refused(attempt):
    with pytest.raises(BadRequest, match="8 MB") as caught:
        attempt(says(body=completion(content="x" * (8 * 1024 * 1024 + 1))))
    assert caught.value.may_be_paid


# -- keys, words and side effects


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_no_key_comes_back(attempt, caplog, capfd, provider, status):
    caplog.set_level(logging.DEBUG)

    async def echo(http):
        sent = http.headers["Authorization"]
        body = {"error": {"message": f"what is {sent}?", "code": sent}} if status != 200 else completion(content=sent)
        return web.json_response(body, status=status, headers={"x-request-id": sent})

    said = ""
    try:
        said = repr(attempt(echo, provider=provider))
    except SynthError as error:
        said = "".join(traceback.format_exception(error))
    assert said
    # nothing of litellm's is chained to ours
    assert "exception occurred" not in said
    assert "direct cause" not in said
    assert KEY not in said
    ours = [record for record in caplog.records if record.name.lower().startswith(("synth", "litellm"))]
    assert ours == []
    assert capfd.readouterr() == ("", "")


def test_a_redirect_does_not_carry_a_key_to_another_place(question):
    """Anthropic's key goes in a header of its own, which HTTP libraries take along."""
    elsewhere, here = [], []

    async def other(http):
        elsewhere.append(dict(http.headers))
        return web.json_response({})

    async def run():
        app, strange = web.Application(), web.Application()
        strange.router.add_route("*", "/{any:.*}", other)
        async with TestServer(strange) as stranger:

            async def messages(http):
                here.append(http.headers["x-api-key"])
                raise web.HTTPTemporaryRedirect(str(stranger.make_url("/v1/messages")))

            app.router.add_post("/v1/messages", messages)
            async with TestServer(app) as server:
                there = replace(HERE, url=str(server.make_url("")).rstrip("/"), provider="anthropic")
                model = open_model("local/claude-sonnet-4-5", {"local": there})
                with pytest.raises(BadRequest, match="HTTP 307"):
                    await once(model, replace(question(), model="claude-sonnet-4-5"))

    asyncio.run(run())
    assert (here, elsewhere) == ([KEY], [])


def test_anthropic_is_asked_in_its_own_words(question):
    asked = []

    async def messages(http):
        asked.append(await http.json())
        usage = {"input_tokens": 9, "output_tokens": 5, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 0}
        answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929"}
        answer |= {"content": [{"type": "text", "text": '{"a": 1}'}], "stop_reason": "max_tokens", "usage": usage}
        return web.json_response(answer, headers={"request-id": "req_7"})

    async def run():
        app = web.Application()
        app.router.add_post("/v1/messages", messages)
        async with TestServer(app) as server:
            there = replace(HERE, url=str(server.make_url("")).rstrip("/"), provider="anthropic", form="plain")
            model = open_model("local/claude-sonnet-4-5", {"local": there})
            parameters = Parameters(max_tokens=50, seed=4)
            return await once(model, replace(question(parameters=parameters), model="claude-sonnet-4-5"))

    response = asyncio.run(run())
    # a seed is not for Anthropic, and is left out rather than refused
    assert [(body["model"], body["max_tokens"], "seed" in body) for body in asked] == [("claude-sonnet-4-5", 50, False)]
    assert response == Response(
        '{"a": 1}', Outcome.TRUNCATED, "claude-sonnet-4-5-20250929", None, "req_7", Usage(12, 5, 3)
    )


def test_litellm_is_imported_without_a_fetch_a_file_or_a_word(tmp_path):
    """A .env file of the folder is not read, and the price table is not fetched."""
    (tmp_path / ".env").write_text("PLANTED_BY_DOTENV=1\n")
    program = (
        "import os, socket, sys, warnings; warnings.simplefilter('error')\n"
        "def refuse(*_): raise SystemExit('a connection was made')\n"
        "socket.socket.connect = refuse; socket.create_connection = refuse\n"
        "from synth.models import router; assert 'litellm' not in sys.modules\n"
        "litellm = router._opened(); assert litellm.suppress_debug_info and 'PLANTED_BY_DOTENV' not in os.environ\n"
        "from litellm.litellm_core_utils.get_model_cost_map import get_model_cost_map_source_info as info\n"
        "print(info()['source'])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LITELLM")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "local\n", "")


def test_litellm_answers_also_where_the_filters_of_warnings_were_reset_after_its_import():
    """It builds its classes at the first answer, and pydantic warns of them; here every warning is an error."""
    program = (
        "import warnings\n"
        "from synth.models import router; router._opened()\n"
        "warnings.resetwarnings(); warnings.simplefilter('error'); router._quiet()\n"
        "from litellm import ModelResponse\n"
        "print(ModelResponse().choices[0].message.role)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "assistant\n", "")


# -- what is opened


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"provider": ""}, "no provider"),
        ({"provider": "open/ai"}, "no provider"),
        ({"key_variable": None}, "neither a key nor a URL"),
        ({"url": "http://me:hunter2@host/v1"}, "plain http"),
    ],
)
def test_an_endpoint_that_cannot_be_asked_is_not_opened(changes, says):
    with pytest.raises(UsageError, match=says) as caught:
        open_model("local/m", {"local": replace(HERE, **changes)})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "model",
    [
        "https://elsewhere.example/v1",
        "x/https://elsewhere.example",
        "//elsewhere.example/x",
        "../v2/x",
        "a/../../b",
        "m?key=1",
        "m#x",
        "m\\x",
        "модель",
        "/m",
    ],
)
@pytest.mark.parametrize("provider", ["huggingface", "oobabooga", "gemini"])
def test_a_recipe_cannot_make_an_address_of_a_models_name(provider, model):
    """huggingface and oobabooga send the question, and the key, to a model that is a URL."""
    with pytest.raises(UsageError, match="no name of a model"):
        open_model(f"local/{model}", {"local": replace(HERE, provider=provider)})


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4o-mini",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.x",
        "@cf/meta/llama-3-8b",
        "org/name:fastest",
    ],
)
def test_the_names_that_providers_give_their_models_are_taken(model):
    assert open_model(f"local/{model}", {"local": HERE}).name == f"local/{model}"


@pytest.mark.parametrize("provider", sorted(AMBIENT))
def test_a_cloud_finds_the_credentials_of_its_machine(provider):
    model = open_model("local/m", {"local": replace(HERE, key_variable=None, provider=provider)})
    assert model.name == "local/m"


def test_an_unknown_provider_is_named_with_its_nearest(attempt):
    with pytest.raises(UsageError, match="did you mean 'anthropic'"):
        attempt(says(), provider="antropic")


def test_a_key_that_is_not_set_ends_the_run(attempt, monkeypatch):
    monkeypatch.delenv("PLANTED_KEY")
    with pytest.raises(AuthFailed, match="PLANTED_KEY is empty or not set"):
        attempt(says())


def test_what_litellm_itself_refuses_is_a_bad_request(attempt):
    hits = []
    with pytest.raises(BadRequest, match="litellm does not put the question to it"):
        attempt(says(body=completion(), hits=hits), provider="openai_like")
    assert hits == []


def test_one_model_serves_one_loop_after_another(endpoint, question):
    async def run():
        async with endpoint(says(body=completion())) as base:
            model = open_model("local/m", {"local": replace(HERE, url=base)})
            answers = await asyncio.gather(*(model.attempt(question()) for _ in range(8)))
            await model.close()
            answers.append(await once(model, question()))
            return {answer.text for answer in answers}

    assert [asyncio.run(run()) for _ in range(2)] == [{'{"a": 1}'}] * 2
