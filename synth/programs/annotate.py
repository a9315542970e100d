"""The annotate program: what a reader who sees the scene and nothing else understands of the speaker."""

from __future__ import annotations

from synth.ask import Parsed
from synth.programs import briefs
from synth.programs.contracts import LABELS, LabelsAnswer, SceneAnswer
from synth.programs.questions import Desk


async def annotate_scene(
    desk: Desk, role: str, language: str, scene: SceneAnswer, partition: str, draw: int = 0
) -> Parsed[LabelsAnswer]:
    """Give one annotator's labels; `draw` tells a second asking of the same model apart.

    The question holds the scene, its setting and who speaks to whom, never the cell.
    """
    brief = briefs.of_annotate(language, scene)
    return await desk.ask(
        role,
        brief,
        LABELS,
        LabelsAnswer,
        partition=partition,
        shows=("goals", "emotions", "regulations", "explicitness", "powers", "levels"),
        draw=draw,
    )
