"""The vary program: a counterfactual form as an edit of the first one, so that nothing moves that need not."""

from __future__ import annotations

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
) -> Parsed[SceneAnswer]:
    """Give the scene of another form, edited from the base form's."""
    brief = briefs.of_vary(event, cell, family, answer, *base)
    return await desk.ask("writer", brief, SCENE, SceneAnswer, partition=partition)
