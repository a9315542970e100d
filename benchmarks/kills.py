"""Kill builds at random moments with SIGKILL, let them end, and count what was lost, duplicated or differs by a byte.

Usage: python benchmarks/kills.py [--rounds 20] [--seed 1]. Prints one JSON line. A round kills a
build once or twice (its whole process group) and runs it again until it ends. Rounds take turns: over HTTP with a
ledger, and in process. Each build is compared with one that nobody killed.

`lost` counts answers and rows that the unkilled build has and this one has not; `duplicated` counts rows that stand
twice, and questions that were asked again although no kill cut them off (the ledger journals those that one did).
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
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import synth
from synth.content.shelves import Shelves
from synth.models.base import Request, Response
from synth.models.ledger import statistics
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


class Counting:
    """The embedded model behind a server, and how often it was asked each question."""

    pure = True
    name = "offline"

    def __init__(self) -> None:
        self.model = OfflineModel(Shelves())
        self.asked: Counter[object] = Counter()
        self.changed = threading.Condition()

    def answer(self, request: Request) -> Response:
        """Count a question and answer it."""
        with self.changed:
            self.asked[request.messages] += 1
            self.changed.notify_all()
        return self.model.answer(request)

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
    """What all rounds came to."""

    rounds: int = 0
    kills: int = 0
    lost: int = 0
    duplicated: int = 0
    cut_off: int = 0
    faults: int = 0
    bytes_equal: bool = True
    sealed_at_kills: list[int] = field(default_factory=list)


def build(folder: str, url: str) -> None:
    """Build as a child does, with a line for each event."""

    def tell(event: object) -> None:
        print(type(event).__name__, flush=True)

    if url:
        synth.build(RECIPE, folder, endpoints={"offline": url}, max_in_flight=4, on_event=tell)
    else:
        synth.build(RECIPE, folder, on_event=tell)


def start(folder: Path, url: str) -> subprocess.Popen[str]:
    """Give a child that builds, in a process group of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--child", str(folder), "--url", url]
    environment = os.environ | {"SYNTH_SETTINGS": os.devnull}
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


def one_round(
    folder: Path, url: str, whole: Path, moments: Iterator[Callable[[subprocess.Popen[str]], None]], score: Score
) -> None:
    """Kill a build at each of the moments, let it end, and add to the score."""
    for wait in moments:
        if kill(folder, url, wait):
            score.kills += 1
            score.sealed_at_kills.append(len(commits(folder)))
    finish(folder, url)
    found, expected = Counter(rows(folder)), Counter(rows(whole))
    score.rounds += 1
    score.lost += (expected - found).total()
    score.duplicated += (found - expected).total()
    score.faults += len(verify(folder))
    score.bytes_equal &= prints(folder) == prints(whole)


def count_calls(folder: Path, asked: Counter[object], expected: Counter[object], score: Score) -> None:
    """Add what the server and the ledger say of a build over HTTP."""
    kept = statistics(folder)
    again = sum(count - 1 for count in asked.values())
    score.cut_off += kept["interrupted"]
    score.lost += len(expected) - kept["answers"]
    score.duplicated += max(0, again - kept["interrupted"])


def measure(rounds: int, seed: int, scratch: Path) -> Score:
    """Give the score of so many rounds."""
    times, score, counting = random.Random(seed), Score(), Counting()
    with Server(counting) as server:
        urls = {"http": server.url, "process": ""}
        events = {lane: finish(scratch / lane, url) for lane, url in urls.items()}
        expected = Counter(counting.asked)
        score.bytes_equal = prints(scratch / "http") == prints(scratch / "process")

        def moment(lane: str) -> Callable[[subprocess.Popen[str]], None]:
            if lane == "process":
                return some_lines(times.randrange(1, events[lane]))
            more = times.randrange(1, expected.total())
            return lambda child: counting.wait(counting.asked.total() + more, child)

        for number in range(rounds):
            lane, folder = ("http", "process")[number % 2], scratch / f"round-{number}"
            counting.asked.clear()
            moments = (moment(lane) for _ in range(times.choice((1, 1, 2))))
            one_round(folder, urls[lane], scratch / lane, moments, score)
            if lane == "http":
                count_calls(folder, counting.asked, expected, score)
    return score


def main() -> int:
    """Run the rounds that the command line asks for; 1 where a promise broke."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", default="")
    parser.add_argument("--url", default="")
    given = parser.parse_args()
    if given.child:
        build(given.child, given.url)
        return 0
    with tempfile.TemporaryDirectory(prefix="synth-kills-") as scratch:
        score = measure(given.rounds, given.seed, Path(scratch))
    shown = {name: value for name, value in vars(score).items() if name != "sealed_at_kills"}
    print(json.dumps(shown | {"mean_sealed_at_kill": round(sum(score.sealed_at_kills) / max(1, score.kills), 2)}))
    return 0 if score.bytes_equal and not (score.lost or score.duplicated or score.faults) else 1


if __name__ == "__main__":
    raise SystemExit(main())
