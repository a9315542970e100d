"""The models at work for one walk: crew, ledger, purse and asker, opened together and closed together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from synth.ask import Asker
from synth.building.habits import Habits, recall
from synth.building.lines import Crew, open_asker, open_crew
from synth.building.settings import RunSettings
from synth.models.base import LaterModel
from synth.models.ledger import Ledger
from synth.models.ledger_statistics import spent_before, statistics
from synth.models.pace import GATHERED
from synth.models.price_table import PriceTable
from synth.models.purse import Limits, Purse, Spent
from synth.planning.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Calls:
    """What a walk asks through, and how many events it keeps at work at a time (`window`)."""

    crew: Crew
    asker: Asker
    ledger: Ledger | None
    window: int


@asynccontextmanager
async def open_calls(
    folder: Path,
    inventory: Inventory,
    settings: RunSettings,
    *,
    run: str,
    spent: Spent,
    before: int,
    habits: Habits,
    stop: Callable[[], str],
) -> AsyncIterator[Calls]:
    """Open what a walk asks through, in the running loop, and close it at the end.

    Args:
        folder: The build.
        inventory: What the round draws on.
        settings: Limits, endpoints and prices.
        run: The run's name, kept beside each answer.
        spent: What the run spent so far; it is counted on.
        before: The most micro-units that earlier runs cost; only the limit `max_cost` asks for it.
        habits: What is known of how the models' endpoints want to be asked.
        stop: Gives why to stop, or nothing.

    Raises:
        UsageError: a model cannot be opened, or nobody knows what it costs.
        StorageError: the ledger cannot be read.
    """
    prices = PriceTable.shipped().with_own(settings.prices)
    crew = open_crew(inventory, settings.endpoints, prices, allow_unpriced=settings.allow_unpriced)
    recall(crew, habits)
    ledger = None if crew.pure else Ledger(folder, run)
    limits = Limits(settings.max_calls, settings.max_tokens, settings.max_cost, settings.max_run_cost)
    later = any(isinstance(role.model, LaterModel) for role in crew.roles.values())
    # who answers later settles the jobs of earlier runs, and `max_cost` counts them: for nobody else is a whole ledger read
    jobs_count = ledger is not None and (later or limits.max_cost is not None)
    purse = Purse(limits, run=spent, before=before, owed=_owed_before(folder, spent) if jobs_count else 0)
    most = GATHERED if later else settings.max_in_flight
    asker = open_asker(crew, ledger, purse, stop=stop, max_in_flight=settings.max_in_flight)
    try:
        # an event has one or two calls in flight at a time; a few more events than slots keep every slot busy
        yield Calls(crew, asker, ledger, 1 if crew.pure else max(2, 2 * most))
    finally:
        await asker.close()
        if ledger is not None:
            ledger.close()


def cost_before(folder: Path) -> int:
    """Give the most micro-units that the runs of a build cost so far, without the jobs that providers still work at."""
    return spent_before(statistics(folder))


def _owed_before(folder: Path, spent: Spent) -> int:
    """Give the most micro-units that the jobs which earlier runs handed in can still cost; those of this run are in `spent`."""
    return max(0, int(statistics(folder)["jobs_micro_units"]) - spent.owed)
