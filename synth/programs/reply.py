"""The reply program: the honest reply, and a second one in another licensed style."""

from __future__ import annotations

from collections.abc import Sequence

from synth.ask import Parsed
from synth.content.scenarios import Family
from synth.programs import briefs
from synth.programs.contracts import REASONED, REPLY, EventAnswer, ReasonedAnswer, ReplyAnswer, SceneAnswer
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
    reasoning: str = "",
    again: Sequence[str] = (),
) -> Parsed[ReplyAnswer]:
    """Give a reply in beats; style is faithful or alternative.

    `reasoning` names a frame in which to think first (cbt, dbt, pct, rt, ebg); `again` names what an earlier try got wrong.
    """
    brief = briefs.of_reply(event, cell, family, answer, scene, style, reasoning=reasoning, again=again)
    contract, answered = (REASONED, ReasonedAnswer) if reasoning else (REPLY, ReplyAnswer)
    return await desk.ask(
        "writer",
        brief,
        contract,
        answered,
        partition=partition,
        shows=("levels",),
        frame=reasoning,
        draw=int(bool(again)),
    )
