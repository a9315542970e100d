from __future__ import annotations

from functools import cache
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from synth.building.admission import judged_round, set_path
from synth.building.close import SELECT, close_build
from synth.building.lines import open_recipe_suite
from synth.building.rounds import take_standing
from synth.building.running import run_build
from synth.building.settings import RunSettings
from synth.errors import DamagedError
from synth.filters.base import read_resources
from synth.planning.inventory import take_stock
from synth.planning.rounds import read_rounds
from synth.recipe import Recipe, open_shelves

RECIPE = Recipe.of(
    {
        "languages": ["en"],
        "families": ["file_lost_again"],
        "cross": ["language", "family", "felt_affect"],
        "quota": {"records": 180},
        "replies": {"alternative": False, "under": 1, "over": 0},
        "partition": 60,
        "tries": 2,
    }
)


class Built:
    """A finished build of several rounds, with what judging it needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.report = run_build(RECIPE, folder, settings=RunSettings(), recipe_folder=Path())
        self.inventory = take_stock(RECIPE, open_shelves(RECIPE, Path()))
        self.suite = open_recipe_suite(self.inventory)
        self.resources_of = cache(lambda language: read_resources(self.inventory.shelves, language))
        self.rounds = read_rounds(folder)

    def judged(self, number: int):
        """Give (partition, [(id, kept, reasons)]) of a round."""
        found = judged_round(self.folder, self.rounds, self.rounds[number], self.suite, self.resources_of)
        return [(p.name, [(j.scenario.scenario_id, j.kept, j.decision.reasons) for j in rows]) for p, rows in found]

    def standing(self, rounds, before=None):
        """Give where the build stands after some rounds."""
        return take_standing(self.folder, rounds, self.inventory, self.suite, self.resources_of, before)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return Built(tmp_path_factory.mktemp("admission") / "build")


def test_the_build_has_rounds_partitions_and_drops_to_judge(built):
    assert len(built.rounds) == 2
    assert len(built.rounds[0].partitions) > 1
    assert built.report.by_reason


def test_a_round_has_one_row_group_of_set_verdicts_for_each_partition(built):
    with pq.ParquetFile(set_path(built.folder, built.rounds, built.rounds[0], built.suite)) as file:
        assert file.num_row_groups == len(built.rounds[0].partitions)
        assert file.metadata.num_rows > 0


def test_the_sieves_say_the_same_when_their_verdicts_are_lost(built):
    files = [set_path(built.folder, built.rounds, made, built.suite) for made in built.rounds]
    before, kept = [built.judged(n) for n in range(2)], [file.read_bytes() for file in files]
    for file in files:
        file.unlink()
    assert [built.judged(n) for n in range(2)] == before
    assert [file.read_bytes() for file in files] == kept


def test_a_walk_that_is_left_keeps_no_verdicts(built, tmp_path):
    file = set_path(built.folder, built.rounds, built.rounds[1], built.suite)
    kept = file.read_bytes()
    file.unlink()
    walk = judged_round(built.folder, built.rounds, built.rounds[1], built.suite, built.resources_of)
    next(walk)
    walk.close()
    assert not file.exists()
    assert not list(file.parent.glob("*.tmp"))
    built.judged(1)
    assert file.read_bytes() == kept


def test_standing_goes_on_from_the_rounds_that_it_has_counted(built):
    whole = built.standing(built.rounds)
    first = built.standing(built.rounds[:1])
    assert first.rounds == 1
    assert first.missing
    assert built.standing(built.rounds, first) == whole
    assert whole.kept.total() == built.report.kept
    assert whole.attempted.total() == built.report.kept + built.report.dropped


def test_closing_again_writes_the_same_bytes(built):
    before = (built.folder / SELECT).read_bytes()
    closed = close_build(built.folder, built.rounds, built.suite, built.resources_of, complete=True, recipe=RECIPE)
    assert (closed.kept, closed.dropped) == (built.report.kept, built.report.dropped)
    assert (built.folder / SELECT).read_bytes() == before


def test_damaged_set_verdicts_are_named(built):
    file = set_path(built.folder, built.rounds, built.rounds[0], built.suite)
    kept = file.read_bytes()
    file.write_bytes(kept[: len(kept) // 2])
    with pytest.raises(DamagedError, match=r"set-0001\.parquet"):
        built.judged(0)
    file.write_bytes(kept)
    assert built.judged(0)
