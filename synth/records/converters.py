"""The converters between Python values and Arrow columns, compiled once per type from its hints.

StrEnum -> string, int -> int32, float -> float64, bool -> bool, `tuple[X, ...]` -> list, dataclass -> struct,
`X | None` -> nullable; everything else is declared non-null. No Arrow maps (`datasets` rejects them) and no dictionary
types (they would stay in the schema of a file). A converter works on columns: a row object is touched once per field
and never turned into a dict.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from itertools import chain, pairwise
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Final, Protocol, Union, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synth.errors import StorageError, nearest

__all__ = ["Struct", "foreign", "struct_of"]

_SCALARS: Final = {str: pa.string(), int: pa.int32(), float: pa.float64(), bool: pa.bool_()}


class _Kind(Protocol):
    """How one type is stored; `where` names the column in errors, such as `turns[].cues`."""

    @property
    def arrow(self) -> pa.DataType: ...
    def blank(self) -> Any: ...
    def encode(self, values: list[Any], where: str) -> pa.Array: ...
    def decode(self, array: pa.Array, where: str) -> list[Any]: ...
    def upcast(self, array: pa.Array, where: str) -> pa.Array: ...
    def plain(self, value: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A text, number, truth value or label."""

    arrow: pa.DataType
    python: type

    def blank(self) -> Any:
        return next(iter(self.python)) if issubclass(self.python, StrEnum) else self.python()

    def encode(self, values: list[Any], where: str) -> pa.Array:
        try:
            array = pa.array(values, type=self.arrow)
        except (ValueError, TypeError, OverflowError) as error:
            raise StorageError(
                f"column {where} cannot hold a value it was given: {error}",
                hint=f"valid: {self.arrow} (text without lone surrogates, whole numbers of 32 bits)",
            ) from error
        if issubclass(self.python, StrEnum):
            for label in pc.unique(array).to_pylist():
                _member(self.python, label, where)
        return array

    def decode(self, array: pa.Array, where: str) -> list[Any]:
        if issubclass(self.python, StrEnum):
            return self._labels(array, where)
        if array.null_count and not pa.types.is_string(array.type):
            return list(array.to_pylist())
        return list(array.to_numpy(zero_copy_only=False).tolist())

    def _labels(self, array: pa.Array, where: str) -> list[Any]:
        """Give members: each distinct label is looked up once, null stays None."""
        encoded = array.dictionary_encode()
        members = [_member(self.python, label, where) for label in encoded.dictionary.to_pylist()]
        places = encoded.indices.fill_null(len(members)).to_numpy().tolist()
        return list(map([*members, None].__getitem__, places))

    def upcast(self, array: pa.Array, where: str) -> pa.Array:
        try:
            return array.cast(self.arrow)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise foreign(where, f"{array.type} stands where {self.arrow} belongs") from error

    def plain(self, value: Any) -> Any:
        return float(value) if self.python is float else value


@dataclass(frozen=True, slots=True)
class _List:
    """Any number of values of one type; a list may be empty and is never null."""

    arrow: pa.DataType
    element: _Kind

    def blank(self) -> Any:
        return ()

    def encode(self, values: list[Any], where: str) -> pa.Array:
        offsets = np.zeros(len(values) + 1, dtype=np.int32)
        try:
            np.cumsum(np.fromiter(map(len, values), np.int32, count=len(values)), out=offsets[1:])
        except TypeError as error:
            raise _null(where) from error
        inner = f"{where}[]"
        children = _no_nulls(self.element.encode(list(chain.from_iterable(values)), inner), inner)
        return pa.ListArray.from_arrays(pa.array(offsets), children, type=self.arrow)

    def decode(self, array: pa.Array, where: str) -> list[Any]:
        if not len(array):
            return []
        offsets = array.offsets.to_numpy().tolist()
        children = array.values.slice(offsets[0], offsets[-1] - offsets[0])
        values = self.element.decode(_no_nulls(children, f"{where}[]"), f"{where}[]")
        first = offsets[0]
        return [tuple(values[start - first : end - first]) for start, end in pairwise(offsets)]

    def upcast(self, array: pa.Array, where: str) -> pa.Array:
        if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
            raise foreign(where, f"{array.type} stands where a list belongs")
        offsets = array.offsets.cast(pa.int32()) if len(array) else pa.array([0], pa.int32())
        return pa.ListArray.from_arrays(offsets, self.element.upcast(array.values, f"{where}[]"), type=self.arrow)

    def plain(self, value: Any) -> Any:
        return [self.element.plain(item) for item in value]


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of a row or struct."""

    name: str
    kind: _Kind
    nullable: bool
    get: Callable[[Any], Any]

    @property
    def arrow(self) -> pa.Field:
        return pa.field(self.name, self.kind.arrow, nullable=self.nullable)

    def encode(self, rows: Sequence[Any], where: str) -> pa.Array:
        try:
            values = list(map(self.get, rows))
        except AttributeError as error:
            raise StorageError(
                f"column {where}: {error}", hint="every row must be of the row type of its table"
            ) from error
        if self.nullable and isinstance(self.kind, Struct):
            return self.kind.encode_nullable(values, where)
        array = self.kind.encode(values, where)
        return array if self.nullable else _no_nulls(array, where)

    def decode(self, array: pa.Array, where: str) -> list[Any]:
        return self.kind.decode(array if self.nullable else _no_nulls(array, where), where)

    def upcast(self, array: pa.Array | None, rows: int, where: str) -> pa.Array:
        if array is not None:
            return array if array.type.equals(self.kind.arrow) else self.kind.upcast(array, where)
        if self.nullable:
            return pa.nulls(rows, self.kind.arrow)
        if isinstance(self.kind, _List):
            return self.kind.encode([()] * rows, where)
        raise foreign(where, "the column is missing, and a minor version never adds one that must be filled")


@dataclass(frozen=True, slots=True)
class Struct:
    """A dataclass: the row itself, or a part of one."""

    arrow: pa.DataType
    cls: type
    fields: tuple[_Field, ...]
    said: tuple[_Field, ...]

    def blank(self) -> Any:
        """Give the plainest object of the class: it stands where a null struct has to have children."""
        return self.cls(*(None if field.nullable else field.kind.blank() for field in self.fields))

    def encode(self, values: Sequence[Any], where: str) -> pa.Array:
        """Give the struct array of objects, none of them None."""
        children = [field.encode(values, _at(where, field.name)) for field in self.fields]
        return pa.StructArray.from_arrays(children, fields=list(self.arrow))

    def encode_nullable(self, values: list[Any], where: str) -> pa.Array:
        """Give a struct array whose nulls stand over blank children: a non-null child has no null even there."""
        blank = self.blank()
        filled = self.encode([blank if value is None else value for value in values], where)
        mask = pa.array([value is None for value in values], pa.bool_())
        return pa.StructArray.from_arrays(filled.flatten(), fields=list(self.arrow), mask=mask)

    def decode(self, array: pa.Array, where: str) -> list[Any]:
        """Give the objects of a struct array, None where it is null."""
        if not array.null_count:
            return self.decode_columns([array.field(field.name) for field in self.fields], where)
        present = iter(self.decode(array.drop_null(), where))
        return [next(present) if valid else None for valid in array.is_valid().to_numpy(zero_copy_only=False)]

    def decode_columns(self, columns: list[pa.Array], where: str) -> list[Any]:
        """Give the objects of columns that stand in the order of the fields."""
        pairs = zip(self.fields, columns, strict=True)
        return list(map(self.cls, *(field.decode(column, _at(where, field.name)) for field, column in pairs)))

    def upcast(self, array: pa.Array, where: str) -> pa.Array:
        """Give a struct array that an older minor version wrote in the current type."""
        if not pa.types.is_struct(array.type):
            raise foreign(where, f"{array.type} stands where a struct belongs")
        names = [field.name for field in array.type]
        children = self.upcast_columns(dict(zip(names, map(array.field, names), strict=True)), len(array), where)
        mask = array.is_null() if array.null_count else None
        return pa.StructArray.from_arrays(children, fields=list(self.arrow), mask=mask)

    def upcast_columns(self, columns: dict[str, pa.Array], rows: int, where: str) -> list[pa.Array]:
        """Give the columns of all fields, in their order: missing ones are null, or empty lists."""
        known = [field.name for field in self.fields]
        for name in columns:
            if name not in known:
                raise foreign(_at(where, name), f"no such column; {nearest(name, known)}")
        return [field.upcast(columns.get(field.name), rows, _at(where, field.name)) for field in self.fields]

    def plain(self, value: Any) -> dict[str, Any]:
        """Give the struct in field-name order without nulls and empty lists: a column added later changes no hash."""
        found = ((field, field.get(value)) for field in self.said)
        return {field.name: field.kind.plain(item) for field, item in found if item is not None and item != ()}


@functools.cache
def _kind_of(hint: Any) -> _Kind:
    """Compile the converter of one type hint."""
    if get_origin(hint) is tuple:
        element = _kind_of(get_args(hint)[0])
        return _List(pa.list_(pa.field("element", element.arrow, nullable=False)), element)
    if is_dataclass(hint) and isinstance(hint, type):
        return struct_of(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _Leaf(pa.string(), hint)
    if hint not in _SCALARS:
        raise TypeError(
            f"{hint!r} has no place in a table; valid: str, int, float, bool, StrEnum, dataclass, tuple[X, ...]"
        )
    return _Leaf(_SCALARS[hint], hint)


def struct_of(cls: type) -> Struct:
    """Give the converter of a row dataclass; a TypeError names a hint that has no place in a table."""
    hashable: Any = cls
    return _compiled(hashable)


@functools.cache
def _compiled(cls: type) -> Struct:
    hints = get_type_hints(cls)
    made = tuple(_field_of(field.name, hints[field.name]) for field in fields(cls))
    arrow = pa.struct([field.arrow for field in made])
    return Struct(arrow, cls, made, tuple(sorted(made, key=lambda field: field.name)))


def _field_of(name: str, hint: Any) -> _Field:
    optional = get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint)
    if optional:
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    kind = _kind_of(hint)
    if optional and isinstance(kind, _List):
        raise TypeError(f"{name}: a list is empty, never null; write tuple[X, ...]")
    return _Field(name, kind, optional, attrgetter(name))


def _member(labels: type[StrEnum], label: str | None, where: str) -> StrEnum | None:
    if label is None:
        return None
    try:
        return labels(label)
    except ValueError:
        known = nearest(label, [str(member) for member in labels])
        raise StorageError(
            f"column {where} holds the label {label!r}, which {labels.__name__} has not",
            hint=f"{known}; a newer humane-synth may know it: pip install -U humane-synth",
        ) from None


def _no_nulls(array: pa.Array, where: str) -> pa.Array:
    if array.null_count:
        raise _null(where)
    return array


def _null(where: str) -> StorageError:
    return StorageError(
        f"column {where} holds a null, and its type allows none", hint="give it a value, or declare it `X | None`"
    )


def foreign(where: str, what: str) -> StorageError:
    """Give the error for a stored column that is not what its row type promises."""
    return StorageError(
        f"column {where}: {what}",
        hint="the table is of another row type, or another program changed it: run `synth verify`",
    )


def _at(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
