"""A question of a person's own: a function that makes a brief, a prompt file, and a pydantic model of the answer.

The function knows one record and its replies, never the build. What the answer says is kept as labels in the program's own name. A program comes with an
installed package, which a recipe names, or as an argument of `synth.build` (synth/programs/joining.py).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, Final, TypeAlias

from pydantic import BaseModel, RootModel

from synth.errors import UsageError
from synth.models.base import Contract
from synth.programs.contracts import shape
from synth.records.schema import Reply, Scenario

API_VERSION: Final = 1
"""What a program of a package states as `api=`; it grows when this contract changes."""

RESERVED: Final = frozenset(
    {"event", "write", "vary", "reply", "contrast", "annotate", "verify", "judge", "probe", "repair", "tune"}
)
"""Names that questions, prompts and labels of ours have."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FIELD: Final = re.compile(r"\S{1,64}")

Brief: TypeAlias = Callable[[Scenario, tuple[Reply, ...]], Mapping[str, Any] | None]
Labels: TypeAlias = Callable[[Scenario, tuple[Reply, ...], Any], Iterable["Label"]]


@dataclass(frozen=True, slots=True)
class Label:
    """What an answer says of one field: of the scenario, or of the reply whose id is `target_id`.

    `share` (0..1) is the share of readers who would say so, where that was asked; `quote` are words of the turn that is answered, or of the reply.
    """

    field: str
    value: str | float | bool
    share: float | None = None
    quote: str = ""
    target_id: str = ""


@dataclass(frozen=True)
class Program:
    """A question of a person's own; calling it gives the brief of a record, None where the record is not asked about."""

    name: str
    version: int
    role: str
    answer: type[BaseModel]
    brief: Brief
    labels: Labels | None = None
    shows: tuple[str, ...] = ()
    api: int | None = None

    def __call__(self, scenario: Scenario, replies: tuple[Reply, ...] = ()) -> Mapping[str, Any] | None:
        return self.brief(scenario, replies)

    @cached_property
    def schema(self) -> Mapping[str, Any]:
        """The JSON Schema of an answer, as endpoints take it."""
        return shape(self.answer.model_json_schema())

    @cached_property
    def contract(self) -> Contract:
        """The form of answer that is asked for."""
        return Contract(self.name, self.version, lambda: self.schema)

    @property
    def digest(self) -> str:
        """32 hex digits of the form of its answers."""
        return hashlib.blake2b(json.dumps(self.schema, sort_keys=True).encode(), digest_size=16).hexdigest()


def program(
    *,
    name: str,
    role: str,
    answer: type[BaseModel],
    version: int = 1,
    labels: Labels | None = None,
    shows: Sequence[str] = (),
    api: int | None = None,
) -> Callable[[Brief], Program]:
    """Make a function (scenario, replies) -> brief a program.

    Args:
        name: Its own, which the prompt `templates/prompts/<name>.md` and its labels `<name>.<field>` carry.
        role: Who is asked: writer, annotator-1 and so on, as the recipe's models are numbered.
        answer: What an answer has to hold.
        version: Raised by hand whenever the same record would be asked, or its answer be read, another way.
        labels: Gives the labels of (scenario, replies, answer); else the answer's own method `labels(scenario, replies)` does, else every scalar field is one.
            Where it raises ValueError the answer does not fit the record: the words go into the one repair question.
        shows: The label sets whose definitions the prompt takes as inputs, such as emotions.
        api: What a package states: the API_VERSION that it was written for.

    Raises:
        UsageError: the name is no name, or one of ours; or the answer is no model of a JSON object.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a program", hint="lower-case letters, digits and _, a letter first")
    if name in RESERVED:
        raise UsageError(
            f"the name {name!r} is one of ours", hint=f"choose another; taken: {', '.join(sorted(RESERVED))}"
        )
    if not (isinstance(answer, type) and issubclass(answer, BaseModel)) or issubclass(answer, RootModel):
        raise UsageError(f"program {name}: its answer is no model of a JSON object", hint="derive it from BaseModel")
    return lambda brief: Program(name, version, role, answer, brief, labels, tuple(shows), api)


# -- asking


def brief_of(one: Program, scenario: Scenario, replies: tuple[Reply, ...]) -> dict[str, Any] | None:
    """Give the brief that a program makes of a record, headed by its name and the record's language; None where it is not asked.

    Raises:
        UsageError: the function failed, or gave what is no brief; names program and record.
    """
    try:
        given = one(scenario, replies)
        if given is None:
            return None
        if not isinstance(given, Mapping) or "program" in given:
            raise TypeError("a brief is a mapping, without the key `program`, or None")  # noqa: TRY301 - told as its failure
        brief = {"program": one.name, "language": scenario.language, **given}
        json.dumps(brief, ensure_ascii=False, allow_nan=False).encode()
    except Exception as error:
        raise _failed(one, scenario, error) from error
    return brief


def labels_of(one: Program, scenario: Scenario, replies: tuple[Reply, ...], answer: BaseModel) -> list[Label]:
    """Give the labels of an answer.

    Raises:
        ValueError: the answer does not fit the record; says how.
        UsageError: the program failed, or gave what is no label; names program and record.
    """
    make = makes_labels(one)
    try:
        found = list(make(scenario, replies, answer) if make else _scalars(answer))
        if wrong := next((label for label in found if not _is_label(label)), None):
            raise TypeError(f"{wrong!r} is no Label of a field, a value and a share from 0 to 1")  # noqa: TRY301
    except ValueError:
        raise
    except Exception as error:
        raise _failed(one, scenario, error) from error
    known = {"", scenario.scenario_id, *(reply.reply_id for reply in replies)}
    if stray := next((label.target_id for label in found if label.target_id not in known), None):
        raise ValueError(f"{stray[:80]!r} is the id of no reply of this scene")
    return found


def makes_labels(one: Program) -> Labels | None:
    """Give the function that makes a program's labels, None where every scalar field of its answer is one."""
    if one.labels is not None:
        return one.labels
    method = getattr(one.answer, "labels", None)
    return (lambda scenario, replies, answer: answer.labels(scenario, replies)) if callable(method) else None


def _scalars(answer: BaseModel) -> Iterable[Label]:
    for name in type(answer).model_fields:
        value = getattr(answer, name)
        value = value.value if isinstance(value, Enum) else value
        if isinstance(value, str | int | float):
            yield Label(name, value)


def _is_label(label: object) -> bool:
    return (
        isinstance(label, Label)
        and isinstance(label.field, str)
        and bool(_FIELD.fullmatch(label.field))
        and isinstance(label.value, str | int | float)
        and isinstance(label.quote, str)
        and isinstance(label.target_id, str)
        and (label.share is None or (isinstance(label.share, int | float) and 0 <= label.share <= 1))
    )


def _failed(one: Program, scenario: Scenario, error: Exception) -> UsageError:
    what = f"{type(error).__name__}: {error}"
    hint = "mend the program, or build without it; then run the same command again"
    where = f"record {scenario.scenario_id}"
    return UsageError(f"program {one.name} (version {one.version}) failed at {where}: {what}", hint=hint)
