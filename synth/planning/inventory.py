"""What a plan may choose from: the recipe's languages, families and profiles, as the content of this moment has them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from synth.content.people import PEOPLE, Biography, People, read_people
from synth.content.personas import Profile, Relationship, profiles, read_profile, read_relationship
from synth.content.phrasings import FOLDER, Phrasing, read_phrasing
from synth.content.prompts import FRAMES
from synth.content.scenarios import Family, families, read_family
from synth.content.shelves import Shelves
from synth.content.thinking import read_arcs
from synth.errors import RecipeError, nearest
from synth.recipe import Recipe, Splits

OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Inventory:
    """The content of a plan, read and checked."""

    recipe: Recipe
    shelves: Shelves
    families: Mapping[str, Family]
    profiles: Mapping[str, tuple[Profile, ...]]
    relationships: Mapping[str, Relationship]
    phrasings: Mapping[tuple[str, str], Phrasing]
    people: Mapping[str, People] = field(default_factory=dict)
    arcs: tuple[str, ...] = ()

    def pins(self) -> dict[str, str]:
        """Give the digest of every content file that decides a cell or its words."""
        names = [f"templates/scenarios/{name}.yaml" for name in self.families]
        names += [f"personas/cultures/{p.profile}.yaml" for group in self.profiles.values() for p in group]
        names += [f"personas/relationships/{name}.yaml" for name in self.relationships]
        names += [f"{FRAMES}/{language}.yaml" for language in self.recipe.languages]
        names += [f"{FOLDER}/{language}/{family}.yaml" for language, family in self.phrasings]
        names += [f"{PEOPLE}/{profile}.yaml" for profile in self.people]
        return {name: self.shelves.file(name).digest for name in sorted(names)}

    def lives_of(self, profile: str, gender: str, roles: Collection[str]) -> list[Biography]:
        """Give who of a profile could be in every one of these roles; nobody where its people are not written yet."""
        known = self.people[profile].people if profile in self.people else ()
        return [person for person in known if person.gender == gender and not set(roles) & set(person.not_as)]

    def profile(self, name: str) -> Profile:
        """Give a profile by name."""
        return read_profile(self.shelves, name)


def take_stock(
    recipe: Recipe, shelves: Shelves, *, profile_names: Mapping[str, tuple[str, ...]] | None = None
) -> Inventory:
    """Give what a recipe may choose from; `profile_names` pins the profiles of an earlier round.

    Raises:
        RecipeError: a name that the content does not have, with the nearest one.
        ContentError: a content file breaks a rule.
    """
    chosen = {name: read_family(shelves, name) for name in _families(recipe, shelves)}
    _check_splits(recipe, shelves)
    needed = {form.relationship for family in chosen.values() for form in family.forms.values()}
    needed |= {family.listener.relationship for family in chosen.values() if family.listener}
    relationships = {name: read_relationship(shelves, name) for name in sorted(needed)}
    phrasings = _phrasings(recipe, shelves, chosen)
    groups = {
        language: _profiles(recipe, shelves, language, phrasings, (profile_names or {}).get(language))
        for language in recipe.languages
    }
    for language in recipe.languages:
        shelves.file(f"{FRAMES}/{language}.yaml")
    return Inventory(recipe, shelves, chosen, groups, relationships, phrasings, *_written(recipe, shelves, groups))


def _written(
    recipe: Recipe, shelves: Shelves, groups: Mapping[str, tuple[Profile, ...]]
) -> tuple[dict[str, People], tuple[str, ...]]:
    """Give what only a model that writes is told: the people of each profile, and the arcs of several turns."""
    if recipe.models.writer == OFFLINE:
        return {}, ()
    names = [profile.profile for group in groups.values() for profile in group]
    people = {name: read_people(shelves, name) for name in names if shelves.has(f"{PEOPLE}/{name}.yaml")}
    return people, tuple(read_arcs(shelves).arcs)


def _families(recipe: Recipe, shelves: Shelves) -> list[str]:
    known = families(shelves)
    for name in recipe.families:
        if name not in known:
            raise RecipeError(f"families: there is no {name!r}", hint=nearest(name, known))
    if recipe.families or recipe.models.writer != OFFLINE:
        return sorted(recipe.families or known)
    able = [n for n in known if all(shelves.has(f"{FOLDER}/{language}/{n}.yaml") for language in recipe.languages)]
    if not able:
        raise RecipeError(
            f"no family has phrasings in {', '.join(recipe.languages)}",
            hint=nearest(recipe.languages[0], _phrased(shelves)) + "; or name a model: models: {writer: alias/model}",
        )
    return able


def _check_splits(recipe: Recipe, shelves: Shelves) -> None:
    """Raise RecipeError where a recipe's own splits hold out a family that there is not, which would then train."""
    # the defaults name families that the catalogue is still to bring
    known = {*families(shelves), *Splits().validation, *Splits().test}
    for split in ("validation", "test"):
        for name in getattr(recipe.splits, split):
            if name not in known:
                raise RecipeError(f"splits.{split}: there is no family {name!r}", hint=nearest(name, known))


def _phrased(shelves: Shelves) -> set[str]:
    return {file.name.split("/")[2] for file in shelves.files(FOLDER)}


def _phrasings(recipe: Recipe, shelves: Shelves, chosen: Mapping[str, Family]) -> dict[tuple[str, str], Phrasing]:
    if recipe.models.writer != OFFLINE:
        return {}
    found = {}
    for language in recipe.languages:
        if language not in _phrased(shelves):
            raise RecipeError(
                f"languages: the offline writer has no phrasings in {language!r}",
                hint=nearest(language, _phrased(shelves)) + "; or name a model: models: {writer: alias/model}",
            )
        for family in chosen:
            found[language, family] = read_phrasing(shelves, language, family)
    return found


def _profiles(
    recipe: Recipe,
    shelves: Shelves,
    language: str,
    phrasings: Mapping[tuple[str, str], Phrasing],
    pinned: tuple[str, ...] | None,
) -> tuple[Profile, ...]:
    known = profiles(shelves)
    for name in recipe.profiles:
        if name not in known:
            raise RecipeError(f"profiles: there is no {name!r}", hint=nearest(name, known))
    named = pinned if pinned is not None else [n for n in (recipe.profiles or known) if n.partition("-")[0] == language]
    found = [read_profile(shelves, name) for name in sorted(named)]
    spoken = [set(p.varieties) for (lang, _), p in phrasings.items() if lang == language]
    able = [p for p in found if all(p.variety in varieties for varieties in spoken)]
    if recipe.profiles and len(able) < len(found):
        lost = next(p for p in found if p not in able)
        raise RecipeError(
            f"profiles: the offline writer has no {lost.variety} phrasings of every family",
            hint=f"leave {lost.profile} out, or name a model: models: {{writer: alias/model}}",
        )
    if not able:
        raise RecipeError(f"profiles: none of {language} is left", hint=nearest(language, known))
    return tuple(able)
