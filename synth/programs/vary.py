"""The vary program: a counterfactual form as an edit of the first one, so that nothing moves that need not."""

from __future__ import annotations

from collections.abc import Sequence

from synth.ask import Parsed
from synth.content.scenarios import Family
from synth.programs import briefs
from synth.programs.contracts import SCENE, EventAnswer, SceneAnswer
from synth.programs.questions import Desk
from synth.records.cells import Cell, Event


async def vary_scene(
    desk: Desk,
    event: Event,
    cell: Cell,
    family: Family,
    answer: EventAnswer,
    base: tuple[Cell, SceneAnswer],
    partition: str,
    again: Sequence[str] = (),
) -> Parsed[SceneAnswer]:
    """Give the scene of another form, edited from the base form's; `again` names what an earlier try got wrong."""
    brief = briefs.of_vary(event, cell, family, answer, *base, desk.definitions(), again)
    return await desk.ask(
        "writer", brief, SCENE, SceneAnswer, partition=partition, shows=("cues",), draw=int(bool(again))
    )
