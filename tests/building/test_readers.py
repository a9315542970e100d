"""What readers give of a build: the same rows whole and streamed, one partition at a time, and a word where there are none."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import synth
from synth.building.close import SELECT
from synth.building.joined import splits_of
from synth.errors import DamagedError, StorageError, UsageError
from synth.records.arrow import rows_of, table_of
from synth.records.labels import Split
from synth.records.parts import commits
from synth.records.schema import Selection
from synth.records.slices import open_slices, write_slices

RECIPE = {
    "languages": ["en", "ja"],
    "families": ["burial_day_taken_back", "file_lost_again", "two_crowds_one_square"],
    "quota": {"records": 36},
    "partition": 9,
    "splits": {"validation": ["two_crowds_one_square"], "test": ["file_lost_again"]},
}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A build of several partitions and all three splits; tests only read it."""
    folder = tmp_path_factory.mktemp("readers") / "build"
    return synth.build(RECIPE, folder)


@pytest.fixture
def copy(built, tmp_path):
    return synth.load(shutil.copytree(built.folder, tmp_path / "copy"))


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))


def decide(build, change):
    """Write select.parquet anew, every row changed."""
    with open_slices(build.folder / SELECT, Selection) as slices:
        rows = {name: rows_of(slices.read(name), Selection) for name in slices.partitions}
    tables = ((name, table_of([change(row) for row in own], Selection)) for name, own in rows.items())
    write_slices(build.folder / SELECT, tables, Selection)


def forget(build, forgotten):
    """Write select.parquet anew without a partition, as if its run had been killed before it closed."""
    with open_slices(build.folder / SELECT, Selection) as slices:
        tables = {name: slices.read(name) for name in slices.partitions if name != forgotten}
    write_slices(build.folder / SELECT, tables.items(), Selection)


@pytest.mark.parametrize("name", ["scenarios", "replies"])
@pytest.mark.parametrize("kept", [True, False])
def test_streamed_rows_and_types_are_those_in_memory(built, name, kept):
    whole, streamed = built.dataset(name, kept=kept), built.dataset(name, kept=kept, streaming=True)
    assert list(streamed) == list(whole) == ["train", "validation", "test"]
    for split, rows in whole.items():
        assert streamed[split].features == rows.features
        assert (str(streamed[split].split), str(rows.split)) == (split, split)
        assert list(streamed[split]) == list(rows)
        assert set(rows["split"]) == {split}
    assert sum(rows.num_rows for rows in whole.values()) == built.table(name, kept=kept).num_rows > 0


def test_streamed_columns_are_typed_where_every_value_is_null(built):
    features = built.dataset(streaming=True)["train"].features
    assert features["recoverability"].dtype == "float64"
    assert features["gold_affect"].dtype == "string"
    assert features["is_kept"].dtype == "bool"


def test_a_loader_shares_out_the_partitions_of_a_split(built):
    streamed = built.dataset("replies", streaming=True)
    places = splits_of(built.folder, "replies", kept=True)
    assert {split: rows.num_shards for split, rows in streamed.items()} == {s: len(own) for s, own in places.items()}
    train = streamed["train"]
    assert train.num_shards > 1
    shared = [row for n in range(train.num_shards) for row in train.shard(train.num_shards, n)]
    assert shared == list(train)
    assert list(pickle.loads(pickle.dumps(train))) == shared


def test_records_tables_and_the_old_join_agree(built):
    decided = built.selections()
    kept = [record for record in built.records() if record.scenario.language == "ja"]
    assert kept == list(built.records(language="ja"))
    assert all(decided[one.scenario.scenario_id] == one.selection and one.selection.kept for one in kept)
    everything = list(built.records(kept=False))
    assert len(everything) == built.table("scenarios", kept=False).num_rows
    assert sum(len(one.replies) for one in everything) == built.table("replies", kept=False).num_rows
    assert len(everything) + sum(len(one.replies) for one in everything) == len(decided)


def given_before_the_error(rows):
    """Give what an iterator gives before it meets the damage."""
    seen = []

    def walk():
        for row in rows:
            seen.append(row)  # noqa: PERF402 - what came before the error counts

    with pytest.raises(DamagedError, match="by partition"):
        walk()
    return seen


def test_a_reader_holds_one_partition_of_select(copy):
    """The ids of the last partition are damaged: every reader gives all rows before it comes to them."""
    path = copy.folder / SELECT
    last = copy.partitions()[-1]
    with open_slices(path, Selection) as slices:
        place = slices.partitions.index(last)
    with pq.ParquetFile(path) as file:
        assert file.num_row_groups == len(copy.partitions()) > 3
        column = file.metadata.row_group(place).column(0)
    data = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    data[start + column.total_compressed_size - 1] ^= 1
    path.write_bytes(data)
    rows = {commit.partition: commit.files["scenarios"].rows for commit in commits(copy.folder)}
    seen = given_before_the_error(copy.records(kept=False))
    assert len(seen) == sum(rows.values()) - rows[last] > 0
    assert list(copy.records(kept=False, language="en"))
    streamed = copy.dataset(kept=False, streaming=True)
    damaged = {split for split, own in splits_of(copy.folder, "scenarios", kept=False).items() if last in own}
    assert damaged
    for split in damaged:
        before = [one.scenario.scenario_id for one in seen if one.scenario.split == split]
        assert [row["scenario_id"] for row in given_before_the_error(streamed[split])] == before


def test_what_is_not_decided_yet_is_seen_by_no_reader(copy, built):
    forgotten = built.partitions()[0]
    forget(copy, forgotten)
    assert copy.partitions() == built.partitions()
    known = len(list(built.records(kept=False)))
    left = known - pq.read_metadata(built.folder / "parts" / forgotten / "scenarios.parquet").num_rows
    assert 0 < left < known
    assert len(list(copy.records(kept=False))) == left
    assert copy.table("scenarios", kept=False).num_rows == left
    for streaming in (False, True):
        found = copy.dataset(kept=False, streaming=streaming)
        assert sum(len(list(rows)) for rows in found.values()) == left


def test_a_build_that_keeps_nothing_says_what_was_dropped_and_why(copy):
    def drop(row):
        why = ("duplicates:near:x",) if row.split == Split.TRAIN else ("language:other",)
        return replace(row, kept=False, reasons=why if row.kind == "scenario" else ("scenario",))

    decide(copy, drop)
    counts = copy.table("scenarios", kept=False).column("split").to_pylist()
    train, all_of_them = counts.count("train"), len(counts)
    for streaming in (False, True):
        for name in ("scenarios", "replies"):
            with pytest.raises(UsageError) as fault:
                copy.dataset(name, streaming=streaming)
            told = str(fault.value)
            assert f"keeps no {name}: {all_of_them} scenarios are dropped" in told
            assert f"duplicates:near ({train})" in told
            assert f"language:other ({all_of_them - train})" in told
            assert f"dataset('{name}', kept=False)" in told
    assert copy.table("replies").num_rows == 0
    assert list(copy.dataset(kept=False)) == ["train", "validation", "test"]


def test_a_split_without_kept_rows_is_left_out(copy):
    decide(copy, lambda row: replace(row, kept=row.kept and row.split != Split.VALIDATION))
    for streaming in (False, True):
        assert list(copy.dataset(streaming=streaming)) == ["train", "test"]
        assert list(copy.dataset("replies", streaming=streaming)) == ["train", "test"]


def test_a_build_with_nothing_decided_says_so(copy):
    write_slices(copy.folder / SELECT, [], Selection)
    with pytest.raises(UsageError, match="holds no scenarios yet"):
        copy.dataset(kept=False)
    assert copy.table("scenarios").num_rows == 0
    (copy.folder / SELECT).unlink()
    for read in (copy.dataset, lambda: copy.table("scenarios"), lambda: next(copy.records())):
        with pytest.raises(StorageError, match=r"select\.parquet is missing\n  synth close"):
            read()


def test_decisions_about_other_rows_are_refused(copy):
    decide(copy, lambda row: replace(row, target_id=f"other-{row.target_id}"))
    streamed = copy.dataset(streaming=True)["train"]
    for read in (
        lambda: next(copy.records()),
        lambda: copy.table("replies"),
        copy.dataset,
        lambda: next(iter(streamed)),
    ):
        with pytest.raises(DamagedError, match=r"it is not of these parts\n.*synth close"):
            read()


def test_a_relative_build_is_streamed_from_elsewhere(copy, monkeypatch, tmp_path):
    monkeypatch.chdir(copy.folder.parent)
    streamed = synth.load(copy.folder.name).dataset(streaming=True)["test"]
    monkeypatch.chdir(tmp_path.parent)
    assert len(list(streamed)) > 0


def test_an_unknown_table_is_refused(built):
    for read in (built.dataset, built.table, lambda name: built.dataset(name, streaming=True)):
        with pytest.raises(UsageError, match="did you mean 'replies'"):
            read("reply")


def test_a_reply_keeps_its_own_column_beside_the_decision(built):
    table = built.table("replies", kept=False)
    assert table.column_names.count("kept") == table.column_names.count("is_kept") == 1
    assert pc.sum(table.column("is_kept")).as_py() == built.table("replies").num_rows


def test_a_folder_without_a_build_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no build"):
        synth.load(Path(tmp_path))
