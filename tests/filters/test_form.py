"""Form: what the case file cannot say well."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.filters.form import FormParameters, distinct_share, fault, reply_form, scene_form
from synth.records.labels import Action, Emotion, Explicitness

PARAMETERS = FormParameters()


def test_a_scene_without_turns_is_empty(make, resources_of):
    (verdict,) = scene_form(make.candidate(), resources_of("en"), PARAMETERS)
    assert (verdict.target, verdict.action, verdict.reason) == ("scenario", Action.DROP, "empty")


def test_setting_source_and_every_turn_are_read_and_named(make, resources_of):
    candidate = make.candidate(
        "Hello {A.call}.", "Good morning.", "", setting="A\u202eyard", source_text="[undo|They took it back]"
    )
    found = [(v.target, v.reason) for v in scene_form(candidate, resources_of("en"), PARAMETERS)]
    assert found == [
        ("scenario", "bidi_character"),
        ("scenario", "markup"),
        ("turn:0", "markup"),
        ("turn:2", "empty"),
    ]
    absent = make.candidate("Hello.", setting=None, source_text=None)
    assert list(scene_form(absent, resources_of("en"), PARAMETERS)) == []


def test_only_the_speaker_may_not_name_what_is_masked(make, resources_of):
    text = "You are angry, I can see that."
    given_ = {"explicitness": Explicitness.MASKED, "emotion": Emotion.ANGER}
    addressed = make.candidate(turns=(make.turn("It is fine."), make.turn(text, pid="A")), **given_)
    assert list(scene_form(addressed, resources_of("en"), PARAMETERS)) == []
    also = make.candidate(text, **{**given_, "emotion": Emotion.SHAME, "emotion_also": (Emotion.ANGER,)})
    assert [v.reason for v in scene_form(also, resources_of("en"), PARAMETERS)] == ["names_the_feeling"]
    named_too = FormParameters(unnamed_in=(Explicitness.IMPLIED,))
    assert list(scene_form(also, resources_of("en"), named_too)) == []


def test_a_language_without_a_word_list_is_noted_not_passed_in_silence(make, resources_of):
    candidate = make.candidate("Ọjọ́ náà ti lọ.", language="yo", explicitness=Explicitness.MASKED)
    (verdict,) = scene_form(candidate, resources_of("yo"), PARAMETERS)
    assert (verdict.action, verdict.reason) == (Action.NOTE, "unverified_no_words_for_the_feeling")


def test_each_reply_is_judged_by_itself(make, resources_of):
    replies = [
        make.reply("You had it from me in March.", "r1"),
        make.reply("As an AI, no.", "r2"),
        make.reply(" ", "r3"),
    ]
    found = reply_form(make.candidate("", replies=replies), resources_of("en"), PARAMETERS)
    assert [(v.target, v.target_id, v.reason) for v in found] == [("reply", "r2", "refusal"), ("reply", "r3", "empty")]


def test_direction_marks_are_spelling_where_a_mixed_language_runs_right_to_left(resources_of):
    text = "He said \u200fسلام\u200f to me."
    assert fault(text, resources_of("en"), PARAMETERS) == "bidi_character"
    assert fault(text, resources_of("en"), PARAMETERS, ("ar",)) == ""


@pytest.mark.parametrize("times", [4, 9])
def test_a_loop_is_seen_without_words(times):
    assert distinct_share("もう言いましたよね" * times, 4)[0] < 0.4
    assert distinct_share("abc", 8) == (1.0, 3)


@given(st.text(max_size=200))
def test_any_text_has_one_fault_or_none(resources_of, text):
    assert fault(text, resources_of("en"), PARAMETERS) in {
        "", "empty", "tag_character", "bidi_character", "control_character", "hidden_character", "broken_character",
        "markup", "refusal", "meta_text", "repetition",
    }  # fmt: skip


@given(
    st.text(alphabet="ab ,", max_size=60), st.sampled_from("\u202e\u2066\U000e0041\x07\ufeff\ufffd"), st.integers(0, 60)
)
def test_a_hidden_character_is_found_wherever_it_stands(resources_of, text, character, at):
    assert fault(f"x{text[:at]}{character}{text[at:]}", resources_of("en"), PARAMETERS).endswith("_character")
