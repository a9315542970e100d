"""The page that says what each label means: whole, and about labels that exist."""

from __future__ import annotations

import re

import pytest

from synth.content.definitions import DEFINITIONS, read_definitions
from synth.content.prompts import read_prompt
from synth.content.shelves import Shelves
from synth.errors import ContentError
from synth.records.labels import Emotion, Explicitness, Goal, Regulation

EN = f"{DEFINITIONS}/en.yaml"


def test_every_label_is_defined_and_told_apart_from_its_neighbours():
    found = read_definitions(Shelves())
    assert [label for label, _ in found.said("goals")] == [str(goal) for goal in Goal]
    assert [label for label, _ in found.said("emotions")] == [str(emotion) for emotion in Emotion]
    assert {label for label, _ in found.said("regulations")} == {str(mode) for mode in Regulation}
    assert {label for label, _ in found.said("explicitness")} == {str(kind) for kind in Explicitness}
    assert [label for label, _ in found.said("levels")] == ["0", "1", "2", "3"]
    said = [says for name in ("goals", "emotions", "regulations") for _, says in found.said(name)]
    assert len(set(said)) == len(said)


def test_no_definition_uses_the_word_that_it_defines():
    found = read_definitions(Shelves())
    for name in ("goals", "emotions"):
        for label, says in found.said(name):
            assert not re.search(rf"\b{label.replace('_', ' ')}\b", says), (label, says)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("  grief: ", "  greif: ", "grief is not defined"),
        ("near: [complain, advice]", "near: [vent]", "near 'vent' are other labels of goals"),
        ("near: [complain, advice]", "near: [grief]", "near 'vent' are other labels of goals"),
        ('  "3": ', '  "4": ', "levels: 3 is not defined"),
    ],
)
def test_a_page_that_is_not_whole_says_where(overlay, old, new, problem):
    text = Shelves().file(EN).text()
    assert old in text
    with pytest.raises(ContentError, match=re.escape(problem)) as caught:
        read_definitions(overlay({EN: text.replace(old, new, 1)}, (EN,)))
    assert str(caught.value).startswith(f"{EN}:")


def test_a_language_without_a_page_of_its_own_reads_the_english_one():
    assert read_definitions(Shelves(), "xx") == read_definitions(Shelves())


def test_an_annotator_is_told_what_the_labels_mean():
    found = read_definitions(Shelves())
    names = ("goals", "emotions", "regulations", "explicitness", "powers", "levels")
    inputs = {name: found.said(name) for name in names}
    text = read_prompt(Shelves(), "annotate").fill(inputs, {})
    for name in inputs:
        assert all(f"- {label}: {says}\n" in text for label, says in found.said(name))
