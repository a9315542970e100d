"""`synth status`: how far a build is."""

from __future__ import annotations

from pathlib import Path

import click

from synth.cli.options import build_argument, json_option
from synth.cli.overview import Overview


@click.command("status", short_help="Say how far a build is, and why it is not complete.")
@build_argument
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Say how far the build in DIR is: rounds, parts, records, calls, and why it is not complete.

    What the answers cost and what a kill may have cost beside them, which answers are due from providers, and what was
    refused, by language, profile and felt affect, are said where there is any; --json has every figure, money in
    millionths of a US dollar. Reads only, also while a build is running.
    """
    from synth.cli.overview import read_overview
    from synth.cli.printing import say_json

    overview = read_overview(folder)
    if as_json:
        say_json(overview.as_values())
    else:
        _show(overview)


def _show(overview: Overview) -> None:
    from synth.cli.accounts import show_account
    from synth.cli.printing import count, length, say
    from synth.cli.refusals import show_refusals
    from synth.cli.summary import show_dropped, show_kept, show_languages, show_quota

    if overview.complete:
        say(f"{overview.recipe}: complete", "bold green" if overview.met else "bold yellow")
    else:
        say(f"{overview.recipe}: not complete: {overview.reason}", "bold yellow")
    left = f", {len(overview.open):,} open" if overview.open else ""
    parts = f"{count(overview.sealed, 'partition')} sealed{left}"
    say(f"  {count(overview.rounds, 'round')}, {parts}, {count(overview.runs, 'run')} ({length(overview.seconds)})")
    show_quota(overview)
    show_kept(overview)
    if overview.undecided:
        say(f"  {overview.undecided:,} sealed scenarios wait for a decision: synth close {overview.folder}", "yellow")
    say("  made  " + (", ".join(f"{number:,} {name}" for name, number in overview.outcomes.items()) or "nothing yet"))
    tokens = f", {overview.tokens_in:,} tokens read and {overview.tokens_out:,} written" if overview.tokens_in else ""
    say(f"  asked {count(overview.calls, 'call')}{tokens}")
    show_account(overview.account, overview.ledger["answers"])
    show_languages(overview)
    show_dropped(overview)
    show_refusals(overview.refusals)
