"""The people of a profile: short biographies for models that write, so that somebody is somebody without a label."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from synth.content.phrasings import Author
from synth.content.reading import Written, load_named
from synth.content.shelves import ShelfFile, Shelves

PEOPLE: Final = "personas/people"
_KEY: Final = r"^[a-z][a-z0-9_]{1,60}$"
_MOST_ALIKE: Final = 2


class Biography(Written):
    """One person: age, work, household, what they care about, how they talk; `not_as` are roles that they cannot honestly be."""

    id: str = Field(pattern=_KEY)
    gender: Literal["f", "m"]
    age_band: Literal["18-29", "30-44", "45-59", "60-74", "75+"]
    occupation: str = Field(pattern=_KEY)
    work: str = Field(min_length=3, max_length=300)
    household: str = Field(min_length=3, max_length=300)
    cares: str = Field(min_length=3, max_length=300)
    talks: str = Field(min_length=3, max_length=300)
    not_as: tuple[str, ...] = ()


class People(Written):
    """The people of one profile: twelve or more, women and men in equal number, no occupation thrice."""

    profile: str
    authors: tuple[Author, ...] = Field(min_length=1)
    reread: tuple[Author, ...] = ()
    people: tuple[Biography, ...] = Field(min_length=12)

    @model_validator(mode="after")
    def _balanced(self) -> Self:
        if twice := [name for name, n in Counter(person.id for person in self.people).items() if n > 1]:
            raise ValueError(f"people: the id {twice[0]!r} stands twice")
        occupations = Counter(person.occupation for person in self.people)
        if often := [name for name, n in occupations.items() if n > _MOST_ALIKE]:
            raise ValueError(f"people: {often[0]} is the occupation of {occupations[often[0]]}; two of a file at most")
        genders = Counter(person.gender for person in self.people)
        if abs(genders["f"] - genders["m"]) > 1:
            raise ValueError(f"people: {genders['f']} women and {genders['m']} men; as many of both, or one more")
        return self


def read_people(shelves: Shelves, profile: str) -> People:
    """Give the people of a profile; raise ContentError with file, line and column."""
    file = shelves.file(f"{PEOPLE}/{profile}.yaml")
    return _read(file, file.digest)


@lru_cache(maxsize=256)
def _read(file: ShelfFile, digest: str) -> People:
    del digest  # part of the key: an edited file is read again
    return load_named(People, file, "profile")
