"""Claims and their decoys: two questions, of which neither gives the other away."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.content.definitions import read_definitions
from synth.content.shelves import Shelves
from synth.gold import SIGHTED
from synth.programs.verify import FIELDS, SHARES, Truth, claims_of, decoy_of
from synth.records.labels import Cue, Emotion, Goal, PowerForm

DEFINED = read_definitions(Shelves())
LABELS = {"goal": list(map(str, Goal)), "emotion": list(map(str, Emotion)), "power_form": list(map(str, PowerForm))}
CUES = list(map(str, Cue))


@st.composite
def truths(draw):
    """Give what may be true of a scene: the three fields, and cues of which two may share their words."""
    found = []
    for field, labels in LABELS.items():
        value = draw(st.sampled_from(labels))
        also = draw(st.sets(st.sampled_from(labels), max_size=2 if field != "power_form" else 0))
        found.append(Truth(field, value, frozenset({value, *also})))
    for kind, start in draw(st.sets(st.tuples(st.sampled_from(CUES), st.integers(0, 3)), max_size=6)):
        found.append(Truth("cue", kind, frozenset({kind}), f"words at {start}", start))
    same = {start: {one.value for one in found if one.start == start} for start in range(4)}
    return [
        one if one.field != "cue" else Truth("cue", one.value, frozenset(same[one.start]), one.quote, one.start)
        for one in found
    ]


ids = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20).map("{}.up".format)


@given(ids, truths())
def test_halves_are_complementary_and_hold_no_two_claims_of_a_field(scenario_id, held):
    halves = claims_of(scenario_id, held, DEFINED)
    assert len(halves[0]) == len(halves[1]) == len(held)
    for half in halves:
        fields = Counter(claim.field for claim in half)
        assert all(fields[field] == 1 for field in LABELS)
        assert Counter((claim.start, claim.quote) for claim in half if claim.field == "cue") == Counter(
            (truth.start, truth.quote) for truth in held if truth.field == "cue"
        )
    # some of either half is true, so that who says one thing to all is seen
    true = {(truth.field, truth.start, truth.value) for truth in held}
    assert all(any((claim.field, claim.start, claim.value) in true for claim in half) for half in halves)
    # each field is true in one and a decoy in the other
    for truth in held[:3]:
        said = [claim.value for half in halves for claim in half if claim.field == truth.field]
        assert sorted(value in truth.accepted for value in said) == [False, True]
        assert truth.value in said
    assert claims_of(scenario_id, held, DEFINED) == halves


@given(ids, truths())
def test_a_decoy_is_never_a_label_that_would_be_accepted(scenario_id, held):
    for truth in held:
        decoy = decoy_of(scenario_id, truth, DEFINED)
        known = getattr(DEFINED, FIELDS[truth.field])
        assert decoy in known
        assert decoy not in truth.accepted
        near = set(known[truth.value].near) - truth.accepted
        assert decoy in near or not near


def test_where_a_claim_is_true_and_where_it_stands_is_balanced_over_scenes():
    held = [Truth(field, labels[0], frozenset({labels[0]})) for field, labels in LABELS.items()]
    held += [Truth("cue", CUES[n], frozenset({CUES[n]}), f"words {n}", n * 9) for n in range(2)]
    first, places, together = Counter(), Counter(), Counter()
    n = 2_000
    for number in range(n):
        halves = claims_of(f"{number:016x}.up", held, DEFINED)
        true = {(truth.field, truth.start): truth.value for truth in held}
        told = {(claim.field, claim.start): claim.value == true[claim.field, claim.start] for claim in halves[0]}
        first.update(key for key, is_true in told.items() if is_true)
        places.update((claim.field, place) for place, claim in enumerate(halves[0]))
        together[told["goal", -1], told["emotion", -1]] += 1
    # 4 standard errors of a half are .045, of a fifth .036
    assert all(abs(first[truth.field, truth.start] / n - 0.5) < 0.045 for truth in held)
    assert all(abs(places["goal", place] / n - 0.2) < 0.036 for place in range(5))
    # one claim's truth says nothing about another's
    assert all(abs(count / n - 0.25) < 0.039 for count in together.values())
    assert len(together) == 4


def test_every_label_has_a_decoy_whatever_else_is_accepted():
    for field, labels in LABELS.items():
        for value in labels:
            near = getattr(DEFINED, FIELDS[field])[value].near
            for accepted in (frozenset({value}), frozenset({value, *near})):
                assert decoy_of("x", Truth(field, value, accepted), DEFINED) not in accepted


def test_shares_are_what_gold_reads():
    assert list(SHARES) == ["clearly", "plausibly", "hardly", "no"]
    assert list(SHARES.values()) == sorted(SHARES.values(), reverse=True)
    assert SIGHTED == "sighted"


@pytest.mark.parametrize("field", FIELDS)
def test_what_is_claimed_is_defined_in_the_prompt(field):
    assert len(DEFINED.said(FIELDS[field])) == len(getattr(DEFINED, FIELDS[field]))
