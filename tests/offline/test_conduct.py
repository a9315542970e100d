"""How the server conducts itself beyond faults: forms it refuses, limits a minute, prices, keys, outages, caches, latency."""

from __future__ import annotations

import asyncio
import http.client
import json
import math
import re
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.errors import UsageError
from synth.models.base import Request, Response, Usage
from synth.models.prices import Price
from synth.offline.completions import Completions
from synth.offline.conduct import Conduct, Outage
from synth.offline.limits import Bucket, Limits, spelled
from synth.offline.refusals import RefusedError
from synth.offline.serve import Server
from synth.records.labels import Outcome

KEY = "sk-planted-0123456789abcdef"


class Steady:
    """A pure model whose every answer costs the same: 1,000 tokens read, 100 written."""

    pure = True
    name = "steady@1"

    def answer(self, request: Request) -> Response:
        return Response('{"said": true}', Outcome.OK, self.name, None, None, Usage(1_000, 100))

    async def attempt(self, request: Request) -> Response:
        return self.answer(request)

    async def close(self) -> None:
        return None


def call(server, method, path, body=None, key=KEY):
    """Give status, headers and body."""
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, json.loads(answer.read())
    finally:
        connection.close()


def ask(server, words="hello", key=KEY, **more):
    messages = words if isinstance(words, list) else [{"role": "user", "content": words}]
    return call(server, "POST", "/v1/chat/completions", {"model": "m", "messages": messages, **more}, key)


def stats(server):
    return call(server, "GET", "/stats")[2]


def schema():
    return {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}


# -- forms


@pytest.mark.parametrize(
    ("options", "refused", "taken"),
    [
        ({"schema": False}, [schema()], [{"type": "json_object"}, {"type": "text"}, None]),
        ({"schema": False, "json_mode": False}, [schema(), {"type": "json_object"}], [{"type": "text"}, None]),
        ({}, [], [schema(), {"type": "json_object"}, {"type": "text"}, None]),
    ],
)
def test_a_form_that_is_not_served_is_a_400_that_names_it(options, refused, taken):
    with Server(Steady(), **options) as server:
        for form in refused:
            status, _, body = ask(server, response_format=form)
            assert (status, body["error"]["param"]) == (400, "response_format")
            assert form["type"] in body["error"]["message"]
        assert {ask(server, response_format=form)[0] for form in taken} == {200}
        told = stats(server)
    assert told["faults"]["no-schema"] + told["faults"]["no-json-mode"] == len(refused)


def test_a_reasoning_model_takes_max_completion_tokens_alone():
    with Server(Steady(), reasoning=True) as server:
        status, _, body = ask(server, max_tokens=10)
        assert (status, body["error"]["param"], body["error"]["code"]) == (400, "max_tokens", "unsupported_parameter")
        assert "max_completion_tokens" in body["error"]["message"]
        assert ask(server, max_completion_tokens=10)[0] == 200


# -- limits


def test_requests_over_the_limit_are_429_and_every_answer_says_what_is_left():
    with Server(Steady(), requests_per_minute=3, tokens_per_minute=100_000) as server:
        answers = [ask(server, str(number)) for number in range(5)]
        told = stats(server)
    assert [status for status, _, _ in answers] == [200, 200, 200, 429, 429]
    assert [headers["x-ratelimit-remaining-requests"] for _, headers, _ in answers[:4]] == ["2", "1", "0", "0"]
    assert {headers["x-ratelimit-limit-tokens"] for _, headers, _ in answers} == {"100000"}
    _, headers, body = answers[-1]
    assert body["error"]["type"] == "requests"
    assert 0 < int(headers["retry-after-ms"]) <= 20_000
    assert 1 <= int(headers["Retry-After"]) <= 20
    assert re.fullmatch(r"(\d+m)?[\d.]+s|\d+ms", headers["x-ratelimit-reset-requests"])
    assert told["faults"]["requests-per-minute"] == 2


def test_tokens_over_the_limit_are_429_by_prompt_and_longest_answer():
    with Server(Steady(), tokens_per_minute=1_000) as server:
        assert ask(server, "a", max_tokens=900)[0] == 200
        status, headers, body = ask(server, "b", max_tokens=900)
        told = stats(server)
    assert (status, body["error"]["type"]) == (429, "tokens")
    assert "x-ratelimit-limit-requests" not in headers
    assert told["faults"]["tokens-per-minute"] == 1


def test_a_bucket_fills_evenly_and_never_beyond_its_size():
    bucket = Bucket(60, now=0.0)
    bucket.take(60)
    assert bucket.wait(1, 0.0) == 1.0
    assert bucket.left(30.0) == 30.0
    assert bucket.wait(30, 30.0) == 0.0
    assert bucket.left(1_000.0) == 60.0
    assert bucket.wait(10_000, 1_000.0) == 0.0  # asks for all there is


def test_a_refused_request_takes_nothing_and_the_wait_that_is_told_is_enough():
    now = [0.0]
    limits = Limits(2, 100, lambda: now[0])
    limits.admit(90)
    with pytest.raises(RefusedError) as caught:
        limits.admit(90)
    assert limits.headers()["x-ratelimit-remaining-requests"] == "1"
    now[0] += int(caught.value.headers["retry-after-ms"]) / 1000
    limits.admit(90)


@given(st.floats(0, 100_000))
def test_a_length_of_time_is_read_back_from_its_spelling(seconds):
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:(\d+)ms)?", spelled(seconds))
    hours, minutes, rest, thousandths = (float(part or 0) for part in match.groups())
    assert math.isclose(hours * 3600 + minutes * 60 + rest + thousandths / 1000, seconds, abs_tol=0.0011)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0ms"), (0.12, "120ms"), (1, "1s"), (7.66, "7.66s"), (360, "6m0s"), (3600, "1h0m0s")]
)
def test_lengths_of_time_are_spelled_as_openai_spells_them(seconds, text):
    assert spelled(seconds) == text


# -- money and caches


def test_what_it_charged_is_counted_to_the_micro_unit():
    price = Price(150_000, 600_000)
    with Server(Steady(), price=price) as server:
        for number in range(3):
            ask(server, str(number))
        told = stats(server)
    assert (told["tokens_in"], told["tokens_out"]) == (3_000, 300)
    assert told["micro_units"] == 3 * price.cost(Usage(1_000, 100)) == 3 * 210


def test_the_prompt_cache_holds_the_longest_run_of_messages_that_came_before():
    system, first, second = ({"role": "system", "content": "s" * 400}, {"role": "user", "content": "a" * 40}, "b" * 40)
    with Server(Steady(), prompt_cache=True, price=Price(1_000_000, 0, 0)) as server:
        usages = [
            ask(server, messages)[2]["usage"].get("prompt_tokens_details")
            for messages in (
                [system, first],
                [system, {"role": "user", "content": second}],
                [system, first],
                [first, system],
            )
        ]
        told = stats(server)
    assert usages == [None, {"cached_tokens": 104}, {"cached_tokens": 118}, None]
    assert told["micro_units"] == 4_000 - 104 - 118
    with Server(Steady()) as server:
        assert "prompt_tokens_details" not in [ask(server, [system]) for _ in range(2)][1][2]["usage"]


# -- keys


def test_a_key_is_asked_for_and_a_wrong_one_is_quoted_in_part(monkeypatch):
    monkeypatch.setenv("REHEARSAL_KEY", KEY)
    with Server(Steady(), key_variable="REHEARSAL_KEY") as server:
        assert ask(server)[0] == 200
        assert call(server, "GET", "/v1/models")[0] == 200
        assert call(server, "GET", "/v1/models", key="")[0] == 401
        status, _, body = ask(server, key="sk-wrong-9876543210fedcba")
        assert (status, body["error"]["code"]) == (401, "invalid_api_key")
        assert "sk-wrong" in body["error"]["message"]
        assert "sk-wrong-9876543210fedcba" not in body["error"]["message"]
        assert KEY not in json.dumps(body)
        assert ask(server, key="")[0] == 401
        told = stats(server)
    assert (told["ok"], told["faults"]["key-variable"]) == (1, 3)


def test_an_empty_key_variable_is_refused(monkeypatch):
    monkeypatch.delenv("REHEARSAL_KEY", raising=False)
    with pytest.raises(UsageError, match="key variable"):
        Server(Steady(), key_variable="REHEARSAL_KEY")


# -- outages and latency


def test_a_dead_server_closes_connections_and_comes_back():
    with Server(Steady(), outage=Outage(3, 0.3)) as server:
        assert [ask(server, str(number))[0] for number in range(2)] == [200, 200]
        # an end without an answer; a reset where the system had not read the question by then (RemoteDisconnected is one too)
        with pytest.raises(ConnectionResetError):
            ask(server, "2")
        tries = 1
        while True:
            try:
                status = ask(server, "2")[0]
                break
            except ConnectionResetError:
                tries += 1
        told = stats(server)
    assert status == 200
    assert told["faults"]["outage"] == tries
    assert (told["ok"], told["requests"]) == (3, 3 + tries)


def test_an_outage_lasts_by_the_clock_and_not_by_requests():
    with Server(Steady(), outage=Outage(1, 3_600)) as server:
        for number in range(5):
            with pytest.raises(ConnectionResetError):
                ask(server, str(number))
        assert call(server, "GET", "/health")[0] == 200
        assert stats(server)["faults"]["outage"] == 5


def test_a_reset_begins_an_outage_anew():
    with Server(Steady(), outage=Outage(2, 3_600)) as server:
        for _ in range(2):
            assert ask(server)[0] == 200
            with pytest.raises(ConnectionResetError):
                ask(server)
            call(server, "POST", "/reset")


def test_each_question_waits_its_own_time_within_the_jitter(monkeypatch):
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    async def run(seed):
        waited.clear()
        answers = Completions(Steady().answer, Conduct(latency=0.2, jitter=0.5, seed=seed))
        for number in range(200):
            await answers.answer_one({"model": "m", "messages": [{"role": "user", "content": str(number)}]})
        return tuple(waited)

    monkeypatch.setattr("synth.offline.completions.asyncio.sleep", sleep)
    first, again, other = (asyncio.run(run(seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert 0.1 <= min(first) < 0.11
    assert 0.29 < max(first) <= 0.3
    assert abs(sum(first) / 200 - 0.2) < 4 * 0.2 / math.sqrt(12 * 200)


@pytest.mark.parametrize(
    "options",
    [
        {"latency": -1},
        {"latency": math.inf},
        {"jitter": 1.5},
        {"retry_after": math.nan},
        {"requests_per_minute": 0},
        {"outage": Outage(0, 1)},
        {"outage": Outage(1, math.nan)},
    ],
)
def test_an_option_out_of_its_range_is_refused_before_anything_is_served(options):
    with pytest.raises(UsageError):
        Server(Steady(), **options)
