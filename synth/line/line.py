"""What the events of one language need to live, and what becomes of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from synth.content.prompts import Frame
from synth.content.scenarios import Family
from synth.filters.base import OpenSuite, Resources
from synth.line.assemble import Provenance
from synth.programs.contracts import EventAnswer, SceneAnswer
from synth.programs.own import Program
from synth.programs.questions import Desk
from synth.records.cells import Cell, Event
from synth.records.labels import AnnotatorKind
from synth.records.schema import Annotation, Call, FailedCheck, Reply, Scenario, Verdict

Asked: TypeAlias = tuple[Desk, Event, Cell, Family, EventAnswer, SceneAnswer]
"""What every question about a reply is made of."""


@dataclass(slots=True)
class Lived:
    """What became of an event: rows and verdicts of every form, in the event's order of forms."""

    scenarios: list[Scenario] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def add(self, form: Lived) -> None:
        """Put what became of one form behind the others."""
        self.scenarios += form.scenarios
        self.replies += form.replies
        self.annotations += form.annotations
        self.verdicts += form.verdicts


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: annotates blind, verifies or judges. The role, the model's name and family, its kind, and which asking of the same model this is."""

    role: str
    model: str
    family: str | None
    kind: AnnotatorKind
    draw: int
    prompt_language: str


@dataclass(frozen=True, slots=True)
class Line:
    """Everything that the events of one language need to live.

    `at_once` asks at the same time what does not wait for each other. `verifiers` and `judges` are empty where nobody is asked. With `stop_early` a scene that
    a filter or its verifiers drop is paid for no further. `reasoning` names the frame in which a reply is thought through first. `programs` are a person's
    own, each with who is asked.
    """

    desk: Desk
    families: Mapping[str, Family]
    frame: Frame
    joiner: str
    provenance: Provenance
    suite: OpenSuite
    resources: Resources
    annotators: tuple[Reader, ...]
    alternative: bool
    at_once: bool = False
    verifiers: tuple[Reader, ...] = ()
    judges: tuple[Reader, ...] = ()
    stop_early: bool = True
    reasoning: str = ""
    programs: tuple[tuple[Program, Reader], ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """What readers said: labels, the calls, and the checks that their answers failed."""

    annotations: tuple[Annotation, ...] = ()
    calls: tuple[Call, ...] = ()
    failed: tuple[FailedCheck, ...] = ()

    def __add__(self, other: Read) -> Read:
        """Give both, one behind the other."""
        return Read(self.annotations + other.annotations, self.calls + other.calls, self.failed + other.failed)


def all_read(reads: Iterable[Read]) -> Read:
    """Give what several readers said, in their order."""
    return sum(reads, Read())


def about(subject: str, calls: Sequence[Call]) -> tuple[Call, ...]:
    """Give calls that say what they were about."""
    return tuple(replace(call, about=subject) for call in calls)


def digest_parts(parts: Mapping[str, object]) -> str:
    """Give the digest of what decides the rows of a language: 32 hex digits."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
