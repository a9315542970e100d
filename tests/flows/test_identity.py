"""A folder belongs to one line: what changed is named, what was added goes on, and a fork takes the paid answers along."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import synth
from synth.building.folder import fork
from synth.content.shelves import Shelves
from synth.errors import IdentityError, IncompleteError, LockedError, UsageError
from synth.events import EventLived
from synth.records.manifest import read_manifest
from synth.records.verification import verify

PROMPT = "templates/prompts/write.md"
PHRASING = "templates/phrasings/en/two_crowds_one_square.yaml"
FRAME = "templates/frames/ja.yaml"


@pytest.fixture
def page(tmp_path, recipe):
    """A function that writes a recipe file with content of its own beside it, and gives the file."""
    from ruamel.yaml import YAML

    def write(changes=(), **settings):
        folder = tmp_path / "page"
        folder.mkdir(exist_ok=True)
        for name, edit in dict(changes).items():
            target = folder / "own" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(edit(Shelves().file(name).text()), encoding="utf-8")
        if changes:
            settings |= {"overlays": ["own"], "overrides": sorted(changes)}
        with (folder / "recipe.yaml").open("w", encoding="utf-8") as file:
            YAML(typ="safe").dump(recipe | settings, file)
        return folder / "recipe.yaml"

    return write


def test_a_replaced_built_in_file_is_listed_in_the_manifest(page, tmp_path):
    one = {"languages": ["en"], "quota": {"records": 3}}
    synth.build(page({PROMPT: lambda text: text + "\nBe brief.\n"}, **one), tmp_path / "replaced")
    synth.build(page(**one), tmp_path / "plain")
    assert read_manifest(tmp_path / "replaced")["overrides"] == [PROMPT]
    assert read_manifest(tmp_path / "plain")["overrides"] == []


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        (PROMPT, lambda text: text.replace("\n\n", "\n\nBe brief.\n\n", 1)),
        (PHRASING, lambda text: text + "\n# one more line\n"),
        (FRAME, lambda text: text + "\n# one more line\n"),
        ("personas/relationships/source_reporter.yaml", lambda text: text + "\n# one more line\n"),
    ],
)
def test_content_that_changed_is_named(copy, page, prints, name, edit):
    before = prints(copy)
    with pytest.raises(IdentityError) as caught:
        synth.build(page({name: edit}), copy)
    assert caught.value.exit_code == 2
    assert f"{name} changed" in caught.value.message
    assert caught.value.message.count(name) == (1 if "prompts" not in name and "frames" not in name else 2)
    assert "--fork" in caught.value.hint
    assert prints(copy) == before


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"seed": 2}, "seed was 1 and is 2"),
        ({"models": {"annotators": ["mine/other"]}}, "model of annotator-1 changed (en)"),
        ({"sampling": {"writer": {"temperature": 0.5}}}, "sampling of writer changed (ja)"),
        ({"replies": {"under": 2}}, "replies changed (en)"),
        ({"cross": ["language", "family"]}, "cross changed (ja)"),
        ({"forms": ["up", "level"]}, "forms changed (en)"),
        ({"splits": {"validation": [], "test": ["two_crowds_one_square"]}}, "splits changed (en)"),
    ],
)
def test_a_setting_that_decides_rows_is_named(copy, recipe, prints, settings, named):
    before = prints(copy)
    with pytest.raises(IdentityError) as caught:
        synth.build(recipe | settings, copy, endpoints={"mine": "http://127.0.0.1:9/v1"})
    assert named in caught.value.message
    assert prints(copy) == before


def test_content_that_is_gone_is_named(page, recipe, tmp_path):
    name = "personas/cultures/en-IE-cork.yaml"
    added = tmp_path / "page" / "own" / name
    added.parent.mkdir(parents=True)
    dublin = Shelves().file("personas/cultures/en-IE-dublin.yaml").text()
    added.write_text(dublin.replace("en-IE-dublin", "en-IE-cork"), encoding="utf-8")
    file = page(overlays=["own"])
    synth.build(file, tmp_path / "b")
    added.unlink()
    with pytest.raises(IdentityError, match=f"{name} is gone"):
        synth.build(file, tmp_path / "b")


def cork(page):
    name = "personas/cultures/en-IE-cork.yaml"
    file = page(overlays=["own"])
    target = file.parent / "own" / name
    target.parent.mkdir(parents=True)
    dublin = Shelves().file("personas/cultures/en-IE-dublin.yaml").text()
    target.write_text(dublin.replace("en-IE-dublin", "en-IE-cork"), encoding="utf-8")
    return file


def test_content_that_is_added_goes_on_in_the_next_round(copy, page, recipe, prints):
    before = prints(copy)
    file = cork(page)
    assert synth.build(file, copy).report.calls == 0
    assert {k: v for k, v in prints(copy).items() if k != "plan/identity.json"} == {
        k: v for k, v in before.items() if k != "plan/identity.json"
    }
    text = file.read_text(encoding="utf-8").replace("records: 24", "records: 120")
    assert "120" in text
    file.write_text(text, encoding="utf-8")
    build = synth.build(file, copy)
    profiles = {name for record in build.records() for name in record.scenario.profile_ids}
    assert "en-IE-cork" in profiles
    first = {r.scenario.scenario_id for r in build.records() if "en-IE-cork" not in r.scenario.profile_ids}
    assert {r.scenario.scenario_id for r in synth.load(copy).records()} >= first
    after = prints(copy)
    assert {name: after[name] for name in before if name.startswith("parts/")} == {
        name: digest for name, digest in before.items() if name.startswith("parts/")
    }
    assert verify(copy) == []


def test_content_that_is_added_does_not_enter_an_open_round(page, recipe, plain, prints, tmp_path):
    with pytest.raises(IncompleteError):
        synth.build(recipe, tmp_path / "b", deadline=1e-9)
    synth.build(cork(page), tmp_path / "b")
    assert prints(tmp_path / "b") == prints(plain)


def test_a_fork_answers_from_what_was_paid(served, recipe, server, counting, prints, tmp_path):
    old, new = Path(shutil.copytree(served[0], tmp_path / "old")), tmp_path / "new"
    before = prints(old)
    fork(old, new)
    assert {path.name for path in new.iterdir()} == {"ledger"}
    synth.build(recipe, new, endpoints={"offline": server.url})
    assert counting.asked.total() == 0
    assert prints(new) == before
    assert prints(old) == before
    assert verify(new) == []


def test_a_fork_with_another_prompt_asks_only_what_changed(served, page, server, counting, tmp_path):
    # the server speaks from our phrasings; a contrast prompt that changed touches no other program
    new = tmp_path / "new"
    fork(served[0], new)
    edit = {"templates/prompts/contrast.md": lambda text: text.replace("\n\n", "\n\nBe brief.\n\n", 1)}
    synth.build(page(edit), new, endpoints={"offline": server.url})
    assert set(counting.programs) == {"contrast"}
    assert counting.programs["contrast"] == served[1].programs["contrast"]
    assert verify(new) == []


def test_a_fork_needs_a_build_and_a_new_folder(copy, tmp_path):
    with pytest.raises(UsageError, match="no build"):
        fork(tmp_path / "nothing", tmp_path / "new")
    with pytest.raises(UsageError, match="not empty"):
        fork(copy, tmp_path)
    with pytest.raises(UsageError, match="lies within"):
        fork(copy, copy / "new")
    assert not (copy / "new").exists()


def test_a_fork_waits_for_nobody_who_builds(recipe, tmp_path):
    refused = []

    def on_event(event):
        if isinstance(event, EventLived) and not refused:
            with pytest.raises(LockedError) as caught:
                fork(tmp_path / "b", tmp_path / "new")
            refused.append(caught.value.exit_code)

    synth.build(recipe, tmp_path / "b", on_event=on_event)
    assert refused == [75]
