"""What each program takes for an answer. A new required field is a new contract version, and so a new ledger key."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from synth.models.base import Contract
from synth.records.labels import Act, Cue

EVENT: Final = Contract("event", 1)
SCENE: Final = Contract("scene", 1)
REPLY: Final = Contract("reply", 1)
CONTRAST: Final = Contract("contrast", 1)
LABELS: Final = Contract("labels", 1)

_LONGEST: Final = 20_000


class _Answered(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class EventAnswer(_Answered):
    """The particulars that all forms of an event share; `world` and `telling` are the offline writer's own."""

    particulars: str = Field(min_length=1, max_length=_LONGEST)
    facts: dict[str, str]
    world: str = ""
    telling: int = 0


class Quoted(_Answered):
    """Words of a text, quoted; `nth` counts earlier places where the same words stand."""

    id: str
    quote: str = Field(min_length=1)
    nth: int = Field(default=0, ge=0)


class QuotedCue(_Answered):
    """A cue of a hidden feeling, quoted."""

    kind: Cue
    quote: str = Field(min_length=1)
    nth: int = Field(default=0, ge=0)


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
    """One form of an event, written."""

    setting: str = Field(max_length=_LONGEST)
    request: str = Field(default="", max_length=_LONGEST)
    turns: tuple[SceneTurn, ...] = Field(min_length=1, max_length=9)
    address: Spoken | None = None


class BeatAnswer(_Answered):
    """One beat of a reply."""

    beat: str
    text: str = Field(min_length=1, max_length=_LONGEST)


class ReplyAnswer(_Answered):
    """A whole reply in beats."""

    beats: tuple[BeatAnswer, ...] = Field(min_length=1, max_length=12)
    style: str = ""
    acts: tuple[Act, ...] = ()


class ContrastAnswer(_Answered):
    """The beats that a failure replaces, and what it claims to keep."""

    beats: tuple[BeatAnswer, ...] = Field(min_length=1, max_length=12)
    kept: tuple[str, ...] = ()


class LabelAnswer(_Answered):
    """One blind label, with the words that show it."""

    field: str
    value: str
    share: float = Field(default=1.0, ge=0, le=1)
    quote: str = ""
    nth: int = Field(default=0, ge=0)


class LabelsAnswer(_Answered):
    """Every field that the annotator could tell."""

    labels: tuple[LabelAnswer, ...] = Field(max_length=32)
