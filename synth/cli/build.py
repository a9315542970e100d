"""`synth build`: make what a recipe asks for, or go on where an earlier run stopped."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from synth.cli.exits import INTERRUPTED, tell
from synth.cli.options import Dollars, Duration, json_option, read_recipe, recipe_options
from synth.errors import IncompleteError

if TYPE_CHECKING:
    from synth.building.settings import RunSettings
    from synth.events import BuildEvent, Listener
    from synth.progress import Style
    from synth.recipe import Recipe

_MOST_WORKERS: Final = 8
_WORTH_SPREADING: Final = 2_000
"""Records below which a worker's start (reading content, loading models) costs more than it saves (benchmarks/offline.py)."""
_THREAD: Final = "synth-build"
_PATIENCE: Final = 5.0


@click.command("build", short_help="Build a recipe, or go on where an earlier run stopped.")
@recipe_options
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The build folder [./RECIPE'S NAME].",
)
@click.option(
    "--endpoint", "endpoints", multiple=True, metavar="ALIAS=URL[,KEYVAR]", help="Where an alias is (repeatable)."
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, 256),
    help="Processes for work without calls [1; from 2,000 records CPUs, at most 8].",
)
@click.option(
    "--max-in-flight", metavar="N", type=click.IntRange(1, 4096), default=32, show_default=True, help="Calls at a time."
)
@click.option("--deadline", metavar="TIME", type=Duration(), help="Stop after this long, such as 30m or 2h.")
@click.option("--max-calls", metavar="N", type=click.IntRange(min=1), help="Calls that this run may make.")
@click.option("--max-tokens", metavar="N", type=click.IntRange(min=1), help="Tokens that this run may use.")
@click.option("--max-cost", metavar="USD", type=Dollars(), help="US dollars that the build may cost over all its runs.")
@click.option("--max-run-cost", metavar="USD", type=Dollars(), help="US dollars that this run may cost.")
@click.option("--allow-unpriced", is_flag=True, help="Count a model whose price nobody knows as free.")
@click.option("--wait", is_flag=True, help="Wait for answers that a provider gives later, until the deadline.")
@click.option("--fork", type=click.Path(path_type=Path), metavar="NEW", help="Go on in NEW with the paid answers.")
@click.option("--give-up", is_flag=True, help="Seal what gets no answer as abandoned, instead of leaving it open.")
@json_option
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def command(
    recipe: str,
    model: str | None,
    annotators: tuple[str, ...],
    records: int | None,
    folder: Path | None,
    endpoints: tuple[str, ...],
    workers: int | None,
    max_in_flight: int,
    deadline: float | None,
    max_calls: int | None,
    max_tokens: int | None,
    max_cost: int | None,
    max_run_cost: int | None,
    allow_unpriced: bool,
    wait: bool,
    fork: Path | None,
    give_up: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Build RECIPE, a file or the name of a built-in recipe, and say what came of it.

    A folder that exists is gone on with: what was answered is never asked again, and a complete build is left as it
    is. Ctrl-C finishes what is in flight (10 seconds at most); the same command goes on later. A build that has used up
    its tries before the quota was met ends with exit code 3, and so does a run that a limit, the deadline or answers
    that are due later have stopped.
    """
    from synth.building.folder import fork as begin_with_answers
    from synth.building.settings import RunSettings, read_reach
    from synth.progress import Style

    wanted, home = read_recipe(recipe, model, annotators, records)
    target = folder or Path(wanted.recipe)
    reach = read_reach(endpoints)
    settings = RunSettings(
        workers=workers or default_workers(wanted, reach.endpoints),
        max_in_flight=max_in_flight,
        deadline=deadline,
        max_calls=max_calls,
        max_tokens=max_tokens,
        give_up=give_up,
        endpoints=reach.endpoints,
        prices=reach.prices,
        max_cost=max_cost,
        max_run_cost=max_run_cost,
        allow_unpriced=allow_unpriced,
        wait=wait,
    )
    if fork is not None:
        begin_with_answers(target, fork)
        target = fork
    style = Style.NONE if quiet else Style.JSON if as_json else Style.AUTO
    worked, failure = run(wanted, home, target, settings, style)
    _conclude(target, worked, as_json, quiet)
    if failure is not None:
        raise failure


def default_workers(recipe: Recipe, endpoints: Any) -> int:
    """Give the number of processors, eight at most, where every model is embedded; else one."""
    from synth.building.lines import embedded

    if not all(embedded(name, endpoints) for name in recipe.models.roles().values()):
        return 1
    if recipe.quota.records < _WORTH_SPREADING:
        return 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_MOST_WORKERS, usable)


def run(
    recipe: Recipe, home: Path, target: Path, settings: RunSettings, style: Style
) -> tuple[bool, IncompleteError | None]:
    """Build, drawing progress; give whether there was work, and why the quota is not met.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM; what was in flight is drained.
        SynthError: see `synth.errors`.
    """
    from synth.building.api import in_own_thread
    from synth.building.running import run_build
    from synth.building.walk import Stop
    from synth.cli.summary import REMEDY
    from synth.events import RunStarted
    from synth.progress import drawn

    stop = Stop()
    worked = False

    def heard(event: BuildEvent, listener: Listener) -> None:
        nonlocal worked
        worked = worked or isinstance(event, RunStarted)
        listener(event)

    try:
        with drawn(style, sys.stderr) as listener, _terminate_as_interrupt():
            report = in_own_thread(
                lambda: run_build(
                    recipe,
                    target,
                    settings=settings,
                    recipe_folder=home,
                    listener=lambda event: heard(event, listener),
                    stop=stop,
                ),
                stop,
            )
    except IncompleteError as error:
        return worked, error
    except KeyboardInterrupt:
        _leave_what_hangs()
        raise
    if report.met:
        return worked, None
    short = f"the quota is not met: {report.kept:,} of {report.wanted:,} records, and nothing more is due"
    return worked, IncompleteError(short, hint=REMEDY)


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does while a build runs; the library itself sets no signal handler."""

    def interrupt(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave_what_hangs() -> None:
    """End the workers of a build that did not drain in time, and exit at once where even that does not end it.

    The interpreter would wait for both. Every write of a build is whole or absent, so only unpaid work is lost.
    """
    from multiprocessing import active_children

    tell("stopping; the same command goes on later, and nothing that was answered is asked again")
    for worker in active_children():
        worker.terminate()
    thread = next((one for one in threading.enumerate() if one.name == _THREAD), None)
    if thread is not None:
        thread.join(_PATIENCE)
        if thread.is_alive():
            sys.stderr.flush()
            os._exit(INTERRUPTED)


def _conclude(target: Path, worked: bool, as_json: bool, quiet: bool) -> None:
    from synth.cli.overview import read_overview
    from synth.cli.printing import say_json
    from synth.cli.summary import show_summary

    if quiet and not as_json:
        return
    overview = read_overview(target)
    if as_json:
        say_json(overview.as_values())
    else:
        show_summary(overview, worked=worked)
