"""Lexicons and languages as people write them, and what they match."""

from __future__ import annotations

import textwrap
from itertools import pairwise
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.content.lexicons import compile_words, read_languages, read_lexicon
from synth.content.shelves import Shelves
from synth.errors import ContentError
from synth.records.labels import Emotion


def overlay(folder, language, body):
    path = folder / "filters" / "lexicons" / f"{language}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    head = f"language: {language}\nauthors: [{{kind: person, name: A, date: 2026-11-20}}]\n"
    path.write_text(head + textwrap.dedent(body), encoding="utf-8")
    return Shelves([folder])


@pytest.mark.parametrize(
    ("language", "entry", "text", "found"),
    [
        ("en", "anger*", "Her ANGERED face", "ANGERED"),
        ("en", "angry", "angrythings", None),
        ("en", "i'm", "Well, I’m off", "I’m"),
        ("en", "long for", "I long\n for home", "long\n for"),
        ("fr", "j'*", "Hier, j’avais peur", "j’avais"),
        ("fr", "j'", "Hier, j’avais peur", "j’"),
        ("es", "tristeza", "Qué TRISTEZA.", "TRISTEZA"),
        ("ar", "*غضب*", "أنا والغضب هنا", "والغضب"),
        ("hi", "दुख", "मुझे दुखी मत करो", None),
        ("hi", "दुख*", "मुझे दुखी मत करो", "दुखी"),
        ("de", "groß", "WIE GROSS", "GROSS"),
        ("tr", "kırgın", "KIRGINIM, KIRGIN", "KIRGIN"),
        ("tr", "iyi", "İYİ", "İYİ"),
        ("en", "AIとして", "私はAIとして働く", "AIとして"),
        ("ko", "슬프*", "너무 슬프네요", "슬프네요"),
    ],
)
def test_words_match_whole_and_folded(language, entry, text, found):
    assert compile_words([entry], language=language).found(text) == found


def test_unspaced_languages_match_anywhere():
    assert compile_words(["悲し"], language="ja", spaced=False).spans("とても悲しかった") == [(3, 5)]
    assert compile_words(["เศร้า"], language="th", spaced=False).spans("ฉันเศร้ามาก") == [(3, 8)]
    assert compile_words(["LINE"], language="ja", spaced=False).found("LINEで") == "LINE"


def test_an_empty_list_finds_nothing_and_is_false():
    words = compile_words([])
    assert not words
    assert words.spans("anything at all") == []
    assert words.found("anything") is None


def test_the_longest_of_overlapping_entries_wins():
    words = compile_words(["miss", "miss him", "him so"])
    assert words.spans("I miss him so") == [(2, 10)]


@given(
    st.lists(st.text(alphabet="abc' é", min_size=1, max_size=8).filter(lambda t: t.strip(" '")), min_size=1, max_size=6)
)
def test_every_entry_finds_itself_at_its_code_points(entries):
    words = compile_words(entries)
    for entry in entries:
        core = normalize("NFC", entry).strip()
        text = f"- {core.upper()} -"
        spans = words.spans(text)
        assert spans
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_the_overlay_lexicon_is_read_and_compiled(tmp_path):
    shelves = overlay(
        tmp_path,
        "qaa",
        """
        feelings: {anger: [enojo, "enoj*"], grief: [duelo, enojo]}
        deixis: {first: [yo, me], second: [tú]}
        calques: [te escucho]
        """,
    )
    lexicon = read_lexicon(shelves, "qaa-XX")
    assert lexicon.feelings_in("El enojo y el DUELO") == [
        (Emotion.ANGER, 3, 8),
        (Emotion.GRIEF, 3, 8),
        (Emotion.GRIEF, 14, 19),
    ]
    assert lexicon.first_person("Yo no.")
    assert not lexicon.second_person("Yo no.")
    assert lexicon.calques_in("Sí, te escucho.") == [(4, 14)]
    assert not lexicon.refusals
    assert lexicon.digest == shelves.file("filters/lexicons/qaa.yaml").digest


def test_a_language_without_a_lexicon_has_none():
    assert read_lexicon(Shelves(), "xx") is None


def test_the_built_in_lexicons_are_all_readable():
    shelves = Shelves()
    for file in shelves.files("filters/lexicons"):
        language = file.name.rpartition("/")[2].removesuffix(".yaml")
        assert read_lexicon(shelves, language).language == language


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("feelings: {angst: [x]}\n", "qab.yaml:3"),
        ("refusals: ['*']\n", "match everything"),
        ("feelings: {anger: [an*ger]}\n", "word's edge"),
        ("refusal: [no]\n", "refusals"),
    ],
)
def test_faults_are_told_with_their_place(tmp_path, body, says):
    with pytest.raises(ContentError, match=r"qab\.yaml") as fault:
        read_lexicon(overlay(tmp_path, "qab", body), "qab")
    assert says in str(fault.value)


def test_a_lexicon_that_names_another_language_is_refused(tmp_path):
    path = tmp_path / "filters" / "lexicons" / "qac.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("language: es\nauthors: [{kind: person, name: A, date: 2026-11-20}]\n", encoding="utf-8")
    with pytest.raises(ContentError, match="language: es"):
        read_lexicon(Shelves([tmp_path]), "qac")


def test_the_sixteen_languages_of_the_catalogue_are_known():
    languages = read_languages(Shelves())
    for language in ("en", "es", "fr", "de", "hi", "ja", "ko", "ar", "zh", "pt", "ru", "bn", "id", "tr", "sw", "am"):
        facts = languages.of(language)
        assert facts.supported
        assert facts.neighbours
        assert language not in facts.neighbours
    assert languages.of("pt-BR") == languages.of("pt")
    assert languages.of("xx") is None
    assert languages.equals("ms") == {"id", "ms"}
    assert languages.equals("en") == {"en"}
    assert {code for code, facts in languages.languages.items() if not facts.spaced} == {"ja", "zh", "th"}


def test_the_detectors_know_every_neighbour():
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    labels = set(LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True).labels)
    named = {n for facts in read_languages(Shelves()).languages.values() for n in facts.neighbours}
    assert named <= labels
