"""Bytes that are on the disk whole or not at all: a temporary file, fsync, rename, fsync of the folder.

A file under its own name is always complete. What a crash can leave is `NAME.tmp`, which `sweep` removes.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from synth.errors import DamagedError, StorageError

__all__ = [
    "TEMPORARY",
    "canonical_json",
    "disk_error",
    "file_digest",
    "read_bytes",
    "read_json",
    "replacing",
    "sweep",
    "write_bytes",
    "write_json",
]

TEMPORARY: Final = ".tmp"
"""The ending of a file that is being written."""

_RESUME: Final = "then run the same command again: what is sealed stays, and no answered call is paid twice"
_WHAT_TO_DO: Final = {
    errno.ENOSPC: f"free space on that disk, {_RESUME}",
    errno.EDQUOT: f"free space within the quota, {_RESUME}",
    errno.EFBIG: f"raise the limit on file size (ulimit -f), {_RESUME}",
    errno.EACCES: f"let this user write there, {_RESUME}",
    errno.EPERM: f"let this user write there, {_RESUME}",
    errno.EROFS: f"mount that disk for writing, {_RESUME}",
    errno.ENAMETOOLONG: "choose a build folder with a shorter path",
    errno.ENOENT: "check the path; a file of a build comes back when the build is run again",
}
_NO_FOLDER_SYNC: Final = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}


def write_bytes(path: Path, data: bytes) -> None:
    """Put `data` at `path`, durably and atomically; folders are made as needed.

    Raises:
        StorageError: the disk did not take it. What stood at `path` before stands there still.
    """
    with replacing(path) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to, which stands at `path` once the block ends without an error, durably and atomically.

    Raises:
        StorageError: the disk did not take it. What stood at `path` before stands there still.
    """
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        _make_folder(path.parent)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise disk_error("write", path, error) from error
        raise


def write_json(path: Path, value: Any) -> None:
    """Put `value` at `path` as canonical JSON, durably and atomically.

    Raises:
        StorageError: the disk did not take it.
    """
    write_bytes(path, canonical_json(value))


def canonical_json(value: Any) -> bytes:
    """Give the one JSON text of a value: sorted keys, two blanks of indent, UTF-8, a newline at the end."""
    return (json.dumps(value, sort_keys=True, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def read_bytes(path: Path) -> bytes:
    """Give the bytes of a file.

    Raises:
        StorageError: the file is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise disk_error("read", path, error) from error


def read_json(path: Path) -> dict[str, Any]:
    """Give the object of a JSON file.

    Raises:
        StorageError: the file is missing or cannot be read.
        DamagedError: it holds no JSON object.
    """
    try:
        value = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path} is no JSON: {error}", hint="run `synth verify` on the build") from error
    if not isinstance(value, dict):
        raise DamagedError(f"{path} holds no JSON object", hint="run `synth verify` on the build")
    return value


def file_digest(path: Path) -> tuple[int, str]:
    """Give the size in bytes and the SHA-256 of a file, without holding it in memory.

    Raises:
        StorageError: the file is missing or cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return file.tell(), digest
    except OSError as error:
        raise disk_error("read", path, error) from error


def sweep(folder: Path) -> list[Path]:
    """Remove what crashed writes left anywhere under `folder`, and give the removed paths, sorted.

    Raises:
        StorageError: a leftover cannot be removed.
    """
    found = sorted(Path(root, name) for root, _, names in os.walk(folder) for name in names if name.endswith(TEMPORARY))
    for path in found:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise disk_error("remove", path, error) from error
    return found


def disk_error(verb: str, path: Path, error: OSError) -> StorageError:
    """Give the error for people: what failed, where, the system's own word for it, and what to do."""
    code = errno.errorcode.get(error.errno or 0, "no code")
    hint = _WHAT_TO_DO.get(error.errno or 0, f"check that disk, {_RESUME}")
    return StorageError(f"cannot {verb} {path}: {error.strerror or error} ({code})", hint=hint)


def _make_folder(folder: Path) -> None:
    """Make a folder so that its own entry is durable too."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable, where the system lets a folder be opened (Windows does not) and synced."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)
