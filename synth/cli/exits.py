"""Turn what went wrong into one line for people and an exit code; a traceback only where SYNTH_DEBUG=1 asks for one."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Final

import click

from synth.errors import SynthError

INTERRUPTED: Final = 130
DISK: Final = 74
UNEXPECTED: Final = 1


def exit_code(error: BaseException) -> int:
    """Tell an error on stderr and give its exit code; an exit that was asked for is passed on as it is."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if os.environ.get("SYNTH_DEBUG") == "1" and not isinstance(error, BrokenPipeError):
        traceback.print_exception(error)
    return _told(error)


def _told(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt | click.Abort):
        tell("interrupted")
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        return _usage(error)
    if isinstance(error, SynthError):
        tell(f"error: {error}")
        return error.exit_code
    if isinstance(error, BrokenPipeError):  # the reader had enough (`synth inspect DIR | head`)
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for the interpreter's last flush
        return 0
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        tell(f"error: {where}{error.strerror or error}")
        return DISK
    tell(f"error: {type(error).__name__}: {error}\n  this is a fault of synth; SYNTH_DEBUG=1 shows where it happened")
    return UNEXPECTED


def _usage(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "synth"
    tell(f"error: {error.format_message()}\n  see: {path} --help")
    return error.exit_code


def tell(text: str) -> None:
    """Write a line to stderr."""
    click.echo(text, err=True)
