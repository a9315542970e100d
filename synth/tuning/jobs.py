"""Jobs: what a tuning is asked, what it measures, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from synth.ask import Role
from synth.models.purse import Limits
from synth.planning.inventory import Inventory
from synth.tuning.figures import Figure
from synth.tuning.measure import Naming

REFLECTOR: Final = "reflector"
"""The seat of the model that reflects and proposes."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to tune and with what.

    `roles` seats every role of the recipe in every language, and `REFLECTOR`; `seats` gives each language's seats by role. `limits` are the purse's:
    `max_calls` that of this run, `max_cost` that of the overlay's ledger over all runs. `version` is that of the
    framework, for the record.
    """

    program: str
    inventory: Inventory
    roles: Mapping[str, Role]
    seats: Mapping[str, Mapping[str, str]]
    overlay: Path
    optimizer: str = "gepa"
    events: int = 24
    seed: int = 1
    limits: Limits = field(default_factory=Limits)
    max_in_flight: int = 32
    version: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """An instruction on the held-out cells: the figure of its metric, the mean of each part, and how often its texts name the feeling."""

    values: tuple[float, ...]
    figure: Figure
    parts: Mapping[str, float]
    naming: Naming

    def plain(self) -> dict[str, Any]:
        """Give it as plain values."""
        parts = {name: round(value, 4) for name, value in sorted(self.parts.items())}
        return {**self.figure.values(), "parts": parts, "naming": self.naming.values()}


@dataclass(slots=True)
class Outcome:
    """What a tuning came to: `kept` says whether a prompt was written (`file`), `says` why in a sentence, `stopped` what ended the search early."""

    kept: bool = False
    says: str = ""
    file: Path | None = None
    before: Measured | None = None
    after: Measured | None = None
    gain: Figure | None = None
    proposals: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    calls: int = 0
    tokens: int = 0
    micro_units: int = 0
    stopped: str = ""
