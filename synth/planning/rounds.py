"""Rounds on disk: which slots are to be made, in which partition, with the content they were planned from.

`plan/round-0001.parquet` holds one row for each event (stratum, ordinal, replacement, forms; under 100 bytes a cell), one row group for each partition;
`plan/round-0001.json`, written after it, holds the strata, the pinned content and the partitions: a round without it does not exist.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from synth.content.scenarios import FOLDER
from synth.content.shelves import Shelves
from synth.planning.casting import Slot
from synth.planning.events import FORM_BITS
from synth.planning.inventory import Inventory, take_stock
from synth.planning.strata import Stratum, forms_of
from synth.recipe import Recipe
from synth.records.durable import read_json, write_bytes, write_json

_SCHEMA: Final = pa.schema(
    [
        pa.field("stratum", pa.int32(), nullable=False),
        pa.field("ordinal", pa.int32(), nullable=False),
        pa.field("replacement", pa.int16(), nullable=False),
        pa.field("forms", pa.int16(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class PlannedPartition:
    """A partition of a round: a language's block of consecutive events."""

    name: str
    language: str
    row_group: int
    events: int
    records: int


@dataclass(frozen=True, slots=True)
class Round:
    """One round: its strata, how many ordinals of each are planned so far, its partitions, what it was planned from."""

    number: int
    strata: tuple[Stratum, ...]
    counts: Mapping[str, int]
    profiles: Mapping[str, tuple[str, ...]]
    content: Mapping[str, str]
    partitions: tuple[PlannedPartition, ...]


def stock_of(recipe: Recipe, shelves: Shelves, made: Round) -> Inventory:
    """Give what a round was planned from: its languages, families and profiles, whatever the recipe names by now."""
    prefix = f"{FOLDER}/"
    families = [name.removeprefix(prefix).removesuffix(".yaml") for name in made.content if name.startswith(prefix)]
    own = {"languages": tuple(made.profiles), "families": tuple(families), "profiles": ()}
    return take_stock(recipe.model_copy(update=own), shelves, profile_names=made.profiles)


def whole_forms(inventory: Inventory, family: str) -> int:
    """Give the bits of all forms of a family that the recipe wants."""
    return sum(FORM_BITS[form] for form in forms_of(inventory, family))


def every_form(inventory: Inventory, stratum: Stratum) -> int:
    """Give the bits of an event's forms: those of its family, or all that the recipe wants where the family is drawn."""
    family = stratum.get("family")
    return whole_forms(inventory, family) if family else sum(FORM_BITS[form] for form in inventory.recipe.forms)


def fresh_slots(
    inventory: Inventory, strata: Sequence[Stratum], before: Mapping[str, int], after: Sequence[int], language: str
) -> Iterator[Slot]:
    """Give the slots of a language that a quota adds: ordinal by ordinal, stratum by stratum."""
    own = [
        (n, s, before.get(s.key, 0), every_form(inventory, s))
        for n, s in enumerate(strata)
        if s.get("language") == language
    ]
    first = min((start for _, _, start, _ in own), default=0)
    last = max((after[n] for n, _, _, _ in own), default=0)
    for ordinal in range(first, last):
        for number, _, start, forms in own:
            if start <= ordinal < after[number]:
                yield Slot(number, ordinal, 0, forms)


def blocks(slots: Iterable[Slot], records: int) -> Iterator[list[Slot]]:
    """Give consecutive slots in blocks of about `records` records; an event is never split."""
    block: list[Slot] = []
    held = 0
    for slot in slots:
        size = slot.forms.bit_count()
        if block and held + size > records:
            yield block
            block, held = [], 0
        block.append(slot)
        held += size
    if block:
        yield block


def write_round(
    build: Path,
    number: int,
    inventory: Inventory,
    strata: Sequence[Stratum],
    counts: Mapping[str, int],
    slots: Mapping[str, Iterable[Slot]],
) -> Round | None:
    """Write a round durably and give it; None where there is nothing in it."""
    sink = io.BytesIO()
    partitions: list[PlannedPartition] = []
    with pq.ParquetWriter(sink, _SCHEMA, compression="zstd", compression_level=3) as writer:
        for language in sorted(slots):
            for index, block in enumerate(blocks(slots[language], inventory.recipe.partition)):
                writer.write_table(_table(block), row_group_size=len(block))
                records = sum(slot.forms.bit_count() for slot in block)
                name = f"p-{language}-r{number:04d}-b{index:05d}"
                partitions.append(PlannedPartition(name, language, len(partitions), len(block), records))
    if not partitions:
        return None
    profiles = {language: tuple(p.profile for p in group) for language, group in inventory.profiles.items()}
    made = Round(number, tuple(strata), dict(counts), profiles, inventory.pins(), tuple(partitions))
    write_bytes(_path(build, number, "parquet"), sink.getvalue())
    write_json(_path(build, number, "json"), _to_json(made))
    return made


def _table(block: Sequence[Slot]) -> pa.Table:
    columns = [[getattr(slot, name) for slot in block] for name in _SCHEMA.names]
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA)


def _path(build: Path, number: int, kind: str) -> Path:
    return build / "plan" / f"round-{number:04d}.{kind}"


def _to_json(made: Round) -> dict[str, Any]:
    return {
        "round": made.number,
        "strata": [json.loads(s.key) for s in made.strata],
        "counts": dict(made.counts),
        "profiles": {language: list(names) for language, names in made.profiles.items()},
        "content": dict(made.content),
        "partitions": [[p.name, p.language, p.row_group, p.events, p.records] for p in made.partitions],
    }


def read_rounds(build: Path) -> list[Round]:
    """Give the rounds of a build folder, in order; raise StorageError where one cannot be read."""
    folder = build / "plan"
    numbers = sorted(int(path.stem[6:]) for path in folder.iterdir() if _is_round(path)) if folder.is_dir() else []
    return [_from_json(read_json(_path(build, number, "json"))) for number in numbers]


def _is_round(path: Path) -> bool:
    return path.suffix == ".json" and path.stem.startswith("round-") and path.stem[6:].isdecimal()


def _from_json(value: Mapping[str, Any]) -> Round:
    strata = tuple(
        Stratum(tuple((name, str(option)) for name, option in sorted(factors.items()))) for factors in value["strata"]
    )
    return Round(
        number=value["round"],
        strata=strata,
        counts=value["counts"],
        profiles={language: tuple(names) for language, names in value["profiles"].items()},
        content=value["content"],
        partitions=tuple(PlannedPartition(*entry) for entry in value["partitions"]),
    )


def read_slots(build: Path, number: int, row_group: int) -> list[Slot]:
    """Give the slots of one partition of a round."""
    with pq.ParquetFile(_path(build, number, "parquet")) as file:
        columns = file.read_row_group(row_group).to_pydict()
    return [Slot(*row) for row in zip(*(columns[name] for name in _SCHEMA.names), strict=True)]
