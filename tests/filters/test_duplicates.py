"""The ordered admission of first turns."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth.errors import DamagedError
from synth.filters.duplicates import Buckets, DuplicateParameters, Duplicates, compared_text, kin_of
from synth.filters.minhash import BANDS, PERMUTATIONS, band_keys, minima, normalise, shingle_hashes, similarity

PARAMETERS = DuplicateParameters()


def sentence(seed, words=40):
    pick = random.Random(seed)
    return " ".join("".join(pick.choice("abcdefghijklmnop") for _ in range(5)) for _ in range(words))


def edited(text, share, seed=0):
    pick = random.Random(seed)
    return " ".join(sentence(pick.random(), 1) if pick.random() < share else word for word in text.split())


def verdicts_of(sieve, candidates):
    return [(v.target_id, v.action, v.reason, v.score) for v in sieve.admit(candidates)]


@given(st.text(max_size=80))
def test_normalising_again_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("प्यार से!", "प्यारसे"),
        ("ﬁne — Straße", "finestrasse"),
        ("ｶﾞ 〜", "ガ"),
        ("a\u200db\ufeff", "ab"),
        ("ขอโทษนะ", "ขอโทษนะ"),
        ("…", ""),
    ],
)
def test_marks_stay_and_the_rest_goes(text, plain):
    assert normalise(text) == plain


def test_the_stored_format_is_what_version_1_was():
    signature = minima("the file is lost again", 5)
    assert signature.dtype == np.uint32
    assert signature[:3].tolist() == FIRST_MINIMA
    assert band_keys(signature)[:2].tolist() == FIRST_KEYS
    assert shingle_hashes("abcde", 5).tolist() == FIRST_HASH


FIRST_MINIMA = [36296489, 175913509, 451042075]
FIRST_KEYS = [13033892478114714578, 12308561507628583591]
FIRST_HASH = [2208340919]


@given(st.text(min_size=1, max_size=40), st.integers(1, 6))
def test_there_is_a_shingle_for_every_position_and_one_for_a_short_text(text, length):
    hashes = shingle_hashes(text, length)
    assert len(hashes) == max(1, len(text) - length + 1)
    assert minima(text, length).shape == (PERMUTATIONS,)
    assert len(band_keys(minima(text, length))) == BANDS


def test_the_estimate_is_the_jaccard_similarity_within_its_error():
    errors = []
    for seed in range(120):
        one, two = normalise(sentence(seed)), normalise(edited(sentence(seed), seed / 240, seed))
        sets = [{text[i : i + 5] for i in range(len(text) - 4)} for text in (one, two)]
        true = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
        errors.append(similarity(minima(one, 5), minima(two, 5)[None])[0] - true)
    assert abs(np.mean(errors)) < 0.02
    assert np.sqrt(np.mean(np.square(errors))) < 0.05


@pytest.mark.parametrize(("share", "least", "most"), [(0.02, 1, 1), (0.5, 0, 0)])
def test_edited_copies_of_other_events_are_found(make, resources_of, share, least, most):
    sieve = Duplicates(PARAMETERS, resources_of)
    texts = [sentence(seed) for seed in range(60)]
    assert sieve.admit([make.candidate(text, event=f"{i:016x}") for i, text in enumerate(texts)]) == []
    copies = [make.candidate(edited(text, share, i), event=f"{1000 + i:016x}") for i, text in enumerate(texts)]
    found = sieve.admit(copies)
    assert least <= len(found) / len(copies) <= most
    assert all(v.reason.partition(":")[2] == f"{int(v.target_id[:16], 16) - 1000:016x}.up" for v in found)


def rows(make, picks):
    """Give candidates from (text number, edit, event number): few texts and events, so that they meet."""
    made = []
    for i, (text, edit, event) in enumerate(picks):
        body = edited(sentence(text, 20), edit / 20, edit)
        made.append(make.candidate(body, event=f"{event:016x}", form=f"f{i}"))
    return made


PICKS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 6)), max_size=24)


@settings(deadline=None)
@given(PICKS)
def test_siblings_never_drop_each_other(make, resources_of, picks):
    assert Duplicates(PARAMETERS, resources_of).admit(rows(make, [(text, edit, 5) for text, edit, _ in picks])) == []


@settings(deadline=None)
@given(PICKS, PICKS, st.randoms(use_true_random=False))
def test_later_rows_move_no_earlier_verdict(make, resources_of, early, late, shuffler):
    first = rows(make, early)
    after = rows(make, late)
    alone = verdicts_of(Duplicates(PARAMETERS, resources_of), first)
    shuffler.shuffle(after)
    together = verdicts_of(Duplicates(PARAMETERS, resources_of), [*first, *after])
    assert together[: len(alone)] == alone


@settings(deadline=None)
@given(PICKS, st.integers(1, 7), st.integers(1, 3))
def test_chunks_with_stored_state_are_as_one_go(make, resources_of, picks, size, cap):
    parameters = DuplicateParameters(bucket_cap=cap)
    candidates = rows(make, picks)
    whole = Duplicates(parameters, resources_of)
    expected = verdicts_of(whole, candidates)
    found, stored = [], []
    for start in range(0, len(candidates), size):
        sieve = Duplicates(parameters, resources_of)
        sieve.load_state(stored)
        found += verdicts_of(sieve, candidates[start : start + size])
        stored.append(sieve.state_table())
    assert found == expected
    kept = pa.concat_tables(stored) if stored else Duplicates(parameters, resources_of).state_table()
    assert kept.equals(whole.state_table())


def test_the_order_of_admission_fixes_which_row_stays(make, resources_of):
    one, two = make.candidate(sentence(1), event="a" * 16), make.candidate(sentence(1), event="b" * 16)
    for order in ([one, two], [two, one]):
        (verdict,) = Duplicates(PARAMETERS, resources_of).admit(order)
        assert verdict.target_id == order[1].scenario.scenario_id


def test_a_dropped_row_drops_no_other(make, resources_of):
    texts = [sentence(1), edited(sentence(1), 0.12, 3), edited(edited(sentence(1), 0.12, 3), 0.12, 4)]
    scores = [
        similarity(minima(normalise(texts[a]), 5), minima(normalise(texts[b]), 5)[None])[0]
        for a, b in ((0, 1), (1, 2), (0, 2))
    ]
    threshold = (min(scores[:2]) + scores[2]) / 2
    assert scores[2] < threshold < min(scores[:2])
    sieve = Duplicates(DuplicateParameters(threshold=threshold), resources_of)
    found = sieve.admit([make.candidate(text, event=f"{i:016x}") for i, text in enumerate(texts)])
    assert [v.target_id[:16] for v in found] == [f"{1:016x}"]


def test_exact_only_leaves_near_ones_and_stores_no_minima(make, resources_of):
    sieve = Duplicates(DuplicateParameters(exact_only=True), resources_of)
    texts = [sentence(1), edited(sentence(1), 0.02, 1), sentence(1).upper()]
    found = sieve.admit([make.candidate(text, event=f"{i:016x}") for i, text in enumerate(texts)])
    assert [v.reason for v in found] == [f"same_text_as:{0:016x}.up"]
    assert sieve.state_table()["minima"].null_count == 2


def test_full_buckets_are_reported(make, resources_of):
    sieve = Duplicates(DuplicateParameters(bucket_cap=2), resources_of)
    forms = [make.candidate(sentence(1), event="a" * 16, form=f"f{i}") for i in range(4)]
    found = sieve.admit(forms)
    assert [(v.target_id[17:], v.reason, v.score) for v in found] == [
        ("f2", "buckets_full", 32.0),
        ("f3", "buckets_full", 32.0),
    ]


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(1, 9), st.integers(1, 4))
def test_buckets_hold_the_first_rows_however_they_are_stored(keys, recent, cap):
    settled, plain = Buckets(cap, recent), Buckets(cap, 10_000)
    for row, key in enumerate(keys):
        both = np.array([key, key + 100], np.uint64)
        counts = []
        for buckets in (settled, plain):
            found, full = buckets.find(both)
            earlier = [r for r, k in enumerate(keys[:row]) if k == key]
            assert found == set(earlier[:cap])
            counts.append((full, buckets.enter(both, row, full)))
        assert counts[0] == counts[1]


def test_the_state_of_another_format_is_refused(make, resources_of):
    sieve = Duplicates(PARAMETERS, resources_of)
    sieve.admit([make.candidate(sentence(1))])
    table = sieve.state_table()
    assert table.num_rows == 1
    assert sieve.state_table().num_rows == 0
    with pytest.raises(DamagedError, match="version unknown, not 1"):
        sieve.load_state([table.replace_schema_metadata(None)])
    with pytest.raises(DamagedError):
        sieve.load_state([table.drop_columns(["kin"])])


def test_what_is_compared_and_who_is_kin(make):
    assert compared_text(make.scenario("Rewrite this.", source_text="The letter.")) == "Rewrite this.\nThe letter."
    assert (
        compared_text(make.scenario("Rewrite this: The letter.", source_text="The letter."))
        == "Rewrite this: The letter."
    )
    assert compared_text(make.scenario()) == ""
    assert kin_of(make.scenario("x", event="a" * 16)) == "a" * 16
    assert kin_of(make.scenario("x", event="b" * 16, derived_from="a" * 16 + ".up")) == "a" * 16
