"""What each program takes for an answer. A new required field is a new contract version, and so a new ledger key.

Each contract also gives its form as a JSON Schema, for endpoints that take one. The schema holds what the prompts ask for,
and requires all of it, because strict mode knows no optional member. What a field marked `SkipJsonSchema` holds is the offline
writer's own: a model that was made to fill it would invent it. Bounds stay here and are not in the schema: providers differ
in which they take, and every answer is validated anyway.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from synth.errors import nearest
from synth.models.base import Contract
from synth.records.labels import Act, Cue, Emotion, Explicitness, Goal, PowerForm, Regulation

_LONGEST: Final = 20_000


class _Answered(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class EventAnswer(_Answered):
    """The particulars that all forms of an event share; `world` and `telling` are the offline writer's own."""

    particulars: str = Field(min_length=1, max_length=_LONGEST)
    facts: dict[str, str]
    world: SkipJsonSchema[str] = ""
    telling: SkipJsonSchema[int] = 0


class Quoted(_Answered):
    """Words of a text, quoted; `nth` counts earlier places where the same words stand."""

    id: str
    quote: str = Field(min_length=1)
    nth: SkipJsonSchema[int] = Field(default=0, ge=0)


class QuotedCue(_Answered):
    """A cue of a hidden feeling, quoted."""

    kind: Cue
    quote: str = Field(min_length=1)
    nth: SkipJsonSchema[int] = Field(default=0, ge=0)


class SceneTurn(_Answered):
    """One turn of a scene."""

    by: str
    to: tuple[str, ...]
    text: str = Field(min_length=1, max_length=_LONGEST)
    facts: tuple[Quoted, ...] = ()
    cues: tuple[QuotedCue, ...] = ()


class Spoken(_Answered):
    """The address that the texts really use: by the speaker, and towards the speaker."""

    out: str
    back: str


class SceneAnswer(_Answered):
    """One form of an event, written; `request` is what an editor is asked to do with it, empty where somebody replies."""

    setting: str = Field(max_length=_LONGEST)
    request: str = Field(default="", max_length=_LONGEST)
    turns: tuple[SceneTurn, ...] = Field(min_length=1, max_length=9)
    address: SkipJsonSchema[Spoken | None] = None


class BeatAnswer(_Answered):
    """One beat of a reply."""

    beat: str
    text: str = Field(min_length=1, max_length=_LONGEST)


class ReplyAnswer(_Answered):
    """A whole reply in beats."""

    beats: tuple[BeatAnswer, ...] = Field(min_length=1, max_length=12)
    style: str = ""
    acts: SkipJsonSchema[tuple[Act, ...]] = ()


class ReasonedAnswer(ReplyAnswer):
    """A reply, and what was thought in a frame before it."""

    reasoning: str = Field(min_length=1, max_length=_LONGEST)


class ContrastAnswer(_Answered):
    """The beats that a failure replaces, and what it claims to keep."""

    beats: tuple[BeatAnswer, ...] = Field(min_length=1, max_length=12)
    kept: tuple[str, ...] = ()


CLOSED: Final[Mapping[str, tuple[str, ...]]] = {
    "goal": tuple(map(str, Goal)),
    "emotion": tuple(map(str, Emotion)),
    "felt": ("0", "1", "2", "3"),
    "shown": ("0", "1", "2", "3"),
    "regulation": tuple(map(str, Regulation)),
    "explicitness": tuple(map(str, Explicitness)),
    "power_form": tuple(map(str, PowerForm)),
}
"""What an annotator may say of each field; anything else is no label, however well it is meant."""


class LabelAnswer(_Answered):
    """One blind label out of its field's closed list, with the words that show it."""

    field: Literal["goal", "emotion", "felt", "shown", "regulation", "explicitness", "power_form"]
    value: str
    share: float = Field(default=1.0, ge=0, le=1)
    quote: str = ""
    nth: SkipJsonSchema[int] = Field(default=0, ge=0)

    @field_validator("value", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        return str(value) if type(value) is int else value

    @model_validator(mode="after")
    def _listed(self) -> Self:
        if self.value not in CLOSED[self.field]:
            raise ValueError(f"{self.value[:80]!r} is no {self.field}; {nearest(self.value[:80], CLOSED[self.field])}")
        return self


class LabelsAnswer(_Answered):
    """Every field that the annotator could tell."""

    labels: tuple[LabelAnswer, ...] = Field(max_length=32)


class JudgedClaim(_Answered):
    """How far one claim about a scene can be taken from it, with the words that decide."""

    id: int
    answer: Literal["clearly", "plausibly", "hardly", "no"]
    quote: str = ""


class ClaimsAnswer(_Answered):
    """Every claim, judged."""

    claims: tuple[JudgedClaim, ...] = Field(min_length=1, max_length=32)


class JudgedProbe(_Answered):
    """Whether a text still supports one thing, with the words that decide."""

    id: str
    answer: Literal["yes", "weaker", "no"]
    quote: str = ""


class ProbesAnswer(_Answered):
    """Every probe, answered."""

    probes: tuple[JudgedProbe, ...] = Field(min_length=1, max_length=32)


_KEPT: Final = frozenset({"additionalProperties", "anyOf", "const", "enum", "items", "properties", "type"})


def shape(schema: Mapping[str, Any], definitions: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Give the shape of a JSON Schema within the subset of strict mode: references resolved, every object closed and whole.

    Args:
        schema: As pydantic makes it; no definition may hold itself.
        definitions: What its references name; its own `$defs` unless given.
    """
    named: Mapping[str, Any] = schema.get("$defs", {}) if definitions is None else definitions
    if "$ref" in schema:
        return shape(named[schema["$ref"].rpartition("/")[2]], named)
    made = {name: value for name, value in schema.items() if name in _KEPT}
    if "properties" in made:
        made["properties"] = {name: shape(member, named) for name, member in made["properties"].items()}
        made |= {"required": list(made["properties"]), "additionalProperties": False}
    for name in ("items", "additionalProperties"):
        if isinstance(made.get(name), dict):
            made[name] = shape(made[name], named)
    if "anyOf" in made:
        made["anyOf"] = [shape(choice, named) for choice in made["anyOf"]]
    return made


def _contract(name: str, version: int, answer: type[BaseModel]) -> Contract:
    # made when it is first sent: most runs never send one
    return Contract(name, version, functools.cache(lambda: shape(answer.model_json_schema())))


EVENT: Final = _contract("event", 1, EventAnswer)
SCENE: Final = _contract("scene", 2, SceneAnswer)
REPLY: Final = _contract("reply", 1, ReplyAnswer)
REASONED: Final = _contract("reasoned", 1, ReasonedAnswer)
CONTRAST: Final = _contract("contrast", 1, ContrastAnswer)
LABELS: Final = _contract("labels", 3, LabelsAnswer)
VERIFY: Final = _contract("verify", 1, ClaimsAnswer)
JUDGE: Final = _contract("judge", 1, ProbesAnswer)
