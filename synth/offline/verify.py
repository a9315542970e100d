"""Verify claims by looking lines up: clear where a claim is what our own lines say, refused where they say another thing, and hardly where nothing is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from synth.offline.annotate import Reader
from synth.offline.readings import Place, Reading

Verdict = tuple[str, str]
"""(clearly, plausibly, hardly or no; the words that show it, or nothing)."""


def verified(reader: Reader, scene: Mapping[str, Any], claims: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give the answer to every claim about a scene, with the words that show it."""
    reading = reader.read(scene)
    answers = []
    for claim in claims:
        answer, quote = ("hardly", "") if reading is None else _verdict(reading, claim)
        answers.append({"id": claim["id"], "answer": answer, "quote": quote})
    return answers


def _verdict(reading: Reading, claim: Mapping[str, Any]) -> Verdict:
    field, value = str(claim["field"]), str(claim["value"])
    if field == "cue":
        return _cue(reading, value, str(claim.get("quote", "")))
    known = reading.values(field)
    if not known:
        return "hardly", ""
    if value not in known:
        return "no", ""
    shown = reading.evidence(field)
    return ("clearly" if len(known) == 1 else "plausibly"), (shown.words if shown else "")


def _cue(reading: Reading, kind: str, quote: str) -> Verdict:
    """Answer whether these words are a cue of this kind: known where our line marks them."""
    for known, place in reading.cues():
        if known == kind and _touches(place, quote):
            return "clearly", place.words
    return "no", ""


def _touches(place: Place, quote: str) -> bool:
    at = place.text.find(quote) if quote else -1
    while at >= 0:
        if at < place.end and place.start < at + len(quote):
            return True
        at = place.text.find(quote, at + 1)
    return False
