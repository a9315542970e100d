"""Shelves: what lies where, what an overlay may do, and what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from synth.content.shelves import FOLDERS, Shelves
from synth.errors import ContentError


def test_the_built_in_content_is_found() -> None:
    shelves = Shelves()
    assert shelves.has("templates/recipes/quickstart.yaml")
    assert [file.name for file in shelves.files("personas/cultures")][:2] == [
        "personas/cultures/ar-EG-cairo.yaml",
        "personas/cultures/ar-JO-amman.yaml",
    ]
    assert len(shelves.file("templates/frames/en.yaml").digest) == 32


def test_there_is_no_python_on_the_shelves() -> None:
    root = Path(__file__).resolve().parents[2]
    assert [p for folder in FOLDERS for p in (root / folder).rglob("*.py*")] == []


def test_a_missing_file_names_its_neighbours() -> None:
    with pytest.raises(ContentError, match=r"did you mean 'quickstart.yaml'"):
        Shelves().file("templates/recipes/quikstart.yaml")


def test_an_overlay_adds(overlay) -> None:
    shelves = overlay({"templates/recipes/mine.yaml": "languages: [en]\n"})
    assert shelves.file("templates/recipes/mine.yaml").layer != "built-in"
    assert shelves.has("templates/recipes/quickstart.yaml")


def test_replacing_a_built_in_file_needs_saying_so(overlay) -> None:
    files = {"templates/prompts/write.md": "---\n"}
    with pytest.raises(ContentError, match=r"overrides: \[templates/prompts/write.md\]"):
        overlay(files)
    shelves = overlay(files, ("templates/prompts/write.md",))
    assert shelves.file("templates/prompts/write.md").layer != "built-in"
    assert shelves.file("templates/prompts/write.md").text() == "---\n"


def test_an_override_that_no_overlay_holds_is_an_error(overlay) -> None:
    with pytest.raises(ContentError, match="which no overlay holds"):
        overlay({"templates/recipes/mine.yaml": "a: 1\n"}, ("templates/prompts/write.md",))


def test_an_overlay_never_holds_python(overlay) -> None:
    with pytest.raises(ContentError, match="entry point"):
        overlay({"filters/mine.py": "print('no')"})


def test_a_link_out_of_the_overlay_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("a: 1\n")
    inside = tmp_path / "over" / "templates"
    inside.mkdir(parents=True)
    (inside / "link.yaml").symlink_to(secret)
    with pytest.raises(ContentError, match="leads out"):
        Shelves([tmp_path / "over"])


def test_a_file_that_is_not_utf8_says_where(overlay, tmp_path: Path) -> None:
    shelves = overlay({"templates/recipes/mine.yaml": "a: 1\n"})
    (tmp_path / "templates/recipes/mine.yaml").write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ContentError, match=r"mine.yaml:2:1: not UTF-8"):
        shelves.file("templates/recipes/mine.yaml").text()


def test_a_digest_does_not_depend_on_line_ends(overlay, tmp_path: Path) -> None:
    unix = overlay({"templates/recipes/mine.yaml": "a: 1\nb: 2\n"}).file("templates/recipes/mine.yaml").digest
    (tmp_path / "templates/recipes/mine.yaml").write_bytes(b"a: 1\r\nb: 2\r\n")
    assert Shelves([tmp_path]).file("templates/recipes/mine.yaml").digest == unix
