"""Every label, span, edit and fact of an offline row is true of its text: proven over every setting of every phrasing file."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from functools import cache

import pytest
import regex

from synth.content import markup
from synth.content.lexicons import Lexicon, read_lexicon
from synth.content.phrasings import FOLDER, read_phrasing
from synth.content.scenarios import read_family
from synth.content.shelves import Shelves
from synth.line.evidence import edits_between, join_beats
from synth.offline import compose
from synth.offline.annotate import Reader
from synth.offline.check import balance_faults, check_language
from synth.offline.claims import kept, stated
from synth.offline.settings import scenes
from synth.records.consistency import edits_invert

SHELVES = Shelves()
FILES = [tuple(file.name.removesuffix(".yaml").split("/")[2:]) for file in SHELVES.files(FOLDER)]
LANGUAGES = sorted({language for language, _ in FILES})


@cache
def lexicon(language: str) -> Lexicon:
    found = read_lexicon(SHELVES, language)
    assert found is not None
    return found


@cache
def reader(language: str) -> Reader:
    return Reader(SHELVES, language)


def told(language: str, family: str) -> list[compose.Scene]:
    """Every setting, each with another telling, rank and seed in turn, so that every line of a pool is met."""
    phrasing, spec = read_phrasing(SHELVES, language, family), read_family(SHELVES, family)
    return [
        replace(scene, telling=n % len(scene.world.what), rank=scene.rank + 4 * (n % 7), seed=n % 5)
        for n, scene in enumerate(scenes(phrasing, spec, all_genders=False))
    ]


def test_there_are_24_files_in_four_languages() -> None:
    assert len(FILES) >= 24
    assert {"ar", "en", "es", "ja"} <= set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_lint_finds_nothing(language: str) -> None:
    assert [str(fault) for fault in check_language(SHELVES, language)] == []
    assert [str(fault) for fault in balance_faults(SHELVES, language)] == []


@pytest.mark.parametrize(("language", "family"), FILES)
def test_turns_say_what_their_labels_say(language: str, family: str) -> None:
    spec = read_family(SHELVES, family)
    for scene in told(language, family):
        beats = compose.turn(scene)
        text, marks = compose.join(beats, scene.phrasing.joiner)
        assert text == unicodedata.normalize("NFC", text)
        assert not regex.search(r"[\[\]{}<>|]", text), text
        assert "  " not in text
        for mark in marks:
            words = text[mark.start : mark.end]
            assert words
            assert words == words.strip()
            assert any(words == unicodedata.normalize("NFC", words) and words in beat.text for beat in beats)
        facts = [mark.name for mark in marks if not mark.name.startswith("~")]
        if scene.level == "masked":
            assert set(facts) & set(spec.facts)
            assert sum(mark.name.startswith("~") for mark in marks) >= 2
            assert not lexicon(language).feelings_in(text), text
        else:
            assert sorted(facts) == sorted(spec.facts)
            assert spec.emotion.cause in facts
            feel = next(beat.text for beat in beats if beat.name == "feel")
            named = {name for name, _, _ in lexicon(language).feelings_in(feel)}
            assert (scene.emotion in named) if scene.explicitness == "named" else not named, (feel, named)


@pytest.mark.parametrize(("language", "family"), FILES)
def test_the_annotator_finds_the_labels_and_their_words(language: str, family: str) -> None:
    spec = read_family(SHELVES, family)
    for scene in told(language, family)[::7]:
        text, _ = compose.join(compose.turn(scene), scene.phrasing.joiner)
        labels = reader(language).labels(text)
        found = {label["field"]: label["value"] for label in labels}
        level = spec.emotion.levels[scene.level]
        assert found["emotion"] == scene.emotion, text
        assert found["explicitness"] == scene.explicitness
        assert (found["felt"], found["shown"]) == (str(level.felt), str(level.shown))
        assert found["goal"] == spec.goal_at(scene.level)
        assert all(label["quote"] in text for label in labels)


def test_the_annotator_says_nothing_of_a_strangers_text() -> None:
    assert reader("en").labels("The train was late and I read my book on the platform.") == []


@pytest.mark.parametrize(("language", "family"), FILES)
def test_replies_keep_what_they_claim_and_edits_invert(language: str, family: str) -> None:
    spec = read_family(SHELVES, family)
    for scene in told(language, family):
        joiner = scene.phrasing.joiner
        faithful = compose.faithful(scene)
        assert stated(faithful, spec.preserved()) == spec.preserved()
        parent = {name: beat.text for name, beat in faithful.items()}
        assert not regex.search(r"[\[\]{}<>|]", join_beats(parent, joiner))
        for failure in scene.phrasing.failures_at(scene.level):
            for severity in failure.severities:
                spoiled = faithful | compose.failing(scene, failure, severity)
                reply = {name: beat.text for name, beat in spoiled.items()}
                edits = edits_between(parent, reply, joiner)
                assert edits, (failure.key, severity)
                assert edits_invert(join_beats(parent, joiner), join_beats(reply, joiner), edits)
                changed = {name for name in parent if parent[name] != reply[name]}
                assert {edit.beat for edit in edits} == changed
                held = kept(faithful, spoiled, spec, lexicon(language), joiner)
                assert set(failure.keeps) <= held, (failure.key, severity, scene.form, scene.level, scene.world.name)
                if failure.key == "avoidance":
                    assert "duty" not in held


def test_a_planted_fault_is_found() -> None:
    """The proofs above can fail: a mark moved by one letter, a feeling word in an implied line."""
    line = markup.parse("[day|On Thursday] we bury her.")
    done = markup.render(line, dict[str, str]().__getitem__, {})
    assert done.text[done.marks[0].start : done.marks[0].end] == "On Thursday"
    assert done.text[done.marks[0].start + 1 : done.marks[0].end + 1] != "On Thursday"
    assert lexicon("en").feelings_in("I am so angry that I shake")
