from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from synth.ask import Answer, Asker, Parsed, PendingError, Retry, Role, open_role
from synth.errors import (
    AuthFailed,
    BadRequest,
    BreakerOpen,
    FormRefused,
    IncompleteError,
    JobLost,
    RateLimited,
    Transient,
    UsageError,
)
from synth.models.base import Contract, Endpoint, Identity, Parameters, Pending, Response, Usage
from synth.models.ledger import Ledger, statistics
from synth.models.ledger_statistics import spent_before
from synth.models.prices import Price
from synth.models.purse import Limits, Purse
from synth.models.tokens import estimate_tokens
from synth.offline.serve import Server
from synth.records.labels import Outcome
from synth.records.schema import Call, Message

PART = "p-en-r0001-b00000"
CONTRACT = Contract("scene", 1)
AT_ONCE = Retry(patience=0.0, first_wait=0.0, longest_wait=0.0)
IDENTITY = Identity("m", "local", "")


class Scripted:
    """A model that plays a script of texts, Responses, Pendings and errors to raise; the last one for ever."""

    def __init__(self, *script, pure=False, name="m"):
        self.script = list(script)
        self.pure = pure
        self.name = name
        self.requests = []
        self.closed = 0

    def answer(self, request):
        self.requests.append(request)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, BaseException):
            raise step
        if isinstance(step, str):
            return Response(step, Outcome.OK, "m-1", None, None, Usage(2, estimate_tokens(step)))
        return step

    async def attempt(self, request):
        await asyncio.sleep(0)
        return self.answer(request)

    async def close(self):
        self.closed += 1


class Slept:
    """A sleep that only remembers."""

    def __init__(self):
        self.times = []

    async def __call__(self, seconds):
        self.times.append(seconds)
        await asyncio.sleep(0)


def asker(model, **given):
    given.setdefault("retry", AT_ONCE)
    given.setdefault("sleep", Slept())
    return Asker({"writer": Role(model, IDENTITY)}, **given)


def question(text="Hello"):
    return {
        "program": "write",
        "contract": CONTRACT,
        "messages": (Message("user", text),),
        "partition": PART,
    }


def ask(subject, text="Hello", *, role="writer", **changes):
    return asyncio.run(subject.ask(role, **{**question(text), **changes}))


def test_a_pure_model_is_asked_without_a_loop_and_without_a_ledger(tmp_path):
    model, purse = Scripted('{"a": 1}', pure=True), Purse(Limits(max_calls=0))

    async def run():
        with Ledger(tmp_path, "run") as ledger:
            subject = asker(model, ledger=ledger, purse=purse)
            coroutine = subject.ask("writer", **question(), draw=3)
            # one step and it is done: nothing was awaited
            with pytest.raises(StopIteration) as done:
                coroutine.send(None)
            return done.value.value

    answer = asyncio.run(run())
    request = model.requests[0]
    assert answer == Answer('{"a": 1}', Call(request.key, "write", None, 3, "m-1", Outcome.OK, 2, 2))
    assert statistics(tmp_path)["answers"] == 0
    assert (purse.run.calls, purse.run.tokens) == (1, 4)


def test_an_answer_is_paid_once_and_replayed_from_the_ledger(tmp_path):
    model, purse = Scripted("first", "second"), Purse()

    async def run(run_id, spending):
        with Ledger(tmp_path, run_id) as ledger:
            return await asker(model, ledger=ledger, purse=spending).ask("writer", **question())

    first = asyncio.run(run("1", purse))
    assert first.text == "first"
    assert asyncio.run(run("2", Purse(Limits(max_calls=0)))) == first
    assert len(model.requests) == 1
    assert (purse.run.calls, purse.in_flight, purse.reserved_tokens) == (1, 0, 0)


def test_equal_questions_at_once_are_one_call(tmp_path):
    model = Scripted("one", "two")

    async def run():
        with Ledger(tmp_path, "run") as ledger:
            subject = asker(model, ledger=ledger)
            return await asyncio.gather(*(subject.ask("writer", **question()) for _ in range(20)))

    assert {answer.text for answer in asyncio.run(run())} == {"one"}
    assert len(model.requests) == 1


def test_a_draw_is_a_deliberate_second_question(tmp_path):
    model = Scripted("one", "two")

    async def run():
        with Ledger(tmp_path, "run") as ledger:
            subject = asker(model, ledger=ledger)
            return [(await subject.ask("writer", **question(), draw=draw)).text for draw in (0, 1, 0, 1)]

    assert asyncio.run(run()) == ["one", "two", "one", "two"]


def test_a_failing_transport_is_tried_again_and_the_key_stays(tmp_path):
    model = Scripted(Transient("cut"), RateLimited("slow"), Transient("cut"), "late")

    async def run():
        with Ledger(tmp_path, "run") as ledger:
            return await asker(model, ledger=ledger).ask("writer", **question())

    assert asyncio.run(run()).text == "late"
    assert len({request.key for request in model.requests}) == 1
    found = statistics(tmp_path)
    assert (found["answers"], found["in_flight"]) == (1, 0)
    assert found["errors"] == {"RateLimited": 1, "Transient": 2}


@pytest.mark.parametrize("error", [Transient("cut"), RateLimited("slow")])
def test_what_outlives_its_tries_is_transient_and_stays_open(tmp_path, error):
    model, purse = Scripted(error), Purse()

    async def run():
        with Ledger(tmp_path, "run") as ledger:
            with pytest.raises(Transient):
                await asker(model, ledger=ledger, purse=purse).ask("writer", **question())
            healthy = asker(Scripted("well again"), ledger=ledger)
            return await healthy.ask("writer", **question())

    assert asyncio.run(run()).text == "well again"
    assert len(model.requests) == 6
    assert (purse.run.calls, purse.in_flight) == (6, 0)


def test_waits_grow_with_full_jitter_on_top_of_what_the_endpoint_asks_for():
    slept = Slept()
    model = Scripted(Transient("a"), Transient("b"), RateLimited("c", retry_after=5.0), "done")
    subject = asker(model, retry=Retry(patience=0.0, first_wait=1.0, longest_wait=8.0), sleep=slept)
    assert ask(subject).text == "done"
    first, second, third = slept.times
    assert 0 <= first <= 1
    assert 0 <= second <= 2
    assert 5 <= third <= 9


def test_a_form_that_was_learned_and_a_lost_job_are_asked_again_at_once():
    slept = Slept()
    model = Scripted(FormRefused("no schema"), FormRefused("no JSON mode"), JobLost("expired"), "done")
    assert ask(asker(model, retry=Retry(), sleep=slept)).text == "done"
    assert slept.times[:2] == [0.0, 0.0]
    assert len(slept.times) == 3


def test_a_pause_past_the_deadline_ends_the_question_at_once():
    slept, model = Slept(), Scripted(RateLimited("tomorrow", retry_after=86_400.0))
    subject = asker(model, sleep=slept)
    with pytest.raises(Transient, match="tomorrow"):
        ask(subject)
    assert (len(model.requests), slept.times) == (1, [])


def test_another_question_does_not_go_round_the_pause():
    slept, model = Slept(), Scripted(RateLimited("tomorrow", retry_after=86_400.0), "no")
    subject = asker(model, sleep=slept)

    async def run():
        for text in ("first", "second"):
            with pytest.raises(Transient):
                await subject.ask("writer", **question(text))

    asyncio.run(run())
    assert len(model.requests) == 1


def test_a_refused_key_ends_the_run_for_everybody():
    model = Scripted(AuthFailed("refused", hint="check it"), "never")
    subject = asker(model)
    for _ in range(2):
        with pytest.raises(AuthFailed, match="check it"):
            ask(subject)
    assert len(model.requests) == 1


@pytest.mark.parametrize("pure", [True, False])
def test_twenty_bad_requests_in_a_row_open_the_breaker(pure):
    model = Scripted(BadRequest("no such model"), pure=pure)
    subject = asker(model)
    for number in range(19):
        with pytest.raises(BadRequest, match="no such model"):
            ask(subject, f"question {number}")
    for number in range(2):
        with pytest.raises(BreakerOpen, match="20 requests in a row; the last: no such model") as caught:
            ask(subject, f"last {number}")
        assert caught.value.exit_code == 4
    assert len(model.requests) == 20


def test_one_answer_between_keeps_the_breaker_shut():
    bad = [BadRequest("no")] * 19
    model = Scripted(*bad, "yes", *bad, "yes")
    subject = asker(model)
    seen = Counter()
    for number in range(40):
        try:
            seen[ask(subject, str(number)).text] += 1
        except BadRequest:
            seen["bad"] += 1
    assert seen == {"bad": 38, "yes": 2}


def test_a_limit_stops_before_it_is_passed_and_sends_nothing(tmp_path):
    model, purse = Scripted("answer"), Purse(Limits(max_calls=2))

    async def run():
        with Ledger(tmp_path, "run") as ledger:
            subject = asker(model, ledger=ledger, purse=purse)
            asked = [subject.ask("writer", **question(str(number))) for number in range(5)]
            return await asyncio.gather(*asked, return_exceptions=True)

    found = asyncio.run(run())
    assert sum(isinstance(one, Answer) for one in found) == 2
    assert sum(isinstance(one, IncompleteError) for one in found) == 3
    assert len(model.requests) == 2
    assert statistics(tmp_path)["in_flight"] == 0


def test_a_pending_job_is_journalled_and_not_submitted_again(tmp_path):
    model = Scripted(Pending("batch-7"))

    async def run():
        with Ledger(tmp_path, "run") as ledger:
            for _ in range(2):
                with pytest.raises(PendingError, match="batch-7") as caught:
                    await asker(model, ledger=ledger).ask("writer", **question())
                assert (caught.value.job, caught.value.exit_code) == ("batch-7", 3)

    asyncio.run(run())
    assert len(model.requests) == 1
    assert statistics(tmp_path)["jobs"] == 1


def test_a_cancelled_question_holds_nobody_up(tmp_path):
    class Hanging(Scripted):
        async def attempt(self, request):
            self.requests.append(request)
            started.set()
            await asyncio.Event().wait()

    async def run():
        with Ledger(tmp_path, "run") as ledger:
            purse = Purse()
            hanging = asyncio.ensure_future(asker(Hanging(), ledger=ledger, purse=purse).ask("writer", **question()))
            await started.wait()
            other = asyncio.ensure_future(asker(Scripted("yes"), ledger=ledger).ask("writer", **question()))
            await asyncio.sleep(0)
            hanging.cancel()
            with pytest.raises(asyncio.CancelledError):
                await hanging
            assert purse.in_flight == 0
            return await other

    started = asyncio.Event()
    assert asyncio.run(run()).text == "yes"
    # the one that was cancelled may have been billed, and the accounts say so
    assert statistics(tmp_path)["interrupted"] == 1


def test_an_unknown_role_names_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'writer'"):
        asyncio.run(asker(Scripted("x")).ask("writter", **question()))


def test_a_model_of_two_roles_is_closed_once():
    model = Scripted("x")
    subject = Asker({"writer": Role(model, IDENTITY), "judge": Role(model, IDENTITY)})
    asyncio.run(subject.close())
    assert model.closed == 1


def positive(value):
    if value.get("a", 0) <= 0:
        raise ValueError("`a` must be positive")
    return value["a"]


def repair(bad, problem):
    return (Message("user", f"mend <{bad}> because <{problem}>"),)


def parsed(model, **changes):
    given = {**question(), "validate": positive, "repair": repair, **changes}
    return asyncio.run(asker(model).ask_parsed("writer", **given))


@pytest.mark.parametrize("pure", [True, False])
def test_a_good_answer_needs_no_repair(pure):
    model = Scripted('```json\n{"a": 4}\n```', pure=pure)
    result = parsed(model)
    assert (result.value, result.outcome, len(result.calls)) == (4, Outcome.OK, 1)
    assert len(model.requests) == 1


@pytest.mark.parametrize(("bad", "problem"), [('{"a": 0}', "`a` must be positive"), ("I will not.", "not JSON")])
def test_a_bad_answer_gets_one_repair_question(bad, problem):
    model = Scripted(bad, '{"a": 5}')
    result = parsed(model)
    assert (result.value, result.outcome) == (5, Outcome.OK)
    assert [call.program for call in result.calls] == ["write", "write.repair"]
    assert f"<{bad}>" in model.requests[1].messages[0].content
    assert problem in model.requests[1].messages[0].content


def test_a_second_bad_answer_is_unparsable_and_there_is_no_third():
    model = Scripted('{"a": 0}')
    assert parsed(model) == Parsed(None, Outcome.UNPARSABLE, parsed(model).calls)
    assert len(model.requests) == 4
    without = Scripted('{"a": 0}')
    assert parsed(without, repair=None).outcome is Outcome.UNPARSABLE
    assert len(without.requests) == 1


def test_a_long_bad_answer_is_cut_around_its_fault():
    text = '{"a": "' + "é" * 50_000 + '" FAULT ' + "é" * 50_000
    model = Scripted(text, '{"a": 5}')
    assert parsed(model).value == 5
    shown = model.requests[1].messages[0].content
    assert "FAULT" in shown
    assert len(shown.encode()) < 4300


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.TRUNCATED])
def test_a_refusal_and_a_cut_answer_are_outcomes_and_not_repaired(outcome):
    model = Scripted(Response('{"a": 5}', outcome, None, None, None, Usage(1, 1)))
    result = parsed(model)
    assert (result.value, result.outcome, len(model.requests)) == (None, outcome, 1)
    late = Scripted('{"a": 0}', Response('{"a": 5}', outcome, None, None, None, Usage(1, 1)))
    assert parsed(late).outcome is Outcome.UNPARSABLE


def test_a_fault_of_the_validator_is_not_the_models():
    def broken(_):
        raise KeyError("ours")

    with pytest.raises(KeyError):
        parsed(Scripted('{"a": 1}'), validate=broken)


class Pure(Scripted):
    def answer(self, request):
        text = json.dumps({"a": len(request.messages[-1].content)})
        return Response(text, Outcome.OK, self.name, None, None, Usage(1, estimate_tokens(text)))


def test_both_lanes_of_the_offline_model_give_the_same_answers_and_keys(tmp_path):
    model = Pure(pure=True, name="offline@abc")

    async def over_http(url):
        endpoints = {"offline": Endpoint("offline", url, "", None)}
        with Ledger(tmp_path, "run") as ledger:
            subject = Asker({"writer": open_role("offline", endpoints)}, ledger=ledger)
            try:
                return [await subject.ask("writer", **question("x" * number)) for number in range(5)]
            finally:
                await subject.close()

    with Server(model) as server:
        there = asyncio.run(over_http(server.url))
    inside = Asker({"writer": Role(model, Identity("offline", "offline", ""), Parameters())})
    here = [ask(inside, "x" * number) for number in range(5)]
    assert there == here
    assert statistics(tmp_path)["answers"] == 5
    # the server is gone: the ledger answers alone
    assert asyncio.run(over_http("http://127.0.0.1:9/v1")) == here


def test_a_flaky_endpoint_over_real_http_gives_every_answer_once(tmp_path):
    served = Counter()

    async def flaky(http):
        body = await http.json()
        text = body["messages"][0]["content"]
        served[text] += 1
        if served[text] < 3:
            told = {} if served[text] == 1 else {"Retry-After": "0"}
            return web.json_response({}, status=503 if served[text] == 1 else 429, headers=told)
        message = {"role": "assistant", "content": json.dumps({"a": int(text) + 1})}
        return web.json_response({"model": "m", "choices": [{"finish_reason": "stop", "message": message}]})

    async def run(run_id):
        app = web.Application()
        app.router.add_post("/v1/chat/completions", flaky)
        async with TestServer(app) as server:
            endpoints = {"local": Endpoint("local", str(server.make_url("/v1")), "", None)}
            with Ledger(tmp_path, run_id) as ledger:
                subject = Asker({"writer": open_role("local/m", endpoints)}, ledger=ledger, retry=AT_ONCE)
                asked = [subject.ask_parsed("writer", **question(str(n)), validate=positive) for n in range(30)]
                try:
                    return await asyncio.gather(*asked)
                finally:
                    await subject.close()

    first = asyncio.run(run("1"))
    assert [result.value for result in first] == [n + 1 for n in range(30)]
    assert set(served.values()) == {3}
    assert asyncio.run(run("2")) == first
    assert set(served.values()) == {3}
    found = statistics(tmp_path)
    assert found["errors"] == {"RateLimited": 30, "Transient": 30}
    assert (found["answers"], found["in_flight"]) == (30, 0)


class Stopping:
    """A stop that is wanted after it was looked at so often."""

    def __init__(self, looks):
        self.looks = looks

    def __call__(self):
        self.looks -= 1
        return "the deadline has come" if self.looks < 0 else ""


@pytest.mark.parametrize("pure", [True, False])
def test_once_a_stop_is_wanted_nothing_more_is_asked(pure, tmp_path):
    model, purse = Scripted("yes", pure=pure), Purse()

    async def run():
        with Ledger(tmp_path, "run") as ledger:
            stop = lambda: "the deadline has come" if len(model.requests) == 3 else ""  # noqa: E731
            subject = asker(model, purse=purse, ledger=ledger, stop=stop, max_in_flight=1)
            asked = [subject.ask("writer", **question(str(number))) for number in range(8)]
            return await asyncio.gather(*asked, return_exceptions=True)

    found = asyncio.run(run())
    assert [isinstance(one, Answer) for one in found] == [True] * 3 + [False] * 5
    assert {str(one.message) for one in found[3:]} == {"the deadline has come"}
    assert {type(one) for one in found[3:]} == {IncompleteError}
    assert (len(model.requests), purse.run.calls, purse.in_flight) == (3, 3, 0)
    # what was claimed and never sent is in no account
    assert statistics(tmp_path)["in_flight"] == 0


def test_what_the_ledger_knows_is_given_after_a_stop_too(tmp_path):
    model = Scripted("paid")

    async def run(stop):
        with Ledger(tmp_path, "run") as ledger:
            return await asker(model, ledger=ledger, stop=stop).ask("writer", **question())

    assert asyncio.run(run(None)) == asyncio.run(run(lambda: "enough"))
    assert len(model.requests) == 1


def test_a_wait_ends_when_a_stop_is_wanted():
    slept, model = Slept(), Scripted(RateLimited("slow", retry_after=300.0), "late")
    subject = asker(model, sleep=slept, stop=Stopping(4))
    with pytest.raises(IncompleteError, match="deadline"):
        ask(subject)
    assert len(model.requests) == 1
    assert 0 < sum(slept.times) < 3


def test_a_wait_is_as_long_as_it_was_asked_to_be_where_nobody_stops():
    slept, model = Slept(), Scripted(RateLimited("slow", retry_after=3.2), "late")
    assert ask(asker(model, sleep=slept, stop=lambda: "")).text == "late"
    assert sum(slept.times) == pytest.approx(3.2)
    assert max(slept.times) <= 0.5


def test_a_question_that_its_endpoint_will_never_take_leaves_its_call(tmp_path):
    model = Scripted(BadRequest("too long"))

    async def run():
        with Ledger(tmp_path, "run") as ledger:
            given = {**question(), "validate": positive, "repair": repair, "draw": 2}
            return [await asker(model, ledger=ledger).ask_parsed("writer", **given) for _ in range(2)]

    first, second = asyncio.run(run())
    key = model.requests[0].key
    refused = Call(
        key=key,
        program="write",
        about=None,
        draw=2,
        model_reported=None,
        outcome=Outcome.REFUSED,
        tokens_in=0,
        tokens_out=0,
    )
    assert first == second == Parsed(None, Outcome.REFUSED, (refused,))
    # journalled, and asked again when it is needed again
    assert len(model.requests) == 2
    found = statistics(tmp_path)
    assert (found["answers"], found["errors"]) == (0, {"BadRequest": 2})


def test_a_repair_question_that_is_refused_leaves_its_call_too():
    result = parsed(Scripted('{"a": 0}', BadRequest("too long")))
    assert (result.value, result.outcome) == (None, Outcome.UNPARSABLE)
    assert [(call.program, call.outcome) for call in result.calls] == [
        ("write", Outcome.OK),
        ("write.repair", Outcome.REFUSED),
    ]


def test_a_question_that_was_refused_before_does_not_end_a_run_that_goes_on(tmp_path):
    async def run(run_id, texts, model):
        with Ledger(tmp_path, run_id) as ledger:
            subject, seen = asker(model, ledger=ledger), Counter()
            for text in texts:
                try:
                    seen[(await subject.ask("writer", **question(text))).text] += 1
                except BadRequest:
                    seen["refused"] += 1
            return seen

    refused = [f"refused {number}" for number in range(25)]
    mixed = [text for pair in zip([f"good {number}" for number in range(25)], refused, strict=True) for text in pair]
    script = [step for _ in range(25) for step in ("yes", BadRequest("not this one"))]
    assert asyncio.run(run("1", mixed, Scripted(*script))) == {"yes": 25, "refused": 25}
    # everything else is in the ledger now, so nothing but refusals is heard
    again = Scripted(BadRequest("not this one"))
    assert asyncio.run(run("2", ["good 0", *refused], again)) == {"yes": 1, "refused": 25}
    # an endpoint that answered nothing at all is another matter
    with pytest.raises(BreakerOpen):
        asyncio.run(run("3", refused, Scripted(BadRequest("not this one"))))


def test_an_annotator_that_is_always_refused_ends_the_run_though_the_writer_is_answered():
    class Half(Scripted):
        async def attempt(self, request):
            self.requests.append(request)
            if request.program == "annotate":
                raise BadRequest("temperature is not supported")
            return Response("yes", Outcome.OK, "m-1", None, None, Usage(1, 1))

    model = Half("unused")
    languages = ("en", "ja")
    roles = {
        f"{language}: {n}": Role(model, IDENTITY, name=n) for n in ("writer", "annotator-1") for language in languages
    }
    subject = Asker(roles, retry=AT_ONCE)

    async def run():
        for number in range(10):
            for language in languages:
                await subject.ask(f"{language}: writer", **question(f"{number}"))
                given = {**question(f"{number}"), "program": "annotate"}
                with pytest.raises((BadRequest, BreakerOpen)):
                    await subject.ask(f"{language}: annotator-1", **given)

    asyncio.run(run())
    with pytest.raises(BreakerOpen, match="20 requests in a row"):
        ask(subject, "one more", role="en: annotator-1")


@pytest.mark.parametrize(("refused", "ends"), [(4, False), (5, True)])
def test_a_run_that_heard_nothing_but_refusals_ends_with_them(refused, ends):
    subject = asker(Scripted(BadRequest("no such model")))
    for number in range(refused):
        with pytest.raises(BadRequest):
            ask(subject, str(number))
    assert subject.in_doubt()
    if ends:
        with pytest.raises(BreakerOpen, match="no such model"):
            subject.conclude()
    else:
        subject.conclude()


def test_an_endpoint_that_never_answers_ends_the_run_and_says_what_it_heard(monkeypatch):
    monkeypatch.setattr("synth.ask.attempts.NEVER_ANSWERED", 0.0)
    subject = asker(Scripted(Transient("the connection failed (ClientConnectorError)")))
    with pytest.raises(BreakerOpen, match=r"not answered once in .*; the last: the connection failed"):
        ask(subject)


class Later(Scripted):
    """A model that hands in, and answers when it is asked for the job."""

    async def fetch(self, request, job):
        assert job == "batch-7"
        step = self.script.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step


def test_what_was_handed_in_is_fetched_under_the_limit_that_paid_for_it(tmp_path):
    price = Price(1_000_000, 1_000_000)
    answer = Response("at last", Outcome.OK, "m-1", None, None, Usage(3, 4))
    limit = Limits(max_cost=30, max_run_cost=30, max_calls=1)

    async def run(run_id, *script):
        found = statistics(tmp_path)
        purse = Purse(limit, before=spent_before(found), owed=found["jobs_micro_units"])
        with Ledger(tmp_path, run_id) as ledger:
            role = Role(Later(*script), IDENTITY, Parameters(max_tokens=10), price)
            subject = Asker({"writer": role}, ledger=ledger, purse=purse, retry=AT_ONCE)
            try:
                return (await subject.ask("writer", **question())).text, purse.run.micro_units
            except PendingError:
                return "due", purse.run.owed

    assert asyncio.run(run("1", Pending("batch-7"))) == ("due", 23)
    assert asyncio.run(run("2", Pending("batch-7")))[0] == "due"
    assert asyncio.run(run("3", answer)) == ("at last", 7)
    found = statistics(tmp_path)
    assert (found["micro_units"], found["jobs"], found["jobs_micro_units"]) == (7, 0, 0)


def test_only_what_is_gathered_for_a_batch_goes_wider_than_the_person_said():
    there = Identity("m", "elsewhere", "")
    subject = Asker({"writer": Role(Later("x"), IDENTITY), "annotator-1": Role(Scripted("x"), there)}, max_in_flight=3)
    widths = {name: seat.attempts.pace.most for name, seat in subject._seats.items()}
    assert widths == {"writer": 10_000, "annotator-1": 3}
