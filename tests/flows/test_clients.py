"""Other people's clients - openai, litellm, dspy - talk to `synth serve` and get what the embedded model says in process."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import synth
from synth.content.shelves import Shelves
from synth.models.base import Contract, Identity, Parameters, make_request
from synth.offline.embedded import OfflineModel, find_brief
from synth.offline.serve import Server

NOT_A_KEY = "x"
OFFLINE = Identity("offline", "offline", "")


@pytest.fixture(scope="module")
def model():
    return OfflineModel(Shelves())


@pytest.fixture(scope="module")
def server(model):
    with Server(model) as running:
        yield running


@pytest.fixture(scope="module")
def questions(model, tmp_path_factory):
    """One real question of each program: its messages as a build sends them."""
    found = {}

    class Heard:
        pure, name = True, "offline"

        def answer(self, request):
            found.setdefault(find_brief(request.messages)["program"], request.messages)
            return model.answer(request)

        async def attempt(self, request):
            return self.answer(request)

        async def close(self):
            return None

    recipe = {"languages": ["es"], "families": ["burial_day_taken_back"], "quota": {"records": 2}, "partition": 3}
    with Server(Heard()) as running:
        synth.build(recipe, tmp_path_factory.mktemp("heard") / "build", endpoints={"offline": running.url})
    assert set(found) == {"event", "write", "vary", "reply", "contrast", "annotate"}
    return found


@pytest.fixture(scope="module")
def said(model, questions):
    """What the embedded model answers to each, in process."""
    asked = {
        program: make_request(
            OFFLINE, program=program, contract=Contract("", 0), messages=messages, parameters=Parameters()
        )
        for program, messages in questions.items()
    }
    return {program: model.answer(request).text for program, request in asked.items()}


def chat(messages):
    return [{"role": message.role, "content": message.content} for message in messages]


def counted_429():
    """Give an application that refuses everything for now, and the list of what it was asked."""
    hits = []
    error = {"message": "slow down", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"}

    async def busy(http):
        hits.append(http.path)
        return web.json_response({"error": error}, status=429, headers={"Retry-After": "7"})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", busy)
    return app, hits


# -- openai


@pytest.mark.parametrize("program", ["event", "write", "vary", "reply", "contrast", "annotate"])
def test_the_openai_client_gets_the_models_words(server, questions, said, program):
    from openai import OpenAI

    with OpenAI(base_url=server.url, api_key=NOT_A_KEY, max_retries=0) as client:
        answer = client.chat.completions.create(
            model="offline", messages=chat(questions[program]), response_format={"type": "json_object"}
        )
    assert answer.choices[0].message.content == said[program]
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_the_openai_client_lists_the_model(server):
    from openai import OpenAI

    with OpenAI(base_url=server.url, api_key=NOT_A_KEY, max_retries=0) as client:
        assert [one.id for one in client.models.list()] == ["offline"]


def test_the_asynchronous_openai_client_gets_them_side_by_side(server, questions, said):
    from openai import AsyncOpenAI

    async def run():
        async with AsyncOpenAI(base_url=server.url, api_key=NOT_A_KEY, max_retries=0) as client:
            create = client.chat.completions.create
            answers = await asyncio.gather(
                *(create(model="offline", messages=chat(messages)) for messages in questions.values())
            )
            names = [one.id async for one in client.models.list()]
        return [answer.choices[0].message.content for answer in answers], names

    assert asyncio.run(run()) == ([said[program] for program in questions], ["offline"])


def test_the_openai_client_is_told_how_long_to_wait():
    from openai import AsyncOpenAI, RateLimitError

    async def run():
        app, hits = counted_429()
        async with (
            TestServer(app) as there,
            AsyncOpenAI(base_url=str(there.make_url("/v1")), api_key=NOT_A_KEY, max_retries=0) as client,
        ):
            with pytest.raises(RateLimitError) as caught:
                await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])
        return hits, caught.value

    hits, error = asyncio.run(run())
    assert len(hits) == 1
    assert (error.status_code, error.response.headers["retry-after"], error.code) == (429, "7", "rate_limit_exceeded")


def test_the_openai_client_reads_our_refusal_of_a_question_without_a_brief(server):
    from openai import BadRequestError, OpenAI

    with (
        OpenAI(base_url=server.url, api_key=NOT_A_KEY, max_retries=0) as client,
        pytest.raises(BadRequestError, match="found none"),
    ):
        client.chat.completions.create(model="offline", messages=[{"role": "user", "content": "hello"}])


# -- litellm


@pytest.fixture(scope="module")
def litellm():
    """litellm as a person imports it, but for its fetch of a price table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        import litellm
    return litellm


def test_litellm_gets_the_models_words(litellm, server, questions, said):
    answers = {
        program: litellm.completion(
            model="openai/offline", api_base=server.url, api_key=NOT_A_KEY, messages=chat(messages), num_retries=0
        )
        for program, messages in questions.items()
    }
    assert {program: answer.choices[0].message.content for program, answer in answers.items()} == said
    assert answers["write"].usage.completion_tokens > 0


def test_litellm_reads_our_refusal(litellm, server):
    with pytest.raises(litellm.BadRequestError, match="found none"):
        litellm.completion(
            model="openai/offline",
            api_base=server.url,
            api_key=NOT_A_KEY,
            messages=[{"role": "user", "content": "hello"}],
            num_retries=0,
        )


# -- dspy


@pytest.fixture(scope="module")
def dspy(tmp_path_factory):
    """dspy with its caches off; the one on disk is opened at import, in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        patch.setenv("DSPY_CACHEDIR", str(tmp_path_factory.mktemp("dspy")))
        import dspy
    dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
    return dspy


@pytest.fixture(scope="module")
def lm(dspy, server):
    return dspy.LM("openai/offline", api_base=server.url, api_key=NOT_A_KEY, cache=False, num_retries=0)


def test_a_dspy_model_gets_the_models_words(lm, questions, said):
    assert {program: lm(messages[-1].content) for program, messages in questions.items()} == {
        program: [text] for program, text in said.items()
    }


def test_a_dspy_program_reads_the_models_answer(dspy, lm, questions, said):
    """The brief goes in as a field; dspy finds the field of the answer that its signature names."""

    class Reply(dspy.Signature):
        brief: str = dspy.InputField()
        beats: list[dict[str, str]] = dspy.OutputField()

    with dspy.context(lm=lm, adapter=dspy.JSONAdapter()):
        prediction = dspy.Predict(Reply)(brief=questions["reply"][-1].content)
    assert prediction.beats == json.loads(said["reply"])["beats"]
    assert prediction.beats
