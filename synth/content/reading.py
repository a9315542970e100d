"""Read what people write: YAML 1.2 without surprises, checked by pydantic, every fault with its file, line and column.

Refused: duplicate keys, tags, anchors in number, depth over 32, texts that are no scalar, list or map. Parsing is by the fast safe loader;
the slow one with places is used only to say where a fault is (ruamel.yaml reads about half a megabyte a second).
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from synth.content.shelves import ShelfFile
from synth.errors import ContentError, Place, SynthError, nearest

_DEPTH: Final = 32
_NODES: Final = 200_000
_ALIASES: Final = 32

M = TypeVar("M", bound=BaseModel)


class Written(BaseModel):
    """The base of everything that people write: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


def parse(text: str, name: str, error: type[SynthError] = ContentError) -> Any:
    """Give the value of a YAML 1.2 text as plain dicts, lists and scalars.

    Raises:
        error: with file, line and column, where the text is not YAML or not plain.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    _refuse_bombs(text, name, error)
    loader = YAML(typ="safe", pure=True)
    loader.allow_duplicate_keys = False
    try:
        value = loader.load(text)
    except MarkedYAMLError as fault:
        raise _yaml_fault(fault, name, error) from None
    except RecursionError:
        raise error(f"nested more than {_DEPTH} deep", place=Place(name)) from None
    except (YAMLError, ValueError, OverflowError) as fault:
        raise error(
            f"not YAML: {type(fault).__name__}", place=Place(name), hint=str(fault).splitlines()[0][:200]
        ) from None
    _plain(value, name, error)
    return value


def _refuse_bombs(text: str, name: str, error: type[SynthError]) -> None:
    if "\x00" in text:
        raise error("holds a NUL character", place=Place(name, text[: text.index("\x00")].count("\n") + 1, 1))
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if text.count("&") + text.count("*") < 8 and text.count("[") < 4096 and text.count("{") < 4096:
        return
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

    depth = aliases = 0
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            if isinstance(event, CollectionStartEvent):
                depth += 1
            elif isinstance(event, CollectionEndEvent):
                depth -= 1
            aliases += isinstance(event, AliasEvent)
            if depth > _DEPTH or aliases > _ALIASES:
                what = f"nested more than {_DEPTH} deep" if depth > _DEPTH else f"more than {_ALIASES} aliases"
                raise error(what, place=Place(name, event.start_mark.line + 1, event.start_mark.column + 1))
    except (YAMLError, RecursionError):
        return  # the loader says it better


def _yaml_fault(fault: Any, name: str, error: type[SynthError]) -> SynthError:
    mark = fault.problem_mark or fault.context_mark
    place = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name)
    problem = str(fault.problem or fault.context or "not YAML").strip().splitlines()[0]
    # of a key that stands twice the parser quotes both values: what stands in a person's settings is not ours to show
    return error(f"not YAML 1.2: {problem.partition(' with value ')[0]}", place=place)


def _plain(value: Any, name: str, error: type[SynthError]) -> None:
    stack: list[tuple[Any, int]] = [(value, 1)]
    seen = 0
    while stack:
        item, depth = stack.pop()
        seen += 1
        if seen > _NODES or depth > _DEPTH:
            raise error("too large or too deep", place=Place(name), hint=f"at most {_NODES} values, {_DEPTH} deep")
        if isinstance(item, dict):
            stack.extend((part, depth + 1) for pair in item.items() for part in pair)
        elif isinstance(item, list):
            stack.extend((part, depth + 1) for part in item)
        elif isinstance(item, float) and not math.isfinite(item):
            raise error("holds a number that is not finite", place=Place(name))
        elif not isinstance(item, str | int | float | bool | datetime.date | None):
            raise error(f"holds a {type(item).__name__}", place=Place(name), hint="plain maps, lists and scalars only")


@lru_cache(maxsize=8)
def _placed(text: str) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="rt", pure=True).load(text)


def place_of(text: str, name: str, path: Sequence[str | int]) -> Place:
    """Give the line and column where `path` stands in a YAML text: the nearest parent where it is missing."""
    line = column = 0
    node = _placed(text)
    for step in path:
        key = int(step) if isinstance(step, str) and step.isdecimal() and not _holds(node, step) else step
        try:
            marks = getattr(node, "lc")  # noqa: B009 - only the round-trip loader's nodes have it
            spot = marks.key(key) if isinstance(node, dict) else marks.item(key)
            node = node[key]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
        line, column = spot[0] + 1, spot[1] + 1
    return Place(name, line or 1, column or 1)


def _holds(node: Any, key: str) -> bool:
    return isinstance(node, dict) and key in node


def check(model: type[M], value: Any, text: str, name: str, error: type[SynthError] = ContentError) -> M:
    """Give `value` as a `model`; raise `error` with the place of the first fault and how many more there are."""
    try:
        return model.model_validate(value)
    except ValidationError as faults:
        raise _model_fault(model, faults, text, name, error) from None


def _model_fault(
    model: type[BaseModel], faults: ValidationError, text: str, name: str, error: type[SynthError]
) -> SynthError:
    listed = faults.errors(include_url=False)
    # a misspelt key makes a missing one: the misspelling is what to mend
    first = next((fault for fault in listed if fault["type"] == "extra_forbidden"), listed[0])
    path = [step for step in first["loc"] if not (isinstance(step, str) and step.endswith("]"))]
    shown = ".".join(str(step) for step in path) or "the file"
    hint = ""
    if first["type"] == "extra_forbidden":
        message = f"unknown key {path[-1]!r}" + (f" in {'.'.join(map(str, path[:-1]))}" if len(path) > 1 else "")
        hint = nearest(str(path[-1]), _fields_at(model, path[:-1]))
    elif first["type"] == "missing":
        message = f"{shown} is missing"
    else:
        message = f"{shown}: {first['msg'].removeprefix('Value error, ')}"
        expected = first.get("ctx", {}).get("expected")
        if expected and isinstance(first["input"], str):
            hint = nearest(
                first["input"], [part.strip(" '") for part in str(expected).replace(" or ", ", ").split(",")]
            )
            message = f"{shown}: {first['input']!r} is not valid"
    more = faults.error_count() - 1
    hint = "\n  ".join(filter(None, [hint, f"and {more} more fault{'s' if more > 1 else ''}" if more else ""]))
    return error(message, place=place_of(text, name, path), hint=hint)


def _fields_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """Give the keys that are valid where `path` leads, as far as the type hints tell."""
    import typing

    current: Any = model
    for step in path:
        if isinstance(current, type) and issubclass(current, BaseModel):
            if isinstance(step, int):
                continue  # an item of a list of models: the step before has found the model
            field = current.model_fields.get(str(step))
            current = field.annotation if field else None
        else:
            current = typing.get_args(current)[-1] if typing.get_args(current) else None
        # the next step is a key of a mapping, not a field of its values
        for inner in () if typing.get_origin(current) is dict else typing.get_args(current):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                current = inner
    if isinstance(current, type) and issubclass(current, BaseModel):
        return list(current.model_fields)
    return []


@lru_cache(maxsize=512)
def _parsed(text: str, name: str) -> Any:
    return parse(text, name)


def load(model: type[M], file: ShelfFile) -> M:
    """Give a content file as a `model`.

    Raises:
        ContentError: with file, line, column and the valid values.
    """
    text = file.text()
    return check(model, _parsed(text, file.name), text, file.name)


def load_named(model: type[M], file: ShelfFile, field: str) -> M:
    """Give a content file whose `field` is its own file name, so that no file says it is another.

    Raises:
        ContentError: as `load`, and where the two differ.
    """
    value = load(model, file)
    name, stem = str(getattr(value, field)), file.name.rpartition("/")[2].rpartition(".")[0]
    if name != stem:
        place = place_of(file.text(), file.name, (field,))
        raise ContentError(f"says it is {name}, but lies elsewhere", place=place, hint=f"{field}: {stem}")
    return value
