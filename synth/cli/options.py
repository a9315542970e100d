"""What several commands take: overlays, a build folder, a recipe with the flags that change it, durations, money."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from synth.content.shelves import Shelves
    from synth.models.prices import Price
    from synth.recipe import Recipe

F = TypeVar("F", bound=Callable[..., Any])

_DURATION: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_UNITS: Final = (86_400, 3_600, 60, 1)


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A length of time: `90` (seconds), `45s`, `30m`, `2h`, `1d12h`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Give seconds."""
        if isinstance(value, int | float):
            return float(value)
        if value.isdecimal() and int(value):
            return float(value)
        match = _DURATION.fullmatch(value)
        seconds = sum(int(n or 0) * unit for n, unit in zip(match.groups(), _UNITS, strict=True)) if match else 0
        if not seconds:
            self.fail(f"{value!r} is no duration; write 90 (seconds), 30m, 2h or 1d12h", param, ctx)
        return float(seconds)


class Dollars(click.ParamType):  # type: ignore[type-arg]  # as above
    """An amount in US dollars, exact: `5`, `0.25`."""

    name = "usd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Give micro-units."""
        from synth.building.money import micro_units

        if isinstance(value, int):
            return value
        try:
            return micro_units(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


class Prices(click.ParamType):  # type: ignore[type-arg]  # as above
    """Two prices in US dollars per million tokens: read, written; a third for those read from the provider's cache."""

    name = "in,out"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Price:
        """Give the price."""
        from synth.building.money import micro_units
        from synth.models.prices import Price

        if isinstance(value, Price):
            return value
        parts = value.split(",")
        if len(parts) not in (2, 3):
            how = "write 0.5,1.5 (US dollars per million tokens read, written) or 0.5,1.5,0.05 (and cached)"
            self.fail(f"{value!r} is no pair of prices; {how}", param, ctx)
        try:
            return Price(*(micro_units(part) for part in parts))
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


def overlay_option(function: F) -> F:
    """Add --overlay DIR, repeatable."""
    return click.option(
        "--overlay",
        "overlays",
        multiple=True,
        metavar="DIR",
        help="Lay a folder of your own content over ours (repeatable).",
    )(function)


def shelves_of(overlays: tuple[str, ...]) -> Shelves:
    """Give the content with the overlays of this command and those given before it (`synth --overlay DIR ...`)."""
    from synth.content.shelves import Shelves

    context = click.get_current_context(silent=True)
    above = context.find_root().params.get("overlays", ()) if context else ()
    return Shelves([Path(name) for name in dict.fromkeys((*above, *overlays))])


def build_argument(function: F) -> F:
    """Add DIR, a build folder."""
    return click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))(function)


def json_option(function: F) -> F:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")(function)


def recipe_options(function: F) -> F:
    """Add RECIPE and the flags that change it."""
    for add in (
        click.option("--records", type=click.IntRange(min=1), metavar="N", help="Kept records to reach."),
        click.option("--annotator", "annotators", multiple=True, metavar="M", help="Who annotates blind (repeatable)."),
        click.option("--model", metavar="M", help="Who writes: offline, or ALIAS/MODEL."),
        click.argument("recipe"),
    ):
        function = add(function)
    return function


def read_recipe(
    name: str, model: str | None = None, annotators: tuple[str, ...] = (), records: int | None = None
) -> tuple[Recipe, Path]:
    """Give a recipe with the flags folded into it, and the folder that its paths are relative to."""
    from synth.recipe import Recipe, find_recipe

    path = find_recipe(name)
    recipe = Recipe.read(path)
    changes = _changes(recipe, model, annotators, records)
    return (Recipe.of({**recipe.model_dump(mode="json"), **changes}) if changes else recipe), path.parent


def _changes(recipe: Recipe, model: str | None, annotators: tuple[str, ...], records: int | None) -> Mapping[str, Any]:
    changes: dict[str, Any] = {"quota": {"records": records}} if records else {}
    if model or annotators:
        _check_models(*annotators, *([model] if model else []))
        models = recipe.models.model_dump(mode="json")
        changes["models"] = models | ({"writer": model} if model else {})
        changes["models"] |= {"annotators": list(annotators)} if annotators else {}
    return changes


def _check_models(*names: str) -> None:
    from synth.models.base import identity_of

    for name in names:
        identity_of(name, {})
