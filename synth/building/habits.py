"""Habits: what lanes learned about how their endpoints want to be asked, kept from walk to walk and from run to run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from synth.building.lines import Crew
from synth.errors import StorageError
from synth.models.base import LearningModel
from synth.records.durable import read_json

Habits = Mapping[str, Mapping[str, str]]
"""Plain names and values, by model name."""


def known_habits(folder: Path) -> Habits:
    """Give what the last of a build's runs that knew any habits wrote down; nothing where none did."""
    # a run of an earlier version that asked nothing wrote none over those that were known
    return next((habits for path in _newest_first(folder) if (habits := _habits_in(path))), {})


def recall(crew: Crew, known: Habits) -> None:
    """Tell the lanes of a crew what is known."""
    for name, model in _learning(crew):
        if name in known:
            model.recall(known[name])


def with_learned(known: Habits, crew: Crew) -> Habits:
    """Give what is known, with what the lanes of a crew hold now in the place of what was known of them.

    A model that gave up what was known of it keeps its name with nothing behind it, so that no older record is asked about it.
    """
    learned = {name: dict(model.habits()) for name, model in _learning(crew)}
    return dict(sorted({**known, **{name: one for name, one in learned.items() if one or name in known}}.items()))


def _learning(crew: Crew) -> Iterator[tuple[str, LearningModel]]:
    models = {role.model.name: role.model for role in crew.roles.values()}
    return ((name, model) for name, model in models.items() if isinstance(model, LearningModel))


def _newest_first(folder: Path) -> list[Path]:
    numbered = [path for path in (folder / "runs").glob("*.json") if path.stem.isdecimal()]
    return sorted(numbered, key=lambda path: int(path.stem), reverse=True)


def _habits_in(path: Path) -> Habits:
    try:
        found = read_json(path).get("habits")
    except StorageError:
        return {}  # `verify` names it; what was learned can be learned again
    if not isinstance(found, dict):
        return {}
    return {
        name: {key: str(value) for key, value in habits.items()}
        for name, habits in found.items()
        if isinstance(habits, dict)
    }
