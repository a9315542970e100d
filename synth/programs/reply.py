"""The reply program: the honest reply, and a second one in another licensed style."""

from __future__ import annotations

from synth.ask import Parsed
from synth.content.scenarios import Family
from synth.programs import briefs
from synth.programs.contracts import REPLY, EventAnswer, ReplyAnswer, SceneAnswer
from synth.programs.questions import Desk
from synth.records.cells import Cell, Event


async def write_reply(
    desk: Desk,
    event: Event,
    cell: Cell,
    family: Family,
    answer: EventAnswer,
    scene: SceneAnswer,
    partition: str,
    *,
    style: str = "faithful",
) -> Parsed[ReplyAnswer]:
    """Give a reply in beats; style is faithful or alternative."""
    brief = briefs.of_reply(event, cell, family, answer, scene, style)
    return await desk.ask("writer", brief, REPLY, ReplyAnswer, partition=partition)
