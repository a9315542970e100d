"""The command line: `synth`. Each verb is a module of this folder, imported only when it is called.

Thin: a verb parses, calls one function, prints. Results go to stdout; progress, notes and errors go to stderr.
"""

from __future__ import annotations

from typing import Final

import click

from synth import __version__
from synth.cli.lazy import LazyGroup
from synth.cli.options import overlay_option

_VERBS: Final = {
    "init": "Begin a folder with a commented recipe and an overlay.",
    "plan": "Show what a recipe would build and cost; writes nothing.",
    "doctor": "Check what a build needs here: endpoints, keys, prices, content, disk.",
    "build": "Build a recipe, or go on where an earlier run stopped.",
    "tune": "Tune a prompt's instruction on held-out cells, into an overlay.",
    "close": "Write select.parquet and manifest.json anew from what is sealed.",
    "status": "Say how far a build is, and why it is not complete.",
    "inspect": "Read records as a person would.",
    "audit": "Test the gold of a build: agreement, verification, survival.",
    "verify": "Check that a build folder holds what its records say.",
    "ledger": "Show what the ledger of a build holds.",
    "serve": "Serve the embedded model as an OpenAI-compatible endpoint.",
    "personas": "List, show and check culture profiles and relationships.",
    "templates": "List, show, check and render scenario families and recipes.",
    "filters": "List, show and check suites, lexicons and their cases.",
}
"""Every verb and noun with its line in `synth --help`; a test holds them to the commands' own."""


@click.group(
    cls=LazyGroup,
    verbs=_VERBS,
    package="synth.cli",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 faults found, 2 usage, 3 quota not met, 4 provider, 74 disk, 75 locked, 130 Ctrl-C.",
)
@overlay_option
@click.version_option(__version__, prog_name="synth")
def cli(overlays: tuple[str, ...]) -> None:
    """Multilingual, relational, empathy-annotated scenarios with gold labels and targeted failures.

    Begin with: synth build quickstart
    """
    del overlays  # read by the commands that take content, through the context


def main() -> None:
    """Run the command line on sys.argv and exit with its code."""
    cli.main(prog_name="synth")
