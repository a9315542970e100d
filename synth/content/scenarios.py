"""Scenario files: what happens, in no language, and what every phrasing of it must make true."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from pydantic import Field, model_validator

from synth.content.reading import Written, load_named
from synth.content.shelves import ShelfFile, Shelves
from synth.records.labels import (
    Dimension,
    Domain,
    Emotion,
    Goal,
    Mechanism,
    Must,
    PowerForm,
    Premise,
    Regulation,
    Stance,
    Task,
    Valence,
)

FOLDER = "templates/scenarios"
LevelName = Literal["low", "mid", "high", "masked"]


class GoalSpec(Written):
    """What the speaker wants, what else would be accepted as true, and what shows when the feeling is hidden."""

    primary: Goal
    also: tuple[Goal, ...] = ()
    masked: Goal


class FeltEmotion(Written):
    """An emotion, its share among the events of the family, and the levels at which it is the leading one."""

    label: Emotion
    share: int = Field(ge=1, le=100)
    levels: tuple[LevelName, ...] = Field(min_length=1)
    local: str | None = None


class Level(Written):
    """How strongly a level is felt and shown (0..3), how it is regulated, how directly it is said (0..3)."""

    felt: int = Field(ge=0, le=3)
    shown: int = Field(ge=0, le=3)
    regulation: Regulation
    directness: int = Field(ge=0, le=3)


class EmotionSpec(Written):
    """The feeling of the family."""

    valence: Valence
    cause: str
    felt: tuple[FeltEmotion, ...] = Field(min_length=1)
    levels: dict[LevelName, Level] = Field(min_length=1)


class FactSpec(Written):
    """A salient fact: weight 0..3, what a reply must do with it, and what it says in no language."""

    weight: int = Field(ge=0, le=3)
    must: Must
    says: str


class DutySpec(Written):
    """What an honest reply has to hold to."""

    holder: str
    holds: tuple[str, ...] = Field(min_length=1)
    may_concede: tuple[str, ...] = ()
    may_not: tuple[str, ...] = ()


class FormSpec(Written):
    """The relationship template and the form of it that this form of the family takes."""

    relationship: str
    form: PowerForm


class TurnSpec(Written):
    """The beats of the speaker's turn."""

    beats: tuple[str, ...] = Field(min_length=1)


class BeatSpec(Written):
    """What a beat of an honest reply carries."""

    carries: tuple[Literal["affect", "facts", "duty", "address"], ...] = ()
    says: str


class ReplySpec(Written):
    """How fine an honest reply is, and its beats in order."""

    granularity: Literal["coarse", "mid", "fine"]
    beats: dict[str, BeatSpec] = Field(min_length=1)


class Family(Written):
    """A scenario family."""

    family: str = Field(pattern=r"^[a-z][a-z0-9_]{2,48}$")
    version: int = Field(ge=1)
    domain: Domain
    task: Task
    stance: Stance
    channel: str
    audience: str
    dimensions: tuple[Dimension, ...] = Field(min_length=1)
    pressure: Mechanism
    happening: str
    premise: Premise
    imposition: int = Field(ge=0, le=3)
    goal: GoalSpec
    emotion: EmotionSpec
    facts: dict[str, FactSpec] = Field(min_length=1)
    duty: DutySpec | None
    forms: dict[PowerForm, FormSpec] = Field(min_length=1)
    listener: FormSpec | None = None
    held_constant: tuple[str, ...]
    turn: TurnSpec
    reply: ReplySpec

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Family:
        if self.emotion.cause not in self.facts:
            raise ValueError(f"emotion.cause {self.emotion.cause!r} is no fact; valid: {', '.join(self.facts)}")
        for level in self.emotion.levels:
            if not self.emotions_at(level):
                raise ValueError(f"no emotion leads at level {level!r}")
        if (self.stance == Stance.CONFIDANT) != (self.listener is not None):
            raise ValueError("a family told to a confidant names its listener, and no other does")
        return self

    def emotions_at(self, level: str) -> tuple[FeltEmotion, ...]:
        """Give the emotions that can lead at a level."""
        return tuple(felt for felt in self.emotion.felt if level in felt.levels)

    def goal_at(self, level: str) -> Goal:
        """Give the goal of the turn at a level."""
        return self.goal.masked if level == "masked" else self.goal.primary

    def preserved(self) -> frozenset[str]:
        """Give the facts that every honest reply states."""
        return frozenset(name for name, fact in self.facts.items() if fact.must == Must.PRESERVE)

    def beats_that_carry(self, aspect: str) -> tuple[str, ...]:
        """Give the beats of an honest reply that carry an aspect."""
        return tuple(name for name, beat in self.reply.beats.items() if aspect in beat.carries)


def families(shelves: Shelves) -> list[str]:
    """Give the names of all families, sorted."""
    return [file.name.removeprefix(FOLDER + "/").removesuffix(".yaml") for file in shelves.files(FOLDER)]


def read_family(shelves: Shelves, name: str) -> Family:
    """Give a family; raise ContentError with file, line and column."""
    file = shelves.file(f"{FOLDER}/{name}.yaml")
    return _read(file, file.digest)


@lru_cache(maxsize=512)
def _read(file: ShelfFile, digest: str) -> Family:
    del digest  # part of the key: an edited file is read again
    return load_named(Family, file, "family")
