"""Frames in which a model thinks before it replies, and arcs over which a conversation moves."""

from __future__ import annotations

import re

import pytest

from synth.content.definitions import DEFINITIONS, read_definitions
from synth.content.prompts import read_prompt
from synth.content.shelves import Shelves
from synth.content.thinking import ARCS, REASONING, read_arcs, read_frames
from synth.errors import ContentError
from synth.recipe import Recipe

EN = f"{REASONING}/en.yaml"


def test_there_is_a_frame_for_every_choice_of_a_recipe():
    wanted = set(Recipe.model_fields["reasoning"].annotation.__args__) - {"none"}
    assert set(read_frames(Shelves()).frames) == wanted
    assert read_frames(Shelves(), "xx") == read_frames(Shelves())


@pytest.mark.parametrize("name", ["cbt", "dbt", "pct", "rt", "ebg"])
def test_a_reply_is_told_its_frame_step_by_step(name):
    frame = read_frames(Shelves()).frames[name]
    levels = read_definitions(Shelves()).said("levels")
    prompt = read_prompt(Shelves(), "reply")
    text = prompt.render({"levels": levels, "frame": frame.name, "steps": frame.steps})
    assert f"in the frame of {frame.name}:" in text
    assert all(f"- {step}\n" in text for step in frame.steps)
    assert '{"reasoning": "...",' in text
    plain = prompt.render({"levels": levels, "frame": "", "steps": ()})
    assert "frame of" not in plain
    assert '"reasoning"' not in plain


def test_every_arc_says_how_a_conversation_moves():
    arcs = read_arcs(Shelves()).arcs
    assert len(arcs) >= 4
    assert len(set(arcs.values())) == len(arcs)
    assert all(len(says) > 20 for says in arcs.values())


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        (EN, "  ebg:", "  egb:", "egb"),
        (EN, "status: draft", "status: finished", "status"),
        (EN, "  dbt:\n    name:", "  dbt:\n    nmae:", "unknown key 'nmae'"),
        (ARCS, "arcs:", "arks:", "unknown key 'arks'"),
    ],
)
def test_a_page_that_breaks_a_rule_says_where(overlay, file, old, new, problem):
    text = Shelves().file(file).text()
    assert old in text
    shelves = overlay({file: text.replace(old, new, 1)}, (file,))
    with pytest.raises(ContentError, match=re.escape(problem)) as caught:
        read_frames(shelves) if file == EN else read_arcs(shelves)
    assert str(caught.value).startswith(f"{file}:")


@pytest.mark.parametrize(
    ("file", "read", "old", "new"),
    [
        (EN, read_frames, "what S wants", "what S would have"),
        (ARCS, read_arcs, "S asks at first", "S begs at first"),
        (f"{DEFINITIONS}/en.yaml", read_definitions, "someone has died", "somebody has died"),
    ],
)
def test_a_page_that_was_edited_is_read_again(overlay, file, read, old, new):
    text = Shelves().file(file).text()
    assert old in text
    before = repr(read(overlay({file: text}, (file,))))
    after = repr(read(overlay({file: text.replace(old, new)}, (file,))))
    assert old in before
    assert new in after
