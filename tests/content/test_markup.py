"""Marks: parsed once, rendered with exact spans."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.content import markup
from synth.content.markup import MarkupError, capitalise, parse, render

WRONG = {
    "a mark left open": "[day|on Thursday",
    "a mark closed twice": "on] Thursday",
    "marks that nest": "[a|x [b|y] z]",
    "a brace alone": "on {day",
    "a pipe alone": "a | b",
    "an angle alone": "a < b",
    "one alternative": "<s:only>",
    "alternatives that nest": "<s:a|<x:b|c>>",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_resolve_is_refused(name: str) -> None:
    with pytest.raises(MarkupError) as caught:
        parse(WRONG[name])
    assert caught.value.column >= 1


def test_slots_agreement_and_marks_together() -> None:
    slots = {"day": "Thursday", "deal": parse("I gave <tv:thee|you> {day}")}
    line = parse("{Deal}, [day|on {day}], and <s:he|she> went.")
    done = render(line, slots.__getitem__, {"tv": 1, "s": 1})
    assert done.text == "I gave you Thursday, on Thursday, and she went."
    assert [(mark.name, done.text[mark.start : mark.end]) for mark in done.marks] == [("day", "on Thursday")]
    assert done.slots == {"deal", "day"}


def test_an_empty_alternative_and_a_slot_inside_one() -> None:
    line = parse("Yes<v:, {who}|>.")
    assert render(line, {"who": "ma"}.__getitem__, {"v": 0}).text == "Yes, ma."
    assert render(line, {}.__getitem__, {"v": 1}).text == "Yes."


def test_a_missing_slot_is_an_error_and_a_circle_too() -> None:
    with pytest.raises(KeyError):
        render(parse("{nobody}"), {}.__getitem__, {})
    with pytest.raises(KeyError, match="circle"):
        render(parse("{a}"), {"a": parse("{b}"), "b": parse("{a}")}.__getitem__, {})


def test_the_first_letter_is_raised_and_a_number_is_left_alone() -> None:
    assert capitalise("«ya») no") == "«Ya») no"
    assert capitalise("10 people") == "10 people"
    assert capitalise("¿y tú?") == "¿Y tú?"
    assert capitalise("木曜の朝") == "木曜の朝"
    assert capitalise("ßa") == "ßa"


words = st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters="[]{}<>|", exclude_categories=("Cs", "Cc")),
    min_size=1,
    max_size=12,
)


@given(st.lists(st.tuples(st.booleans(), words), min_size=1, max_size=6))
def test_spans_count_code_points_of_the_normal_form(parts: list[tuple[bool, str]]) -> None:
    source = "".join(f"[f{n}|{text}]" if marked else text for n, (marked, text) in enumerate(parts))
    done = render(parse(source), {}.__getitem__, {})
    assert done.text == unicodedata.normalize("NFC", "".join(text for _, text in parts))
    assert len(done.marks) == sum(marked for marked, _ in parts)
    for mark in done.marks:
        assert 0 <= mark.start <= mark.end <= len(done.text)


@given(st.text(max_size=40))
def test_any_line_is_parsed_or_refused(source: str) -> None:
    try:
        line = parse(source)
    except MarkupError:
        return
    assert line.source == source
    assert "[" not in line.bare()


def test_bare_and_every_word() -> None:
    line = markup.parse("[day|on {day}] <s:he|she> went")
    assert line.bare() == "on  he went"
    assert "he she" in line.every_word()
