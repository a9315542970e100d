"""Strict YAML: what is read, what is refused, and where each error points."""

from __future__ import annotations

import contextlib
import datetime
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.content.reading import Written, check, parse
from synth.errors import ContentError, SynthError

REFUSED = {
    "a duplicate key": ("a: 1\na: 2\n", r"f.yaml:2:1: .*duplicate key"),
    "a tab for a space": ("a:\n\t- 1\n", r"f.yaml:2:1"),
    "an open bracket": ("a: [1, 2\nb: 3\n", r"f.yaml:\d+:\d+"),
    "an unclosed quote": ('a: "x\n', r"f.yaml:\d+:\d+"),
    "a python object": ("a: !!python/object/apply:os.system ['true']\n", r"f.yaml:1:4"),
    "a tag of one's own": ("a: !mine 3\n", r"f.yaml"),
    "a NUL": ("a: 1\nb: \x00\n", r"f.yaml:2:1: holds a NUL"),
    "an undefined alias": ("a: *b\n", r"f.yaml:1:4"),
    "not a number": ("a: .nan\n", "not finite"),
    "infinity": ("a: .inf\n", "not finite"),
    "a set": ("a: !!set {b, c}\n", r"f.yaml"),
    "binary": ("a: !!binary aGVsbG8=\n", r"f.yaml"),
    "two documents": ("a: 1\n---\nb: 2\n", r"f.yaml"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_where(name: str) -> None:
    text, pattern = REFUSED[name]
    with pytest.raises(ContentError, match=pattern):
        parse(text, "f.yaml")


def test_an_alias_bomb_costs_nothing() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    with pytest.raises(ContentError, match="aliases"):
        parse("\n".join(lines), "f.yaml")


def test_depth_is_limited() -> None:
    for text in ("[" * 5000 + "]" * 5000, "{a: " * 5000 + "}" * 5000, "- " * 200 + "x"):
        with pytest.raises(ContentError):
            parse(text, "f.yaml")


def test_yaml_is_version_1_2() -> None:
    assert parse("language: no\nclock: 12:30:00\nswitch: on\n", "f.yaml") == {
        "language": "no",
        "clock": "12:30:00",
        "switch": "on",
    }


class Inner(Written):
    size: int = 1


class Outer(Written):
    name: str
    inner: Inner = Inner()
    many: list[Inner] = []


def failing(text: str) -> str:
    with pytest.raises(ContentError) as caught:
        check(Outer, parse(text, "f.yaml"), text, "f.yaml")
    return str(caught.value)


def test_an_unknown_key_names_the_nearest_one() -> None:
    said = failing("name: x\ninner:\n  sise: 3\n")
    assert said.startswith("f.yaml:3:3: unknown key 'sise' in inner")
    assert "did you mean 'size'?" in said


def test_a_missing_key_and_a_wrong_value_have_places() -> None:
    assert failing("inner: {size: 1}\n").startswith("f.yaml:1:1: name is missing")
    assert failing("name: x\nmany:\n- size: 1\n- size: big\n").startswith("f.yaml:4:3: many.1.size")
    assert "and 1 more fault" in failing("nam: x\n")


def test_the_error_class_is_the_callers() -> None:
    class OwnError(SynthError):
        pass

    with pytest.raises(OwnError):
        parse("a: [", "f.yaml", OwnError)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=20),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef", min_size=1, max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values)
def test_json_is_yaml_and_is_read_as_it_is(value: Any) -> None:
    """Briefs are written in YAML's JSON form; ruamel's own plain style does not survive its own loader (`{a: :0}`)."""
    assert parse(json.dumps({"value": value}, ensure_ascii=False), "f.yaml") == {"value": value}


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_as_content(text: str) -> None:
    with contextlib.suppress(ContentError):
        value = parse(text, "f.yaml")
        assert value is None or isinstance(value, dict | list | str | int | float | datetime.date)
