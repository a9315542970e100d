"""The language check: what it cuts, asks and promises; figures on human text where it is at hand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.filters.language import (
    Declared,
    LanguageParameters,
    by_script,
    examine,
    pieces,
    scene_language,
    second_vote,
    undeclared,
)
from synth.records.schema import LanguageSpan

TATOEBA = Path(__file__).resolve().parents[3] / "shared" / "data" / "tatoeba_lid.parquet"
ENGLISH = "I had told you about the burial in March, and nobody said a word to me."
SPANISH = "Se lo dije en marzo, y nadie me contestó nada en todo este tiempo."


@given(st.text(max_size=400))
def test_the_pieces_of_a_text_are_the_text(text):
    assert "".join(pieces(text)) == text


def test_declared_is_equal_and_mixed_languages_and_their_scripts(resources_of):
    declared = Declared.of(resources_of("hi"), ["en"])
    assert declared.languages == {"hi", "ur", "en"}
    assert declared.scripts == ("Deva", "Latn")
    assert "mr" in declared.candidates
    assert Declared.of(resources_of("ja")).scripts == ("Hani", "Hira", "Kana")


def test_letters_of_no_script_count_nowhere():
    assert undeclared("12:30 — ☎ 555", ("Latn",)) == (0.0, 0)
    assert undeclared("abc где", ("Latn",)) == (0.5, 3)


def test_a_declared_span_of_another_language_is_left_out(resources_of, make):
    text = f"{SPANISH} {ENGLISH}"
    span = LanguageSpan(len(SPANISH) + 1, len(text), "en")
    parameters = LanguageParameters()
    spoken = make.candidate(turns=(make.turn(text, spans_language=(span,)),), language="es")
    silent = make.candidate(turns=(make.turn(text, spans_language=()),), language="es")
    assert list(scene_language(spoken, resources_of("es"), parameters)) == []
    (verdict,) = scene_language(silent, resources_of("es"), parameters)
    assert (verdict.target, verdict.reason) == ("turn:0", "reads_as_en")
    assert verdict.score >= 0.9


def test_the_setting_is_read_too(resources_of, make):
    candidate = make.candidate(SPANISH, language="es", setting=ENGLISH)
    assert [v.target for v in scene_language(candidate, resources_of("es"), LanguageParameters())] == ["scenario"]


def test_a_stretch_under_the_limit_drops_nothing(resources_of):
    resources = resources_of("es")
    text = f"{SPANISH} {ENGLISH}"
    declared = Declared.of(resources)
    assert examine(text, declared, resources.languages, LanguageParameters(contiguous=len(ENGLISH)))
    assert examine(text, declared, resources.languages, LanguageParameters(contiguous=len(ENGLISH) + 1)) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("もう疲れました", "ja"),
        ("너무 피곤해요", "ko"),
        ("我今天很累", "zh"),
        ("累", ""),
        ("ok, 我 too tired to go", ""),
        ("", ""),
    ],
)
def test_the_script_rules_stand_in_front_of_the_second_vote(resources_of, text, language):
    assert by_script(text, resources_of("en").languages.rules) == language


def test_the_second_vote_is_silent_where_its_detector_knows_no_declared_language(resources_of):
    resources = resources_of("am")
    declared = Declared(frozenset({"lg"}), ("Latn",), ("en", "lg"))
    assert second_vote(ENGLISH, declared, resources.languages) == 0.0


def test_verdicts_do_not_depend_on_calls_before_or_threads_beside(resources_of):
    resources = resources_of("es")
    declared = Declared.of(resources)
    texts = [f"{SPANISH} {ENGLISH}", SPANISH, ENGLISH, SPANISH.upper(), f"{ENGLISH} {SPANISH}"] * 8

    def judge(text):
        return examine(text, declared, resources.languages, LanguageParameters())

    alone = [judge(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(judge, texts)) == alone
    assert [judge(text) for text in reversed(texts)] == alone[::-1]


@given(st.text(max_size=300))
def test_any_text_gets_a_verdict_and_no_error(resources_of, text):
    resources = resources_of("es")
    finding = examine(text, Declared.of(resources), resources.languages, LanguageParameters())
    assert finding is None or 0 <= finding.score <= 1


@pytest.mark.skipif(not TATOEBA.exists(), reason="the human-labelled sentences lie outside the repository")
@pytest.mark.parametrize("language", ["en", "es", "fr", "hi", "ar", "ja", "ru", "id", "sw"])
def test_right_and_wrong_texts_of_human_sentences(resources_of, language):
    import pyarrow.parquet as pq

    rows = pq.read_table(TATOEBA, columns=["lang", "text"]).to_pylist()
    resources = resources_of(language)
    declared = Declared.of(resources)

    def dropped(code):
        own = [row["text"] for row in rows if row["lang"] == code]
        texts = [" ".join(own[i : i + 4]) for i in range(0, 100, 4)]
        kept = [text for text in texts if len(text) >= 80]
        return sum(
            examine(text, declared, resources.languages, LanguageParameters()) is not None for text in kept
        ), len(kept)

    assert dropped(language)[0] <= 1
    for other in {"en", "de", "pt", "tr"} - {language}:
        wrong, total = dropped(other)
        assert wrong >= 0.9 * total > 0
