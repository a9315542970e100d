from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.models.answers import (
    MAX_MENDED_BYTES,
    DuplicateKey,
    LoneSurrogate,
    NotAnObject,
    NotFinite,
    TooDeep,
    Unparsable,
    cut_around,
    parse_json,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=5)


@given(OBJECTS, st.booleans())
def test_every_object_comes_back(value, ascii_only):
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only)) == value


@given(OBJECTS, st.sampled_from(["```json\n", "```\n", "Here you are:\n```json\n"]))
def test_every_fenced_object_comes_back(value, opening):
    assert parse_json(f"{opening}{json.dumps(value)}\n```\nI hope this helps!") == value


def read(text):
    try:
        return parse_json(text), None
    except Unparsable as fault:
        return None, fault


@given(st.text(st.characters(exclude_categories=[])) | st.text('{}[]",:\\u0nNaI`\n 1e', max_size=200))
def test_any_text_gives_an_object_or_a_typed_fault(text):
    value, fault = read(text)
    if fault is None:
        assert isinstance(value, dict)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8")
    else:
        assert 0 <= fault.position <= len(text)
        assert str(fault)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1,}', {"a": 1}),
        ("{'a': 'b'}", {"a": "b"}),
        ('Sure! {"a": "b"}', {"a": "b"}),
        ('{"a": "b"', {"a": "b"}),
        ('```{"a": "b"}```', {"a": "b"}),
        ('```json {"a": "```"}``` and ```{"b": 1}```', {"a": "```"}),
        ('{"a": "\\ud83d\\ude22 \\\\ud83d",}', {"a": "😢 \\ud83d"}),
        ('```json\n{"a": "b",}\n```', {"a": "b"}),
        ('\ufeff{"a": 1}', {"a": 1}),
        ('{"a": "\\ud83d\\ude22"}', {"a": "😢"}),
    ],
)
def test_what_a_model_forgot_is_mended(text, value):
    assert parse_json(text) == value


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Unparsable),
        ("I cannot help with that.", Unparsable),
        ("[1, 2]", NotAnObject),
        ('"text"', NotAnObject),
        ("12", NotAnObject),
        ('{"a": 1, "a": 2}', DuplicateKey),
        ('{"x": {"a": 1, "b": 3, "a": 1}}', DuplicateKey),
        ('```json\n{"a": 1, "a": 2}\n```', DuplicateKey),
        ('{"a": NaN}', NotFinite),
        ('{"a": -Infinity}', NotFinite),
        ('{"a": 1e999}', NotFinite),
        ('{"a": ' + "9" * 5000 + "}", NotFinite),
        ('{"a": "\\ud83d"}', LoneSurrogate),
        ('{"\\uDE22": 1}', LoneSurrogate),
        ('{"a": "\ud83d"}', LoneSurrogate),
        ('{"a":' * 65 + "1" + "}" * 65, TooDeep),
        ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", TooDeep),
    ],
)
def test_what_cannot_be_trusted_has_a_type(text, fault):
    with pytest.raises(Unparsable) as caught:
        parse_json(text)
    assert type(caught.value) is fault


def test_sixty_four_nested_objects_are_not_too_deep():
    value = parse_json('{"a":' * 64 + "1" + "}" * 64)
    assert list(value) == ["a"]


def test_a_long_broken_text_is_not_mended():
    broken = '{"a": "' + "x" * MAX_MENDED_BYTES
    with pytest.raises(Unparsable, match="not JSON"):
        parse_json(broken)
    assert parse_json('{"a": "' + "x" * 100) == {"a": "x" * 100}


def test_a_fault_says_where_it_is():
    with pytest.raises(Unparsable) as caught:
        parse_json("no JSON at all")
    assert caught.value.position == 0
    with pytest.raises(Unparsable) as caught:
        parse_json('  {"a" 1}' + " " * MAX_MENDED_BYTES)
    assert caught.value.position == 7


@given(st.text(), st.integers(0, 5000), st.integers(1, 200))
def test_a_cut_is_a_part_of_the_text_no_longer_than_asked(text, position, size):
    cut = cut_around(text, position, size)
    assert len(cut.encode("utf-8")) <= size
    assert cut in text
    if len(text.encode("utf-8")) <= size:
        assert cut == text


def test_a_cut_holds_the_fault():
    text = "語" * 5000 + "FAULT" + "語" * 5000
    cut = cut_around(text, 5000)
    assert "FAULT" in cut
    assert 4000 < len(cut.encode("utf-8")) <= 4096
    assert cut_around(text, 0).startswith("語")
    assert cut_around(text, len(text)).endswith("語")
