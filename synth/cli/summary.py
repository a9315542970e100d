"""The page that ends a build, and the figures that `status` shares with it."""

from __future__ import annotations

import shlex
from typing import Final

from synth.cli.overview import Overview
from synth.cli.printing import count, heading, length, say, table

_KINDS: Final = ("faithful", "alternative", "failure", "crossed", "observed")


def show_summary(overview: Overview, *, worked: bool) -> None:
    """Print what came of a build, and what to do next."""
    if not worked and overview.complete:
        say(f"{overview.recipe}: nothing to do, the build is complete", "bold green")
    elif overview.complete:
        say(f"{overview.recipe}: complete in {length(overview.last_seconds)}", "bold green")
    else:
        say(f"{overview.recipe}: not complete yet, {length(overview.last_seconds)} in this run", "bold yellow")
    show_kept(overview)
    show_languages(overview)
    show_dropped(overview)
    say(f"\nfolder: {overview.folder}")
    show_next(overview)


def show_kept(overview: Overview) -> None:
    """Print kept scenarios and replies by kind."""
    replies = {kind: overview.kept[kind] for kind in _KINDS if overview.kept.get(kind)}
    named = ", ".join(f"{number:,} {kind}" for kind, number in replies.items())
    scenarios = count(overview.kept.get("scenario", 0), "scenario")
    say(f"  kept  {scenarios} with {sum(replies.values()):,} replies" + (f" ({named})" if named else ""))
    if overview.splits:
        say("        " + ", ".join(f"{number:,} {split}" for split, number in overview.splits.items()))


def show_languages(overview: Overview) -> None:
    """Print the table by language and script."""
    if overview.languages:
        say()
        rows = [(row.language, row.script, row.scenarios, row.replies, row.dropped) for row in overview.languages]
        table(rows, head=("language", "script", "scenarios", "replies", "dropped"))


def show_dropped(overview: Overview) -> None:
    """Print why scenarios were not kept."""
    if overview.dropped:
        heading(f"\n{count(overview.dropped, 'scenario')} not kept (a slot that loses one is tried again)")
        table([(number, reason) for reason, number in overview.reasons.items()])


def show_next(overview: Overview) -> None:
    """Print what a person can do with the folder now."""
    folder = shlex.quote(overview.folder)
    if not overview.kept.get("scenario"):
        say(f"next:   synth status {folder}")
        return
    say(f"next:   synth inspect {folder}        read some records")
    say(f"        synth verify {folder}         check every file")
    say(f"        synth.load({overview.folder!r}).dataset()     in Python (import synth)")
