"""Seconds, memory and bytes of a plan of a million cells, against one of ten thousand.

Usage: python benchmarks/planning.py [--quick]. Prints one JSON line. A cell is one planned record. Measured are `coverage.measure` (what `synth plan` shows)
and `rounds.write_round` (what `synth build` writes first), of the quickstart recipe with a larger quota; `--quick` plans 100,000 cells. Every measurement is a
process of its own; its peak RSS is that of coverage alone and is compared between the sizes.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
RECIPE = ROOT / "templates" / "recipes" / "quickstart.yaml"
FEW, MANY, QUICK = 10_000, 1_000_000, 100_000


def peak_mb() -> float:
    """Give the peak RSS of this process in MB; the system counts in kB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round((peak if sys.platform == "darwin" else peak * 1024) / 1e6, 1)


def run_one(cells: int, folder: Path) -> dict[str, Any]:
    """Measure and write one plan in this process; content is read and libraries are imported before the clock starts."""
    import pyarrow as pa

    from synth.planning.coverage import measure
    from synth.planning.inventory import take_stock
    from synth.planning.rounds import fresh_slots, write_round
    from synth.planning.strata import allocate, strata_of
    from synth.recipe import Quota, Recipe, open_shelves

    recipe = Recipe.read(RECIPE).model_copy(update={"quota": Quota(records=cells)})
    inventory = take_stock(recipe, open_shelves(recipe, RECIPE.parent))
    pa.array([0])  # pyarrow imports pandas for its first array
    start = time.process_time()
    coverage = measure(inventory)
    measured, peak = time.process_time() - start, peak_mb()
    strata = strata_of(inventory)
    wanted = allocate(inventory, strata, cells)
    start = time.process_time()
    slots = {language: fresh_slots(inventory, strata, {}, wanted, language) for language in recipe.languages}
    write_round(folder, 1, inventory, strata, {}, slots)
    return {
        "cells": coverage.records,
        "events": coverage.events,
        "measure_cpu_seconds": round(measured, 2),
        "cells_per_second": round(coverage.records / measured),
        "peak_rss_mb": peak,
        "write_cpu_seconds": round(time.process_time() - start, 2),
        "bytes_per_cell": round(sum(path.stat().st_size for path in (folder / "plan").iterdir()) / coverage.records, 2),
    }


def in_own_process(cells: int) -> dict[str, Any]:
    """Give what `run_one` gives, measured in a process of its own."""
    command = [sys.executable, __file__, "--one", str(cells)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="100,000 cells instead of a million")
    parser.add_argument("--one", type=int, metavar="CELLS", help="one plan, in this process")
    given = parser.parse_args()
    if given.one:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(run_one(given.one, Path(folder))))
        return
    small, large = in_own_process(FEW), in_own_process(QUICK if given.quick else MANY)
    ratio = round(large["peak_rss_mb"] / small["peak_rss_mb"], 3)
    print(json.dumps({"benchmark": "planning", "small": small, "large": large, "peak_rss_ratio": ratio}))


if __name__ == "__main__":
    main()
