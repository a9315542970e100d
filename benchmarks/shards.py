"""Rows per second of our path to a sealed file against plain pyarrow on the same rows, in the same run.

Usage: python benchmarks/shards.py [--quick]. Prints one JSON line. `--quick` measures 3,000 rows in under a minute.

Ours: dataclass rows -> table_of -> encode -> write_bytes (with fsync). Plain: dicts that stand ready (their making is
not timed, which favours the plain side) -> pa.Table.from_pylist -> pq.write_table, same settings, without fsync.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from synth.records import labels, schema
from synth.records.arrow import schema_of, table_of
from synth.records.shards import WRITER, encode, write_bytes

_WORDS = (
    "the",
    "rest",
    "of",
    "it",
    "was",
    "already",
    "on",
    "table",
    "when",
    "she",
    "came",
    "in",
    "and",
    "nobody",
    "spoke",
)


def text(rng: random.Random, words: int) -> str:
    return " ".join(f"{rng.choice(_WORDS)}{rng.randrange(40) or ''}" for _ in range(words))


def person(rng: random.Random, pid: str) -> schema.Participant:
    return schema.Participant(
        pid,
        "aunt",
        f"Name{rng.randrange(400)}",
        "en-gb/harbour",
        text(rng, 12),
        "baker",
        "40-59",
        "f",
        ("en",),
        2,
        None,
    )


def turn(rng: random.Random, pid: str) -> schema.Turn:
    cue = schema.CueSpan(3, 14, labels.Cue.RESIDUE)
    span = (schema.Span(0, 9),)
    goal, emotion = rng.choice(list(labels.Goal)), rng.choice(list(labels.Emotion))
    return schema.Turn(pid, ("A",), text(rng, 60), goal, 2, 1, emotion, (cue, cue), span, None, ())


def scenario(ordinal: int) -> schema.Scenario:
    """Give a scenario of common size: three persons, three turns, four facts, six calls, about 8 kB of JSON."""
    rng = random.Random(ordinal)
    goal = rng.choice(list(labels.Goal))
    address = schema.Address("T-V", "tu", "usted", None, None, mutual=False)
    relation = schema.Relation("S", "A", "aunt", labels.PowerForm.UP, address)
    fact = schema.Fact("f1", text(rng, 8), text(rng, 6), 2, labels.Must.PRESERVE, (schema.FactSpan(0, 3, 20),))
    calls = tuple(
        schema.Call(f"{rng.getrandbits(128):032x}", "write", "scene", 0, "model-2026", labels.Outcome.OK, 1200, 300)
        for _ in range(6)
    )
    turns = tuple(turn(rng, pid) for pid in "SAS")
    known: dict[str, Any] = {
        "scenario_id": f"{rng.getrandbits(64):016x}.up",
        "event_key": f"{rng.getrandbits(64):016x}",
        "goal": goal,
        "goal_group": labels.GROUP_OF[goal],
        "emotion": rng.choice(list(labels.Emotion)),
        "setting": text(rng, 30),
        "prompt": (schema.Message("system", text(rng, 40)), schema.Message("user", turns[-1].text)),
        "text_sha256": f"{rng.getrandbits(256):064x}",
        "participants": tuple(person(rng, pid) for pid in "SAX"),
        "relations": (relation, relation),
        "facts": (fact,) * 4,
        "turns": turns,
        "calls": calls,
    }
    return schema.Scenario(**{name: known.get(name, blank(hint)) for name, hint in HINTS.items()})


def blank(hint: Any) -> Any:
    """Give the plainest value of a type: the first label, no text, an empty list, None where it may be."""
    if isinstance(hint, type) and issubclass(hint, labels.StrEnum):
        return next(iter(hint))
    return hint() if hint in (str, int, bool) else () if getattr(hint, "__origin__", None) is tuple else None


HINTS = {field.name: get_type_hints(schema.Scenario)[field.name] for field in fields(schema.Scenario)}


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Give the median of `repeats` runs after one that warms up."""
    taken = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def measure(count: int, repeats: int, folder: Path) -> dict[str, float]:
    rows = [scenario(ordinal) for ordinal in range(count)]
    start = time.perf_counter()
    dicts = [asdict(row) for row in rows]
    dicts_made = time.perf_counter() - start
    ours, plain = folder / "ours.parquet", folder / "plain.parquet"
    arrow = schema_of(schema.Scenario)

    def plain_path() -> None:
        pq.write_table(pa.Table.from_pylist(dicts, schema=arrow), plain, **WRITER)

    table = seconds(lambda: table_of(rows, schema.Scenario), repeats)
    whole = seconds(lambda: write_bytes(ours, encode(table_of(rows, schema.Scenario))), repeats)
    baseline = seconds(plain_path, repeats)
    return {
        "rows": count,
        "table_of_rows_per_second": round(count / table),
        "rows_per_second": round(count / whole),
        "plain_rows_per_second": round(count / baseline),
        "plain_with_asdict_rows_per_second": round(count / (baseline + dicts_made)),
        "ratio": round(baseline / whole, 2),
        "bytes_per_row": round(ours.stat().st_size / count),
        "plain_bytes_per_row": round(plain.stat().st_size / count),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3,000 rows, 3 repeats")
    count, repeats = (3_000, 3) if parser.parse_args().quick else (10_000, 7)
    pa.set_cpu_count(1)  # rows per second and core
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps({"benchmark": "shards", **measure(count, repeats, Path(folder))}))


if __name__ == "__main__":
    main()
