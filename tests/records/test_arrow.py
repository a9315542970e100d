"""Rows to tables, bytes and back: nothing is lost, nothing unfit is taken, and a row has one hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synth.errors import StorageError
from synth.records import schema
from synth.records.arrow import logical_hash, rows_of, schema_of, table_of, upcast
from synth.records.labels import Act, Action, Emotion, ReplyKind
from synth.records.schema import TABLES, Annotation, Edit, Participant, Reply, Scenario, Verdict
from synth.records.shards import decode, encode

SLOW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", list(TABLES))
@SLOW
@given(data=st.data())
def test_every_row_comes_back_from_parquet_bytes(data: st.DataObject, strategy: Any, name: str) -> None:
    row_type = TABLES[name]
    rows = data.draw(st.lists(strategy(row_type), max_size=3))
    table = table_of(rows, row_type)
    assert table.schema.equals(schema_of(row_type), check_metadata=True)
    table.validate(full=True)
    assert rows_of(table, row_type) == rows
    back = decode(encode(table), row_type, source="memory")
    assert rows_of(back, row_type) == rows
    assert [logical_hash(row) for row in rows_of(back, row_type)] == [logical_hash(row) for row in rows]
    start = data.draw(st.integers(0, len(rows)))
    assert rows_of(back.slice(start), row_type) == rows[start:]


@pytest.mark.parametrize("name", ["scenarios", "replies", "annotations"])
@SLOW
@given(data=st.data())
def test_chunks_and_slices_do_not_change_the_bytes(data: st.DataObject, strategy: Any, name: str) -> None:
    row_type = TABLES[name]
    rows = data.draw(st.lists(strategy(row_type), min_size=1, max_size=4))
    cut = data.draw(st.integers(0, len(rows)))
    whole = table_of(rows, row_type)
    padded = table_of([rows[-1], *rows, rows[0]], row_type).slice(1, len(rows))
    made_in_two = pa.concat_tables([table_of(rows[:cut], row_type), table_of(rows[cut:], row_type)])
    annotated = whole.replace_schema_metadata({**whole.schema.metadata, b"pandas": b"{}"})
    reread = decode(encode(whole), row_type, source="memory")
    for other in (padded, made_in_two, pa.concat_tables([whole.slice(0, cut), whole.slice(cut)]), annotated, reread):
        assert encode(other) == encode(whole)


def test_pages_do_not_follow_the_chunks(rows: Any) -> None:
    """Tables of pages' size: without joined chunks pyarrow cuts pages where chunks end, and the bytes differ."""
    texts = [hashlib.sha512(str(place).encode()).hexdigest() * 6 for place in range(3000)]
    many = [replace(rows.replies()[0], text=text) for text in texts]
    whole = table_of(many, Reply)
    pieces = pa.concat_tables([table_of(many[start : start + 777], Reply) for start in range(0, len(many), 777)])
    assert pieces.column("text").num_chunks == 4
    assert encode(pieces) == encode(whole)


def test_the_schema_has_plain_types_only() -> None:
    def leaves(kind: pa.DataType) -> list[pa.DataType]:
        inner = [kind.field(place).type for place in range(kind.num_fields)]
        return [leaf for part in inner for leaf in leaves(part)] or [kind]

    for row_type in TABLES.values():
        arrow = schema_of(row_type)
        assert arrow.metadata == {b"schema_version": schema.SCHEMA_VERSION.encode()}
        found = {leaf for field in arrow for leaf in leaves(field.type)}
        assert found <= {pa.string(), pa.int32(), pa.float64(), pa.bool_()}
    arrow = schema_of(Scenario)
    assert not arrow.field("emotion").nullable
    assert arrow.field("crisis").nullable
    assert arrow.field("turns").type.value_type.field("felt").nullable


def test_an_unknown_label_is_refused_both_ways() -> None:
    verdict = Verdict("a", "record", "form", 1, Action.KEEP, None, "", advisory=False)
    column = table_of([verdict], Verdict).schema.get_field_index("action")
    table = table_of([verdict], Verdict).set_column(column, "action", pa.array(["kepe"]))
    with pytest.raises(StorageError, match=r"column action holds the label 'kepe'") as caught:
        rows_of(table, Verdict)
    assert "did you mean 'keep'" in str(caught.value)
    wrong: Any = "kepe"
    with pytest.raises(StorageError, match="did you mean 'keep'"):
        table_of([replace(verdict, action=wrong)], Verdict)


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"version": None}, "version"),
        ({"version": 2**31}, "version"),
        ({"version": "many"}, "version"),
        ({"reason": "\ud800"}, "reason"),
        ({"action": None}, "action"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_column(change: dict[str, Any], column: str) -> None:
    verdict = Verdict("a", "record", "form", 1, Action.KEEP, None, "", advisory=False)
    with pytest.raises(StorageError, match=f"column {column} "):
        table_of([verdict, replace(verdict, **change)], Verdict)


def test_a_null_deep_inside_is_named_with_its_path(rows: Any) -> None:
    person: Any = Participant("S", None, None, None, None, None, None, None, (), None, None)  # type: ignore[arg-type]
    with pytest.raises(StorageError, match=r"column participants\[\]\.role holds a null"):
        table_of([rows.scenario(participants=(person,))], Scenario)
    missing: Any = (None,)
    with pytest.raises(StorageError, match=r"column participants\[\]"):
        table_of([rows.scenario(participants=missing)], Scenario)
    with pytest.raises(StorageError, match="column turns holds a null"):
        table_of([rows.scenario(turns=None)], Scenario)


def test_rows_of_names_a_missing_column_and_passes_over_others(rows: Any) -> None:
    table = table_of(rows.replies(), Reply)
    assert rows_of(table.append_column("kept_by", pa.array(["x", "y"])), Reply) == rows.replies()
    with pytest.raises(StorageError, match="column text: the column is missing"):
        rows_of(table.drop_columns(["text"]), Reply)


def test_the_logical_hash_is_fixed_for_ever(rows: Any) -> None:
    """These digits stand in published commit records: a change here is a new major version."""
    faithful, failure = rows.replies()
    assert logical_hash(faithful) == FAITHFUL
    assert logical_hash(failure) == FAILURE
    assert logical_hash(rows.scenario()) == SCENARIO


FAITHFUL = "810c4cc5489211d4980cc694670874ed"
FAILURE = "984ec048e886a93b3f7649c8d94024a3"
SCENARIO = "d1cc504d4f6e25aeca8eb5fb6b5136be"


def test_a_new_nullable_field_and_another_order_leave_the_hash(rows: Any) -> None:
    @dataclass(frozen=True, slots=True)
    class Before:
        b: str
        a: tuple[Edit, ...]

    @dataclass(frozen=True, slots=True)
    class After:
        a: tuple[Edit, ...]
        b: str
        c: Emotion | None
        d: tuple[Act, ...]

    edit = Edit(0, 1, 0, 2, None)
    assert logical_hash(Before("x", (edit,))) == logical_hash(After((edit,), "x", None, ()))
    assert logical_hash(Before("x", ())) != logical_hash(Before("x", (edit,)))


@SLOW
@given(data=st.data())
def test_rows_with_one_hash_are_equal(data: st.DataObject, strategy: Any) -> None:
    one, other = data.draw(strategy(Annotation)), data.draw(strategy(Annotation))
    assert (logical_hash(one) == logical_hash(other)) == (json_of(one) == json_of(other))


def json_of(row: Annotation) -> str:
    return json.dumps([repr(getattr(row, name)) for name in Annotation.__dataclass_fields__])


@pytest.mark.parametrize("share", [float("nan"), float("inf")])
def test_a_number_that_is_none_has_no_hash(share: float, strategy: Any) -> None:
    annotation = Annotation("a", "goal", "scene", "m", next(iter(_kinds())), None, None, None, share, ())
    with pytest.raises(StorageError, match="cannot be hashed"):
        logical_hash(annotation)


def _kinds() -> Any:
    return schema.AnnotatorKind


def test_a_type_without_a_place_in_a_table_is_a_mistake_of_ours() -> None:
    @dataclass(frozen=True)
    class Odd:
        value: dict[str, str]

    with pytest.raises(TypeError, match="has no place in a table"):
        schema_of(Odd)

    @dataclass(frozen=True)
    class Nullable:
        value: tuple[str, ...] | None

    with pytest.raises(TypeError, match="never null"):
        schema_of(Nullable)


def test_replies_keep_members_not_strings(rows: Any) -> None:
    back = rows_of(table_of(rows.replies(), Reply), Reply)
    assert back[0].kind is ReplyKind.FAITHFUL
    assert upcast(table_of(back, Reply), Reply, schema.SCHEMA_VERSION).equals(table_of(rows.replies(), Reply))
