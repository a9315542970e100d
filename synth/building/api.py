"""What a person calls from Python: plan, build and load, and the build that they give."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from synth.building.close import SELECT
from synth.building.estimate import Cost, Estimate, cost_of, estimate
from synth.building.folder import RECIPE
from synth.building.money import micro_units
from synth.building.running import Report, run_build
from synth.building.settings import RunSettings, read_reach
from synth.building.walk import Stop
from synth.errors import StorageError, UsageError
from synth.events import BuildEvent, Listener
from synth.models.price_table import PriceTable
from synth.models.prices import Price
from synth.planning.coverage import Coverage, measure
from synth.planning.inventory import take_stock
from synth.programs.own import Program
from synth.recipe import Recipe, find_recipe, open_shelves
from synth.records.arrow import rows_of, schema_of
from synth.records.labels import Split
from synth.records.manifest import read_manifest
from synth.records.parquet import read_sidecar
from synth.records.parts import commits
from synth.records.schema import Reply, Scenario, Selection

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
STREAMING_ABOVE = 1_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What a recipe would build: its coverage, what it would ask of models, and what that would cost. Nothing is written."""

    recipe: Recipe
    coverage: Coverage
    estimate: Estimate
    cost: Cost


@dataclass(frozen=True, slots=True)
class Record:
    """One scenario with the replies that go with it, and what was decided about it."""

    scenario: Scenario
    replies: tuple[Reply, ...]
    selection: Selection


def plan(recipe: Recipe | Mapping[str, Any] | str | Path) -> Plan:
    """Give the plan of a recipe (a mapping, a file, or the name of a built-in one); writes nothing.

    Its cost is at the person's own prices, else at those of the table that came with this version.

    Raises:
        RecipeError: the recipe breaks a rule, or asks for what the content has not.
        UsageError: the person's settings cannot be read.
    """
    return make_plan(*read_recipe(recipe))


def make_plan(recipe: Recipe, home: Path, given: Price | None = None) -> Plan:
    """Give the plan of a recipe whose paths are relative to `home`; a price that is `given` holds for every model but the embedded."""
    reach = read_reach()
    inventory = take_stock(recipe, open_shelves(recipe, home))
    found = estimate(inventory)
    cost = cost_of(found, reach.endpoints, PriceTable.shipped().with_own(reach.prices), given)
    return Plan(recipe, measure(inventory), found, cost)


def build(
    recipe: Recipe | Mapping[str, Any] | str | Path,
    folder: str | Path,
    *,
    workers: int = 1,
    max_in_flight: int = 32,
    deadline: float | None = None,
    max_calls: int | None = None,
    max_tokens: int | None = None,
    max_cost: float | str | None = None,
    max_run_cost: float | str | None = None,
    allow_unpriced: bool = False,
    wait: bool = False,
    endpoints: Mapping[str, str] | None = None,
    on_event: Callable[[BuildEvent], object] | None = None,
    programs: Sequence[Program] = (),
) -> Build:
    """Build a recipe in a folder, or go on where an earlier run stopped, and give the build.

    Blocks until the quota is met or nothing more is due; a quota that is not met raises nothing: `Build.report` says so (`met`,
    `wanted`, `missing`). Works inside a running event loop (its own runs in a thread of its own). `deadline` is in seconds;
    `recipe` may be a file or the name of a built-in one; `endpoints` maps an alias to a URL; `on_event` is called with every
    `synth.events` event. `max_cost` is what the build may cost over all its runs and `max_run_cost` what this run may, in US dollars
    (a number, or decimal text); calls in flight cannot pass either. A model whose price nobody knows is refused unless
    `allow_unpriced` counts it as free. Where only answers due from providers are left, `wait` asks for them until the deadline
    instead of ending the run. `programs` are questions of your own beside those that the recipe names (docs/programs.md). More than
    one of `workers` spawns processes, so a script that asks for them stands under `if __name__ == "__main__":`.

    Raises:
        IncompleteError: a deadline, a budget, answers that are due later or Ctrl-C ended the run early; calling again goes on.
        UsageError: an endpoint is not set, a price is unknown, or a limit is no amount of US dollars.
        IdentityError: the folder belongs to another line.
        SynthError: see `synth.errors`.
    """
    known, home = read_recipe(recipe)
    reach = read_reach([f"{alias}={url}" for alias, url in (endpoints or {}).items()])
    settings = RunSettings(
        workers=workers,
        max_in_flight=max_in_flight,
        deadline=deadline,
        max_calls=max_calls,
        max_tokens=max_tokens,
        endpoints=reach.endpoints,
        prices=reach.prices,
        max_cost=_limit("max_cost", max_cost),
        max_run_cost=_limit("max_run_cost", max_run_cost),
        allow_unpriced=allow_unpriced,
        wait=wait,
    )
    return Build(Path(folder), _run(known, Path(folder), home, settings, on_event or _ignore, programs))


def _run(
    recipe: Recipe, folder: Path, home: Path, settings: RunSettings, listener: Listener, programs: Sequence[Program]
) -> Report:
    """Run a build in a thread of its own, which Ctrl-C asks to stop."""
    stop = Stop()
    return in_own_thread(
        lambda: run_build(
            recipe,
            folder,
            settings=settings,
            recipe_folder=home,
            listener=listener,
            stop=stop,
            programs=programs,
        ),
        stop,
    )


def _ignore(_: object) -> None:
    """Listen to nothing."""


def _limit(name: str, amount: float | str | None) -> int | None:
    """Give a limit of US dollars in micro-units."""
    try:
        return None if amount is None else micro_units(amount)
    except ValueError as error:
        raise UsageError(f"{name} {error}") from None


def read_recipe(recipe: Recipe | Mapping[str, Any] | str | Path) -> tuple[Recipe, Path]:
    """Give a recipe, and the folder that its paths are relative to."""
    if isinstance(recipe, str | Path):
        path = find_recipe(recipe)
        return Recipe.read(path), path.parent
    return Recipe.of(recipe), Path()


def in_own_thread(work: Callable[[], T], stop: Stop) -> T:
    """Run `work` in a thread of its own; Ctrl-C asks it to stop and waits for what is in flight (ten seconds at most)."""
    done: list[T] = []
    failed: list[BaseException] = []
    ended = threading.Event()  # not `join`: up to Python 3.12 an interrupted join marks the running thread as stopped

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            failed.append(error)
        finally:
            ended.set()

    thread = threading.Thread(target=run, name="synth-build", daemon=True)
    thread.start()
    try:
        while not ended.wait(0.2):
            pass
    except KeyboardInterrupt:
        stop.ask("interrupted")
        ended.wait(10)
        raise
    if failed:
        raise failed[0]
    return done[0]


def load(folder: str | Path) -> Build:
    """Give the build that stands in a folder.

    Raises:
        UsageError: there is no build.
    """
    path = Path(folder)
    if not (path / RECIPE).is_file():
        raise UsageError(f"{path} holds no build", hint="make one: synth build RECIPE -o DIR")
    return Build(path, None)


class Build:
    """A build folder: its records, tables and datasets, joined with what was decided about them."""

    def __init__(self, folder: Path, report: Report | None) -> None:
        self.folder = folder
        self.report = report

    def __repr__(self) -> str:
        return f"Build({str(self.folder)!r})"

    @property
    def recipe(self) -> Recipe:
        """The effective recipe."""
        return Recipe.read(self.folder / RECIPE)

    @property
    def complete(self) -> bool:
        """Whether nothing more is due; the quota may be short of it, as the manifest and `report` say."""
        return bool(read_manifest(self.folder)["complete"])

    def partitions(self) -> list[str]:
        """Give the names of the sealed partitions."""
        return [commit.partition for commit in commits(self.folder)]

    def selections(self) -> dict[str, Selection]:
        """Give what was decided about each scenario and reply, by id."""
        path = self.folder / SELECT
        if not path.exists():
            raise StorageError(f"{path} is missing", hint=f"synth close {self.folder}")
        return {row.target_id: row for row in rows_of(read_sidecar(path, Selection), Selection)}

    def records(self, *, kept: bool = True, language: str | None = None) -> Iterator[Record]:
        """Give records one partition at a time: the kept ones with their kept replies, or all with `kept=False`.

        Raises:
            StorageError: select.parquet is missing or not of these parts, or a file cannot be read.
        """
        from synth.building.joined import decided_partitions, open_select

        with open_select(self.folder) as select:
            for name in decided_partitions(self.folder, select):
                if not language or name.startswith(f"p-{language}-"):
                    yield from self._records(name, rows_of(select.read(name), Selection), kept)

    def _records(self, partition: str, selections: Iterable[Selection], kept: bool) -> Iterator[Record]:
        from synth.building.joined import undecided
        from synth.building.judging import read_candidates

        decided = {row.target_id: row for row in selections}
        for one in read_candidates(self.folder, partition):
            ids = (one.scenario.scenario_id, *(reply.reply_id for reply in one.replies))
            if unknown := next((name for name in ids if name not in decided), None):
                raise undecided(unknown)
            selection = decided[one.scenario.scenario_id]
            if kept and not selection.kept:
                continue
            replies = tuple(r for r in one.replies if not kept or decided[r.reply_id].kept)
            yield Record(one.scenario, replies, selection)

    def table(self, name: str, *, kept: bool = True) -> pa.Table:
        """Give one table (`scenarios` or `replies`) joined with select: kept rows, or all with `kept=False`.

        Raises:
            UsageError: there is no table of that name.
        """
        import pyarrow as pa

        from synth.building.joined import joined_schema, read_joined, row_type_of

        empty = joined_schema(schema_of(row_type_of(name))).empty_table()
        return pa.concat_tables([empty, *read_joined(self.folder, name, kept=kept)])

    def dataset(self, name: str = "scenarios", *, kept: bool = True, streaming: bool = False) -> Any:
        """Give a `datasets.DatasetDict` by split (train, validation, test; those that have rows).

        Above a million rows, or with `streaming=True`, it is an IterableDatasetDict that reads partition by partition; rows and
        their types are the same.

        Raises:
            UsageError: there is no table of that name, or no row to give; says what was dropped and why.
        """
        import datasets
        import pyarrow as pa
        import pyarrow.compute as pc

        from synth.building.joined import read_joined, splits_of

        splits = splits_of(self.folder, name, kept=kept)
        rows = sum(commit.files[name].rows for commit in commits(self.folder) if name in commit.files)
        if streaming or rows > STREAMING_ABOVE:
            return self._streamed(datasets, name, kept, splits)
        found: dict[str, list[pa.Table]] = {str(split): [] for split in splits}
        for table in read_joined(self.folder, name, kept=kept):
            for split, tables in found.items():
                tables.append(table.filter(pc.field("split") == split))
        return datasets.DatasetDict(
            {
                split: datasets.Dataset(pa.concat_tables(found[split]), split=datasets.NamedSplit(split))
                for split in found
            }
        )

    def _streamed(self, datasets: Any, name: str, kept: bool, splits: Mapping[Split, Sequence[str]]) -> Any:
        from synth.building.joined import joined_schema, row_type_of, stream_rows

        features = datasets.Features.from_arrow_schema(joined_schema(schema_of(row_type_of(name))))
        found = {}
        for split, partitions in splits.items():
            # a list is what `datasets` shares out between the workers of a loader
            given = {
                "build": str(self.folder.resolve()),  # a folder that is relative now may be read from elsewhere
                "name": name,
                "kept": kept,
                "split": str(split),
                "partitions": [*partitions],
            }
            found[str(split)] = datasets.IterableDataset.from_generator(
                stream_rows, features=features, gen_kwargs=given, split=datasets.NamedSplit(split)
            )
        return datasets.IterableDatasetDict(found)
