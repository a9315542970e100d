"""`synth filters`: suites, lexicons, languages and the cases that prove the filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from synth.cli.nouns import Faults, listed, show_file
from synth.cli.options import overlay_option, shelves_of

if TYPE_CHECKING:
    from synth.content.shelves import ShelfFile, Shelves

_NOUN: Final = "filters"


@click.group("filters", short_help="List, show and check suites, lexicons and their cases.")
def command() -> None:
    """The sieves: which run, with which thresholds and evidence, and the words that they know."""


@command.command("list", short_help="List suites, filters and lexicons.")
@overlay_option
def list_all(overlays: tuple[str, ...]) -> None:
    """List suites with their filters, then the languages that have a lexicon."""
    from synth.cli.printing import say
    from synth.content.lexicons import FOLDER as LEXICONS
    from synth.content.lexicons import read_lexicon
    from synth.content.suites import FOLDER

    shelves = shelves_of(overlays)
    rows = [
        (file.path.stem, one.name, one.version, str(one.stage))
        for file in shelves.files(FOLDER)
        for opened in _open(shelves, file.path.stem).opened
        for one in opened.filters
    ]
    listed(rows, ("suite", "filter", "version", "stage"))
    say()
    words = [(file.path.stem, read_lexicon(shelves, file.path.stem)) for file in shelves.files(LEXICONS)]
    listed(
        [
            (name, sum(len(w.entries) for w in found.feelings.values()), len(found.calques.entries))
            for name, found in words
            if found
        ],
        ("lexicon", "words for feelings", "calques"),
    )


@command.command("show", short_help="Print a suite, a lexicon, languages.yaml or cases.")
@click.argument("name")
@overlay_option
def show(name: str, overlays: tuple[str, ...]) -> None:
    """Print a file: a path such as lexicons/ar or cases/form, or its name alone."""
    show_file(shelves_of(overlays), _NOUN, name)


@command.command("check", short_help="Check suites, lexicons, languages and run every case.")
@overlay_option
def check(overlays: tuple[str, ...]) -> None:
    """Check every rule of filters/README.md, and run every case of filters/cases/ through its filter.

    Each fault is printed as file:line:column: message; any fault gives exit code 1.
    """
    from synth.cli.printing import count
    from synth.content.lexicons import FOLDER as LEXICONS
    from synth.content.suites import FOLDER
    from synth.filters.cases import FOLDER as CASES

    shelves = shelves_of(overlays)
    faults = Faults()
    suites, lexicons, cases = shelves.files(FOLDER), shelves.files(LEXICONS), shelves.files(CASES, ".jsonl")
    for file in suites:
        faults.reading(file.name, _open, shelves, file.path.stem)
    check_lexicons(faults, shelves)
    ran = sum(check_cases(faults, shelves, file) for file in cases)
    counted = ((len(suites), "suite"), (len(lexicons), "lexicon"), (ran, "case"))
    faults.end(", ".join(count(number, what) for number, what in counted))


def _open(shelves: Shelves, name: str) -> Any:
    from synth.content.suites import read_suite
    from synth.filters.base import check_use, open_suite

    return open_suite(read_suite(shelves, name, check=check_use))


def check_lexicons(faults: Faults, shelves: Shelves) -> None:
    """Add the faults of languages.yaml and of every lexicon; a language's lexicon names all 24 emotions."""
    from synth.content.lexicons import ANY, FOLDER, LANGUAGES, read_languages, read_lexicon
    from synth.content.reading import place_of
    from synth.records.labels import Emotion

    languages = faults.reading(LANGUAGES, read_languages, shelves)
    for file in shelves.files(FOLDER):
        name = file.path.stem
        lexicon = faults.reading(file.name, read_lexicon, shelves, name) if languages else None
        if lexicon is None or name == ANY:
            continue
        if languages.of(name) is None:
            faults.add(file.name, f"{LANGUAGES} does not know the language {name!r}")
        missing = [str(emotion) for emotion in Emotion if not lexicon.feelings.get(emotion)]
        if missing:
            faults.add(place_of(file.text(), file.name, ["feelings"]), f"feelings names no {', '.join(missing)}")


def check_cases(faults: Faults, shelves: Shelves, file: ShelfFile) -> int:
    """Run the cases of a file, add those that fail, and give how many there were."""
    from synth.errors import Place
    from synth.filters.cases import failures, read_cases

    cases = faults.reading(file.name, read_cases, file)
    for number, message in failures(shelves, file.path.stem, cases or ()):
        faults.add(Place(file.name, number, 1), message)
    return len(cases or ())
