"""`synth inspect`: records for a reader."""

from __future__ import annotations

from pathlib import Path

import click

from synth.cli.options import build_argument


@click.command("inspect", short_help="Read records as a person would.")
@build_argument
@click.argument("wanted", metavar="[ID]", required=False)
@click.option("--language", metavar="L", help="Records of one language only.")
@click.option(
    "-n", "--number", metavar="N", type=click.IntRange(1, 200), default=8, show_default=True, help="How many to list."
)
@click.option("--all", "everything", is_flag=True, help="List those that were not kept, too.")
def command(folder: Path, wanted: str | None, language: str | None, number: int, everything: bool) -> None:
    """List a few records of the build in DIR, or show the one whose ID begins so.

    A record is shown whole: who speaks to whom, what power stands between them, the turn with its facts and cues,
    the labels, and every reply with what each failure changed in the faithful one.
    """
    from synth.cli.lookup import find, some
    from synth.cli.printing import say
    from synth.cli.record import show_line, show_record

    if wanted is not None:
        show_record(find(folder, wanted))
        return
    records = some(folder, number, language, kept=not everything)
    for record in records:
        show_line(record)
    if not records:
        say("no record is kept yet")
        return
    say(f"one of them: synth inspect {folder} {records[0].scenario.scenario_id}", "dim")
