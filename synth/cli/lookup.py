"""Find records of a build without reading the whole of it: by id, or a few of each language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from synth.errors import StorageError, UsageError

if TYPE_CHECKING:
    from synth.building.api import Record
    from synth.filters.base import Candidate
    from synth.records.parts import Commit

_NAMED: Final = 8


def find(folder: Path, wanted: str) -> Record:
    """Give the record whose scenario id is `wanted`, or the only one whose id begins so.

    Raises:
        UsageError: none or several begin so.
    """
    found: dict[str, str] = {}
    for commit in _sealed(folder):
        for name in _ids(folder, commit):
            if name == wanted:
                return _record(folder, commit.partition, wanted)
            if name.startswith(wanted):
                found[name] = commit.partition
    if len(found) == 1:
        ((name, partition),) = found.items()
        return _record(folder, partition, name)
    if found:
        listed = ", ".join(list(found)[:_NAMED])
        raise UsageError(f"{len(found)} ids begin with {wanted!r}", hint=f"say more of it: {listed}")
    raise UsageError(f"no record has the id {wanted!r}", hint=f"list some: synth inspect {folder}")


def some(folder: Path, number: int, language: str | None, *, kept: bool) -> list[Record]:
    """Give a few records, as many of each language as fit, spread over families and forms."""
    spoken = sorted({_language(commit) for commit in _sealed(folder)})
    if language is not None and language not in spoken:
        raise UsageError(f"the build has no {language!r} yet", hint=f"valid: {', '.join(spoken) or 'none'}")
    chosen = [language] if language is not None else spoken
    found: list[Record] = []
    for rank, name in enumerate(chosen):
        share = number // len(chosen) + (rank < number % len(chosen))
        found += _spread(_records(folder, name, kept), share)
    return found


def _spread(records: Iterator[Record], number: int) -> list[Record]:
    """Give `number` records at equal distances among the first thousand."""
    first = list(islice(records, 1000))
    return [first[rank * len(first) // number] for rank in range(min(number, len(first)))]


def _records(folder: Path, language: str, kept: bool) -> Iterator[Record]:
    from synth.building.judging import read_candidates

    for commit in _sealed(folder):
        if _language(commit) == language:
            for record in _decided(folder, commit.partition, read_candidates(folder, commit.partition)):
                if record.selection.kept or not kept:
                    yield record


def _record(folder: Path, partition: str, wanted: str) -> Record:
    from synth.building.judging import read_candidates

    own = [one for one in read_candidates(folder, partition) if one.scenario.scenario_id == wanted]
    found = list(_decided(folder, partition, own))
    if not found:
        raise StorageError(f"select.parquet does not know {wanted} yet", hint=f"synth close {folder}")
    return found[0]


def _decided(folder: Path, partition: str, candidates: Sequence[Candidate]) -> Iterator[Record]:
    """Give records with what select.parquet says of them; those it does not know yet are left out."""
    from synth.building.api import Record
    from synth.building.joined import open_select
    from synth.records.arrow import rows_of
    from synth.records.schema import Selection

    with open_select(folder) as select:
        known = partition in select.partitions
        decided = {row.target_id: row for row in rows_of(select.read(partition), Selection)} if known else {}
    for one in candidates:
        if selection := decided.get(one.scenario.scenario_id):
            yield Record(one.scenario, one.replies, selection)


def _sealed(folder: Path) -> Sequence[Commit]:
    from synth.building.api import load
    from synth.records.parts import commits

    load(folder)
    return commits(folder)


def _language(commit: Commit) -> str:
    return commit.partition.removeprefix("p-").rpartition("-r")[0]


def _ids(folder: Path, commit: Commit) -> Iterable[str]:
    import pyarrow.parquet as pq

    from synth.records.parts import part_folder

    if "scenarios" not in commit.files:
        return ()
    path = part_folder(folder, commit.partition) / "scenarios.parquet"
    found: list[str] = pq.read_table(path, columns=["scenario_id"], partitioning=None).column(0).to_pylist()
    return found
