"""A file of slices gives each partition its own rows back, reads no others, and says where it is damaged."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.errors import DamagedError, StorageError
from synth.records.arrow import rows_of, table_of
from synth.records.labels import Split
from synth.records.parquet import read_sidecar, write_sidecar
from synth.records.schema import Selection, Verdict
from synth.records.slices import open_slices, write_slices


def selection(name, kept=True):
    return Selection(name, "scenario", kept, "main", Split.TRAIN, None, None, None, None, None, None, ())


def written(path, sizes):
    """Write so many rows of each partition; give them."""
    rows = {f"p-{n}": [selection(f"{n}.{row}") for row in range(size)] for n, size in enumerate(sizes)}
    write_slices(path, ((name, table_of(own, Selection)) for name, own in rows.items()), Selection)
    return rows


@given(sizes=st.lists(st.integers(0, 5), max_size=8))
def test_every_partition_reads_back_and_the_whole_is_their_sum(tmp_path_factory, sizes):
    path = tmp_path_factory.mktemp("slices") / "select.parquet"
    rows = written(path, sizes)
    with open_slices(path, Selection) as slices:
        assert slices.partitions == tuple(rows)
        assert {name: rows_of(slices.read(name), Selection) for name in reversed(rows)} == rows
    assert rows_of(read_sidecar(path, Selection), Selection) == [row for own in rows.values() for row in own]


def test_a_partition_of_several_row_groups_is_one_slice(tmp_path):
    rows = written(tmp_path / "select.parquet", [2, 8193, 0, 3])
    with pq.ParquetFile(tmp_path / "select.parquet") as file:
        assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [2, 8192, 1, 3]
        assert json.loads(file.metadata.metadata[b"partitions"]) == [["p-0", 2], ["p-1", 8193], ["p-2", 0], ["p-3", 3]]
    with open_slices(tmp_path / "select.parquet", Selection) as slices:
        assert {name: rows_of(slices.read(name), Selection) for name in rows} == rows
        columns = slices.read("p-3", ["kept", "target_id"])
    assert columns.to_pydict() == {"target_id": ["3.0", "3.1", "3.2"], "kept": [True, True, True]}


def test_the_same_rows_give_the_same_bytes(tmp_path):
    written(tmp_path / "a.parquet", [3, 1])
    written(tmp_path / "b.parquet", [3, 1])
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_damaged_partition_spoils_no_other(tmp_path):
    path = tmp_path / "select.parquet"
    rows = written(path, [4, 4])
    with pq.ParquetFile(path) as file:
        column = file.metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    data[column.data_page_offset + column.total_compressed_size - 40] ^= 1
    data[(column.dictionary_page_offset or column.data_page_offset) + column.total_compressed_size - 1] ^= 1
    path.write_bytes(data)
    with open_slices(path, Selection) as slices:
        assert rows_of(slices.read("p-0"), Selection) == rows["p-0"]
        with pytest.raises(DamagedError, match="synth close"):
            slices.read("p-1")


def test_a_file_that_is_no_file_of_slices_is_refused(tmp_path):
    path = tmp_path / "select.parquet"
    with pytest.raises(StorageError, match="ENOENT"), open_slices(path, Selection):
        pass
    write_sidecar(path, table_of([selection("a")], Selection))
    with pytest.raises(DamagedError, match="which rows are of which partition"), open_slices(path, Selection):
        pass
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DamagedError, match="cannot be read by partition"), open_slices(path, Selection):
        pass


@pytest.mark.parametrize(
    "runs",
    [[["a", 1]], [["a", 3]], [["a", 1], ["a", 1]], [["a", 2], ["b", 1]], [], [["a"]], {"a": 2}, 2, [["a", None]]],
)
def test_a_footer_that_contradicts_its_row_groups_is_refused(tmp_path, runs):
    path = tmp_path / "select.parquet"
    table = table_of([selection("a"), selection("b")], Selection)
    with pq.ParquetWriter(path, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"partitions": json.dumps(runs)})
    with pytest.raises(DamagedError, match="by partition"), open_slices(path, Selection):
        pass


def test_rows_of_another_schema_are_refused(tmp_path):
    path = tmp_path / "select.parquet"
    written(path, [1])
    with open_slices(path, Verdict) as slices, pytest.raises(StorageError):
        slices.read("p-0")
