"""The contrast program: the honest reply spoiled in exactly one known way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from synth.ask import Parsed
from synth.content.scenarios import Family
from synth.programs import briefs
from synth.programs.contracts import CONTRAST, ContrastAnswer, EventAnswer, SceneAnswer
from synth.programs.questions import Desk
from synth.records.cells import Cell, Event, PlannedFailure


async def spoil_reply(
    desk: Desk,
    event: Event,
    cell: Cell,
    family: Family,
    answer: EventAnswer,
    scene: SceneAnswer,
    beats: Mapping[str, str],
    failure: PlannedFailure,
    partition: str,
    joiner: str = " ",
    again: Sequence[str] = (),
) -> Parsed[ContrastAnswer]:
    """Give the beats that a failure replaces; what it does not name stays word for word. `again` names what an earlier try got wrong."""
    brief = briefs.of_contrast(event, cell, family, answer, scene, beats, failure, joiner, again)
    return await desk.ask("writer", brief, CONTRAST, ContrastAnswer, partition=partition, draw=int(bool(again)))
