"""Money: fifty random limits over real HTTP, raised until all is answered, against the server's own count."""

from __future__ import annotations

import asyncio
import http.client
import json
import random
from urllib.parse import urlsplit

import pytest

from synth.ask import Asker, Retry, Role
from synth.errors import IncompleteError
from synth.models.base import Contract, Endpoint, Identity, Parameters, Response, Usage
from synth.models.ledger import Ledger
from synth.models.ledger_statistics import spent_before, statistics
from synth.models.prices import Price
from synth.models.purse import Limits, Purse
from synth.models.wire import WireModel
from synth.offline.faults import Faults
from synth.offline.serve import Server
from synth.records.labels import Outcome
from synth.records.schema import Message

PARTS = ("p-en-r0001-b00000", "p-en-r0001-b00001")
PRICE = Price(150_000, 600_000, 75_000)
QUESTIONS = 40


class Wordy:
    """A pure model whose answers are of many lengths."""

    pure = True
    name = "wordy"

    def answer(self, request):
        words = 1 + hash_of(request.messages[0].content) % 60
        text = json.dumps({"said": "word " * words})
        return Response(text, Outcome.OK, "wordy", None, None, Usage(10 + words % 7, words))

    async def attempt(self, request):
        return self.answer(request)

    async def close(self):
        return None


def hash_of(text):
    return sum(text.encode()) * 7919


def server_says(url):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port)
    try:
        connection.request("GET", "/stats")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


async def run(folder, url, number, limits):
    """Ask every question within the limits; gives how many were answered, and what the run's purse counted."""
    before = spent_before(statistics(folder))
    purse = Purse(limits, before=before)
    role = Role(
        WireModel("m/wordy", Endpoint("m", url, "", None)), Identity("wordy", "m", ""), Parameters(max_tokens=64), PRICE
    )
    with Ledger(folder, f"{number:04d}") as ledger:
        retry = Retry(patience=0.0, first_wait=0.0, longest_wait=0.0)
        asker = Asker({"writer": role}, ledger=ledger, purse=purse, retry=retry, max_in_flight=8)
        asked = [
            asker.ask(
                "writer",
                program="write",
                contract=Contract("scene", 1),
                messages=(Message("user", f"question {n}"),),
                partition=PARTS[n % 2],
            )
            for n in range(QUESTIONS)
        ]
        found = await asyncio.gather(*asked, return_exceptions=True)
        await asker.close()
    assert {type(one) for one in found if isinstance(one, BaseException)} <= {IncompleteError}
    return sum(not isinstance(one, BaseException) for one in found), purse.run.micro_units


@pytest.mark.parametrize("seed", range(50))
def test_no_limit_is_passed_and_every_micro_unit_is_accounted_for(tmp_path, seed):
    rng = random.Random(seed)
    faults = Faults(rate_limit_ms=0.05, server_error=0.05) if seed % 2 else Faults()
    with Server(Wordy(), price=PRICE, faults=faults, seed=seed) as server:
        limit, number, done = rng.randrange(0, 900), 0, 0
        while done < QUESTIONS:
            number += 1
            run_limit = rng.choice([None, rng.randrange(200, 900)])
            done, cost = asyncio.run(run(tmp_path, server.url, number, Limits(max_cost=limit, max_run_cost=run_limit)))
            told, kept = server_says(server.url), statistics(tmp_path)
            assert kept["micro_units"] == told["micro_units"]
            assert kept["micro_units"] <= limit
            assert run_limit is None or cost <= run_limit
            assert kept["answers"] == told["ok"]
            limit += rng.randrange(50, 900)
            assert number < 200
    assert statistics(tmp_path)["answers"] == QUESTIONS
