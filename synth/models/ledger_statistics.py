"""What a build's ledger holds, in figures: what was answered and paid, what a kill cut off, what may have been paid for nothing."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from synth.models.base import ANSWERS
from synth.models.ledger_shard import INTERRUPTED
from synth.records.labels import Outcome
from synth.records.ledger_files import connect_reading, rows, shard_files, storage_errors

__all__ = ["spent_before", "statistics"]

_SUMS: Final = (
    "copied",
    "tokens_in",
    "tokens_out",
    "tokens_cached",
    "micro_units",
    "in_flight",
    "in_flight_micro_units",
    "interrupted",
    "interrupted_micro_units",
    "perhaps_paid",
    "perhaps_paid_micro_units",
    "jobs_micro_units",
)


def statistics(build: Path) -> dict[str, Any]:
    """Give what a build's ledger holds, also while a run writes it: plain numbers, ready for JSON.

    `in_flight` counts claims without a settlement (running now, or cut off and not yet found); `interrupted` those that a later start found; `perhaps_paid`
    attempts that failed in such a way that the endpoint may have answered. Their `_micro_units` are the most that they can have cost; `micro_units` is what
    the answers cost. `errors` counts journalled attempts by kind; tokens are those of the answers. An answer that was copied from another shard (`copied`)
    was paid there and counts there. `jobs` counts questions that a provider will answer later
    (at most `jobs_micro_units`).

    Raises:
        StorageError: A file cannot be read.
    """
    outcomes: Counter[str] = Counter({str(outcome): 0 for outcome in Outcome if outcome in ANSWERS})
    errors: Counter[str] = Counter()
    sums: Counter[str] = Counter(dict.fromkeys(_SUMS, 0))
    jobs: dict[bytes, int] = {}
    lost: set[bytes] = set()
    for connection, version in _written(build):
        _add_answers(connection, version, outcomes, sums)
        _add_claims(connection, version, errors, sums)
        _add_jobs(connection, version, jobs, lost)
    for connection, _ in _written(build) if jobs else ():
        # another partition than the one that submitted it may have fetched the answer
        lost.update(key for (key,) in rows(connection, "select key from answers"))
    owed = {key: most for key, most in jobs.items() if key not in lost}
    sums["jobs_micro_units"] = sum(owed.values())
    return {
        "answers": sum(outcomes.values()),
        "outcomes": dict(sorted(outcomes.items())),
        "errors": dict(sorted(errors.items())),
        "jobs": len(owed),
        **sums,
    }


def _add_jobs(connection: sqlite3.Connection, version: int, jobs: dict[bytes, int], lost: set[bytes]) -> None:
    cost = "micro_units" if version > 1 else "0"
    for key, job, most in rows(connection, f"select key, job, {cost} from jobs"):  # noqa: S608 (a constant of ours)
        if job:
            jobs[key] = most
        else:
            lost.add(key)


def spent_before(found: Mapping[str, Any]) -> int:
    """Give the most micro-units that a build has cost, by its statistics: its answers, and what may have been paid without one.

    Jobs that providers still work at are not in it.
    """
    names = ("micro_units", "in_flight_micro_units", "interrupted_micro_units", "perhaps_paid_micro_units")
    return sum(int(found[name]) for name in names)


def _written(build: Path) -> Iterator[tuple[sqlite3.Connection, int]]:
    """Give each shard that was written with its layout's number, one after the other."""
    for path in shard_files(build):
        with storage_errors(path), contextlib.closing(connect_reading(path)) as connection:
            ((version,),) = rows(connection, "pragma user_version")
            if version:
                yield connection, version


def _add_answers(connection: sqlite3.Connection, version: int, outcomes: Counter[str], sums: Counter[str]) -> None:
    costs = "sum(tokens_cached), sum(micro_units)" if version > 1 else "0, 0"
    query = (
        f"select outcome, count(*), sum(tokens_in), sum(tokens_out), {costs} "  # noqa: S608 (a constant of ours)
        "from answers where copied_from is null group by 1"
    )
    for outcome, count, *values in rows(connection, query):
        outcomes[outcome] += count
        sums.update(dict(zip(("tokens_in", "tokens_out", "tokens_cached", "micro_units"), values, strict=True)))
    ((copied,),) = rows(connection, "select count(*) from answers where copied_from is not null")
    sums["copied"] += copied


def _add_claims(connection: sqlite3.Connection, version: int, errors: Counter[str], sums: Counter[str]) -> None:
    costs = "total(micro_units), total(perhaps_paid)" if version > 1 else "0, 0"
    sent = "total(micro_units)" if version > 1 else "0"
    ((in_flight, most),) = rows(connection, f"select count(*), {sent} from sent")  # noqa: S608 (a constant of ours)
    sums.update({"in_flight": in_flight, "in_flight_micro_units": int(most)})
    for kind, count, most, paid in rows(connection, f"select kind, count(*), {costs} from journal group by kind"):  # noqa: S608 (ours)
        if kind == INTERRUPTED:
            sums.update({"interrupted": count, "interrupted_micro_units": int(most)})
            continue
        errors[kind] += count
        sums.update({"perhaps_paid": int(paid), "perhaps_paid_micro_units": int(most)})
