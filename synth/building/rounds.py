"""Close a round and plan the next: set sieves in order, then what is still missing, from sealed facts only."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from synth.building.judging import judge, read_candidates, read_verdicts
from synth.filters.base import Candidate, OpenSuite, Resources
from synth.planning.casting import Slot, event_keys
from synth.planning.events import FORM_BITS
from synth.planning.inventory import Inventory
from synth.planning.rounds import Round, fresh_slots, read_slots, write_round
from synth.planning.strata import allocate, strata_of
from synth.records.arrow import rows_of, table_of
from synth.records.durable import replacing
from synth.records.labels import PowerForm
from synth.records.parquet import WRITER, read_sidecar, write_sidecar
from synth.records.parts import commits
from synth.records.schema import Verdict

LEAST_YIELD = 0.2
SLOTS_BEFORE_CLOSING = 50

ResourcesOf = Callable[[str], Resources]


@dataclass(slots=True)
class Standing:
    """Where a build stands after its closed rounds: kept and attempted records, by stratum and in all."""

    kept: Counter[str] = field(default_factory=Counter)
    attempted: Counter[str] = field(default_factory=Counter)
    slots: Counter[str] = field(default_factory=Counter)
    missing: dict[int, list[tuple[Round, Slot, int]]] = field(default_factory=lambda: defaultdict(list))

    def closed(self, stratum: str) -> bool:
        """Whether a stratum yields too little to be fed any further."""
        enough = self.slots[stratum] >= SLOTS_BEFORE_CLOSING
        return enough and self.kept[stratum] < LEAST_YIELD * self.attempted[stratum]


def set_path(build: Path, suite: OpenSuite, number: int) -> Path:
    """Give where the set sieves' verdicts on a round stand."""
    return build / "verdicts" / suite.digest / f"set-{number:04d}.parquet"


def _state_path(build: Path, suite: OpenSuite, partition: str, sieve: int) -> Path:
    return build / "verdicts" / suite.digest / f"signatures-{partition}.{sieve}.parquet"


def sealed(build: Path, made: Round) -> bool:
    """Whether every partition of a round is sealed."""
    done = {commit.partition for commit in commits(build)}
    return all(planned.name in done for planned in made.partitions)


def set_verdicts(
    build: Path, rounds: Sequence[Round], made: Round, suite: OpenSuite, resources_of: ResourcesOf
) -> list[Verdict]:
    """Give the set sieves' verdicts on a sealed round: an ordered admission after all earlier rounds, made once and kept."""
    path = set_path(build, suite, made.number)
    if path.exists():
        return rows_of(read_sidecar(path, Verdict), Verdict)
    import pyarrow.parquet as pq

    sieves = suite.set_sieves(resources_of)
    earlier = [planned.name for one in rounds if one.number < made.number for planned in one.partitions]
    for number, sieve in enumerate(sieves):
        paths = [_state_path(build, suite, name, number) for name in earlier]
        sieve.load_state(pq.read_table(state) for state in paths if state.exists())
    found: list[Verdict] = []
    for planned in made.partitions:
        admitted = list(_admissible(build, planned.name, suite, resources_of(planned.language)))
        for number, sieve in enumerate(sieves):
            found += sieve.admit(admitted)
            with replacing(_state_path(build, suite, planned.name, number)) as file:
                pq.write_table(sieve.state_table(), file, **WRITER)
    write_sidecar(path, table_of(found, Verdict))
    return found


def _admissible(build: Path, partition: str, suite: OpenSuite, resources: Resources) -> Iterator[Candidate]:
    candidates = read_candidates(build, partition)
    verdicts = read_verdicts(build, partition, suite, resources, candidates)
    for one in judge(candidates, verdicts):
        if one.kept:
            yield Candidate(one.scenario, one.replies)


def take_standing(
    build: Path, rounds: Sequence[Round], inventory: Inventory, suite: OpenSuite, resources_of: ResourcesOf
) -> Standing:
    """Give where a build stands: reads every sealed round, partition by partition."""
    standing = Standing()
    for made in rounds:
        verdicts = set_verdicts(build, rounds, made, suite, resources_of)
        dropped = {verdict.target_id for verdict in verdicts if verdict.action == "drop"}
        for planned in made.partitions:
            kept = _kept(build, planned.name, suite, resources_of(planned.language), dropped)
            _count(standing, made, inventory, read_slots(build, made.number, planned.row_group), kept)
    return standing


def _kept(build: Path, partition: str, suite: OpenSuite, resources: Resources, dropped: set[str]) -> dict[str, int]:
    """Give the kept forms of each event, as bits, with what the sealed part really has in its second half."""
    forms: dict[str, int] = defaultdict(int)
    candidates = read_candidates(build, partition)
    for one in judge(candidates, read_verdicts(build, partition, suite, resources, candidates)):
        forms[one.scenario.event_key] |= FORM_BITS[one.scenario.power_form] << _MADE
        if one.kept and one.scenario.scenario_id not in dropped:
            forms[one.scenario.event_key] |= FORM_BITS[one.scenario.power_form]
    return forms


_MADE = len(PowerForm)
_ALL = (1 << _MADE) - 1


def _count(standing: Standing, made: Round, inventory: Inventory, slots: Sequence[Slot], kept: Mapping[str, int]) -> None:
    keys = event_keys(inventory.recipe.seed, made.strata, slots)
    for slot, key in zip(slots, keys.tolist(), strict=True):
        stratum = made.strata[slot.stratum].key
        bits = kept.get(f"{key:016x}", 0)
        asked, had = bits >> _MADE, bits & _ALL
        standing.kept[stratum] += had.bit_count()
        standing.attempted[stratum] += asked.bit_count()
        standing.slots[stratum] += 1
        if lacking := asked & ~had:
            standing.missing[made.number].append((made, slot, lacking))


def plan_next(build: Path, rounds: Sequence[Round], inventory: Inventory, standing: Standing) -> Round | None:
    """Plan the next round: what the quota adds, and a replacement for what the last round did not keep; None where nothing is due.

    A replacement takes the same slot, one try higher, with the missing forms only; a slot has `tries` tries, and a stratum that yields under 20 % after 50
    slots gets no more.
    """
    strata = strata_of(inventory)
    wanted = allocate(inventory, strata, inventory.recipe.quota.records)
    before = dict(rounds[-1].counts) if rounds else {}
    number = rounds[-1].number + 1 if rounds else 1
    index = {stratum.key: n for n, stratum in enumerate(strata)}
    again = _replacements(standing, rounds[-1].number if rounds else 0, inventory.recipe.tries, index)
    slots: dict[str, Iterable[Slot]] = {}
    for language in inventory.recipe.languages:
        own = [slot for slot in again if strata[slot.stratum].get("language") == language]
        slots[language] = _chained(own, fresh_slots(inventory, strata, before, wanted, language))
    counts = before | {s.key: max(before.get(s.key, 0), wanted[n]) for n, s in enumerate(strata)}
    return write_round(build, number, inventory, strata, counts, slots)


def _chained(first: Iterable[Slot], then: Iterable[Slot]) -> Iterator[Slot]:
    yield from first
    yield from then


def _replacements(standing: Standing, last: int, tries: int, index: Mapping[str, int]) -> list[Slot]:
    found = []
    for made, slot, lacking in standing.missing.get(last, []):
        stratum = made.strata[slot.stratum].key
        if slot.replacement + 1 < tries and stratum in index and not standing.closed(stratum):
            found.append(Slot(index[stratum], slot.ordinal, slot.replacement + 1, lacking))
    return found
