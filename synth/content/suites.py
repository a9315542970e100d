"""Suites: which sieves run, with which parameters, and the evidence that each threshold came from (filters/suites/)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
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

    `content` holds the digests of languages.yaml and of every lexicon. The versions of the filters are known one floor
    up: `filters.base.OpenSuite` folds them in and gives the digest that names the verdicts.
    """

    name: str
    version: int
    uses: tuple[FilterUse, ...]
    content: Mapping[str, str]
    file: ShelfFile

    def digest_of(self, languages: Collection[str]) -> str:
        """Give 32 hex digits of what the content decides about rows of some languages.

        It covers the suite without its evidence, languages.yaml, the shared lexicon and those of the languages.
        """
        body = {
            "suite": self.name,
            "version": self.version,
            "filters": [[use.filter, use.parameters] for use in self.uses],
            "content": [[name, digest] for name, digest in self.content.items() if _wanted(name, languages)],
        }
        return digest_of(body)

    def fault(self, index: int, message: str, *, hint: str = "", key: str = "") -> ContentError:
        """Give the error for the use at `index` (and one of its parameters), with file, line and column."""
        path: list[str | int] = ["filters", index, *(["parameters", key] if key else ["filter"])]
        return ContentError(message, place=place_of(self.file.text(), self.file.name, path), hint=hint)


CheckUse = Callable[[Suite, int, FilterUse], None]
"""The hook of the floor above: raises `suite.fault(index, ...)` for an unknown filter or parameter."""


def read_suite(shelves: Shelves, name: str, *, check: CheckUse | None = None) -> Suite:
    """Give the suite of that name; `check` sees each use.

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
    suite = Suite(name, written.version, written.filters, _content(shelves), file)
    for index, use in enumerate(suite.uses):
        if check:
            check(suite, index, use)
    return suite


def _content(shelves: Shelves) -> dict[str, str]:
    files = [shelves.file(LANGUAGES)] if shelves.has(LANGUAGES) else []
    return {file.name: file.digest for file in [*files, *shelves.files(LEXICONS)]}


def _wanted(name: str, languages: Collection[str]) -> bool:
    if name == LANGUAGES:
        return True
    tags = {tag for language in languages for tag in (language, language.partition("-")[0])} | {ANY}
    return name.removeprefix(f"{LEXICONS}/").removesuffix(".yaml") in tags


def digest_of(body: Any) -> str:
    """Give 32 hex digits of a JSON value, independent of key order."""
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
