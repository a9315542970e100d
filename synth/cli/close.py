"""`synth close`: decide anew what is kept of what is sealed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from synth.cli.options import build_argument, overlay_option
from synth.errors import StorageError, UsageError

if TYPE_CHECKING:
    from synth.content.shelves import Shelves


@click.command("close", short_help="Write select.parquet and manifest.json anew from what is sealed.")
@build_argument
@overlay_option
def command(folder: Path, overlays: tuple[str, ...]) -> None:
    """Write select.parquet and manifest.json of the build in DIR anew from what is sealed; asks no model.

    A build whose recipe has overlays needs them named with --overlay.
    """
    from synth.cli.overview import read_overview
    from synth.cli.summary import show_summary

    close(folder, overlays)
    show_summary(read_overview(folder), worked=True)


def close(folder: Path, overlays: tuple[str, ...] = ()) -> None:
    """Write select.parquet and manifest.json of a build."""
    from functools import cache

    from synth.building.api import load
    from synth.building.close import close_build
    from synth.building.folder import locked
    from synth.building.rounds import sealed
    from synth.content.suites import read_suite
    from synth.filters.base import check_use, open_suite, read_resources
    from synth.planning.rounds import read_rounds

    recipe = load(folder).recipe
    shelves = _shelves(recipe.overlays, recipe.overrides, overlays)
    suite = open_suite(read_suite(shelves, recipe.suite, check=check_use))
    with locked(folder):
        rounds = read_rounds(folder)
        complete = _was_complete(folder) and all(sealed(folder, made) for made in rounds)
        resources_of = cache(lambda language: read_resources(shelves, language))
        close_build(folder, rounds, suite, resources_of, complete=complete, recipe=recipe)


def _was_complete(folder: Path) -> bool:
    """Say what the manifest says; without one the next `synth build` finds out."""
    from synth.records.manifest import read_manifest

    try:
        return bool(read_manifest(folder)["complete"])
    except StorageError:
        return False


def _shelves(named: tuple[str, ...], overrides: tuple[str, ...], given: tuple[str, ...]) -> Shelves:
    from synth.content.shelves import Shelves

    if named and not given:
        # the folder keeps the recipe, but not where its overlays lie on this machine
        hint = f"name them in this order: {' '.join(f'--overlay .../{name}' for name in named)}"
        raise UsageError(f"the recipe has {len(named)} overlays", hint=hint)
    return Shelves([Path(name) for name in given], overrides)
