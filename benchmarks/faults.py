"""Meet an endpoint's faults with the real call path, and count what becomes of 1,000 records.

Usage: python benchmarks/faults.py [--records 1000] [--concurrency 64] [--latency 0.2]. Prints one JSON line; 1 where a promise
broke. A record is one question over HTTP with its answer durable in a ledger:

- `refused`: 2 % of the questions get HTTP 400 - every record has a typed outcome;
- `limited`: 2 % of the attempts get HTTP 429 with Retry-After 1 - all ok within 1.3 times the clean time and a second;
- `dead`: the server is dead for ten seconds in the middle - all ok;
- `outage`: it is dead from the middle on and the run's deadline comes; then it is well - none is lost for good;
- `wrong`: every question is refused - the run ends with a typed error after twenty, and nothing is answered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from synth.ask import Asker, Role
from synth.errors import SynthError
from synth.models.base import Contract, Endpoint, Identity, Parameters, Request, Response, Usage
from synth.models.ledger import Ledger, statistics
from synth.models.wire import WireModel
from synth.offline.conduct import Outage
from synth.offline.faults import Faults
from synth.offline.serve import Server
from synth.records.labels import Outcome
from synth.records.schema import Message

PARTITION = "p-en-r0001-b00000"
ANSWER = json.dumps({"scenario": "She sets her cup down before she answers."})


class Trivial:
    """A pure model that gives everybody the same answer."""

    pure = True
    name = "trivial"

    def answer(self, request: Request) -> Response:
        """Give the answer."""
        return Response(ANSWER, Outcome.OK, "trivial", None, None, Usage(len(request.messages), 20))

    async def attempt(self, request: Request) -> Response:
        """Give the answer."""
        return self.answer(request)

    async def close(self) -> None:
        """Hold nothing."""


class Run:
    """So many questions to one server, so many at a time; `outcomes` counts what became of them."""

    def __init__(self, given: argparse.Namespace, folder: Path, deadline: float | None = None) -> None:
        self.given = given
        self.folder = folder
        self.deadline = deadline
        self.outcomes: Counter[str] = Counter()
        self.seconds = 0.0

    async def ask(self, url: str) -> None:
        """Ask every question."""
        began = time.monotonic()
        ends = None if self.deadline is None else began + self.deadline
        model = WireModel("m/trivial", Endpoint("m", url, "", None))
        role = Role(model, Identity("trivial", "m", ""), Parameters(max_tokens=64))
        with Ledger(self.folder, "0001") as ledger:
            asker = Asker(
                {"writer": role},
                ledger=ledger,
                max_in_flight=self.given.concurrency,
                stop=lambda: "the deadline has come" if ends is not None and time.monotonic() > ends else "",
            )
            numbers = iter(range(self.given.records))
            await asyncio.gather(*(self._work(asker, numbers) for _ in range(2 * self.given.concurrency)))
            await asker.close()
        self.seconds = time.monotonic() - began

    async def _work(self, asker: Asker, numbers: Iterator[int]) -> None:
        for number in numbers:
            try:
                parsed = await asker.ask_parsed(
                    "writer",
                    program="race",
                    contract=Contract("race", 1),
                    messages=(Message("user", f"Write scenario {number}."),),
                    partition=PARTITION,
                    validate=lambda value: value,
                )
            except SynthError as error:
                self.outcomes[type(error).__name__] += 1
            else:
                self.outcomes[str(parsed.outcome)] += 1


def served(url: str) -> dict[str, Any]:
    """Give what the server counted."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def one(given: argparse.Namespace, name: str, scratch: Path, deadline: float | None = None, **conduct: Any) -> Run:
    """Run all questions against one server."""
    run = Run(given, scratch / name, deadline)
    with Server(Trivial(), latency=given.latency, **conduct) as server:
        asyncio.run(run.ask(server.url))
        run.outcomes["served"] = served(server.url)["requests"]
    return run


def measure(given: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Give the figures of every fault, and whether each promise was kept."""
    records = given.records
    clean = one(given, "clean", scratch)
    refused = one(given, "refused", scratch, faults=Faults(bad_parameter=0.02))
    limited = one(given, "limited", scratch, faults=Faults(rate_limit=0.02), retry_after=1.0)
    dead = one(given, "dead", scratch, outage=Outage(records // 2, 10.0))
    cut = one(given, "outage", scratch, deadline=clean.seconds + 2.0, outage=Outage(records // 2, 3600.0))
    well = one(given, "outage", scratch)
    wrong = one(given, "wrong", scratch, faults=Faults(bad_parameter=1.0))
    runs = {
        "clean": clean,
        "refused": refused,
        "limited": limited,
        "dead": dead,
        "cut": cut,
        "well": well,
        "wrong": wrong,
    }
    kept = {
        "refused": refused.outcomes["ok"] + refused.outcomes["refused"] == records and refused.outcomes["refused"] > 0,
        "limited": limited.outcomes["ok"] == records and limited.seconds <= 1.3 * clean.seconds + 1.0,
        "dead": dead.outcomes["ok"] == records,
        "outage": 0 < cut.outcomes["ok"] < records and well.outcomes["ok"] == records,
        "paid_once": well.outcomes["served"] == records - cut.outcomes["ok"],
        "wrong": wrong.outcomes["BreakerOpen"] > 0 and statistics(scratch / "wrong")["answers"] == 0,
    }
    shown = {name: {"seconds": round(run.seconds, 2), **run.outcomes} for name, run in runs.items()}
    return {"records": records, "concurrency": given.concurrency, "latency": given.latency, "kept": kept, **shown}


def main() -> int:
    """Measure as the command line asks for; 1 where a promise broke."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", "-n", type=int, default=1_000)
    parser.add_argument("--concurrency", "-c", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="synth-faults-") as scratch:
        found = measure(given, Path(scratch))
    print(json.dumps(found))
    return 0 if all(found["kept"].values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
