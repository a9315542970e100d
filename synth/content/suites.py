"""Suites: which sieves run, with which parameters, and the evidence that each threshold came from (filters/suites/)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field, model_validator

from synth.content.lexicons import ANY, LANGUAGES
from synth.content.lexicons import FOLDER as LEXICONS
from synth.content.reading import Written, load, place_of
from synth.content.shelves import ShelfFile, Shelves
from synth.errors import ContentError

FOLDER: Final = "filters/suites"


class FilterUse(Written):
    """One sieve of a suite. A plug-in is named `distribution:filter`, and only so is it ever loaded."""

    filter: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*(:[A-Za-z0-9][\w.-]*)?$")
    parameters: dict[str, Any] = Field(default_factory=dict)
    evidence: str = Field(min_length=1)


class SuiteFile(Written):
    """A suite as people write it (filters/README.md)."""

    suite: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    version: int = Field(ge=1)
    filters: tuple[FilterUse, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> SuiteFile:
        names = [use.filter for use in self.filters]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"filters names {', '.join(twice)} more than once")
        return self


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite that has been read; its file is kept to say where a fault is.

    `digest` covers what the content decides: suite, parameters as written, lexicons and languages, but not the
    evidence. The versions of the filters are known one floor up: `filters.base.open_suite` folds them in and gives the
    digest that names the verdicts.
    """

    name: str
    version: int
    uses: tuple[FilterUse, ...]
    digest: str
    file: ShelfFile

    def fault(self, index: int, message: str, *, hint: str = "", key: str = "") -> ContentError:
        """Give the error for the use at `index` (and one of its parameters), with file, line and column."""
        path: list[str | int] = ["filters", index, *(["parameters", key] if key else ["filter"])]
        return ContentError(message, place=place_of(self.file.text(), self.file.name, path), hint=hint)


CheckUse = Callable[[Suite, int, FilterUse], None]
"""The hook of the floor above: raises `suite.fault(index, ...)` for an unknown filter or parameter."""


def read_suite(
    shelves: Shelves, name: str, languages: Sequence[str] | None = None, *, check: CheckUse | None = None
) -> Suite:
    """Give the suite of that name; `languages` limits the digest to their lexicons, `check` sees each use.

    Raises:
        ContentError: there is no such suite, or it breaks a rule.
    """
    file = shelves.file(f"{FOLDER}/{name}.yaml")
    written = load(SuiteFile, file)
    if written.suite != name:
        raise ContentError(
            f"says suite: {written.suite}, but the file is named {name}.yaml",
            place=place_of(file.text(), file.name, ["suite"]),
            hint="a suite is found by its file name; make the two agree",
        )
    suite = Suite(name, written.version, written.filters, _digest(shelves, written, languages), file)
    for index, use in enumerate(suite.uses):
        if check:
            check(suite, index, use)
    return suite


def _digest(shelves: Shelves, written: SuiteFile, languages: Sequence[str] | None) -> str:
    content = [shelves.file(LANGUAGES)] if shelves.has(LANGUAGES) else []
    content += [file for file in shelves.files(LEXICONS) if _wanted(file, languages)]
    body = {
        "suite": written.suite,
        "version": written.version,
        "filters": [[use.filter, use.parameters] for use in written.filters],
        "content": [[file.name, file.digest] for file in content],
    }
    return digest_of(body)


def _wanted(file: ShelfFile, languages: Sequence[str] | None) -> bool:
    if languages is None:
        return True
    tags = {tag for language in languages for tag in (language, language.partition("-")[0])} | {ANY}
    return file.name.removeprefix(f"{LEXICONS}/").removesuffix(".yaml") in tags


def digest_of(body: Any) -> str:
    """Give 32 hex digits of a JSON value, independent of key order."""
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
