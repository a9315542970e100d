"""The write program: one form of an event as a scene, with its evidence quoted."""

from __future__ import annotations

from synth.ask import Parsed
from synth.content.scenarios import Family
from synth.programs import briefs
from synth.programs.contracts import SCENE, EventAnswer, SceneAnswer
from synth.programs.questions import Desk
from synth.records.cells import Cell, Event


async def write_scene(
    desk: Desk, event: Event, cell: Cell, family: Family, answer: EventAnswer, partition: str, draw: int = 0
) -> Parsed[SceneAnswer]:
    """Give the scene of the first form of an event; `draw` counts deliberate re-asks."""
    brief = briefs.of_write(event, cell, family, answer)
    return await desk.ask("writer", brief, SCENE, SceneAnswer, partition=partition, draw=draw)
