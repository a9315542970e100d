"""One contestant of the race: this project's own call path, with every answer durable in the ledger before it counts.

Usage: python benchmarks/call_path.py -n 2000 -c 64 --base-url http://127.0.0.1:8000/v1 --out DIR [--model NAME]. Prints a
line `RESULT {json}`, as the scripts of other tools do that are raced against it. What is driven is `Asker.ask_parsed` over
the wire lane with a ledger: key, pace, purse, durable claim, attempt, durable settlement, parsing. Started again in the same
DIR it goes on where it was killed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

STARTED = time.time()

import aiohttp  # noqa: E402, F401 (the lane would import it at its first attempt; the others import theirs before they are timed)

from synth.ask import Asker, Role  # noqa: E402 (the time of importing is measured)
from synth.models.base import Contract, Endpoint, Identity, Parameters  # noqa: E402
from synth.models.ledger import Ledger  # noqa: E402
from synth.models.wire import WireModel  # noqa: E402
from synth.records.schema import Message  # noqa: E402

IMPORTED = time.time()
CONTRACT = Contract("race", 1)
PARTITION_SIZE = 1_000
PROMPT = "rec-{}: Write a short scenario in which a junior nurse disagrees with a senior surgeon. Answer as JSON."


def cpu() -> float:
    """Give the CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def whole(value: dict[str, Any]) -> dict[str, Any]:
    """Give an answer that holds what was asked for."""
    if not isinstance(value.get("scenario"), str):
        raise TypeError("`scenario` must be a text")
    return value


class Contestant:
    """Asks for so many records, so many at a time, and writes each to a file once it is durable."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.rows: dict[int, str] = {}
        self.first_durable = 0.0

    async def run(self) -> None:
        """Ask for every record."""
        model = WireModel(f"race/{self.given.model}", Endpoint("race", self.given.base_url, "", None))
        role = Role(model, Identity(self.given.model, "race", ""), Parameters(temperature=0.7, max_tokens=512))
        out = Path(self.given.out)
        with Ledger(out, "0001") as ledger, (out / "out.jsonl").open("w", encoding="utf-8") as file:
            asker = Asker({"writer": role}, ledger=ledger, max_in_flight=self.given.concurrency)
            numbers = iter(range(self.given.records))
            # a few more at work than in flight, as a build has: who waits for the disk leaves no place empty
            workers = (self._work(asker, numbers, file) for _ in range(2 * self.given.concurrency))
            try:
                await asyncio.gather(*workers)
            finally:
                await asker.close()

    async def _work(self, asker: Asker, numbers: Any, file: Any) -> None:
        for number in numbers:
            parsed = await asker.ask_parsed(
                "writer",
                program="race",
                contract=CONTRACT,
                messages=(Message("user", PROMPT.format(number)),),
                partition=f"p-en-r0001-b{number // PARTITION_SIZE:05d}",
                validate=whole,
            )
            self.first_durable = self.first_durable or time.time()
            self.rows[number] = str(parsed.outcome)
            file.write(json.dumps({**(parsed.value or {}), "id": f"rec-{number}"}) + "\n")


def main() -> int:
    """Run as the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-n", dest="records", type=int, default=2_000)
    parser.add_argument("-c", dest="concurrency", type=int, default=64)
    parser.add_argument("--base-url", default="http://127.0.0.1:18999/v1")
    parser.add_argument("--out", default="race-out")
    parser.add_argument("--model", default="mock")
    parser.add_argument("--resume", action="store_true", help="what happens anyway")
    parser.add_argument("--opt", default="")
    given = parser.parse_args()
    Path(given.out).mkdir(parents=True, exist_ok=True)
    contestant, began, used = Contestant(given), time.time(), cpu()
    asyncio.run(contestant.run())
    told = {
        "import_s": round(IMPORTED - STARTED, 2),
        "t_run": began,
        "run_s": time.time() - began,
        "run_cpu_s": cpu() - used,
        "rows": len(contestant.rows),
        "uniq": len(contestant.rows),
        "ok": sum(outcome == "ok" for outcome in contestant.rows.values()),
        "first_durable_s": contestant.first_durable - began,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "ver": "ledger durable",
    }
    print("\nRESULT " + json.dumps(told), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
