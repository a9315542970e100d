"""What faults make of an answer's text: cut, in another form, with broken JSON, or well formed and wrong.

Each is pure in (text, share), where the share in [0, 1) is the question's own draw; None says that a text has nothing that could be made wrong in this
way (a reply quotes nothing), and then the answer goes out as it is and no fault is counted.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from synth.records.labels import Cue, Emotion, Explicitness, Goal, PowerForm, Regulation

HUGE: Final = 10 * 1024 * 1024
"""At least so many code points has a huge answer."""

DEEP: Final = 100_000
"""So deep nests a deep one."""

_ASPECTS: Final = ("facts", "affect", "duty", "deixis", "address")
_STRENGTHS: Final = ("0", "1", "2", "3")
_CLOSED: Final[Mapping[str, Sequence[str]]] = {
    "emotion": tuple(Emotion),
    "goal": tuple(Goal),
    "regulation": tuple(Regulation),
    "explicitness": tuple(Explicitness),
    "felt": _STRENGTHS,
    "shown": _STRENGTHS,
    "power_form": tuple(PowerForm),
}
_FLIPPED_CLAIM: Final[Mapping[str, str]] = {
    "clearly": "no",
    "no": "clearly",
    "plausibly": "hardly",
    "hardly": "plausibly",
}
_FLIPPED_PROBE: Final[Mapping[str, str]] = {"yes": "no", "no": "yes"}

Corruption = Callable[[str, float], str | None]
"""(the answer's text, the question's share) -> the text that is sent."""


def corrupted(fault: str, text: str, share: float) -> str | None:
    """Give what a fault makes of an answer's text; None where there is nothing to make of it."""
    return CORRUPTIONS[fault](text, share)


def texts_of(value: Any) -> Iterator[str]:
    """Give every text of a JSON value, not the keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inside in value.values() if isinstance(value, dict) else value:
            yield from texts_of(inside)


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


# -- broken texts


def _cut(text: str, share: float) -> str | None:
    """Cut in the middle: between a third and two thirds."""
    return text[: int(len(text) * (1 + share) / 3)] if text else None


def _bare(text: str, _share: float) -> str | None:
    """Say the answer's longest text alone, outside of all JSON."""
    longest = max(texts_of(_object(text) or {}), key=len, default="")
    return longest.translate({ord(sign): None for sign in "{}[]"}).strip() or "-"


def _wrapped(text: str, _share: float) -> str | None:
    value = _object(text)
    return None if value is None else _dumped({"result": [value]})


def _huge(text: str, _share: float) -> str | None:
    return f"{text}\n" * (HUGE // (len(text) + 1) + 1)


def _deep(_text: str, _share: float) -> str | None:
    return '{"a": ' + "[" * DEEP + "]" * DEEP + "}"


def _surrogate(text: str, _share: float) -> str | None:
    return _opened(text, '"\\ud83d": "\\ud83d"')


def _not_a_number(text: str, _share: float) -> str | None:
    return _opened(text, '"share": NaN')


def _twice(text: str, _share: float) -> str | None:
    first = next(iter(_object(text) or {}), None)
    return None if first is None else _opened(text, f"{json.dumps(first)}: null")


def _opened(text: str, member: str) -> str | None:
    """Give an object's text with one member more, in front."""
    value = _object(text)
    if value is None:
        return None
    rest = text.lstrip()[1:]
    return "{" + member + (", " if value else "") + rest


# -- well formed and wrong


def _wrong_labels(text: str, share: float) -> str | None:
    """Change the gold-bearing fields: labels, cues, ids of facts, names of beats, what is kept, what is said of claims and probes."""
    value = _object(text)
    if value is None:
        return None
    changes = (_labels, _turns, _facts, _beats, _kept, _claims, _probes)
    changed = [change(value, share) for change in changes]
    return _dumped(value) if any(changed) else None


def _labels(value: dict[str, Any], share: float) -> bool:
    labels = [label for label in _maps(value.get("labels")) if label.get("field") in _CLOSED]
    for label in labels:
        label["value"] = _other(_CLOSED[label["field"]], label.get("value"), share)
    return bool(labels)


def _turns(value: dict[str, Any], share: float) -> bool:
    changed = False
    for turn in _maps(value.get("turns")):
        cues = _maps(turn.get("cues"))
        for cue in cues:
            cue["kind"] = _other(tuple(Cue), cue.get("kind"), share)
        changed = _rotated(_maps(turn.get("facts")), "id") or bool(cues) or changed
    return changed


def _facts(value: dict[str, Any], _share: float) -> bool:
    facts = value.get("facts")
    if not isinstance(facts, dict) or len(facts) < 2:
        return False
    words = list(facts.values())
    value["facts"] = dict(zip(facts, [*words[1:], words[0]], strict=True))
    return True


def _beats(value: dict[str, Any], _share: float) -> bool:
    return _rotated(_maps(value.get("beats")), "beat")


def _kept(value: dict[str, Any], _share: float) -> bool:
    kept = value.get("kept")
    if not isinstance(kept, list):
        return False
    value["kept"] = [aspect for aspect in _ASPECTS if aspect not in kept]
    return True


def _claims(value: dict[str, Any], _share: float) -> bool:
    return _flipped(_maps(value.get("claims")), _FLIPPED_CLAIM)


def _probes(value: dict[str, Any], _share: float) -> bool:
    return _flipped(_maps(value.get("probes")), _FLIPPED_PROBE)


def _flipped(entries: list[dict[str, Any]], turned: Mapping[str, str]) -> bool:
    """Turn what is said into its contrary; what has none stays."""
    changed = False
    for entry in entries:
        other = turned.get(str(entry.get("answer")))
        if other is not None:
            entry["answer"], changed = other, True
    return changed


def _maps(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _rotated(entries: list[dict[str, Any]], key: str) -> bool:
    names = [entry.get(key) for entry in entries]
    for entry, name in zip(entries, [*names[1:], *names[:1]], strict=True):
        entry[key] = name
    return any(before != entry[key] for before, entry in zip(names, entries, strict=True))


def _other(closed: Sequence[str], value: Any, share: float) -> str:
    others = [str(label) for label in closed if str(label) != value]
    return others[int(share * len(others))]


def _wrong_spans(text: str, _share: float) -> str | None:
    """Turn every quotation round, so that it stands nowhere."""
    value = _object(text)
    if value is None:
        return None
    turns = _maps(value.get("turns"))
    quoting = itertools.chain(
        *(_maps(value.get(kind)) for kind in ("labels", "claims", "probes")),
        *(_maps(turn.get(kind)) for turn in turns for kind in ("facts", "cues")),
    )
    changed = False
    for entry in quoting:
        if isinstance(entry.get("quote"), str) and entry["quote"]:
            entry["quote"], changed = _nowhere(entry["quote"]), True
    return _dumped(value) if changed else None


def _nowhere(quote: str) -> str:
    # a word that reads the same from both ends still does not stand there twice
    return quote[::-1] + quote


def _wrong_length(text: str, _share: float) -> str | None:
    """Say each beat of a failure three times."""
    value = _object(text)
    beats = _maps(value.get("beats")) if value is not None and "kept" in value else []
    said = [beat for beat in beats if isinstance(beat.get("text"), str) and beat["text"]]
    for beat in said:
        beat["text"] = " ".join([beat["text"]] * 3)
    return _dumped(value) if said else None


def _no_cues(text: str, _share: float) -> str | None:
    """Leave out what lets a hidden feeling be seen; the words stay."""
    value = _object(text)
    if value is None:
        return None
    masked = [turn for turn in _maps(value.get("turns")) if turn.get("cues")]
    for turn in masked:
        turn["cues"] = []
    return _dumped(value) if masked else None


def _yes_saying(text: str, _share: float) -> str | None:
    """Find every claim clear; one that had no words is given those of another."""

    def say(claim: dict[str, Any], words: str) -> dict[str, Any]:
        return {**claim, "answer": "clearly", "quote": claim.get("quote") or words}

    return _said_of_claims(text, say)


def _no_saying(text: str, _share: float) -> str | None:
    """Find no claim in the scene."""
    return _said_of_claims(text, lambda claim, _words: {**claim, "answer": "no", "quote": ""})


def _said_of_claims(text: str, say: Callable[[dict[str, Any], str], dict[str, Any]]) -> str | None:
    value = _object(text)
    claims = _maps(value.get("claims")) if value is not None else []
    words = next((claim["quote"] for claim in claims if claim.get("quote")), "")
    said = [say(claim, words) for claim in claims]
    return None if said == claims else _dumped({**(value or {}), "claims": said})


CORRUPTIONS: Final[Mapping[str, Corruption]] = {
    "cut-json": _cut,
    "truncated": _cut,
    "wrong-json": _bare,
    "wrong-schema": _wrapped,
    "huge": _huge,
    "surrogate": _surrogate,
    "nan": _not_a_number,
    "deep": _deep,
    "wrong-label": _wrong_labels,
    "wrong-span": _wrong_spans,
    "duplicate": _twice,
    "wrong-length": _wrong_length,
    "no-cues": _no_cues,
    "yes-saying": _yes_saying,
    "no-saying": _no_saying,
    "refusal": lambda _text, _share: "",
    "empty": lambda _text, _share: "",
}
