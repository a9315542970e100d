"""Lines are found again in what was made of them: any slot, alternative, raised letter and place in a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.content import markup
from synth.offline.lookup import Index, anchors_of

WORDS = st.text("abcdefgh żéमि日本’", min_size=1, max_size=30).map(str.strip).filter(bool)


def rendered(source, slots, choice):
    line = markup.parse(source)
    agreement = {key: choice % count for key, count in line.keys().items()}
    return line, markup.render(line, slots.__getitem__, agreement, raise_first=True)


@given(
    parts=st.lists(
        WORDS
        | st.sampled_from(["{name}", "<s:one|other one>"])
        | WORDS.map("[~joke|{}]".format)
        | WORDS.map("[fact|{}]".format),
        min_size=1,
        max_size=6,
    ),
    name=WORDS.filter(lambda name: name[0].isalpha()),
    choice=st.integers(0, 5),
    around=st.tuples(WORDS, WORDS),
)
def test_what_was_rendered_is_found_where_it_stands(parts, name, choice, around):
    source = " ".join(parts)
    line, done = rendered(source, {"name": name}, choice)
    text = f"{around[0]}. {done.text} {around[1]}."
    index = Index([(line, "it"), (markup.parse("Nothing of the kind stands there 0123."), "other")])
    assert [found.known for found in index.find(text)] == ["it"]
    found = index.find(text)[0]
    assert found.start <= text.index(done.text)
    assert tuple(mark.name for mark in found.marks) == tuple(mark.name for mark in done.marks)
    assert all(found.start <= mark.start < mark.end <= found.end for mark in found.marks)


@pytest.mark.parametrize(
    ("source", "anchors"),
    [
        ("One line of words.", ("One line of words.",)),
        ("one line of words.", ("ne line of words.",)),
        ("[~joke|so it goes] on and on and on", ("on and on and on",)),
        ("{X}, <s:he|she> went away again", ("went away again",)),
        ("<s:he said it himself|she said it herself>, {X}.", ("e said it himself", "he said it herself")),
        ("well, <s:he|she> <v:went away again|went away once more>.", ("went away again", "went away once more")),
        ("{X}{A}", ("",)),
        ("<s:he|she>", ("",)),
    ],
)
def test_an_anchor_is_what_never_varies_or_one_of_what_varies(source, anchors):
    assert anchors_of(source) == anchors


def test_every_place_of_a_line_is_found_in_the_order_of_the_lines():
    index = Index([(markup.parse("Come in, {X}."), 1), (markup.parse("Sit down with us, please."), 2)])
    text = "Sit down with us, please. Come in, Ana. Come in, Tomas."
    assert [(found.known, text[found.start : found.end]) for found in index.find_all(text)] == [
        (1, "Come in, Ana."),
        (1, "Come in, Tomas."),
        (2, "Sit down with us, please."),
    ]
    assert index.find("") == []


def test_marks_count_code_points_of_the_text():
    line = markup.parse("[lost|It is gone] again, [~joke|ha, ha].")
    text = "日本. It is gone again, ha, ha."
    found = Index([(line, None)]).find(text)[0]
    assert [(mark.name, text[mark.start : mark.end]) for mark in found.marks] == [
        ("lost", "It is gone"),
        ("~joke", "ha, ha"),
    ]
