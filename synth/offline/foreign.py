"""An answer in a language that nobody asked for: the same brief, answered from another shipped language's phrasings."""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from typing import Any, Final

from synth.content.phrasings import FOLDER, Phrasing, read_phrasing
from synth.content.scenarios import read_family
from synth.content.shelves import Shelves
from synth.errors import BadRequest, ContentError
from synth.models.base import OFFLINE, Contract, Parameters, Request
from synth.offline import compose
from synth.offline.draws import choose_world
from synth.offline.embedded import OfflineModel, find_brief
from synth.offline.settings import scenes
from synth.records.schema import Message

_LABEL: Final = re.compile(r"[\w.-]{0,40}", re.ASCII)
"""A label, an id or a number: no words in a language."""


def in_another_language(messages: tuple[Message, ...], text: str, share: float) -> str | None:
    """Give the answer with its texts in another language; None where it is no JSON object, or holds no words.

    Where the question holds no brief that can be answered anew, each text is a composed turn of the other language: of who reads and does not write
    (annotate, verify, judge) these are the quotations.

    Args:
        messages: The question's.
        text: The answer in the language that was asked for.
        share: In [0, 1): which of the other languages.
    """
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    brief = _brief(messages)
    others = [language for language in _languages() if language != brief.get("language")]
    first = int(share * len(others))
    for language in others[first:] + others[:first]:
        anew = _answered(brief, language)
        if anew is not None:
            return anew
    swapped = _swapped(answer, _turn(others[first]))
    return None if swapped == answer else json.dumps(swapped, ensure_ascii=False)


def _brief(messages: tuple[Message, ...]) -> dict[str, Any]:
    try:
        return find_brief(messages)
    except BadRequest:
        return {}


@cache
def _model() -> OfflineModel:
    return OfflineModel(Shelves())


@cache
def _languages() -> tuple[str, ...]:
    names = (file.name.removeprefix(f"{FOLDER}/") for file in _model().shelves.files(FOLDER))
    return tuple(sorted({name.partition("/")[0] for name in names}))


def _answered(brief: dict[str, Any], language: str) -> str | None:
    """Give the whole answer to a brief in another language; None where it has no words for it."""
    if "family" not in brief:
        return None  # an annotator's answer holds nothing in words but quotations
    try:
        asked = json.dumps(_translated(brief, language), ensure_ascii=False)
        message = Message("user", f"```brief\n{asked}\n```")
        return _model().answer(_request(message)).text
    except (BadRequest, ContentError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _request(message: Message) -> Request:
    return Request(OFFLINE, OFFLINE, "", "", Contract("", 0), (message,), Parameters(), 0, "")


def _translated(brief: dict[str, Any], language: str) -> dict[str, Any]:
    """Give a brief for the same cell in another language: its own variety, address and world."""
    phrasing = read_phrasing(_model().shelves, language, str(brief["family"]))
    variety = phrasing.varieties[0]
    people = {pid: {**person, "variety": variety} for pid, person in brief["people"].items()}
    made = {**brief, "language": language, "variety": variety, "people": people}
    if "event" in brief:
        world, telling = choose_world(made, phrasing)
        made["event"] = {**brief["event"], "world": world.name, "telling": telling}
        made["address"] = _address(phrasing)
    return made


def _address(phrasing: Phrasing) -> dict[str, str]:
    value = (phrasing.agreement.get("tv") or phrasing.agreement.get("h") or ("",))[0]
    return {"out": value, "back": value}


@lru_cache(maxsize=64)
def _turn(language: str) -> str:
    """Give one turn of a language, composed from the first of its phrasing files."""
    shelves = _model().shelves
    name = next(iter(shelves.files(f"{FOLDER}/{language}"))).name.rpartition("/")[2].removesuffix(".yaml")
    phrasing = read_phrasing(shelves, language, name)
    scene = next(scenes(phrasing, read_family(shelves, name), all_genders=False))
    return compose.join(compose.turn(scene), phrasing.joiner)[0]


def _swapped(value: Any, words: str) -> Any:
    if isinstance(value, str):
        return value if _LABEL.fullmatch(value) else words
    if isinstance(value, list):
        return [_swapped(inside, words) for inside in value]
    if isinstance(value, dict):
        return {key: _swapped(inside, words) for key, inside in value.items()}
    return value
