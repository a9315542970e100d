"""Every case of filters/cases/ (after CheckList, Ribeiro et al. 2020): minimum functionality, invariance, direction."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synth.filters.base import Stage
from synth.filters.duplicates import DUPLICATES, DuplicateParameters, Duplicates
from synth.filters.form import FormParameters, reply_form, scene_form
from synth.filters.language import LanguageParameters, reply_language, scene_language
from synth.records.labels import Action, Emotion, Explicitness

CASES = Path(__file__).resolve().parents[2] / "filters" / "cases"


def cases(name):
    rows = [json.loads(line) for line in (CASES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    return [pytest.param(row, id=f"{i}-{row['type']}-{row['language']}") for i, row in enumerate(rows, 1)]


def case_texts(case):
    """Give each text with what is expected of it: a directional case starts clean."""
    if case["type"] == "MFT":
        return [(case["text"], case["expect"])]
    before = "" if case["type"] == "DIR" else case["expect"]
    return [(case["text"], before), (case["changed"], case["expect"])]


@pytest.mark.parametrize("case", cases("form"))
def test_form(case, make, resources_of):
    resources = resources_of(case["language"])
    given = {key: case[key] for key in ("emotion", "explicitness") if key in case}
    given = {key: {"emotion": Emotion, "explicitness": Explicitness}[key](value) for key, value in given.items()}
    for text, expected in case_texts(case):
        candidate = make.candidate(text, language=case["language"], replies=[make.reply(text)], **given)
        dropped = [v for v in scene_form(candidate, resources, FormParameters()) if v.action is Action.DROP]
        assert [v.reason for v in dropped] == [expected] * bool(expected)
        assert all(v.target == "turn:0" for v in dropped)
        if expected != "names_the_feeling":
            assert [v.reason for v in reply_form(candidate, resources, FormParameters())] == [expected] * bool(expected)


@pytest.mark.parametrize("case", cases("language"))
def test_language(case, make, resources_of):
    resources = resources_of(case["language"])
    given = {"script": case.get("script"), "mixed_with": tuple(case.get("mixed_with", ()))}
    for text, expected in case_texts(case):
        candidate = make.candidate(text, language=case["language"], replies=[make.reply(text)], **given)
        verdicts = list(scene_language(candidate, resources, LanguageParameters()))
        if expected.startswith("unverified"):
            assert [(v.action, v.reason) for v in verdicts] == [(Action.NOTE, expected)]
            assert list(reply_language(candidate, resources, LanguageParameters())) == []
            continue
        assert [str(v.action) for v in verdicts] == [expected] * bool(expected), verdicts
        replies = list(reply_language(candidate, resources, LanguageParameters()))
        assert [v.reason for v in replies] == [v.reason for v in verdicts]


@pytest.mark.parametrize("case", cases("duplicates"))
def test_duplicates(case, make, resources_of):
    sieve = Duplicates(DuplicateParameters(), resources_of)
    first = make.candidate(case["first"], event="a" * 16, language=case["language"])
    second = make.candidate(
        case["second"],
        event=("a" if case.get("same_event") else "b") * 16,
        form="down",
        language=case.get("second_language", case["language"]),
        derived_from="a" * 16 if case.get("derived") else None,
    )
    assert sieve.admit([first]) == []
    reasons = [verdict.reason.partition(":")[0] for verdict in sieve.admit([second])]
    assert reasons == [case["expect"]] * bool(case["expect"])


def test_every_case_file_has_all_three_kinds_and_several_languages():
    for name in ("form", "language", "duplicates"):
        rows = [param.values[0] for param in cases(name)]
        assert {row["type"] for row in rows} == {"MFT", "INV", "DIR"}
        assert len({row["language"] for row in rows}) >= 8


def test_stages():
    assert (scene_form.stage, reply_form.stage, DUPLICATES.stage) == (Stage.SCENARIO, Stage.REPLIES, Stage.SET)
