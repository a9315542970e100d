"""An answer is found wherever in the build it stands, and paid for once."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.errors import StorageError
from synth.models import ledger_index
from synth.models.base import Pending
from synth.models.ledger import Go, Hit, Ledger, statistics
from synth.models.ledger_index import KeyIndex
from synth.models.ledger_shard import is_open

ONE, TWO = "p-en-r0001-b00000", "p-en-r0001-b00001"

heads = st.integers(0, 40).map(lambda number: number.to_bytes(8, "big"))
keys = st.tuples(heads, st.binary(min_size=8, max_size=8)).map(b"".join)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.lists(keys, max_size=8)), max_size=12))
def test_the_index_names_the_shard_of_every_key_whatever_was_merged(noted):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger_index, "_LOOSE", 3)
        patch.setattr(ledger_index, "_LARGEST", 12)
        index = KeyIndex()
        known = {}
        for name, some in noted:
            index.add(name, some)
            known.update((key[:8], name) for key in some)
        for number in range(42):
            head = number.to_bytes(8, "big")
            found = index.may_hold(head + bytes(8))
            assert bool(found) == (head in known)
            assert head not in known or known[head] in found


def test_a_key_takes_twelve_bytes(monkeypatch):
    monkeypatch.setattr(ledger_index, "_LOOSE", 1000)
    index = KeyIndex()
    index.add("a", (number.to_bytes(16, "little") for number in range(5000)))
    assert sum(array.nbytes for segment in index._segments for array in segment) == 12 * 5000
    assert not index._loose


def test_an_answer_of_another_partition_is_found_and_copied(tmp_path, question, reply):
    async def run() -> None:
        with Ledger(tmp_path, "run-1") as ledger:
            await ledger.settle(ONE, question(), reply("paid"))
            await ledger.freeze(ONE)
        with Ledger(tmp_path, "run-2") as ledger:
            assert await ledger.find(TWO, question("another")) is None
            assert await ledger.claim(TWO, question(), 1) == Hit(reply("paid"))
            await ledger.freeze(TWO)
        frozen = tmp_path / "ledger" / f"{ONE}.sqlite"
        assert not is_open(frozen)
        frozen.unlink()
        with Ledger(tmp_path, "run-3") as ledger:
            assert await ledger.find(TWO, question()) == reply("paid")

    asyncio.run(run())
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger" / f"{TWO}.sqlite")) as connection:
        assert connection.execute("select run, copied_from, tokens_in from answers").fetchall() == [("run-1", ONE, 3)]


def test_a_copy_was_paid_once(tmp_path, question, reply):
    async def run() -> None:
        with Ledger(tmp_path, "run") as ledger:
            await ledger.settle(ONE, question(), reply())
            assert await ledger.find(TWO, question()) == reply()

    asyncio.run(run())
    found = statistics(tmp_path)
    assert (found["answers"], found["copied"], found["tokens_in"], found["tokens_out"]) == (1, 1, 3, 5)


def test_what_another_partition_learns_after_the_index_was_read_is_found(tmp_path, question, reply):
    async def run() -> None:
        with Ledger(tmp_path, "run") as ledger:
            assert await ledger.find(TWO, question()) is None  # reads the index, of nothing
            await ledger.settle(ONE, question(), reply("new"))
            assert await ledger.find(TWO, question()) == reply("new")
            # the index is read within the same batch that settles
            found = await asyncio.gather(
                ledger.settle(ONE, question("b"), reply("b")), ledger.find(TWO, question("b")), return_exceptions=True
            )
            assert found[0] == reply("b")
            assert await ledger.find(TWO, question("b")) == reply("b")

    asyncio.run(run())


def test_one_key_is_in_flight_once_over_all_partitions(tmp_path, question, reply):
    async def run() -> list[object]:
        with Ledger(tmp_path, "run") as ledger:

            async def ask(number: int) -> object:
                claim = await ledger.claim(f"p-{number}", question(), 1)
                if claim == Go():
                    await asyncio.sleep(0)
                    return await ledger.settle(f"p-{number}", question(), reply(f"answer {number}"))
                return claim

            return await asyncio.gather(*(ask(number) for number in range(20)))

    first, *others = asyncio.run(run())
    assert first == reply("answer 0")
    assert others == [Hit(reply("answer 0"))] * 19
    found = statistics(tmp_path)
    assert (found["answers"], found["copied"]) == (1, 19)


def test_a_job_of_another_partition_is_not_submitted_again(tmp_path, question, reply):
    async def run() -> None:
        with Ledger(tmp_path, "run") as ledger:
            await ledger.settle(ONE, question(), Pending("batch-7"))
            assert await ledger.claim(TWO, question(), 1) == Pending("batch-7")
            assert statistics(tmp_path)["jobs"] == 1
            await ledger.settle(TWO, question(), reply())
            assert await ledger.claim(ONE, question(), 1) == Hit(reply())
            assert statistics(tmp_path)["jobs"] == 0

    asyncio.run(run())


def test_a_shard_that_is_gone_meanwhile_is_asked_for_nothing(tmp_path, question, reply):
    async def run() -> None:
        with Ledger(tmp_path, "run-1") as ledger:
            await ledger.settle(ONE, question(), reply())
            await ledger.freeze(ONE)
        with Ledger(tmp_path, "run-2") as ledger:
            assert await ledger.find(TWO, question("another")) is None
            (tmp_path / "ledger" / f"{ONE}.sqlite").unlink()
            assert await ledger.claim(TWO, question(), 1) == Go()

    asyncio.run(run())


def test_a_reader_keeps_a_shard_open_and_ends_no_run(tmp_path, question, reply):
    path = tmp_path / "ledger" / f"{ONE}.sqlite"

    async def run() -> None:
        with Ledger(tmp_path, "run-1") as ledger:
            await ledger.settle(ONE, question(), reply("first"))
            with contextlib.closing(sqlite3.connect(path)) as reader:
                reader.execute("begin")
                assert reader.execute("select count(*) from answers").fetchone() == (1,)
                assert not await ledger.freeze(ONE)
                assert is_open(path)
                assert ledger.unfrozen() == {ONE}
                await ledger.settle(ONE, question("more"), reply("more"))
        with Ledger(tmp_path, "run-2") as ledger:
            assert ledger.unfrozen() == {ONE}
            assert await ledger.freeze(ONE)
            assert ledger.unfrozen() == frozenset()
            assert not is_open(path)
            assert await ledger.find(ONE, question("more")) == reply("more")

    asyncio.run(run())
    assert statistics(tmp_path)["answers"] == 2


def test_a_locked_shard_is_not_told_as_a_full_disk(tmp_path, question, reply, monkeypatch):
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **more: real(*given, **(more | {"timeout": 0})))

    async def run() -> None:
        with Ledger(tmp_path, "run") as ledger:
            await ledger.settle(ONE, question(), reply())
            with contextlib.closing(sqlite3.connect(tmp_path / "ledger" / f"{ONE}.sqlite")) as other:
                other.execute("begin immediate")
                with pytest.raises(StorageError, match="locked") as caught:
                    await ledger.settle(ONE, question("b"), reply())
                assert "another program has this file open" in caught.value.hint

    asyncio.run(run())


def test_a_frozen_shard_that_is_read_for_others_can_thaw_and_freeze_again(tmp_path, question, reply):
    async def run() -> None:
        with Ledger(tmp_path, "run-1") as ledger:
            for text in ("a", "b"):
                await ledger.settle(ONE, question(text), reply(text))
            await ledger.freeze(ONE)
        with Ledger(tmp_path, "run-2") as ledger:
            assert await ledger.find(TWO, question("a")) == reply("a")
            await ledger.settle(ONE, question("c"), reply("c"))
            assert await ledger.find(TWO, question("b")) == reply("b")
            assert await ledger.find(TWO, question("c")) == reply("c")
            assert await ledger.freeze(ONE)
            assert await ledger.freeze(TWO)

    asyncio.run(run())
    shutil.rmtree(tmp_path / "ledger")
    assert statistics(tmp_path)["answers"] == 0
