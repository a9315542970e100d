"""The record: the tables of SPEC section 2 as frozen dataclasses, flat query columns first, nested lists last.

The Arrow schema is derived from these type hints (`records.arrow`); there is no second definition. Everything after the cell is
nullable or may be empty, so that every outcome fits one schema. Spans are half-open and count code points of NFC text.
Anchors: felt and shown 0 none .. 3 overwhelming; familiarity 0 never met .. 3 shares home or secrets; imposition 0 free goods ..
3 money, risk or reputation; exit_cost 0 walk away .. 3 cannot leave; power_gap 0 none .. 2 decides over livelihood, health or stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from synth.records.labels import (
    Act,
    Action,
    AnnotatorKind,
    CrisisKind,
    Cue,
    Dimension,
    Direction,
    Domain,
    Emotion,
    Explicitness,
    Goal,
    GoalGroup,
    GoldStatus,
    Mechanism,
    Must,
    Origin,
    Outcome,
    PowerBase,
    PowerForm,
    Premise,
    ProfileStatus,
    Regulation,
    ReplyKind,
    Split,
    Stance,
    Task,
    Tie,
    Valence,
)

SCHEMA_VERSION: Final = "1.1"
"""1.1 added `failed_checks`. major.minor: a minor adds nullable columns or labels and readers up-cast; a major means a new build folder."""


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open code points of the text it belongs to."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt, as chat models take it."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class PowerHolding:
    """A base of power and who holds it (speaker, addressee or absent)."""

    base: PowerBase
    held_by: str


@dataclass(frozen=True, slots=True)
class Duty:
    """What an honest reply has to hold to."""

    holder: str
    holds: tuple[str, ...]
    may_concede: tuple[str, ...]
    may_not: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Crisis:
    kind: CrisisKind
    level: int


@dataclass(frozen=True, slots=True)
class Participant:
    """A person of the scene; `pid` is S (speaker), A (addressed), X (absent) or R (the assistant)."""

    pid: str
    role: str
    name: str | None
    profile_id: str | None
    biography: str | None
    occupation: str | None
    age_band: str | None
    gender: str | None
    languages: tuple[str, ...]
    directness: int | None
    agreement: str | None


@dataclass(frozen=True, slots=True)
class Address:
    """How one person addresses another: the system, the form used, the form received, verb level, titles."""

    system: str
    self: str
    other: str
    verb_level: str | None
    titles: str | None
    mutual: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """A directed relation between two participants."""

    from_pid: str
    to_pid: str
    type: str
    power: PowerForm
    address: Address | None


@dataclass(frozen=True, slots=True)
class FactSpan:
    """Where a fact stands: in which turn, and at which code points."""

    turn: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Fact:
    """A salient fact: what it is (language-neutral), the words that state it, its weight 0..3 and what a reply must do with it."""

    fact_id: str
    says: str
    words: str | None
    weight: int
    must: Must
    spans: tuple[FactSpan, ...]


@dataclass(frozen=True, slots=True)
class Norm:
    norm_id: str
    level: str
    status: str


@dataclass(frozen=True, slots=True)
class CueSpan:
    start: int
    end: int
    kind: Cue


@dataclass(frozen=True, slots=True)
class LanguageSpan:
    start: int
    end: int
    language: str


@dataclass(frozen=True, slots=True)
class Turn:
    pid: str
    to: tuple[str, ...]
    text: str
    goal: Goal | None
    felt: int | None
    shown: int | None
    emotion: Emotion | None
    cues: tuple[CueSpan, ...]
    cause: tuple[Span, ...]
    register_shift: str | None
    spans_language: tuple[LanguageSpan, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One question: its ledger key, what it was about (a reply's id, `scene`, `event`, an annotator's role), what answered it.

    A question that its endpoint refused to take stands here too, so that what is missing from a record can be counted by cause.
    """

    key: str
    program: str
    about: str | None
    draw: int
    model_reported: str | None
    outcome: Outcome
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A rule that an answer broke, whether or not it was mended by asking again.

    `about` as in `Call`; `draw` 0 is the first asking; `check` is a name of `synth.line.checks`.
    """

    about: str
    draw: int
    check: str
    says: str | None


@dataclass(frozen=True, slots=True)
class FormDifference:
    """What one edit changed between the first form of an event and this one (of the first turn's text)."""

    start: int
    end: int
    new_start: int
    new_end: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """One form of one event in one language, whatever became of it."""

    scenario_id: str
    schema_version: str
    family: str
    event_key: str
    form_key: str
    split: Split
    outcome: Outcome
    language: str
    variety: str | None
    script: str | None
    mixed_with: tuple[str, ...]
    locale: str | None
    profile_ids: tuple[str, ...]
    profile_status: ProfileStatus
    domain: Domain
    task: Task
    stance: Stance
    channel: str
    audience: str
    dimensions: tuple[Dimension, ...]
    pressure: Mechanism
    power_form: PowerForm
    power_gap: int
    power_bases: tuple[PowerHolding, ...]
    exit_cost: int
    familiarity: int
    tie: Tie
    imposition: int
    goal: Goal
    goal_group: GoalGroup
    goal_also: tuple[Goal, ...]
    emotion: Emotion
    emotion_also: tuple[Emotion, ...]
    label_local: str | None
    felt: int
    shown: int
    valence: Valence
    regulation: Regulation
    explicitness: Explicitness
    directness: int
    duty: Duty | None
    premise: Premise
    crisis: Crisis | None
    protected: tuple[str, ...]
    origin: Origin
    source_language: str | None
    derived_from: str | None
    form_diff: tuple[FormDifference, ...]
    held_constant: tuple[str, ...]
    generator: str
    authored_by_person: str | None
    authored_by_model: str | None
    reread: bool
    line_digest: str
    licence: str
    terms: str
    is_synthetic: bool
    canary: str | None
    setting: str | None
    prompt: tuple[Message, ...]
    target_turn: int | None
    source_text: str | None
    text_sha256: str | None
    participants: tuple[Participant, ...]
    relations: tuple[Relation, ...]
    facts: tuple[Fact, ...]
    norms: tuple[Norm, ...]
    turns: tuple[Turn, ...]
    calls: tuple[Call, ...]
    failed_checks: tuple[FailedCheck, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """One replaced stretch: [start, end) of the parent, [new_start, new_end) of this reply, and the beat it belongs to."""

    start: int
    end: int
    new_start: int
    new_end: int
    beat: str | None


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that keeps intent, affect and context, or fails in exactly one known way."""

    reply_id: str
    scenario_id: str
    kind: ReplyKind
    mechanism: Mechanism | None
    variant: str | None
    direction: Direction | None
    severity: int | None
    text: str
    acts: tuple[Act, ...]
    parent_id: str | None
    edits: tuple[Edit, ...]
    kept: tuple[str, ...]
    style: str | None
    reasoning: str | None


@dataclass(frozen=True, slots=True)
class Annotation:
    """One label that somebody gave; every label ever given is kept. A gold label that a blind reader could not tell is a row without a value.

    `view` says what it was given from. scene: blind, and `share` is the share of readers who would give this label. sighted: `value` was claimed to be there,
    and `share` is how far it is (1 clearly, 2/3 plausibly, 1/3 hardly, 0 no); of a probe, `value` is the answer itself.
    """

    target_id: str
    field: str
    view: str
    annotator: str
    annotator_kind: AnnotatorKind
    annotator_family: str | None
    prompt_language: str | None
    value: str | None
    share: float | None
    evidence: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one filter said of one target (record, scenario, turn:i or reply)."""

    target_id: str
    target: str
    filter: str
    version: int
    action: Action
    score: float | None
    reason: str
    advisory: bool


@dataclass(frozen=True, slots=True)
class Selection:
    """What the build decided about one scenario or reply: one row for each, rewritten by `close`, never by hand."""

    target_id: str
    kind: str
    kept: bool
    lane: str
    split: Split
    gold_intent: GoldStatus | None
    gold_affect: GoldStatus | None
    gold_context: GoldStatus | None
    recoverability: float | None
    w_survival: float | None
    leaked: float | None
    reasons: tuple[str, ...]


TABLES: Final = {
    "scenarios": Scenario,
    "replies": Reply,
    "annotations": Annotation,
    "verdicts": Verdict,
    "select": Selection,
}
"""Every table of a build and the row it holds."""
