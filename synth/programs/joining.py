"""How a person's own programs join a line: found in installed packages or given as an argument, and proved askable before anything is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pydantic.errors import PydanticUserError

from synth.content.definitions import SETS, read_definitions
from synth.content.prompts import PROMPTS, read_prompt
from synth.content.shelves import Shelves
from synth.errors import ContentError, Place, RecipeError, SynthError, UsageError, nearest
from synth.models.base import OFFLINE
from synth.programs.own import API_VERSION, Program, makes_labels

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS: Final = "synth.programs"

_SCALARS: Final = frozenset({"string", "integer", "number", "boolean"})


def open_programs(named: Sequence[str], given: Sequence[Program] = ()) -> tuple[Program, ...]:
    """Give the programs that a recipe names and those of an argument, by name: the order of neither decides a row.

    Raises:
        RecipeError: a package is not installed or offers no such program, or one that does not fit this version.
        UsageError: what was given is no program, or two have one name.
    """
    found: dict[str, Program] = {}
    for one in (*map(_plug_in, named), *given):
        if not isinstance(one, Program):
            raise UsageError(f"{one!r} is no program", hint="decorate the function with synth.programs.own.program")
        if one.name in found:
            raise UsageError(f"two programs are named {one.name!r}", hint="labels go by that name: rename one of them")
        found[one.name] = one
    return tuple(found[name] for name in sorted(found))


def _plug_in(name: str) -> Program:
    from importlib.metadata import PackageNotFoundError, distribution

    package, _, wanted = name.partition(":")
    try:
        points = distribution(package).entry_points.select(group=ENTRY_POINTS)
    except PackageNotFoundError:
        hint = "install it where synth runs, or take it out of the recipe"
        raise RecipeError(f"programs: the distribution {package!r} is not installed", hint=hint) from None
    known = {point.name: point for point in points}
    if wanted not in known:
        hint = nearest(wanted, known)
        raise RecipeError(f"programs: {package} offers no program {wanted!r} (group {ENTRY_POINTS})", hint=hint)
    return _fitting(name, wanted, _loaded(name, known[wanted]))


def _loaded(name: str, point: EntryPoint) -> object:
    try:
        return point.load()
    except SynthError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise RecipeError(f"programs: {name} cannot be loaded: {what}", hint="mend or reinstall its package") from error


def _fitting(name: str, wanted: str, loaded: object) -> Program:
    if not isinstance(loaded, Program):
        raise RecipeError(f"programs: {name} is no program", hint="decorate it with synth.programs.own.program")
    if loaded.api != API_VERSION:
        hint = f"this synth speaks API {API_VERSION}: install a version of {name} that states api={API_VERSION}"
        raise RecipeError(f"programs: {name} states program API {loaded.api}", hint=hint)
    if loaded.name != wanted:
        hint = f"offer it as {loaded.name}, or decorate it with name={wanted!r}"
        raise RecipeError(f"programs: {name} calls itself {loaded.name!r}", hint=hint)
    return loaded


def check_program(one: Program, shelves: Shelves, played: Mapping[str, str], languages: Sequence[str]) -> None:
    """Raise UsageError where a program cannot be asked: nobody plays its role, it has no prompt, or its answers have no form.

    Args:
        one: The program.
        shelves: Where its prompt lies.
        played: The model that plays each role of the recipe.
        languages: Those of native prompts, empty text for the English one.
    """
    if one.role not in played:
        raise UsageError(f"program {one.name} asks {one.role!r}, which nobody plays", hint=nearest(one.role, played))
    if played[one.role] == OFFLINE:
        raise UsageError(
            f"program {one.name} asks {one.role}, which the embedded model plays: it answers no program but its own",
            hint=f"name a model for {one.role} in the recipe (alias/model), or another role in the program",
        )
    _check_form(one)
    for language in languages:
        _check_prompt(one, shelves, language)


def _check_form(one: Program) -> None:
    try:
        members = one.schema.get("properties", {}).values()
    except (PydanticUserError, RecursionError) as error:
        what = "it holds itself" if isinstance(error, RecursionError) else str(error).partition("\n")[0]
        hint = "give it fields of text, numbers, booleans, choices, and lists and models of these"
        raise UsageError(
            f"program {one.name}: no form of answers is made of {one.answer.__name__}: {what}", hint=hint
        ) from None
    if makes_labels(one) is None and not any(map(_is_scalar, members)):
        hint = "give the decorator labels=, or the model a method labels(scenario, replies)"
        raise UsageError(f"program {one.name}: no field of {one.answer.__name__} is a label by itself", hint=hint)


def _is_scalar(member: Mapping[str, Any]) -> bool:
    return member.get("type") in _SCALARS or any(map(_is_scalar, member.get("anyOf", ())))


def _check_prompt(one: Program, shelves: Shelves, language: str) -> None:
    names = [f"{PROMPTS}/{one.name}.md", *([f"{PROMPTS}/{language}/{one.name}.md"] if language else [])]
    if not any(map(shelves.has, names)):
        hint = f"write {names[0]} into a folder that the recipe names under overlays"
        raise UsageError(f"program {one.name} has no prompt {' or '.join(names)}", hint=hint)
    prompt = read_prompt(shelves, one.name, language)
    place = Place(prompt.file.name)
    if prompt.front.program != one.name:
        raise ContentError(f"is the prompt of {prompt.front.program!r}, not of {one.name!r}", place=place)
    if unknown := sorted(set(one.shows) - set(SETS)):
        raise UsageError(f"program {one.name} shows {unknown[0]!r}", hint=nearest(unknown[0], SETS))
    defined = read_definitions(shelves, language or "en")
    prompt.render({name: defined.said(name) for name in one.shows})
