"""`synth templates`: scenario families, their phrasings, prompts and recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from synth.cli.nouns import Faults, listed, show_file
from synth.cli.options import overlay_option, shelves_of
from synth.errors import UsageError, nearest

if TYPE_CHECKING:
    from synth.content.shelves import Shelves

_NOUN: Final = "templates"


@click.group("templates", short_help="List, show, check and render scenario families and recipes.")
def command() -> None:
    """What happens, how people say it, what models are asked, and ready recipes."""


@command.command("list", short_help="List scenario families and recipes.")
@overlay_option
def list_all(overlays: tuple[str, ...]) -> None:
    """List scenario families with the languages that have phrasings of them, then recipes."""
    from synth.cli.printing import say
    from synth.content.scenarios import families, read_family
    from synth.recipe import RECIPES

    shelves = shelves_of(overlays)
    spoken = {name: _languages(shelves, name) for name in families(shelves)}
    rows = [
        (f.family, str(f.domain), str(f.task), str(f.pressure), ", ".join(map(str, f.forms)), ", ".join(spoken[name]))
        for name in spoken
        for f in [read_family(shelves, name)]
    ]
    listed(rows, ("family", "domain", "task", "pressure", "forms", "phrased in"))
    say()
    listed([(file.path.stem, file.name) for file in shelves.files(RECIPES)], ("recipe", "file"))


@command.command("show", short_help="Print a family, phrasing, prompt, frame or recipe.")
@click.argument("name")
@overlay_option
def show(name: str, overlays: tuple[str, ...]) -> None:
    """Print a file: a path such as scenarios/file_lost_again or phrasings/ja/file_lost_again, or its name alone."""
    show_file(shelves_of(overlays), _NOUN, name)


@command.command("check", short_help="Check families, phrasings, prompts, frames and recipes.")
@click.argument("family", required=False)
@click.option("--language", metavar="L", help="Phrasings of one language only.")
@overlay_option
def check(family: str | None, language: str | None, overlays: tuple[str, ...]) -> None:
    """Check every rule of templates/README.md, for all families or one FAMILY.

    Every phrasing is rendered over all its settings, which takes a while. Each fault is printed as
    file:line:column: message; any fault gives exit code 1, a warning does not.
    """
    shelves = shelves_of(overlays)
    languages = _chosen(shelves, language)
    _check_family(shelves, family)
    faults = Faults()
    if family is None and language is None:
        check_files(faults, shelves)
    for name in languages:
        check_phrasings(faults, shelves, name, family)
    faults.end(f"{family or 'all families'} in {', '.join(languages)}")


@command.command("render", short_help="Print rows of a family for a reader to mark.")
@click.argument("family")
@click.option("--language", metavar="L", required=True, help="In which language.")
@click.option(
    "-n", "--number", metavar="N", type=click.IntRange(1, 1000), default=12, show_default=True, help="How many rows."
)
@click.option(
    "--seed", metavar="N", type=click.IntRange(min=1), default=1, show_default=True, help="Another seed, other rows."
)
@overlay_option
def render(family: str, language: str, number: int, seed: int, overlays: tuple[str, ...]) -> None:
    """Print rows of FAMILY drawn over all its settings: setting, turn, marks, and every reply."""
    from synth.offline.sheet import sheet

    shelves = shelves_of(overlays)
    _check_family(shelves, family)
    _chosen(shelves, language)
    click.echo(sheet(shelves, language, family, number, seed))


def check_files(faults: Faults, shelves: Shelves) -> None:
    """Add the faults of families, frames, definitions, prompts and recipes."""
    from synth.content.definitions import DEFINITIONS, read_definitions
    from synth.content.prompts import FRAMES, read_frame
    from synth.content.scenarios import FOLDER, families, read_family
    from synth.content.thinking import ARCS, REASONING, read_arcs, read_frames
    from synth.recipe import RECIPES, Recipe

    for name in families(shelves):
        faults.reading(f"{FOLDER}/{name}.yaml", read_family, shelves, name)
    for file in shelves.files(FRAMES):
        faults.reading(file.name, read_frame, shelves, file.path.stem)
    for file in shelves.files(DEFINITIONS):
        faults.reading(file.name, read_definitions, shelves, file.path.stem)
    _check_prompts(faults, shelves)
    for file in shelves.files(REASONING):
        faults.reading(file.name, read_frames, shelves, file.path.stem)
    faults.reading(ARCS, read_arcs, shelves)
    for file in shelves.files(RECIPES):
        faults.reading(file.name, Recipe.read, file.path)


def _check_prompts(faults: Faults, shelves: Shelves) -> None:
    """A native prompt takes the same inputs for the same answer as the English one, in the same version."""
    from synth.content.prompts import PROMPTS, read_prompt

    for file in shelves.files(PROMPTS, ".md"):
        language = file.name.removeprefix(f"{PROMPTS}/").rpartition("/")[0]
        program = file.path.stem
        prompt = faults.reading(file.name, read_prompt, shelves, program, language)
        if prompt is None or not language or not shelves.has(f"{PROMPTS}/{program}.md"):
            continue
        english = faults.reading(f"{PROMPTS}/{program}.md", read_prompt, shelves, program)
        for key in ("program", "version", "role", "inputs", "output"):
            own, wanted = getattr(prompt.front, key), getattr(english.front, key) if english else None
            if english is not None and own != wanted:
                faults.add(f"{file.name}:1:1", f"{key} is {own!r}, and {wanted!r} in the English prompt")


def check_phrasings(faults: Faults, shelves: Shelves, language: str, family: str | None) -> None:
    """Add the faults of a language's phrasings; warnings are noted."""
    from synth.offline.check import balance_faults, check_language

    found: list[Any] = check_language(shelves, language, [family] if family else ())
    if family is None:
        found += balance_faults(shelves, language)
    for fault in found:
        if fault.warning:
            faults.notes.append(str(fault))
        else:
            faults.add(fault.place, fault.message)


def _languages(shelves: Shelves, family: str = "") -> list[str]:
    from synth.content.phrasings import FOLDER

    return sorted(
        {f.name.split("/")[2] for f in shelves.files(FOLDER) if f.name.endswith(f"/{family}.yaml") or not family}
    )


def _chosen(shelves: Shelves, language: str | None) -> list[str]:
    known = _languages(shelves)
    if language is not None and language not in known:
        raise UsageError(f"there are no phrasings in {language!r}", hint=nearest(language, known))
    return known if language is None else [language]


def _check_family(shelves: Shelves, family: str | None) -> None:
    from synth.content.scenarios import families

    if family is not None and family not in families(shelves):
        raise UsageError(f"there is no family {family!r}", hint=nearest(family, families(shelves)))
