"""Gold, tested twice: what blind annotators and sighted verifiers said of a scenario, as one status for each field.

Blind recovery says how hard a label is to see and rejects nothing; sighted verification says whether it is there, and it alone rejects. Only models' labels
count here: the offline annotator looks its own lines up, and what persons say is adjudication. Source: SPEC section 3.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from math import fsum
from typing import Final, Protocol, TypeAlias

from synth.records.labels import AnnotatorKind, Emotion, Explicitness, Goal, GoldStatus, PowerForm
from synth.records.schema import Annotation, Scenario

BLIND: Final = "scene"
"""The view of who sees the scene and no label."""
SIGHTED: Final = "sighted"
"""The view of who sees the scene and one claim about it."""
CUE: Final = "cue"
"""The field under which a verifier says whether a cue of a masked scene can be seen."""

COLUMNS: Final = {"goal": "gold_intent", "emotion": "gold_affect", "power_form": "gold_context"}
"""Each field that is tested, and the column of select.parquet that holds its status."""
FIELDS: Final = tuple(COLUMNS)

ACCEPTED: Final = 0.5
"""The share from which on a claim is plausible, and a label recovered."""
_ANOTHER: Final = 2 / 3
LEAST_CUES: Final = 2
"""How many cues a masked scene carries, none over the words of another (SPEC section 3)."""
_SLACK: Final = 1e-3  # models write shares with two digits or three
_DIGITS: Final = 6


class Labelled(Protocol):
    """What has the gold labels of a scenario, such as a scenario."""

    @property
    def goal(self) -> Goal:
        """What the speaker wants."""

    @property
    def goal_also(self) -> tuple[Goal, ...]:
        """Goals that are as right."""

    @property
    def emotion(self) -> Emotion:
        """What the speaker feels."""

    @property
    def emotion_also(self) -> tuple[Emotion, ...]:
        """Feelings that are as right."""

    @property
    def power_form(self) -> PowerForm:
        """Who holds power over whom."""


_LABELS: Final = {
    "goal": frozenset(map(str, Goal)),
    "emotion": frozenset(map(str, Emotion)),
    "power_form": frozenset(map(str, PowerForm)),
}
_ALSO: Final[Mapping[str, Callable[[Labelled], Collection[str]]]] = {
    "goal": lambda scenario: scenario.goal_also,
    "emotion": lambda scenario: scenario.emotion_also,
    "power_form": lambda _: (),
}
_REJECTED: Final = (GoldStatus.BROKEN, GoldStatus.RELABELLED)

Shares: TypeAlias = Mapping[str, float]
"""What one annotator said of one field: label -> share of readers, 1 in all at most."""
_Cue: TypeAlias = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class FieldGold:
    """What is known of one gold label of one scenario.

    `recovered` is the mean share that blind annotators give to acceptable labels (one who says nothing of the field gives 0); None where none answered.
    `plausible` says whether verifiers find the label in the scene; None where none was asked. `other` is another label that two thirds of the readers see.
    """

    field: str
    recovered: float | None
    plausible: bool | None
    other: str | None
    status: GoldStatus


def acceptable(scenario: Labelled, field: str) -> frozenset[str]:
    """Give the labels that are right for a field: the gold label and those that are as good."""
    return frozenset({str(getattr(scenario, field)), *map(str, _ALSO[field](scenario))})


def accepts(share: float) -> bool:
    """Say whether a sighted share is a yes: clearly or plausibly, not hardly or no."""
    return share >= ACCEPTED - _SLACK


def witness(row: Annotation) -> str:
    """Give who said it: the model, and its family where the person named one. Two endpoints may serve models of one name."""
    return f"{row.annotator} ({row.annotator_family})" if row.annotator_family else row.annotator


def gold_of(scenario: Scenario, annotations: Iterable[Annotation]) -> dict[str, FieldGold]:
    """Give the gold of each field, by field; rows about other targets and rows that no model gave are passed over.

    A field that is not plausible and that nobody read blind yet is broken: see `waits_for_blind`.
    """
    own = [row for row in annotations if row.target_id == scenario.scenario_id and _counts(row)]
    if not own:  # every row of an offline build: no label is worth looking at
        status = _status(scenario, None, None, None)
        return {field: FieldGold(field, None, None, None, status) for field in FIELDS}
    blind = [row for row in own if row.view == BLIND]
    sighted = [row for row in own if row.view == SIGHTED]
    return {field: _field_gold(scenario, field, blind, sighted) for field in FIELDS}


def _counts(row: Annotation) -> bool:
    return row.annotator_kind == AnnotatorKind.MODEL


def _field_gold(
    scenario: Scenario, field: str, blind: Collection[Annotation], sighted: Collection[Annotation]
) -> FieldGold:
    right = acceptable(scenario, field)
    read = _read(blind, field)
    recovered = _mean([fsum(shares.get(label, 0.0) for label in sorted(right)) for shares in read])
    plausible = _plausible([row for row in sighted if row.field == field and row.value in right])
    other = _other(read, _LABELS[field] - right)
    status = _status(scenario, recovered, plausible, other)
    if field == "emotion" and _unhinted(scenario, sighted):
        status = GoldStatus.BROKEN
    return FieldGold(field, None if recovered is None else round(recovered, _DIGITS), plausible, other, status)


def _status(scenario: Scenario, recovered: float | None, plausible: bool | None, other: str | None) -> GoldStatus:
    """Give the cell of the table in SPEC section 3; nothing is confirmed or rejected without a verifier's word."""
    if plausible is None or (plausible and recovered is None):
        return GoldStatus.AUTHORED if scenario.generator.startswith("offline@") else GoldStatus.SPECIFIED
    seen = recovered is not None and recovered >= ACCEPTED - _SLACK
    if plausible:
        return GoldStatus.CONFIRMED if seen else GoldStatus.COVERT
    if seen:
        return GoldStatus.CONTESTED
    return GoldStatus.RELABELLED if other else GoldStatus.BROKEN


def _read(blind: Iterable[Annotation], field: str) -> list[Shares]:
    """Give what each blind annotator said of a field; of one who could not tell (no label, or a row without a value), nothing.

    A model that is asked twice, or that shares out more than everything, is brought back to one whole.
    """
    said: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in blind:
        own = said[witness(row)]
        if row.field == field and row.value is not None:
            own[str(row.value)].append(1.0 if row.share is None else row.share)
    return [_whole({label: fsum(shares) for label, shares in own.items()}) for own in said.values()]


def _whole(shares: dict[str, float]) -> Shares:
    total = max(1.0, fsum(shares.values()))
    return {label: share / total for label, share in shares.items()}


def _other(read: Collection[Shares], wrong: Collection[str]) -> str | None:
    """Give the label that is not acceptable and that two thirds of the readers see; there is one at most."""
    for label in sorted(wrong) if read else ():
        mass = _mean([shares.get(label, 0.0) for shares in read])
        if mass is not None and mass >= _ANOTHER - _SLACK:
            return label
    return None


def _plausible(claims: Iterable[Annotation]) -> bool | None:
    """Say whether verifiers accept a claim, on average; None where nobody was asked."""
    by_verifier: dict[str, list[float]] = defaultdict(list)
    for row in claims:
        if row.share is not None:
            by_verifier[witness(row)].append(row.share)
    mean = _mean([fsum(shares) / len(shares) for shares in by_verifier.values()])
    return None if mean is None else accepts(mean)


def _unhinted(scenario: Scenario, sighted: Collection[Annotation]) -> bool:
    """Say whether a masked scene that was verified is left with fewer than two cues.

    A scene that states fewer itself is no better than one whose cues nobody sees. Only what verifiers were asked and do not find is taken away: silence (a
    half that was refused or cannot be read) rejects nothing. A claim of another kind of cue than the scene states is a decoy.
    """
    if scenario.explicitness != Explicitness.MASKED or not sighted:
        return False
    claims: dict[_Cue, list[Annotation]] = defaultdict(list)
    for row in sighted:
        for span in row.evidence if row.field == CUE else ():
            claims[str(row.value), span.start, span.end].append(row)
    unseen = {cue for cue, rows in claims.items() if _plausible(rows) is False}
    stated = [{(str(cue.kind), cue.start, cue.end) for cue in turn.cues} for turn in scenario.turns if turn.pid == "S"]
    return sum(disjoint((start, end) for _, start, end in cues - unseen) for cues in stated) < LEAST_CUES


def disjoint(spans: Iterable[tuple[int, int]]) -> int:
    """Give how many stretches of one text do not overlap, at most: words that are quoted twice are one cue."""
    found = reached = 0
    for start, end in sorted(spans, key=lambda span: span[1]):
        if start >= reached:
            found, reached = found + 1, end
    return found


def _mean(values: Collection[float]) -> float | None:
    """Give the mean, whatever the order; None of nothing."""
    return fsum(values) / len(values) if values else None


def waits_for_blind(golds: Mapping[str, FieldGold]) -> bool:
    """Say whether a field is rejected that no blind annotator has read yet: their word may still make it relabelled or contested."""
    return any(one.plausible is False and one.recovered is None for one in golds.values())


def recoverability(golds: Mapping[str, FieldGold]) -> float | None:
    """Give how easy the labels are to see, 0 to 1: the mean over the fields; None where nobody read the scene blind."""
    mean = _mean([one.recovered for one in golds.values() if one.recovered is not None])
    return None if mean is None else round(mean, _DIGITS)


def decision(golds: Mapping[str, FieldGold]) -> tuple[str, ...]:
    """Give why a record does not stand: `gold:<field>:broken` or `gold:<field>:relabelled`; empty where it does."""
    return tuple(f"gold:{field}:{golds[field].status}" for field in FIELDS if golds[field].status in _REJECTED)
