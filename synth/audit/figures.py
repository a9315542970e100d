"""What every figure of the audit shares: how it rules on its own question, and how it becomes plain values."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import StrEnum, unique
from typing import Any, Final

_DIGITS: Final = 4
_BILLION: Final = 1_000_000_000


@unique
class Ruling(StrEnum):
    """Whether what a figure asks for holds; a figure never says yes or no of too little."""

    YES = "yes"
    NO = "no"
    TOO_FEW = "too few to say"
    NOT_RUN = "not run"


class Figures:
    """A frozen dataclass of figures."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Give plain values, ready for JSON; shares and statistics rounded to 4 digits."""
        plain: dict[str, Any] = plain_values(self)
        return plain


def units(share: float) -> int:
    """Give a share as whole billionths: sums of them are exact, in whatever order they come."""
    return round(share * _BILLION)


def mean_of(total: int, n: int) -> float | None:
    """Give the mean of `n` shares that come to so many billionths; None of none."""
    return total / n / _BILLION if n else None


def plain_values(value: Any) -> Any:
    """Give a value of dataclasses, mappings and sequences as plain values, floats rounded to 4 digits."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain_values(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(name): plain_values(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(item) for item in value]
    if isinstance(value, StrEnum):
        return str(value)
    return round(value, _DIGITS) if isinstance(value, float) else value
