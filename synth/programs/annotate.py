"""The annotate program: what a reader who sees the scene and nothing else understands of the speaker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from synth.ask import Parsed
from synth.programs import briefs
from synth.programs.contracts import LABELS, LabelsAnswer, SceneAnswer
from synth.programs.questions import Desk

_SETS: Final = ("goals", "emotions", "regulations", "explicitness", "levels")


async def annotate_scene(
    desk: Desk, role: str, language: str, scene: SceneAnswer, roles: Mapping[str, str], partition: str, draw: int = 0
) -> Parsed[LabelsAnswer]:
    """Give one annotator's labels; `draw` tells a second asking of the same model apart.

    The question holds the scene, its setting and who speaks to whom, never the cell.
    """
    brief = briefs.of_annotate(language, scene, roles)
    defined = desk.definitions()
    inputs = {name: defined.said(name) for name in _SETS}
    return await desk.ask(role, brief, LABELS, LabelsAnswer, partition=partition, inputs=inputs, draw=draw)
