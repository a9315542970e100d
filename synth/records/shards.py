"""The face of what a build stores: seal, commit, verify, read. Other rooms import from here.

Bytes reach the disk in `durable`, tables become Parquet in `parquet`, parts are sealed in `parts`, the folder is listed
in `manifest` and checked in `verification`.
"""

from __future__ import annotations

from synth.records.durable import read_json, sweep, write_bytes, write_json
from synth.records.manifest import read_manifest, write_manifest
from synth.records.parquet import WRITER, decode, encode, read_sidecar, write_sidecar
from synth.records.parts import Commit, FileRecord, commits, read_commit, read_table, seal
from synth.records.verification import Fault, verify

__all__ = [
    "WRITER",
    "Commit",
    "Fault",
    "FileRecord",
    "commits",
    "decode",
    "encode",
    "read_commit",
    "read_json",
    "read_manifest",
    "read_sidecar",
    "read_table",
    "seal",
    "sweep",
    "verify",
    "write_bytes",
    "write_json",
    "write_manifest",
    "write_sidecar",
]
