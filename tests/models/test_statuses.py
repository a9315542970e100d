"""What a status means, asked of every lane: the same answer of an endpoint is the same error, whichever lane met it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from synth.errors import AttemptError, AuthFailed, BadRequest, FormRefused, RateLimited, SynthError, Transient
from synth.models.base import Endpoint, open_model
from synth.models.envelope import Complaint, read_complaint
from synth.models.forms import TEACHING
from synth.models.router_failures import Failure, refused
from synth.models.statuses import error_of

KEY = "sk-planted-0123456789abcdef"
HERE = Endpoint("local", None, "", "PLANTED_KEY", 20.0)
LANES = {
    "wire": HERE,
    "responses": replace(HERE, lane="responses"),
    "router": replace(HERE, lane="router", provider="openai"),
    "router-vllm": replace(HERE, lane="router", provider="hosted_vllm"),
}
KEY_HINT = "check the key variable and what the key may do"
SPENT_HINT = "the account has nothing left to spend: waiting does not help"


def error(words="the\nwords", **names):
    return json.dumps({"error": {"message": words, **names}})


SPENT = error("You exceeded your quota", code="insufficient_quota", type="insufficient_quota")
MISFIRED = error("Failed to generate JSON", code="json_validate_failed")
NO_FORM = error("response_format is not supported", param="response_format")
USED_UP = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m1.5s"}


@pytest.fixture
def met(question, monkeypatch):
    """Give the error that each lane makes of one answer, each after one request."""
    monkeypatch.setenv("PLANTED_KEY", KEY)

    async def everywhere(status, headers, body) -> dict[str, SynthError]:
        hits = []

        async def handler(http):
            hits.append(http.path)
            return web.Response(status=status, text=body, headers=headers, content_type="application/json")

        app = web.Application()
        app.router.add_post("/{path:.*}", handler)
        async with TestServer(app) as server:
            found = {}
            for lane, endpoint in LANES.items():
                model = open_model("local/m", {"local": replace(endpoint, url=str(server.make_url("/v1")))})
                try:
                    with pytest.raises(SynthError) as caught:
                        await model.attempt(question())
                    found[lane] = caught.value
                finally:
                    await model.close()
        assert len(hits) == len(LANES)
        return found

    return lambda status, headers, body: asyncio.run(everywhere(status, headers, body))


def traits(fault):
    """Give all of an error by which a run goes on: its kind, its words, its wait, and whether it may be paid."""
    return (
        type(fault),
        fault.message,
        fault.hint,
        getattr(fault, "retry_after", None),
        getattr(fault, "may_be_paid", None),
    )


def said(status, words="the words", more=""):
    return f"endpoint 'local' answered HTTP {status}: {words}{more}"


def bad(status, words="the words"):
    return (BadRequest, said(status, words), "", None, False)


def refused_key(status):
    return (AuthFailed, f"endpoint 'local' refused the key (HTTP {status})", KEY_HINT, None, None)


def spent(status):
    return (AuthFailed, said(status, "You exceeded your quota"), SPENT_HINT, None, None)


def limited(status, wait):
    return (RateLimited, said(status), "", wait, False)


def transient(status, words="the words", *, paid=False):
    return (Transient, said(status, words), "", None, paid)


def another_form(status):
    form = " (it does not take this response_format; the next attempt asks otherwise)"
    return (FormRefused, said(status, "response_format is not supported", form), "", None, False)


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        # the key comes first, whatever else is said
        (401, {}, error(), refused_key(401)),
        (403, {"Retry-After": "7"}, error(), refused_key(403)),
        (403, {}, SPENT, refused_key(403)),
        # an empty account, however it is said, and however long one is told to wait
        (429, {"Retry-After": "1"}, SPENT, spent(429)),
        (429, {}, error("You exceeded your quota", type="billing_not_active"), spent(429)),
        (400, {}, error("You exceeded your quota", code="billing_hard_limit_reached"), spent(400)),
        (402, {}, SPENT, spent(402)),
        (503, {"Retry-After": "1"}, SPENT, spent(503)),
        # limits
        (429, {}, error(), limited(429, None)),
        (429, {"Retry-After": "7"}, error(), limited(429, 7.0)),
        (429, {"Retry-After": "soon"}, error(), limited(429, None)),
        (429, {"retry-after-ms": "1200", "Retry-After": "2"}, error(), limited(429, 1.2)),
        (429, USED_UP, error(), limited(429, 61.5)),
        (503, {"Retry-After": "4"}, error(), limited(503, 4.0)),
        (529, {"Retry-After": "4"}, error(), limited(529, 4.0)),
        (503, USED_UP, error(), limited(503, 61.5)),
        # faults of the endpoint
        (503, {}, error(), transient(503)),
        (529, {}, error(), transient(529)),
        (500, {"Retry-After": "4"}, error(), transient(500)),
        (502, {}, "<html>", transient(502, "<html>")),
        (504, {}, "", transient(504, "(nothing)")),
        (408, {}, error(), transient(408)),
        (409, {}, NO_FORM, transient(409, "response_format is not supported")),
        # the model wrote no JSON: asked again, perhaps paid
        (400, {}, MISFIRED, transient(400, "Failed to generate JSON", paid=True)),
        (500, {}, MISFIRED, transient(500, "Failed to generate JSON", paid=True)),
        (
            400,
            {},
            error("no JSON for response_format", code="json_validate_failed"),
            transient(400, "no JSON for response_format", paid=True),
        ),
        # the form of the question
        (400, {}, NO_FORM, another_form(400)),
        (404, {}, NO_FORM, another_form(404)),
        (415, {}, NO_FORM, another_form(415)),
        (422, {}, NO_FORM, another_form(422)),
        (413, {}, NO_FORM, bad(413, "response_format is not supported")),
        # all else
        (307, {"Location": "/v1/elsewhere"}, error(), bad(307)),
        (400, {}, error(), bad(400)),
        (400, {}, "", bad(400, "(nothing)")),
        (400, {"Retry-After": "9"}, '{"detail": [{"loc": ["body", "n"], "msg": "too many"}]}', bad(400, "too many")),
        (402, {}, error(), bad(402)),
        (404, {}, error(), bad(404)),
        (413, {}, error(), bad(413)),
        (422, {}, error(), bad(422)),
        (451, {}, error(), bad(451)),
    ],
)
def test_the_same_answer_is_the_same_error_in_every_lane(met, status, headers, body, expected):
    assert {lane: traits(fault) for lane, fault in met(status, headers, body).items()} == dict.fromkeys(LANES, expected)


@pytest.mark.parametrize(
    ("failure", "part", "expected"),
    [
        (Failure(400, "UnsupportedParamsError", Complaint("no seed", ())), "seed", FormRefused),
        (Failure(400, "UnsupportedParamsError", Complaint("no seed", ())), "", BadRequest),
        (Failure(401, "AuthenticationError", Complaint(f"key {KEY}", ())), "seed", AuthFailed),
        (Failure(429, "RateLimitError", Complaint("busy", ())), "seed", BadRequest),
        (Failure(0, "ConnectError", Complaint("", ()), unsent=True), "seed", Transient),
    ],
)
def test_what_litellm_says_without_an_answer_of_the_provider_is_not_taken_for_one(failure, part, expected):
    fault = refused("endpoint 'local'", failure, lambda _: part)
    assert type(fault) is expected
    assert not getattr(fault, "may_be_paid", False)
    assert KEY not in str(fault)
    assert "answered HTTP" not in fault.message


@pytest.mark.parametrize("body", [SPENT, MISFIRED, NO_FORM, error()])
@pytest.mark.parametrize("status", [401, 403])
def test_where_the_key_is_refused_the_words_are_not_repeated(status, body):
    fault = error_of("endpoint 'local'", status, {}, read_complaint(body.encode()), lambda _: "seed")
    assert traits(fault) == refused_key(status)


@given(
    status=st.integers(300, 599),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms", "x-ratelimit-reset-requests"]), st.text()
    ),
    words=st.text(),
    names=st.lists(st.sampled_from(["insufficient_quota", "json_validate_failed", "seed"]) | st.text(), max_size=3),
    part=st.sampled_from(["", "seed"]),
)
def test_whatever_an_endpoint_says_is_a_typed_error_and_teaches_only_where_the_form_is_at_fault(
    status, headers, words, names, part
):
    asked = []

    def learn(complaint):
        asked.append(complaint)
        return part

    complaint = Complaint(words, tuple(names))
    fault = error_of("endpoint 'local'", status, headers, complaint, learn)
    assert isinstance(fault, AttemptError | AuthFailed)
    assert fault.message.startswith("endpoint 'local' ")
    assert f"HTTP {status}" in fault.message
    assert isinstance(fault, FormRefused) == bool(asked and part)
    assert asked == ([complaint] if status in TEACHING and not (complaint.exhausted or complaint.misfired) else [])
