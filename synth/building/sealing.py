"""Seal a partition: its labels and verdicts beside it, the part itself last, so that a part that exists is whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from synth.line.line import Line, Lived
from synth.records.annotations import annotations_path
from synth.records.arrow import table_of
from synth.records.durable import write_bytes
from synth.records.parquet import encode
from synth.records.parts import Prepared, commits, prepare, seal
from synth.records.schema import Annotation, Reply, Scenario, Verdict


@dataclass(frozen=True, slots=True)
class Encoded:
    """A partition as Parquet bytes, its rows hashed where they were made: what a worker process sends back."""

    scenarios: Prepared
    replies: Prepared
    annotations: bytes
    verdicts: bytes


def encode_partition(lived: Sequence[Lived]) -> Encoded:
    """Give a partition's tables as bytes, rows by (event, form)."""
    return Encoded(
        scenarios=prepare([row for one in lived for row in one.scenarios], Scenario),
        replies=prepare([row for one in lived for row in one.replies], Reply),
        annotations=encode(table_of([row for one in lived for row in one.annotations], Annotation)),
        verdicts=encode(table_of([row for one in lived for row in one.verdicts], Verdict)),
    )


def verdicts_path(build: Path, suite_digest: str, partition: str) -> Path:
    """Give where the record filters' verdicts on a partition stand."""
    return build / "verdicts" / suite_digest / f"{partition}.parquet"


def finished(build: Path) -> set[str]:
    """Give the sealed partitions whose labels stand beside them; one without them is made again, to the same bytes."""
    return {one.partition for one in commits(build) if annotations_path(build, one.partition).exists()}


def seal_encoded(build: Path, partition: str, made: Encoded, suite_digest: str, line_digest: str) -> None:
    """Write a partition's sidecars, then its part."""
    write_bytes(annotations_path(build, partition), made.annotations)
    write_bytes(verdicts_path(build, suite_digest, partition), made.verdicts)
    seal(build, partition, {"scenarios": made.scenarios, "replies": made.replies}, line_digest=line_digest)


def seal_partition(build: Path, partition: str, lived: Sequence[Lived], line: Line) -> None:
    """Encode and seal a partition."""
    made = encode_partition(lived)
    seal_encoded(build, partition, made, line.suite.digest_of([line.resources.language]), line.provenance.line_digest)
