"""What a build stands on in this place: Python, the package that is imported, content, disk, locks, open files."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import synth
from synth.building.findings import Finding, State
from synth.building.folder import locked
from synth.content.shelves import FOLDERS, ShelfFile, Shelves
from synth.errors import LockedError, SynthError

DISTRIBUTION: Final = "humane-synth"
GIGABYTE: Final = 1_000_000_000
LEAST_DISK: Final = 1 * GIGABYTE
SCARCE_DISK: Final = 10 * GIGABYTE

OPEN_BESIDE_CALLS: Final = 256
"""Files that a build may hold open beside its connections: 64 ledger shards of three files each, parts, libraries."""


def examine_installation(shelves: Shelves, folder: Path, max_in_flight: int) -> list[Finding]:
    """Give what is found of this installation; `folder` is where a build would be written."""
    return [
        check_version(),
        check_package(Path(synth.__file__), owners("synth"), [Path.cwd(), *map(Path, filter(None, sys.path))]),
        check_content(shelves),
        check_disk(folder, shutil.disk_usage(nearest_folder(folder)).free),
        check_locks(),
        check_open_files(open_file_limit(), max_in_flight),
    ]


def check_version() -> Finding:
    """Say which version runs on which Python."""
    return Finding("version", State.OK, f"synth {synth.__version__}, Python {platform.python_version()}")


def owners(package: str) -> list[str]:
    """Give the installed distributions that own a top-level package of that name."""
    return sorted(set(importlib.metadata.packages_distributions().get(package, ())))


def check_package(init: Path, distributions: Iterable[str], search: Iterable[Path]) -> Finding:
    """Say which `synth` was imported, and whether another one is in its way.

    Args:
        init: The file of the imported package.
        distributions: Those that own a top-level `synth`.
        search: The folders in which Python looks, the current one first.
    """
    ours = init.resolve()
    foreign = sorted(set(distributions) - {DISTRIBUTION})
    if foreign:
        advice = f"use an environment of its own: pip uninstall {' '.join(foreign)}, then install {DISTRIBUTION} again"
        return Finding("package", State.FAULT, f"{', '.join(foreign)} owns a package `synth` too", advice)
    others = [path for path in _packages(search) if path.resolve() != ours]
    if others:
        advice = "a program that is started there imports that one: rename it, or work in another folder"
        return Finding("package", State.WARNING, f"{ours.parent}; another `synth` stands at {others[0]}", advice)
    return Finding("package", State.OK, str(ours.parent))


def _packages(search: Iterable[Path]) -> Iterable[Path]:
    for folder in search:
        for path in (folder / "synth/__init__.py", folder / "synth.py"):
            if path.is_file():
                yield path


def check_content(shelves: Shelves) -> Finding:
    """Say where content comes from, how much there is, and its digest: equal digests are equal content."""
    files = [file for folder in FOLDERS for file in shelves.files(folder, "")]
    built_in = next((file for file in files if file.layer == "built-in"), None)
    if built_in is None:
        advice = f"install {DISTRIBUTION} again; a checkout needs {', '.join(FOLDERS)} beside synth"
        return Finding("content", State.FAULT, "the built-in content is missing", advice)
    source = "the installed package" if "_data" in built_in.path.parts else "the checkout"
    laid = [f"{_count_in(files, str(overlay))} from {overlay}" for overlay in shelves.overlays]
    seen = f"{len(files):,} files, of {source}{''.join(f', {one}' for one in laid)}; digest {_digest(files)}"
    return Finding("content", State.OK, seen)


def _count_in(files: Sequence[ShelfFile], layer: str) -> int:
    return sum(file.layer == layer for file in files)


def _digest(files: Sequence[ShelfFile]) -> str:
    whole = hashlib.blake2b(digest_size=8)
    for file in files:
        whole.update(f"{file.name} {file.digest}\n".encode())
    return whole.hexdigest()


def nearest_folder(folder: Path) -> Path:
    """Give the folder, or the nearest one above it that is there."""
    path = folder.absolute()
    return next(one for one in (path, *path.parents) if one.is_dir())


def check_disk(folder: Path, free: int) -> Finding:
    """Say how many bytes are free where a build would be written."""
    seen = f"{free / GIGABYTE:,.1f} GB free for {folder}"
    advice = "make room, or name another folder with -o"
    if free < LEAST_DISK:
        return Finding("disk", State.FAULT, seen, advice)
    return Finding("disk", State.WARNING, seen, advice) if free < SCARCE_DISK else Finding("disk", State.OK, seen)


def check_locks() -> Finding:
    """Say whether a lock that is held keeps a second holder out, in a folder for temporary files."""
    advice = "build on a local disk: this one keeps no locks, so two builds could write into one folder"
    try:
        with tempfile.TemporaryDirectory() as name, locked(Path(name)):
            try:
                with locked(Path(name)):
                    return Finding("locks", State.FAULT, "a lock that was held could be taken again", advice)
            except LockedError:
                return Finding("locks", State.OK, "a held lock keeps others out")
    except (SynthError, OSError) as error:
        return Finding("locks", State.FAULT, f"no lock could be taken: {error}", "make the temporary folder writable")


def open_file_limit() -> int | None:
    """Give how many files this process may hold open, None where the system sets no such limit."""
    try:
        import resource
    except ImportError:
        return None
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def check_open_files(limit: int | None, max_in_flight: int) -> Finding:
    """Say whether this process may hold as many files open as so many calls at a time need."""
    needed = max_in_flight + OPEN_BESIDE_CALLS
    if limit is None or limit >= needed:
        return Finding(
            "open files", State.OK, f"{'no limit' if limit is None else f'{limit:,}'}, and {needed:,} are enough"
        )
    seen = f"the limit is {limit:,}, and {max_in_flight:,} calls at a time may need {needed:,}"
    return Finding("open files", State.FAULT, seen, f"ulimit -n {needed}, or ask for fewer with --max-in-flight")
