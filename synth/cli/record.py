"""One record on a terminal. Every text stands alone on its line, unpadded and uncut, so that no script is mangled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from synth.cli.printing import heading, say
from synth.records.labels import Outcome, ReplyKind, Stance

if TYPE_CHECKING:
    from rich.text import Text

    from synth.building.api import Record
    from synth.records.schema import Participant, Reply, Scenario, Turn

_EXCERPT: Final = 160
_GAPS: Final = ("none", "one can reward or inconvenience the other", "one decides over the other's livelihood or stay")
_FORMS: Final = {
    "up": "the speaker has less power",
    "level": "neither has more power",
    "down": "the speaker has more power",
    "split": "each has power of another kind",
}
_EXITS: Final = ("free to walk away", "awkward to leave", "to leave costs income, place or care", "cannot leave")
_FACT: Final = "underline cyan"
_CUE: Final = "italic magenta"
_WAS: Final = "red"
_IS: Final = "green"


def show_line(record: Record) -> None:
    """Print a record as two lines: what it is, and how its turn begins."""
    scenario = record.scenario
    mark = "" if record.selection.kept else f"  not kept ({', '.join(record.selection.reasons)})"
    feeling = f"{scenario.emotion} {scenario.felt}/{scenario.shown}"
    say(
        f"{scenario.scenario_id}  {scenario.language}  {scenario.family}  {scenario.power_form}  {feeling}{mark}",
        "bold",
    )
    say(excerpt(scenario.turns[-1].text) if scenario.turns else f"({scenario.outcome})")
    say()


def excerpt(text: str, limit: int = _EXCERPT) -> str:
    """Give the beginning of a text, cut between the characters that people see."""
    import regex

    clusters = regex.findall(r"\X", text)
    return text if len(clusters) <= limit else "".join(clusters[:limit]) + "…"


def show_record(record: Record) -> None:
    """Print a record whole."""
    scenario = record.scenario
    say(f"{scenario.scenario_id}  {scenario.family}", "bold")
    say(f"{scenario.language} ({scenario.variety}, {scenario.script})  {scenario.split}  {_decision(record)}")
    _show_people(scenario)
    if scenario.setting:
        heading("\nsetting")
        say(scenario.setting)
    for turn_number, turn in enumerate(scenario.turns):
        _show_turn(scenario, turn, turn_number)
    _show_labels(scenario)
    if scenario.outcome != Outcome.OK:
        say(f"\nit has no replies: {scenario.outcome}", "yellow")
    for reply in sorted(record.replies, key=_rank):
        _show_reply(reply, record.replies)


def _decision(record: Record) -> str:
    selection = record.selection
    return "kept" if selection.kept else f"not kept: {', '.join(selection.reasons)}"


# -- people and power


def _show_people(scenario: Scenario) -> None:
    people = {person.pid: person for person in scenario.participants}
    heading("\npeople")
    if "S" in people and "A" in people:
        say(f"{_person(people['S'])} speaks to {_person(people['A'])}")
    for pid, role in (("X", "about"), ("R", "the reply is written by")):
        if pid in people:
            say(f"{role} {_person(people[pid])}")
    if scenario.stance != Stance.IN_RELATION:
        say(f"stance {scenario.stance}")
    say(
        f"power {scenario.power_form}: {_FORMS[scenario.power_form]}; gap {scenario.power_gap}: {_GAPS[scenario.power_gap]}"
    )
    for holding in scenario.power_bases:
        say(f"  {holding.base} power is with the {holding.held_by}")
    say(f"for the speaker: {_EXITS[scenario.exit_cost]}; tie {scenario.tie}, familiarity {scenario.familiarity} of 3")
    for relation in scenario.relations:
        address = relation.address
        if address is not None and address.system != "none" and relation.from_pid == "S":
            say(f"address ({address.system}): {address.self} one way, {address.other} the other")


def _person(person: Participant) -> str:
    details = [person.role] + [part for part in (person.gender, person.profile_id) if part]
    return f"{person.name or person.pid} ({', '.join(details)})"


# -- the turn and its labels


def _show_turn(scenario: Scenario, turn: Turn, number: int) -> None:
    heading("\nturn" if len(scenario.turns) == 1 else f"\nturn {number + 1} ({turn.pid})")
    say(marked(scenario, turn, number))
    for name, start, end, weight in _facts(scenario, number):
        say(f"  fact {name} (weight {weight}) at {start}-{end}:", "dim")
        say(turn.text[start:end], _FACT)
    for cue in turn.cues:
        say(f"  cue {cue.kind} at {cue.start}-{cue.end}:", "dim")
        say(turn.text[cue.start : cue.end], _CUE)


def marked(scenario: Scenario, turn: Turn, number: int) -> Text:
    """Give the turn with its facts and cues styled; without colour it is the turn's text, letter for letter."""
    from rich.text import Text

    text = Text(turn.text)
    for _, start, end, _ in _facts(scenario, number):
        text.stylize(_FACT, start, end)
    for cue in turn.cues:
        text.stylize(_CUE, cue.start, cue.end)
    return text


def _facts(scenario: Scenario, number: int) -> Iterator[tuple[str, int, int, int]]:
    for fact in scenario.facts:
        for span in fact.spans:
            if span.turn == number:
                yield fact.fact_id, span.start, span.end, fact.weight


def _show_labels(scenario: Scenario) -> None:
    heading("\nlabels")
    also = f" (also {', '.join(scenario.goal_also)})" if scenario.goal_also else ""
    say(f"goal     {scenario.goal}, group {scenario.goal_group}{also}")
    other = f" with {', '.join(scenario.emotion_also)}" if scenario.emotion_also else ""
    say(f"emotion  {scenario.emotion}{other}, felt {scenario.felt} and shown {scenario.shown} of 3, {scenario.valence}")
    say(f"said     {scenario.explicitness}, regulation {scenario.regulation}, directness {scenario.directness} of 3")
    say(f"context  {scenario.domain}, {scenario.channel}, {scenario.audience}, imposition {scenario.imposition} of 3")
    if scenario.duty:
        say(f"duty     of the {scenario.duty.holder}: {'; '.join(scenario.duty.holds)}")
        say(f"         may not: {'; '.join(scenario.duty.may_not)}")


# -- replies


def _rank(reply: Reply) -> tuple[int, str]:
    order = (ReplyKind.FAITHFUL, ReplyKind.ALTERNATIVE, ReplyKind.FAILURE)
    return (order.index(reply.kind) if reply.kind in order else len(order), reply.reply_id)


def _show_reply(reply: Reply, replies: Sequence[Reply]) -> None:
    if reply.kind != ReplyKind.FAILURE:
        heading(f"\n{reply.kind} reply" + (f" ({', '.join(reply.acts)})" if reply.acts else ""))
        say(reply.text)
        return
    variant = f", {reply.variant}" if reply.variant else ""
    heading(f"\nfailure: {reply.mechanism}, {reply.direction}{variant}, severity {reply.severity} of 3")
    parent = next((one for one in replies if one.reply_id == reply.parent_id), None)
    for edit in reply.edits:
        say(
            f"  in {edit.beat or 'the reply'}" + (f", still keeps {', '.join(reply.kept)}" if reply.kept else ""), "dim"
        )
        if parent is not None:
            say("  was", "dim")
            say(parent.text[edit.start : edit.end], _WAS)
        say("  is", "dim")
        say(reply.text[edit.new_start : edit.new_end], _IS)
