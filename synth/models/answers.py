"""What an answer's text says as JSON: read strictly, then from a fenced block, then mended; every fault has a type.

Mending (json_repair) is for commas and quotes that a model forgot. What is valid JSON and still cannot be trusted - a
key given twice, NaN, half a character, a nest without end - is a fault at once, because mending would only choose for
us.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 64
"""How deep objects and lists may nest."""

MAX_MENDED_BYTES: Final = 64 * 1024
"""The longest text that is mended; mending is slower than its text is long."""

_FENCE: Final = re.compile(r"```[^\S\n]*\w*\s*")
_FENCE_END: Final = "\n```"
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPED_PAIR: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


class Unparsable(ValueError):  # noqa: N818 (named like the errors of synth.errors)
    """The text is not the JSON object that was asked for; `position` is the code point where that shows, or zero."""

    def __init__(self, problem: str, position: int = 0) -> None:
        super().__init__(problem)
        self.position = position


class NotAnObject(Unparsable):
    """It is JSON, and no object."""


class DuplicateKey(Unparsable):
    """An object gives one key twice."""


class NotFinite(Unparsable):
    """A number is NaN, infinite or longer than any number that is meant."""


class LoneSurrogate(Unparsable):
    """A text holds half a character."""


class TooDeep(Unparsable):
    """Objects and lists nest deeper than `MAX_DEPTH`."""


def parse_json(text: str) -> dict[str, Any]:
    """Give the JSON object that an answer holds.

    Raises:
        Unparsable: It holds none, or one of the faults above.
    """
    try:
        return _strict(text)
    except json.JSONDecodeError as error:
        fault = Unparsable(f"not JSON: {error.msg} at character {error.pos}", error.pos)
    fence = _FENCE.search(text)
    if fence is None:
        return _mended(text, fault)
    block = text[fence.end() :]
    try:
        return _strict(block, decode=_first)
    except json.JSONDecodeError:
        return _mended(block.partition(_FENCE_END)[0], fault)


def cut_around(text: str, position: int, size: int = 4096) -> str:
    """Give at most `size` bytes (UTF-8) of a text, with the code point at `position` in them, cut at code points."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= size:
        return encoded.decode("utf-8")
    middle = len(text[:position].encode("utf-8", "replace"))
    start = max(0, min(middle - size // 2, len(encoded) - size))
    return encoded[start : start + size].decode("utf-8", "ignore")


def _whole_text(text: str) -> Any:
    return _DECODER.decode(text.removeprefix("\ufeff"))


def _first(text: str) -> Any:
    # what follows a fenced object - the fence, and kind words - does not matter
    return _DECODER.raw_decode(text)[0]


def _strict(text: str, decode: Callable[[str], Any] = _whole_text) -> dict[str, Any]:
    try:
        value = decode(text)
    except RecursionError:
        raise TooDeep(f"nested deeper than {MAX_DEPTH}") from None
    except (json.JSONDecodeError, Unparsable):
        raise
    except ValueError as error:
        # the one other ValueError: an integer of more digits than Python reads
        raise NotFinite(f"not a number that is meant: {error}") from None
    return _checked(value, text)


def _checked(value: Any, text: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotAnObject(f"a JSON {type(value).__name__} where an object was asked for")
    if _may_be_faulty(text):
        _walk(value)
    return value


def _may_be_faulty(text: str) -> bool:
    """Give whether a tree needs a walk: most texts cannot hold a fault, which is cheap to see."""
    if text.count("{") + text.count("[") > MAX_DEPTH or _SURROGATE_ESCAPE.search(text):
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _walk(tree: Any) -> None:
    stack: list[tuple[Any, int]] = [(tree, 1)]
    while stack:
        value, depth = stack.pop()
        if isinstance(value, str):
            _whole(value)
        elif isinstance(value, float):
            _finite(value)
        elif isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                raise TooDeep(f"nested deeper than {MAX_DEPTH}")
            inside = value if isinstance(value, list) else [*value.keys(), *value.values()]
            stack.extend((item, depth + 1) for item in inside)


def _whole(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise LoneSurrogate("a text holds half a character (a lone surrogate)") from None


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise NotFinite(f"{number} is not a number that JSON can hold")
    return number


def _constant(word: str) -> NoReturn:
    raise NotFinite(f"{word} is not a number that JSON can hold")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise DuplicateKey(f"the key {twice[:80]!r} is given twice")
    return made


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=lambda digits: _finite(float(digits))
)


def _join(pair: re.Match[str]) -> str:
    backslashes, high, low = pair.groups()
    character = chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    return f"{backslashes}{character}"


def _mended(text: str, fault: Unparsable) -> dict[str, Any]:
    if "{" not in text or len(text.encode("utf-8", "replace")) > MAX_MENDED_BYTES:
        raise fault
    import json_repair

    try:
        # json_repair reads each half of an escaped pair as a character of its own
        value = json_repair.loads(_ESCAPED_PAIR.sub(_join, text), skip_json_loads=True)
    except RecursionError:
        raise TooDeep(f"nested deeper than {MAX_DEPTH}") from None
    except ValueError:
        raise fault from None
    if not isinstance(value, dict):
        raise fault
    _walk(value)
    return value
