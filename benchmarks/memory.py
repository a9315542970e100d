"""Peak memory of a build that is twenty times as long: it must stay flat.

Usage: python benchmarks/memory.py [--quick]. Prints one JSON line. Builds benchmarks/lean.yaml with 10,000 and with 200,000 records attempted
(`--quick`: 2,000 and 20,000), each in a process of its own, one on each core. Its suite keeps no signatures and its recipe makes no replacements, so
every planned record is made once and counted, kept or not. Without the language filter's model (130 MB) the base is small, which makes the ratio stricter.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
RECIPE = Path(__file__).with_name("lean.yaml")
EXPECTED = 1.3


def run_one(records: int, folder: Path) -> dict[str, Any]:
    """Build in this process; give records, seconds and peak RSS."""
    from synth.building.running import run_build
    from synth.building.settings import RunSettings
    from synth.recipe import Quota, Recipe

    recipe = Recipe.read(RECIPE).model_copy(update={"quota": Quota(records=records)})
    start = time.process_time()
    report = run_build(recipe, folder, settings=RunSettings(), recipe_folder=RECIPE.parent)
    return {
        "attempted": report.kept + report.dropped,
        "kept": report.kept,
        "cpu_seconds": round(time.process_time() - start, 1),
        "peak_rss_mb": round(peak_bytes() / 1e6, 1),
    }


def peak_bytes() -> int:
    """Give the peak RSS of this process; the system counts in kB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def in_own_process(records: int) -> dict[str, Any]:
    """Give what `run_one` gives, measured in a process of its own."""
    command = [sys.executable, __file__, "--one", str(records)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def measure(few: int, many: int) -> dict[str, Any]:
    with ThreadPoolExecutor(2) as pool:
        small, large = pool.map(in_own_process, (few, many))
    ratio = large["peak_rss_mb"] / small["peak_rss_mb"]
    return {"small": small, "large": large, "ratio": round(ratio, 3), "expected": EXPECTED, "flat": ratio <= EXPECTED}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2,000 and 20,000 records")
    parser.add_argument("--records", nargs=2, type=int, metavar=("FEW", "MANY"), help="other sizes")
    parser.add_argument("--one", type=int, metavar="RECORDS", help="one run, in this process")
    given = parser.parse_args()
    if given.one:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(run_one(given.one, Path(folder, "build"))))
        return
    few, many = given.records or ((2_000, 20_000) if given.quick else (10_000, 200_000))
    print(json.dumps({"benchmark": "memory", **measure(few, many)}))


if __name__ == "__main__":
    main()
