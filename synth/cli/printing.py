"""Print for people: styled on a terminal, plain elsewhere, NO_COLOR honoured; text of any script is left as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


def console(*, err: bool = False) -> Console:
    """Give a console that adds nothing of its own: no markup, no emoji codes, no guesses at what a number is."""
    from rich.console import Console

    made = Console(stderr=err, markup=False, emoji=False, highlight=False)
    made.on_broken_pipe = _reader_left  # type: ignore[method-assign]  # rich would end with 1, as if something had failed
    return made


def _reader_left() -> NoReturn:
    raise BrokenPipeError


def say(text: str | Text = "", style: str = "") -> None:
    """Print a line; it is never cut, padded or wrapped, so right-to-left text stays whole."""
    console().print(text, style=style or None, soft_wrap=True)


def heading(text: str) -> None:
    """Print a heading."""
    say(text, "bold")


def table(rows: Iterable[Sequence[object]], *, head: Sequence[str] = (), indent: int = 2) -> None:
    """Print columns aligned by the width that a terminal gives each character; numbers stand to the right."""
    from rich.cells import cell_len

    shown = [[_cell(value) for value in row] for row in rows]
    lines = [list(head), *shown] if head else shown
    if not lines:
        return
    widths = [max(cell_len(line[n]) for line in lines) for n in range(len(lines[0]))]
    right = [bool(shown) and all(_is_number(row[n]) for row in shown) for n in range(len(widths))]
    for number, line in enumerate(lines):
        cells = [_padded(text, widths[n], right[n]) for n, text in enumerate(line)]
        say(" " * indent + "  ".join(cells).rstrip(), "dim" if head and not number else "")


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _is_number(text: str) -> bool:
    return text.replace(",", "").replace(".", "").replace("%", "").strip().isdecimal()


def _padded(text: str, width: int, right: bool) -> str:
    from rich.cells import cell_len

    space = " " * (width - cell_len(text))
    return space + text if right else text + space


def say_json(value: Any) -> None:
    """Print one JSON object on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True))


def count(number: int, what: str) -> str:
    """Give a number with its noun: `1 row`, `2,304 rows`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def length(seconds: float) -> str:
    """Give a length of time as people say it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
