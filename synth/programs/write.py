"""The write program: one form of an event as a scene, with its evidence quoted."""

from __future__ import annotations

from collections.abc import Sequence

from synth.ask import Parsed
from synth.content.scenarios import Family
from synth.programs import briefs
from synth.programs.contracts import SCENE, EventAnswer, SceneAnswer
from synth.programs.questions import Desk
from synth.records.cells import Cell, Event


async def write_scene(
    desk: Desk,
    event: Event,
    cell: Cell,
    family: Family,
    answer: EventAnswer,
    partition: str,
    again: Sequence[str] = (),
) -> Parsed[SceneAnswer]:
    """Give the scene of the first form of an event; `again` names what an earlier try got wrong, and asks a second time."""
    brief = briefs.of_write(event, cell, family, answer, desk.definitions(), desk.arc(cell.arc), again)
    return await desk.ask(
        "writer",
        brief,
        SCENE,
        SceneAnswer,
        partition=partition,
        shows=("levels", "regulations", "explicitness", "cues"),
        draw=int(bool(again)),
    )
