"""Make a scene of a brief: who speaks in which world, and which authored lines are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from synth.content.phrasings import Phrasing, World, read_phrasing
from synth.content.scenarios import read_family
from synth.content.shelves import Shelves
from synth.offline import compose
from synth.offline.compose import Scene, Speaker
from synth.offline.draws import choose_world, draw_of, told_world


def event_of(shelves: Shelves, brief: Mapping[str, Any]) -> Scene:
    """Give the scene in which an event program tells what happened, in the first form of its phrasing.

    Raises:
        UnphrasedError: The phrasing has no world for it.
    """
    phrasing = phrasing_of(shelves, brief)
    form = next(iter(phrasing.turn["open"].branches))
    return _staged(shelves, phrasing, brief, form, choose_world(brief, phrasing))


def scene_of(shelves: Shelves, brief: Mapping[str, Any]) -> Scene:
    """Give the scene of one form of an event that was told.

    Raises:
        UnphrasedError: The phrasing has not the world that it was told in.
    """
    phrasing = phrasing_of(shelves, brief)
    return _staged(shelves, phrasing, brief, str(brief["form"]), told_world(brief, phrasing))


def phrasing_of(shelves: Shelves, brief: Mapping[str, Any]) -> Phrasing:
    """Give the phrasing that a brief is answered from."""
    return read_phrasing(shelves, str(brief["language"]), str(brief["family"]))


def _staged(
    shelves: Shelves, phrasing: Phrasing, brief: Mapping[str, Any], form: str, told: tuple[World, int]
) -> Scene:
    address = brief.get("address", {"out": "", "back": ""})
    seed, sequence = draw_of(brief)
    return Scene(
        phrasing=phrasing,
        stance=str(brief["stance"]),
        beats=_beat_names(shelves, phrasing.family),
        form=form,
        level=str(brief["level"]),
        emotion=str(brief["emotion"]),
        explicitness=str(brief["explicitness"]),
        variety=str(brief["variety"]),
        people={pid: _speaker(one, brief) for pid, one in brief["people"].items()},
        address_out=str(address["out"]),
        address_back=str(address["back"]),
        world=told[0],
        telling=told[1],
        seed=seed,
        rank=compose.rank_of(str(brief["level"]), sequence),
    )


def _speaker(person: Mapping[str, Any], brief: Mapping[str, Any]) -> Speaker:
    """Give a person; one who is nobody in particular goes by their role, and speaks as the event's place does."""
    if "name" in person:
        return Speaker(person["name"], person["gender"], person["variety"], person["calls"])
    return Speaker(str(person["role"]), "", str(brief["variety"]), {})


@lru_cache(maxsize=256)
def _beat_names(shelves: Shelves, family: str) -> tuple[str, ...]:
    return tuple(read_family(shelves, family).reply.beats)
