"""The artifact gate: how much a preference shows without its scene (SPEC 4).

Two models see replies only, never the scene. **words** sees hashed character trigrams and words; **surface** sees length, sentences, question
and exclamation marks, commas, the opening word, and where a lexicon is given the words that point at speaker and addressee. Each is a logistic
regression on differences (chosen less rejected), so it is asked what a preference model is asked, and it is fitted for each language on pairs of
other families than it is tested on. Its AUC is that of held-out pairs shown both ways round: how often a right order scores above a wrong one;
0.5 is chance. Crossed pairs are at chance by construction (`audit.pairs`), so `failure` says what `all` hides.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from functools import lru_cache
from typing import Any, Final

import numpy as np
import regex

from synth.audit.figures import Figures, Ruling
from synth.audit.pairs import Pair
from synth.content.lexicons import Lexicon
from synth.offline.words import words_of
from synth.records.labels import Mechanism, ReplyKind
from synth.statistics import Estimate, wilson

LEAST_PAIRS: Final = 200
"""Under so many pairs nothing is said."""

LEAST_FAMILIES: Final = 3
"""Under so many families events are held out instead, which is easier: lines of one family stand on both sides."""

LONGER: Final = (0.4, 0.6)
"""The share of rejected replies that may be longer than the chosen one, within a mechanism."""

_FOLDS: Final = 5
_STEPS: Final = 60
_RESAMPLED: Final = 1000
_UNITS: Final = 64  # of resampling, where events are held out
_SEED: Final = 20261120
_HASHED: Final = 2**18
_OPENINGS: Final = 64
_EXACT: Final = 9  # digits of a lead: what adding in another order changes is no difference
_SENTENCE: Final = regex.compile(r"[.!?。！？؟।…]+")
_COMMA: Final = regex.compile(r"[,，、،]")
_ASKS: Final = regex.compile(r"[?？؟]")
_EXCLAIMS: Final = regex.compile(r"[!！]")


@unique
class Population(StrEnum):
    """Which pairs."""

    ALL = "all"
    FAILURE = "failure"
    CROSSED = "crossed"
    OBSERVED = "observed"


MOST: Final[Mapping[Population, float]] = {Population.ALL: 0.70, Population.CROSSED: 0.60, Population.OBSERVED: 0.60}
"""The highest AUC that passes; of failure pairs alone nothing is asked."""


@dataclass(frozen=True, slots=True)
class Separability(Figures):
    """What one model makes of pairs without their scene.

    `language` None is all languages, each by its own model; `mechanism` None is all. `auc` has a 95 % bootstrap interval over what was
    held out (`held_out`: families, or events), None where there are not two of them. `right` is the share of pairs in which the chosen reply
    scores higher. `most` is what passes, `passes` whether it does: no where the whole interval is above, too few to say where a part of it is and the value
    too. Both are None where nothing is asked: of one mechanism, or of failures alone.
    """

    population: Population
    features: str
    language: str | None
    mechanism: Mechanism | None
    pairs: int
    held_out: str
    auc: Estimate | None
    right: float | None
    most: float | None
    passes: Ruling | None


@dataclass(frozen=True, slots=True)
class LengthBalance(Figures):
    """How often the rejected reply is the longer one, among failure pairs of a mechanism that differ in length."""

    language: str | None
    mechanism: Mechanism
    longer: Estimate | None
    balanced: Ruling


@dataclass(frozen=True, slots=True)
class ArtifactGate(Figures):
    """Every figure of the gate; `passes` is no where one of all languages or of one language is above its limit."""

    separability: tuple[Separability, ...]
    lengths: tuple[LengthBalance, ...]
    passes: Ruling


def artifact_gate(pairs: Iterable[Pair], lexicons: Mapping[str, Lexicon | None] | None = None) -> ArtifactGate:
    """Give what replies alone give away, over all pairs, by language and by mechanism; in whatever order the pairs come.

    Args:
        pairs: Failure, crossed and observed pairs, at their share of what is released: it decides the figures of all pairs.
        lexicons: By language; without one the surface model does not see the words of the first and second person.
    """
    found = sorted(pairs, key=lambda one: (one.language, one.kind, one.chosen_id, one.rejected_id))
    separability = tuple(_separability(found, lexicons or {}))
    rulings = [one.passes for one in separability if one.passes is not None]
    return ArtifactGate(separability, length_balance(found), _together(rulings))


def _together(rulings: Sequence[Ruling]) -> Ruling:
    if not rulings:
        return Ruling.NOT_RUN
    return next((one for one in (Ruling.NO, Ruling.YES) if one in rulings), Ruling.TOO_FEW)


# -- figures


def _separability(pairs: Sequence[Pair], lexicons: Mapping[str, Lexicon | None]) -> Iterator[Separability]:
    scored: dict[tuple[Population, str], dict[str, list[_Scored]]] = defaultdict(dict)
    for language, own in _grouped(pairs, lambda one: one.language).items():
        for features, rows_of in (("words", _word_rows), ("surface", _surface_rows)):
            rows = rows_of(own, lexicons.get(language))
            for population in Population:
                inside = np.array([population in (Population.ALL, str(one.kind)) for one in own])
                if inside.any():
                    chosen = [own[place] for place in np.flatnonzero(inside)]
                    scored[population, features][language] = _scored(chosen, rows.where(inside))
    for population, features in sorted(scored, key=lambda key: (list(Population).index(key[0]), key[1])):
        by_language = scored[population, features]
        every = [one for own in by_language.values() for one in own]
        parts = [(None, every)] if len(by_language) > 1 else []
        for spoken, some in [*parts, *by_language.items()]:
            yield _figure(population, features, spoken, None, some)
            for mechanism, few in _grouped(some, lambda one: one.pair.mechanism).items():
                yield _figure(population, features, spoken, mechanism, few)


def _grouped(items: Iterable[Any], key: Callable[[Any], Hashable]) -> dict[Any, list[Any]]:
    """Give items by a key, keys in order."""
    found: dict[Any, list[Any]] = defaultdict(list)
    for one in items:
        found[key(one)].append(one)
    return {name: found[name] for name in sorted(found)}


@dataclass(frozen=True, slots=True)
class _Scored:
    """A pair, what was held out with it, and by how much its chosen reply scores higher; None where nothing could be held out."""

    pair: Pair
    held_out: str
    unit: str
    lead: float | None


def _figure(
    population: Population, features: str, language: str | None, mechanism: Mechanism | None, scored: Sequence[_Scored]
) -> Separability:
    told = [one for one in scored if one.lead is not None]
    leads, units = np.array([one.lead for one in told]), [one.unit for one in told]
    auc = _auc(leads, units) if told else None
    most = MOST.get(population) if mechanism is None else None
    return Separability(
        population=population,
        features=features,
        language=language,
        mechanism=mechanism,
        pairs=len(scored),
        held_out="/".join(sorted({one.held_out for one in scored})),
        auc=auc,
        right=float(((leads > 0) + 0.5 * (leads == 0)).mean()) if told else None,
        most=most,
        passes=None if most is None else _ruling(auc, most),
    )


def _ruling(auc: Estimate | None, most: float) -> Ruling:
    if auc is None or auc.n < LEAST_PAIRS:
        return Ruling.TOO_FEW
    if auc.lower > most:
        return Ruling.NO
    return Ruling.YES if auc.value <= most else Ruling.TOO_FEW


def _auc(leads: Any, units: Sequence[str]) -> Estimate:
    """Give the AUC of pairs shown both ways round, with the 2.5th and 97.5th percentile over resampled units.

    It is how often two leads have a positive sum. The wins are counted once for every two units, so that a resampling only weighs them.
    """
    names, codes = np.unique(np.asarray(units), return_inverse=True)
    by_unit = [np.sort(-leads[codes == code]) for code in range(len(names))]
    sizes = np.array([len(one) for one in by_unit], dtype=np.float64)
    wins = np.zeros((len(names), len(names)))
    for other, ordered in enumerate(by_unit):
        below = np.searchsorted(ordered, leads, "left") + np.searchsorted(ordered, leads, "right")
        wins[:, other] = np.bincount(codes, weights=below / 2, minlength=len(names))
    times = np.random.default_rng(_SEED).multinomial(len(names), np.full(len(names), 1 / len(names)), size=_RESAMPLED)
    resampled = np.einsum("ri,ij,rj->r", times, wins, times, optimize=True) / (times @ sizes) ** 2
    lower, upper = np.percentile(resampled, (2.5, 97.5))
    value = float(wins.sum() / sizes.sum() ** 2)
    return Estimate(value, min(value, float(lower)), max(value, float(upper)), len(leads))


def length_balance(pairs: Iterable[Pair]) -> tuple[LengthBalance, ...]:
    """Give how often failures are longer than what they spoil, by language and mechanism; in whatever order the pairs come."""
    return tuple(_lengths([one for one in pairs if one.kind == ReplyKind.FAILURE]))


def _lengths(failures: Sequence[Pair]) -> Iterator[LengthBalance]:
    by_language = _grouped(failures, lambda one: one.language)
    parts = [(None, failures)] if len(by_language) > 1 else []
    for language, own in [*parts, *by_language.items()]:
        for mechanism, some in _grouped(own, lambda one: one.mechanism).items():
            differ = [len(one.rejected) > len(one.chosen) for one in some if len(one.rejected) != len(one.chosen)]
            longer = wilson(sum(differ), len(differ)) if differ else None
            yield LengthBalance(language, mechanism, longer, _balanced(longer))


def _balanced(longer: Estimate | None) -> Ruling:
    if longer is None or longer.n < LEAST_PAIRS:
        return Ruling.TOO_FEW
    return Ruling.YES if LONGER[0] <= longer.value <= LONGER[1] else Ruling.NO


# -- held-out scores


def _scored(pairs: Sequence[Pair], rows: _Rows) -> list[_Scored]:
    """Give the lead of every pair's chosen reply, by a model that met nothing of what is held out with it."""
    families = sorted({one.family for one in pairs})
    by_family = len(families) >= LEAST_FAMILIES
    held = [one.family if by_family else f"event {_code(one.event) % _UNITS}" for one in pairs]
    names = sorted(set(held), key=lambda name: (_code(name), name))
    fold = np.array([names.index(name) % _FOLDS for name in held])
    leads: Sequence[float | None] = [None] * len(pairs)
    if len(names) > 1:
        scores = np.zeros(len(pairs))
        for out in sorted(set(fold.tolist())):
            scores[fold == out] = rows.where(fold == out).times(rows.where(fold != out).learned())
        leads = np.round(scores, _EXACT).tolist()
    name = "family" if by_family else "event"
    return [_Scored(pair, name, unit, lead) for pair, unit, lead in zip(pairs, held, leads, strict=True)]


class _Rows:
    """A sparse matrix of differences, a row for each pair: entry `n` is `values[n]` in (`rows[n]`, `columns[n]`)."""

    __slots__ = ("columns", "rows", "shape", "values")

    def __init__(self, rows: Any, columns: Any, values: Any, shape: tuple[int, int]) -> None:
        self.rows, self.columns, self.values, self.shape = rows, columns, values, shape

    def where(self, mask: Any) -> _Rows:
        """Give the rows of a mask."""
        kept, place = mask[self.rows], np.cumsum(mask) - 1
        shape = (int(mask.sum()), self.shape[1])
        return _Rows(place[self.rows[kept]], self.columns[kept], self.values[kept], shape)

    def times(self, weights: Any) -> Any:
        """Give the product with a column."""
        return np.bincount(self.rows, weights=self.values * weights[self.columns], minlength=self.shape[0])

    def back(self, errors: Any) -> Any:
        """Give the product of the transposed matrix with a column."""
        return np.bincount(self.columns, weights=self.values * errors[self.rows], minlength=self.shape[1])

    def learned(self) -> Any:
        """Give the weights of a logistic regression in which every row is a right order, with a ridge of one over the number of rows.

        Accelerated gradient steps (Nesterov 1983) of the length that the largest eigenvalue allows.
        """
        number, ridge = max(1, self.shape[0]), 1 / max(1, self.shape[0])
        step = 1 / (0.25 * self._largest() / number + ridge)
        weights = ahead = np.zeros(self.shape[1])
        for turn in range(_STEPS):
            wrong = 1 / (1 + np.exp(np.minimum(self.times(ahead), 500)))
            moved = ahead + step * (self.back(wrong) / number - ridge * ahead)
            weights, ahead = moved, moved + turn / (turn + 3) * (moved - weights)
        return weights

    def _largest(self) -> float:
        """Give the largest eigenvalue of the transposed matrix times itself, by power iteration, and a tenth more to be safe."""
        vector, size = np.ones(self.shape[1]) / max(1, self.shape[1]) ** 0.5, 0.0
        for _ in range(12):
            vector = self.back(self.times(vector))
            size = float(np.linalg.norm(vector))
            vector = vector / size if size else vector
        return 1.1 * size


# -- what the models see


def _word_rows(pairs: Sequence[Pair], lexicon: Lexicon | None) -> _Rows:
    """Give what only one reply of a pair holds: trigrams and words, plus for the chosen one, rows of length one."""
    del lexicon
    rows, columns, values = [], [], []
    for place, pair in enumerate(pairs):
        chosen, rejected = _hashed(pair.chosen, pair.language), _hashed(pair.rejected, pair.language)
        more, less = (np.setdiff1d(a, b, assume_unique=True) for a, b in ((chosen, rejected), (rejected, chosen)))
        size = len(more) + len(less)
        rows.append(np.full(size, place))
        columns += [more, less]
        values.append(np.repeat((1.0, -1.0), (len(more), len(less))) / max(1, size) ** 0.5)
    met, dense = np.unique(np.concatenate(columns), return_inverse=True)
    return _Rows(np.concatenate(rows), dense, np.concatenate(values), (len(pairs), len(met)))


@lru_cache(maxsize=2**14)
def _hashed(text: str, language: str) -> Any:
    """Give the hashed character trigrams and words of a text, each once."""
    points = np.frombuffer(f" {text.casefold()} ".encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    trigrams = (points[:-2] * 1_000_003 + points[1:-1]) * 1_000_003 + points[2:]
    words = np.array([_code(word) for word in words_of(text, language)], dtype=np.uint64)
    return np.unique(np.concatenate([trigrams % _HASHED, words % _HASHED + _HASHED]).astype(np.int64))


def _code(word: str) -> int:
    return zlib.crc32(word.encode())


def _surface_rows(pairs: Sequence[Pair], lexicon: Lexicon | None) -> _Rows:
    """Give differences of what can be counted, each in units of its own spread."""
    texts = dict.fromkeys(text for one in pairs for text in (one.chosen, one.rejected))
    counted = {text: np.array(_surface(text, pairs[0].language, lexicon)) for text in texts}
    differences = np.array([counted[one.chosen] - counted[one.rejected] for one in pairs])
    spread = np.sqrt((differences**2).mean(axis=0))
    differences = differences / np.where(spread > 0, spread, 1.0)
    rows, columns = np.nonzero(differences)
    return _Rows(rows, columns, differences[rows, columns], differences.shape)


def _surface(text: str, language: str, lexicon: Lexicon | None) -> list[float]:
    persons = (lexicon.first, lexicon.second) if lexicon is not None else ()
    counts = [len(pattern.findall(text)) for pattern in (_SENTENCE, _ASKS, _EXCLAIMS, _COMMA)]
    counts += [len(words.spans(text)) for words in persons]
    opening = _code(next(iter(words_of(text, language)), "")) % _OPENINGS
    return [float(np.log1p(len(text))), *map(float, counts), *(float(opening == place) for place in range(_OPENINGS))]
