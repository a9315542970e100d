"""docs/endpoints.md shows settings that are read as it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import blocks

from synth.building.settings import read_endpoints
from synth.models.base import Endpoint


def test_the_example_is_read_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ((_, body),) = blocks("docs/endpoints.md", "yaml")
    file = tmp_path / "settings.yaml"
    file.write_text(body, encoding="utf-8")
    monkeypatch.setenv("SYNTH_SETTINGS", str(file))
    stated = ("Llama 3.3 Community License", "llama3.3", "llama")
    assert read_endpoints() == {
        "mine": Endpoint("mine", "http://127.0.0.1:8000/v1", "2025-11-03", None, 120.0, *stated),
        "other": Endpoint("other", "https://api.example.org/v1", "", "OTHER_API_KEY", 120.0),
    }
