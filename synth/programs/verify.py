"""The verify program: sighted, with decoys. Whether a claimed label can be taken from a scene at all.

Each field has a true claim and a decoy, a label that it is easily taken for. They stand in two questions of complementary halves, so that each question
holds some of both, no question holds both claims of one field, and a verifier who says yes to everything is seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from synth.ask import Parsed
from synth.content.definitions import Definition, Definitions
from synth.programs import briefs
from synth.programs.contracts import VERIFY, ClaimsAnswer, SceneAnswer
from synth.programs.questions import Desk

SHARES: Final = {"clearly": 1.0, "plausibly": 0.6667, "hardly": 0.3333, "no": 0.0}
"""How far a claim can be taken from a scene, as the share that an annotation keeps."""

FIELDS: Final = {"goal": "goals", "emotion": "emotions", "power_form": "powers", "cue": "cues"}
"""What is claimed, and the set of definitions that its labels come from."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim about a scene: a field and a label; of a cue the words that show it too."""

    field: str
    value: str
    quote: str = ""
    start: int = -1


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of one field: the label, every label that would be accepted, and for a cue its words and where they stand."""

    field: str
    value: str
    accepted: frozenset[str]
    quote: str = ""
    start: int = -1


def claims_of(
    scenario_id: str, truths: Sequence[Truth], defined: Definitions
) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
    """Give two questions' claims: each field true in one and a near label in the other; which is where follows from the id alone."""
    halves: tuple[list[Claim], list[Claim]] = ([], [])
    for number, (truth, first) in enumerate(zip(truths, _places(scenario_id, truths), strict=True)):
        name = f"{scenario_id}.{truth.field}.{number}"
        true = Claim(truth.field, truth.value, truth.quote, truth.start)
        decoy = Claim(truth.field, decoy_of(name, truth, defined), truth.quote, truth.start)
        halves[first].append(true)
        halves[1 - first].append(decoy)
    return _shuffled(scenario_id, 0, halves[0]), _shuffled(scenario_id, 1, halves[1])


def _places(scenario_id: str, truths: Sequence[Truth]) -> list[int]:
    """Give in which question each truth stands; both hold some, or a question of decoys alone would tell who says no to everything nothing."""
    places = [_drawn(f"{scenario_id}.{truth.field}.{number}.half", 2) for number, truth in enumerate(truths)]
    if len(places) > 1 and len(set(places)) == 1:
        moved = _drawn(f"{scenario_id}.moved", len(places))
        places[moved] = 1 - places[moved]
    return places


def decoy_of(name: str, truth: Truth, defined: Definitions) -> str:
    """Give a label that the true one is easily taken for and that nobody would accept in its place."""
    known: Mapping[str, Definition] = getattr(defined, FIELDS[truth.field])
    near = [label for label in known[truth.value].near if label not in truth.accepted]
    others = near or [label for label in known if label not in truth.accepted | {truth.value}]
    return others[_drawn(f"{name}.decoy", len(others))]


def _shuffled(scenario_id: str, half: int, claims: Sequence[Claim]) -> tuple[Claim, ...]:
    return tuple(sorted(claims, key=lambda claim: _digest(f"{scenario_id}.{half}.{claim.field}.{claim.start}")))


def _drawn(name: str, size: int) -> int:
    return int.from_bytes(_digest(name), "big") % size


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=8).digest()


async def verify_scene(
    desk: Desk,
    role: str,
    language: str,
    scene: SceneAnswer,
    claims: Sequence[Claim],
    partition: str,
    draw: int = 0,
) -> Parsed[ClaimsAnswer]:
    """Give one verifier's answer to every claim; an answer that leaves one out, or adds one, is sent back once. `draw` asks anew."""
    shown = [_shown(number, claim) for number, claim in enumerate(claims, 1)]
    brief = briefs.of_verify(language, scene, shown)

    def whole(answer: ClaimsAnswer) -> None:
        if sorted(claim.id for claim in answer.claims) != list(range(1, len(claims) + 1)):
            raise ValueError(f"claims: give each id once: {', '.join(str(one['id']) for one in shown)}")

    return await desk.ask(
        role,
        brief,
        VERIFY,
        ClaimsAnswer,
        partition=partition,
        shows=("goals", "emotions", "powers", "cues"),
        draw=draw,
        check=whole,
    )


def _shown(number: int, claim: Claim) -> dict[str, Any]:
    return {"id": number, "field": claim.field, "value": claim.value, **({"quote": claim.quote} if claim.quote else {})}
