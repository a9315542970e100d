"""docs/programs.md is run as it stands, over HTTP: its programs are answered by a script, everything else by the embedded model."""

from __future__ import annotations

import json
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import blocks

import synth
from synth.content.shelves import Shelves
from synth.models.base import Request, Response, Usage
from synth.offline.embedded import OfflineModel, find_brief
from synth.offline.serve import Server
from synth.records.labels import Outcome

PAGE = "docs/programs.md"
MODULE, SCRIPT, MORE = (body for _, body in blocks(PAGE, "python"))


class Answering:
    """The embedded model, which also answers the page's programs: always the same way."""

    pure = True
    name = "llama-70b"

    def __init__(self) -> None:
        self.model = OfflineModel(Shelves())
        self.asked: Counter[str] = Counter()

    def answer(self, request: Request) -> Response:
        """Give the first word of the turn, the first of the replies, or what the embedded model says."""
        brief = find_brief(request.messages)
        self.asked[brief["program"]] += 1
        if brief["program"] == "weight":
            return _said({"word": brief["turn"].split()[0], "sure": True})
        return _said({"numbers": [1]}) if brief["program"] == "accept" else self.model.answer(request)

    async def attempt(self, request: Request) -> Response:
        """Give the answer at once."""
        return self.answer(request)

    async def close(self) -> None:
        """Close nothing."""


def _said(value: dict[str, Any]) -> Response:
    return Response(json.dumps(value), Outcome.OK, "llama-70b", None, None, Usage(10, 10))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder as the page's reader has it: the module, two prompts, an installed package and an endpoint in the settings."""
    (tmp_path / "questions.py").write_text(MODULE + "\n\n\n" + MORE + "\n", encoding="utf-8")
    for name, (_, body) in zip(("weight", "accept"), blocks(PAGE, "markdown"), strict=True):
        prompt = tmp_path / f"mine/templates/prompts/{name}.md"
        prompt.parent.mkdir(parents=True, exist_ok=True)
        prompt.write_text(body + "\n", encoding="utf-8")
    _install(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("SYNTH_SETTINGS", str(tmp_path / "settings.yaml"))
    yield tmp_path
    sys.modules.pop("questions", None)


def _install(site: Path) -> None:
    """Write what an installer leaves of the page's pyproject.toml."""
    ((_, written),) = blocks(PAGE, "toml")
    project = tomllib.loads(written)["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8"
    )
    points = project["entry-points"]["synth.programs"]
    lines = [f"{name} = {where}" for name, where in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[synth.programs]", *lines, ""]), encoding="utf-8")


def _endpoint(home: Path, server: Server) -> None:
    (home / "settings.yaml").write_text(f"endpoints:\n  mine: {{url: '{server.url}'}}\n", encoding="utf-8")


def test_the_argument_of_the_page_asks_for_a_word_of_every_turn(home: Path) -> None:
    names: dict[str, Any] = {}
    with Server(model := Answering()) as server:
        _endpoint(home, server)
        exec(compile(SCRIPT, PAGE, "exec"), names)
    turns = {one.scenario_id: one.turns[one.target_turn].text for one in _scenarios(home / "weighed")}
    assert len(turns) >= 6
    assert model.asked["weight"] == model.asked["annotate"] == len(turns)
    words = names["words"].to_dicts()
    assert {row["target_id"]: row["value"] for row in words} == {name: text.split()[0] for name, text in turns.items()}
    for row in words:
        (span,) = row["evidence"]
        assert turns[row["target_id"]][span["start"] : span["end"]] == row["value"]
    assert set(names["said"]["field"]) == {"weight.word", "weight.sure"}
    assert set(names["said"]["annotator"]) == {"llama-70b"}


def test_the_package_of_the_page_gives_what_the_argument_gives(home: Path) -> None:
    import polars as pl

    ((_, recipe),) = blocks(PAGE, "yaml")
    (home / "recipe.yaml").write_text(recipe + "\n", encoding="utf-8")
    with Server(model := Answering()) as server:
        _endpoint(home, server)
        build = synth.build("recipe.yaml", "by-package")
        calls = model.asked.total()
        from questions import accept, weight  # type: ignore[import-not-found]

        plain = build.recipe.model_copy(update={"programs": ()})
        again = synth.build(plain, "by-package", programs=[accept, weight])
        assert again.complete
        assert model.asked.total() == calls
        synth.build(plain, "by-argument", programs=[weight, accept])
    said = pl.read_parquet("by-package/annotations/0001/*.parquet").filter(pl.col("view") == "own")
    replies = [row for one in build.records(kept=False) for row in one.replies]
    accepted = said.filter(pl.col("field") == "accept.accepted")
    assert sorted(accepted["target_id"]) == sorted(row.reply_id for row in replies)
    assert (accepted["value"] == "true").sum() == model.asked["accept"] // 2 == len(_scenarios(home / "by-package"))
    assert _bytes(home / "by-package") == _bytes(home / "by-argument")


def _scenarios(build: Path) -> list[Any]:
    return [one.scenario for one in synth.load(build).records(kept=False)]


def _bytes(build: Path) -> dict[str, bytes]:
    files = sorted([*(build / "parts").rglob("*.parquet"), *(build / "annotations").rglob("*.parquet")])
    assert files
    return {path.relative_to(build).as_posix(): path.read_bytes() for path in files}
