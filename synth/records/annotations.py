"""The labels that stand beside a sealed partition: where they lie, and how they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow.compute as pc

from synth.records.arrow import rows_of
from synth.records.labels import AnnotatorKind
from synth.records.parquet import read_sidecar
from synth.records.schema import Annotation

__all__ = ["ANNOTATIONS", "annotations_path", "read_annotations"]

ANNOTATIONS: Final = "annotations/0001"
"""The folder of all labels within a build."""


def annotations_path(build: Path, partition: str) -> Path:
    """Give where the labels of a partition stand."""
    return build / ANNOTATIONS / f"{partition}.parquet"


def read_annotations(build: Path, partition: str) -> list[Annotation]:
    """Give what models and persons said of a partition, in its order; looked-up labels stay on the disk, for no figure is made of them.

    Raises:
        StorageError: the file is missing, cannot be read, or is of a newer or another schema.
        DamagedError: its bytes are no Parquet.
    """
    table = read_sidecar(annotations_path(build, partition), Annotation)
    return rows_of(table.filter(pc.field("annotator_kind") != str(AnnotatorKind.LOOKUP)), Annotation)
