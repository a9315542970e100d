"""Scenarios and replies in which only what a filter reads is filled in with care."""

from __future__ import annotations

import dataclasses
import functools
import typing
from types import UnionType

import pytest

from synth.content.shelves import Shelves
from synth.filters.base import Candidate, read_resources
from synth.records.labels import Emotion, Explicitness, ReplyKind
from synth.records.schema import Reply, Scenario, Turn


def _blank(kind):
    """Give the emptiest value of a type hint."""
    if typing.get_origin(kind) is tuple:
        return ()
    if typing.get_origin(kind) is UnionType:
        return None
    if isinstance(kind, type) and issubclass(kind, str):
        return next(iter(kind)) if hasattr(kind, "__members__") else ""
    return kind()


def _filled(cls, **given):
    hints = typing.get_type_hints(cls)
    return cls(
        **{
            f.name: given.get(f.name, _blank(hints[f.name]) if f.name not in given else None)
            for f in dataclasses.fields(cls)
        }
    )


def make_turn(text, pid="S", **given):
    return _filled(Turn, pid=pid, text=text, **given)


def make_scenario(*texts, event="0" * 16, form="up", language="en", **given):
    given = {"explicitness": Explicitness.NAMED, "emotion": Emotion.ANGER, "script": None, **given}
    turns = given.pop("turns", tuple(make_turn(text) for text in texts))
    return _filled(
        Scenario, scenario_id=f"{event}.{form}", event_key=event, form_key=form, language=language, turns=turns, **given
    )


def make_reply(text, reply_id="r1", kind=ReplyKind.FAITHFUL):
    return _filled(Reply, reply_id=reply_id, kind=kind, text=text)


def make_candidate(*texts, replies=(), **given):
    return Candidate(make_scenario(*texts, **given), tuple(replies))


class Make:
    turn = staticmethod(make_turn)
    scenario = staticmethod(make_scenario)
    reply = staticmethod(make_reply)
    candidate = staticmethod(make_candidate)


@pytest.fixture(scope="session")
def make():
    return Make


@pytest.fixture(scope="session")
def shelves():
    return Shelves()


@pytest.fixture(scope="session")
def resources_of(shelves):
    return functools.cache(lambda language: read_resources(shelves, language))
