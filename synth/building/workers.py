"""Make partitions in worker processes: where every model is pure, a partition is a pure function of the plan, and only its bytes come back."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

from synth.building.lines import open_asker, open_crew, open_line, open_recipe_suite
from synth.building.sealing import Encoded, encode_partition
from synth.building.walk import open_partition, tell
from synth.events import EventLived
from synth.line.stages import live
from synth.models.purse import Purse, Spent
from synth.planning.inventory import Inventory
from synth.planning.rounds import PlannedPartition, Round, read_rounds, stock_of
from synth.recipe import Recipe, open_shelves


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker needs to make one partition."""

    build: str
    recipe: Recipe
    recipe_folder: str
    round: int
    planned: PlannedPartition


@dataclass(frozen=True, slots=True)
class Made:
    """What a worker sends back: the partition's bytes, its digests, what to tell of its events, what it used."""

    planned: PlannedPartition
    encoded: Encoded
    suite_digest: str
    line_digest: str
    told: tuple[EventLived, ...]
    spent: Spent


def _guard() -> None:
    """Leave Ctrl-C to the driver, which drains, and end with it: a worker whose driver was killed would wait for ever."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    driver = parent_process()
    assert driver is not None

    def end() -> None:
        driver.join()
        os._exit(1)

    threading.Thread(target=end, name="synth-driver", daemon=True).start()


_KEPT: dict[str, Any] = {}
"""A worker's own crew, read once for all the partitions that it makes."""


def make_partition(task: Task) -> Made:
    """Give one partition, made from its plan; runs in a worker process."""
    key = f"{task.recipe.digest}/{task.round}/{task.build}"
    if _KEPT.get("key") != key:
        _KEPT.clear()
        _KEPT.update(key=key, inventory=_stock(task), round=_round(task))
        _KEPT["crew"] = open_crew(_KEPT["inventory"], {})
        _KEPT["suite"] = open_recipe_suite(_KEPT["inventory"])
    return asyncio.run(_make(task, _KEPT["inventory"], _KEPT["round"]))


def _round(task: Task) -> Round:
    return next(made for made in read_rounds(Path(task.build)) if made.number == task.round)


def _stock(task: Task) -> Inventory:
    shelves = open_shelves(task.recipe, Path(task.recipe_folder))
    return stock_of(task.recipe, shelves, _round(task))


async def _make(task: Task, inventory: Inventory, made: Round) -> Made:
    purse = Purse()
    asker = open_asker(_KEPT["crew"], None, purse)
    line = open_line(inventory, task.planned.language, asker, _KEPT["suite"], {})
    partition = open_partition(Path(task.build), inventory, made, task.planned)
    lived, told = [], []
    for event in partition.events:
        lived.append(await live(line, event, task.planned.name))
        told.append(tell(event.language, lived[-1], purse.run.calls))
    encoded = encode_partition(lived)
    suite_digest = line.suite.digest_of([task.planned.language])
    return Made(task.planned, encoded, suite_digest, line.provenance.line_digest, tuple(told), purse.run)


def make_all(tasks: Sequence[Task], workers: int) -> Iterator[Made]:
    """Give partitions as they are made by `workers` spawned processes, with a few more tasks handed out than workers."""
    waiting = iter(tasks)
    running: set[Future[Made]] = set()
    with ProcessPoolExecutor(
        max_workers=min(workers, len(tasks)), mp_context=get_context("spawn"), initializer=_guard
    ) as pool:
        try:
            for task in waiting:
                running.add(pool.submit(make_partition, task))
                if len(running) > workers:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
