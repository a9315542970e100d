"""The manifest: what a build folder holds, rewritten at the end of each run.

It repeats the commit records and names every other durable file with its SHA-256. What changes by itself is not in it:
the ledger, the runs, the reviews, report.html and lock files.
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
from synth.records.parts import PARTS, commits, signed, unsigned
from synth.records.schema import SCHEMA_VERSION

__all__ = ["MANIFEST", "durable_files", "read_manifest", "write_manifest"]

MANIFEST: Final = "manifest.json"
"""The file that says what a build folder holds."""
_VOLATILE_FOLDERS: Final = frozenset({"ledger", "runs", "reviews"})
_VOLATILE_FILES: Final = frozenset({"report.html"})


def write_manifest(build: Path, *, complete: bool, extra: Mapping[str, object] = MappingProxyType({})) -> None:
    """Write manifest.json: all commit records, and size and SHA-256 of every other durable file of the build.

    Raises:
        StorageError: the disk did not take it, or `extra` takes a name of the manifest's own.
        DamagedError: a commit record is not whole.
    """
    body: dict[str, Any] = {
        "complete": complete,
        "schema_version": SCHEMA_VERSION,
        "pyarrow": pa.__version__,
        "parts": {commit.partition: commit.to_json() for commit in commits(build)},
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
    """Give every file of a build that may not change by itself: its path within the build -> its path, sorted."""
    found = {}
    for root, _, names in os.walk(build):
        for name in names:
            path = Path(root, name)
            found[path.relative_to(build).as_posix()] = path
    return {name: found[name] for name in sorted(found) if not _volatile(PurePosixPath(name))}


def _volatile(name: PurePosixPath) -> bool:
    return name.parts[0] in _VOLATILE_FOLDERS or str(name) in _VOLATILE_FILES or name.name.endswith(".lock")


def _beside(name: str) -> bool:
    """Tell whether the manifest names a file itself: parts are named by their commit records."""
    return name != MANIFEST and not name.startswith(f"{PARTS}/") and not name.endswith(TEMPORARY)


def _entry(path: Path) -> dict[str, object]:
    size, digest = file_digest(path)
    return {"bytes": size, "sha256": digest}
