"""`synth audit`: what a build's gold is worth, in figures with intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from synth.cli.options import build_argument, json_option, overlay_option
from synth.errors import FaultError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from synth.audit.agreement import Agreement
    from synth.audit.artifacts import LengthBalance, Separability
    from synth.audit.attrition import Survival
    from synth.audit.build import Audit
    from synth.audit.figures import Ruling
    from synth.audit.preferences import Preferences
    from synth.statistics import Estimate

_NOT_RUN = "  not run: "
_POWER = {"up": "up (speaks to power)", "down": "down (holds it)"}


@click.command("audit", short_help="Test the gold of a build: agreement, verification, survival.")
@build_argument
@click.option("--language", metavar="L", help="Only what the build has in one language.")
@click.option("--no-pairs", is_flag=True, help="Leave the artifact gate out: it takes seconds for a thousand pairs.")
@overlay_option
@json_option
def command(folder: Path, language: str | None, no_pairs: bool, overlays: tuple[str, ...], as_json: bool) -> None:
    """Test the gold of the build in DIR: can verifiers tell labels from decoys, do annotators agree, who is lost on the way.

    Figures have 95 % intervals. Where there is too little, `too few to say` stands instead of an answer, and `not run` where nobody was asked. A gate that
    fails gives exit code 1: a kind of scene that survives at under .8 of the rate of the others, or replies that give away without their scene which of a
    pair is better (AUC over .70, or .60 among crossed pairs), each with its whole interval. On a build that is not complete no gate is run; on one that was
    composed offline the artifact gate is shown and not applied. Reads only.

    A lexicon that stands in an overlay is used where the overlay is named.
    """
    from synth.audit.build import audit_build
    from synth.building.api import load
    from synth.building.tries import further_tries
    from synth.cli.printing import count, say_json
    from synth.content.shelves import Shelves
    from synth.planning.rounds import read_rounds

    recipe = load(folder).recipe
    shelves = Shelves([Path(name) for name in overlays], recipe.overrides) if overlays else None
    again = further_tries(folder, read_rounds(folder), recipe.seed)
    audit = audit_build(folder, language, with_pairs=not no_pairs, shelves=shelves, again=again)
    if as_json:
        say_json({**audit.to_dict(), "failed": list(audit.failed), "language": language})
    else:
        _show(audit, with_pairs=not no_pairs)
    if audit.failed:
        said = f"{count(len(audit.failed), 'gate')} failed: {', '.join(audit.failed)}"
        raise FaultError(said, hint="the tables say by how much; --json has every figure, those by mechanism too")


def _show(audit: Audit, *, with_pairs: bool) -> None:
    from synth.cli.printing import count, say

    say(f"{count(audit.scenes, 'scene')} attempted, {audit.kept:,} kept", "bold")
    _show_disbelieved(audit)
    if audit.complete:
        survival = _gate(one.fair for one in (*audit.attrition.overall, *audit.attrition.gold))
        say(f"  gates: survival {survival}; artifacts {_artifacts(audit.artifact_gate)}")
    else:
        say("the build is not complete: figures of what is decided so far, and no gate is run", "yellow")
    _show_statuses(audit)
    _show_verification(audit)
    _show_agreement(audit)
    _show_intensity(audit)
    _show_explicitness(audit)
    _show_attrition(audit)
    _show_artifacts(audit.artifact_gate, with_pairs=with_pairs)
    _show_checks(audit)


def _show_disbelieved(audit: Audit) -> None:
    """Print first whose word was taken for what it is not worth: rows stay dropped by it."""
    from synth.cli.printing import count, say

    for one in audit.disbelieved:
        lost = count(one.dropped, "scene") if one.dropped else "nothing"
        who = f"verifiers of {one.language} x {one.field.replace('_', ' ')} cannot be believed"
        say(f"  {who}: they do not tell true labels from decoys; {lost} dropped on their word", "yellow")
    if audit.disbelieved:
        say("  ask another verifier (models: {verifiers: [...]}), or none (gold: {verify: false})", "yellow")


def _gate(rulings: Iterable[Ruling | None]) -> str:
    said = {str(one) for one in rulings if one} - {"not run"}
    if not said:
        return "not run"
    if "no" in said:
        return "fails"
    if said == {"yes"}:
        return "passes"
    return "passes as far as can be said" if "yes" in said else "too few to say"


def _artifacts(found: Preferences | None) -> str:
    if found is None:
        return "not run"
    if not found.applied:
        return "reported, not applied"
    return _gate(one.passes for one in found.gate.separability)


def _show_statuses(audit: Audit) -> None:
    from synth.cli.printing import heading, table

    heading("\ngold: what is attempted, by status")
    names = list(dict.fromkeys(name for one in audit.statuses for name in one.counts))
    rows = [(one.language, one.field, *(one.counts.get(name, 0) for name in names)) for one in audit.statuses]
    table(rows, head=("language", "field", *names))
    if audit.recovered:
        heading(
            "\nrecoverability of what is kept: how much of the label blind annotators see (goal, emotion and power form)"
        )
        kinds = [(one.language, one.explicitness, one.scenes, f"{one.recoverability:.2f}") for one in audit.recovered]
        table(kinds, head=("language", "explicitness", "scenes", "seen"))


def _show_verification(audit: Audit) -> None:
    from synth.cli.printing import heading, say, table

    heading("\nverification: how often true labels and decoys are accepted; a gap of .3 makes a field verifiable")
    if not audit.verification:
        say(_NOT_RUN + "nobody was asked sighted questions")
    rows = [
        (one.language, one.field, one.verifier, *map(_share, (one.true, one.decoy, one.gap)), one.verifiable)
        for one in audit.verification
    ]
    if rows:
        table(rows, head=("language", "field", "verifier", "true", "decoy", "gap", "verifiable"))


def _show_agreement(audit: Audit) -> None:
    from synth.cli.printing import say

    sides = {
        "reliability: annotators with each other": (
            audit.agreement.reliability,
            "no two models annotated one scene (those that answer under one name count as one)",
        ),
        "fidelity: annotators with the plan": (audit.agreement.fidelity, "no model annotates blind"),
        "validity: persons with the plan": (audit.agreement.validity, "no person has annotated"),
    }
    note = "  usable: kappa's interval begins at .4 or more, from 200 scenes on; kappa of felt and shown has linear weights"
    for title, (rows, why) in sides.items():
        _show_side(title, rows, why)
        if rows and note:
            say(note)
            note = ""


def _show_side(title: str, rows: Sequence[Agreement], why: str) -> None:
    from synth.cli.printing import heading, say, table

    heading(f"\n{title}")
    if not rows:
        say(_NOT_RUN + why)
        return
    shown = [
        (
            *(one.language, one.field, one.first, one.second, one.scenes, f"{one.same:.2f}"),
            *map(_share, (one.weighted or one.kappa, one.ac1)),
            one.usable,
        )
        for one in rows
    ]
    table(shown, head=("language", "field", "annotator", "beside", "scenes", "same", "kappa", "AC1", "usable"))


def _show_intensity(audit: Audit) -> None:
    from synth.cli.printing import heading, say, table

    heading(
        "\norder of intensity: pairs of one family with another felt level that annotators order right; .8 is wanted"
    )
    if not audit.intensity:
        say(_NOT_RUN + "nobody read intensity blind")
        return
    rows = [(one.language, one.scenes, one.pairs, f"{one.right:.2f}", one.ordered) for one in audit.intensity]
    table(rows, head=("language", "scenes", "pairs", "right", "ordered"))


def _show_explicitness(audit: Audit) -> None:
    from synth.cli.printing import heading, table

    heading("\nexplicitness: planned, kept, and arrived as annotators read it; within 5 points is wanted")
    rows = [
        (
            *(one.language, one.explicitness, f"{one.planned:.2f}", _figure(one.kept), _figure(one.arrived)),
            "-" if one.difference is None else f"{round(one.difference, 1) + 0.0:+.1f}",  # no negative zero
            one.within,
        )
        for one in audit.explicitness
    ]
    table(rows, head=("language", "explicitness", "planned", "kept", "arrived", "points", "within"))


def _show_attrition(audit: Audit) -> None:
    from synth.cli.printing import count, heading, say, table

    heading(
        "\nsurvival: who is lost on the way; a ratio to the others that is wholly under .8 fails (from 500 attempts on)"
    )
    found = audit.attrition
    if not found.attempted:
        say(_NOT_RUN + "no model wrote anything")
        return
    say(
        f"  models wrote {count(found.attempted, 'scene')}, {found.kept:,} are kept; {found.verified:,} were verified, {found.stood:,} of them stand"
    )
    gold = {(one.dimension, one.group): one for one in found.gold}
    rows = [
        (
            *(one.dimension, _group(one), one.attempted),
            *_survival(one),
            *_survival(gold.get((one.dimension, one.group))),
        )
        for one in found.overall
    ]
    table(rows, head=("of", "group", "scenes", "kept", "ratio", "fair", "through gold", "ratio", "fair"))
    if audit.weights is not None:
        one = audit.weights
        say(
            f"  w_survival brings {one.rows:,} kept rows back to what was planned: the largest is {one.largest:.2f}, "
            f"together they are worth {one.worth:,.0f} equal ones"
        )


def _group(one: Survival) -> str:
    return _POWER.get(one.group, one.group) if one.dimension == "power_form" else one.group


def _show_artifacts(found: Preferences | None, *, with_pairs: bool) -> None:
    from synth.cli.printing import count, heading, say, table

    heading("\nartifact gate: can who sees two replies and no scene say which is better? AUC, .50 is chance")
    if found is None:
        say(_NOT_RUN + ("no kept reply has a failure or a sibling" if with_pairs else "--no-pairs"))
        return
    crossed, failures = (found.counts.get(kind, 0) for kind in ("crossed", "failure"))
    events = count(found.events, "event") + f" of {found.events_kept:,}" * (found.events < found.events_kept)
    say(
        f"  {events}: {crossed:,} crossed pairs and {failures:,} of {found.failures:,} failures (a third of released pairs is crossed)"
    )
    if not found.applied:
        say("  reported, not applied: what is composed offline says few lines again and again")
    rows = _separability([one for one in found.gate.separability if one.mechanism is None])
    table(rows, head=("pairs", "language", "number", "at most", "by words", "passes", "by surface", "passes"))
    lengths = [one for one in found.gate.lengths if one.language is None] or list(found.gate.lengths)
    if lengths:
        say("  how often a failure is longer than what it spoils; .4 to .6 is balanced, and tells nothing")
        table([_length(one) for one in lengths], head=("failure", "longer", "balanced"), indent=4)


def _separability(found: Sequence[Separability]) -> list[tuple[object, ...]]:
    """Give a row for each population and language, what either model makes of it side by side."""
    by_place: dict[tuple[str, str | None], dict[str, Separability]] = {}
    for one in found:
        by_place.setdefault((one.population, one.language), {})[one.features] = one
    return [
        (
            *(population, language or "all", seen["words"].pairs),
            "-" if seen["words"].most is None else f"{seen['words'].most:.2f}",
            *(value for name in ("words", "surface") for value in (_share(seen[name].auc), seen[name].passes or "-")),
        )
        for (population, language), seen in by_place.items()
    ]


def _length(one: LengthBalance) -> tuple[object, ...]:
    return (one.mechanism, _share(one.longer), one.balanced)


def _show_checks(audit: Audit) -> None:
    from synth.cli.printing import heading, table

    if audit.failed_checks:
        heading("\nchecks that answers failed")
        rows = [(one.language, one.check, one.failed, one.again, one.scenes) for one in audit.failed_checks]
        table(rows, head=("language", "check", "failed", "after asking again", "scenes"))


def _survival(one: Survival | None) -> tuple[str, str, str]:
    return ("-", "-", "not run") if one is None else (f"{one.share.value:.2f}", _share(one.ratio), str(one.fair))


def _share(value: Estimate | None) -> str:
    return "-" if value is None else f"{value.value:.2f} [{value.lower:.2f}, {value.upper:.2f}]"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
