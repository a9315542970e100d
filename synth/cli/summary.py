"""The page that ends a build, and the figures that `status` shares with it."""

from __future__ import annotations

import shlex
from typing import Final

from synth.cli.accounts import show_account
from synth.cli.overview import Overview
from synth.cli.printing import count, heading, length, say, table

REMEDY: Final = "ask for fewer, add families, phrasings or profiles, or raise tries"
_GOLD: Final = {"broken": "is not in the scene", "relabelled": "reads as another label"}
_KINDS: Final = ("faithful", "alternative", "failure", "crossed", "observed")


def show_summary(overview: Overview, *, worked: bool) -> None:
    """Print what came of a build, and what to do next."""
    style = "bold green" if overview.met else "bold yellow"
    if not worked and overview.complete:
        say(f"{overview.recipe}: nothing to do, the build is complete", style)
    elif overview.complete:
        say(f"{overview.recipe}: complete in {length(overview.last_seconds)}", style)
    else:
        say(f"{overview.recipe}: not complete yet, {length(overview.last_seconds)} in this run", "bold yellow")
    show_quota(overview)
    show_kept(overview)
    show_account(overview.account, overview.ledger["answers"])
    show_languages(overview)
    show_dropped(overview)
    say(f"\nfolder: {overview.folder}")
    show_next(overview)


def show_quota(overview: Overview) -> None:
    """Print what is missing for the quota where nothing more is due, or what is over."""
    kept = overview.kept.get("scenario", 0)
    figures = f"{kept:,} of {count(overview.wanted, 'record')}"
    if overview.complete and not overview.met:
        lost = ", ".join(f"{number:,} {_in_words(reason)}" for reason, number in overview.reasons.items())
        say(f"  quota {figures}: {overview.missing:,} could not be made" + (f" (lost at any try: {lost})" * bool(lost)))
        say(f"        {REMEDY}")
    elif kept > overview.wanted:
        say(
            f"  quota {figures}: {kept - overview.wanted:,} over (events are whole; what is added asks for its own share)"
        )


def told(reason: str) -> str:
    """Give a reason as it is counted, and what was decided about gold in words."""
    kind, _, decided = reason.partition(":")
    field, _, status = decided.partition(":")
    if kind == "gold" and status in _GOLD:
        return f"gold: {field.replace('_', ' ')} {_GOLD[status]} ({status})"
    return reason


def _in_words(reason: str) -> str:
    """Give a reason without its filter and the row that it was measured against."""
    if (words := told(reason)) != reason:
        return words
    return reason.rpartition(":")[2].removesuffix("_of").removesuffix("_as").replace("_", " ")


def show_kept(overview: Overview) -> None:
    """Print kept scenarios and replies by kind."""
    replies = {kind: overview.kept[kind] for kind in _KINDS if overview.kept.get(kind)}
    named = ", ".join(f"{number:,} {kind}" for kind, number in replies.items())
    scenarios = count(overview.kept.get("scenario", 0), "scenario")
    say(f"  kept  {scenarios} with {sum(replies.values()):,} replies" + (f" ({named})" if named else ""))
    if overview.splits:
        say("        " + ", ".join(f"{number:,} {split}" for split, number in overview.splits.items()))
    if overview.controls:
        say(f"        {count(overview.controls, 'control')} without personas beside them, which count for no quota")


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
        table([(number, told(reason)) for reason, number in overview.reasons.items()])
        if any(reason.startswith("gold:") for reason in overview.reasons):
            say(f"  whether verifiers can be believed: synth audit {shlex.quote(overview.folder)}")


def show_next(overview: Overview) -> None:
    """Print what a person can do with the folder now."""
    folder = shlex.quote(overview.folder)
    if not overview.kept.get("scenario"):
        say(f"next:   synth status {folder}")
        return
    say(f"next:   synth inspect {folder}        read some records")
    say(f"        synth verify {folder}         check every file")
    say(f"        synth.load({overview.folder!r}).dataset()     in Python (import synth)")
