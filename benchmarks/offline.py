"""Scenarios per second and core of an offline build, and where its time goes.

Usage: python benchmarks/offline.py [--quick]. Prints one JSON line. Builds templates/recipes/quickstart.yaml (864 records; `--quick`: 288) with one process,
then with two. Times are CPU time, which a busy machine changes little; every run is a process of its own and reads its content anew. The baseline is
json.dumps and json.loads of the same rows: a ratio of 300 says that making a scenario costs 300 times what reading and writing it as JSON does.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
RECIPE = ROOT / "templates" / "recipes" / "quickstart.yaml"


def clocked(spent: Counter[str], stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """Give `work` with its CPU time added to a stage."""

    def run(*arguments: Any, **named: Any) -> Any:
        start = time.process_time()
        try:
            return work(*arguments, **named)
        finally:
            spent[stage] += time.process_time() - start  # type: ignore[assignment]

    return run


def clocked_line(spent: Counter[str], live: Callable[..., Any]) -> Callable[..., Any]:
    """Give `stages.live` with its CPU time added; with one process no two events live at a time."""

    async def run(*arguments: Any) -> Any:
        start = time.process_time()
        try:
            return await live(*arguments)
        finally:
            spent["live"] += time.process_time() - start  # type: ignore[assignment]

    return run


def clock_stages() -> Counter[str]:
    """Put clocks on the stages of a build in this process; give what they show."""
    from synth.building import calling, running, walk
    from synth.line import scenes, stages

    spent: Counter[str] = Counter()
    watched = [
        (running, "take_stock", "content"),
        (calling, "open_crew", "content"),
        (running, "plan_next", "plan"),
        (running, "open_partition", "plan"),
        (scenes, "run_stage", "filters"),
        (stages, "run_stage", "filters"),
        (walk, "seal_partition", "seal"),
        (running, "take_standing", "close"),
        (running, "close_build", "close"),
    ]
    for module, name, stage in watched:
        setattr(module, name, clocked(spent, stage, getattr(module, name)))
    kept = walk.Walk.__init__.__kwdefaults__
    assert kept is not None
    kept["lives"] = clocked_line(spent, kept["lives"])
    return spent


def cpu_seconds() -> float:
    """Give the CPU time of this process and its ended children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def run_one(records: int, workers: int, folder: Path) -> dict[str, Any]:
    """Build in this process; give its times, by stage where there is one process, and the baseline on the same rows."""
    from synth.building.api import build
    from synth.recipe import Quota, Recipe

    recipe = Recipe.read(RECIPE).model_copy(update={"quota": Quota(records=records)})
    spent = clock_stages() if workers == 1 else Counter[str]()
    wall, cpu = time.perf_counter(), cpu_seconds()
    made = build(recipe, folder, workers=workers)
    found = {"wall": time.perf_counter() - wall, "cpu": cpu_seconds() - cpu}
    scenarios, replies = made.table("scenarios"), made.table("replies")
    if workers == 1:
        found["json"] = round_trip([*scenarios.to_pylist(), *replies.to_pylist()])
        spent["compose_and_ask"] = spent.pop("live") - spent["filters"]
    return found | {"scenarios": len(scenarios), "replies": len(replies), "stages": dict(spent)}


def round_trip(rows: list[dict[str, Any]]) -> float:
    """Give the CPU seconds of writing rows as JSON and reading them again."""
    start = time.process_time()
    for row in rows:
        json.loads(json.dumps(row, ensure_ascii=False))
    return time.process_time() - start


def in_own_process(records: int, workers: int) -> dict[str, Any]:
    """Give what `run_one` gives, measured in a process of its own."""
    command = [sys.executable, __file__, "--one", str(records), str(workers)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def measure(records: int) -> dict[str, Any]:
    one, two = in_own_process(records, 1), in_own_process(records, 2)
    scenarios, stages = one["scenarios"], one["stages"]
    stages["rest"] = one["cpu"] - sum(stages.values())
    steady = one["cpu"] - stages["content"] - stages["rest"]
    return {
        "scenarios": scenarios,
        "replies": one["replies"],
        "wall_seconds": round(one["wall"], 2),
        "scenarios_per_cpu_second": round(scenarios / one["cpu"], 1),
        "replies_per_cpu_second": round(one["replies"] / one["cpu"], 1),
        "scenarios_per_cpu_second_without_start": round(scenarios / steady, 1),
        "cpu_ms_per_scenario": {name: round(spent / scenarios * 1000, 2) for name, spent in sorted(stages.items())},
        "json_ms_per_scenario": round(one["json"] / scenarios * 1000, 3),
        "ratio_to_json": round(steady / one["json"], 1),
        "two_workers_wall_seconds": round(two["wall"], 2),
        "two_workers_cpu_seconds": round(two["cpu"], 2),
        "two_workers_speedup": round(one["wall"] / two["wall"], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="288 records instead of 864")
    parser.add_argument("--one", nargs=2, type=int, metavar=("RECORDS", "WORKERS"), help="one run, in this process")
    given = parser.parse_args()
    if given.one:
        records, workers = given.one
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(run_one(records, workers, Path(folder, "build"))))
        return
    print(json.dumps({"benchmark": "offline", **measure(288 if given.quick else 864)}))


if __name__ == "__main__":
    main()
