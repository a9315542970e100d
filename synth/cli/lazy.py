"""A group of commands whose modules are imported when they are called, and whose errors end in exit codes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from synth.cli.exits import exit_code
from synth.errors import nearest


class LazyGroup(click.Group):
    """Commands by name with their short help; command `x` is the attribute `command` of module `<package>.x`."""

    def __init__(self, *args: Any, verbs: Mapping[str, str], package: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.verbs = verbs
        self.package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names in the order in which they are used."""
        del ctx
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Give a command, importing its module."""
        del ctx
        if cmd_name not in self.verbs:
            return None
        found: click.Command = import_module(f"{self.package}.{cmd_name}").command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Give the command that the words name; a word that names none is a usage error with the nearest one."""
        if args and not args[0].startswith("-") and args[0] not in self.verbs:
            ctx.fail(f"there is no command {args[0]!r}; {nearest(args[0], self.verbs)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(self.verbs.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader that has had enough (`synth inspect DIR | head`) ends it without an error."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError as error:
            ctx.exit(exit_code(error))
        return result

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> Any:  # type: ignore[override]
        """Run the words and exit: every error becomes a line on stderr and a code (DESIGN section 8)."""
        extra["standalone_mode"] = False
        _forgive_narrow_streams()
        try:
            result = super().main(args, prog_name, **extra)
        except BaseException as error:  # noqa: BLE001 - told as a line and a code; SYNTH_DEBUG=1 raises it
            sys.exit(exit_code(error))
        sys.exit(result if isinstance(result, int) else 0)


def _forgive_narrow_streams() -> None:
    """Let a terminal that is not UTF-8 show what it can, instead of failing on the first Arabic letter."""
    for stream in (sys.stdout, sys.stderr):
        encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
        if encoding != "utf8" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
