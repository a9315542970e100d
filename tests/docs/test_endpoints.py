"""docs/endpoints.md shows settings that are read as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import ROOT, blocks

from synth.building.settings import read_reach
from synth.errors import UsageError
from synth.models.base import Endpoint
from synth.models.prices import Price


def test_the_example_is_read_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ((_, body),) = blocks("docs/endpoints.md", "yaml")
    file = tmp_path / "settings.yaml"
    file.write_text(body, encoding="utf-8")
    monkeypatch.setenv("SYNTH_SETTINGS", str(file))
    stated = ("Llama 3.3 Community License", "llama3.3", "llama")
    reach = read_reach()
    assert reach.endpoints == {
        "mine": Endpoint("mine", "http://127.0.0.1:8000/v1", "2025-11-03", None, 120.0, *stated),
        "other": Endpoint("other", "https://api.example.org/v1", "", "OTHER_API_KEY", 120.0, form="json"),
        "night": Endpoint("night", "https://api.openai.com/v1", "", "OPENAI_API_KEY", lane="batch"),
        "routed": Endpoint("routed", None, "", "MISTRAL_API_KEY", lane="router", provider="mistral"),
        "disk": Endpoint("disk", None, "", None, lane="local", folder=str(tmp_path / "models")),
    }
    prices = {"qwen-72b": Price(150_000, 600_000, 75_000), "*": Price(1_000_000, 3_000_000)}
    assert reach.prices == {"other": prices}


def test_the_table_of_lanes_says_what_each_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs/endpoints.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)`[^|]*\|[^|]*\| `(\w+)`", page, re.MULTILINE))
    assert set(rows) == {"wire", "responses", "batch", "router", "local"}
    file = tmp_path / "settings.yaml"
    monkeypatch.setenv("SYNTH_SETTINGS", str(file))
    for lane, needed in rows.items():
        file.write_text(f"endpoints:\n  mine: {{lane: {lane}}}\n", encoding="utf-8")
        with pytest.raises(UsageError, match=f"{needed} is missing: the lane {lane} needs it"):
            read_reach()
