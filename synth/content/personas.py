"""Culture profiles and relationship templates: who people are named, how they address each other, who holds what over whom."""

from __future__ import annotations

import datetime
from functools import lru_cache
from typing import Literal

from pydantic import Field, model_validator

from synth.content.reading import Written, load_named
from synth.content.shelves import ShelfFile, Shelves
from synth.errors import ContentError
from synth.records.labels import PowerBase, PowerForm, ProfileStatus, Regulation, Tie

CULTURES = "personas/cultures"
RELATIONSHIPS = "personas/relationships"


class Hand(Written):
    """Who wrote a file, or read it."""

    kind: Literal["person", "model"] = "person"
    name: str
    date: datetime.date
    background: str = ""


class Subgroup(Written):
    """A group inside the slice, so that the slice is not taken for one voice."""

    id: str
    says: str


class Names(Written):
    """Names found in that place, by gender."""

    order: Literal["given_family", "family_given", "given_only"]
    given: dict[Literal["f", "m"], tuple[str, ...]]
    family: tuple[str, ...]

    @model_validator(mode="after")
    def _enough(self) -> Names:
        for gender in ("f", "m"):
            if len(set(self.given.get(gender, ()))) < 40:
                raise ValueError(f"names.given.{gender} needs 40 or more different names")
        if len(set(self.family)) < 40 and self.order != "given_only":
            raise ValueError("names.family needs 40 or more different names")
        return self

    def whole(self, given: str, family: str) -> str:
        """Give a full name as it is written there."""
        if self.order == "given_only":
            return given
        gap = "" if _unspaced(given) else " "
        return f"{given}{gap}{family}" if self.order == "given_family" else f"{family}{gap}{given}"


def _unspaced(text: str) -> bool:
    return any("\u3040" <= letter <= "\u9fff" for letter in text)


class AddressForm(Written):
    """The form used towards the one spoken to, and what they are called: `{given}`, `{family}` and titles."""

    form: str
    call: str | dict[Literal["f", "m"], str]

    def calling(self, given: str, family: str, gender: str) -> str:
        """Give what a person of that name and gender is called."""
        pattern = self.call if isinstance(self.call, str) else self.call[gender]  # type: ignore[index]
        return pattern.replace("{given}", given).replace("{family}", family)


class AddressTable(Written):
    """The directed address table of a profile."""

    system: Literal["none", "tv", "levels", "gendered"]
    values: tuple[str, ...] = Field(min_length=1)
    relationships: dict[str, dict[PowerForm, AddressForm]]

    @model_validator(mode="after")
    def _known(self) -> AddressTable:
        for name, forms in self.relationships.items():
            for form, entry in forms.items():
                if entry.form not in self.values:
                    raise ValueError(f"{name}.{form}: {entry.form!r} is not valid; valid: {', '.join(self.values)}")
        return self


class NormSource(Written):
    """A source that the author has read."""

    name: str
    url: str
    licence: str


class NormSpec(Written):
    """What somebody tends to do towards somebody in a situation; never what a people is like."""

    id: str
    situation: str
    actor: str
    recipient: str
    behaviour: str
    kind: Literal["address", "greeting", "disclosure", "request", "refusal", "complaint", "grief", "thanks", "silence"]
    level: Literal["rule", "value"]
    agreement: float | None = Field(default=None, ge=0, le=1)
    source: Literal["authored"] | NormSource
    contested_by: tuple[str, ...] = ()


class Profile(Written):
    """A slice of life in a place."""

    profile: str = Field(pattern=r"^[a-z]{2,3}-[A-Z]{2}-[a-z_]+$")
    language: str
    variety: str
    locale: str
    script: str
    place: str
    slice: str
    status: ProfileStatus
    mixes: tuple[str, ...] = ()
    authors: tuple[Hand, ...] = Field(min_length=1)
    readers: tuple[Hand, ...] = ()
    subgroups: tuple[Subgroup, ...] = Field(min_length=3)
    names: Names
    address: AddressTable
    norms: tuple[NormSpec, ...] = Field(min_length=6, max_length=10)
    cues: dict[Regulation, tuple[str, ...]]
    caveats: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Profile:
        groups = {group.id for group in self.subgroups}
        for norm in self.norms:
            if unknown := set(norm.contested_by) - groups:
                raise ValueError(
                    f"norm {norm.id} is contested by {sorted(unknown)}; subgroups: {', '.join(sorted(groups))}"
                )
        if self.status == ProfileStatus.REVIEWED and not any(reader.kind == "person" for reader in self.readers):
            raise ValueError("a reviewed profile names the person who lives there and read it")
        if missing := set(Regulation) - {Regulation.NONE} - set(self.cues):
            raise ValueError(f"cues has nothing for {', '.join(sorted(missing))}")
        return self

    def address_form(self, relationship: str, form: PowerForm) -> AddressForm:
        """Give how the speaker of a form addresses the other; raise ContentError where the table has no entry."""
        try:
            return self.address.relationships[relationship][form]
        except KeyError:
            raise ContentError(
                f"{CULTURES}/{self.profile}.yaml: address.relationships has no {relationship}.{form}",
                hint="add the entry: {form: ..., call: ...}",
            ) from None


class Holding(Written):
    """A base of power and who holds it."""

    base: PowerBase
    held_by: Literal["speaker", "addressee"]


class RelationshipForm(Written):
    """One direction of a relationship: speaker and addressee, and what stands between them."""

    speaker: str
    addressee: str
    power_gap: int = Field(ge=0, le=2)
    bases: tuple[Holding, ...] = ()
    exit_cost: int = Field(ge=0, le=3)


class Relationship(Written):
    """Who stands to whom, on what the power rests, and what it costs to leave."""

    relationship: str
    kind: Literal["work", "education", "care", "family", "friendship", "civic", "service", "media"]
    familiarity: int = Field(ge=0, le=3)
    tie: Tie
    forms: dict[PowerForm, RelationshipForm | None]
    conflicts: tuple[str, ...] = Field(min_length=1)
    must_move: tuple[str, ...] = Field(min_length=1)
    authors: tuple[Hand, ...] = Field(min_length=1)

    def form(self, name: PowerForm) -> RelationshipForm:
        """Give one form; raise ContentError where the template lists none."""
        found = self.forms.get(name)
        if found is None:
            listed = ", ".join(key for key, value in self.forms.items() if value)
            raise ContentError(
                f"{RELATIONSHIPS}/{self.relationship}.yaml lists no form {name}", hint=f"valid: {listed}"
            )
        return found


def profiles(shelves: Shelves, language: str = "") -> list[str]:
    """Give the names of all profiles, or of a language's, sorted."""
    names = [file.name.removeprefix(CULTURES + "/").removesuffix(".yaml") for file in shelves.files(CULTURES)]
    return [name for name in names if not language or name.partition("-")[0] == language]


def relationships(shelves: Shelves) -> list[str]:
    """Give the names of all relationship templates, sorted."""
    return [f.name.removeprefix(RELATIONSHIPS + "/").removesuffix(".yaml") for f in shelves.files(RELATIONSHIPS)]


def read_profile(shelves: Shelves, name: str) -> Profile:
    """Give a culture profile; raise ContentError with file, line and column."""
    file = shelves.file(f"{CULTURES}/{name}.yaml")
    return _profile(file, file.digest)


def read_relationship(shelves: Shelves, name: str) -> Relationship:
    """Give a relationship template; raise ContentError with file, line and column."""
    file = shelves.file(f"{RELATIONSHIPS}/{name}.yaml")
    return _relationship(file, file.digest)


@lru_cache(maxsize=256)
def _profile(file: ShelfFile, digest: str) -> Profile:
    del digest  # part of the key: an edited file is read again
    return load_named(Profile, file, "profile")


@lru_cache(maxsize=256)
def _relationship(file: ShelfFile, digest: str) -> Relationship:
    del digest  # part of the key: an edited file is read again
    return load_named(Relationship, file, "relationship")
