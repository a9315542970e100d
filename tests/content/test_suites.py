"""Suites as people write them."""

from __future__ import annotations

import textwrap

import pytest

from synth.content.shelves import Shelves
from synth.content.suites import read_suite
from synth.errors import ContentError

BODY = """
suite: strict
version: 1
filters:
  - filter: duplicates
    parameters: {threshold: 0.7}
    evidence: measured
"""


def write(folder, body, name="suites/strict"):
    path = folder / "filters" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(body), encoding="utf-8")
    return Shelves([folder])


def test_the_default_suite_says_where_each_threshold_came_from():
    suite = read_suite(Shelves(), "default")
    assert [use.filter for use in suite.uses] == ["form", "language", "duplicates"]
    assert all("SPEC section" in use.evidence for use in suite.uses)
    assert len(suite.digest_of(["en"])) == 32


def test_the_digest_covers_what_decides_and_nothing_else(tmp_path):
    first = read_suite(write(tmp_path / "a", BODY), "strict").digest_of(["en"])
    assert read_suite(write(tmp_path / "b", "# a remark\n" + BODY), "strict").digest_of(["en"]) == first
    assert (
        read_suite(write(tmp_path / "c", BODY.replace("measured", "measured twice")), "strict").digest_of(["en"])
        == first
    )
    assert read_suite(write(tmp_path / "d", BODY.replace("0.7", "0.8")), "strict").digest_of(["en"]) != first
    assert (
        read_suite(write(tmp_path / "e", BODY.replace("version: 1", "version: 2")), "strict").digest_of(["en"]) != first
    )


def test_the_digest_covers_the_lexicons_of_the_languages_asked_for(tmp_path):
    author = "authors: [{kind: person, name: A, date: 2026-11-20}]\n"
    plain = write(tmp_path / "a", BODY)
    write(tmp_path / "b", BODY)
    more = write(tmp_path / "b", f"language: qaa\n{author}", "lexicons/qaa")
    one, two = read_suite(plain, "strict"), read_suite(more, "strict")
    assert one.digest_of(["en"]) == two.digest_of(["en"])
    assert one.digest_of(["qaa"]) != two.digest_of(["qaa"])
    assert one.digest_of(["qaa-XX"]) != two.digest_of(["qaa-XX"])
    assert one.digest_of(["en", "qaa"]) != two.digest_of(["en", "qaa"])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (
            BODY.replace("evidence: measured", "evidences: x"),
            "unknown key 'evidences' in filters.0\n  did you mean 'evidence'",
        ),
        (BODY + "    evidences: x\n", "strict.yaml:8"),
        (BODY.replace("evidence: measured", "evidence: ''"), "evidence"),
        (BODY + "  - {filter: duplicates, evidence: again}\n", "more than once"),
        (BODY.replace("suite: strict", "suite: lax"), "strict.yaml:2:1"),
        (BODY.replace("filter: duplicates", "filter: 'os; rm'"), "filter"),
    ],
)
def test_faults_are_told_with_their_place(tmp_path, body, says):
    with pytest.raises(ContentError) as fault:
        read_suite(write(tmp_path, body), "strict")
    assert says in str(fault.value)


def test_an_unknown_suite_names_the_nearest():
    with pytest.raises(ContentError, match=r"did you mean 'default.yaml'"):
        read_suite(Shelves(), "defualt")


def test_the_hook_sees_each_use(tmp_path):
    seen = []
    read_suite(
        write(tmp_path, BODY), "strict", check=lambda suite, index, use: seen.append((suite.name, index, use.filter))
    )
    assert seen == [("strict", 0, "duplicates")]
