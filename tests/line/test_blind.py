"""The annotator is blind: the question holds the scene, and nothing that the cell asked for."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from synth.programs.briefs import of_annotate
from synth.programs.contracts import SceneAnswer
from synth.records.labels import Emotion, Explicitness, Goal, Mechanism, PowerForm, Regulation

LABELS = {str(label) for kind in (Emotion, Explicitness, Goal, Mechanism, PowerForm, Regulation) for label in kind}
LEVELS = {"low", "mid", "high", "masked"}


@pytest.fixture(scope="module", params=["en", "ja"])
def asked(request, live, scripted):
    """Every annotate question about the cells of a language: (event, cell, scenario, brief, request)."""
    model = scripted()
    events, lived = live(model, ordinals=2, languages=[request.param])
    cells = {cell.scenario_id: (event, cell) for event in events for cell in event.cells}
    scenarios = [row for one in lived for row in one.scenarios]
    questions = [(brief, question) for brief, question in model.questions if brief["program"] == "annotate"]
    assert len(questions) == len(scenarios) >= 100
    return [(*cells[row.scenario_id], row, *question) for row, question in zip(scenarios, questions, strict=True)]


def test_the_question_holds_the_scene_and_who_speaks_to_whom(asked):
    for _, _, row, brief, _ in asked:
        assert set(brief) == {"program", "language", "roles", "scene"}
        assert set(brief["scene"]) == {"setting", "turns"}
        assert [turn["text"].strip() for turn in brief["scene"]["turns"]] == [turn.text for turn in row.turns]
        assert all(set(turn) == {"by", "to", "text"} for turn in brief["scene"]["turns"])


def test_no_value_of_the_cell_is_in_the_brief(asked):
    for event, cell, row, brief, request in asked:
        own = json.dumps({"language": brief["language"], "roles": brief["roles"]}, ensure_ascii=False)
        words = set(re.findall(r"[\w.]+", own)) | {turn["by"] for turn in brief["scene"]["turns"]}
        assert words.isdisjoint(LABELS | LEVELS | {row.family, cell.relationship, event.event_key, cell.scenario_id})
        text = request.messages[-1].content.rpartition("```brief")[2]
        assert row.family not in text
        assert event.event_key not in text


def test_cells_with_the_same_text_and_scene_get_the_same_question(asked):
    by_scene = {}
    for _, _, _, brief, request in asked:
        by_scene.setdefault(json.dumps(brief, sort_keys=True), set()).add((request.key, request.messages))
    assert all(len(questions) == 1 for questions in by_scene.values())


def test_the_brief_is_a_function_of_the_scene_alone(asked):
    _, _, _, brief, _ = asked[0]
    scene = SceneAnswer(
        setting=brief["scene"]["setting"],
        turns=[turn | {"facts": [{"id": "day", "quote": "x"}], "cues": []} for turn in brief["scene"]["turns"]],
        request="something else",
        address={"out": "T", "back": "V"},
    )
    assert of_annotate(brief["language"], scene, brief["roles"]) == brief
    other = scene.model_copy(update={"request": "", "address": None})
    assert of_annotate(brief["language"], other, brief["roles"]) == brief


def test_the_same_words_in_another_cell_give_the_same_messages(scripted, live):
    """Two families whose cells differ in everything, made to tell one scene, ask the annotator one question."""
    fixed = {"by": "S", "to": ["A"], "text": "They moved the day again, and I read of it on the rota."}

    def one_scene(program, _brief, answer):
        if program in ("write", "vary"):
            return answer | {"setting": "In the corridor.", "turns": [fixed]}
        return answer

    model = scripted(one_scene)
    events, _ = live(model, families=["burial_day_taken_back", "file_lost_again"])
    assert len({(event.family, event.level, event.emotion) for event in events}) > 4
    questions = {}
    for brief, request in model.questions:
        if brief["program"] == "annotate":
            questions.setdefault(tuple(sorted(brief["roles"].items())), set()).add(replace(request, program=""))
    assert questions
    assert {len(found) for found in questions.values()} == {1}
