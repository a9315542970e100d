"""What a plan promises: balance, independence, and that a change moves only its share."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.content.shelves import Shelves
from synth.errors import RecipeError
from synth.planning.casting import Slot, cast, draw_names
from synth.planning.coverage import measure, plan_slots
from synth.planning.events import make_events
from synth.planning.rounds import blocks, every_form, read_rounds, read_slots, stock_of, write_round
from synth.planning.strata import allocate, records_of
from synth.records.labels import Stance
from synth.statistics import cramers_v


def slots_of(inventory, strata, ordinals):
    return [Slot(n, o, 0, every_form(inventory, s)) for o in range(ordinals) for n, s in enumerate(strata)]


@pytest.fixture(scope="module")
def wide(stock):
    """About 20,000 events whose every factor but the language is drawn, and their names."""
    inventory, strata = stock(cross=["language"])
    made = cast(inventory, strata, slots_of(inventory, strata, 10_000))
    return inventory, strata, made, draw_names(inventory, made)


@pytest.fixture(scope="module")
def events(stock):
    inventory, strata = stock()
    return inventory, make_events(inventory, strata, slots_of(inventory, strata, 8))


def test_feeling_is_independent_of_identity(wide):
    _, _, made, _ = wide
    assert len(made.keys) == 20_000
    for felt, identity in itertools.product(
        ("emotion", "felt_affect", "explicitness"), ("profile", "gender.S", "gender.A")
    ):
        spoken = made["language"] == "en" if identity == "profile" else np.ones(len(made.keys), dtype=bool)
        rows, row = np.unique(made[felt][spoken].astype(str), return_inverse=True)
        columns, column = np.unique(made[identity][spoken].astype(str), return_inverse=True)
        table = np.zeros((len(rows), len(columns)))
        np.add.at(table, (row, column), 1)
        assert cramers_v(table) < 0.05, (felt, identity)


def test_a_fifth_of_the_conversations_crosses_profiles(wide):
    _, _, made, _ = wide
    for language in ("en", "es"):
        spoken = made["language"] == language
        assert abs((made["dyad"][spoken] == "cross").mean() - 0.2) < 0.012
        assert (made["other"][spoken] != made["profile"][spoken]).mean() == (made["dyad"][spoken] == "cross").mean()


def test_no_two_people_of_an_event_share_a_given_name(wide):
    _, _, made, names = wide
    for row in range(len(made.keys)):
        given = [names[pid][row][0] for pid in ("S", "A", "X")]
        assert len(set(given)) == 3


def test_a_profile_that_is_added_moves_only_what_it_wins(stock, tmp_path):
    target = tmp_path / "own/personas/cultures/en-IE-cork.yaml"
    target.parent.mkdir(parents=True)
    dublin = Shelves().file("personas/cultures/en-IE-dublin.yaml").text()
    target.write_text(dublin.replace("en-IE-dublin", "en-IE-cork"), encoding="utf-8")
    old, strata = stock(languages=["en"])
    new, same = stock(tmp_path, languages=["en"], overlays=["own"])
    assert [s.key for s in same] == [s.key for s in strata]
    slots = slots_of(old, strata, -(-3000 // len(strata)))
    before, after = cast(old, strata, slots), cast(new, strata, slots)
    assert len(slots) >= 3000
    won = (after["profile"] == "en-IE-cork") | (after["other"] == "en-IE-cork")
    for name in before.columns:
        assert (before[name][~won] == after[name][~won]).all(), name
    # one profile of four, and one of three others in a fifth of the rest
    assert abs(won.mean() - (0.25 + 0.75 * 0.2 / 3)) < 0.03
    for name in ("family", "felt_affect", "emotion", "explicitness", "gender.S", "gender.A", "gender.X"):
        assert (before[name] == after[name]).all(), name
    names = draw_names(old, before), draw_names(new, after)
    for pid in ("S", "A", "X"):
        assert all(w or a == b for w, a, b in zip(won, names[0][pid], names[1][pid], strict=True))


@given(one=st.integers(1, 4000), more=st.integers(0, 4000))
def test_allocation_is_monotone_and_meets_the_quota_within_one_event(stock, one, more):
    inventory, strata = stock()
    sizes = [records_of(inventory, stratum) for stratum in strata]
    small, large = allocate(inventory, strata, one), allocate(inventory, strata, one + more)
    assert all(a <= b for a, b in zip(small, large, strict=True))
    records = sum(n * size for n, size in zip(small, sizes, strict=True))
    assert one <= records < one + max(sizes)
    assert max(small) - min(small) <= 1


@given(sizes=st.lists(st.integers(1, 15), max_size=60), records=st.integers(3, 40))
def test_blocks_split_no_event_and_lose_none(sizes, records):
    slots = [Slot(n, 0, 0, forms) for n, forms in enumerate(sizes)]
    made = list(blocks(slots, records))
    assert [slot for block in made for slot in block] == slots
    for block in made:
        assert sum(slot.forms.bit_count() for slot in block) <= records or len(block) == 1
    for left, right in itertools.pairwise(made):
        assert sum(slot.forms.bit_count() for slot in left) + right[0].forms.bit_count() > records


def test_a_plan_on_disk_is_small_and_reads_back(stock, tmp_path):
    inventory, strata = stock(quota={"records": 9000})
    wanted = allocate(inventory, strata, 9000)
    slots = list(plan_slots(inventory, strata))
    by_language = {
        language: [slot for slot in slots if strata[slot.stratum].get("language") == language]
        for language in ("en", "es")
    }
    counts = {stratum.key: n for stratum, n in zip(strata, wanted, strict=True)}
    made = write_round(tmp_path, 1, inventory, strata, counts, by_language)
    size = sum(path.stat().st_size for path in (tmp_path / "plan").iterdir())
    assert sum(planned.records for planned in made.partitions) >= 9000
    assert size / 9000 < 100
    assert read_rounds(tmp_path) == [made]
    read = [slot for planned in made.partitions for slot in read_slots(tmp_path, 1, planned.row_group)]
    assert read == by_language["en"] + by_language["es"]
    assert stock_of(inventory.recipe, inventory.shelves, made).pins() == made.content


def test_families_are_held_out_whole_in_every_language(stock):
    inventory, strata = stock(splits={"validation": ["laughing_it_off"], "test": ["file_lost_again"]})
    found = {}
    for event in make_events(inventory, strata, slots_of(inventory, strata, 2)):
        found.setdefault(event.family, set()).update({event.split, *(cell.split for cell in event.cells)})
    assert found.pop("laughing_it_off") == {"validation"}
    assert found.pop("file_lost_again") == {"test"}
    assert set().union(*found.values()) == {"train"}


def test_felt_and_shown_are_as_the_scenario_says(events):
    inventory, made = events
    for event in made:
        family = inventory.families[event.family]
        level = family.emotion.levels[event.level]
        assert event.emotion in {one.label for one in family.emotions_at(event.level)}
        assert (event.level == "masked") == (event.explicitness == "masked")
        for cell in event.cells:
            assert (cell.felt, cell.shown, cell.regulation) == (level.felt, level.shown, level.regulation)
            assert cell.goal == family.goal_at(event.level)
            assert cell.emotion not in cell.emotion_also


def test_a_cell_names_the_profiles_of_its_people_and_no_other(events):
    inventory, made = events
    crossed = Counter()
    for event in made:
        for cell in event.cells:
            assert set(cell.profile_ids) == {person.profile_id for person in cell.people}
            assert len({person.given for person in cell.people}) == len(cell.people)
        crossed[inventory.families[event.family].stance] += len(event.cells[0].profile_ids) == 2
    # also where somebody writes on the speaker's behalf
    assert all(crossed[stance] for stance in (Stance.IN_RELATION, Stance.CONFIDANT, Stance.ON_BEHALF))


def test_keys_and_ids_are_unique_and_the_same_again(events, stock):
    _inventory, made = events
    ids = [cell.scenario_id for event in made for cell in event.cells]
    assert len(set(ids)) == len(ids)
    again, strata = stock()
    assert make_events(again, strata, slots_of(again, strata, 8)) == made
    alone = make_events(again, strata, [slots_of(again, strata, 8)[-1]])
    assert alone == made[-1:]


def test_at_most_a_hundred_thousand_strata(stock, monkeypatch):
    monkeypatch.setattr("synth.planning.strata.MOST_STRATA", 50)
    with pytest.raises(RecipeError, match="makes 192 strata, more than 50"):
        stock()


@pytest.mark.parametrize(
    "cross",
    [
        ["language"],
        ["language", "power_form"],
        ["language", "felt_affect"],
        ["language", "explicitness"],
        ["language", "profile"],
        ["language", "family", "explicitness"],
        ["language", "felt_affect", "explicitness", "profile"],
        ["language", "family", "felt_affect", "power_form", "profile", "explicitness"],
    ],
)
@pytest.mark.parametrize("forms", [["up", "level", "down", "split"], ["up"]])
def test_every_crossing_makes_events_that_are_what_their_stratum_says(stock, cross, forms):
    inventory, strata = stock(cross=cross, forms=forms)
    made = make_events(inventory, strata, slots_of(inventory, strata, 40 if len(strata) < 40 else 3))
    slots = slots_of(inventory, strata, 40 if len(strata) < 40 else 3)
    for slot, event in zip(slots, made, strict=True):
        fixed = dict(strata[slot.stratum].factors)
        drawn = {
            "language": event.language,
            "family": event.family,
            "felt_affect": event.level,
            "explicitness": str(event.explicitness),
            "profile": event.cells[0].profile_ids[0],
        }
        assert {name: drawn[name] for name in fixed} == fixed
        assert event.cells
        assert {cell.form for cell in event.cells} <= set(forms)
        assert (event.level == "masked") == (event.explicitness == "masked")


def test_coverage_counts_what_is_planned(stock):
    inventory, strata = stock(quota={"records": 600})
    coverage = measure(inventory)
    assert 600 <= coverage.records < 604
    assert coverage.strata == len(strata)
    assert sum(coverage.counts["language"].values()) == sum(coverage.counts["power_form"].values()) == coverage.records
    assert coverage.smallest_stratum > 0
