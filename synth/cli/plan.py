"""`synth plan`: what a recipe would build, and what it would cost."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from synth.cli.options import Price, json_option, read_recipe, recipe_options

if TYPE_CHECKING:
    from pathlib import Path

    from synth.building.api import Plan
    from synth.recipe import Recipe

_SHOWN: Final = 12
_INDEPENDENT: Final = 0.1
_WEAK: Final = 0.3


@click.command("plan", short_help="Show what a recipe would build and cost; writes nothing.")
@recipe_options
@click.option("--price", type=Price(), help="Prices per million tokens read and written, such as 0.5,1.5.")
@json_option
def command(
    recipe: str,
    model: str | None,
    annotators: tuple[str, ...],
    records: int | None,
    price: tuple[float, float] | None,
    as_json: bool,
) -> None:
    """Show the coverage of RECIPE by factor, what feeling tells about identity, calls, tokens and cost.

    RECIPE is a file, or the name of a built-in recipe. Nothing is written, no model is asked.
    """
    from synth.cli.printing import say_json

    planned = make_plan(*read_recipe(recipe, model, annotators, records))
    if as_json:
        say_json(as_values(planned, price))
    else:
        _show(planned, price)


def make_plan(recipe: Recipe, home: Path) -> Plan:
    """Give the plan of a recipe whose paths are relative to `home`."""
    from synth.building.api import Plan
    from synth.building.estimate import estimate
    from synth.planning.coverage import measure
    from synth.planning.inventory import take_stock
    from synth.recipe import open_shelves

    inventory = take_stock(recipe, open_shelves(recipe, home))
    return Plan(recipe, measure(inventory), estimate(inventory))


def as_values(plan: Plan, price: tuple[float, float] | None) -> dict[str, Any]:
    """Give a plan as plain values, ready for JSON."""
    coverage = asdict(plan.coverage)
    coverage["association"] = [{"of": a, "and": b, "v": v} for (a, b), v in plan.coverage.association.items()]
    cost = None
    if price is not None:
        expected, most = plan.estimate.cost(*price)
        cost = {"expected": expected, "at_most": most}
    return {"recipe": plan.recipe.recipe, "coverage": coverage, "estimate": asdict(plan.estimate), "cost": cost}


def _show(plan: Plan, price: tuple[float, float] | None) -> None:
    from synth.cli.printing import count, heading, say

    coverage = plan.coverage
    say(f"{plan.recipe.recipe}: {count(coverage.records, 'record')} of {count(coverage.events, 'event')}", "bold")
    strata = f"{coverage.strata:,} strata ({', '.join(plan.recipe.cross)})"
    say(f"  {strata}: {coverage.smallest_stratum} to {coverage.largest_stratum} records each")
    heading("\nrecords by factor")
    for factor, counts in coverage.counts.items():
        say(f"  {factor:<13} {_counts(counts)}")
    _show_association(plan)
    _show_estimate(plan, price)


def _counts(counts: Any) -> str:
    shown = [f"{value} {number:,}" for value, number in list(counts.items())[:_SHOWN]]
    return ", ".join(shown) + (f", and {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else "")


def _show_association(plan: Plan) -> None:
    from synth.cli.printing import heading, say, table

    heading("\ndoes feeling depend on identity? (Cramer's V, bias-corrected: 0 not at all, 1 entirely)")
    table([one, other, f"{v:.3f}", _meaning(v)] for (one, other), v in plan.coverage.association.items())
    if any(v >= _INDEPENDENT for v in plan.coverage.association.values()):
        say("  a small plan shows chance as association; if it stays with more records, look at cross and profiles")


def _meaning(v: float) -> str:
    if v < _INDEPENDENT:
        return "knowing one tells next to nothing about the other"
    return "a weak association" if v < _WEAK else "a strong association: a model could learn it as a rule"


def _show_estimate(plan: Plan, price: tuple[float, float] | None) -> None:
    from synth.cli.printing import heading, say

    estimate = plan.estimate
    heading("\nwhat it asks")
    say(f"  calls   about {estimate.calls:,}, at most {estimate.most_calls:,}")
    say(f"  tokens  about {estimate.tokens_in:,} read and {estimate.tokens_out:,} written, at most")
    say(f"          {estimate.most_tokens:,} in all, if every answer needed repair and every record all its tries")
    if not estimate.paid:
        say("  cost    nothing: the embedded model writes and annotates")
    elif price is None:
        say("  cost    say what a million tokens cost: --price IN,OUT")
    else:
        expected, most = estimate.cost(*price)
        say(f"  cost    about {expected:,.2f}, at most {most:,.2f} (in the currency of your prices)")
