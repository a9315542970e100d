"""How the loopback server conducts itself: faults, latency, limits, prices, and which forms of question it takes."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import NamedTuple, TypedDict

from synth.errors import UsageError
from synth.models.prices import FREE, Price
from synth.offline.batches import Batching
from synth.offline.faults import Faults


class Outage(NamedTuple):
    """A server that is dead from its `first` request on (counted from one), for so many seconds."""

    first: int
    seconds: float


class Options(TypedDict, total=False):
    """The fields of `Conduct` by name, as `Server(model, latency=0.2)` takes them."""

    faults: Faults
    latency: float
    jitter: float
    retry_after: float
    schema: bool
    json_mode: bool
    reasoning: bool
    requests_per_minute: int | None
    tokens_per_minute: int | None
    price: Price
    key_variable: str | None
    outage: Outage | None
    seed: int
    prompt_cache: bool
    batching: Batching
    heeds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How a server conducts itself.

    `latency` is in seconds an answer, `jitter` the share of it by which an answer may come earlier or later; `retry_after` is in seconds, what the fault
    rate-limit asks to wait. Without `schema` a json_schema is refused, without `json_mode` a json_object too; with `reasoning` max_tokens is.
    `key_variable` names the environment variable whose value is asked for as a Bearer key. With `heeds` answers depend on the instruction (heeding.py).

    Raises:
        UsageError: A value is out of its range, or the key variable is empty.
    """

    faults: Faults = field(default_factory=Faults)
    latency: float = 0.0
    jitter: float = 0.0
    retry_after: float = 1.0
    schema: bool = True
    json_mode: bool = True
    reasoning: bool = False
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    price: Price = FREE
    key_variable: str | None = None
    outage: Outage | None = None
    seed: int = 0
    prompt_cache: bool = False
    batching: Batching = field(default_factory=Batching)
    heeds: bool = False

    def __post_init__(self) -> None:
        """Hold every value to its range."""
        _hold("latency", self.latency, math.inf)
        _hold("retry_after", self.retry_after, math.inf)
        _hold("jitter", self.jitter, 1)
        for name in ("requests_per_minute", "tokens_per_minute"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1", hint="leave it out for no limit")
        if self.outage is not None and not (self.outage.first >= 1 and 0 <= self.outage.seconds < math.inf):
            raise UsageError("an outage begins at request 1 or later and lasts 0 seconds or longer")
        if self.key_variable is not None and not self.key():
            raise UsageError(
                "the key variable is empty or not set",
                hint="export a made-up key under its name, and name the variable",
            )

    def key(self) -> str:
        """Give the key that is asked for, or nothing."""
        return os.environ.get(self.key_variable, "").strip() if self.key_variable else ""


def _hold(name: str, value: float, most: float) -> None:
    if not (0 <= value <= most and math.isfinite(value)):
        limit = "0 or more" if most == math.inf else f"from 0 to {most:g}"
        raise UsageError(f"{name} must be {limit}, not {value!r}")
