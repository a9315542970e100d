"""The models at work for one walk: crew, ledger, purse and asker, opened together and closed together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth.ask import Asker
from synth.building.lines import Crew, open_asker, open_crew
from synth.building.settings import RunSettings
from synth.errors import StorageError
from synth.models.base import LaterModel, LearningModel, Model
from synth.models.ledger import Ledger
from synth.models.ledger_statistics import spent_before, statistics
from synth.models.pace import GATHERED
from synth.models.price_table import PriceTable
from synth.models.purse import Limits, Purse, Spent
from synth.planning.inventory import Inventory
from synth.records.durable import read_json


@dataclass(frozen=True, slots=True)
class Calls:
    """What a walk asks through; `before` is the most that earlier runs of the build cost, in micro-units."""

    crew: Crew
    asker: Asker
    purse: Purse
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
    stop: Callable[[], str],
) -> AsyncIterator[Calls]:
    """Open what a walk asks through, in the running loop, and close it at the end.

    Args:
        folder: The build.
        inventory: What the round draws on.
        settings: Limits, endpoints and prices.
        run: The run's name, kept beside each answer.
        spent: What the run spent so far; it is counted on.
        before: The most micro-units that earlier runs cost.
        stop: Gives why to stop, or nothing.

    Raises:
        UsageError: a model cannot be opened, or nobody knows what it costs.
        StorageError: the ledger cannot be read.
    """
    prices = PriceTable.shipped().with_own(settings.prices)
    crew = open_crew(inventory, settings.endpoints, prices, allow_unpriced=settings.allow_unpriced)
    recall(folder, crew)
    ledger = None if crew.pure else Ledger(folder, run)
    limits = Limits(settings.max_calls, settings.max_tokens, settings.max_cost, settings.max_run_cost)
    owed = 0 if ledger is None else max(0, int(statistics(folder)["jobs_micro_units"]) - spent.owed)
    purse = Purse(limits, run=spent, before=before, owed=owed)
    later = any(isinstance(model, LaterModel) for model in _models(crew).values())
    most = GATHERED if later else settings.max_in_flight
    asker = open_asker(crew, ledger, purse, stop=stop, max_in_flight=settings.max_in_flight)
    try:
        # an event has one or two calls in flight at a time; a few more events than slots keep every slot busy
        yield Calls(crew, asker, purse, ledger, 1 if crew.pure else max(2, 2 * most))
    finally:
        await asker.close()
        if ledger is not None:
            ledger.close()


def cost_before(folder: Path) -> int:
    """Give the most micro-units that the runs of a build cost so far, without the jobs that providers still work at."""
    return spent_before(statistics(folder))


def habits_of(crew: Crew) -> dict[str, dict[str, str]]:
    """Give what the lanes of a crew learned about how their endpoints want to be asked, by model name."""
    learned = {name: dict(m.habits()) for name, m in _models(crew).items() if isinstance(m, LearningModel)}
    return {name: habits for name, habits in sorted(learned.items()) if habits}


def recall(folder: Path, crew: Crew) -> None:
    """Tell the lanes of a crew what the build's last run learned."""
    known = _last_run(folder).get("habits")
    if not isinstance(known, dict):
        return
    for name, model in _models(crew).items():
        habits = known.get(name)
        if isinstance(model, LearningModel) and isinstance(habits, dict):
            model.recall({str(key): str(value) for key, value in habits.items()})


def _last_run(folder: Path) -> Mapping[str, Any]:
    paths = sorted((folder / "runs").glob("*.json"))
    try:
        found = read_json(paths[-1]) if paths else {}
    except StorageError:
        return {}  # `verify` names it; what was learned can be learned again
    return found if isinstance(found, dict) else {}


def _models(crew: Crew) -> dict[str, Model]:
    return {role.model.name: role.model for role in crew.roles.values()}
