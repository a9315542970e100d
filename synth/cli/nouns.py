"""What the three nouns share: show a content file, and tell the faults of a check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from synth.errors import ContentError, FaultError, SynthError, nearest

if TYPE_CHECKING:
    from synth.content.shelves import ShelfFile, Shelves
    from synth.errors import Place


def show_file(shelves: Shelves, noun: str, name: str) -> None:
    """Print a content file of a noun's folder, with where it comes from; its text is not touched."""
    file = find_file(shelves, noun, name)
    layer = "" if file.layer == "built-in" else f" (from {file.layer})"
    click.echo(f"# {file.name}{layer}", err=True)
    click.echo(file.text(), nl=False)


def find_file(shelves: Shelves, noun: str, name: str) -> ShelfFile:
    """Give the file of a noun that has that name: a path under its folder, or a file name without its ending.

    Raises:
        ContentError: none has it, or several have and only a path tells them apart.
    """
    files = [*shelves.files(noun), *shelves.files(noun, ".md"), *shelves.files(noun, ".jsonl")]
    wanted = name.removeprefix(f"{noun}/")
    by_path = [file for file in files if wanted in (_inside(file), _inside(file).rpartition(".")[0])]
    found = by_path or _outermost([file for file in files if PurePosixPath(file.name).stem == name])
    if len(found) == 1:
        return found[0]
    if not found:
        known = {PurePosixPath(file.name).stem for file in files} - {"README"}
        raise ContentError(f"{noun} has no {name!r}", hint=nearest(name, known))
    listed = ", ".join(_inside(file).rpartition(".")[0] for file in found)
    raise ContentError(f"several files of {noun} are named {name!r}", hint=f"say which: {listed}")


def _outermost(files: Sequence[ShelfFile]) -> list[ShelfFile]:
    """Give those that lie least deep: `write` is the prompt itself, and not that of a language; a profile, and not its people."""
    depths = {file: (file.name.count("/"), file.name.startswith("personas/people/")) for file in files}
    return [file for file in files if depths[file] == min(depths.values())]


def _inside(file: ShelfFile) -> str:
    return file.name.partition("/")[2]


class Faults:
    """The faults of a check, told as file:line:column: message."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.notes: list[str] = []

    def add(self, place: Place | str, message: str) -> None:
        """Add a fault."""
        self.lines.append(f"{place}: {message}")

    def caught(self, error: SynthError, file: str) -> None:
        """Add what reading a file raised."""
        hint = f" ({' '.join(error.hint.split())})" if error.hint else ""
        self.add(error.place or file, f"{error.message}{hint}")

    def reading(self, file: str, read: Any, *arguments: Any) -> Any:
        """Give what `read` gives, or None where it finds a fault, which is added."""
        try:
            return read(*arguments)
        except SynthError as error:
            self.caught(error, file)
            return None

    def end(self, checked: str) -> None:
        """Print every fault once, in order of place; raise FaultError where there is one."""
        from synth.cli.printing import count, say

        lines = list(dict.fromkeys(sorted(self.lines, key=_by_place)))
        for line in [*self.notes, *lines]:
            say(line)
        if lines:
            raise FaultError(f"{count(len(lines), 'fault')} in {checked}")
        say(f"sound: {checked}", "green")


def _by_place(line: str) -> tuple[str, int, str]:
    file, _, rest = line.partition(":")
    number = rest.partition(":")[0]
    return file, int(number) if number.isdecimal() else 0, line


def listed(rows: Iterable[Sequence[object]], head: Sequence[str]) -> None:
    """Print a list of a noun."""
    from synth.cli.printing import table

    table(rows, head=head, indent=0)
