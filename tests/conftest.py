"""What all tests share: one quickstart build, and hypothesis without a clock."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("synth", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("synth")


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds `quickstart`, a build of the built-in recipe: made once a session and only read."""
    import synth
    from synth.content.shelves import Shelves

    folder = tmp_path_factory.mktemp("built")
    recipe = Shelves().file("templates/recipes/quickstart.yaml").path
    synth.build(recipe, folder / "quickstart", workers=2)
    return folder
