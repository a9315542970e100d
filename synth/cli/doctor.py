"""`synth doctor`: what stands in the way of a build here."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from synth.cli.options import json_option, read_recipe
from synth.errors import FaultError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synth.building.findings import Finding

_STYLES: Final = {"ok": "green", "warning": "yellow", "fault": "bold red"}


@click.command("doctor", short_help="Check what a build needs here: endpoints, keys, prices, content, disk.")
@click.argument("recipe", required=False)
@click.option("--model", metavar="M", help="Who writes: offline, or ALIAS/MODEL.")
@click.option("--annotator", "annotators", multiple=True, metavar="M", help="Who annotates blind (repeatable).")
@click.option(
    "--endpoint", "endpoints", multiple=True, metavar="ALIAS=URL[,KEYVAR]", help="Where an alias is (repeatable)."
)
@click.option(
    "-o", "--output", "folder", metavar="DIR", type=click.Path(path_type=Path), help="Where the build would be."
)
@click.option(
    "--max-in-flight", metavar="N", type=click.IntRange(1, 4096), default=32, show_default=True, help="Calls at a time."
)
@click.option("--ask", is_flag=True, help="Ask each model of RECIPE one short question, which is paid for.")
@json_option
def command(
    recipe: str | None,
    model: str | None,
    annotators: tuple[str, ...],
    endpoints: tuple[str, ...],
    folder: Path | None,
    max_in_flight: int,
    ask: bool,
    as_json: bool,
) -> None:
    """Check what a build needs here, and say what to do about what is missing; any fault gives exit code 1.

    With RECIPE only the endpoints that it names are probed, and its models and their prices are looked up. An endpoint
    is probed by asking for its list of models, which costs nothing. Nothing is written, and no key is shown.
    """
    from synth.building.doctor import examine
    from synth.cli.printing import count, say_json

    if recipe is None and (model or annotators):
        raise click.UsageError("--model and --annotator go with a RECIPE")
    wanted = read_recipe(recipe, model, annotators) if recipe else None
    if ask and wanted is not None:
        click.echo("--ask: one question to each model is paid for", err=True)
    found = examine(wanted, endpoints, folder=folder, max_in_flight=max_in_flight, ask=ask)
    states = Counter(str(finding.state) for finding in found)
    if as_json:
        say_json({"findings": [asdict(one) for one in found], "warnings": states["warning"], "faults": states["fault"]})
    else:
        _show(found)
    if states["fault"]:
        raise FaultError(count(states["fault"], "fault"))


def _show(found: Sequence[Finding]) -> None:
    from rich.text import Text

    from synth.cli.printing import say

    width = max(len(one.check) for one in found)
    for one in found:
        mark = Text(f"{one.state:<7}", _STYLES[one.state])
        say(Text.assemble(mark, f"  {one.check:<{width}}  {one.seen}"))
        if one.advice:
            say(Text.assemble(" " * (width + 11), (one.advice, "dim")))
