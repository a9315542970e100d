"""The page of all help texts, docs/commands.md: `python -m synth.cli.reference > docs/commands.md` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import click

from synth.cli import cli

WIDTH: Final = 100
_HEAD: Final = """# Commands

Every help text of `synth`, written by `python -m synth.cli.reference > docs/commands.md`; a test holds the page to the
commands. Verbs act on work, nouns list the shelves. Results go to stdout; progress, notes and errors go to stderr.
"""


def reference() -> str:
    """Give the page."""
    return _HEAD + "".join(_sections(cli, "synth", None))


def _sections(command: click.Command, path: str, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(
        command, info_name=path.rpartition(" ")[2], parent=parent, terminal_width=WIDTH, max_content_width=WIDTH
    )
    # the names of -h and --help come with the settings of the outermost command
    context.help_option_names = ["-h", "--help"]
    yield f"\n## {path}\n\n```\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _sections(inner, f"{path} {name}", context)


if __name__ == "__main__":
    click.echo(reference(), nl=False)
