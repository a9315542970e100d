"""Which authored failure a contrast brief asks for: the very one, or the nearest where a rehearsal asks for one that nobody wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synth.content.phrasings import Failure
from synth.offline import compose
from synth.offline.compose import Beat, Scene, UnphrasedError
from synth.offline.draws import drawn
from synth.records.labels import OVER_VARIANTS


def failed(scene: Scene, brief: Mapping[str, Any]) -> tuple[Failure, dict[str, Beat]]:
    """Give a failure of a scene and the beats that it replaces.

    Raises:
        UnphrasedError: The phrasing has no such failure; where no draw is named, none of the mechanism and direction at this level.
    """
    mechanism, variant, severity = str(brief["mechanism"]), str(brief["variant"] or ""), int(brief["severity"])
    key = f"{mechanism}.{variant}" if variant else mechanism
    if not drawn(brief):
        return _nearest(scene, key, mechanism, severity, over=variant in OVER_VARIANTS)
    if key not in scene.phrasing.fails:
        raise UnphrasedError(f"{scene.phrasing.file.name}: no {key}")
    failure = scene.phrasing.fails[key]
    return failure, compose.failing(scene, failure, severity)


def _nearest(scene: Scene, key: str, mechanism: str, severity: int, *, over: bool) -> tuple[Failure, dict[str, Beat]]:
    """Give the failure of this key, else one of its mechanism and direction, at the severity that is nearest of those that have words."""
    offered = [one for one in scene.phrasing.failures_at(scene.level) if one.mechanism == mechanism]
    offered = [one for one in offered if one.key == key] or [one for one in offered if _is_over(one) == over]
    ways = [(abs(given - severity), given, one) for one in offered for given in one.severities]
    for _, given, failure in sorted(ways, key=lambda way: way[:2]):
        try:
            return failure, compose.failing(scene, failure, given)
        except UnphrasedError:
            continue
    raise UnphrasedError(f"{scene.phrasing.file.name}: no {key} at level {scene.level}")


def _is_over(failure: Failure) -> bool:
    return failure.variant in OVER_VARIANTS
