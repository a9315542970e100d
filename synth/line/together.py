"""Steps of one event that do not wait for each other."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from synth.ask import PendingError

T = TypeVar("T")


async def together(steps: Sequence[Coroutine[Any, Any, T]], *, at_once: bool) -> list[T]:
    """Give what steps come to, in their order: at once where a model is asked over a wire, one after the other where it answers at once.

    All are waited for before an error is raised, so that none is left running and what a provider answers later is handed in with its
    siblings; any other error goes before PendingError.
    """
    if not at_once or len(steps) < 2:
        return await _one_by_one(steps)
    found = await asyncio.gather(*steps, return_exceptions=True)
    errors = [one for one in found if isinstance(one, BaseException)]
    if errors:
        raise next((error for error in errors if not isinstance(error, PendingError)), errors[0])
    return [one for one in found if not isinstance(one, BaseException)]


async def _one_by_one(steps: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    found: list[T] = []
    try:
        for step in steps:
            found.append(await step)  # noqa: PERF401 (what is left is closed below)
    finally:
        # those that an error leaves unstarted: nobody will wait for them
        for step in steps[len(found) :]:
            step.close()
    return found
