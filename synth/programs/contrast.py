"""The contrast program: the honest reply spoiled in exactly one known way."""

from __future__ import annotations

from collections.abc import Mapping

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
) -> Parsed[ContrastAnswer]:
    """Give the beats that a failure replaces; what it does not name stays word for word."""
    brief = briefs.of_contrast(event, cell, family, answer, scene, beats, failure)
    return await desk.ask("writer", brief, CONTRAST, ContrastAnswer, partition=partition)
