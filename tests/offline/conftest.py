"""What tests of the embedded model share: the model, and briefs of a writer that is told of no draw."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from synth.content.phrasings import read_phrasing
from synth.content.scenarios import read_family
from synth.content.shelves import Shelves
from synth.models.base import OFFLINE, Contract, Parameters, Request
from synth.offline.embedded import OfflineModel
from synth.offline.settings import stand_ins
from synth.records.schema import Message

Brief = dict[str, Any]
Ask = Callable[[Brief], Any]


@pytest.fixture(scope="session")
def shelves() -> Shelves:
    return Shelves()


@pytest.fixture(scope="session")
def ask(shelves: Shelves) -> Ask:
    """Put a brief to the embedded model as a prompt does, and give its answer."""
    model = OfflineModel(shelves)

    def answer(brief: Brief) -> Any:
        message = Message("user", f"Do this.\n\n```brief\n{json.dumps(brief, ensure_ascii=False)}\n```\n")
        request = Request(OFFLINE, OFFLINE, "", "", Contract("", 0), (message,), Parameters(), 0, "")
        return json.loads(model.answer(request).text)

    return answer


@pytest.fixture(scope="session")
def brief_of(shelves: Shelves) -> Callable[..., Brief]:
    """Give the head of a brief without a draw: a cell of a family, its form and people."""

    def brief(language: str, family: str, level: str, form: str, **more: object) -> Brief:
        spec, phrasing = read_family(shelves, family), read_phrasing(shelves, language, family)
        names = dict(zip("SAX", stand_ins(language), strict=True))
        variety = phrasing.varieties[0]
        people = {
            pid: {
                "name": names[pid],
                "role": "guest",
                "gender": "f" if pid == "S" else "m",
                "variety": variety,
                "calls": names,
            }
            for pid in {"on_behalf": "SX", "confidant": "SAX"}.get(str(spec.stance), "SA")
        }
        value = (phrasing.agreement.get("tv") or phrasing.agreement.get("h") or ("",))[0]
        return {
            "language": language,
            "family": family,
            "task": str(spec.task),
            "stance": str(spec.stance),
            "level": level,
            "emotion": str(spec.emotions_at(level)[0].label),
            "explicitness": "masked" if level == "masked" else "described",
            "variety": variety,
            "form": form,
            "people": people,
            "address": {"out": value, "back": value},
            "goal": str(spec.goal_at(level)),
            **more,
        }

    return brief


@pytest.fixture(scope="session")
def cells_of(shelves: Shelves) -> Callable[[str], Iterator[tuple[str, str, str]]]:
    """Give every (family, level, form) of a language."""

    def cells(language: str) -> Iterator[tuple[str, str, str]]:
        for file in shelves.files(f"templates/phrasings/{language}"):
            family = file.name.rpartition("/")[2].removesuffix(".yaml")
            spec = read_family(shelves, family)
            for level in spec.emotion.levels:
                yield from ((family, level, str(form)) for form in spec.forms)

    return cells
