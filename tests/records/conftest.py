"""Rows from type hints for hypothesis, hand-made rows that agree with themselves, and a clean build to damage."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import strategies as st

from synth.models.base import Contract, Identity, Parameters, Response, Usage, make_request
from synth.models.ledger import Ledger
from synth.records.arrow import table_of
from synth.records.labels import Action, Cue, Direction, Mechanism, Must, Outcome, ReplyKind, Split
from synth.records.schema import (
    CueSpan,
    Edit,
    Fact,
    FactSpan,
    Message,
    Reply,
    Scenario,
    Selection,
    Span,
    Turn,
    Verdict,
)
from synth.records.shards import seal, write_bytes, write_json, write_manifest, write_sidecar

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
SCALARS = {
    str: TEXT,
    int: st.integers(-(2**31), 2**31 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
}


def rows_like(hint: Any) -> st.SearchStrategy[Any]:
    """Give a strategy for any type that a row may hold."""
    if get_origin(hint) is UnionType:
        (inner,) = (part for part in get_args(hint) if part is not NoneType)
        return st.none() | rows_like(inner)
    if get_origin(hint) is tuple:
        return st.lists(rows_like(get_args(hint)[0]), max_size=2).map(tuple)
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        return st.tuples(*(rows_like(hints[field.name]) for field in fields(hint))).map(lambda values: hint(*values))
    if issubclass(hint, StrEnum):
        return st.sampled_from(list(hint))
    return SCALARS[hint]


def plainest(hint: Any) -> Any:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return next(iter(hint))
    if get_origin(hint) is tuple:
        return ()
    return hint() if hint in SCALARS else None


SHOUT = "She said it was nothing. नहीं, सच में। 🙂"


@dataclass(frozen=True, slots=True)
class Rows:
    """Makers of rows that agree with themselves; keyword arguments replace fields."""

    def scenario(self, scenario_id: str = "e1.up", **changes: Any) -> Scenario:
        hints = get_type_hints(Scenario)
        blank = Scenario(**{field.name: plainest(hints[field.name]) for field in fields(Scenario)})
        cues = (CueSpan(0, 3, Cue.DENIAL), CueSpan(9, 24, Cue.RESIDUE))
        turns = (
            Turn("S", ("A",), "Is it?", None, None, None, None, (), (), None, ()),
            Turn("A", ("S",), SHOUT, None, 3, 0, None, cues, (Span(0, len(SHOUT)),), None, ()),
        )
        facts = (Fact("f1", "it hurt", None, 2, Must.PRESERVE, (FactSpan(1, 0, 5),)),)
        digest = hashlib.sha256(SHOUT.encode()).hexdigest()
        made = replace(
            blank, scenario_id=scenario_id, language="en", turns=turns, facts=facts, target_turn=1, text_sha256=digest
        )
        return replace(made, **changes)

    def replies(self, scenario_id: str = "e1.up") -> list[Reply]:
        faithful = Reply(
            f"{scenario_id}/0", scenario_id, ReplyKind.FAITHFUL, None, None, None, None,
            "It hurt you. I hear that. Call me.", (), None, (), (), None, None,
        )  # fmt: skip
        failure = replace(
            faithful,
            reply_id=f"{scenario_id}/1",
            kind=ReplyKind.FAILURE,
            mechanism=Mechanism.ATTENUATION,
            direction=Direction.UNDER,
            severity=2,
            text="It happened. I hear that. Call.",
            parent_id=faithful.reply_id,
            edits=(Edit(3, 11, 3, 11, "affect"), Edit(30, 33, 30, 30, None)),
        )
        return [faithful, failure]

    def selection(self, target_id: str) -> Selection:
        return Selection(target_id, "scenario", True, "main", Split.TRAIN, None, None, None, 0.5, None, None, ())


@pytest.fixture(scope="session")
def strategy() -> Callable[[Any], st.SearchStrategy[Any]]:
    return rows_like


@pytest.fixture(scope="session")
def rows() -> Rows:
    return Rows()


def keep_answers(build: Path, *, frozen: str, left_open: str) -> None:
    """Make a ledger of one shard that is frozen and one that is not, with an answer in each."""

    async def run() -> None:
        reply = Response("Hi", Outcome.OK, "m", None, None, Usage(3, 5))
        with Ledger(build, "0001") as ledger:
            for partition in (frozen, left_open):
                asked = make_request(
                    Identity("m", "local", ""),
                    program="write",
                    contract=Contract("scene", 1),
                    messages=(Message("user", partition),),
                    parameters=Parameters(),
                )
                await ledger.settle(partition, asked, reply)
            assert await ledger.freeze(frozen)

    asyncio.run(run())


@pytest.fixture
def clean_build(tmp_path: Path, rows: Rows) -> Path:
    """Give a complete build of two parts and an empty one, in a folder whose name is hard on globs."""
    build = tmp_path / "my build [v1] *? é" if os.name == "posix" else tmp_path / "my build [v1]"
    ids = {"p-en-r0001-b00000": ["e1.up", "e1.down"], "p-hi-r0001-b00000": ["e2.up"], "p-ja-r0001-b00000": []}
    for partition, scenario_ids in ids.items():
        tables = {
            "scenarios": table_of([rows.scenario(name) for name in scenario_ids], Scenario),
            "replies": table_of([row for name in scenario_ids for row in rows.replies(name)], Reply),
        }
        seal(build, partition, tables, line_digest="0" * 32, extra={"round": 1})
    verdict = Verdict("e1.up", "record", "form", 1, Action.KEEP, None, "", advisory=False)
    write_sidecar(build / "verdicts" / "abc" / "p-en-r0001-b00000.parquet", table_of([verdict], Verdict))
    write_sidecar(build / "select.parquet", table_of([rows.selection(i) for i in ("e1.up", "e2.up/1")], Selection))
    write_bytes(build / "recipe.yaml", b"name: a recipe\n")
    write_bytes(build / "plan" / "round-0001.parquet", b"not a table of ours")
    write_json(build / "runs" / "0001.json", {"cost": 0})
    keep_answers(build, frozen="p-en-r0001-b00000", left_open="p-hi-r0001-b00000")
    write_bytes(build / "reviews" / "1.parquet", b"changes by itself")
    write_bytes(build / "report.html", b"<html>")
    write_bytes(build / ".lock", b"")
    write_manifest(build, complete=True, extra={"seed": 7})
    return build
