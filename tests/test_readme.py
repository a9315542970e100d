"""The README is run as it stands."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest
from pages import README, ROOT, blocks, printed_row, shown_rows

import synth


def test_the_first_screen_has_the_two_commands() -> None:
    first_screen = README.read_text(encoding="utf-8").splitlines()[:22]
    assert sum(line.startswith("<!-- command: ") for line in first_screen) == 2
    commands = [body for before, body in blocks("README.md", "sh") if before.startswith("<!-- command: ")]
    assert ["synth build quickstart" in command for command in commands] == [True, False]
    assert "pytest" in commands[1]


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_rows_are_those_that_the_quickstart_builds(quickstart: Path, language: str) -> None:
    assert shown_rows()[language] == printed_row(quickstart / "quickstart", language)


def test_the_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ((_, body),) = blocks("README.md", "python")
    names: dict[str, Any] = {}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(body, "README.md", "exec"), names)
    assert len(list(synth.load("wards").records())) == 48
    assert "'up': 16" in said.getvalue()
    assert set(names["data"]) == {"train"}


def test_every_link_leads_somewhere() -> None:
    for page in [README, *sorted((ROOT / "docs").glob("*.md"))]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name}: {link}"
