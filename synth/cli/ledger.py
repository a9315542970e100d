"""`synth ledger`: what was asked and paid."""

from __future__ import annotations

from pathlib import Path

import click

from synth.cli.options import build_argument, json_option


@click.command("ledger", short_help="Show what the ledger of a build holds.")
@build_argument
@click.argument("action", type=click.Choice(["stats"]), metavar="stats")
@json_option
def command(folder: Path, action: str, as_json: bool) -> None:
    """Show the answers, failed attempts, jobs and tokens in the ledger of the build in DIR.

    The embedded model is not in it: it costs nothing and gives the same answer again.
    """
    from synth.building.api import load
    from synth.cli.printing import say, say_json, table
    from synth.models.ledger import statistics

    del action  # `stats` is the only one yet
    load(folder)
    found = statistics(folder)
    if as_json:
        say_json(found)
        return
    say(f"{found['answers']:,} answers, {found['tokens_in']:,} tokens read and {found['tokens_out']:,} written", "bold")
    table([(number, name) for name, number in found["outcomes"].items() if number])
    table([(number, f"failed attempts: {kind}") for kind, number in found["errors"].items()])
    names = {
        "in_flight": "in flight, now or at a kill",
        "interrupted": "cut off by kills before",
        "jobs": "jobs to fetch",
        "copied": "copies for other partitions, paid once",
    }
    table([(found[key], name) for key, name in names.items() if found[key]])
