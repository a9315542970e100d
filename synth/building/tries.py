"""Which events of a partition are further tries: slots that lost a record and were planned again, in a later round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from synth.planning.casting import event_keys
from synth.planning.rounds import Round, read_slots

FurtherTries: TypeAlias = Callable[[str], frozenset[str]]
"""The event keys of a partition, by its name, that are not the first try of their slot."""


def further_tries(build: Path, rounds: Sequence[Round], seed: int) -> FurtherTries:
    """Give how to look up, partition by partition, the events that replace others; a partition of no round has none.

    What was planned is each slot once: its first try. `seed` is the recipe's.
    """
    # round 1 replaces nothing
    places = {planned.name: (made, planned) for made in rounds if made.number > 1 for planned in made.partitions}

    def of(partition: str) -> frozenset[str]:
        if partition not in places:
            return frozenset()
        made, planned = places[partition]
        again = [slot for slot in read_slots(build, made.number, planned.row_group) if slot.replacement]
        return frozenset(f"{key:016x}" for key in event_keys(seed, made.strata, again).tolist())

    return of
