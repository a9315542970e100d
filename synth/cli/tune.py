"""`synth tune`: make the instruction of one program better, by dspy, and keep it only if held-out cells say so."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from synth import __version__
from synth.cli.options import Dollars, read_recipe
from synth.errors import IncompleteError, UsageError

if TYPE_CHECKING:
    from synth.ask import Role
    from synth.building.settings import RunSettings
    from synth.planning.inventory import Inventory
    from synth.recipe import Recipe
    from synth.tuning.jobs import Job, Outcome

_LONGEST_PROPOSAL: Final = 8192
"""Tokens that the reflecting model may write: a long instruction in a script that takes many."""


@click.command("tune", short_help="Tune a prompt's instruction on held-out cells, into an overlay.")
@click.argument("program")
@click.option("--recipe", required=True, metavar="RECIPE", help="A file, or the name of a built-in recipe.")
@click.option(
    "-o",
    "--output",
    "overlay",
    required=True,
    metavar="OVERLAY",
    type=click.Path(path_type=Path),
    help="Where prompt, tuning.yaml and ledger go.",
)
@click.option("--model", metavar="M", help="Who reflects and proposes [the recipe's writer].")
@click.option(
    "--optimizer",
    type=click.Choice(["gepa", "mipro"]),
    default="gepa",
    show_default=True,
    help="What searches; mipro needs optuna.",
)
@click.option("--language", metavar="L", help="Tune on this language of the recipe alone.")
@click.option(
    "--events", metavar="N", type=click.IntRange(4, 1000), default=24, show_default=True, help="Cells to use."
)
@click.option("--max-calls", metavar="N", type=click.IntRange(min=1), help="Calls that this run may make.")
@click.option("--max-cost", metavar="USD", type=Dollars(), help="US dollars that all runs into OVERLAY may cost.")
@click.option(
    "--seed", metavar="S", type=click.IntRange(min=0), default=1, show_default=True, help="Of halves and search."
)
@click.option("--endpoint", "endpoints", multiple=True, metavar="ALIAS=URL[,KEYVAR]", help="Where an alias is.")
@click.option(
    "--max-in-flight", metavar="N", type=click.IntRange(1, 4096), default=32, show_default=True, help="Calls at a time."
)
@click.option("--allow-unpriced", is_flag=True, help="Count a model whose price nobody knows as free.")
def command(
    program: str,
    recipe: str,
    overlay: Path,
    model: str | None,
    optimizer: str,
    language: str | None,
    events: int,
    max_calls: int | None,
    max_cost: int | None,
    seed: int,
    endpoints: tuple[str, ...],
    max_in_flight: int,
    allow_unpriced: bool,
) -> None:
    """Tune the instruction of PROGRAM: event, write, vary, reply or contrast.

    Half of the cells are held out. The others are searched on with dspy's GEPA or MIPROv2; what is found is written as a prompt into OVERLAY only if it is
    better on the held-out cells, and OVERLAY/tuning.yaml says what was measured, by whom and for how much. Scenes are measured by the recipe's verifiers,
    replies by its judges, never by whether annotators recover the feeling; an instruction that makes texts name it more often than planned counts for
    nothing. What measures or mends (annotate, verify, judge, repair) is not tuned.

    Answers are kept in OVERLAY/ledger: the same command again pays nothing twice. A search that its budget stops ends with exit code 3, after
    what it found so far was compared.
    """
    from synth.building.api import in_own_thread
    from synth.building.settings import RunSettings, read_reach
    from synth.building.walk import Stop
    from synth.tuning.instructions import check_program
    from synth.tuning.tuner import tune

    check_program(program)
    wanted, home = read_recipe(recipe)
    reach = read_reach(endpoints)
    settings = RunSettings(
        max_in_flight=max_in_flight,
        max_calls=max_calls,
        max_cost=max_cost,
        allow_unpriced=allow_unpriced,
        endpoints=reach.endpoints,
        prices=reach.prices,
    )
    job = _job(program, _in_language(wanted, language), home, overlay, model, optimizer, events, seed, settings)
    stop, progress = Stop(), sys.stderr
    outcome = in_own_thread(
        lambda: tune(job, stop=stop.why, tell=lambda line: print(line, file=progress, flush=True)),
        stop,
    )
    _conclude(job, outcome)


def _in_language(recipe: Recipe, language: str | None) -> Recipe:
    if language is None:
        return recipe
    if language not in recipe.languages:
        raise UsageError(f"the recipe has no language {language!r}", hint=f"valid: {', '.join(recipe.languages)}")
    return recipe.model_copy(update={"languages": (language,)})


def _job(
    program: str,
    recipe: Recipe,
    home: Path,
    overlay: Path,
    model: str | None,
    optimizer: str,
    events: int,
    seed: int,
    settings: RunSettings,
) -> Job:
    """Open the models and give what the tuner is asked."""
    from synth.building.lines import seat
    from synth.building.pricing import refuse_open_ended
    from synth.building.settings import check_aliases
    from synth.models.purse import Limits
    from synth.planning.inventory import take_stock
    from synth.recipe import open_shelves
    from synth.tuning.jobs import Job

    names = recipe.models.roles()
    check_aliases([*names.values(), *([model] if model else [])], settings.endpoints)
    refuse_open_ended(recipe, settings)
    inventory = take_stock(recipe, open_shelves(recipe, home))
    return Job(
        program=program,
        inventory=inventory,
        roles=_roles(inventory, model or recipe.models.writer, seed, settings),
        seats={language: {role: seat(role, language) for role in names} for language in recipe.languages},
        overlay=overlay,
        optimizer=optimizer,
        events=events,
        seed=seed,
        limits=Limits(max_calls=settings.max_calls, max_cost=settings.max_cost),
        max_in_flight=settings.max_in_flight,
        version=__version__,
    )


def _roles(inventory: Inventory, reflector: str, seed: int, settings: RunSettings) -> Mapping[str, Role]:
    """Give every role's seat, and the one of the model that reflects."""
    from synth.ask import Role
    from synth.building.lines import embedded, open_crew
    from synth.building.pricing import price_models
    from synth.models.base import Parameters, identity_of, open_model
    from synth.models.price_table import PriceTable
    from synth.models.prices import FREE
    from synth.tuning.jobs import REFLECTOR

    if embedded(reflector, settings.endpoints):
        raise UsageError(
            "the embedded model proposes no instruction", hint="name a model that does: --model ALIAS/MODEL"
        )
    prices = PriceTable.shipped().with_own(settings.prices)
    crew = open_crew(inventory, settings.endpoints, prices, allow_unpriced=settings.allow_unpriced)
    priced = price_models([reflector], settings.endpoints, prices, allow_unpriced=settings.allow_unpriced)
    asked = Parameters(max_tokens=_LONGEST_PROPOSAL, seed=seed % 2**31)
    own = Role(
        open_model(reflector, settings.endpoints),
        identity_of(reflector, settings.endpoints),
        asked,
        priced[reflector] or FREE,
        REFLECTOR,
    )
    return {**crew.roles, REFLECTOR: own}


def _conclude(job: Job, outcome: Outcome) -> None:
    """Say what came of it; a search that was stopped ends with exit code 3."""
    from synth.models.prices import dollars
    from synth.tuning.provenance import TUNING

    click.echo(outcome.says)
    tried = f"{outcome.proposals} proposals tried, {len(outcome.refused)} of them refused"
    click.echo(f"{tried}; this run: {outcome.calls:,} calls, {outcome.tokens:,} tokens, {dollars(outcome.micro_units)}")
    if outcome.file is not None:
        name = outcome.file.relative_to(job.overlay).as_posix()
        click.echo(f"written: {outcome.file}")
        click.echo(
            f"to use it: put {job.overlay} beside the recipe, with overlays: [{job.overlay.name}] and overrides: [{name}]"
        )
    click.echo(f"where it comes from: {job.overlay / TUNING}")
    if outcome.stopped:
        raise IncompleteError(
            outcome.stopped, hint="what was answered is kept; the same command with a higher limit goes on"
        )
