"""What a record is asked to be, before any text exists: the event, its people and its forms, as planning draws them."""

from __future__ import annotations

from dataclasses import dataclass

from synth.records.labels import Emotion, Explicitness, Goal, Mechanism, PowerForm, Regulation, Split
from synth.records.schema import PowerHolding, Relation


@dataclass(frozen=True, slots=True)
class Life:
    """Who a person is besides the scene, in the scene's language: notes for who writes, never labels. `id` names it in its file."""

    id: str
    age_band: str
    occupation: str
    work: str
    household: str
    cares: str
    talks: str


@dataclass(frozen=True, slots=True)
class Person:
    """One person of a scene; `short` is the name in daily use. `calls`: how this person calls another, as (pid, words).

    In a control without a persona the names, gender and profile are empty: whoever writes chooses.
    """

    pid: str
    role: str
    name: str
    short: str
    given: str
    family: str
    gender: str
    profile_id: str
    calls: tuple[tuple[str, str], ...] = ()
    life: Life | None = None


@dataclass(frozen=True, slots=True)
class PlannedFailure:
    """One failure reply to ask for; `variant` is empty or names what gives too much or too little (harsh, general).

    `longer` says to which side its length should rather be, so that lengths tell no failure from its parent; None where content decides.
    """

    mechanism: Mechanism
    variant: str
    severity: int
    longer: bool | None = None

    @property
    def key(self) -> str:
        """The name of this failure in a phrasing file, such as `avoidance.harsh`."""
        return f"{self.mechanism}.{self.variant}" if self.variant else str(self.mechanism)


@dataclass(frozen=True, slots=True)
class Cell:
    """One form of one event: everything that a record must come to say, and nothing that it says yet.

    `turns` is how many turns the scene has (1, 3 or 5), and `arc` how it moves over them.
    """

    scenario_id: str
    event_key: str
    form_key: str
    form: PowerForm
    split: Split
    family: str
    language: str
    variety: str
    script: str
    locale: str
    profile_ids: tuple[str, ...]
    profiles_reviewed: bool
    level: str
    emotion: Emotion
    emotion_also: tuple[Emotion, ...]
    explicitness: Explicitness
    goal: Goal
    felt: int
    shown: int
    regulation: Regulation
    directness: int
    relationship: str
    power_gap: int
    power_bases: tuple[PowerHolding, ...]
    exit_cost: int
    familiarity: int
    tie: str
    people: tuple[Person, ...]
    relations: tuple[Relation, ...]
    address_out: str
    address_back: str
    failures: tuple[PlannedFailure, ...]
    turns: int = 1
    arc: str = ""


CONTROL = ".default"
"""What ends the key of a form without personas: the same form again, with roles and no names, as a control for what names bring in."""


def is_control(key: str) -> bool:
    """Say whether a form key or scenario id is that of a control without personas; it counts for no quota."""
    return key.endswith(CONTROL)


@dataclass(frozen=True, slots=True)
class Event:
    """One set of particulars with its counterfactual forms: the unit of work, partition, quota and replacement.

    `sequence` is the event's turn at authored lines, None where a model writes its own.
    """

    event_key: str
    seed: int
    language: str
    family: str
    level: str
    emotion: Emotion
    explicitness: Explicitness
    ordinal: int
    replacement: int
    sequence: int | None
    split: Split
    cells: tuple[Cell, ...]
