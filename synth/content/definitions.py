"""What each label means, in the language of a prompt: for models and people who annotate or verify."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Self

from pydantic import Field, model_validator

from synth.content.phrasings import Author
from synth.content.reading import Written, load
from synth.content.shelves import ShelfFile, Shelves
from synth.records.labels import Cue, Emotion, Explicitness, Goal, PowerForm, Regulation

DEFINITIONS: Final = "templates/labels"
SETS: Final[Mapping[str, frozenset[str]]] = {
    "goals": frozenset(map(str, Goal)),
    "emotions": frozenset(map(str, Emotion)),
    "regulations": frozenset(map(str, Regulation)),
    "explicitness": frozenset(map(str, Explicitness)),
    "powers": frozenset(map(str, PowerForm)),
    "cues": frozenset(map(str, Cue)),
    "levels": frozenset("0123"),
}


class Definition(Written):
    """One label in one line, and the labels of its set that it is most easily taken for, which serve as decoys."""

    says: str = Field(min_length=3, max_length=200)
    near: tuple[str, ...] = Field(min_length=1, max_length=4)


class Definitions(Written):
    """Every label of the closed sets, defined; each set is whole."""

    labels: str
    version: int = Field(ge=1)
    authors: tuple[Author, ...] = Field(min_length=1)
    reread: tuple[Author, ...] = ()
    goals: dict[str, Definition]
    emotions: dict[str, Definition]
    regulations: dict[str, Definition]
    explicitness: dict[str, Definition]
    powers: dict[str, Definition]
    cues: dict[str, Definition]
    levels: dict[str, str]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name, valid in SETS.items():
            given = getattr(self, name)
            if missing := sorted(valid - set(given)):
                raise ValueError(f"{name}: {', '.join(missing)} is not defined")
            if unknown := sorted(set(given) - valid):
                raise ValueError(f"{name}: {unknown[0]!r} is no label; valid: {', '.join(sorted(valid))}")
        for name in sorted(set(SETS) - {"levels"}):
            for label, definition in getattr(self, name).items():
                if label in definition.near or not set(definition.near) <= SETS[name]:
                    raise ValueError(f"{name}: near {label!r} are other labels of {name}, not {definition.near}")
        return self

    def said(self, name: str) -> list[tuple[str, str]]:
        """Give the labels of a set with their definitions, in the order in which they are written."""
        given: Mapping[str, Definition | str] = getattr(self, name)
        return [(label, one if isinstance(one, str) else one.says) for label, one in given.items()]


def read_definitions(shelves: Shelves, language: str = "en") -> Definitions:
    """Give the definitions in a language, the English ones where it has none of its own.

    Raises:
        ContentError: a set is not whole, or the file breaks a rule, with file, line and column.
    """
    name = f"{DEFINITIONS}/{language}.yaml"
    file = shelves.file(name if shelves.has(name) else f"{DEFINITIONS}/en.yaml")
    return _read(file, file.digest)


@lru_cache(maxsize=16)
def _read(file: ShelfFile, digest: str) -> Definitions:
    del digest  # part of the key: an edited file is read again
    return load(Definitions, file)
