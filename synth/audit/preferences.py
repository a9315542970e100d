"""The preference pairs that a build would release, and what the artifact gate makes of them.

At least a third of released pairs are crossed (SPEC 4), so the failures of each language are drawn down to two for each crossed pair, by a hash.
A large build is sampled by whole events, so that pairs crossed both ways stay so: its events are taken in the order of a hash of their keys, whatever
partition they lie in, for as long as their pairs are few enough. Only what is sampled is held, and one partition beside it.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from synth.audit.artifacts import ArtifactGate, artifact_gate, length_balance
from synth.audit.figures import Figures, Ruling
from synth.audit.pairs import Pair, pairs
from synth.audit.reading import SELECT, by_model, decided_partitions
from synth.content.lexicons import Lexicon, read_lexicon
from synth.content.shelves import Shelves
from synth.records.arrow import rows_of
from synth.records.cells import is_control
from synth.records.labels import ReplyKind
from synth.records.parts import read_table
from synth.records.schema import Reply, Scenario, Selection
from synth.records.slices import Slices, open_slices

MOST_PAIRS: Final = 20_000
"""How many pairs are measured at most; more say the same, and take longer."""

_CROSSED_PER_REPLY: Final = 3  # one of each variant: level, form, world
_PAIRED: Final = (str(ReplyKind.FAITHFUL), str(ReplyKind.FAILURE))


@dataclass(frozen=True, slots=True)
class Preferences(Figures):
    """The artifact gate of a build: `counts` of measured pairs by kind, of `events` out of `events_kept`, whose failures make `failures` pairs in all.

    Lengths are those of all these failures.

    `applied` says whether it is a gate here: rows that were composed offline are few lines, met again and again, so their figures are reported only.
    """

    events: int
    events_kept: int
    counts: dict[str, int]
    failures: int
    applied: bool
    gate: ArtifactGate

    @property
    def failed(self) -> tuple[str, ...]:
        """What is above its limit, each as `artifacts:<population>:<features>:<language, or all>`; empty where the gate is not applied."""
        above = [one for one in self.gate.separability if one.passes is Ruling.NO] if self.applied else []
        return tuple(f"artifacts:{one.population}:{one.features}:{one.language or 'all'}" for one in above)


def read_preferences(build: Path, language: str | None = None, shelves: Shelves | None = None) -> Preferences | None:
    """Give what the artifact gate makes of the kept records of a build, of one language or of all; None where they make no pair.

    Args:
        build: The folder.
        language: The language, or None for all.
        shelves: Where lexicons stand; ours, if none are given.

    Raises:
        StorageError: nothing is decided yet, or a file cannot be read.
        UsageError: the build has nothing of that language.
    """
    with open_slices(build / SELECT, Selection) as select:
        partitions = decided_partitions(build, select, language)
        sample = Sample()
        for partition in partitions:
            sample.add(_sizes(select, partition))
        own = list(_kept_rows(build, select, partitions, sample.events))
    scenarios = [one for scenes, _ in own for one in scenes]
    found = list(pairs(scenarios, [one for _, told in own for one in told]))
    if not found:
        return None
    released = list(_released(found))
    gate = artifact_gate(released, _lexicons(released, shelves or Shelves()))
    return Preferences(
        events=len({one.event_key for one in scenarios}),
        events_kept=sample.met,
        counts=dict(sorted(Counter(str(one.kind) for one in released).items())),
        failures=sum(one.kind == ReplyKind.FAILURE for one in found),
        applied=all(by_model(one.generator) for one in scenarios),
        gate=replace(gate, lengths=length_balance(found)),
    )


def _released(found: Sequence[Pair]) -> Iterator[Pair]:
    """Give pairs of which a third is crossed in each language; a language without a crossed pair gives all its failures."""
    crossed = Counter(one.language for one in found if one.kind == ReplyKind.CROSSED)
    drawn: Counter[str] = Counter()
    for one in sorted(found, key=lambda one: (_rank(one.rejected_id), one.rejected_id)):
        if one.kind == ReplyKind.FAILURE:
            drawn[one.language] += 1
        if one.kind != ReplyKind.FAILURE or drawn[one.language] <= (2 * crossed[one.language] or len(found)):
            yield one


def _lexicons(found: Sequence[Pair], shelves: Shelves) -> Mapping[str, Lexicon | None]:
    return {language: read_lexicon(shelves, language) for language in sorted({one.language for one in found})}


class Sample:
    """Whole events in the order of a hash of their keys, until their pairs would be too many; partitions may come in any order."""

    def __init__(self) -> None:
        self.met = 0
        self._pairs = 0
        self._sizes: dict[str, int] = {}
        self._last: list[tuple[int, str]] = []  # a heap, the highest hash first
        self._beyond = 2**64

    def add(self, sizes: Mapping[str, int]) -> None:
        """Take up the events of a partition, by how many pairs each of them gives at most."""
        self.met += len(sizes)
        for event, size in sizes.items():
            rank = _rank(event)
            if rank < self._beyond:
                self._pairs += size
                self._sizes[event] = size
                heapq.heappush(self._last, (-rank, event))
        while self._pairs > MOST_PAIRS:
            rank, event = heapq.heappop(self._last)
            self._beyond = -rank
            self._pairs -= self._sizes.pop(event)

    @property
    def events(self) -> frozenset[str]:
        """The keys of what is sampled."""
        return frozenset(self._sizes)


def _rank(event: str) -> int:
    return int.from_bytes(hashlib.blake2b(event.encode(), digest_size=8).digest())


def _sizes(select: Slices, partition: str) -> Counter[str]:
    """Give how many pairs the kept replies of each event of a partition give at most."""
    rows = select.read(partition, ["target_id", "kind", "kept"])
    kept = rows.filter(pc.field("kept") & pc.field("kind").isin(_PAIRED))
    sizes: Counter[str] = Counter()
    for target, kind in zip(kept["target_id"].to_pylist(), kept["kind"].to_pylist(), strict=True):
        sizes[_event_of(target)] += 1 if kind == ReplyKind.FAILURE else _CROSSED_PER_REPLY
    return sizes


def _event_of(target: str) -> str:
    return target.partition(".")[0]


def _kept_rows(
    build: Path, select: Slices, partitions: Sequence[str], events: frozenset[str]
) -> Iterator[tuple[list[Scenario], list[Reply]]]:
    """Give the kept scenes of some events, and their kept replies, partition by partition."""
    for partition in partitions:
        rows = select.read(partition, ["target_id", "kept"]).filter(pc.field("kept"))
        kept = {target for target in rows["target_id"].to_pylist() if _event_of(target) in events}
        if kept:
            scenarios = _chosen(read_table(build, partition, "scenarios", Scenario), "scenario_id", kept)
            replies = _chosen(read_table(build, partition, "replies", Reply), "reply_id", kept)
            paired = replies.filter(pc.field("kind").isin(_PAIRED))
            own = [one for one in rows_of(scenarios, Scenario) if not is_control(one.form_key)]
            yield own, rows_of(paired, Reply)


def _chosen(table: pa.Table, key: str, kept: set[str]) -> Any:
    return table.filter(pc.field(key).isin(sorted(kept)))
