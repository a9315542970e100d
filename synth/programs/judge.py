"""The judge program: what one reply, or one text that hands a scene on, still supports of what the scene holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from synth.ask import Parsed
from synth.content.definitions import Definitions
from synth.content.scenarios import Family
from synth.programs import briefs
from synth.programs.contracts import JUDGE, EventAnswer, ProbesAnswer, SceneAnswer
from synth.programs.questions import Desk
from synth.records.cells import Cell
from synth.records.labels import Explicitness, Must, Stance


def probes_of(
    cell: Cell, family: Family, answer: EventAnswer, scene: SceneAnswer, defined: Definitions
) -> Iterator[dict[str, Any]]:
    """Give what a text has to support that preserves this scene: each fact that must be, the feeling at its size, the aim, the duty, the address.

    `asks` is made of definitions and of the family's own words; `words` are those in which the event says a fact.
    """
    said = {fact.id for turn in scene.turns for fact in turn.facts}
    for name, fact in family.facts.items():
        # who hides a feeling may have left a fact out, and nobody can keep what was not said
        if fact.must == Must.PRESERVE and (name in said or cell.explicitness != Explicitness.MASKED):
            yield {"id": f"fact.{name}", "asks": [fact.says], "words": answer.facts.get(name, "")}
    level = defined.levels[str(cell.felt)]
    yield {"id": "affect", "asks": [str(cell.emotion), defined.emotions[str(cell.emotion)].says, level]}
    yield {"id": "intent", "asks": [str(cell.goal), defined.goals[str(cell.goal)].says]}
    if family.duty is not None:
        yield {"id": "duty", "asks": list(family.duty.holds)}
    # words that S will send are said as S speaks to the other, all else as S is spoken to
    yield {"id": "address", "asks": [cell.address_out if family.stance == Stance.ON_BEHALF else cell.address_back]}


async def judge_reply(
    desk: Desk,
    role: str,
    language: str,
    family: Family,
    scene: SceneAnswer,
    reply: str,
    probes: Sequence[dict[str, Any]],
    partition: str,
    draw: int = 0,
) -> Parsed[ProbesAnswer]:
    """Give one judge's answer to every probe; an answer that leaves one out, or adds one, is sent back once. `draw` tells a second asking apart."""
    wanted = sorted(probe["id"] for probe in probes)

    def whole(answer: ProbesAnswer) -> None:
        if sorted(probe.id for probe in answer.probes) != wanted:
            raise ValueError(f"probes: give each id once: {', '.join(wanted)}")

    brief = briefs.of_judge(language, family, scene, reply, probes)
    return await desk.ask(role, brief, JUDGE, ProbesAnswer, partition=partition, draw=draw, check=whole)
