"""What a rehearsal asks for is what a client meets: each fault over real HTTP, at its rate, the same at each run."""

from __future__ import annotations

import asyncio
import email.utils
import http.client
import json
import math
import time
from urllib.parse import urlsplit

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.errors import UsageError
from synth.models.answers import DuplicateKey, LoneSurrogate, NotFinite, TooDeep, Unparsable, parse_json
from synth.models.base import Request, Response, Usage
from synth.offline.faults import ANSWER, BODY, NAMES, QUESTION, TRANSPORT, Draws, Faults, parse_fault
from synth.offline.serve import Server
from synth.records.labels import Outcome

LABELS = {"labels": [{"field": "emotion", "value": "anger", "share": 1.0, "quote": "I am cross", "nth": 0}]}


class Labeller:
    """A pure model that gives the same labels to everybody."""

    pure = True
    name = "labeller@1"

    def answer(self, request: Request) -> Response:
        return Response(json.dumps(LABELS), Outcome.OK, self.name, None, None, Usage(100, 40))

    async def attempt(self, request: Request) -> Response:
        return self.answer(request)

    async def close(self) -> None:
        return None


def rates(**given):
    return Faults(**given)


def always(name):
    return Faults(**{name.replace("-", "_"): 1.0})


def asked(words="hello"):
    return {"model": "offline", "messages": [{"role": "user", "content": str(words)}]}


def post(server, body, path="/v1/chat/completions", timeout=30):
    """Give status, headers and body of one question; what the connection does is raised as it is."""
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("POST", path, json.dumps(body), {"Authorization": "Bearer sk-planted-0123456789abcdef"})
        answer = connection.getresponse()
        return answer.status, answer.headers, json.loads(answer.read())
    finally:
        connection.close()


def stats(server):
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        connection.request("GET", "/stats")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def content(server, words="hello"):
    status, _, body = post(server, asked(words))
    assert status == 200
    return body["choices"][0]["message"]["content"]


def many(server, questions, in_flight=64):
    """Ask many questions at once; gives the status of each, zero where the connection broke."""

    async def run():
        connector = aiohttp.TCPConnector(limit=in_flight, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def one(words):
                try:
                    async with session.post(server.url + "/chat/completions", json=asked(words)) as answer:
                        await answer.read()
                        return answer.status
                except aiohttp.ClientError:
                    return 0

            return await asyncio.gather(*map(one, questions))

    return asyncio.run(run())


# -- names and rates


@given(st.sampled_from(NAMES), st.floats(0, 1))
def test_every_name_and_rate_is_read_back(name, rate):
    assert parse_fault(f"{name}={rate!r}") == (name, rate)
    assert Faults.parse([f"{name}={rate!r}"]).rate(name) == rate


@given(st.sampled_from(NAMES), st.floats().filter(lambda rate: not 0 <= rate <= 1))
def test_a_rate_outside_of_the_range_is_refused(name, rate):
    with pytest.raises(UsageError, match=f"{name}.*no rate"):
        parse_fault(f"{name}={rate!r}")
    with pytest.raises(UsageError, match="no rate"):
        Faults(**{name.replace("-", "_"): rate})


@given(st.text() | st.builds("{}={}".format, st.sampled_from(NAMES), st.text()))
def test_any_text_is_a_fault_or_a_usage_error(text):
    try:
        name, rate = parse_fault(text)
    except UsageError:
        return
    assert name in NAMES
    assert 0 <= rate <= 1


def test_a_wrong_name_is_told_the_nearest_and_all():
    with pytest.raises(UsageError) as caught:
        Faults.parse(["rate-limits=0.5"])
    assert "did you mean 'rate-limit'?" in str(caught.value)
    assert all(name in str(caught.value) for name in NAMES)


def test_names_and_groups_and_fields_agree():
    assert sorted(NAMES) == sorted({*TRANSPORT, *BODY, *QUESTION, *ANSWER})
    assert [name.replace("-", "_") for name in NAMES] == list(Faults.__dataclass_fields__)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rate", [0.02, 0.5])
def test_a_rate_is_met_within_its_binomial(name, rate):
    group = next(group for group in (TRANSPORT, BODY, QUESTION, ANSWER) if name in group)
    draws = Draws(Faults(**{name.replace("-", "_"): rate}), seed=7)
    size = 4_000
    met = sum(draws.met(group, f"question {number}".encode()) == name for number in range(size))
    assert abs(met - rate * size) <= 4 * math.sqrt(size * rate * (1 - rate))


def test_draws_depend_on_seed_name_and_question_alone():
    questions = [f"{number}".encode() for number in range(400)]

    def met(seed, asked=0, **given):
        draws = Draws(Faults(**given), seed)
        return [draws.met(TRANSPORT, question, asked) for question in questions]

    assert met(1, rate_limit=0.3) == met(1, rate_limit=0.3)
    assert met(1, rate_limit=0.3) != met(2, rate_limit=0.3)
    assert met(1, rate_limit=0.3) != met(1, asked=1, rate_limit=0.3)
    assert set(met(1, rate_limit=1, reset=1)) == {"rate-limit"}
    assert [bool(name) for name in met(1, rate_limit=0.3)] != [bool(name) for name in met(1, reset=0.3)]


# -- faults of the transport


@pytest.mark.parametrize(
    ("name", "header", "value"),
    [("rate-limit", "Retry-After", "2.5"), ("rate-limit-ms", "retry-after-ms", "250")],
)
def test_a_rate_limit_says_when_to_come_again(name, header, value):
    with Server(Labeller(), faults=always(name), retry_after=2.5) as server:
        status, headers, body = post(server, asked())
        assert (status, headers[header], body["error"]["code"]) == (429, value, "rate_limit_exceeded")
        assert stats(server)["faults"][name] == 1


def test_a_rate_limit_as_a_date_or_longer_than_one_waits():
    with Server(Labeller(), faults=always("rate-limit-date"), retry_after=60) as server:
        until = email.utils.parsedate_to_datetime(post(server, asked())[1]["Retry-After"])
        assert 30 < until.timestamp() - time.time() < 90
    with Server(Labeller(), faults=always("rate-limit-long")) as server:
        assert float(post(server, asked())[1]["Retry-After"]) > 120


def test_a_key_is_refused_with_a_part_of_it():
    with Server(Labeller(), faults=always("unauthorised")) as server:
        status, _, body = post(server, asked())
    assert (status, body["error"]["code"]) == (401, "invalid_api_key")
    assert "sk-plant" in body["error"]["message"]
    assert "sk-planted-0123456789abcdef" not in body["error"]["message"]


def test_server_errors_come_in_all_four_kinds():
    with Server(Labeller(), faults=always("server-error")) as server:
        assert set(many(server, range(64))) == {500, 502, 503, 529}
        assert stats(server)["faults"]["server-error"] == 64


def test_a_reset_comes_before_any_byte():
    with Server(Labeller(), faults=always("reset")) as server:
        with pytest.raises(ConnectionResetError) as caught:
            post(server, asked())
        # http.client's RemoteDisconnected, an end without an answer, is a ConnectionResetError too
        assert not isinstance(caught.value, http.client.RemoteDisconnected)
        assert stats(server)["faults"]["reset"] == 1


def test_a_stalled_body_begins_and_does_not_end():
    with Server(Labeller(), faults=always("stalled-body")) as server:
        parts = urlsplit(server.url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        connection.request("POST", "/v1/chat/completions", json.dumps(asked()))
        answer = connection.getresponse()
        begun = answer.read(8)
        connection.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            answer.read()
        told = stats(server)
        answer.close()
        connection.close()
    assert begun.startswith(b"{")
    assert (told["faults"]["stalled-body"], told["ok"], told["tokens_out"], told["in_flight"]) == (1, 0, 40, 1)


def test_a_server_that_stops_ends_what_is_stalled():
    async def run(server):
        async with (
            aiohttp.ClientSession() as session,
            session.post(server.url + "/chat/completions", json=asked()) as answer,
        ):
            assert answer.status == 200
            first = await answer.content.readany()
            server.__exit__(None, None, None)
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()
            return first

    server = Server(Labeller(), faults=always("stalled-body"))
    server.__enter__()
    assert asyncio.run(run(server)).startswith(b"{")


def test_a_cut_body_is_shorter_than_it_says():
    with Server(Labeller(), faults=always("cut-body")) as server:
        with pytest.raises(http.client.IncompleteRead):
            post(server, asked())
        assert stats(server)["faults"]["cut-body"] == 1


def test_a_retry_can_pass_and_a_run_meets_the_same_again():
    def statuses(server):
        return [many(server, range(100), in_flight=1) for _ in range(3)]

    with Server(Labeller(), faults=rates(rate_limit=0.3, reset=0.1, server_error=0.1), seed=3) as server:
        first, told = statuses(server), stats(server)
        post(server, {}, "/reset")
        again = statuses(server)
    assert first == again
    assert first[0] != first[1]
    assert told["distinct"] == 100
    assert told["asked_again"] > 0
    refused = told["faults"]["rate-limit"] + told["faults"]["reset"] + told["faults"]["server-error"]
    assert told["ok"] + refused == told["requests"] == 300


# -- faults that stay with the question


def test_a_content_filter_and_a_bad_parameter_stay_with_their_questions():
    with Server(Labeller(), faults=rates(content_filter=0.3, bad_parameter=0.3)) as server:
        first = [post(server, asked(number) | {"top_p": 0.5})[2] for number in range(40)]
        again = [post(server, asked(number) | {"top_p": 0.5})[2] for number in range(40)]
    assert first == again
    errors = [body["error"] for body in first if "error" in body]
    filtered = [error for error in errors if error["code"] == "content_filter"]
    parameters = [error for error in errors if error["code"] == "unsupported_parameter"]
    assert filtered
    assert {error["param"] for error in parameters} == {"top_p"}
    assert len(filtered) + len(parameters) == len(errors) < 40


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("wrong-json", Unparsable),
        ("surrogate", LoneSurrogate),
        ("nan", NotFinite),
        ("deep", TooDeep),
        ("duplicate", DuplicateKey),
        ("empty", Unparsable),
    ],
)
def test_what_is_no_json_is_found_by_our_own_reader(name, fault):
    with Server(Labeller(), faults=always(name)) as server:
        text = content(server)
        told = stats(server)
    assert (told["faults"][name], told["ok"]) == (1, 1)
    with pytest.raises(fault):
        parse_json(text)


def test_an_answer_gone_wrong_is_wrong_at_every_asking():
    with Server(Labeller(), faults=rates(empty=0.3, wrong_schema=0.3)) as server:
        first, again = ([content(server, number) for number in range(40)] for _ in range(2))
        told = stats(server)
    assert first == again
    assert 0 < told["faults"]["empty"] == 2 * first.count("")
    assert len(set(first)) == 3


def test_a_cut_answer_is_whole_in_http_and_no_json():
    with Server(Labeller(), faults=always("cut-json")) as server:
        choice = post(server, asked())[2]["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert json.dumps(LABELS).startswith(choice["message"]["content"])
    with pytest.raises(json.JSONDecodeError):
        json.loads(choice["message"]["content"])


def test_an_answer_of_another_form_or_of_ten_megabytes():
    with Server(Labeller(), faults=always("wrong-schema")) as server:
        value = json.loads(content(server))
        assert isinstance(value, dict)
        assert "labels" not in value
    with Server(Labeller(), faults=always("huge")) as server:
        assert len(content(server)) >= 10 * 1024 * 1024


def test_a_refusal_and_a_truncated_answer_say_so_beside_the_text():
    with Server(Labeller(), faults=always("refusal")) as server:
        choice = post(server, asked())[2]["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == (None, "stop")
        assert choice["message"]["refusal"]
        assert stats(server)["refused"] == 1
    with Server(Labeller(), faults=always("truncated")) as server:
        choice = post(server, asked())[2]["choices"][0]
        assert choice["finish_reason"] == "length"
        assert json.dumps(LABELS).startswith(choice["message"]["content"])
        assert stats(server)["truncated"] == 1


def test_a_wrong_label_is_another_of_the_same_list_and_a_wrong_span_stands_nowhere():
    with Server(Labeller(), faults=always("wrong-label")) as server:
        label = json.loads(content(server))["labels"][0]
    assert label["value"] != "anger"
    assert {**label, "value": "anger"} == LABELS["labels"][0]
    with Server(Labeller(), faults=always("wrong-span")) as server:
        label = json.loads(content(server))["labels"][0]
    assert label["quote"] not in "I am cross"
    assert {**label, "quote": "I am cross"} == LABELS["labels"][0]
