"""personas, templates and filters: list, show, check; ours are sound, and what is not is told with its place."""

from __future__ import annotations

import json

import pytest

from synth.content.shelves import Shelves
from synth.content.suites import FOLDER as SUITES


@pytest.mark.parametrize(
    ("noun", "named"),
    [
        ("personas", ["es-MX-puebla", "manager_worker", "draft"]),
        ("templates", ["file_lost_again", "quickstart", "ar, ", "en, ", "es, "]),
        ("filters", ["default", "duplicates", "scenario"]),
    ],
)
def test_lists(invoke, noun, named):
    shown = invoke(noun, "list")
    assert shown.exit_code == 0, shown.output
    assert all(name in shown.stdout for name in named)


@pytest.mark.parametrize(
    ("noun", "name", "file"),
    [
        ("personas", "es-MX-puebla", "personas/cultures/es-MX-puebla.yaml"),
        ("personas", "manager_worker", "personas/relationships/manager_worker.yaml"),
        ("templates", "phrasings/ja/file_lost_again", "templates/phrasings/ja/file_lost_again.yaml"),
        ("templates", "write", "templates/prompts/write.md"),
        ("filters", "filters/cases/form.jsonl", "filters/cases/form.jsonl"),
    ],
)
def test_show_prints_the_file_as_it_is(invoke, noun, name, file):
    shown = invoke(noun, "show", name)
    assert shown.stdout == Shelves().file(file).text()
    assert file in shown.stderr


def test_show_says_what_there_is(invoke):
    assert "did you mean 'default'?" in invoke("filters", "show", "defalt").stderr
    several = invoke("templates", "show", "ja")
    assert several.exit_code == 2
    assert "frames/ja" in several.stderr
    # of one name in several depths the outermost is meant
    assert "family: file_lost_again" in invoke("templates", "show", "file_lost_again").stdout
    assert "role: writer" in invoke("templates", "show", "write").stdout


def test_our_personas_are_sound(invoke):
    answer = invoke("personas", "check")
    assert (answer.exit_code, answer.stderr) == (0, ""), answer.output
    assert answer.stdout.startswith("sound: ")


def test_our_filters_are_sound_and_every_case_ran(invoke):
    answer = invoke("filters", "check")
    assert (answer.exit_code, answer.stderr) == (0, ""), answer.output
    lines = sum(len(file.text().splitlines()) for file in Shelves().files("filters/cases", ".jsonl"))
    assert f"{lines} cases" in answer.stdout


def lay(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_profile_with_faults_is_told_line_by_line(invoke, tmp_path):
    good = Shelves().file("personas/cultures/es-MX-puebla.yaml").text()
    lines = good.replace("profile: es-MX-puebla", "profile: es-MX-tlaxcala").splitlines()
    row = next(n for n, line in enumerate(lines) if line.strip().startswith("official_applicant:"))
    indent = len(lines[row]) - len(lines[row].lstrip())
    last = next(n for n in range(row + 1, len(lines)) if len(lines[n]) - len(lines[n].lstrip()) <= indent)
    lay(tmp_path, "personas/cultures/es-MX-tlaxcala.yaml", "\n".join(lines[:row] + lines[last:]) + "\n")
    answer = invoke("personas", "check", "--overlay", tmp_path)
    assert answer.exit_code == 1
    expected = "has no official_applicant.up, which file_lost_again uses"
    (found,) = [line for line in answer.stdout.splitlines() if expected in line]
    place = found.split(": ")[0]
    assert place.startswith("personas/cultures/es-MX-tlaxcala.yaml:")
    assert place.count(":") == 2
    profiles = len(Shelves().files("personas/cultures")) + 1
    assert f"faults in {profiles} profiles" in answer.stderr


def test_a_profile_that_cannot_be_read_has_its_line(invoke, tmp_path):
    lay(tmp_path, "personas/cultures/xx-XX-nowhere.yaml", "profile: xx-XX-nowhere\nlanguag: xx\n")
    answer = invoke("--overlay", tmp_path, "personas", "check")
    assert answer.exit_code == 1
    assert "personas/cultures/xx-XX-nowhere.yaml:2:1: unknown key 'languag'" in answer.stdout


def test_a_case_that_does_not_hold_is_told(invoke, tmp_path):
    from synth.cli.filters import check_cases
    from synth.cli.nouns import Faults
    from synth.content.shelves import ShelfFile

    text = "Thank you."
    rows = [
        {"type": "MFT", "language": "en", "text": text, "expect": "refusal"},
        {"type": "MFT", "language": "en", "text": text, "expect": ""},
    ]
    path = tmp_path / "form.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    faults = Faults()
    assert check_cases(faults, Shelves(), ShelfFile("filters/cases/form.jsonl", path, "test")) == 2
    assert faults.lines == ["filters/cases/form.jsonl:1:1: text: expected refusal, but form said nothing"]


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"type": "MFT"}', '{"type": "INV", "language": "en", "text": "x", "expect": ""}']
)
def test_a_line_that_is_no_case_has_its_number(tmp_path, line):
    from synth.content.shelves import ShelfFile
    from synth.errors import ContentError
    from synth.filters.cases import read_cases

    path = tmp_path / "form.jsonl"
    path.write_text('{"type": "MFT", "language": "en", "text": "x", "expect": ""}\n' + line + "\n")
    with pytest.raises(ContentError) as caught:
        read_cases(ShelfFile("filters/cases/form.jsonl", path, "test"))
    assert str(caught.value.place) == "filters/cases/form.jsonl:2:1"


def test_a_suite_with_an_unknown_filter_and_a_lexicon_without_feelings(invoke, tmp_path):
    lay(tmp_path, f"{SUITES}/mine.yaml", "suite: mine\nversion: 1\nfilters: [{filter: frm, evidence: none}]\n")
    who = "authors: [{kind: model, name: x, date: 2026-11-20}]"
    lay(tmp_path, "filters/lexicons/it.yaml", f"language: it\n{who}\nfeelings: {{joy: [gioia]}}\n")
    answer = invoke("filters", "check", "--overlay", tmp_path)
    assert answer.exit_code == 1
    assert f"{SUITES}/mine.yaml:3:" in answer.stdout
    assert "did you mean 'form'?" in answer.stdout
    assert "filters/lexicons/it.yaml:3:1: feelings names no pride, relief" in answer.stdout


def test_templates_are_checked_by_family_and_language(invoke, tmp_path):
    lay(tmp_path, "templates/recipes/odd.yaml", "languages: [en]\nquota: {records: -1}\n")
    from synth.cli.nouns import Faults
    from synth.cli.templates import check_files

    faults = Faults()
    check_files(faults, Shelves([tmp_path]))
    (line,) = faults.lines
    assert "odd.yaml:2:" in line
    assert "did you mean 'file_lost_again'?" in invoke("templates", "check", "file_lost").stderr
    assert "valid: ar" in invoke("templates", "check", "--language", "xx").stderr


def test_a_sheet_of_rows_is_the_same_for_the_same_seed(invoke):
    words = ("templates", "render", "file_lost_again", "--language", "es", "-n", 2)
    first = invoke(*words)
    assert first.exit_code == 0
    assert first.stdout.count("\n== ") == 2
    assert first.stdout == invoke(*words).stdout
    assert first.stdout != invoke(*words, "--seed", 2).stdout
