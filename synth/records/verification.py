"""What `synth verify` checks: that a build folder holds what its records say, and nothing else. No network, no key.

Order: leftovers, manifest, parts, ledger, runs, foreign files, then the rows of every part that is whole, then select.parquet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from synth.errors import StorageError, UsageError
from synth.records.arrow import rows_of
from synth.records.consistency import reply_faults, scenario_faults
from synth.records.durable import TEMPORARY, file_digest, read_bytes, read_json
from synth.records.ledger_files import LEDGER, is_open, is_shard, open_faults, shard_beside
from synth.records.manifest import MANIFEST, RUNS, durable_files, read_manifest
from synth.records.parquet import footer_rows, read_sidecar
from synth.records.parts import COMMIT, PARTS, Commit, FileRecord, read_commit, read_table
from synth.records.schema import Reply, Scenario, Selection

__all__ = ["Fault", "verify"]

_REBUILD_PART: Final = (
    "delete the folder of this part and run `synth build` again: the ledger answers, nothing is paid twice"
)
_RUN_AGAIN: Final = "run `synth build` again: it finishes what was cut off and writes the manifest anew"
_RESTORE: Final = "bring the file back from a copy, or delete it and run `synth build` again"
_MADE_SO: Final = (
    "no byte is damaged, the rows were made so: please report it, then build this part again with a corrected synth"
)
_RESTORE_LEDGER: Final = (
    "if a run was cut off, run `synth build` again: it writes the manifest anew; else bring the file back from a copy, or "
    "delete it: what it answered is paid again where it has to be asked again"
)
_SHOWN: Final = 5
_RUN: Final = re.compile(rf"{RUNS}/\d{{4,}}\.json")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is not as recorded: where (path within the build), what, and what to do."""

    path: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}\n  {self.fix}"


def verify(build: Path) -> list[Fault]:
    """Give every fault of a build folder, sorted by path; an empty list means that it is what its records say.

    Raises:
        UsageError: there is no such folder, or it is no build.
    """
    if not (build / MANIFEST).is_file() and not (build / PARTS).is_dir():
        raise UsageError(f"{build} is no build folder", hint=f"valid: a folder that holds {PARTS}/ or {MANIFEST}")
    found = _Verification(build, durable_files(build))
    found.leftovers()
    found.manifest()
    found.parts()
    found.ledger()
    found.runs()
    found.foreign()
    found.rows()
    found.selection()
    return sorted(set(found.faults))


@dataclass(slots=True)
class _Verification:
    """The state of one verification: what stands there, what a record names, what is whole, what is wrong."""

    build: Path
    present: dict[str, Path]
    named: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    whole: list[Commit] = field(default_factory=list)
    listed: Mapping[str, Any] | None = None
    shards: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    target_ids: list[pa.ChunkedArray] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def report(self, path: str, what: str, fix: str) -> None:
        self.faults.append(Fault(path, what, fix))
        self.broken.add(path)

    def leftovers(self) -> None:
        for path in self.present:
            if path.endswith(TEMPORARY):
                self.named.add(path)
                self.report(path, "a write was cut off here", "delete it, or run `synth build` again: it sweeps them")

    def manifest(self) -> None:
        self.named.add(MANIFEST)
        try:
            self.listed = read_manifest(self.build)
            files = {path: _expected(entry) for path, entry in self.listed["files"].items()}
            parts = {str(name): dict(record) for name, record in self.listed["parts"].items()}
            shards = {f"{LEDGER}/{name}": _shard(entry) for name, entry in self.listed["ledger"].items()}
        except (StorageError, KeyError, TypeError, AttributeError) as error:
            self.listed = None
            self.report(MANIFEST, _first_line(error), _RUN_AGAIN)
            return
        self.shards = shards
        for path, (size, digest) in files.items():
            self.file(path, size, digest, _RESTORE)
        for name in parts:
            if f"{PARTS}/{name}/{COMMIT}" not in self.present:
                self.report(
                    f"{PARTS}/{name}/{COMMIT}", "the file is missing, and the manifest lists its part", _REBUILD_PART
                )

    def file(self, path: str, size: int, digest: str, fix: str) -> bool:
        """Check one recorded file: it stands there, with the size and the SHA-256 of its record."""
        self.named.add(path)
        if path not in self.present:
            self.report(path, "the file is missing", fix)
            return False
        try:
            found = file_digest(self.present[path])
        except StorageError as error:
            self.report(path, error.message, error.hint)
            return False
        if found == (size, digest):
            return True
        changed = f"{found[0]} bytes stand where {size} were written" if found[0] != size else "its SHA-256 differs"
        self.report(path, f"the file is not the one that was written: {changed}", fix)
        return False

    def parts(self) -> None:
        suffix = f"/{COMMIT}"
        for path in self.present:
            if path.startswith(f"{PARTS}/") and path.endswith(suffix) and path.count("/") == 2:
                self.part(path.split("/")[1])

    def part(self, partition: str) -> None:
        own = f"{PARTS}/{partition}/{COMMIT}"
        self.named.add(own)
        try:
            commit = read_commit(self.build, partition)
        except StorageError as error:
            self.named.update(path for path in self.present if path.startswith(f"{PARTS}/{partition}/"))
            self.report(own, _first_line(error), _REBUILD_PART)
            return
        listed = (self.listed or {}).get("parts", {}).get(partition)
        if listed is not None and listed != commit.to_json():
            self.report(own, "the commit record is not the one that the manifest repeats", _REBUILD_PART)
            return
        good = [self.shard(f"{PARTS}/{partition}/{name}.parquet", record) for name, record in commit.files.items()]
        if all(good):  # a list, so that every file is looked at
            self.whole.append(commit)

    def shard(self, path: str, record: FileRecord) -> bool:
        """Check one Parquet file of a part: its bytes, then the rows that its footer says."""
        if not self.file(path, record.bytes, record.sha256, _REBUILD_PART):
            return False
        try:
            rows = footer_rows(read_bytes(self.present[path]), source=path)
        except StorageError as error:
            self.report(path, error.message, _REBUILD_PART)
            return False
        if rows == record.rows:
            return True
        self.report(path, f"its footer says {rows} rows, its commit record {record.rows}", _REBUILD_PART)
        return False

    def ledger(self) -> None:
        """Check the ledger: a shard that is frozen as when it was listed by its digest, any other by SQLite's own check."""
        standing = [path for path in self.present if path.startswith(f"{LEDGER}/")]
        for path in sorted({*self.shards, *standing}):
            name = path.removeprefix(f"{LEDGER}/")
            beside = shard_beside(name)
            if path in self.shards or is_shard(name):
                self.ledger_shard(path, self.shards.get(path, {"answers": 0}))
            elif beside is not None and f"{LEDGER}/{beside}" in self.present:
                self.named.add(path)

    def ledger_shard(self, path: str, listed: Mapping[str, Any]) -> None:
        self.named.add(path)
        if path not in self.present:
            self.report(path, "the file is missing, and the manifest lists it", _RESTORE_LEDGER)
            return
        try:
            if "sha256" in listed and not is_open(self.present[path]):
                self.file(path, listed["bytes"], listed["sha256"], _RESTORE_LEDGER)
                return
            found = open_faults(self.present[path], listed["answers"])
        except StorageError as error:
            found = [error.message]
        for what in found:
            self.report(path, what, _RESTORE_LEDGER)

    def runs(self) -> None:
        """Check that the records of runs can be read."""
        for path in self.present:
            if not _RUN.fullmatch(path):
                continue
            self.named.add(path)
            try:
                read_json(self.present[path])
            except StorageError as error:
                self.report(path, error.message, "delete it: it says when a run was and what it cost, nothing needs it")

    def foreign(self) -> None:
        for path in self.present:
            if path in self.named:
                continue
            if path.startswith((f"{LEDGER}/", f"{RUNS}/")):
                self.report(path, "this is no file of synth's", "move it out of the build folder")
            elif path.startswith(f"{PARTS}/") and path.count("/") == 2:
                self.report(
                    path, "no commit record names this file", f"{_RUN_AGAIN}; if it is none of synth's, delete it"
                )
            elif self.listed is not None:
                self.report(
                    path,
                    "no record names this file",
                    f"if synth wrote it, {_RUN_AGAIN}; else move it out of the build folder",
                )

    def rows(self) -> None:
        for commit in self.whole:
            path = f"{PARTS}/{commit.partition}"
            try:
                scenarios = read_table(self.build, commit.partition, "scenarios", Scenario)
                replies = read_table(self.build, commit.partition, "replies", Reply)
                self.consistent(path, rows_of(scenarios, Scenario), rows_of(replies, Reply))
            except StorageError as error:
                self.report(path, error.message, error.hint)
                continue
            self.target_ids += [scenarios.column("scenario_id"), replies.column("reply_id")]

    def consistent(self, path: str, scenarios: list[Scenario], replies: list[Reply]) -> None:
        for scenario in scenarios:
            for what in scenario_faults(scenario):
                self.report(f"{path}/scenarios.parquet", what, _MADE_SO)
        for what in reply_faults(replies, (scenario.scenario_id for scenario in scenarios)):
            self.report(f"{path}/replies.parquet", what, _MADE_SO)

    def selection(self) -> None:
        """Check that select.parquet names scenarios and replies of the build only; needs every part whole."""
        path = "select.parquet"
        parts_broken = any(name.startswith(f"{PARTS}/") for name in self.broken)
        if path not in self.present or path in self.broken or parts_broken:
            return
        try:
            targets = read_sidecar(self.build / path, Selection).column("target_id")
        except StorageError as error:
            self.report(path, error.message, "run `synth close`: it writes the file anew")
            return
        known = pa.chunked_array([chunk for ids in self.target_ids for chunk in ids.chunks], pa.string())
        unknown = targets.filter(pc.invert(pc.is_in(targets, value_set=known))).unique().to_pylist()
        if unknown:
            more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
            names = ", ".join(unknown[:_SHOWN]) + more
            self.report(
                path,
                f"it names no scenario or reply of this build: {names}",
                "run `synth close`: it writes the file anew",
            )


def _expected(entry: Mapping[str, Any]) -> tuple[int, str]:
    return entry["bytes"], entry["sha256"]


def _shard(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(entry["answers"], int) or ("sha256" in entry) != ("bytes" in entry):
        raise TypeError(f"no entry of a shard: {entry!r}")
    return entry


def _first_line(error: Exception) -> str:
    return error.message if isinstance(error, StorageError) else f"it has not the form of a manifest: {error!r}"
