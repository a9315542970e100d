"""Measure: how good an answer is, in named parts, and whether feelings are named more often than the plan wants.

What is measured is whether the plan can be taken from the text (verifiers who see the claims, decoys among them), whether a text preserves what it must
(judges), and what rules decide (checks, phrases of counselling English). It is never measured whether blind annotators recover the label: a prompt that is
tuned on that learns to name the feeling (DESIGN section 8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

from synth.content.lexicons import Lexicon
from synth.content.scenarios import Family
from synth.line.checks import Failed
from synth.line.contrasts import INVARIANTS, SPOILT
from synth.line.evidence import normal
from synth.programs.contracts import ClaimsAnswer, ProbesAnswer, SceneAnswer
from synth.programs.verify import SHARES, Claim, Truth
from synth.records.cells import Cell, PlannedFailure
from synth.records.labels import OVER_VARIANTS, Explicitness, Mechanism
from synth.records.schema import Call
from synth.tuning.cases import Case

SLACK: Final = 0.05
"""By how much the share of texts that name the feeling may pass the planned one."""

PROBE: Final[Mapping[str, float]] = {"yes": 1.0, "weaker": 0.5, "no": 0.0}
"""What a judge's answer counts."""


@dataclass(frozen=True, slots=True)
class Score:
    """What an answer is worth: `value` from 0 to 1, the mean of its parts, or 0 where it cannot be used at all.

    `failed` are the checks that it failed, with their words; `names` says whether the text names the feeling, None where nobody can tell;
    `heard` says whether anybody who measures gave an answer, None where nobody was asked; `calls` are those that were made for it.
    """

    value: float
    parts: Mapping[str, float] = field(default_factory=dict)
    failed: tuple[Failed, ...] = ()
    names: bool | None = None
    heard: bool | None = None
    calls: tuple[Call, ...] = ()

    def told(self) -> dict[str, object]:
        """Give it as plain values, for the model that reflects."""
        failed = [{"check": one.check, "says": one.says} for one in self.failed]
        return {
            "score": round(self.value, 3),
            "parts": {n: round(v, 3) for n, v in self.parts.items()},
            "failed": failed,
        }


def scored(
    parts: Mapping[str, float | None], failed: Sequence[Failed], calls: Iterable[Call], **more: bool | None
) -> Score:
    """Give the score of an answer: the mean of its parts, and 0 where it names a feeling that the plan leaves unnamed.

    A part that is None was not asked for and is left out; one that was asked for and that nobody answered is 0, or silence would raise a score.
    """
    known = {name: value for name, value in parts.items() if value is not None}
    known["checks"] = 1 / (1 + len({one.check for one in failed}))
    named = any(one.check == "explicitness" for one in failed)
    value = 0.0 if named else fmean(known.values())
    return Score(value, known, tuple(failed), calls=tuple(calls), **more)


def unanswered(why: str, calls: Iterable[Call]) -> Score:
    """Give the score of an answer that is none."""
    return Score(0.0, {}, (Failed("answer", why),), calls=tuple(calls))


# -- scenes


def truths_of(cell: Cell, family: Family, scene: SceneAnswer) -> list[Truth]:
    """Give what the plan says of a scene and a verifier is asked: goal, feeling, power, and the cues of a masked one.

    What is as right as the gold label is accepted too, so that no decoy is (`synth.gold.acceptable`, and cues as a build asks for them).
    """
    found = [
        Truth("goal", str(cell.goal), frozenset({str(cell.goal), *map(str, family.goal.also)})),
        Truth("emotion", str(cell.emotion), frozenset({str(cell.emotion), *map(str, cell.emotion_also)})),
        Truth("power_form", str(cell.form), frozenset({str(cell.form)})),
    ]
    if cell.explicitness == Explicitness.MASKED:
        cues = [(cue, turn.cues) for turn in scene.turns if turn.by == "S" for cue in turn.cues]
        for cue, others in cues[:4]:
            same = frozenset(str(other.kind) for other in others if other.quote == cue.quote)
            found.append(Truth("cue", str(cue.kind), same, cue.quote))
    return found


def accepted(truths: Sequence[Truth], claims: Sequence[Claim], answer: ClaimsAnswer) -> tuple[list[float], list[float]]:
    """Give how far a verifier takes the true claims from a scene, and how far the decoys."""
    said = {one.id: SHARES[one.answer] for one in answer.claims}
    true = {(truth.field, truth.value, truth.quote) for truth in truths}
    found: tuple[list[float], list[float]] = ([], [])
    for number, claim in enumerate(claims, 1):
        found[(claim.field, claim.value, claim.quote) not in true].append(said[number])
    return found


def margin(true: Sequence[float], decoys: Sequence[float]) -> float:
    """Give the acceptance of true claims minus that of decoys, 0 at least, and where nobody answered."""
    return max(0.0, fmean(true) - fmean(decoys)) if true and decoys else 0.0


def spoken_by_speaker(scene: SceneAnswer) -> str:
    """Give what S says."""
    return " ".join(normal(turn.text) for turn in scene.turns if turn.by == "S")


def names_feeling(text: str, cell: Cell, lexicon: Lexicon | None) -> bool | None:
    """Say whether a text calls the feeling by a name of its own; None where the language's lexicon does not know it."""
    words = (
        []
        if lexicon is None
        else [lexicon.feelings[e] for e in (cell.emotion, *cell.emotion_also) if e in lexicon.feelings]
    )
    return any(one.found(text) is not None for one in words) if words else None


def natural(text: str, lexicon: Lexicon | None) -> float | None:
    """Give 1 where a text holds no phrase of counselling English or its loan translation, else 0; None where no list is known."""
    return None if lexicon is None or not lexicon.calques else float(not lexicon.calques_in(text))


# -- replies


@dataclass(frozen=True, slots=True)
class Judged:
    """What judges were asked of a text (ids of probes), and what they answered."""

    asked: tuple[str, ...]
    answers: Sequence[ProbesAnswer]

    def mean(self, chosen: Callable[[str], bool]) -> float | None:
        """Give the mean of the probes whose id is chosen, over all judges: 0 where nobody answered, None where no such probe was asked."""
        if not any(map(chosen, self.asked)):
            return None
        said = [PROBE[probe.answer] for answer in self.answers for probe in answer.probes if chosen(probe.id)]
        return fmean(said) if said else 0.0

    def lost(self, chosen: Callable[[str], bool]) -> float | None:
        """Give 1 where a probe whose id is chosen is no longer a full yes, else 0; None and 0 as `mean` has them."""
        mean = self.mean(chosen)
        return None if mean is None else float(bool(self.answers) and mean < 1.0)


_PROBE_OF: Final = {"facts": "fact.", "affect": "affect", "duty": "duty", "address": "address"}


def kept_probe(failure: PlannedFailure) -> Callable[[str], bool]:
    """Give what says whether a probe is of something that a failure leaves as it was."""
    names = tuple(_PROBE_OF[aspect] for aspect in INVARIANTS[failure.mechanism] if aspect in _PROBE_OF)
    return lambda probe: probe.startswith(names)


def spoilt_probe(failure: PlannedFailure) -> Callable[[str], bool] | None:
    """Give what says whether a probe is of what a failure spoils; None for one that gives too much, which no probe asks for."""
    if failure.variant in OVER_VARIANTS:
        return None
    aspect = SPOILT.get(failure.mechanism) or ("address" if failure.mechanism == Mechanism.DISTANCING else "")
    return (lambda probe: probe.startswith(_PROBE_OF[aspect])) if aspect else None


# -- sets of cells


@dataclass(frozen=True, slots=True)
class Naming:
    """The share of cells whose feeling is planned to be named, and the share of texts that name it, over `n` cells whose words are known."""

    planned: float
    named: float
    n: int

    @property
    def held(self) -> bool:
        """Whether texts name the feeling no more often than planned, by 5 points at most."""
        return self.named - self.planned <= SLACK + 1e-9

    def values(self) -> dict[str, float | int | bool]:
        """Give it as plain values."""
        return {"planned": round(self.planned, 4), "named": round(self.named, 4), "n": self.n, "held": self.held}


def naming(cells: Sequence[tuple[Case, Score]]) -> Naming:
    """Give how often texts name the feeling and how often they were to."""
    known = [(case, score) for case, score in cells if score.names is not None]
    if not known:
        return Naming(0.0, 0.0, 0)
    planned = fmean(case.cell.explicitness == Explicitness.NAMED for case, _ in known)
    return Naming(planned, fmean(bool(score.names) for _, score in known), len(known))


def values_of(cells: Sequence[tuple[Case, Score]]) -> list[float]:
    """Give the value of each cell: all 0 where the texts of the set name feelings more often than planned."""
    return [score.value for _, score in cells] if naming(cells).held else [0.0] * len(cells)
