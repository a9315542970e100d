"""Near-duplicate first turns: exact, then MinHash, as an ordered admission (SPEC section 7).

Shingles are 5 characters of the normalised text, 3 where words are not spaced (`minhash`). Shared bands find
candidates; a candidate counts where the share of equal minima reaches the threshold. That share estimates the Jaccard
similarity of the shingle sets with a standard error of at most .044; it is what is verified because it is what is
stored: no earlier text is read again. Only admitted rows are compared with, and only of other events: forms of one
event, and events derived from one another, are siblings and exempt. So a verdict depends on earlier rows and never
changes, however rows are cut into batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from synth.errors import DamagedError
from synth.filters.base import Candidate, Parameters, Resources, Stage, filter  # noqa: A004
from synth.filters.minhash import (
    PERMUTATIONS,
    SHINGLE,
    SHINGLE_UNSPACED,
    SIGNATURE_VERSION,
    Keys,
    Minima,
    band_keys,
    minima,
    normalise,
    similarity,
)
from synth.records.labels import Action
from synth.records.schema import Scenario, Verdict

if TYPE_CHECKING:
    import pyarrow as pa


def compared_text(scenario: Scenario) -> str:
    """Give the text that is compared: the first turn, and the source text where the turn does not hold it."""
    first = scenario.turns[0].text if scenario.turns else ""
    source = scenario.source_text or ""
    return first if source in first else f"{first}\n{source}"


def kin_of(scenario: Scenario) -> str:
    """Give the event that a scenario's siblings share: the one it is derived from, else its own."""
    return (scenario.derived_from or scenario.event_key).partition(".")[0]


class Buckets:
    """Rows by band key: a dict for recent rows, sorted arrays for the rest (384 bytes a row, where a dict takes 4,000).

    A bucket holds the first `cap` rows that came to it, however the rest is stored.
    """

    def __init__(self, cap: int, recent: int = 16_384) -> None:
        self.cap = cap
        self._limit = recent
        self._recent: dict[int, list[int]] = {}
        self._segments: list[tuple[Keys, NDArray[np.uint32]]] = []
        self._entered = 0

    def find(self, keys: Keys) -> tuple[set[int], list[int]]:
        """Give the rows that share a key, and how full the bucket of each key is."""
        rows: set[int] = set()
        counts = [0] * len(keys)
        for known, held in self._segments:
            starts = np.searchsorted(known, keys)
            hits = np.flatnonzero(known[np.minimum(starts, len(known) - 1)] == keys)
            ends = np.searchsorted(known, keys[hits], side="right")
            for hit, start, end in zip(hits.tolist(), starts[hits].tolist(), ends.tolist(), strict=True):
                rows.update(held[start:end].tolist())
                counts[hit] += end - start
        for position, key in enumerate(keys.tolist()):
            recent = self._recent.get(key)
            if recent:
                rows.update(recent)
                counts[position] += len(recent)
        return rows, counts

    def enter(self, keys: Keys, row: int, counts: Sequence[int]) -> int:
        """Enter a row in its buckets, given how full `find` found them; give how many were full."""
        full = 0
        for key, count in zip(keys.tolist(), counts, strict=True):
            if count < self.cap:
                self._recent.setdefault(key, []).append(row)
            else:
                full += 1
        self._entered += 1
        if self._entered == self._limit:
            self._settle()
        return full

    def _settle(self) -> None:
        """Move the recent rows to a sorted segment; merge segments so that each is more than twice the next."""
        keys = np.fromiter((k for k, rows in self._recent.items() for _ in rows), np.uint64)
        rows = np.fromiter((row for rows in self._recent.values() for row in rows), np.uint32)
        self._recent, self._entered = {}, 0
        while self._segments and len(self._segments[-1][0]) <= 2 * len(keys):
            older = self._segments.pop()
            keys, rows = np.concatenate([older[0], keys]), np.concatenate([older[1], rows])
        order = np.argsort(keys, kind="stable")
        if len(keys):
            self._segments.append((keys[order], rows[order]))


class _Index:
    """The admitted rows of one language, found by exact text or by band."""

    def __init__(self, cap: int) -> None:
        self.ids: list[str] = []
        self.kin: list[str] = []
        self._signatures = np.empty((64, PERMUTATIONS), np.uint32)
        self._exact: dict[bytes, int] = {}
        self._buckets = Buckets(cap)

    def same_text(self, digest: bytes, kin: str) -> int | None:
        """Give the admitted row of another event with that very text (admitted rows of one text share an event)."""
        row = self._exact.get(digest)
        return None if row is None or self.kin[row] == kin else row

    def nearest(self, rows: set[int], signature: Minima, kin: str) -> tuple[int, float] | None:
        """Give the most similar of `rows` that is of another event (the earlier one of equals), None where none is."""
        ordered = sorted(row for row in rows if self.kin[row] != kin)
        if not ordered:
            return None
        shares = similarity(signature, self._signatures[ordered])
        best = int(shares.argmax())
        return ordered[best], float(shares[best])

    def find(self, signature: Minima) -> tuple[set[int], list[int]]:
        """Give the rows that share a band with a signature, and how full its buckets are."""
        return self._buckets.find(band_keys(signature))

    def add(self, scenario_id: str, kin: str, digest: bytes, signature: Minima | None, counts: Sequence[int]) -> int:
        """Enter a row; give how many of its buckets were full already (it cannot be found through those)."""
        row = len(self.ids)
        self.ids.append(scenario_id)
        self.kin.append(kin)
        self._exact.setdefault(digest, row)
        if signature is None:
            return 0
        while row >= len(self._signatures):
            self._signatures = np.concatenate([self._signatures, np.empty_like(self._signatures)])
        self._signatures[row] = signature
        return self._buckets.enter(band_keys(signature), row, counts)


class DuplicateParameters(Parameters):
    """Thresholds of the duplicate sieve; the suite says what each came from."""

    threshold: float = Field(default=0.6, gt=0, le=1)
    bucket_cap: int = Field(default=200, ge=1)
    exact_only: bool = False


class Duplicates:
    """The ordered admission of first turns; build it with parameters and a function from language to resources."""

    def __init__(self, parameters: DuplicateParameters, resources_of: Callable[[str], Resources]) -> None:
        self._parameters = parameters
        self._resources_of = resources_of
        self._indices: dict[str, _Index] = {}
        self._fresh: list[tuple[str, str, str, bytes, bytes | None]] = []

    def admit(self, batch: Sequence[Candidate]) -> list[Verdict]:
        """Give a drop for each row that repeats an earlier one, and a note for each that full buckets hide in part.

        The batch is in (round, block, ordinal, form) order and follows every batch before it; a row without text has no
        verdict.
        """
        return [verdict for candidate in batch for verdict in self._one(candidate.scenario)]

    def _one(self, scenario: Scenario) -> list[Verdict]:
        plain = normalise(compared_text(scenario))
        if not plain:
            return []
        language, kin = scenario.language.partition("-")[0], kin_of(scenario)
        index = self._indices.setdefault(language, _Index(self._parameters.bucket_cap))
        digest = hashlib.blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        same = index.same_text(digest, kin)
        if same is not None:
            return [_verdict(scenario, Action.DROP, f"same_text_as:{index.ids[same]}", 1.0)]
        signature: Minima | None = None
        counts: list[int] = []
        if not self._parameters.exact_only:
            signature = minima(plain, self._length(language))
            rows, counts = index.find(signature)
            near = index.nearest(rows, signature, kin)
            if near and near[1] >= self._parameters.threshold:
                return [_verdict(scenario, Action.DROP, f"near_duplicate_of:{index.ids[near[0]]}", near[1])]
        full = index.add(scenario.scenario_id, kin, digest, signature, counts)
        stored = None if signature is None else signature.astype("<u4").tobytes()
        self._fresh.append((scenario.scenario_id, language, kin, digest, stored))
        return [_verdict(scenario, Action.NOTE, "buckets_full", float(full))] if full else []

    def _length(self, language: str) -> int:
        facts = self._resources_of(language).facts
        return SHINGLE if facts is None or facts.spaced else SHINGLE_UNSPACED

    def state_table(self) -> pa.Table:
        """Give the rows admitted since the last call: what they are, whose, and their text as digest and minima."""
        import pyarrow as pa

        columns = list(zip(*self._fresh, strict=True)) or [()] * len(_schema())
        self._fresh = []
        arrays = [pa.array(list(column), type=field.type) for column, field in zip(columns, _schema(), strict=True)]
        return pa.Table.from_arrays(arrays, schema=_schema())

    def load_state(self, tables: Iterable[pa.Table]) -> None:
        """Take up admitted rows in their order.

        Raises:
            DamagedError: a table has another signature format than SIGNATURE_VERSION.
        """
        for table in tables:
            found = (table.schema.metadata or {}).get(b"synth_signature_version")
            if found != str(SIGNATURE_VERSION).encode() or table.schema.names != _schema().names:
                raise DamagedError(
                    f"signatures of version {found.decode() if found else 'unknown'}, not {SIGNATURE_VERSION}",
                    hint="run synth refilter: it computes them again from the texts",
                )
            for batch in table.to_batches():
                self._take(batch)

    def _take(self, batch: Any) -> None:
        for scenario_id, language, kin, digest, stored in zip(*(c.to_pylist() for c in batch.columns), strict=True):
            index = self._indices.setdefault(language, _Index(self._parameters.bucket_cap))
            signature = None if stored is None else np.frombuffer(stored, dtype="<u4").astype(np.uint32)
            counts = [] if signature is None else index.find(signature)[1]
            index.add(scenario_id, kin, digest, signature, counts)


def _verdict(scenario: Scenario, action: Action, reason: str, score: float) -> Verdict:
    return DUPLICATES.verdict("scenario", scenario.scenario_id, action, reason, score=score)


def _schema() -> pa.Schema:
    import pyarrow as pa

    fields = [
        ("scenario_id", pa.string()),
        ("language", pa.string()),
        ("kin", pa.string()),
        ("text_digest", pa.binary(16)),
        ("minima", pa.binary(PERMUTATIONS * 4)),
    ]
    return pa.schema(fields, metadata={"synth_signature_version": str(SIGNATURE_VERSION)})


DUPLICATES: Final = filter(name="duplicates", version=1, stage=Stage.SET, parameters=DuplicateParameters)(Duplicates)
"""The registered sieve; the class stays a class, so that its methods keep their types."""
