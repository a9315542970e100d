"""The audit of a build on the disk: what it reads, and that its rows and the build's agree."""

from __future__ import annotations

import pytest
from scenes import blind, built, scenario, seal_rows, sealed, sighted

from synth.audit.build import audit_build
from synth.audit.reading import language_of, read_cases
from synth.errors import StorageError, UsageError
from synth.records.labels import AnnotatorKind, Explicitness
from synth.records.schema import FailedCheck

EN = "p-en-r0001-b00000"
ZH = "p-zh-Hant-r0002-b00011"
YES = (sighted("goal", "help"), sighted("goal", "complain", "no"), blind("goal", "help"))


@pytest.fixture
def folder(tmp_path):
    """A build of two languages: 24 scenes verified, half of them masked and a third of those dropped."""
    rows = {
        name: [
            sealed(
                scenario(
                    f"{language}{n}.up",
                    language=language,
                    explicitness=Explicitness.MASKED if n % 2 else Explicitness.NAMED,
                    cues=2,
                    failed_checks=(FailedCheck("scene", 0, "facts", None),) if n == 1 else (),
                ),
                *YES,
                blind("emotion", "anger", annotator_kind=AnnotatorKind.LOOKUP),
                dropped=n % 6 == 1,
            )
            for n in range(12)
        ]
        for name, language in ((EN, "en"), (ZH, "zh-Hant"))
    }
    assert built(tmp_path, rows).kept == 20
    return tmp_path


def test_a_partition_says_its_language():
    assert [language_of(name) for name in (EN, ZH)] == ["en", "zh-Hant"]


def test_cases_come_partition_by_partition_without_what_was_looked_up(folder):
    found = list(read_cases(folder))
    assert [len(cases) for cases in found] == [12, 12]
    one = found[0][1]
    assert (one.attempt.scenario_id, one.attempt.explicitness, one.decided.kept) == ("en1.up", "masked", False)
    assert [row.field for row in one.annotations] == ["goal", "goal", "goal"]
    assert one.attempt.failed_checks[0].check == "facts"
    assert one.attempt.by_model


def test_the_audit_of_a_build(folder):
    found = audit_build(folder)
    assert (found.scenes, found.kept, found.failed) == (24, 20, ())
    assert [(one.language, one.verifier, one.verifiable) for one in found.verification] == [
        ("en", "verifier-a", "yes"),
        ("zh-Hant", "verifier-a", "yes"),
    ]
    assert found.agreement.reliability == ()
    assert {one.fair for one in found.attrition.overall} == {"too few to say", "not run"}
    assert (found.weights.rows, found.weights.largest > 1) == (20, True)
    assert [(one.language, one.scenes) for one in found.failed_checks] == [("en", 1), ("zh-Hant", 1)]
    assert {(one.language, one.field): one.counts for one in found.statuses}["en", "goal"] == {"confirmed": 12}


def test_a_control_without_personas_is_no_attempt(tmp_path):
    """Neither its claims, nor its labels, nor whether it stands is in any figure, and no row stands for it."""
    named = [sealed(scenario(f"e{n}.up", form_key="up"), *YES, dropped=n > 7) for n in range(10)]
    wrong = (sighted("goal", "help", "no"), sighted("goal", "complain"), blind("goal", "vent"))
    given = [
        sealed(scenario(f"e{n}.up.default", form_key="up.default", profile_ids=()), *(wrong if n else YES))
        for n in range(10)
    ]
    made = built(tmp_path, {EN: [one for pair in zip(named, given, strict=True) for one in pair]})
    assert (made.kept, made.dropped, made.by_reason) == (8, 2, {"form:refusal": 2})
    assert {case.attempt.scenario_id for cases in read_cases(tmp_path) for case in cases} == {
        f"e{n}.up" for n in range(10)
    }
    found = audit_build(tmp_path)
    assert (found.scenes, found.kept, found.attrition.attempted, found.attrition.kept) == (10, 8, 10, 8)
    assert [(one.true.n, one.true.value, one.decoy.value) for one in found.verification] == [(10, 1.0, 0.0)]
    assert {(one.scenes, one.same) for one in found.agreement.fidelity if one.field == "goal"} == {(10, 1.0)}
    assert (found.weights.rows, found.weights.largest) == (8, 1.0)
    built(tmp_path / "alone", {EN: named})
    assert audit_build(tmp_path / "alone") == found


def test_one_language_alone(folder):
    found = audit_build(folder, "zh-Hant")
    assert (found.scenes, found.kept) == (12, 10)
    assert {one.language for one in found.explicitness} == {"zh-Hant"}
    with pytest.raises(UsageError, match="the build has no 'fr'") as caught:
        audit_build(folder, "fr")
    assert "en, zh-Hant" in str(caught.value)


def test_a_build_that_is_not_decided_says_what_to_do(tmp_path):
    seal_rows(tmp_path, {EN: [sealed(scenario())]})
    with pytest.raises(StorageError, match=r"select\.parquet is missing") as caught:
        audit_build(tmp_path)
    assert f"synth close {tmp_path}" in str(caught.value)


def test_what_is_not_verifiable_is_told_the_same_by_select_and_by_the_audit(tmp_path):
    rows = [sealed(scenario(f"e{n}.up"), *YES[::2], sighted("goal", "complain")) for n in range(10)]
    built(tmp_path, {EN: rows})
    found = audit_build(tmp_path)
    assert [one.verifiable for one in found.verification] == ["no"]
    assert [one.counts for one in found.statuses if one.field == "goal"] == [{"specified": 10}]
