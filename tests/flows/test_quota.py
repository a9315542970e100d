"""A quota that is not met is told everywhere; a suite that changes judges and replaces in all rounds; filters that fail are named."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

import synth
from synth.cli import cli
from synth.content.shelves import Shelves
from synth.errors import UsageError
from synth.events import RoundClosed
from synth.planning.rounds import read_rounds, read_slots
from synth.records.manifest import read_manifest
from synth.records.verification import verify

PLUG_IN = """
from synth.filters.base import Parameters, Stage, filter
from synth.records.labels import Action

class Choice(Parameters):
    form: str = ""
    modulus: int = 0
    fault: str = ""

@filter(name="acme-choice:scene", version=7, stage=Stage.SCENARIO, parameters=Choice, api=1)
def scene(candidate, resources, parameters):
    own = candidate.scenario
    if parameters.fault == "raises":
        raise ValueError("no such word")
    if parameters.fault == "strange":
        yield scene.verdict("scenario", "0123.up", Action.NOTE, "strange")
    if own.form_key == parameters.form:
        yield scene.verdict("scenario", own.scenario_id, Action.DROP, "form")

@filter(name="acme-choice:whole", stage=Stage.RECORD, parameters=Choice, api=1)
def whole(candidate, resources, parameters):
    own = candidate.scenario
    assert candidate.replies and own.calls, "a whole record has replies, and is the row as it is sealed"
    if parameters.modulus and int(own.event_key, 16) % parameters.modulus == 0:
        yield whole.verdict("record", own.scenario_id, Action.DROP, "odd")
"""
SMALL = {"languages": ["en"], "families": ["burial_day_taken_back"], "quota": {"records": 12}, "partition": 6}
BEYOND = SMALL | {"recipe": "beyond", "quota": {"records": 60}, "partition": 30, "tries": 1}


@pytest.fixture(scope="session", autouse=True)
def plug_in(tmp_path_factory):
    """Install a distribution with two filters for this process."""
    site = tmp_path_factory.mktemp("site")
    info = site / "acme_choice-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-choice\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[synth.filters]\nscene = acme_choice:scene\nwhole = acme_choice:whole\n")
    (site / "acme_choice.py").write_text(PLUG_IN)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        yield


@pytest.fixture
def page(tmp_path):
    """A function that writes a recipe with a suite of its own beside it, and gives the file."""

    def write(recipe, **choice):
        suite = tmp_path / "own" / "filters" / "suites" / "mine.yaml"
        suite.parent.mkdir(parents=True, exist_ok=True)
        name = choice.pop("filter", "acme-choice:scene")
        use = {"filter": name, "parameters": choice, "evidence": "a test"}
        for path, value in (
            (suite, {"suite": "mine", "version": 1, "filters": [use]}),
            (tmp_path / "recipe.yaml", {"suite": "mine", "overlays": ["own"]} | recipe),
        ):
            with path.open("w", encoding="utf-8") as file:
                YAML(typ="safe").dump(value, file)
        return tmp_path / "recipe.yaml"

    return write


def synth_says(*words):
    """Run the command line in this process."""
    return CliRunner().invoke(cli, [str(word) for word in words], prog_name="synth")


def reasons_of(build):
    return Counter(reason for record in build.records(kept=False) for reason in record.selection.reasons)


def places_of(folder, number):
    """Give (stratum, ordinal) -> slot of one round."""
    made = read_rounds(folder)[number - 1]
    slots = [slot for planned in made.partitions for slot in read_slots(folder, number, planned.row_group)]
    return {(made.strata[slot.stratum].key, slot.ordinal): slot for slot in slots}


# -- what is missing


def test_a_shortfall_is_told_by_exit_code_summary_status_manifest_and_run(page, tmp_path):
    folder, recipe = tmp_path / "b", page(BEYOND | {"suite": "default"})
    for first in (True, False):
        made = synth_says("build", recipe, "-o", folder, "--workers", 1)
        report = json.loads((folder / "runs" / f"{1 if first else 2:04d}.json").read_text())["report"]
        missing = 60 - report["kept"]
        assert made.exit_code == 3, made.output
        assert (report["complete"], report["met"], report["wanted"], report["missing"]) == (True, False, 60, missing)
        assert f"quota {60 - missing} of 60 records: {missing} could not be made (lost at any try: " in made.stdout
        assert "near duplicate" in made.stdout
        assert f"error: the quota is not met: {60 - missing} of 60 records" in made.stderr
        assert "ask for fewer, add families, phrasings or profiles, or raise tries" in made.stderr
        assert ("nothing to do" in made.stdout) == (not first)
    assert missing > 0
    manifest = read_manifest(folder)
    assert [manifest[name] for name in ("complete", "met", "wanted", "kept", "missing")] == [
        *(True, False),
        *(60, 60 - missing, missing),
    ]
    status = synth_says("status", folder)
    assert status.exit_code == 0
    assert f"{missing} could not be made" in status.stdout
    value = json.loads(synth_says("status", folder, "--json").stdout)
    assert (value["complete"], value["met"], value["wanted"], value["missing"]) == (True, False, 60, missing)
    assert synth_says("build", recipe, "-o", folder, "-q").exit_code == 3
    shown = json.loads(synth_says("build", recipe, "-o", folder, "--json").stdout)
    assert (shown["met"], shown["missing"]) == (False, missing)
    assert synth_says("close", folder, "--overlay", tmp_path / "own").exit_code == 0
    assert read_manifest(folder)["missing"] == missing


def test_the_library_raises_nothing_for_a_shortfall(tmp_path):
    build = synth.build(BEYOND, tmp_path / "b")
    assert (build.complete, build.report.complete, build.report.met) == (True, True, False)
    assert build.report.missing == 60 - build.report.kept > 0


def test_a_quota_that_is_met_is_told_so(page, tmp_path):
    made = synth_says("build", page(SMALL | {"suite": "default"}), "-o", tmp_path / "b", "--json", "--workers", 1)
    value = json.loads(made.stdout)
    assert made.exit_code == 0
    assert (value["met"], value["wanted"], value["missing"], value["kept"]["scenario"]) == (True, 12, 0, 12)
    assert "quota" not in synth_says("status", tmp_path / "b").stdout


def test_a_family_that_is_added_goes_on_and_what_is_over_is_said(page, tmp_path):
    folder, suite = tmp_path / "b", {"suite": "default"}
    synth.build(page(SMALL | suite), folder)
    more = SMALL | suite | {"families": ["burial_day_taken_back", "file_lost_again"]}
    made = synth_says("build", page(more), "-o", folder, "--workers", 1)
    assert made.exit_code == 0, made.output
    kept = sum(1 for _ in synth.load(folder).records())
    assert kept > 12
    assert f"quota {kept} of 12 records: {kept - 12} over" in made.stdout


def test_a_run_takes_the_number_after_the_highest(tmp_path):
    synth.build(SMALL, tmp_path / "b")
    runs = tmp_path / "b" / "runs"
    (runs / "0001.json").rename(runs / "0007.json")
    synth.build(SMALL, tmp_path / "b")
    assert sorted(path.name for path in runs.iterdir()) == ["0007.json", "0008.json"]


# -- another suite


def test_a_suite_that_takes_what_was_never_asked_for_drops_it_as_unasked(page, tmp_path):
    folder = tmp_path / "b"
    strict = synth.build(page(SMALL | {"tries": 1}, form="level"), folder)
    lost = strict.report.missing
    assert (lost, reasons_of(strict)) == (4, Counter({"acme-choice:scene:form": 4}))
    lenient = synth.build(page(SMALL | {"tries": 1}), folder)
    assert (lenient.report.kept, lenient.report.missing) == (12 - lost, lost)
    assert reasons_of(lenient) == Counter(unasked=lost)
    again = synth.build(page(SMALL | {"tries": 2}), folder)
    assert again.report.met
    assert reasons_of(again) == Counter(unasked=lost)
    assert all(len(record.replies) > 1 for record in again.records())
    assert {slot.forms.bit_count() for slot in places_of(folder, 2).values()} == {1}
    assert verify(folder) == []


def test_a_suite_that_changes_replaces_what_it_drops_in_every_round(page, tmp_path):
    folder = tmp_path / "b"
    synth.build(page(SMALL | {"tries": 2}), folder)
    synth.build(page(SMALL | {"tries": 2, "quota": {"records": 24}}), folder)
    assert len(read_rounds(folder)) == 2
    events = []
    recipe = page(SMALL | {"tries": 2, "quota": {"records": 24}}, filter="acme-choice:whole", modulus=2)
    build = synth.build(recipe, folder, on_event=events.append)
    first, second, third = (places_of(folder, number) for number in (1, 2, 3))
    assert first.keys() & third.keys()
    assert second.keys() & third.keys()
    assert {slot.replacement for slot in third.values()} == {1}
    assert reasons_of(build)["acme-choice:whole:odd"] >= 3 * len(third)
    closed = [event.missing for event in events if isinstance(event, RoundClosed)]
    assert closed == [sum(slot.forms.bit_count() for slot in third.values()), 0]
    assert verify(folder) == []


def test_what_an_earlier_suite_replaced_is_not_replaced_at_the_same_try_again(page, tmp_path):
    folder = tmp_path / "b"
    synth.build(page(SMALL | {"tries": 2}, form="level"), folder)
    build = synth.build(page(SMALL | {"tries": 3}, filter="acme-choice:whole", modulus=2), folder)
    ids = [record.scenario.scenario_id for record in build.records(kept=False)]
    assert len(ids) == len(set(ids))
    slots = [(*place, slot.replacement) for made in read_rounds(folder) for place, slot in _slots(folder, made)]
    assert len(slots) == len(set(slots))
    assert verify(folder) == []


def _slots(folder, made):
    return places_of(folder, made.number).items()


def test_a_filter_of_whole_records_gives_the_same_bytes_in_the_walk_and_afterwards(page, prints, tmp_path):
    recipe = page(SMALL | {"tries": 2}, filter="acme-choice:whole", modulus=2)
    build = synth.build(recipe, tmp_path / "b")
    assert reasons_of(build)["acme-choice:whole:odd"]
    before = prints(build.folder)
    shutil.rmtree(build.folder / "verdicts")
    synth.build(recipe, build.folder)
    assert prints(build.folder) == before


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("raises", "failed at record {id}: ValueError: no such word"),
        ("strange", "at record {id}: '0123.up' is not the id of the scenario"),
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_filter_that_fails_ends_the_run_and_is_named(page, tmp_path, fault, says, workers, monkeypatch):
    import acme_choice

    site = str(Path(acme_choice.__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [site, os.environ.get("PYTHONPATH")])))
    with pytest.raises(UsageError) as caught:
        synth.build(page(SMALL, fault=fault), tmp_path / "b", workers=workers)
    assert caught.value.exit_code == 2
    assert "filter acme-choice:scene (version 7)" in caught.value.message
    found = caught.value.message.partition("at record ")[2].partition(":")[0]
    assert found.count(".") == 1
    assert says.format(id=found) in caught.value.message
    assert not list((tmp_path / "b").glob("parts/*/*"))


# -- what names the verdicts


def italian(folder):
    """Lay a lexicon of another language over ours."""
    lexicon = folder / "own" / "filters" / "lexicons" / "it.yaml"
    lexicon.parent.mkdir(parents=True, exist_ok=True)
    text = Shelves().file("filters/lexicons/es.yaml").text()
    lexicon.write_text(text.replace("language: es", "language: it"), encoding="utf-8")


def test_a_lexicon_of_another_language_judges_nothing_anew(page, prints, tmp_path):
    recipe, folder = page(SMALL), tmp_path / "b"
    synth.build(recipe, folder)
    before = prints(folder)
    italian(tmp_path)
    synth.build(recipe, folder)
    assert prints(folder) == before


def test_a_language_that_is_added_leaves_the_verdicts_of_the_others_where_they_are(page, tmp_path):
    folder = tmp_path / "b"
    synth.build(page(SMALL | {"suite": "default"}), folder)
    before = {path: path.stat().st_mtime_ns for path in (folder / "verdicts").rglob("*.parquet")}
    more = synth.build(page(SMALL | {"suite": "default", "languages": ["en", "ja"]}), folder)
    after = {path: path.stat().st_mtime_ns for path in (folder / "verdicts").rglob("*.parquet")}
    assert before.items() <= after.items()
    assert len({path.parent for path in after}) == 3, "English, Japanese, and the set of both"
    assert more.report.met
    assert verify(folder) == []
