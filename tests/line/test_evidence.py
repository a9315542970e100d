"""Offsets are ours: quotations resolve or fail, edits invert, differences rebuild the text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.line.evidence import QuoteError, edits_between, find_quote, form_difference, join_beats, normal
from synth.records.consistency import edits_invert

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
close = st.text("ab あ\u0301é.", max_size=30)
beats = st.lists(st.tuples(texts | close, texts | close), min_size=1, max_size=6)
joiners = st.sampled_from(["", " ", "\n"])


@given(pairs=beats, joiner=joiners, keep=st.lists(st.booleans(), min_size=6, max_size=6))
def test_edits_turn_the_parent_into_the_reply_and_back(pairs, joiner, keep):
    parent = {f"beat{n}": old for n, (old, _) in enumerate(pairs)}
    reply = {f"beat{n}": old if keep[n] else new for n, (old, new) in enumerate(pairs)}
    edits = edits_between(parent, reply, joiner)
    before, after = join_beats(parent, joiner), join_beats(reply, joiner)
    assert edits_invert(before, after, edits)
    assert [edit.beat for edit in edits] == [name for name in parent if parent[name] != reply[name]]
    there, back, old_at, new_at = "", "", 0, 0
    for edit in edits:
        there += before[old_at : edit.start] + after[edit.new_start : edit.new_end]
        back += after[new_at : edit.new_start] + before[edit.start : edit.end]
        old_at, new_at = edit.end, edit.new_end
    assert (there + before[old_at:], back + after[new_at:]) == (after, before)


@pytest.mark.parametrize(
    ("old", "new", "left", "right"),
    [
        ("I will ask him today.", "I will not ask him today.", "", "not "),
        ("I will ask him today.", "I will ask her today.", "him ", "her "),
        ("We asked.", "We ask.", "asked", "ask"),
        ("明日は休みです。", "明日は休日です。", "み", "日"),
        ("same start", "same start and more", "start", "start and more"),
    ],
)
def test_an_edit_is_trimmed_to_whole_words(old, new, left, right):
    (edit,) = edits_between({"one": old}, {"one": new}, "")
    assert (old[edit.start : edit.end], new[edit.new_start : edit.new_end]) == (left, right)


@given(old=texts | close, new=texts | close)
def test_an_edit_always_changes_something(old, new):
    edits = edits_between({"one": old}, {"one": new}, "")
    assert [old[edit.start : edit.end] != new[edit.new_start : edit.new_end] for edit in edits] == [True] * (old != new)


@given(base=texts | close, text=texts | close)
def test_a_difference_rebuilds_the_text_from_the_first_form(base, text):
    found, at = "", 0
    for piece in form_difference(base, text):
        found += base[at : piece.start] + text[piece.new_start : piece.new_end]
        at = piece.end
    assert found + base[at:] == text
    assert (form_difference(base, text) == ()) == (base == text)


@given(before=texts, quote=texts.filter(normal), after=texts)
def test_a_quotation_that_stands_there_is_found(before, quote, after):
    text = normal(before + normal(quote) + after)
    wanted = normal(quote)
    if wanted not in text:
        with pytest.raises(QuoteError):
            find_quote(text, quote)
        return
    span = find_quote(text, quote)
    assert text[span.start : span.end] == wanted
    assert text.find(wanted) == span.start


def test_a_quotation_counts_code_points_and_earlier_places():
    text = normal("cafe\u0301 \U0001f600 café")
    assert unicodedata.is_normalized("NFC", text)
    assert (find_quote(text, "cafe\u0301").start, find_quote(text, "café", 1).start) == (0, 7)
    for quote, nth in (("tea", 0), ("café", 2), ("", 0), ("  ", 0)):
        with pytest.raises(QuoteError, match="not in the text"):
            find_quote(text, quote, nth)
