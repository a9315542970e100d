"""Check a failure reply against its parent by our own diff: its beats, its edits, its length, and what it claims to keep (SPEC 4).

Pure functions of texts. What a text decides is decided here; what only a reader can tell (whether facts that were said anew are still the
same facts, whether a duty is still held) is left to the writer's claim, and to the judge's probes.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from synth.content.lexicons import Lexicon
from synth.content.scenarios import Family
from synth.line.checks import Failed
from synth.line.evidence import edits_between, join_beats
from synth.offline.claims import LONGEST, SHORTEST
from synth.records.cells import PlannedFailure
from synth.records.labels import OVER_VARIANTS, Mechanism
from synth.records.schema import Edit

ASPECTS: Final = ("address", "affect", "deixis", "duty", "facts")
"""What a reply can claim to keep."""

INVARIANTS: Final[Mapping[Mechanism, frozenset[str]]] = {
    Mechanism.ATTENUATION: frozenset({"facts", "duty", "address"}),
    Mechanism.GRANULARITY: frozenset({"affect", "duty", "address"}),
    Mechanism.AVOIDANCE: frozenset({"affect", "address"}),
    Mechanism.DISTANCING: frozenset({"affect", "facts", "duty"}),
}
"""What each mechanism leaves as it was (SPEC 4)."""

SPOILT: Final[Mapping[Mechanism, str]] = {
    Mechanism.ATTENUATION: "affect",
    Mechanism.GRANULARITY: "facts",
    Mechanism.AVOIDANCE: "duty",
}
"""What a failure that gives too little must touch; nearness, which distancing spoils, is carried by every beat."""

MOST_CHANGED: Final[Mapping[Mechanism, float]] = {
    Mechanism.ATTENUATION: 0.60,
    Mechanism.GRANULARITY: 0.90,
    Mechanism.AVOIDANCE: 0.90,
    Mechanism.DISTANCING: 1.0,
}
"""The share of the parent's code points that a failure may replace; over variants, which add, MOST_ADDED of it.

Measured on every authored contrast of eleven languages (483,880 renderings, 2026-11-20), median and most: attenuation .26 and .49, granularity
.31 and .81, avoidance .35 and .86, distancing .96 and .99; over variants .20 and .46.
"""
MOST_ADDED: Final = 0.60

_SWAPPED: Final = 0.15  # two authored beats are mutually closer to each other's old text by .083 at most


@dataclass(frozen=True, slots=True)
class Examined:
    """What a contrast answer comes to: the checks that it fails, and the aspects of its parent that it keeps, sorted."""

    failed: list[Failed]
    kept: tuple[str, ...]


def examine_contrast(
    parent: Mapping[str, str],
    replaced: Mapping[str, str],
    claimed_kept: Collection[str],
    family: Family,
    failure: PlannedFailure,
    joiner: str,
    lexicon: Lexicon | None,
) -> Examined:
    """Give what the answer of the contrast program fails (`beats`, `edits`, `length`, `kept`), and what it keeps.

    Args:
        parent: The faithful reply's beats in order, in NFC.
        replaced: The beats of the answer, in NFC; one that says what the parent says changes nothing.
        claimed_kept: What the answer says it keeps; words that are no aspect are passed over.
        family: Whose beats they are, and what each carries.
        failure: What was asked for.
        joiner: What stands between two beats.
        lexicon: The language's; without one, or without its lists of deixis, deixis is what is claimed.

    What is kept is decided by the text where it can be, and by the claim where only a reader could tell: an aspect is kept where no beat that carries
    it was touched, claimed or not; `address` is given up where one was; deixis is what the lexicon finds. `affect`, `facts` and `duty` in beats that
    were said anew are kept if they are claimed. What the failure was asked to give up (`SPOILT`) and what no beat of the family carries is not kept.
    """
    known = {name: text for name, text in replaced.items() if name in parent and text}
    new = {**parent, **known}
    touched = frozenset(name for name in parent if new[name] != parent[name])
    pointing = _pointing(join_beats(parent, joiner), join_beats(new, joiner), lexicon)
    lost = dict(_contradicted(touched, family, pointing))
    failed = [
        *_beats_failed(parent, replaced),
        *_edits_failed(parent, new, touched, family, failure, joiner),
        *_length_failed(parent, new, joiner),
        *_kept_failed(touched, claimed_kept, family, failure, lost),
    ]
    return Examined(failed, _kept(touched, claimed_kept, family, failure, lost, pointing))


def _kept(
    touched: Collection[str],
    claimed_kept: Collection[str],
    family: Family,
    failure: PlannedFailure,
    lost: Mapping[str, str],
    pointing: Pointing | None,
) -> tuple[str, ...]:
    carried = {aspect: frozenset(family.beats_that_carry(aspect)) for aspect in ASPECTS}
    found = {aspect for aspect in claimed_kept if carried.get(aspect)}
    found |= {aspect for aspect, by in carried.items() if by and by.isdisjoint(touched)}
    if ("deixis" in claimed_kept) if pointing is None or not pointing.listed else pointing.kept:
        found.add("deixis")
    return tuple(sorted(found - set(lost) - {_spoilt(failure)}))


def apply_edits(parent: str, reply: str, edits: Sequence[Edit]) -> str:
    """Give the parent's text with each edit's stretch replaced by the reply's: the reply, where the edits are all that differs.

    Raises:
        ValueError: the edits overlap, are out of order, or reach beyond a text.
    """
    return _spliced(parent, reply, [((e.start, e.end), (e.new_start, e.new_end)) for e in edits])


def revert_edits(parent: str, reply: str, edits: Sequence[Edit]) -> str:
    """Give the reply's text with each edit's stretch put back: the parent, where the edits are all that differs; raise ValueError likewise."""
    return _spliced(reply, parent, [((e.new_start, e.new_end), (e.start, e.end)) for e in edits])


def _spliced(base: str, other: str, stretches: Sequence[tuple[tuple[int, int], tuple[int, int]]]) -> str:
    parts, at, there = [], 0, 0
    for (start, end), (from_, to) in stretches:
        if not (at <= start <= end <= len(base) and there <= from_ <= to <= len(other)):
            raise ValueError(f"the edit [{start}, {end}) -> [{from_}, {to}) overlaps another or is outside its text")
        parts += [base[at:start], other[from_:to]]
        at, there = end, to
    return "".join([*parts, base[at:]])


# -- beats


def _beats_failed(parent: Mapping[str, str], replaced: Mapping[str, str]) -> Iterator[Failed]:
    if unknown := [name for name in replaced if name not in parent]:
        yield Failed("beats", f"no beats of the reply: {', '.join(unknown)}; valid: {', '.join(parent)}")
    if empty := [name for name, text in replaced.items() if not text]:
        yield Failed("beats", f"empty: {', '.join(empty)}")
    changed = [name for name, text in replaced.items() if name in parent and text and text != parent[name]]
    for one, other in itertools.combinations(changed, 2):
        if _nearer(parent, replaced, one, other) and _nearer(parent, replaced, other, one):
            yield Failed("beats", f"{one} and {other} are swapped: each says what the other said")


def _nearer(parent: Mapping[str, str], replaced: Mapping[str, str], one: str, other: str) -> bool:
    """Say whether a beat's new text is clearly closer to another beat's old text than to its own."""
    return _alike(replaced[one], parent[other]) - _alike(replaced[one], parent[one]) > _SWAPPED


def _alike(one: str, other: str) -> float:
    """Give the share of two texts' character trigrams that both have (Jaccard)."""
    left, right = _trigrams(one), _trigrams(other)
    return len(left & right) / max(1, len(left | right))


@lru_cache(maxsize=4096)
def _trigrams(text: str) -> frozenset[str]:
    framed = f" {text.casefold()} "
    return frozenset(framed[at : at + 3] for at in range(len(framed) - 2))


# -- edits and length


def _edits_failed(
    parent: Mapping[str, str],
    new: Mapping[str, str],
    touched: Collection[str],
    family: Family,
    failure: PlannedFailure,
    joiner: str,
) -> Iterator[Failed]:
    if not touched:
        yield Failed("edits", "nothing is changed")
        return
    if len(touched) == len(parent) > 1 and not _may_replace_all(failure):
        yield Failed("edits", f"every beat is replaced; {failure.key} leaves some as they are")
    spoilt = _spoilt(failure)
    carrying = family.beats_that_carry(spoilt) if spoilt else ()
    if carrying and not set(carrying) & set(touched):
        yield Failed(
            "edits", f"no beat that carries {spoilt} is changed ({', '.join(carrying)}), so {failure.key} cannot show"
        )
    most = MOST_ADDED if failure.variant in OVER_VARIANTS else MOST_CHANGED.get(failure.mechanism, 1.0)
    edits = edits_between(parent, new, joiner)
    share = sum(edit.end - edit.start for edit in edits) / max(1, len(join_beats(parent, joiner)))
    if share > most:
        yield Failed("edits", f"{share:.0%} of the reply are changed; at most {most:.0%} for {failure.key}")


def _may_replace_all(failure: PlannedFailure) -> bool:
    return failure.mechanism == Mechanism.DISTANCING and failure.variant not in OVER_VARIANTS


def _spoilt(failure: PlannedFailure) -> str | None:
    return None if failure.variant in OVER_VARIANTS else SPOILT.get(failure.mechanism)


def _length_failed(parent: Mapping[str, str], new: Mapping[str, str], joiner: str) -> Iterator[Failed]:
    before, after = len(join_beats(parent, joiner)), len(join_beats(new, joiner))
    if before and not SHORTEST <= after / before <= LONGEST:
        yield Failed(
            "length",
            f"{after} characters, {after / before:.2f} of the reply's {before}; between {SHORTEST:.2f} and {LONGEST:.2f}, so "
            f"{_least(before)} to {int(before * LONGEST)}",
        )


def _least(before: int) -> int:
    return -int(-before * SHORTEST // 1)


# -- kept


def _kept_failed(
    touched: Collection[str],
    claimed: Collection[str],
    family: Family,
    failure: PlannedFailure,
    lost: Mapping[str, str],
) -> Iterator[Failed]:
    invariants = INVARIANTS.get(failure.mechanism, frozenset())
    for aspect in sorted(invariants):
        carried_by = set(family.beats_that_carry(aspect)) & set(touched)
        if aspect in lost:
            yield Failed("kept", f"{failure.mechanism} keeps {aspect}, and {lost[aspect]}")
        elif carried_by and aspect not in claimed:
            yield Failed(
                "kept",
                f"{failure.mechanism} keeps {aspect}, {', '.join(sorted(carried_by))} is said anew, and nothing claims it",
            )
    for aspect in sorted(set(claimed) & set(lost) - invariants):
        yield Failed("kept", f"claims to keep {aspect}, and {lost[aspect]}")


def _contradicted(touched: Collection[str], family: Family, pointing: Pointing | None) -> Iterator[tuple[str, str]]:
    """Yield the aspects that the text gives up, each with what shows it."""
    carrying = [name for name in family.beats_that_carry("address") if name in touched]
    if carrying:
        yield "address", f"{', '.join(carrying)}, which carries it, is changed"
    if pointing is not None and pointing.lost:
        yield "deixis", f"no word of the {pointing.lost} person is left"


@dataclass(frozen=True, slots=True)
class Pointing:
    """Whom a parent and its failure point at by words of the lexicon; `listed` where it has both of its lists.

    `lost` is the person whom the parent points at and the failure does not; `kept` says that both persons are pointed at, in both.
    """

    listed: bool
    lost: str
    kept: bool


def _pointing(before: str, after: str, lexicon: Lexicon | None) -> Pointing | None:
    """Give whom two texts point at; a list that is empty finds nobody in either."""
    if lexicon is None:
        return None
    first, second = lexicon.first_person(before), lexicon.second_person(before)
    lost = "first" if first and not lexicon.first_person(after) else ""
    lost = lost or ("second" if second and not lexicon.second_person(after) else "")
    return Pointing(bool(lexicon.first and lexicon.second), lost, first and second and not lost)
