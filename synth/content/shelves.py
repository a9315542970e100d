"""Find content: the packed or checked-out folders, with a person's overlays laid over them by relative path."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Final

from synth.errors import ContentError, Place, nearest

FOLDERS: Final = ("personas", "templates", "filters")
_SUFFIXES: Final = frozenset({".yaml", ".md", ".jsonl", ".j2", ".html"})
_FILE_LIMIT: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class ShelfFile:
    """One content file: its name (`templates/frames/en.yaml`), where it lies and which layer it came from."""

    name: str
    path: Path
    layer: str

    @cached_property
    def _bytes(self) -> bytes:
        try:
            if self.path.stat().st_size > _FILE_LIMIT:
                raise ContentError(f"larger than {_FILE_LIMIT} bytes", place=Place(self.name), hint="split the file")
            return self.path.read_bytes()
        except OSError as error:
            raise ContentError(f"cannot be read: {error.strerror}", place=Place(str(self.path))) from error

    def text(self) -> str:
        """Give the file's text; raise ContentError where it is not UTF-8."""
        try:
            return self._bytes.decode("utf-8").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            line = self._bytes[: error.start].count(b"\n") + 1
            raise ContentError("not UTF-8", place=Place(self.name, line, 1), hint="save the file as UTF-8") from error

    @cached_property
    def digest(self) -> str:
        """32 hex digits of the file's text, the same on every system."""
        return hashlib.blake2b(self.text().encode(), digest_size=16).hexdigest()


def _base() -> Path:
    packed = Path(str(files("synth"))) / "_data"
    return packed if packed.is_dir() else Path(__file__).resolve().parents[2]


def _walk(root: Path, layer: str) -> Iterable[ShelfFile]:
    for folder in FOLDERS:
        top = root / folder
        if not top.is_dir():
            continue
        for path in sorted(top.rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
                raise ContentError("a link that leads out of its folder", place=Place(str(path)), hint="copy the file")
            if path.is_file() and not path.name.startswith("."):
                yield ShelfFile(name, path, layer)


class Shelves:
    """All content files, built-in ones first, overlays after them.

    An overlay may add anywhere. Replacing a built-in file needs its name in `overrides`; a Python file is never taken.
    """

    def __init__(self, overlays: Sequence[Path] = (), overrides: Sequence[str] = ()) -> None:
        self.overlays = tuple(overlays)
        self.overrides = tuple(overrides)
        self._files = {file.name: file for file in _walk(_base(), "built-in") if file.path.suffix in _SUFFIXES}
        built_in = frozenset(self._files)
        for overlay in self.overlays:
            self._lay(overlay, built_in)
        for name in self.overrides:
            if name not in self._files or self._files[name].layer == "built-in":
                raise ContentError(f"overrides names {name!r}, which no overlay holds", hint="add the file or the line")

    def _lay(self, overlay: Path, built_in: frozenset[str]) -> None:
        if not overlay.is_dir():
            raise ContentError("no such overlay folder", place=Place(str(overlay)))
        for file in _walk(overlay, str(overlay)):
            if file.path.suffix not in _SUFFIXES:
                raise ContentError(
                    f"an overlay holds content only ({', '.join(sorted(_SUFFIXES))}), not {file.path.suffix or 'this'}",
                    place=Place(str(file.path)),
                    hint="programs and filters of your own come as an installed package with an entry point",
                )
            if file.name in built_in and file.name not in self.overrides and file.path.name != "README.md":
                raise ContentError(
                    f"would replace the built-in {file.name}",
                    place=Place(str(file.path)),
                    hint=f"rename it, or say so in the recipe: overrides: [{file.name}]",
                )
            self._files[file.name] = file

    def files(self, folder: str, suffix: str = ".yaml") -> list[ShelfFile]:
        """Give the files under `folder` (such as `personas/cultures`), sorted by name."""
        head = folder.rstrip("/") + "/"
        return [self._files[n] for n in sorted(self._files) if n.startswith(head) and n.endswith(suffix)]

    def has(self, name: str) -> bool:
        """Say whether a file of that name lies on the shelves."""
        return name in self._files

    def file(self, name: str) -> ShelfFile:
        """Give one file; raise ContentError that lists its neighbours where there is none."""
        if name not in self._files:
            folder = name.rpartition("/")[0] + "/"
            known = [n.removeprefix(folder) for n in self._files if n.startswith(folder)]
            raise ContentError(f"there is no {name}", hint=nearest(name.removeprefix(folder), known))
        return self._files[name]
