"""`synth plan`: what a recipe would build, and what it would cost."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from synth.cli.options import Prices, json_option, read_recipe, recipe_options

if TYPE_CHECKING:
    from synth.building.api import Plan
    from synth.building.estimate import Cost, Estimate, RoleEstimate
    from synth.models.prices import Price

_SHOWN: Final = 12
_INDEPENDENT: Final = 0.1
_WEAK: Final = 0.3


@click.command("plan", short_help="Show what a recipe would build and cost; writes nothing.")
@recipe_options
@click.option(
    "--price",
    type=Prices(),
    help="US dollars per million tokens read and written, such as 0.5,1.5, for every model but the embedded one [your settings', else the table's].",
)
@json_option
def command(
    recipe: str,
    model: str | None,
    annotators: tuple[str, ...],
    records: int | None,
    price: Price | None,
    as_json: bool,
) -> None:
    """Show the coverage of RECIPE by factor, what feeling tells about identity, calls, tokens and cost.

    RECIPE is a file, or the name of a built-in recipe. Nothing is written, no model is asked.
    """
    from synth.building.api import make_plan
    from synth.cli.printing import say_json

    planned = make_plan(*read_recipe(recipe, model, annotators, records), price)
    if as_json:
        say_json(as_values(planned))
    else:
        _show(planned)


def as_values(plan: Plan) -> dict[str, Any]:
    """Give a plan as plain values, ready for JSON."""
    coverage = asdict(plan.coverage)
    coverage["association"] = [{"of": a, "and": b, "v": v} for (a, b), v in plan.coverage.association.items()]
    return {
        "recipe": plan.recipe.recipe,
        "coverage": coverage,
        "estimate": asdict(plan.estimate),
        "cost": cost_values(plan.cost),
    }


def cost_values(cost: Cost) -> dict[str, Any]:
    """Give a cost as plain values: exact in micro-units (a millionth of a US dollar), sums null while a price is missing."""
    whole = not cost.missing
    roles = {role: {"expected": expected, "at_most": most} for role, (expected, most) in cost.by_role.items()}
    return {
        "expected_micro_units": cost.expected if whole else None,
        "at_most_micro_units": cost.at_most if whole else None,
        "by_role_micro_units": roles,
        "missing": list(cost.missing),
        "prices": cost.prices,
    }


def _show(plan: Plan) -> None:
    from synth.cli.printing import count, heading, say

    coverage = plan.coverage
    say(f"{plan.recipe.recipe}: {count(coverage.records, 'record')} of {count(coverage.events, 'event')}", "bold")
    strata = f"{coverage.strata:,} strata ({', '.join(plan.recipe.cross)})"
    say(f"  {strata}: {coverage.smallest_stratum} to {coverage.largest_stratum} records each")
    heading("\nrecords by factor")
    for factor, counts in coverage.counts.items():
        say(f"  {factor:<13} {_counts(counts)}")
    _show_association(plan)
    _show_estimate(plan)


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


def _show_estimate(plan: Plan) -> None:
    from synth.building.estimate import uncounted
    from synth.cli.printing import heading, say

    estimate = plan.estimate
    heading("\nwhat it asks")
    say(f"  calls   about {estimate.calls:,}, at most {estimate.most_calls:,}")
    say(f"  tokens  about {estimate.tokens_in:,} read and {estimate.tokens_out:,} written, at most")
    say(f"          {estimate.most_tokens:,} in all, if every answer needed repair and every record all its tries")
    if longer := uncounted(plan.recipe):
        say(f"  {' and '.join(longer)}: answers are longer by what the recipe asks here, and that is not counted")
    if not estimate.paid and not plan.cost.at_most:
        say("  cost    nothing: the embedded model writes and annotates")
        return
    _show_roles(estimate, plan.cost)
    _show_cost(plan.cost)


def _show_roles(estimate: Estimate, cost: Cost) -> None:
    from synth.cli.printing import say, table

    say()
    head = ("role", "model", "calls", "read", "written", "about", "at most")
    table([_role_row(role, one, cost) for role, one in estimate.roles.items()], head=head)
    say()


def _role_row(role: str, one: RoleEstimate, cost: Cost) -> tuple[object, ...]:
    from synth.building.money import about

    money = tuple(map(about, cost.by_role[role])) if role in cost.by_role else ("?", "?")
    return (role, one.model, one.calls, one.tokens_in, one.tokens_out, *money)


def _show_cost(cost: Cost) -> None:
    from synth.building.money import about
    from synth.cli.printing import say

    if cost.missing:
        say(f"  cost    unknown: nobody knows the price of {', '.join(cost.missing)}")
        say(
            "          set the endpoint in your settings, with its `prices` where the table has none; or say --price IN,OUT"
        )
        return
    whose = "the prices given" if cost.prices == "given" else f"your prices, else those of {cost.prices}"
    say(f"  cost    about {about(cost.expected)}, at most {about(cost.at_most)} (US dollars, at {whose})")
