"""`synth verify`: whether a build holds what its records say."""

from __future__ import annotations

from pathlib import Path

import click

from synth.cli.options import build_argument
from synth.errors import FaultError


@click.command("verify", short_help="Check that a build folder holds what its records say.")
@build_argument
def command(folder: Path) -> None:
    """Check every file of the build in DIR against its record, and every row against the others.

    Needs no network, no key and no recipe. Each fault is told with what to do; any fault gives exit code 1.
    """
    from synth.cli.printing import count, say
    from synth.records.shards import verify

    faults = verify(folder)
    for fault in faults:
        say(str(fault))
    if faults:
        raise FaultError(f"{count(len(faults), 'fault')} in {folder}")
    files, rows = _counted(folder)
    say(f"sound: {count(files, 'file')}, {count(rows, 'row')}", "green")


def _counted(folder: Path) -> tuple[int, int]:
    from synth.records.shards import commits, read_manifest

    parts, listed = commits(folder), read_manifest(folder)
    tables = [record for commit in parts for record in commit.files.values()]
    files = len(listed["files"]) + len(listed["ledger"]) + len(parts) + len(tables)
    return files, sum(record.rows for record in tables)
