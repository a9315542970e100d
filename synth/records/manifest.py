"""The manifest: what a build folder holds, rewritten at the end of each run.

It repeats the commit records, lists the ledger's shards, and names every other durable file with its SHA-256. What changes
by itself is not in it: the runs, the reviews, report.html and the lock.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa

from synth.errors import DamagedError, StorageError
from synth.records.durable import TEMPORARY, file_digest, read_json, write_bytes
from synth.records.ledger_files import LEDGER, ledger_entries
from synth.records.parts import PARTS, commits, signed, unsigned
from synth.records.schema import SCHEMA_VERSION

__all__ = ["MANIFEST", "RUNS", "durable_files", "read_manifest", "write_manifest"]

MANIFEST: Final = "manifest.json"
"""The file that says what a build folder holds."""
RUNS: Final = "runs"
"""The folder of a build that holds a record of each run."""
_VOLATILE_FILES: Final = frozenset({"report.html", ".lock"})


def write_manifest(build: Path, *, complete: bool, extra: Mapping[str, object] = MappingProxyType({})) -> None:
    """Write manifest.json: all commit records, the ledger's shards, size and SHA-256 of every other durable file of the build.

    No run may have the ledger open meanwhile.

    Raises:
        StorageError: the disk did not take it, or `extra` takes a name of the manifest's own.
        DamagedError: a commit record or a shard of the ledger is not whole.
    """
    body: dict[str, Any] = {
        "complete": complete,
        "schema_version": SCHEMA_VERSION,
        "pyarrow": pa.__version__,
        "parts": {commit.partition: commit.to_json() for commit in commits(build)},
        "ledger": ledger_entries(build),
        "files": {name: _entry(path) for name, path in durable_files(build).items() if _beside(name)},
    }
    taken = sorted(body.keys() & extra.keys())
    if taken:
        raise StorageError(f"extra fields of a manifest take its own names: {', '.join(taken)}", hint="rename them")
    write_bytes(build / MANIFEST, signed({**body, **extra}))


def read_manifest(build: Path) -> dict[str, Any]:
    """Give the manifest of a build.

    Raises:
        StorageError: there is none, or it cannot be read.
        DamagedError: it is not whole.
    """
    path = build / MANIFEST
    try:
        return unsigned(read_json(path))
    except (ValueError, DamagedError) as error:
        raise DamagedError(
            f"{path} is not a whole manifest: {error}", hint="run `synth build` again: it writes it anew"
        ) from error


def durable_files(build: Path) -> dict[str, Path]:
    """Give every file of a build but its report, reviews and lock: its path within the build -> its path, sorted."""
    found = {}
    for root, _, names in os.walk(build):
        for name in names:
            path = Path(root, name)
            found[path.relative_to(build).as_posix()] = path
    return {name: found[name] for name in sorted(found) if not _volatile(PurePosixPath(name))}


def _volatile(name: PurePosixPath) -> bool:
    return name.parts[0] == "reviews" or str(name) in _VOLATILE_FILES


def _beside(name: str) -> bool:
    """Tell whether the manifest names a file under `files`: parts are named by their commit records, shards under `ledger`."""
    elsewhere = name.startswith((f"{PARTS}/", f"{LEDGER}/", f"{RUNS}/"))
    return name != MANIFEST and not elsewhere and not name.endswith(TEMPORARY)


def _entry(path: Path) -> dict[str, object]:
    size, digest = file_digest(path)
    return {"bytes": size, "sha256": digest}
