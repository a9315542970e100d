from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import traceback
import urllib.request
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from synth.ask import Asker, PendingError, Role
from synth.errors import AuthFailed, BadRequest, JobLost, RateLimited, SynthError, Transient, UsageError
from synth.models import batch, batch_lines, direct
from synth.models.base import (
    Contract,
    Endpoint,
    Identity,
    LaterModel,
    LearningModel,
    Parameters,
    Pending,
    Response,
    Usage,
)
from synth.models.batch import BatchModel, open_model
from synth.models.batch_lines import Results, is_answer, outcome_of, read_line, write_line
from synth.models.ledger import Ledger
from synth.offline.batches import Batching, add_routes
from synth.offline.serve import Server
from synth.records.labels import Outcome
from synth.records.schema import Message

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-planted-0123456789abcdef"
CONTRACT = Contract("scene", 1, lambda: {"type": "object", "properties": {}, "additionalProperties": False})


class Provider:
    """A server with batches, what it was asked, and what it shall do instead of answering."""

    def __init__(self, **batching):
        self.counts = {}
        self.asked = []
        self.calls = []
        self.instead = {}
        self.picky = False
        self.app = web.Application(middlewares=[self._middleware()], client_max_size=2**28)
        add_routes(self.app, self.answer_one, batching=Batching(**batching), counts=self.counts)

    def says_file(self, lines):
        """Give a file of these lines instead of the next one that is asked for."""

        async def instead(http, handler):
            self.instead.clear()
            return web.Response(body=b"\n".join(lines))

        self.instead["GET files/content"] = instead

    def _middleware(self):
        @web.middleware
        async def middleware(http, handler):
            call = f"{http.method} {http.path.split('/')[2]}" + ("/content" if http.path.endswith("/content") else "")
            self.calls.append((call, http.headers.get("Authorization")))
            instead = self.instead.get(call)
            answer = await instead(http, handler) if instead else None
            return await handler(http) if answer is None else answer

        return middleware

    def says(self, call, status, body, times=1, headers=None):
        left = [times]

        async def instead(http, handler):
            if not left[0]:
                return None
            left[0] -= 1
            return web.json_response(body, status=status, headers=headers)

        self.instead[call] = instead

    async def answer_one(self, body):
        if self.picky and body.get("response_format", {}).get("type") == "json_schema":
            return 400, {"error": {"message": "json_schema is not supported", "param": "response_format"}}
        self.asked.append(body)
        said = body["messages"][-1]["content"]
        if said.startswith("filtered"):
            return 400, {"error": {"message": "no", "code": "content_filter"}}
        if said.startswith("bad"):
            return 400, {"error": {"message": f"bad parameter, {KEY}", "code": "invalid"}}
        said = f"you sent {KEY}" if said == "echo" else said
        message = {"role": "assistant", "content": json.dumps({"said": said})}
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 4}}
        choice = {"finish_reason": "stop", "message": message}
        return 200, {"id": "c-1", "model": "m-2026", "choices": [choice], "usage": usage}

    def count(self, call):
        return [name for name, _ in self.calls].count(call)


@pytest.fixture
def rehearse():
    """Run a test's steps against a provider; models that they open are closed."""

    def run(steps, provider=None, **batching):
        provider = provider or Provider(**batching)

        async def whole():
            async with TestServer(provider.app) as server, contextlib.AsyncExitStack() as stack:

                def fresh(**given):
                    where = Endpoint("local", str(server.make_url("/v1")), "", given.pop("key_variable", None), 20.0)
                    model = BatchModel("local/m", where, **{"gather": 0.01, "poll": 0.0} | given)
                    stack.push_async_callback(model.close)
                    return model

                return await steps(provider, fresh)

        return asyncio.run(whole())

    return run


async def ended(model, request, job):
    for _ in range(20):
        given_ = await model.fetch(request, job)
        if not isinstance(given_, Pending):
            return given_
    raise AssertionError("the batch never ended")


# -- the whole life


def test_questions_are_gathered_into_one_batch_and_answered_later(rehearse, question):
    async def steps(provider, fresh):
        model = fresh()
        assert isinstance(model, LaterModel)
        assert isinstance(model, LearningModel)
        asked = [question(f"q{n}", contract=CONTRACT, parameters=Parameters(0.5, None, 50, 4)) for n in range(5)]
        pending = await asyncio.gather(*map(model.attempt, asked))
        assert len({one.job for one in pending}) == 1
        first = await model.fetch(asked[0], pending[0].job)
        assert first == pending[0]
        answers = [await ended(model, one, pending[0].job) for one in asked]
        assert [json.loads(one.text)["said"] for one in answers] == [f"q{n}" for n in range(5)]
        assert answers[0] == Response(
            '{"said": "q0"}', Outcome.OK, "m-2026", None, f"req-{asked[0].key}", Usage(11, 7, 4)
        )
        assert provider.counts["batches"] == provider.counts["files"] == 1
        assert provider.asked[0].pop("response_format")["type"] == "json_schema"
        assert sorted(provider.asked[0]) == ["max_tokens", "messages", "model", "seed", "temperature"]

    rehearse(steps, after_polls=3)


def test_a_batch_is_submitted_at_once_when_it_holds_as_many_as_it_may(rehearse, question):
    async def steps(provider, fresh):
        model = fresh(gather=1000.0, most=2)
        jobs = await asyncio.gather(*(model.attempt(question(f"q{n}")) for n in range(4)))
        assert len({one.job for one in jobs}) == 2
        model = fresh(gather=1000.0, most_bytes=700)
        asked = [asyncio.ensure_future(model.attempt(question(f"{n}" * 300))) for n in range(3)]
        _, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
        assert waiting  # the last one still waits for company
        await model.close()
        with pytest.raises(Transient, match="closed"):
            await asked[-1]
        await asyncio.gather(*asked, return_exceptions=True)
        assert provider.counts["batches"] == 4

    rehearse(steps)


def test_a_fresh_process_finds_its_questions_again_and_submits_nothing_twice(rehearse, question):
    async def steps(provider, fresh):
        asked = [question(f"q{n}") for n in range(6)]
        pending = await asyncio.gather(*map(fresh().attempt, asked[:3]))
        model = fresh(most=100)
        again = await asyncio.gather(*map(model.attempt, asked))
        assert again[:3] == pending
        assert provider.counts["batches"] == 2
        assert len({one.job for one in again}) == 2
        answers = [await ended(model, one, job.job) for one, job in zip(asked, again, strict=True)]
        assert [json.loads(one.text)["said"] for one in answers] == [f"q{n}" for n in range(6)]
        assert provider.counts["batch_lines"] == 6
        # once they have ended, too
        assert await asyncio.gather(*map(fresh().attempt, asked)) == again
        assert provider.counts["batches"] == 2

    rehearse(steps)


def test_one_look_serves_all_and_goes_through_every_page(rehearse, question):
    async def steps(provider, fresh):
        asked = [question(f"q{n}") for n in range(120)]
        first = fresh(most=1)
        jobs = [await first.attempt(one) for one in asked]
        assert provider.counts["batches"] == 120
        provider.calls.clear()
        assert await asyncio.gather(*map(fresh().attempt, asked)) == jobs
        assert provider.count("GET batches") == 2
        assert provider.counts["batches"] == 120

    rehearse(steps)


CHILD = """
import asyncio, sys
from synth.models.base import *
from synth.models.batch import BatchModel
from synth.records.schema import Message

async def submit():
    model = BatchModel("local/m", Endpoint("local", sys.argv[1], "", None), gather=0.01)
    identity = Identity("m", "local", "2026-01")
    asked = [make_request(identity, program="write", contract=Contract("scene", 1), messages=(Message("user", f"q{n}"),),
             parameters=Parameters()) for n in range(3)]
    await asyncio.gather(*map(model.attempt, asked))
    print("told")

asyncio.run(submit())
"""


def test_a_process_that_is_killed_between_batch_and_journal_pays_once(question):
    provider = Provider()
    child = None

    async def kill(http, handler):
        answer = await handler(http)  # the batch stands, and nobody will ever hear of it
        child.send_signal(signal.SIGKILL)
        await child.wait()
        provider.instead.clear()
        return answer

    async def whole():
        nonlocal child
        provider.instead["POST batches"] = kill
        async with TestServer(provider.app) as server:
            base = str(server.make_url("/v1"))
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", CHILD, base, env=environment, stdout=asyncio.subprocess.PIPE
            )
            said, _ = await child.communicate()
            assert (said, child.returncode) == (b"", -signal.SIGKILL)
            model = BatchModel("local/m", Endpoint("local", base, "", None), gather=0.01, poll=0.0)
            asked = [question(f"q{n}") for n in range(3)]
            pending = await asyncio.gather(*map(model.attempt, asked))
            answers = [await ended(model, one, pending[0].job) for one in asked]
            await model.close()
            assert [json.loads(one.text)["said"] for one in answers] == ["q0", "q1", "q2"]
        assert (provider.counts["batches"], provider.counts["files"], len(provider.asked)) == (1, 1, 3)

    asyncio.run(whole())


def test_one_model_serves_one_loop_after_another(question):
    provider = Provider(after_polls=2)
    model, job = None, None

    async def once(port):
        nonlocal model, job
        async with TestServer(provider.app if port is None else Provider().app, port=port or 0) as server:
            where = Endpoint("local", str(server.make_url("/v1")), "", None)
            model = model or BatchModel("local/m", where, gather=0.01, poll=0.0)
            pending = await asyncio.gather(model.attempt(question("a")), model.attempt(question("b")))
            job = job or pending[0].job
            assert {one.job for one in pending} == {job}
            await model.close()
            await model.close()
            return server.port

    port = asyncio.run(once(None))
    assert asyncio.run(once(port)) == port


def test_a_batch_whose_creation_was_not_heard_of_is_looked_for_before_it_is_made_again(rehearse, question):
    async def steps(provider, fresh):
        async def unheard(http, handler):
            await handler(http)
            provider.instead.clear()
            return web.json_response({"error": {"message": "gateway"}}, status=504)

        provider.instead["POST batches"] = unheard
        model = fresh()
        with pytest.raises(Transient, match="504"):
            await model.attempt(question("a"))
        job = (await model.attempt(question("a"))).job
        assert provider.counts["batches"] == 1
        assert (await ended(model, question("a"), job)).outcome is Outcome.OK

    rehearse(steps)


def test_an_input_file_that_is_not_given_back_is_known_by_its_digest(rehearse, question):
    async def steps(provider, fresh):
        asked = [question("a"), question("b")]
        pending = await asyncio.gather(*map(fresh().attempt, asked))
        assert await asyncio.gather(*map(fresh().attempt, asked)) == pending
        assert provider.counts["batches"] == 1

    rehearse(steps, write_only=True)


@pytest.mark.parametrize("status", [404, 405])
def test_a_provider_that_lists_nothing_is_asked_all_the_same(rehearse, question, status):
    async def steps(provider, fresh):
        provider.says("GET batches", status, {"error": "no such route"})
        assert (await fresh().attempt(question("a"))).job.startswith("batch_")

    rehearse(steps)


def test_batches_that_are_older_than_their_files_are_left_alone(rehearse, question):
    async def steps(provider, fresh):
        mine = {"status": "in_progress", "metadata": {"humane-synth": "1", "model": "m"}}
        old = mine | {"id": "old", "input_file_id": "file-old", "created_at": 1_000}
        new = mine | {"id": "new", "input_file_id": "file-new", "created_at": 1_001 + 30 * 86_400}
        provider.says("GET batches", 200, {"data": [new, old]})
        await fresh().attempt(question("a"))
        assert provider.count("GET files/content") == 1

    rehearse(steps)


def test_results_that_memory_should_not_hold_are_read_again(rehearse, question, monkeypatch):
    monkeypatch.setattr(batch, "_MOST_BYTES", 1000)

    async def steps(provider, fresh):
        model = fresh(most=2)
        asked = [question(f"q{n}") for n in range(6)]
        jobs = [one.job for one in await asyncio.gather(*map(model.attempt, asked))]
        assert len(set(jobs)) == 3
        for one, job in zip(asked[::2] + asked[1::2], jobs[::2] + jobs[1::2], strict=True):
            assert (await model.fetch(one, job)).outcome is Outcome.OK
            assert len(model._jobs) == 1
        assert provider.count("GET files/content") > 3
        assert provider.counts["batch_lines"] == 6

    rehearse(steps)


def test_batches_of_others_are_left_alone(rehearse, question):
    async def steps(provider, fresh):
        one = question("a")
        where = await fresh().attempt(one)
        page = {"data": [{"id": where.job, "status": "completed", "metadata": {"theirs": "x"}, "output_file_id": "f"}]}
        provider.says("GET batches", 200, page | {"has_more": True}, times=2)
        assert (await fresh().attempt(one)).job != where.job
        assert provider.count("GET files/content") == 0

    rehearse(steps)


class Clerk:
    """A pure model that says back what it was asked."""

    pure = True
    name = "clerk"

    def answer(self, request):
        return Response(json.dumps({"said": request.messages[-1].content}), Outcome.OK, "m", None, None, Usage(3, 4))

    async def attempt(self, request):
        return self.answer(request)

    async def close(self):
        pass


def test_runs_that_end_and_begin_again_pay_once_and_lose_nothing(tmp_path):
    """As a build does it: with asker and ledger, over this project's own server, one process after another."""
    identity, texts = Identity("m", "local", "2026-01"), [f"q{n}" for n in range(5)]

    async def run(url, number):
        model = BatchModel("local/m", Endpoint("local", url, "", None), gather=0.01, poll=0.0)
        with Ledger(tmp_path, f"{number:04}") as ledger:
            asker = Asker({"writer": Role(model, identity)}, ledger=ledger)
            asked = {"role": "writer", "program": "write", "contract": CONTRACT, "partition": "p"}
            answers = await asyncio.gather(
                *(asker.ask(**asked, messages=(Message("user", one),)) for one in texts), return_exceptions=True
            )
            await asker.close()
        return answers

    def stats(url):
        with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as told_:
            return json.load(told_)

    with Server(Clerk(), batching=Batching(after_polls=7)) as server:
        first = asyncio.run(run(server.url, 1))
        assert [type(one) for one in first] == [PendingError] * 5
        assert stats(server.url)["requests"] == 0
        second = asyncio.run(run(server.url, 2))  # five looks: not there yet
        assert [one.job for one in second] == [one.job for one in first]
        third = asyncio.run(run(server.url, 3))  # the seventh look ends it, in the middle of this run
        fourth = asyncio.run(run(server.url, 4))
        assert sum(isinstance(one, PendingError) for one in third) == 1
        assert [json.loads(one.text)["said"] for one in fourth] == texts
        told_ = stats(server.url)
        assert (told_["ok"], told_["asked_again"]) == (5, 0)


# -- what goes wrong


def test_lines_that_failed_are_typed_and_the_rest_is_answered(rehearse, question):
    async def steps(provider, fresh):
        model = fresh()
        asked = [question(text) for text in ("fine", "filtered", "bad")]
        job = (await asyncio.gather(*map(model.attempt, asked)))[0].job
        assert (await ended(model, asked[0], job)).outcome is Outcome.OK
        assert (await ended(model, asked[1], job)).outcome is Outcome.REFUSED
        with pytest.raises(BadRequest, match="bad parameter"):
            await ended(model, asked[2], job)

    rehearse(steps)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_line_that_the_provider_failed_is_asked_anew_and_only_that_one(rehearse, question, status):
    async def steps(provider, fresh):
        model = fresh()
        asked = [question(f"q{n}") for n in range(40)]
        answered, rounds = {}, 0
        while len(answered) < 40:
            rounds += 1
            assert rounds < 20
            left = [one for one in asked if one.key not in answered]
            pending = await asyncio.gather(*map(model.attempt, left))
            for one, where in zip(left, pending, strict=True):
                with contextlib.suppress(JobLost):
                    answered[one.key] = await ended(model, one, where.job)
        assert rounds > 1
        assert provider.counts["batches"] == rounds
        assert provider.counts["batch_lines"] == 40  # none was asked for twice

    rehearse(steps, failing=0.3, failing_status=status)


def test_what_an_expired_batch_did_not_answer_is_asked_anew(rehearse, question):
    async def steps(provider, fresh):
        model = fresh()
        asked = [question(f"q{n}") for n in range(8)]
        job = (await asyncio.gather(*map(model.attempt, asked)))[0].job
        lost, kept = [], []
        for one in asked:
            try:
                kept.append(await ended(model, one, job))
            except JobLost:
                lost.append(one)
        assert (len(kept), len(lost)) == (4, 4)
        # a fresh process does not go back to it for what it does not hold
        again = await asyncio.gather(*map(fresh().attempt, asked))
        assert [one.job == job for one in again] == [one not in lost for one in asked]
        assert (await asyncio.gather(*map(model.attempt, lost)))[0].job != job

    rehearse(steps, after_polls=4, expires_at=2)


def test_a_line_of_a_failed_request_is_no_answer_wherever_it_stands(rehearse, question):
    async def steps(provider, fresh):
        model = fresh()
        asked = [question("a"), question("b")]
        job = (await asyncio.gather(*map(model.attempt, asked)))[0].job
        await ended(model, asked[0], job)
        provider.says_file([json.dumps(told(asked[0].key, 500)).encode(), json.dumps(told(asked[1].key)).encode()])
        again = await asyncio.gather(*map(fresh().attempt, asked))
        assert [one.job == job for one in again] == [False, True]

    rehearse(steps)


def test_a_cancelled_batch_gives_what_it_answered(rehearse, question):
    async def steps(provider, fresh):
        model = fresh()
        asked = [question(f"q{n}") for n in range(4)]
        job = (await asyncio.gather(*map(model.attempt, asked)))[0].job
        assert await model.fetch(asked[0], job) == Pending(job)
        await model._provider.get(lambda client: client.batches.with_streaming_response.cancel(job))
        outcomes = await asyncio.gather(*(ended(model, one, job) for one in asked), return_exceptions=True)
        assert [type(one) for one in outcomes].count(Response) == 2
        assert [type(one) for one in outcomes].count(JobLost) == 2

    rehearse(steps, after_polls=2)


def test_a_batch_that_failed_as_a_whole_says_why(rehearse, question):
    async def steps(provider, fresh):
        model = fresh()
        one = question("a")
        job = (await model.attempt(one)).job
        for _ in range(2):
            with pytest.raises(BadRequest, match="told to fail batches") as caught:
                await model.fetch(one, job)
        assert job in str(caught.value)
        assert (await fresh().attempt(one)).job != job

    rehearse(steps, rejected=True)


def test_a_batch_for_which_there_was_no_room_is_made_anew(rehearse, question):
    async def steps(provider, fresh):
        model = fresh()
        one = question("a")
        job = (await model.attempt(one)).job
        errors = {"data": [{"code": "token_limit_exceeded", "message": "enqueued token limit reached"}]}
        provider.says("GET batches", 200, {"id": job, "status": "failed", "errors": errors})
        with pytest.raises(JobLost, match="enqueued"):
            await model.fetch(one, job)
        assert (await model.attempt(one)).job != job

    rehearse(steps)


def test_a_batch_that_nobody_knows_is_lost(rehearse, question):
    async def steps(provider, fresh):
        with pytest.raises(JobLost, match="batch_gone"):
            await fresh().fetch(question("a"), "batch_gone")

    rehearse(steps)


@pytest.mark.parametrize("call", ["GET batches", "POST files", "POST batches"])
@pytest.mark.parametrize(
    ("status", "error"), [(401, AuthFailed), (403, AuthFailed), (429, RateLimited), (500, Transient), (400, BadRequest)]
)
def test_every_call_of_a_submission_has_its_errors_and_all_who_wait_hear(rehearse, question, call, status, error):
    async def steps(provider, fresh):
        provider.says(call, status, {"error": {"message": "the words"}}, headers={"Retry-After": "7"})
        model = fresh()
        outcomes = await asyncio.gather(*(model.attempt(question(f"q{n}")) for n in range(3)), return_exceptions=True)
        assert [type(one) for one in outcomes] == [error] * 3
        assert len({id(one) for one in outcomes}) == (1 if call == "GET batches" else 3)
        assert getattr(outcomes[0], "retry_after", 7.0) == 7.0
        # and the next attempt begins anew
        assert (await model.attempt(question("q0"))).job
        assert provider.counts["batches"] == 1

    rehearse(steps)


@pytest.mark.parametrize("call", ["GET batches", "POST files", "POST batches"])
def test_an_account_that_is_spent_ends_the_run_and_is_not_waited_for(rehearse, question, call):
    async def steps(provider, fresh):
        spent = {"message": "You exceeded your quota", "code": "insufficient_quota"}
        provider.says(call, 429, {"error": spent}, headers={"Retry-After": "1"})
        with pytest.raises(AuthFailed, match="HTTP 429: You exceeded your quota") as caught:
            await fresh().attempt(question("a"))
        assert "nothing left to spend" in caught.value.hint

    rehearse(steps)


@pytest.mark.parametrize(
    ("status", "error"), [(401, AuthFailed), (429, RateLimited), (500, Transient), (400, Transient)]
)
@pytest.mark.parametrize("call", ["GET batches", "GET files/content"])
def test_a_look_that_fails_leaves_the_job_where_it_is(rehearse, question, call, status, error):
    async def steps(provider, fresh):
        model = fresh()
        one = question("a")
        job = (await model.attempt(one)).job
        provider.says(call, status, {"error": {"message": "the words"}})
        with pytest.raises(error) as caught:
            await model.fetch(one, job)
        assert type(caught.value) is error
        assert (await model.fetch(one, job)).outcome is Outcome.OK

    rehearse(steps)


def test_however_many_ask_a_batch_is_looked_after_once(rehearse, question):
    async def steps(provider, fresh):
        model = fresh(poll=1000.0)
        asked = [question(f"q{n}") for n in range(50)]
        job = (await asyncio.gather(*map(model.attempt, asked)))[0].job
        first = await asyncio.gather(*(model.fetch(one, job) for one in asked))
        assert first == [Pending(job)] * 50
        assert provider.counts["batch_polls"] == 1
        # a look that fails is no reason for all the others to look
        model = fresh(poll=1000.0)
        provider.says("GET batches", 500, {})
        outcomes = await asyncio.gather(*(model.fetch(one, job) for one in asked), return_exceptions=True)
        assert [type(one) for one in outcomes].count(Transient) == 1
        assert outcomes.count(Pending(job)) == 49

    rehearse(steps, after_polls=2)


def test_results_are_read_once_and_dropped_when_all_were_taken(rehearse, question):
    async def steps(provider, fresh):
        model = fresh()
        asked = [question(f"q{n}") for n in range(5)]
        job = (await asyncio.gather(*map(model.attempt, asked)))[0].job
        for one in asked:
            assert model._jobs or one is asked[0]
            await model.fetch(one, job)
        assert provider.count("GET files/content") == 1
        assert not model._jobs
        # who asks later gets it all the same
        assert (await model.fetch(asked[3], job)).text == '{"said": "q3"}'

    rehearse(steps)


def test_a_damaged_output_file_answers_what_it_can(rehearse, question):
    async def steps(provider, fresh):
        model = fresh()
        asked = [question(f"q{n}") for n in range(4)]
        job = (await asyncio.gather(*map(model.attempt, asked)))[0].job
        provider.says_file(
            [
                b"<html>",
                json.dumps(told("not ours")).encode(),
                json.dumps(told(asked[0].key)).encode(),
                json.dumps(told(asked[1].key, 200, {"choices": []})).encode(),
                json.dumps(told(asked[2].key)).encode()[:-9],
            ]
        )
        outcomes = await asyncio.gather(*(model.fetch(one, job) for one in asked), return_exceptions=True)
        assert [type(one) for one in outcomes] == [Response, JobLost, JobLost, JobLost]
        # what stands in the file and cannot be read was paid; what does not stand there was not
        assert [one.may_be_paid for one in outcomes[1:]] == [True, False, False]

    rehearse(steps)


@pytest.mark.parametrize(
    "page",
    [
        {},
        {"data": None},
        {"data": [3, {"id": 7}, {"id": "b", "metadata": {"humane-synth": 1}, "status": [], "created_at": "x"}]},
        {"data": [{"id": "b", "metadata": {"humane-synth": "1", "model": "m"}, "status": {}}], "has_more": True},
    ],
)
def test_a_list_of_any_shape_is_read(rehearse, question, page):
    async def steps(provider, fresh):
        provider.says("GET batches", 200, page, times=9)
        assert (await fresh().attempt(question("a"))).job.startswith("batch_")
        assert provider.count("GET batches") <= 2

    rehearse(steps)


def test_a_form_that_is_not_taken_is_learned_once_and_asked_anew(rehearse, question):
    async def steps(provider, fresh):
        provider.picky = True
        model = fresh()
        asked = [question(f"q{n}", contract=CONTRACT) for n in range(4)]
        job = (await asyncio.gather(*map(model.attempt, asked)))[0].job
        for one in asked:
            with pytest.raises(JobLost, match="response_format"):
                await ended(model, one, job)
        assert model.habits() == {"response": "json"}
        pending = await asyncio.gather(*map(model.attempt, asked))
        assert (await ended(model, asked[0], pending[0].job)).outcome is Outcome.OK
        other = fresh()
        other.recall(model.habits())
        assert other.habits() == model.habits()

    rehearse(steps)


def test_questions_in_two_forms_stand_in_two_batches(rehearse, question):
    async def steps(provider, fresh):
        model = fresh()
        await model.attempt(question("first"))
        before = asyncio.ensure_future(model.attempt(question("before", contract=CONTRACT)))
        await asyncio.sleep(0)
        model.recall({"response": "json"})
        after = await model.attempt(question("after", contract=CONTRACT))
        assert (await before).job != after.job

    rehearse(steps)


def test_a_question_that_nobody_waits_for_any_more_is_not_submitted(rehearse, question):
    async def steps(provider, fresh):
        model = fresh(gather=1000.0, most=3)
        await asyncio.gather(*(model.attempt(question(text)) for text in "abc"))
        gone = asyncio.ensure_future(model.attempt(question("gone")))
        await asyncio.sleep(0)  # the list was looked at before, so that it only waits for company
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        pending = await asyncio.gather(model.attempt(question("stays")), model.attempt(question("too")))
        await ended(model, question("stays"), pending[0].job)
        assert sorted(body["messages"][0]["content"] for body in provider.asked) == ["stays", "too"]

    rehearse(steps)


# -- keys


def test_the_key_goes_with_every_call_and_comes_back_in_nothing(rehearse, question, monkeypatch, caplog):
    monkeypatch.setenv("PLANTED_KEY", KEY)
    caplog.set_level("DEBUG")
    shown = []

    async def steps(provider, fresh):
        model = fresh(key_variable="PLANTED_KEY")
        asked = [question("echo"), question("bad")]
        job = (await asyncio.gather(*map(model.attempt, asked)))[0].job
        for one in asked:
            try:
                shown.append(repr(await ended(model, one, job)))
            except SynthError as error:
                shown.append("".join(traceback.format_exception(error)) + repr(error))
        for call in ("POST files", "POST batches", "GET batches"):
            for status in (400, 401, 429, 500):
                provider.says(call, status, {"error": {"message": f"you sent {KEY}"}}, headers={"x-request-id": KEY})
                with pytest.raises(SynthError) as caught:
                    await fresh(key_variable="PLANTED_KEY").attempt(question(f"{call}{status}"))
                shown.append("".join(traceback.format_exception(caught.value)) + repr(caught.value))
        assert {key for _, key in provider.calls} == {f"Bearer {KEY}"}
        shown.append(repr(vars(model)) + repr(vars(model._provider)))

    rehearse(steps)
    assert KEY not in "".join(shown)
    assert "[key]" in "".join(shown)
    assert KEY not in caplog.text


def test_a_missing_key_says_which_variable_to_set_before_anything_is_sent(rehearse, question, monkeypatch):
    monkeypatch.delenv("PLANTED_KEY", raising=False)

    async def steps(provider, fresh):
        with pytest.raises(AuthFailed, match="PLANTED_KEY"):
            await fresh(key_variable="PLANTED_KEY").attempt(question())
        assert not provider.calls

    rehearse(steps)


def test_a_model_without_an_endpoint_is_a_usage_error():
    with pytest.raises(UsageError, match="other"):
        open_model("other/m", {"local": Endpoint("local", "http://h/v1", "", None, lane="batch")})
    assert open_model("local/m", {"local": Endpoint("local", "http://h/v1", "", None, lane="batch")}).name == "local/m"


# -- lines of files

KEYS = ["0" * 32, "1" * 32, "f" * 32]
COMPLETION = {"choices": [{"finish_reason": "stop", "message": {"content": "hi"}}], "usage": {}}


def told(key, status=200, body=None):
    return {"custom_id": key, "response": {"status_code": status, "request_id": "r", "body": body or COMPLETION}}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["custom_id", "response", "status_code", "body", "error", "code", "choices", "message", "content"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
any_line = st.one_of(
    st.binary(max_size=60),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b"", b"[" * 20_000, b"\xff\xfe", b'{"custom_id": "cut']),
    st.builds(
        lambda key, status, body: json.dumps(told(key, status, body)).encode(),
        st.sampled_from([*KEYS, "", "not ours", KEYS[0].upper() + "x"]),
        st.sampled_from([0, 200, 400, 401, 408, 422, 429, 500, -1, True, "200"]),
        json_values,
    ),
)


def read_file(content, pieces, most=10**9):
    """Read a file as it comes over the network, cut anywhere."""
    results = Results(most)
    splitter = direct._Lines("", results.add)
    for start in range(0, len(content), pieces):
        splitter.feed(content[start : start + pieces])
    splitter.end()
    return results


@given(st.lists(any_line, max_size=8), st.integers(1, 40), st.sampled_from([b"", b"\n", b"\r\n"]))
def test_any_output_file_gives_an_answer_or_a_typed_error_for_each_question(lines, pieces, end):
    lines = [line.replace(b"\n", b" ") for line in lines]
    results = read_file(b"\n".join(lines) + end, pieces)
    assert set(results.keys()) <= set(KEYS)
    for key in results.keys():  # noqa: SIM118 (it is no mapping)
        request = wire_request(key)
        try:
            response = outcome_of(request, results.get(key), "local")
        except (JobLost, BadRequest):
            continue
        assert response.outcome in {Outcome.OK, Outcome.REFUSED, Outcome.TRUNCATED}


def wire_request(key):
    from synth.models.base import Request

    return Request("m", "local", "", "write", Contract("c", 1), (), Parameters(), 0, key)


@given(st.permutations([(KEYS[0], 500), (KEYS[0], 200), (KEYS[0], 400), (KEYS[1], 200)]), st.integers(1, 99))
def test_an_answer_stands_whatever_else_is_said_of_its_question(order, pieces):
    content = b"\n".join(json.dumps(told(key, status)).encode() for key, status in order)
    results = read_file(content, pieces)
    assert sorted(results.keys()) == KEYS[:2]
    assert all(is_answer(results.get(key)) for key in KEYS[:2])


def test_of_two_answers_the_first_stands():
    body = {"choices": [{"message": {"content": "later"}}]}
    content = json.dumps(told(KEYS[0])) + "\n" + json.dumps(told(KEYS[0], 200, body))
    assert outcome_of(wire_request(KEYS[0]), read_file(content.encode(), 7).get(KEYS[0]), "local").text == "hi"


def test_a_line_without_measure_and_a_file_without_measure_are_cut(monkeypatch):
    monkeypatch.setattr(direct, "MAX_ANSWER_BYTES", 1000)
    huge = json.dumps(told(KEYS[0], 200, {"choices": [{"message": {"content": "x" * 2000}}]}))
    content = "\n".join((huge, json.dumps(told(KEYS[1])), json.dumps(told(KEYS[2])))).encode()
    for pieces in (1, 100, 10_000):
        assert sorted(read_file(content, pieces).keys()) == KEYS[1:]
    assert sorted(read_file(content, 100, most=250).keys()) == KEYS[1:2]


@given(st.sampled_from(KEYS), st.dictionaries(st.text(), st.text() | st.integers()))
def test_a_line_that_is_written_reads_back(key, body):
    line = write_line(key, body)
    assert line.count(b"\n") == 1
    assert read_line(line) == {"custom_id": key, "method": "POST", "url": batch_lines.URL, "body": body}
