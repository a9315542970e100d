"""A server tells which answers went out with a fault of their text, by the ids that a client keeps."""

from __future__ import annotations

import asyncio
import http.client
import json
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from synth.models.base import Response, Usage
from synth.models.prices import FREE
from synth.offline.completions import Completions
from synth.offline.conduct import Conduct
from synth.offline.counts import Counts
from synth.offline.faults import Faults
from synth.offline.routes import Routes
from synth.offline.serve import Server
from synth.records.labels import Outcome

LABELS = {"labels": [{"field": "emotion", "value": "anger", "share": 1.0, "quote": "I am cross", "nth": 0}]}


class Labeller:
    """A pure model that gives the same labels to everybody."""

    pure = True
    name = "labeller@1"

    def answer(self, _request):
        return Response(json.dumps(LABELS), Outcome.OK, self.name, None, None, Usage(100, 40))


class Planting(Server):
    """A server that tells what it planted."""

    async def _serve(self):
        routes = Routes("labeller", Completions(self._model.answer, Conduct(**self._options)))
        app = web.Application(middlewares=[routes.middleware()])
        app.router.add_post("/v1/chat/completions", routes.chat)
        app.router.add_post("/v1/responses", routes.responses)
        app.router.add_get("/stats", routes.stats)
        app.router.add_get("/met", routes.met)
        app.router.add_post("/reset", routes.reset)
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
            self._ready.set()
            await self._stop.wait()
        finally:
            await runner.cleanup()


def send(server, method, path, body=None):
    """Give headers and body of one request."""
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        connection.request(method, path, json.dumps(body))
        answer = connection.getresponse()
        return answer.headers, json.loads(answer.read())
    finally:
        connection.close()


def met(server):
    return send(server, "GET", "/met")[1]


def ask(server, words):
    asked = {"model": "offline", "messages": [{"role": "user", "content": str(words)}]}
    return send(server, "POST", "/v1/chat/completions", asked)


def test_what_was_planted_is_told_by_the_id_of_the_answer():
    with Planting(Labeller(), faults=Faults(wrong_label=0.3, truncated=0.2)) as server:
        assert met(server) == {}
        sent = {}
        for number in range(60):
            headers, body = ask(server, number)
            assert body["id"] == f"chatcmpl-{headers['x-request-id']}"
            text, finish = body["choices"][0]["message"]["content"], body["choices"][0]["finish_reason"]
            fault = "truncated" if finish == "length" else "" if json.loads(text) == LABELS else "wrong-label"
            sent[headers["x-request-id"]] = fault
        told = met(server)
        assert told == {name: fault for name, fault in sent.items() if fault}
        assert set(told.values()) == {"wrong-label", "truncated"}
        ask(server, 0)
        assert sorted(met(server).items()) == sorted(told.items())
        headers, body = send(server, "POST", "/v1/responses", {"model": "offline", "input": "0"})
        assert body["id"] == f"resp_{headers['x-request-id']}"
        assert headers["x-request-id"] in sent
        send(server, "POST", "/reset")
        assert met(server) == {}


def test_what_never_went_out_whole_was_not_planted():
    with Planting(Labeller(), faults=Faults(wrong_label=1, cut_body=1)) as server:
        with pytest.raises(http.client.IncompleteRead):
            ask(server, 0)
        assert (send(server, "GET", "/stats")[1]["faults"]["wrong-label"], met(server)) == (1, {})


def test_the_newest_answers_are_remembered_and_no_more_than_so_many(monkeypatch):
    monkeypatch.setattr("synth.offline.counts.MOST_MET", 3)
    counts = Counts(FREE)
    for number in (1, 2, 3, 1, 4):
        counts.answered(bytes([number]), Outcome.OK, "wrong-label")
    counts.answered(b"\x09", Outcome.OK)
    assert list(counts.met()) == ["03", "01", "04"]
    counts.reset()
    assert counts.met() == {}
