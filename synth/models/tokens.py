"""How many tokens: estimates for plans and paces, and bounds for budgets. No tokenizer is asked; every provider has its own."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from synth.models.base import Request
from synth.records.schema import Message

DEFAULT_MAX_TOKENS: Final = 4096
"""What a question without `max_tokens` is reserved for in the worst case."""


def estimate_tokens(text: str) -> int:
    """Give about how many tokens a text has: the same number everywhere, for offline usage and plan estimates.

    Quarter tokens for each code point by its length in UTF-8, rounded up: 1 for one byte (four letters a token), 2 for
    two (Latin with marks, Cyrillic, Arabic), 4 for three (Indic scripts, kana, Han), 8 for four (emoji). An estimate on
    the high side, not any provider's count.
    """
    if text.isascii():
        return -(-len(text) // 4)
    points = len(text)
    one = len(text.encode("ascii", "ignore"))
    four = len(text.encode("utf-16-le", "surrogatepass")) // 2 - points
    three = len(text.encode("utf-8", "surrogatepass")) - one - 2 * (points - one) - 2 * four
    two = points - one - three - four
    return -(-(one + 2 * two + 4 * three + 8 * four) // 4)


def estimate_prompt(messages: Iterable[Message]) -> int:
    """Give about how many tokens a prompt has: its texts and four for each message's frame."""
    return sum(4 + estimate_tokens(message.content) for message in messages)


def worst_case(request: Request) -> int:
    """Give the most tokens that one attempt can use: the prompt's estimate and the longest answer."""
    limit = request.parameters.max_tokens
    return estimate_prompt(request.messages) + (DEFAULT_MAX_TOKENS if limit is None else limit)


def most_tokens(request: Request) -> tuple[int, int]:
    """Give the most tokens that one attempt can read and write: no tokenizer makes more tokens than there are bytes.

    Each message's frame counts eight tokens; a schema that is sent along is read too.
    """
    read = sum(8 + _size(message.content) for message in request.messages)
    if request.contract.schema is not None:
        read += _schema_size(request.contract.schema)
    limit = request.parameters.max_tokens
    return read, DEFAULT_MAX_TOKENS if limit is None else limit


@functools.cache
def _schema_size(schema: Callable[[], Mapping[str, Any]]) -> int:
    return len(json.dumps(schema()))


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
