"""Briefs: what each program is told, and what it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.programs.briefs import LONGEST, SHORTEST, of_annotate, of_judge, of_verify
from synth.programs.contracts import ClaimsAnswer, ProbesAnswer, ReasonedAnswer, ReplyAnswer, SceneAnswer

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
QUOTED = st.fixed_dictionaries({"id": TEXT, "quote": TEXT})
TURNS = st.lists(
    st.fixed_dictionaries(
        {"by": TEXT, "to": st.lists(TEXT, max_size=2), "text": TEXT, "facts": st.lists(QUOTED, max_size=2)}
    ),
    min_size=1,
    max_size=5,
)


@given(setting=TEXT, request=TEXT, turns=TURNS)
def test_readers_are_shown_setting_and_turns_of_a_scene_and_nothing_else(setting, request, turns):
    scene = SceneAnswer.model_validate({"setting": setting, "request": request, "turns": turns})
    seen = of_annotate("en", scene)
    assert seen == {
        "program": "annotate",
        "language": "en",
        "scene": {
            "setting": setting,
            "turns": [{"by": turn["by"], "to": turn["to"], "text": turn["text"]} for turn in turns],
        },
    }
    claims = [{"id": 1, "field": "goal", "value": "help"}]
    assert of_verify("en", scene, claims) == seen | {"program": "verify", "claims": claims}


class Told:
    """What a judge's brief reads of a family."""

    task = "respond"
    stance = "in_relation"


def test_a_judge_is_told_task_stance_scene_text_and_probes():
    scene = SceneAnswer.model_validate({"setting": "Here.", "turns": [{"by": "S", "to": ["A"], "text": "So."}]})
    brief = of_judge("en", Told, scene, "I see.", [{"id": "affect", "asks": ["grief"]}])
    assert set(brief) == {"program", "language", "task", "stance", "scene", "reply", "probes"}
    assert brief["reply"] == "I see."


def test_the_length_that_is_asked_for_is_inside_what_is_refused():
    for size in range(10, 2_000):
        least, most = int(size * SHORTEST) + 1, int(size * LONGEST)
        assert least / size >= SHORTEST
        assert most / size <= LONGEST


@pytest.mark.parametrize(
    ("answer", "value", "problem"),
    [
        (ClaimsAnswer, {"claims": []}, "at least 1"),
        (ClaimsAnswer, {"claims": [{"id": 1, "answer": "yes"}]}, "'clearly', 'plausibly', 'hardly' or 'no'"),
        (ClaimsAnswer, {"claims": [{"id": "one", "answer": "no"}]}, "valid integer"),
        (ProbesAnswer, {"probes": [{"id": "affect", "answer": "clearly"}]}, "'yes', 'weaker' or 'no'"),
        (ProbesAnswer, {"probes": [{"answer": "no"}]}, "Field required"),
        (ReasonedAnswer, {"beats": [{"beat": "a", "text": "b"}]}, "Field required"),
        (ReasonedAnswer, {"beats": [{"beat": "a", "text": "b"}], "reasoning": ""}, "at least 1"),
    ],
)
def test_an_answer_out_of_its_form_says_what_is_wrong(answer, value, problem):
    with pytest.raises(ValueError, match=problem):
        answer.model_validate(value)


def test_a_reply_that_nobody_asked_to_be_thought_through_keeps_no_thought():
    said = {"beats": [{"beat": "a", "text": "b"}], "reasoning": "because"}
    assert not hasattr(ReplyAnswer.model_validate(said), "reasoning")
    assert ReasonedAnswer.model_validate(said).reasoning == "because"
