"""Which authored lines a question draws: what its brief says, or a digest of what all questions of one event share.

A writer that goes by another name than `offline` is told of no draw. Family, language, level, feeling and particulars are the same in every form of an event,
in its control without personas too, so its write, vary, reply and contrast agree all the same; which world was told comes back with the particulars.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from synth.content.phrasings import Phrasing, World
from synth.offline import compose
from synth.offline.compose import UnphrasedError

_SHARED: Final = ("language", "family", "level", "emotion", "explicitness")


def drawn(brief: Mapping[str, Any]) -> bool:
    """Say whether a brief names its draw: then it is asked by a build of ours, which plans nothing that has no words."""
    return "draw" in brief


def draw_of(brief: Mapping[str, Any]) -> tuple[int, int]:
    """Give the seed and the sequence of a question's event."""
    if drawn(brief):
        return int(brief["draw"]["seed"]), int(brief["draw"]["sequence"])
    shared = json.dumps([[brief[name] for name in _SHARED], _event_of(brief)])
    digest = hashlib.blake2b(shared.encode("ascii"), digest_size=12).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")


def _event_of(brief: Mapping[str, Any]) -> Any:
    """Give what tells an event from others of its cell: its particulars, or its people's names before there are any."""
    if "event" in brief:
        return brief["event"]["particulars"]
    return [[pid, one.get("name"), one.get("gender")] for pid, one in sorted(brief["people"].items())]


def choose_world(brief: Mapping[str, Any], phrasing: Phrasing) -> tuple[World, int]:
    """Give the world of a brief's event, and which of its lines tells it; raise UnphrasedError where there is none."""
    return compose.choose_world(phrasing, str(brief["level"]), str(brief["variety"]), *draw_of(brief))


def told_world(brief: Mapping[str, Any], phrasing: Phrasing) -> tuple[World, int]:
    """Give the world that a brief's event was told in; chosen again where no draw is named and somebody else told it.

    Raises:
        UnphrasedError: The phrasing has no such world.
    """
    event = brief["event"]
    if not drawn(brief) and not _is_told(event, phrasing):
        return choose_world(brief, phrasing)
    name = str(event["world"])
    if name not in phrasing.worlds:
        raise UnphrasedError(f"{phrasing.file.name}: no world {name!r}")
    return phrasing.worlds[name], int(event["telling"])


def _is_told(event: Mapping[str, Any], phrasing: Phrasing) -> bool:
    world = phrasing.worlds.get(str(event.get("world")))
    return world is not None and 0 <= int(event.get("telling", -1)) < len(world.what)
