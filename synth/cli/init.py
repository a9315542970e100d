"""`synth init`: a folder to begin in."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from synth.errors import UsageError

_PAGES: Final = {"recipe.yaml": "templates/pages/recipe.yaml", "overlay/README.md": "templates/pages/overlay.md"}
"""What is written, and the page of our content that it is a copy of."""

_FOLDERS: Final = (
    "personas/cultures",
    "personas/relationships",
    "templates/scenarios",
    "templates/phrasings",
    "templates/prompts",
    "filters/suites",
    "filters/lexicons",
)


@click.command("init", short_help="Begin a folder with a commented recipe and an overlay.")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Write recipe.yaml, every field explained, and an empty overlay for content of your own.

    Nothing that exists is overwritten.
    """
    from synth.cli.printing import say
    from synth.content.shelves import Shelves

    there = [name for name in _PAGES if (folder / name).exists()]
    if there:
        raise UsageError(f"{folder / there[0]} exists already", hint="name another folder: synth init DIR")
    shelves = Shelves()
    for name, page in _PAGES.items():
        _write(folder / name, shelves.file(page).text())
    for name in _FOLDERS:
        (folder / "overlay" / name).mkdir(parents=True, exist_ok=True)
    recipe = folder / "recipe.yaml"
    say(f"{recipe}\n{folder / 'overlay'}\nnext: synth plan {recipe}   then: synth build {recipe}")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
