"""`synth personas`: culture profiles and relationships."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from synth.cli.nouns import Faults, listed, show_file
from synth.cli.options import overlay_option, shelves_of

if TYPE_CHECKING:
    from synth.content.personas import Profile, Relationship
    from synth.content.scenarios import Family, FormSpec
    from synth.content.shelves import Shelves

_NOUN: Final = "personas"


@click.group("personas", short_help="List, show and check culture profiles and relationships.")
def command() -> None:
    """The people: who they are named, how they address each other, who holds what over whom."""


@command.command("list", short_help="List profiles and relationships.")
@overlay_option
def list_all(overlays: tuple[str, ...]) -> None:
    """List profiles by language, then relationships."""
    from synth.cli.printing import say
    from synth.content.personas import profiles, read_profile, read_relationship, relationships

    shelves = shelves_of(overlays)
    people = [read_profile(shelves, name) for name in profiles(shelves)]
    listed(
        [(p.profile, p.language, p.variety, p.script, str(p.status), f"{p.place}: {p.slice}") for p in people],
        ("profile", "language", "variety", "script", "status", "slice"),
    )
    say()
    ties = [read_relationship(shelves, name) for name in relationships(shelves)]
    listed(
        [(r.relationship, r.kind, ", ".join(form for form, spec in r.forms.items() if spec)) for r in ties],
        ("relationship", "kind", "forms"),
    )


@command.command("show", short_help="Print a profile or a relationship.")
@click.argument("name")
@overlay_option
def show(name: str, overlays: tuple[str, ...]) -> None:
    """Print the file of a profile or a relationship, such as es-MX-puebla or manager_worker."""
    show_file(shelves_of(overlays), _NOUN, name)


@command.command("check", short_help="Check every profile and relationship.")
@overlay_option
def check(overlays: tuple[str, ...]) -> None:
    """Check every profile and relationship against the rules of personas/README.md and against the scenarios.

    Each fault is printed as file:line:column: message; any fault gives exit code 1.
    """
    shelves = shelves_of(overlays)
    faults, people, ties = check_personas(shelves)
    faults.end(f"{people} profiles and {ties} relationships")


def check_personas(shelves: Shelves) -> tuple[Faults, int, int]:
    """Give the faults of all personas, and how many profiles and relationships were read."""
    from synth.content.personas import CULTURES, RELATIONSHIPS, profiles, read_profile, read_relationship, relationships
    from synth.content.scenarios import FOLDER, families, read_family

    faults = Faults()
    people, ties = profiles(shelves), relationships(shelves)
    stories = _read(faults, shelves, FOLDER, families(shelves), read_family)
    known = _read(faults, shelves, RELATIONSHIPS, ties, read_relationship)
    for family in stories:
        _check_family(faults, shelves, family, {one.relationship: one for one in known})
    for profile in _read(faults, shelves, CULTURES, people, read_profile):
        _check_names(faults, shelves, profile)
        _check_address(faults, shelves, profile, stories)
        _check_content(faults, shelves, profile, {one.relationship for one in known})
    _check_people(faults, shelves, people, known)
    return faults, len(people), len(ties)


def _check_people(faults: Faults, shelves: Shelves, profiles: Iterable[str], known: Iterable[Relationship]) -> None:
    """People belong to a profile, and what they cannot be is a role of some relationship."""
    from synth.content.people import PEOPLE, read_people

    roles = {role for one in known for form in one.forms.values() if form for role in (form.speaker, form.addressee)}
    names = [file.name.removeprefix(f"{PEOPLE}/").removesuffix(".yaml") for file in shelves.files(PEOPLE)]
    for people in _read(faults, shelves, PEOPLE, names, read_people):
        name = f"{PEOPLE}/{people.profile}.yaml"
        if people.profile not in profiles:
            faults.add(_place(shelves, name, "profile"), f"there is no profile {people.profile!r}")
        for number, person in enumerate(people.people):
            for role in person.not_as:
                if role not in roles:
                    faults.add(
                        _place(shelves, name, "people", number, "not_as"), f"{role!r} is no role of a relationship"
                    )


def _read(faults: Faults, shelves: Shelves, folder: str, names: Iterable[str], read: Any) -> list[Any]:
    found = [faults.reading(f"{folder}/{name}.yaml", read, shelves, name) for name in names]
    return [one for one in found if one is not None]


def _forms(family: Family) -> Iterator[FormSpec]:
    yield from family.forms.values()
    if family.listener:
        yield family.listener


def _check_family(faults: Faults, shelves: Shelves, family: Family, known: dict[str, Relationship]) -> None:
    """Every relationship and form that a scenario names must be there."""
    from synth.content.scenarios import FOLDER

    for spec in _forms(family):
        own = known.get(spec.relationship)
        if own is None or own.forms.get(spec.form) is None:
            place = _place(shelves, f"{FOLDER}/{family.family}.yaml", "forms")
            missing = f"no relationship {spec.relationship!r}" if own is None else f"no form {spec.form} of it"
            faults.add(place, f"names {spec.relationship}.{spec.form}, and there is {missing}")


def _check_names(faults: Faults, shelves: Shelves, profile: Profile) -> None:
    lists = [(("names", "given", gender), names) for gender, names in profile.names.given.items()]
    for path, names in [*lists, (("names", "family"), profile.names.family)]:
        for name, times in Counter(names).items():
            if times > 1:
                faults.add(
                    _at(shelves, profile, *path, _last(names, name)), f"the name {name} stands there {times} times"
                )
            if name != name.strip() or not name.strip():
                faults.add(_at(shelves, profile, *path), f"the name {name!r} has spaces at an end, or is empty")


def _last(names: tuple[str, ...], name: str) -> int:
    return len(names) - 1 - names[::-1].index(name)


def _check_address(faults: Faults, shelves: Shelves, profile: Profile, stories: Iterable[Family]) -> None:
    """Every form that a scenario uses stands in the address table."""
    table = profile.address.relationships
    for story in stories:
        for spec in _forms(story):
            if spec.form not in table.get(spec.relationship, {}):
                message = f"has no {spec.relationship}.{spec.form}, which {story.family} uses"
                faults.add(_at(shelves, profile, "address", "relationships", spec.relationship), message)


def _check_content(faults: Faults, shelves: Shelves, profile: Profile, known: set[str]) -> None:
    if profile.profile.partition("-")[0] != profile.language.partition("-")[0]:
        faults.add(_at(shelves, profile, "language"), f"says language {profile.language}, but its name says another")
    for name in profile.address.relationships:
        if name not in known:
            faults.add(_at(shelves, profile, "address", "relationships", name), f"there is no relationship {name!r}")
    for kind, idioms in profile.cues.items():
        if not 2 <= len(set(idioms)) <= 4:
            faults.add(
                _at(shelves, profile, "cues", kind), f"{len(set(idioms))} different idioms; two to four belong here"
            )
    for what, ids in (("subgroup", [g.id for g in profile.subgroups]), ("norm", [n.id for n in profile.norms])):
        for name, times in Counter(ids).items():
            if times > 1:
                faults.add(_at(shelves, profile, f"{what}s"), f"the {what} {name!r} stands there {times} times")


def _at(shelves: Shelves, profile: Profile, *path: str | int) -> Any:
    from synth.content.personas import CULTURES

    return _place(shelves, f"{CULTURES}/{profile.profile}.yaml", *path)


def _place(shelves: Shelves, name: str, *path: str | int) -> Any:
    from synth.content.reading import place_of

    return place_of(shelves.file(name).text(), name, path)
