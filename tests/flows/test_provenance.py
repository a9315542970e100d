"""Where a row comes from, and that it says so truly."""

from __future__ import annotations

from dataclasses import replace

import pytest

import synth
from synth.building.lines import line_parts
from synth.content.shelves import Shelves
from synth.errors import UsageError
from synth.models.base import Endpoint
from synth.offline import embedded
from synth.offline.embedded import OfflineModel
from synth.offline.serve import Server
from synth.planning.inventory import take_stock
from synth.records.arrow import rows_of
from synth.records.parquet import read_sidecar
from synth.records.schema import Annotation

SMALL = {"languages": ["en"], "families": ["burial_day_taken_back"], "quota": {"records": 6}}


class Named(OfflineModel):
    """The embedded model under another name, as a server of other content would report."""

    def answer(self, request):
        return replace(super().answer(request), model_reported="gpt-9-preview")


@pytest.fixture
def endpoints(monkeypatch, tmp_path):
    """A function that puts endpoints into the person's settings."""

    def put(text):
        (tmp_path / "settings.yaml").write_text(text)
        monkeypatch.setenv("SYNTH_SETTINGS", str(tmp_path / "settings.yaml"))

    return put


def test_calls_say_what_they_were_about(tmp_path):
    build = synth.build(SMALL, tmp_path / "b")
    for record in build.records(kept=False):
        subjects = [call.about for call in record.scenario.calls]
        assert subjects.count("scene") == 1
        assert "annotator-1" in subjects
        assert {reply.reply_id for reply in record.replies} <= set(subjects)


def test_the_same_annotator_twice_is_asked_twice(tmp_path):
    build = synth.build(SMALL | {"models": {"annotators": ["offline", "offline"]}}, tmp_path / "b")
    (record, *_) = build.records()
    asked = {call.about: (call.key, call.draw) for call in record.scenario.calls if call.program == "annotate"}
    assert (asked["annotator-1"][1], asked["annotator-2"][1]) == (0, 1)
    assert asked["annotator-1"][0] != asked["annotator-2"][0]


def test_a_stranger_at_the_alias_offline_is_refused(tmp_path):
    with Server(Named(Shelves())) as server, pytest.raises(UsageError, match="answers as 'gpt-9-preview'"):
        synth.build(SMALL, tmp_path / "b", endpoints={"offline": server.url})
    assert not list((tmp_path / "b" / "parts").rglob("*.parquet")) if (tmp_path / "b" / "parts").exists() else True


def test_a_models_terms_are_those_that_the_person_states(tmp_path, endpoints):
    recipe = SMALL | {"models": {"writer": "mine/m", "annotators": ["mine/m"]}}
    with Server(OfflineModel(Shelves())) as server:
        endpoints(
            f"endpoints: {{mine: {{url: '{server.url}', terms: 'no resale', licence: CC-BY-4.0, family: embedded}}}}"
        )
        build = synth.build(recipe, tmp_path / "b")
    rows = [record.scenario for record in build.records(kept=False)]
    assert {(row.generator, row.terms, row.licence) for row in rows} == {("mine/m", "no resale", "CC-BY-4.0")}
    found = [
        row
        for path in sorted((tmp_path / "b" / "annotations").rglob("*.parquet"))
        for row in rows_of(read_sidecar(path, Annotation), Annotation)
    ]
    assert {(str(row.annotator_kind), row.annotator_family) for row in found} <= {("model", "embedded")}


def test_what_nobody_states_is_unstated(tmp_path):
    recipe = SMALL | {"models": {"writer": "mine/m", "annotators": []}}
    with Server(OfflineModel(Shelves())) as server:
        build = synth.build(recipe, tmp_path / "b", endpoints={"mine": server.url})
    assert {(r.scenario.terms, r.scenario.licence) for r in build.records(kept=False)} == {("unstated", "unstated")}


def test_another_composer_is_another_line(monkeypatch):
    inventory = take_stock(synth.Recipe.of(SMALL), Shelves())
    before = line_parts(inventory, "en", {})
    monkeypatch.setattr("synth.building.lines.COMPOSER_VERSION", embedded.COMPOSER_VERSION + 1)
    after = line_parts(inventory, "en", {})
    assert {name for name in before if before[name] != after[name]} == {"model of writer", "model of annotator-1"}
    assert line_parts(inventory, "en", {"offline": Endpoint("offline", "http://127.0.0.1:1/v1", "", None)}) == after
