"""What of a recipe's prompts is the same from cell to cell: the prefix that a provider's prompt cache can keep.

A few events are lived through by the embedded model, in memory, and every question that it is asked is written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from synth.building.rehearsal import rehearse
from synth.models.base import Request
from synth.models.tokens import estimate_tokens
from synth.planning.inventory import Inventory

SAMPLE: Final = 4
"""How many events are lived through; each asks every program several times."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """A program's prompts: the share of their characters that stand before the first one that differs, and about how many tokens those are."""

    program: str
    prompts: int
    share: float
    tokens: int


def sample_questions(inventory: Inventory) -> list[Request]:
    """Give the questions of a few events, in their order; none where the embedded model speaks no language of the recipe."""
    heard: list[Request] = []
    rehearse(inventory, SAMPLE, lambda _, question, __: heard.append(question))
    return heard


def prefixes(questions: Sequence[Request]) -> list[Prefix]:
    """Give what the questions of each program that was asked at least twice begin with, by program."""
    texts: dict[str, set[str]] = {}
    for question in questions:
        prompt = "\n".join(message.content for message in question.messages)
        texts.setdefault(question.program, set()).add(prompt)
    return [_prefix(program, sorted(found)) for program, found in sorted(texts.items()) if len(found) > 1]


def _prefix(program: str, prompts: Sequence[str]) -> Prefix:
    # of sorted texts, the first and the last differ soonest
    pairs = zip(prompts[0], prompts[-1], strict=False)
    same = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    share = len(same) * len(prompts) / sum(map(len, prompts))
    return Prefix(program, len(prompts), share, estimate_tokens(same))
