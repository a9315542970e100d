"""The pairs of a build as a release would draw them: whole events, kept rows, a third crossed; a gate for what models wrote only."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import built, scenario, sealed

import synth
from synth.audit import preferences
from synth.audit.build import audit_build
from synth.audit.figures import Ruling
from synth.audit.pairs import pairs
from synth.audit.preferences import MOST_PAIRS, Sample, read_preferences
from synth.errors import UsageError
from synth.records.labels import ReplyKind

RECIPE = {
    "languages": ["en", "ja"],
    "families": ["burial_day_taken_back", "told_to_be_over_it", "file_lost_again"],
    "quota": {"records": 72},
    "partition": 12,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A build of the embedded model in six parts; tests only read it."""
    before = os.environ.get("SYNTH_SETTINGS")
    os.environ["SYNTH_SETTINGS"] = os.devnull
    try:
        return synth.build(RECIPE, tmp_path_factory.mktemp("pairs") / "b").folder
    finally:
        os.environ.pop("SYNTH_SETTINGS")
        if before is not None:
            os.environ["SYNTH_SETTINGS"] = before


def pairs_of(folder, language=None):
    records = list(synth.load(folder).records(language=language))
    return list(pairs([one.scenario for one in records], [reply for one in records for reply in one.replies]))


def test_it_holds_every_crossed_pair_of_what_is_kept_and_two_failures_for_each(folder):
    found, whole = read_preferences(folder), pairs_of(folder)
    crossed = [one for one in whole if one.kind == ReplyKind.CROSSED]
    assert found.counts == {"crossed": len(crossed), "failure": 2 * len(crossed)}
    assert found.failures == len(whole) - len(crossed) > 2 * len(crossed)
    assert found.events == found.events_kept == len({one.event for one in whole})
    own = {(one.population, one.language): one.pairs for one in found.gate.separability if one.mechanism is None}
    assert own["all", None] == 3 * len(crossed)
    assert own["all", "ja"] == 3 * sum(one.language == "ja" for one in crossed)
    assert sum(one.longer.n for one in found.gate.lengths if one.language is None) > own["failure", None]


def test_one_language_alone(folder):
    found = read_preferences(folder, "ja")
    assert {one.language for one in found.gate.separability} == {"ja"}
    assert found.failures == sum(one.kind == ReplyKind.FAILURE for one in pairs_of(folder, "ja"))
    with pytest.raises(UsageError, match="the build has no 'fr'"):
        read_preferences(folder, "fr")


def test_a_large_build_is_sampled_by_whole_events(folder, monkeypatch):
    whole = read_preferences(folder)
    monkeypatch.setattr(preferences, "MOST_PAIRS", 300)
    found = read_preferences(folder)
    assert 0 < found.events < found.events_kept == whole.events
    assert 0 < found.counts["failure"] <= found.failures < 300
    # pairs stay crossed both ways, so whatever is made of replies alone is right in half of them
    own = [one for one in found.gate.separability if (one.population, one.held_out) == ("crossed", "family")]
    assert own
    assert {(one.auc.value, one.right) for one in own} == {(0.5, 0.5)}


@given(st.dictionaries(st.text("abcdef0123456789", min_size=1, max_size=16), st.integers(1, 9_000)), st.randoms())
def test_what_is_sampled_depends_on_no_order_and_holds_few_enough_pairs(sizes: dict[str, int], chance: random.Random):
    once, again = Sample(), Sample()
    once.add(sizes)
    for event in chance.sample(sorted(sizes), len(sizes)):
        again.add({event: sizes[event]})
    assert once.events == again.events <= sizes.keys()
    assert once.met == again.met == len(sizes)
    assert sum(sizes[event] for event in once.events) <= MOST_PAIRS
    if sum(sizes.values()) <= MOST_PAIRS:
        assert once.events == sizes.keys()


def test_it_is_a_gate_for_what_models_wrote(folder):
    found = read_preferences(folder)
    assert (found.applied, found.failed) == (False, ())
    (first, *others) = found.gate.separability
    above = replace(found, gate=replace(found.gate, separability=(replace(first, passes=Ruling.NO), *others)))
    assert above.failed == ()
    applied = replace(above, applied=True)
    named = f"artifacts:{first.population}:{first.features}:{first.language or 'all'}"
    assert named in applied.failed
    audit = replace(audit_build(folder, with_pairs=False), artifact_gate=applied)
    assert audit.failed == applied.failed
    assert replace(audit, complete=False).failed == ()


def test_rows_without_a_pair_have_no_gate(tmp_path):
    built(tmp_path, {"p-en-r0001-b00000": [sealed(scenario("e1.up")), sealed(scenario("e2.up"), dropped=True)]})
    assert read_preferences(tmp_path) is None
    assert audit_build(tmp_path).artifact_gate is None
