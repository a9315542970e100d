"""Whether sealed rows agree with themselves: text digests, spans within their texts, edits that invert, known targets.

Each function yields sentences that say what is wrong; `verification` adds where and what to do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Protocol

from synth.records.labels import ReplyKind
from synth.records.schema import Edit, Reply, Scenario, Turn

__all__ = ["edits_invert", "reply_faults", "scenario_faults"]


class _Stretch(Protocol):
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


def scenario_faults(scenario: Scenario) -> Iterator[str]:
    """Yield what one scenario says that its own texts do not bear out."""
    for what in chain(_digest_faults(scenario), _turn_faults(scenario), _fact_faults(scenario), _form_faults(scenario)):
        yield f"scenario {scenario.scenario_id}: {what}"


def reply_faults(replies: Sequence[Reply], scenario_ids: Iterable[str]) -> Iterator[str]:
    """Yield what the replies of one part say that its scenarios and their parents do not bear out."""
    known = set(scenario_ids)
    by_id = {reply.reply_id: reply for reply in replies}
    for reply in replies:
        if reply.scenario_id not in known:
            yield f"reply {reply.reply_id}: its scenario {reply.scenario_id!r} is not in this part"
        for what in _edit_faults(reply, by_id):
            yield f"reply {reply.reply_id}: {what}"


def edits_invert(parent: str, text: str, edits: Sequence[Edit]) -> bool:
    """Tell whether the edits turn the parent into the text and back: what lies between them is the same in both."""
    old = new = 0
    for edit in edits:
        ordered = old <= edit.start <= edit.end <= len(parent) and new <= edit.new_start <= edit.new_end <= len(text)
        if not ordered or parent[old : edit.start] != text[new : edit.new_start]:
            return False
        old, new = edit.end, edit.new_end
    return parent[old:] == text[new:]


def _digest_faults(scenario: Scenario) -> Iterator[str]:
    """Check `text_sha256`: of the target turn's text in UTF-8, or of the source text where no turn is the target."""
    target = scenario.target_turn
    if target is not None and not 0 <= target < len(scenario.turns):
        yield f"target_turn is {target}, and there are {len(scenario.turns)} turns"
        return
    if scenario.text_sha256 is None:
        return
    text = scenario.source_text if target is None else scenario.turns[target].text
    if text is None:
        yield "text_sha256 is given, but there is neither a target turn nor a source text"
    elif hashlib.sha256(text.encode()).hexdigest() != scenario.text_sha256:
        yield "text_sha256 is not that of its text"


def _turn_faults(scenario: Scenario) -> Iterator[str]:
    for index, turn in enumerate(scenario.turns):
        for name, stretches in _stretches(turn).items():
            yield from _outside(f"turn {index}, {name}", stretches, len(turn.text))


def _stretches(turn: Turn) -> Mapping[str, Sequence[_Stretch]]:
    return {"cues": turn.cues, "cause": turn.cause, "spans_language": turn.spans_language}


def _fact_faults(scenario: Scenario) -> Iterator[str]:
    texts = [turn.text for turn in scenario.turns] or [scenario.source_text or ""]
    for fact in scenario.facts:
        for span in fact.spans:
            if 0 <= span.turn < len(texts):
                yield from _outside(f"fact {fact.fact_id}, turn {span.turn}", [span], len(texts[span.turn]))
            else:
                yield f"fact {fact.fact_id}: turn {span.turn} does not exist"


def _form_faults(scenario: Scenario) -> Iterator[str]:
    length = len(scenario.turns[0].text) if scenario.turns else 0
    for edit in scenario.form_diff:
        if not (0 <= edit.start <= edit.end and 0 <= edit.new_start <= edit.new_end <= length):
            yield f"form_diff [{edit.new_start}, {edit.new_end}) is outside its first turn of {length} code points"


def _outside(where: str, stretches: Iterable[_Stretch], length: int) -> Iterator[str]:
    for stretch in stretches:
        if not 0 <= stretch.start <= stretch.end <= length:
            yield f"{where}: [{stretch.start}, {stretch.end}) is outside its text of {length} code points"


def _edit_faults(reply: Reply, by_id: Mapping[str, Reply]) -> Iterator[str]:
    if reply.parent_id is None:
        if reply.edits:
            yield "it has edits, but no parent"
        return
    parent = by_id.get(reply.parent_id)
    if parent is None:
        yield f"its parent {reply.parent_id!r} is not in this part"
    elif (reply.edits or reply.kind is ReplyKind.FAILURE) and not edits_invert(parent.text, reply.text, reply.edits):
        yield f"its edits do not turn its parent {reply.parent_id} into it and back"
