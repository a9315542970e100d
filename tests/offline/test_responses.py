"""OpenAI's own client against the Responses API and against streams of chat completions."""

from __future__ import annotations

import json

import openai
import pytest

from synth.models.base import Request, Response, Usage
from synth.models.prices import Price
from synth.models.tokens import estimate_tokens
from synth.offline.faults import Faults
from synth.offline.serve import Server
from synth.records.labels import Outcome


class Echo:
    """A pure model that says back what it was told."""

    pure = True
    name = "echo@1"

    def answer(self, request: Request) -> Response:
        said = [[message.role, message.content] for message in request.messages]
        text = json.dumps({"said": said, "limit": request.parameters.max_tokens}, ensure_ascii=False)
        outcome = {"long": Outcome.TRUNCATED, "filtered": Outcome.REFUSED}.get(said[-1][1], Outcome.OK)
        return Response(text, outcome, self.name, "fp", None, Usage(11, estimate_tokens(text)))

    async def attempt(self, request: Request) -> Response:
        return self.answer(request)

    async def close(self) -> None:
        return None


@pytest.fixture
def client():
    with Server(Echo(), prompt_cache=True) as server, connected(server) as opened:
        yield opened


def connected(server):
    return openai.OpenAI(base_url=server.url, api_key="none", max_retries=0, timeout=30)


def hello(words="¡Hola! 日本 😢"):
    return [{"role": "user", "content": words}]


# -- responses


def test_a_text_and_instructions_are_two_messages(client):
    answer = client.responses.create(model="m", instructions="be brief", input="hello", max_output_tokens=50)
    assert json.loads(answer.output_text) == {"said": [["system", "be brief"], ["user", "hello"]], "limit": 50}
    assert (answer.status, answer.model, answer.error, answer.incomplete_details) == ("completed", "echo@1", None, None)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, estimate_tokens(answer.output_text))
    assert answer.usage.total_tokens == 11 + answer.usage.output_tokens


def test_a_list_of_messages_with_parts_and_a_schema(client):
    said = [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": [{"type": "input_text", "text": "hel"}, {"type": "input_text", "text": "lo"}]},
    ]
    form = {"type": "json_schema", "name": "a", "schema": {"type": "object"}, "strict": True}
    answer = client.responses.create(model="m", input=said, text={"format": form}, temperature=0.5)
    assert json.loads(answer.output_text)["said"] == [["developer", "be brief"], ["user", "hello"]]
    assert answer.text.format.type == "json_schema"


@pytest.mark.parametrize(("words", "reason"), [("long", "max_output_tokens"), ("filtered", "content_filter")])
def test_an_answer_that_is_not_whole_is_incomplete_with_its_reason(client, words, reason):
    answer = client.responses.create(model="m", input=words)
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", reason)


def test_the_same_question_is_one_question_in_both_shapes(client):
    chat = client.chat.completions.create(model="m", messages=hello())
    answer = client.responses.create(model="m", input=hello())
    assert answer.output_text == chat.choices[0].message.content
    assert answer.id.removeprefix("resp_") == chat.id.removeprefix("chatcmpl-")
    assert answer.usage.input_tokens_details.cached_tokens > 0


def test_a_refusal_is_content_of_its_own():
    with Server(Echo(), faults=Faults(refusal=1)) as server, connected(server) as client:
        answer = client.responses.create(model="m", input="hello")
        content = answer.output[0].content[0]
    assert (answer.status, answer.output_text, content.type) == ("completed", "", "refusal")
    assert content.refusal


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"input": []}, "`input`"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": "x", "instructions": 3}, "`instructions`"),
        ({"input": "x", "text": "json"}, "`text`"),
        ({"input": "x", "text": {"format": {"type": "yaml"}}}, "text.format"),
        ({"input": "x", "max_output_tokens": "many"}, "`max_output_tokens`"),
        ({"input": "x", "stream": True}, "`stream`"),
    ],
)
def test_what_is_no_question_is_a_400(client, more, says):
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/responses", body={"model": "m", **more}, cast_to=object)
    assert says in caught.value.body["message"]


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        (Faults(rate_limit=1), openai.RateLimitError),
        (Faults(unauthorised=1), openai.AuthenticationError),
        (Faults(server_error=1), openai.InternalServerError),
        (Faults(content_filter=1), openai.BadRequestError),
        (Faults(bad_parameter=1), openai.BadRequestError),
        (Faults(reset=1), openai.APIConnectionError),
        (Faults(cut_body=1), openai.APIConnectionError),
    ],
)
def test_faults_reach_the_client_as_its_own_errors(faults, error):
    with Server(Echo(), faults=faults) as server, connected(server) as client:
        with pytest.raises(error):
            client.responses.create(model="m", input="hello")
        with pytest.raises(error):
            client.chat.completions.create(model="m", messages=hello())


def test_a_schema_that_is_not_served_names_the_parameter_of_this_api():
    form = {"type": "json_schema", "name": "a", "schema": {"type": "object"}}
    with Server(Echo(), schema=False) as server, connected(server) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(model="m", input="hello", text={"format": form})
        assert caught.value.param == "text.format"


# -- streams


def test_a_stream_is_the_whole_answer_in_pieces(client):
    whole = client.chat.completions.create(model="m", messages=hello("x" * 300 + "日本 😢"))
    pieces = list(
        client.chat.completions.create(
            model="m", messages=hello("x" * 300 + "日本 😢"), stream=True, stream_options={"include_usage": True}
        )
    )
    said = [piece.choices[0] for piece in pieces if piece.choices]
    assert "".join(choice.delta.content or "" for choice in said) == whole.choices[0].message.content
    assert len(said) > 4
    assert [choice.finish_reason for choice in said if choice.finish_reason] == ["stop"]
    assert pieces[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert {piece.id for piece in pieces} == {whole.id}


def test_a_stream_without_options_tells_no_usage(client):
    pieces = list(client.chat.completions.create(model="m", messages=hello("long"), stream=True))
    assert pieces[-1].choices[0].finish_reason == "length"
    assert not any(piece.usage for piece in pieces)


def test_a_refusal_is_streamed_as_one():
    with Server(Echo(), faults=Faults(refusal=1)) as server, connected(server) as client:
        pieces = list(client.chat.completions.create(model="m", messages=hello(), stream=True))
    assert "".join(piece.choices[0].delta.refusal or "" for piece in pieces)


def test_a_stream_that_is_cut_breaks_off():
    with Server(Echo(), faults=Faults(cut_body=1)) as server, connected(server) as client:
        pieces = client.chat.completions.create(model="m", messages=hello(), stream=True)
        with pytest.raises(Exception, match=r"peer closed|incomplete|closed"):
            list(pieces)


# -- batches


def test_a_batch_meets_faults_of_answers_and_none_of_the_transport():
    faults = Faults(reset=1, rate_limit=1, content_filter=0.3, cut_json=0.3)
    lines = [
        {"custom_id": f"q{number}", "method": "POST", "url": "/v1/chat/completions", "body": asked}
        for number in range(40)
        for asked in [{"model": "m", "messages": hello(f"question {number}")}]
    ]
    content = "\n".join(map(json.dumps, lines)).encode()
    with Server(Echo(), faults=faults, price=Price(1_000_000, 0)) as server, connected(server) as client:
        file = client.files.create(file=("in.jsonl", content), purpose="batch")
        made = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
        ended = client.batches.retrieve(made.id)
        good = client.files.content(ended.output_file_id).text.splitlines()
        bad = client.files.content(ended.error_file_id).text.splitlines()
        told = client.with_options(base_url=server.url.removesuffix("/v1")).get("/stats", cast_to=object)
    filtered = [json.loads(line)["response"]["body"]["error"]["code"] for line in bad]
    assert set(filtered) == {"content_filter"}
    assert len(good) + len(bad) == 40
    assert (told["ok"], told["faults"]["content-filter"], told["batch_lines"]) == (len(good), len(bad), 40)
    assert 0 < told["faults"]["cut-json"] < len(good)
    assert told["micro_units"] == 11 * len(good)
    assert (told["requests"], told["faults"]["reset"], told["faults"]["rate-limit"]) == (0, 0, 0)
