"""Pools of authored lines, keyed by what the lines depend on, and looked up by what a cell is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from synth.content import markup
from synth.content.markup import Line, MarkupError

REST: Final = "any"


class PoolError(ValueError):
    """A pool is not a line, a list of lines or a map of pools; `path` leads to the fault inside the pool."""

    def __init__(self, message: str, path: tuple[str | int, ...]) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class Pool:
    """Lines, or pools by key: a key is a form, level, emotion, explicitness, world or variety; `any` is the rest."""

    path: str
    lines: tuple[Line, ...]
    branches: Mapping[str, Pool]

    def at(self, axes: Collection[str]) -> tuple[str, tuple[Line, ...]]:
        """Give the path and the lines that stand under the cell's `axes`.

        Raises:
            KeyError: no key on the way fits and there is no `any`.
        """
        pool = self
        while pool.branches:
            fitting = [key for key in pool.branches if key in axes]
            if len(fitting) > 1:
                raise KeyError(f"{pool.path}: {' and '.join(fitting)} both fit")
            key = fitting[0] if fitting else REST
            if key not in pool.branches:
                raise KeyError(f"{pool.path} has nothing for {', '.join(sorted(axes))}")
            pool = pool.branches[key]
        return pool.path, pool.lines

    def walk(self) -> Iterator[tuple[str, Line]]:
        """Give every line with its path."""
        for number, line in enumerate(self.lines):
            yield f"{self.path}/{number}", line
        for branch in self.branches.values():
            yield from branch.walk()

    def keys(self) -> Iterator[str]:
        """Give every key of the pool and of the pools inside."""
        for key, branch in self.branches.items():
            yield key
            yield from branch.keys()


def compile_pool(value: Any, path: str) -> Pool:
    """Give the pool of a YAML value.

    Raises:
        PoolError: with the way to the fault.
    """
    if isinstance(value, str):
        return Pool(path, (_line(value, ()),), {})
    if isinstance(value, list):
        if not value:
            raise PoolError("an empty list of lines", ())
        return Pool(path, tuple(_line(line, (number,)) for number, line in enumerate(value)), {})
    if isinstance(value, dict) and value:
        return Pool(path, (), {str(key): _branch(key, part, path) for key, part in value.items()})
    raise PoolError(f"a line, a list of lines or a map of them belongs here, not {type(value).__name__}", ())


def _branch(key: Any, value: Any, path: str) -> Pool:
    try:
        return compile_pool(value, f"{path}/{key}")
    except PoolError as fault:
        raise PoolError(str(fault), (key, *fault.path)) from None


def _line(source: Any, path: tuple[str | int, ...]) -> Line:
    if not isinstance(source, str) or not source.strip():
        raise PoolError("a line of text belongs here", path)
    try:
        return markup.parse(source)
    except MarkupError as fault:
        raise PoolError(f"{fault} (code point {fault.column} of the line)", path) from None
