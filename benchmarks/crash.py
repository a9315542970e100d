"""Kill builds at random moments with SIGKILL, let them end, and count what was lost, paid twice or differs by a byte.

Usage: python benchmarks/crash.py [--rounds 20] [--seed 1] [--quick]. Prints one JSON line. A round kills a build once or
twice (its whole process group) and runs it again until it ends. Of five rounds four go over HTTP, with a ledger, latency and
prices; the fifth is made in process. Each build is compared with one that nobody killed.

`lost` counts answers and rows that the unkilled build has and this one has not; `duplicated` rows that stand twice; `repaid`
questions that the server answered more than once; `in_flight` those that `synth status` named after each kill as in flight,
which bound them: `unaccounted` counts the rounds in which the server answered more again than that, or charged more than the
ledger's answers and what `status` says the kills may have cost.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import synth
from synth.content.shelves import Shelves
from synth.models.base import Request, Response
from synth.models.ledger import statistics
from synth.models.prices import Price
from synth.offline.embedded import OfflineModel
from synth.offline.serve import Server
from synth.records.parts import commits, read_table
from synth.records.schema import Reply, Scenario
from synth.records.verification import verify

RECIPE = {
    "languages": ["en"],
    "families": ["burial_day_taken_back", "two_crowds_one_square"],
    "quota": {"records": 24},
    "partition": 6,
}
PROMISED = ("parts", "annotations", "verdicts", "plan")
PRICE = Price(150_000, 600_000)
LATENCY = 0.02
IN_FLIGHT = 16
SETTINGS = """endpoints:
  offline:
    url: {url}
    prices: {{"*": {{read: 0.15, written: 0.60}}}}
"""


class Counting:
    """The embedded model behind a server, and how often it was asked each question."""

    pure = True
    name = "offline"

    def __init__(self) -> None:
        self.model = OfflineModel(Shelves())
        self.asked: Counter[object] = Counter()
        self.micro_units = 0
        self.changed = threading.Condition()

    def clear(self) -> None:
        """Count from nothing."""
        self.asked.clear()
        self.micro_units = 0

    def answer(self, request: Request) -> Response:
        """Count a question and answer it."""
        with self.changed:
            self.asked[request.messages] += 1
            self.changed.notify_all()
        response = self.model.answer(request)
        self.micro_units += PRICE.cost(response.usage)
        return response

    def wait(self, questions: int, child: subprocess.Popen[str]) -> None:
        """Wait for so many questions, or for the end of who asks them."""
        with self.changed:
            while self.asked.total() < questions and child.poll() is None:
                self.changed.wait(0.05)

    async def attempt(self, request: Request) -> Response:
        """Answer as a model does."""
        return self.answer(request)

    async def close(self) -> None:
        """Hold nothing."""


@dataclass
class Score:
    """What all rounds came to; costs are in micro-units."""

    rounds: int = 0
    kills: int = 0
    lost: int = 0
    duplicated: int = 0
    in_flight: int = 0
    repaid: int = 0
    repaid_micro_units: int = 0
    at_most_micro_units: int = 0
    unaccounted: int = 0
    faults: int = 0
    bytes_equal: bool = True
    sealed_at_kills: list[int] = field(default_factory=list)


def build(folder: str, settings: str) -> None:
    """Build as a child does, with a line for each event."""

    def tell(event: object) -> None:
        print(type(event).__name__, flush=True)

    synth.build(RECIPE, folder, max_in_flight=IN_FLIGHT if settings else 1, on_event=tell)


def start(folder: Path, url: str) -> subprocess.Popen[str]:
    """Give a child that builds, in a process group of its own; with a URL the embedded model is asked over HTTP, and costs."""
    settings = folder.with_suffix(".settings.yaml")
    settings.write_text(SETTINGS.format(url=url) if url else "", encoding="utf-8")
    command = [
        sys.executable,
        str(Path(__file__).resolve()),
        "--child",
        str(folder),
        "--settings",
        url and str(settings),
    ]
    environment = os.environ | {"SYNTH_SETTINGS": str(settings)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)


def finish(folder: Path, url: str) -> int:
    """Build to the end; gives the number of events."""
    child = start(folder, url)
    told, _ = child.communicate()
    if child.returncode != 0:
        raise SystemExit(f"a build that nobody killed ended with {child.returncode}")
    return told.count("\n")


def kill(folder: Path, url: str, wait: Callable[[subprocess.Popen[str]], None]) -> bool:
    """Build, and kill the process group when `wait` returns; gives whether it still ran."""
    child = start(folder, url)
    wait(child)
    running = child.poll() is None
    if running:
        os.killpg(child.pid, signal.SIGKILL)
    child.communicate()
    return running


def some_lines(events: int) -> Callable[[subprocess.Popen[str]], None]:
    """Give what waits for so many lines of a child, or for its end."""

    def wait(child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None
        all(child.stdout.readline() for _ in range(events))

    return wait


def prints(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of every file whose bytes are promised."""
    files = [path for name in PROMISED for path in (folder / name).rglob("*") if path.is_file()]
    files.append(folder / "select.parquet")
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(folder: Path) -> Iterator[str]:
    """Give the id of every sealed row."""
    for commit in commits(folder):
        for name, kind, key in (("scenarios", Scenario, "scenario_id"), ("replies", Reply, "reply_id")):
            yield from read_table(folder, commit.partition, name, kind).column(key).to_pylist()


def in_flight(folder: Path) -> int:
    """Give the calls that `synth status` names as in flight, as a person reads them after a kill."""
    command = [sys.executable, "-m", "synth", "status", str(folder), "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).resolve().parents[1])
    return int(json.loads(told.stdout)["ledger"]["in_flight"]) if told.returncode == 0 else 0


def one_round(
    folder: Path, url: str, whole: Path, moments: Iterator[Callable[[subprocess.Popen[str]], None]], score: Score
) -> int:
    """Kill a build at each of the moments, let it end, add to the score; gives how many calls `status` named as in flight."""
    named = 0
    for wait in moments:
        if kill(folder, url, wait):
            score.kills += 1
            score.sealed_at_kills.append(len(commits(folder)))
            named += in_flight(folder)
    finish(folder, url)
    found, expected = Counter(rows(folder)), Counter(rows(whole))
    score.rounds += 1
    score.lost += (expected - found).total()
    score.duplicated += (found - expected).total()
    score.faults += len(verify(folder))
    score.bytes_equal &= prints(folder) == prints(whole)
    return named


def account(folder: Path, counting: Counting, answers: int, named: int, score: Score) -> None:
    """Hold what the server counted against what `status` and the ledger say."""
    kept = statistics(folder)
    again = sum(count - 1 for count in counting.asked.values())
    extra = counting.micro_units - kept["micro_units"]
    score.lost += answers - kept["answers"]
    score.in_flight += named
    score.repaid += again
    score.repaid_micro_units += extra
    score.at_most_micro_units += kept["interrupted_micro_units"]
    agrees = again <= kept["interrupted"] == named and 0 <= extra <= kept["interrupted_micro_units"]
    score.unaccounted += not agrees


def measure(rounds: int, seed: int, scratch: Path) -> Score:
    """Give the score of so many rounds."""
    times, score, counting = random.Random(seed), Score(), Counting()
    with Server(counting, latency=LATENCY, jitter=0.5) as server:
        urls = {"http": server.url, "process": ""}
        events = {lane: finish(scratch / lane, url) for lane, url in urls.items()}
        expected = Counter(counting.asked)
        score.bytes_equal = prints(scratch / "http") == prints(scratch / "process")

        def moment(lane: str) -> Callable[[subprocess.Popen[str]], None]:
            if lane == "process":
                return some_lines(times.randrange(1, events[lane]))
            more, later = times.randrange(1, expected.total()), times.uniform(0, 2 * LATENCY)

            def wait(child: subprocess.Popen[str]) -> None:
                counting.wait(counting.asked.total() + more, child)
                time.sleep(later)

            return wait

        for number in range(rounds):
            lane, folder = "process" if number % 5 == 4 else "http", scratch / f"round-{number}"
            counting.clear()
            moments = (moment(lane) for _ in range(times.choice((1, 1, 2))))
            named = one_round(folder, urls[lane], scratch / lane, moments, score)
            if lane == "http":
                account(folder, counting, len(expected), named, score)
    return score


def main() -> int:
    """Run the rounds that the command line asks for; 1 where a promise broke."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", default="")
    parser.add_argument("--settings", default="")
    parser.add_argument("--quick", action="store_true", help="four rounds")
    given = parser.parse_args()
    if given.child:
        build(given.child, given.settings)
        return 0
    with tempfile.TemporaryDirectory(prefix="synth-crash-") as scratch:
        score = measure(4 if given.quick else given.rounds, given.seed, Path(scratch))
    shown = {name: value for name, value in vars(score).items() if name != "sealed_at_kills"}
    print(json.dumps(shown | {"mean_sealed_at_kill": round(sum(score.sealed_at_kills) / max(1, score.kills), 2)}))
    return 0 if score.bytes_equal and not (score.lost or score.duplicated or score.faults or score.unaccounted) else 1


if __name__ == "__main__":
    raise SystemExit(main())
