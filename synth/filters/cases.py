"""Run the cases of filters/cases/ (after CheckList, Ribeiro et al. 2020): minimum functionality, invariance, direction.

A case of a filter that judges one record has `text` (and `changed`); one of a set sieve has `first` and `second`. The
filter runs with its default parameters on a record in which nothing else is filled in.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import import_module
from types import UnionType
from typing import Any, Final, Literal

from pydantic import ValidationError, model_validator

from synth.content.reading import Written
from synth.content.shelves import ShelfFile, Shelves
from synth.errors import ContentError, Place, nearest
from synth.filters.base import BUILT_IN, Candidate, Filter, Resources, Stage, read_resources
from synth.records.labels import Action, Emotion, Explicitness, ReplyKind
from synth.records.schema import Reply, Scenario, Turn, Verdict

FOLDER: Final = "filters/cases"
_EVENT: Final = "a" * 16
_OTHER_EVENT: Final = "b" * 16


class Case(Written):
    """One case; `expect` is the reason or the action of the one verdict that is due, empty where none is."""

    type: Literal["MFT", "INV", "DIR"]
    language: str
    expect: str
    about: str = ""
    text: str | None = None
    changed: str | None = None
    first: str | None = None
    second: str | None = None
    second_language: str = ""
    same_event: bool = False
    derived: bool = False
    emotion: Emotion = Emotion.ANGER
    explicitness: Explicitness = Explicitness.NAMED
    script: str | None = None
    mixed_with: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_shape(self) -> Case:
        paired = self.first is not None
        if paired != (self.second is not None) or paired == (self.text is not None):
            raise ValueError("a case has text (and changed), or first and second")
        if not paired and (self.type != "MFT") != (self.changed is not None):
            raise ValueError("INV and DIR have changed, MFT has not")
        return self

    def texts(self) -> list[tuple[str, str]]:
        """Give each text with what is expected of it: a directional case starts clean."""
        if self.changed is None:
            return [(self.text or "", self.expect)]
        return [(self.text or "", "" if self.type == "DIR" else self.expect), (self.changed, self.expect)]


def read_cases(file: ShelfFile) -> list[Case]:
    """Give the cases of a file, one a line.

    Raises:
        ContentError: with the line that is no case, or where no filter has the file's name.
    """
    if file.path.stem not in BUILT_IN:
        hint = f"a file of cases is named after its filter; {nearest(file.path.stem, BUILT_IN)}"
        raise ContentError(f"there is no filter {file.path.stem!r}", place=Place(file.name), hint=hint)
    return [_case(file, number, line) for number, line in enumerate(file.text().splitlines(), 1)]


def _case(file: ShelfFile, number: int, line: str) -> Case:
    place = Place(file.name, number, 1)
    try:
        return Case.model_validate(json.loads(line))
    except ValidationError as faults:
        first = faults.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        message = f"{where}: {first['msg']}" if where else first["msg"]
        raise ContentError(message.replace("Value error, ", ""), place=place) from None
    except ValueError:
        raise ContentError("not JSON", place=place, hint="one JSON object a line") from None


def failures(shelves: Shelves, name: str, cases: Iterable[Case]) -> Iterator[tuple[int, str]]:
    """Give the number (from one) of each case that its filter does not answer as expected, and what it said."""
    found = [
        one for one in vars(import_module(BUILT_IN[name])).values() if isinstance(one, Filter) and one.name == name
    ]
    resources_of = cache(lambda language: read_resources(shelves, language))
    for number, case in enumerate(cases, 1):
        for one in found:
            if (one.stage is Stage.SET) == (case.first is not None):
                yield from ((number, message) for message in _answers(one, case, resources_of))


def _answers(one: Filter, case: Case, resources_of: Any) -> Iterator[str]:
    if one.stage is Stage.SET:
        sieve = one.run(one.parameters(), resources_of)
        verdicts = [*sieve.admit([_first(case)]), *sieve.admit([_second(case)])]
        yield from _differs(one, verdicts, case.expect, "second")
        return
    resources: Resources = resources_of(case.language)
    for (text, expected), what in zip(case.texts(), ("text", "changed"), strict=False):
        verdicts = list(one(_candidate(case, text), resources, one.parameters()))
        if one.stage is Stage.REPLIES and not verdicts:
            continue  # not every fault of a scene is one of a reply (a reply may name the feeling)
        yield from _differs(one, verdicts, expected, what)


def _differs(one: Filter, verdicts: Sequence[Verdict], expected: str, what: str) -> Iterator[str]:
    acting = [v for v in verdicts if v.action is not Action.NOTE or v.reason == expected]
    said = [v.reason.partition(":")[0] if one.stage is Stage.SET else v.reason for v in acting]
    if [expected] * bool(expected) not in (said, [str(v.action) for v in acting]):
        yield f"{what}: expected {expected or 'no verdict'}, but {one.name} said {', '.join(said) or 'nothing'}"


# -- records with nothing filled in but what a case names


def _candidate(case: Case, text: str) -> Candidate:
    scenario = _scenario(case.language, text, _EVENT, explicitness=case.explicitness, emotion=case.emotion)
    scenario = dataclasses.replace(scenario, script=case.script, mixed_with=case.mixed_with)
    reply = blank(Reply, reply_id=f"{_EVENT}.up.faithful", kind=ReplyKind.FAITHFUL, text=text)
    return Candidate(scenario, (reply,))


def _first(case: Case) -> Candidate:
    return Candidate(_scenario(case.language, case.first or "", _EVENT))


def _second(case: Case) -> Candidate:
    event = _EVENT if case.same_event else _OTHER_EVENT
    scenario = _scenario(case.second_language or case.language, case.second or "", event, form_key="down")
    return Candidate(dataclasses.replace(scenario, derived_from=_EVENT if case.derived else None))


def _scenario(language: str, text: str, event: str, form_key: str = "up", **given: Any) -> Scenario:
    names = {"scenario_id": f"{event}.{form_key}", "event_key": event, "form_key": form_key, "language": language}
    made: Scenario = blank(Scenario, **names, turns=(blank(Turn, pid="S", text=text),), **given)
    return made


def blank(row_type: type[Any], **given: Any) -> Any:
    """Give a row whose fields are empty, null or the first label, but for those that are given."""
    hints = typing.get_type_hints(row_type)
    return row_type(
        **{f.name: given[f.name] if f.name in given else _blank(hints[f.name]) for f in dataclasses.fields(row_type)}
    )


def _blank(kind: Any) -> Any:
    if typing.get_origin(kind) is tuple:
        return ()
    if typing.get_origin(kind) is UnionType:
        return None
    if hasattr(kind, "__members__"):
        return next(iter(kind))
    return kind()
