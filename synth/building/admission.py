"""Judge a sealed round: every record with the word of every filter, one partition in memory at a time.

Set sieves run once over a round, in order, after all earlier rounds. Their verdicts are kept in verdicts/DIGEST/set-0001.parquet, one row group for each
partition, as in the round's plan; DIGEST is of the suite with the lexicons of all languages up to this round, for what a sieve admits depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from synth.building.judging import Judged, judge, read_candidates, read_said, read_verdicts
from synth.errors import DamagedError
from synth.filters.base import Candidate, Filter, OpenSuite, Resources, SetSieve, Stage, admit
from synth.planning.rounds import PlannedPartition, Round
from synth.records.arrow import rows_of, schema_of, table_of, upcast
from synth.records.durable import replacing
from synth.records.parquet import WRITER
from synth.records.schema import Verdict

ResourcesOf = Callable[[str], Resources]


def set_path(build: Path, rounds: Sequence[Round], made: Round, suite: OpenSuite) -> Path:
    """Give where the set sieves' verdicts on a round stand."""
    return _folder(build, rounds, made, suite) / f"set-{made.number:04d}.parquet"


def _folder(build: Path, rounds: Sequence[Round], made: Round, suite: OpenSuite) -> Path:
    spoken = {planned.language for one in rounds if one.number <= made.number for planned in one.partitions}
    return build / "verdicts" / suite.digest_of(sorted(spoken))


def judged_round(
    build: Path, rounds: Sequence[Round], made: Round, suite: OpenSuite, resources_of: ResourcesOf
) -> Iterator[tuple[PlannedPartition, list[Judged]]]:
    """Give each partition of a sealed round with its records, as every filter judges them.

    Where the set sieves have not judged this round they do so now; walk it to its end, for only then their verdicts are kept.
    """
    path = set_path(build, rounds, made, suite)
    if not path.exists():
        yield from _admitted(build, rounds, made, suite, resources_of)
        return
    for planned in made.partitions:
        candidates = read_candidates(build, planned.name)
        own = read_verdicts(build, planned.name, suite, resources_of(planned.language), candidates)
        found = _read_group(path, planned.row_group)
        yield planned, list(judge(candidates, read_said(build, planned.name), [*own, *found]))


def _admitted(
    build: Path, rounds: Sequence[Round], made: Round, suite: OpenSuite, resources_of: ResourcesOf
) -> Iterator[tuple[PlannedPartition, list[Judged]]]:
    sieves = _open_sieves(build, rounds, made, suite, resources_of)
    folder = _folder(build, rounds, made, suite)
    with _groups(set_path(build, rounds, made, suite)) as keep:
        for planned in made.partitions:
            candidates = read_candidates(build, planned.name)
            said = read_said(build, planned.name)
            own = read_verdicts(build, planned.name, suite, resources_of(planned.language), candidates)
            found = _admit(folder, planned.name, sieves, judge(candidates, said, own))
            keep(found)
            yield planned, list(judge(candidates, said, [*own, *found]))


def _open_sieves(
    build: Path, rounds: Sequence[Round], made: Round, suite: OpenSuite, resources_of: ResourcesOf
) -> list[tuple[Filter, SetSieve]]:
    """Give the set sieves of a suite with the state that all earlier rounds left."""
    filters = [one for one, _ in suite.at(Stage.SET)]
    sieves = list(zip(filters, suite.set_sieves(resources_of), strict=True))
    earlier = [
        (_folder(build, rounds, one, suite), planned.name)
        for one in rounds
        if one.number < made.number
        for planned in one.partitions
    ]
    for number, (_, sieve) in enumerate(sieves):
        paths = [_state_path(folder, name, number) for folder, name in earlier]
        sieve.load_state(pq.read_table(state) for state in paths if state.exists())
    return sieves


def _admit(
    folder: Path, partition: str, sieves: Sequence[tuple[Filter, SetSieve]], judged: Iterable[Judged]
) -> list[Verdict]:
    """Give the verdicts of every sieve on a partition's kept records, and keep what these leave behind."""
    admissible = [Candidate(one.scenario, one.replies) for one in judged if one.kept]
    found: list[Verdict] = []
    for number, (made_by, sieve) in enumerate(sieves):
        found += admit(made_by, sieve, admissible)
        with replacing(_state_path(folder, partition, number)) as file:
            pq.write_table(sieve.state_table(), file, **WRITER)
    return found


def _state_path(folder: Path, partition: str, sieve: int) -> Path:
    return folder / f"signatures-{partition}.{sieve}.parquet"


@contextmanager
def _groups(path: Path) -> Iterator[Callable[[list[Verdict]], None]]:
    """Give what writes one partition's verdicts as the next row group; the file stands once the block ends."""
    settings = {name: value for name, value in WRITER.items() if name != "row_group_size"}
    with replacing(path) as file, pq.ParquetWriter(file, schema_of(Verdict), **settings) as writer:
        yield lambda verdicts: writer.write_table(table_of(verdicts, Verdict), max(1, len(verdicts)))


def _read_group(path: Path, row_group: int) -> list[Verdict]:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read_row_group(row_group)
    except (pa.ArrowException, OSError, IndexError) as error:
        hint = "delete this file and run `synth build` again: it is made anew from the sealed parts"
        raise DamagedError(f"{path} cannot be read: {error}", hint=hint) from error
    version = (table.schema.metadata or {}).get(b"schema_version", b"")
    return rows_of(upcast(table, Verdict, version.decode(errors="replace")), Verdict)
