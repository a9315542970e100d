"""What the models of a recipe cost: by the person's own prices, else by the table that came with this version; unknown is an error unless allowed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from synth.building.settings import RunSettings
from synth.errors import UsageError
from synth.models.base import OFFLINE, Endpoint
from synth.models.price_table import PriceTable
from synth.models.prices import Price
from synth.recipe import Recipe


def price_models(
    names: Iterable[str], endpoints: Mapping[str, Endpoint], prices: PriceTable, *, allow_unpriced: bool = False
) -> dict[str, Price | None]:
    """Give what each model costs, None where nobody knows and `allow_unpriced` lets that pass.

    Raises:
        UsageError: nobody knows what a model costs; names every such model and shows how to say it.
    """
    found = {name: prices.of(name, endpoints.get(name.partition("/")[0])) for name in names}
    unknown = sorted(name for name, price in found.items() if price is None)
    if unknown and not allow_unpriced:
        raise UsageError(
            f"nobody knows what {_listed(unknown)} costs, so nothing was asked", hint=_how_to_price(unknown)
        )
    return found


def refuse_open_ended(recipe: Recipe, settings: RunSettings) -> None:
    """Raise UsageError where a limit of money or tokens meets a role whose answers may be of any length: nobody could hold it."""
    limits = {"max_cost": settings.max_cost, "max_run_cost": settings.max_run_cost, "max_tokens": settings.max_tokens}
    given = [name for name, limit in limits.items() if limit is not None]
    open_ended = sorted(role for role, sampling in recipe.sampling.items() if sampling.max_tokens is None)
    if given and open_ended:
        raise UsageError(
            f"{given[0]} cannot be held: the recipe gives {_listed(open_ended)} no max_tokens",
            hint=f"sampling: {{{open_ended[0]}: {{max_tokens: 2048}}}}",
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _how_to_price(names: Sequence[str]) -> str:
    """Give the lines of the settings file that say what models cost, in US dollars for a million tokens."""
    by_alias: dict[str, list[str]] = {}
    for name in names:
        alias, _, model = name.partition("/")
        by_alias.setdefault(alias, []).append(model)
    lines = ["say it in settings.yaml, in US dollars for a million tokens (these are only an example):", "endpoints:"]
    for alias, models in by_alias.items():
        lines += [f"  {alias}:", "    prices:"]
        lines += [f"      {json.dumps(model or OFFLINE)}: {{read: 0.15, written: 0.60}}" for model in models]
    return "\n    ".join(lines) + "\n  or count them as free: --allow-unpriced (allow_unpriced=True)"
