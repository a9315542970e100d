"""humane-synth: multilingual, relational, empathy-annotated scenarios with gold labels and targeted failures.

>>> import synth
>>> recipe = synth.Recipe(languages=["en", "ja"], quota={"records": 48})
>>> build = synth.build(recipe, "my-build")            # doctest: +SKIP
>>> build.dataset()["train"][0]["prompt"]              # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synth.building.api import Build, Plan, Record, build, load, plan
    from synth.errors import SynthError
    from synth.recipe import Recipe

__version__ = "0.1.0"

__all__ = ["Build", "Plan", "Recipe", "Record", "SynthError", "build", "load", "plan"]

_HOMES = {
    "Build": "synth.building.api",
    "Plan": "synth.building.api",
    "Recipe": "synth.recipe",
    "Record": "synth.building.api",
    "SynthError": "synth.errors",
    "build": "synth.building.api",
    "load": "synth.building.api",
    "plan": "synth.building.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'synth' has no attribute {name!r}; it has {', '.join(__all__)}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
