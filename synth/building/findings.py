"""What `synth doctor` finds: one line for each thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a thing stands: as it should, worth knowing, or in the way of a build."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, how it stands, what was seen, and what to do about it. It never holds a key, nor says how long one is."""

    check: str
    state: State
    seen: str
    advice: str = ""
