"""Run a build: bind the folder, walk the open partitions, close rounds, plan the next, until nothing is due or something stops it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

from synth.building.calling import Calls, cost_before, open_calls
from synth.building.close import close_build, write_run
from synth.building.folder import bind, check_pinned, locked, write_recipe
from synth.building.habits import Habits, known_habits, with_learned
from synth.building.lines import embedded, open_line, open_own, open_recipe_suite
from synth.building.pricing import price_models, refuse_open_ended
from synth.building.rounds import Standing, plan_next, replacements, sealed, take_standing
from synth.building.sealing import finished, seal_encoded
from synth.building.settings import RunSettings, check_aliases
from synth.building.walk import OpenPartition, Stop, Walk, open_partition
from synth.building.workers import Task, make_all
from synth.errors import IncompleteError, SynthError
from synth.events import Listener, PartitionSealed, RoundClosed, RunEnded, RunStarted
from synth.filters.base import Resources, read_resources
from synth.models.ledger import Ledger
from synth.models.ledger_statistics import statistics
from synth.models.price_table import PriceTable
from synth.models.purse import Spent
from synth.planning.inventory import Inventory, take_stock
from synth.planning.rounds import Round, read_rounds, stock_of
from synth.planning.strata import strata_of
from synth.programs.own import Program
from synth.recipe import Recipe, open_shelves

POLL = 30.0
"""Seconds between two looks at what providers owe, for a run that waits for it."""
_GLANCE = 0.5


@dataclass(slots=True)
class Report:
    """What a run came to: whether anything is still due, whether the quota is met, and what the run did.

    `complete` says that nothing more is due, `reason` why the run stopped where something is. `met` says whether the quota is met: of `wanted` records `kept`
    are kept over all rounds, `missing` more are wanted. A build may be complete without: its tries are used up. `by_reason` counts what was dropped, at any
    try. `micro_units` is what the run's calls cost, in millionths of a US dollar, those that failed so that they may have been paid with the most that they
    can have cost; `interrupted` calls were in flight when an earlier run was killed. `pending` answers are due from
    providers. `unpriced` models count as free: nobody knows their price, and the person allowed it.
    """

    complete: bool = False
    reason: str = ""
    wanted: int = 0
    met: bool = False
    kept: int = 0
    dropped: int = 0
    missing: int = 0
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    micro_units: int = 0
    interrupted: int = 0
    pending: int = 0
    unpriced: tuple[str, ...] = ()
    seconds: float = 0.0
    rounds: int = 0
    by_reason: dict[str, int] = field(default_factory=dict)


def _ignore(_: object) -> None:
    """Listen to nothing."""


def run_build(
    recipe: Recipe,
    folder: Path,
    *,
    settings: RunSettings,
    recipe_folder: Path,
    listener: Listener = _ignore,
    stop: Stop | None = None,
    programs: Sequence[Program] = (),
) -> Report:
    """Build, or go on building, in `folder`; give the run's report.

    Must be called outside a running event loop (`synth.build` serves callers inside one).

    Raises:
        IncompleteError: a deadline, a budget or a request to stop ended the run before the quota was met.
        IdentityError: the folder belongs to another line; LockedError: another process works in it.
        ProviderError: an endpoint ended the run.
        UsageError: the recipe names an endpoint that is not set, or a model whose price nobody knows.
    """
    names = list(recipe.models.roles().values())
    check_aliases(names, settings.endpoints)
    refuse_open_ended(recipe, settings)
    prices = PriceTable.shipped().with_own(settings.prices)
    price_models(names, settings.endpoints, prices, allow_unpriced=settings.allow_unpriced)
    stop = stop or Stop()
    if settings.deadline is not None:
        stop.deadline = time.monotonic() + settings.deadline
    with locked(folder):
        return _Run(recipe, folder, settings, recipe_folder, listener, stop).run(programs)


class _Run:
    """One run in a locked folder."""

    def __init__(
        self, recipe: Recipe, folder: Path, settings: RunSettings, recipe_folder: Path, listener: Listener, stop: Stop
    ) -> None:
        self.recipe = recipe
        self.folder = folder
        self.settings = settings
        self.recipe_folder = recipe_folder
        self.listener = listener
        self.stop = stop
        self.started = time.time()
        self.spent = Spent()
        self.report = Report(wanted=recipe.quota.records, missing=recipe.quota.records)
        self.shelves = open_shelves(recipe, recipe_folder)
        self.resources: dict[str, Resources] = {}
        self.standing = Standing()
        self.before = 0
        self.pending = 0
        self.last = ""
        self.habits: Habits = {}

    def run(self, given: Sequence[Program] = ()) -> Report:
        rounds = read_rounds(self.folder)
        check_pinned(self.folder, self.shelves, rounds)
        inventory = take_stock(self.recipe, self.shelves)
        strata_of(inventory)  # a recipe that no content can fill ends here, before anything is written
        opened = [stock_of(self.recipe, self.shelves, made) for made in rounds if not sealed(self.folder, made)]
        self.programs = open_own(inventory, given)
        bind(self.folder, [inventory, *opened], self.settings.endpoints, rounds, self.programs)
        self.suite = open_recipe_suite(inventory)
        if self.settings.max_cost is not None:
            self.before = cost_before(self.folder)  # no other limit counts what earlier runs cost
        self.habits = known_habits(self.folder)
        write_recipe(self.folder, self.recipe)
        failure: SynthError | None = None
        try:
            self._rounds(rounds)
        except SynthError as error:
            failure = error
        except KeyboardInterrupt:
            self.stop.ask("interrupted")
            failure = IncompleteError("interrupted")
        self._finish(failure)
        if failure is not None:
            raise failure
        return self.report

    def _rounds(self, rounds: list[Round]) -> None:
        while True:
            # a part of any round may be missing: a person deletes what `verify` found damaged, and it is made again
            made = next((made for made in rounds if not sealed(self.folder, made)), None)
            if made is None:
                made = self._next(rounds)
                if made is None:
                    self.report.complete = True
                    return
                rounds = [*rounds, made]
            self._walk(made)
            while self.settings.wait and self.pending and not sealed(self.folder, made) and self._waited():
                self._walk(made)
            if not sealed(self.folder, made):
                raise IncompleteError(
                    f"stopped before the quota was met: {self.stop.reason or self._why_open()}",
                    hint="run the same command again to go on; nothing that was answered is asked again",
                )

    def _why_open(self) -> str:
        if self.pending:
            return "providers answer later"
        return f"some calls got no answer{self.last and f'; the last: {self.last}'}"

    def _waited(self) -> bool:
        """Wait until providers are asked again, and say whether to: a stop ends the wait."""
        until = time.monotonic() + POLL
        while not self.stop.wanted() and time.monotonic() < until:
            time.sleep(min(_GLANCE, POLL))
        return not self.stop.wanted()

    def _next(self, rounds: list[Round]) -> Round | None:
        inventory = take_stock(self.recipe, self.shelves)
        standing = take_standing(self.folder, rounds, inventory, self.suite, self.resources_of, self.standing)
        kept, attempted = standing.kept.total(), standing.attempted.total()
        again = replacements(inventory, standing)
        planned = plan_next(self.folder, rounds, inventory, again)
        if rounds:
            replaced = sum(slot.forms.bit_count() for slots in again.values() for slot in slots)
            self.listener(RoundClosed(rounds[-1].number, kept, attempted - kept, replaced))
        return planned

    def resources_of(self, language: str) -> Resources:
        if language not in self.resources:
            self.resources[language] = read_resources(self.shelves, language)
        return self.resources[language]

    # -- walking

    def _walk(self, made: Round) -> None:
        done = finished(self.folder)
        todo = [planned for planned in made.partitions if planned.name not in done]
        self.listener(
            RunStarted(str(self.folder), made.number, sum(p.events for p in todo), sum(p.records for p in todo))
        )
        inventory = stock_of(self.recipe, self.shelves, made)
        names = self.recipe.models.roles().values()
        # a person's own program asks a model that is not embedded, so it never has to be sent to a worker
        if self.settings.workers > 1 and len(todo) > 1 and all(embedded(n, self.settings.endpoints) for n in names):
            folders = str(self.folder), str(self.recipe_folder)
            self._spread([Task(folders[0], self.recipe, folders[1], made.number, planned) for planned in todo])
            return
        partitions = (open_partition(self.folder, inventory, made, planned) for planned in todo)
        asyncio.run(self._live(inventory, partitions))

    def _spread(self, tasks: list[Task]) -> None:
        for one in make_all(tasks, self.settings.workers):
            seal_encoded(self.folder, one.planned.name, one.encoded, one.suite_digest, one.line_digest)
            for event in one.told:
                self.listener(event)
            self.spent.include(one.spent)
            self._count()
            self.listener(PartitionSealed(one.planned.name, one.planned.records))
            if self.stop.wanted():
                return

    async def _live(self, inventory: Inventory, partitions: Iterator[OpenPartition]) -> None:
        run = f"{self._run_number():04d}"
        opened = open_calls(
            self.folder,
            inventory,
            self.settings,
            run=run,
            spent=self.spent,
            before=self.before,
            habits=self.habits,
            stop=self.stop.why,
        )
        async with opened as calls:
            self._tell_of(calls)
            lines = {
                language: open_line(
                    inventory, language, calls.asker, self.suite, self.settings.endpoints, self.programs
                )
                for language in inventory.recipe.languages
            }
            walk = Walk(
                self.folder,
                lines,
                stop=self.stop,
                listener=self.listener,
                calls=lambda: self.spent.calls,
                ledger=calls.ledger,
                window=calls.window,
                give_up=self.settings.give_up,
                asker=calls.asker,
            )
            try:
                await walk.run(partitions)
                if calls.ledger is not None:
                    await self._freeze(calls.ledger)
            finally:
                self.pending, self.last = walk.pending, walk.last
                self.habits = with_learned(self.habits, calls.crew)
                self._count()

    def _tell_of(self, calls: Calls) -> None:
        """Report what the opening found: calls that a kill cut off, models that nobody can price."""
        self.report.unpriced = calls.crew.unpriced
        if calls.ledger is not None:
            self.report.interrupted += calls.ledger.interrupted()

    async def _freeze(self, ledger: Ledger) -> None:
        """Freeze what an earlier run left open, or what another program held when its partition was sealed."""
        if unfrozen := ledger.unfrozen():
            for partition in sorted(unfrozen & finished(self.folder)):
                await ledger.freeze(partition)

    def _count(self) -> None:
        self.report.calls = self.spent.calls
        self.report.tokens_in, self.report.tokens_out = self.spent.tokens_in, self.spent.tokens_out
        self.report.micro_units = self.spent.micro_units

    def _run_number(self) -> int:
        names = (path.stem for path in (self.folder / "runs").glob("*.json"))
        return max((int(name) for name in names if name.isdecimal()), default=0) + 1

    # -- ending

    def _finish(self, failure: BaseException | None) -> None:
        self.report.seconds = round(time.time() - self.started, 3)
        if failure is not None:
            self.report.reason = str(getattr(failure, "message", failure))
        # what ended the run is what its caller must hear of, not that closing failed after it
        with suppress(SynthError) if failure is not None else nullcontext():
            self._close()
            found = statistics(self.folder)
            self.report.pending = found["jobs"]
            write_run(self.folder, self._run_number(), self.report, self.started, found, self.habits)
        self.listener(RunEnded(self.report.complete, self.report.reason))

    def _close(self) -> None:
        rounds = read_rounds(self.folder)
        report = self.report
        closed = close_build(
            self.folder, rounds, self.suite, self.resources_of, complete=report.complete, recipe=self.recipe
        )
        report.met, report.missing = closed.met, closed.missing
        report.kept, report.dropped = closed.kept, closed.dropped
        self.report.by_reason, self.report.rounds = closed.by_reason, len(rounds)
