"""An overlay folder that a test fills."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from synth.content.shelves import Shelves

Overlay = Callable[..., Shelves]


@pytest.fixture
def overlay(tmp_path: Path) -> Overlay:
    """Give shelves with these files laid over the built-in ones: names as keywords would be paths, so a dict."""

    def lay(files: dict[str, str], overrides: tuple[str, ...] = ()) -> Shelves:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return Shelves([tmp_path], overrides)

    return lay
