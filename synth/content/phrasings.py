"""Phrasing files: how people of a language say what a scenario file declares (templates/README.md)."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from pydantic import Field, field_validator

from synth.content.markup import Line, MarkupError, parse
from synth.content.pools import Pool, PoolError, compile_pool
from synth.content.reading import Written, load, place_of
from synth.content.shelves import ShelfFile, Shelves
from synth.errors import ContentError, nearest
from synth.records.labels import OVER_VARIANTS, Direction, Mechanism

FOLDER = "templates/phrasings"
LEVELS = ("low", "mid", "high", "masked")


class Author(Written):
    """Who wrote or reread a file."""

    kind: Literal["person", "model"]
    name: str = ""
    date: datetime.date
    background: str = ""
    changed: str = ""


class _World(Written):
    felt: list[Literal["low", "mid", "high", "masked"]] = Field(min_length=1)
    at: list[str] = []
    w: Literal["m", "f"] | None = None
    slots: dict[str, Any]
    what: list[str] = Field(min_length=2)
    reply: dict[str, Any] = {}
    fails: dict[str, dict[str, Any]] = {}


class _Turn(Written):
    orders: dict[str, list[list[str]]]
    open: Any
    feel: Any
    ask: Any
    masked: Any


class _File(Written):
    family: str
    language: str
    varieties: list[str] = Field(min_length=1)
    origin: Literal["authored", "transcreated"]
    authors: list[Author] = Field(min_length=1)
    reread: list[Author] = []
    joiner: str = " "
    agreement: dict[str, list[str]] = {}
    address: dict[str, str] = {}
    document: str = ""
    slots: dict[str, Any] = {}
    setting: dict[str, str]
    worlds: dict[str, _World] = Field(min_length=1)
    turn: _Turn
    reply: dict[str, Any]
    request: list[str] = []
    alternative: dict[str, Any]
    fails: dict[str, dict[Any, Any]]

    @field_validator("agreement")
    @classmethod
    def _two_or_more(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        for key, labels in value.items():
            if len(labels) < 2 or len(set(labels)) != len(labels):
                raise ValueError(f"{key} needs two or more different labels")
        return value


@dataclass(frozen=True, slots=True)
class World:
    """Particulars that belong together."""

    name: str
    levels: tuple[str, ...]
    varieties: tuple[str, ...]
    gender: str | None
    slots: Mapping[str, Pool]
    what: tuple[Line, ...]
    reply: Mapping[str, Pool]
    fails: Mapping[str, Mapping[str, Pool]]


@dataclass(frozen=True, slots=True)
class Failure:
    """What one failure replaces, by severity; `levels` is where it can fail at all."""

    key: str
    mechanism: Mechanism
    variant: str
    direction: Direction
    levels: tuple[str, ...]
    keeps: tuple[str, ...]
    severities: Mapping[int, Mapping[str, Pool]]


@dataclass(frozen=True, slots=True)
class Phrasing:
    """One phrasing file, parsed."""

    file: ShelfFile
    family: str
    language: str
    varieties: tuple[str, ...]
    origin: str
    authors: tuple[Author, ...]
    reread: bool
    joiner: str
    agreement: Mapping[str, tuple[str, ...]]
    address: Mapping[str, str]
    document: str
    slots: Mapping[str, Pool]
    setting: Mapping[str, Line]
    worlds: Mapping[str, World]
    orders: Mapping[str, tuple[tuple[str, ...], ...]]
    turn: Mapping[str, Pool]
    reply: Mapping[str, Pool]
    request: tuple[Line, ...]
    style: str
    alternative_keeps: tuple[str, ...]
    alternative: Mapping[str, Pool]
    fails: Mapping[str, Failure]

    def worlds_for(self, level: str, variety: str) -> list[World]:
        """Give the worlds that can carry `level` and live where `variety` is spoken, in the file's order."""
        fitting = [w for w in self.worlds.values() if level in w.levels]
        return [w for w in fitting if not w.varieties or variety in w.varieties]

    def failures_at(self, level: str) -> list[Failure]:
        """Give the failures that can fail at `level`."""
        return [failure for failure in self.fails.values() if level in failure.levels]


class _Compiler:
    """Turns the parts of one file into pools, and says where a part is wrong."""

    def __init__(self, file: ShelfFile) -> None:
        self.file = file

    def fail(self, message: str, path: tuple[str | int, ...], hint: str = "") -> ContentError:
        return ContentError(message, place=place_of(self.file.text(), self.file.name, path), hint=hint)

    def pool(self, value: Any, *path: str | int) -> Pool:
        try:
            return compile_pool(value, "/".join(str(step) for step in path))
        except PoolError as fault:
            raise self.fail(str(fault), (*path, *fault.path)) from None

    def line(self, source: str, *path: str | int) -> Line:
        try:
            return parse(source)
        except MarkupError as fault:
            raise self.fail(f"{fault} (code point {fault.column} of the line)", path) from None

    def pools(self, value: Mapping[str, Any], *path: str | int) -> dict[str, Pool]:
        return {key: self.pool(part, *path, key) for key, part in value.items()}

    def world(self, name: str, written: _World) -> World:
        at = ("worlds", name)
        return World(
            name=name,
            levels=tuple(written.felt),
            varieties=tuple(written.at),
            gender=written.w,
            slots=self.pools(written.slots, *at, "slots"),
            what=tuple(self.line(line, *at, "what", n) for n, line in enumerate(written.what)),
            reply=self.pools(written.reply, *at, "reply"),
            fails={key: self.pools(beats, *at, "fails", key) for key, beats in written.fails.items()},
        )

    def failure(self, key: str, written: Mapping[Any, Any]) -> Failure:
        mechanism, _, variant = key.partition(".")
        if mechanism not in tuple(Mechanism):
            raise self.fail(f"{key!r} names no mechanism", ("fails", key), nearest(mechanism, list(Mechanism)))
        if variant and variant != "general" and OVER_VARIANTS.get(variant) != mechanism:
            raise self.fail(f"{key!r} names no variant", ("fails", key), nearest(variant, [*OVER_VARIANTS, "general"]))
        severities = {n: part for n, part in written.items() if n in (1, 2, 3)}
        if unknown := [n for n in written if n not in (1, 2, 3, "felt", "keeps")]:
            raise self.fail(f"unknown key {unknown[0]!r}", ("fails", key, unknown[0]), "valid: felt, keeps, 1, 2, 3")
        if not severities:
            raise self.fail("no severity", ("fails", key), "give at least one of 1, 2, 3")
        return Failure(
            key=key,
            mechanism=Mechanism(mechanism),
            variant=variant,
            direction=Direction.OVER if variant in OVER_VARIANTS else Direction.UNDER,
            levels=tuple(written.get("felt", LEVELS)),
            keeps=tuple(written.get("keeps", ())),
            severities={n: self.pools(part, "fails", key, n) for n, part in sorted(severities.items())},
        )


def read_phrasing(shelves: Shelves, language: str, family: str) -> Phrasing:
    """Give the phrasing of a family in a language.

    Raises:
        ContentError: there is none, or it breaks the format; with file, line and column.
    """
    file = shelves.file(f"{FOLDER}/{language}/{family}.yaml")
    return _read(file, file.digest)


@lru_cache(maxsize=1024)
def _read(file: ShelfFile, digest: str) -> Phrasing:
    del digest  # part of the key: an edited file is read again
    written = load(_File, file)
    compiler = _Compiler(file)
    name = f"{written.language}/{written.family}"
    if not file.name.endswith(f"{name}.yaml"):
        raise compiler.fail(f"says it is {name}, but lies elsewhere", ("family",))
    alternative = {k: v for k, v in written.alternative.items() if k not in ("style", "keeps")}
    turn = {
        beat: compiler.pool(getattr(written.turn, beat), "turn", beat) for beat in ("open", "feel", "ask", "masked")
    }
    return Phrasing(
        file=file,
        family=written.family,
        language=written.language,
        varieties=tuple(written.varieties),
        origin=written.origin,
        authors=tuple(written.authors),
        reread=any(reader.kind == "person" for reader in written.reread),
        joiner=written.joiner,
        agreement={key: tuple(labels) for key, labels in written.agreement.items()},
        address=dict(written.address),
        document=written.document,
        slots=compiler.pools(written.slots, "slots"),
        setting={key: compiler.line(line, "setting", key) for key, line in written.setting.items()},
        worlds={key: compiler.world(key, world) for key, world in written.worlds.items()},
        orders={key: tuple(tuple(order) for order in orders) for key, orders in written.turn.orders.items()},
        turn=turn,
        reply=compiler.pools(written.reply, "reply"),
        request=tuple(compiler.line(line, "request", n) for n, line in enumerate(written.request)),
        style=str(written.alternative.get("style", "")),
        alternative_keeps=tuple(written.alternative.get("keeps", ())),
        alternative=compiler.pools(alternative, "alternative"),
        fails={key: compiler.failure(key, entry) for key, entry in written.fails.items()},
    )
