from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import logging
import socket
import threading
from urllib.parse import urlsplit

import aiohttp
import pytest

from synth.errors import BadRequest
from synth.models.base import Contract, Endpoint, Identity, Parameters, Request, Response, Usage, make_request
from synth.models.tokens import estimate_tokens
from synth.models.wire import WireModel
from synth.offline.serve import Server, serve
from synth.records.labels import Outcome
from synth.records.schema import Message


class Echo:
    """A pure model that says what it was told, and more with some words."""

    pure = True
    name = "echo@1"

    def answer(self, request: Request) -> Response:
        last = request.messages[-1].content
        if last == "break":
            raise RuntimeError("secret of the house")
        if last == "bad":
            raise BadRequest("no brief in the messages")
        outcome = {"refuse": Outcome.REFUSED, "long": Outcome.TRUNCATED}.get(last, Outcome.OK)
        text = json.dumps(
            {"said": last, "temperature": request.parameters.temperature, "seed": request.parameters.seed}
        )
        return Response(text, outcome, self.name, "fp", None, Usage(estimate_tokens(last), estimate_tokens(text)))

    async def attempt(self, request: Request) -> Response:
        return self.answer(request)

    async def close(self) -> None:
        return None


@pytest.fixture
def server():
    with Server(Echo()) as running:
        yield running


def call(server, method, path, body=None):
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def ask(server, **body):
    return call(server, "POST", "/v1/chat/completions", {"model": "offline", **body})


def hello(text="hello"):
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("words", ["hello", "¡Qué lástima! 日本 😢", "refuse", "long"])
def test_an_answer_is_the_same_in_process_and_over_http(server, words):
    identity = Identity("offline", "offline", "")
    asked = make_request(
        identity,
        program="write",
        contract=Contract("c", 1),
        messages=(Message("system", "s"), Message("user", words)),
        parameters=Parameters(temperature=0.5, seed=3),
    )

    async def over_http() -> Response:
        model = WireModel("offline", Endpoint("offline", server.url, "", None))
        try:
            return await model.attempt(asked)
        finally:
            await model.close()

    there, here = asyncio.run(over_http()), Echo().answer(asked)
    assert (there.text, there.outcome, there.model_reported, there.fingerprint, there.usage) == (
        here.text,
        here.outcome,
        here.model_reported,
        here.fingerprint,
        here.usage,
    )


def test_the_openai_client_talks_to_it(server):
    from openai import AsyncOpenAI, BadRequestError

    async def run() -> tuple[object, list[str]]:
        async with AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
            completion = await client.chat.completions.create(
                model="offline",
                messages=[{"role": "user", "content": "hello"}],
                response_format={"type": "json_object"},
                seed=7,
            )
            names = [model.id async for model in client.models.list()]
            with pytest.raises(BadRequestError, match="no brief in the messages"):
                await client.chat.completions.create(model="offline", messages=[{"role": "user", "content": "bad"}])
        return completion, names

    completion, names = asyncio.run(run())
    assert json.loads(completion.choices[0].message.content) == {"said": "hello", "temperature": None, "seed": 7}
    assert (completion.model, completion.system_fingerprint, completion.choices[0].finish_reason) == (
        "echo@1",
        "fp",
        "stop",
    )
    assert completion.usage.prompt_tokens == 2
    assert names == ["echo@1"]


def test_equal_questions_give_equal_bytes(server):
    assert ask(server, messages=hello()) == ask(server, messages=hello())
    assert ask(server, messages=hello())[1]["id"] != ask(server, messages=hello("other"))[1]["id"]


def test_text_parts_are_one_text(server):
    parts = [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]
    content = ask(server, messages=[{"role": "user", "content": parts}])[1]["choices"][0]["message"]["content"]
    assert json.loads(content)["said"] == "hello"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        ([], "not a JSON object"),
        ({"messages": hello()}, "`model`"),
        ({"model": "m"}, "`messages`"),
        ({"model": "m", "messages": []}, "`messages`"),
        ({"model": "m", "messages": ["x"]}, "messages[0].role"),
        ({"model": "m", "messages": [*hello(), {"role": "user"}]}, "messages[1].content"),
        ({"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"),
        ({"model": "m", "messages": hello(), "temperature": "hot"}, "`temperature`"),
        ({"model": "m", "messages": hello(), "temperature": 10**400}, "`temperature`"),
        ({"model": "m", "messages": hello(), "seed": 1.5}, "`seed`"),
        ({"model": "m", "messages": hello(), "max_tokens": True}, "`max_tokens`"),
        ({"model": "m", "messages": hello(), "temperature": float("nan")}, "`temperature`"),
        ({"model": "m", "messages": hello(), "stream": "yes"}, "`stream`"),
        ({"model": "m", "messages": hello(), "n": 2}, "`n`"),
        ({"model": "m", "messages": hello(), "n": [1]}, "`n`"),
        ({"model": "m", "messages": hello(), "response_format": {"type": "yaml"}}, "response_format.type"),
        ({"model": "m", "messages": hello(), "response_format": {"type": []}}, "response_format.type"),
        ({"model": "m", "messages": [{"role": "user", "content": [{"type": {}, "text": "x"}]}]}, "messages[0].content"),
        ({"model": "m", "messages": hello("bad")}, "no brief"),
    ],
)
def test_a_malformed_question_is_a_400_in_openai_shape(server, body, says):
    status, answer = call(server, "POST", "/v1/chat/completions", body)
    assert status == 400
    assert says in answer["error"]["message"]
    assert answer["error"]["type"] == "invalid_request_error"
    assert call(server, "GET", "/stats")[1]["malformed"] == 1


def test_every_other_error_has_the_same_shape_and_tells_nothing_of_the_inside(server):
    assert call(server, "GET", "/v1/nothing")[0] == 404
    assert call(server, "GET", "/v1/chat/completions")[0] == 405
    assert call(server, "POST", "/v1/chat/completions", b"x" * (9 * 1024 * 1024))[0] == 413
    status, answer = ask(server, messages=hello("break"))
    assert (status, answer["error"]["message"]) == (500, "the model failed (RuntimeError)")


def sent(server, body, *headers):
    """Send bytes as they are; gives status and body of the answer."""
    parts = urlsplit(server.url)
    lines = [
        "POST /v1/chat/completions HTTP/1.1",
        "Host: here",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
    ]
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, content = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), content


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"nonsense", ["Content-Encoding: gzip"], 400),
        (gzip.compress(b"x" * 50_000_000), ["Content-Encoding: gzip"], 413),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, [], 400),
        (b'{"model":"m","seed":' + b"9" * 5_000 + b',"messages":[]}', [], 400),
        (b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}', [], 400),
        (b"\x00", [], 400),
    ],
)
def test_a_hostile_body_is_a_4xx_and_nobody_hears_of_it(server, capfd, caplog, body, headers, status):
    answered, content = sent(server, body, *headers)
    assert answered == status
    assert json.loads(content)["error"]["type"] == "invalid_request_error"
    told = call(server, "GET", "/stats")[1]
    assert (told["malformed"], told["failed"]) == (1, 0)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_half_a_character_in_a_question_is_answered(server):
    content = ask(server, messages=hello("\ud800"))[1]["choices"][0]["message"]["content"]
    assert json.loads(content)["said"] == "\ud800"


def test_a_client_that_leaves_in_its_question_breaks_nothing(server):
    parts = urlsplit(server.url)
    body = json.dumps({"model": "m", "messages": hello(), "stream": True}).encode()
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 999\r\n\r\n" + body)
    while (told := call(server, "GET", "/stats")[1])["malformed"] == 0:
        continue
    assert (told["in_flight"], told["failed"]) == (0, 0)
    assert ask(server, messages=hello())[0] == 200


def test_stats_count_and_health_is_told(server):
    for words in ("hello", "hello", "refuse", "long", "bad", "break"):
        ask(server, messages=hello(words))
    told = call(server, "GET", "/stats")[1]
    assert set(told.pop("faults").values()) == {0}
    assert told.pop("tokens_in") == 2 + 2 + 2 + 1
    assert told.pop("tokens_out") > 40
    assert {what: count for what, count in told.items() if count} == {
        "requests": 6,
        "ok": 2,
        "refused": 1,
        "truncated": 1,
        "malformed": 1,
        "failed": 1,
        "asked_again": 1,
        "distinct": 5,
        "peak_in_flight": 1,
    }
    emptied = call(server, "POST", "/reset")[1]
    assert not any(count for what, count in emptied.items() if what != "faults")
    assert call(server, "GET", "/health") == (200, {"status": "ok"})


def test_stats_know_how_many_were_in_flight_at_once():
    async def run(url):
        async with aiohttp.ClientSession() as session:

            async def one(number):
                body = {"model": "m", "messages": hello(str(number))}
                async with session.post(url + "/chat/completions", json=body) as answer:
                    return answer.status

            return await asyncio.gather(*map(one, range(20)))

    with Server(Echo(), latency=0.3, jitter=0.2) as server:
        assert set(asyncio.run(run(server.url))) == {200}
        told = call(server, "GET", "/stats")[1]
    assert (told["in_flight"], told["ok"]) == (0, 20)
    assert 1 < told["peak_in_flight"] <= 20


def test_it_binds_this_machine_only_and_prints_nothing(capfd, caplog):
    caplog.set_level(logging.INFO)
    with Server(Echo()) as server:
        ask(server, messages=hello())
        assert urlsplit(server.url).hostname == "127.0.0.1"
        taken = urlsplit(server.url).port
        with pytest.raises(OSError, match=str(taken)), Server(Echo(), port=taken):
            pass
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]
    assert not [thread for thread in threading.enumerate() if thread.name == "synth-serve"]


def test_serve_runs_until_it_is_cancelled():
    async def run() -> str:
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.ensure_future(serve(Echo().answer, port=0, ready=ready.set_result))
        url = await ready
        model = WireModel("offline", Endpoint("offline", url, "", None))
        asked = make_request(
            Identity("offline", "offline", ""),
            program="p",
            contract=Contract("c", 1),
            messages=(Message("user", "hello"),),
            parameters=Parameters(),
        )
        response = await model.attempt(asked)
        await model.close()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        return response.text

    assert json.loads(asyncio.run(run()))["said"] == "hello"
