"""How models may think before they reply (frames), and how a conversation of several turns moves (arcs)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

from pydantic import Field

from synth.content.phrasings import Author
from synth.content.reading import Written, load
from synth.content.shelves import ShelfFile, Shelves

REASONING: Final = "templates/reasoning"
ARCS: Final = "templates/arcs/en.yaml"
FrameName = Literal["cbt", "dbt", "pct", "rt", "ebg"]


class ThinkingFrame(Written):
    """A frame: its name, and what to think of, step by step."""

    name: str = Field(min_length=1)
    steps: tuple[str, ...] = Field(min_length=2, max_length=8)


class ThinkingFrames(Written):
    """The frames in one language.

    Source of the set: Chain of Empathy (arXiv 2311.04915) and Empathizing Before Generation (PRCV 2024); the steps are authored.
    """

    language: str
    version: int = Field(ge=1)
    status: Literal["draft", "reviewed"]
    source: str
    authors: tuple[Author, ...] = Field(min_length=1)
    reread: tuple[Author, ...] = ()
    frames: dict[FrameName, ThinkingFrame] = Field(min_length=5)


class Arcs(Written):
    """How a conversation moves from the speaker's first turn to the last, by name."""

    language: str
    version: int = Field(ge=1)
    authors: tuple[Author, ...] = Field(min_length=1)
    reread: tuple[Author, ...] = ()
    arcs: dict[str, str] = Field(min_length=1)


def read_frames(shelves: Shelves, language: str = "en") -> ThinkingFrames:
    """Give the frames in a language, the English ones where it has none; raise ContentError with file, line and column."""
    name = f"{REASONING}/{language}.yaml"
    file = shelves.file(name if shelves.has(name) else f"{REASONING}/en.yaml")
    return _frames(file, file.digest)


def read_arcs(shelves: Shelves) -> Arcs:
    """Give the arcs; raise ContentError with file, line and column."""
    file = shelves.file(ARCS)
    return _arcs(file, file.digest)


@lru_cache(maxsize=32)
def _frames(file: ShelfFile, digest: str) -> ThinkingFrames:
    del digest  # part of the key: an edited file is read again
    return load(ThinkingFrames, file)


@lru_cache(maxsize=8)
def _arcs(file: ShelfFile, digest: str) -> Arcs:
    del digest  # as above
    return load(Arcs, file)
