from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synth.errors import AuthFailed, BadRequest, DamagedError, JobLost, RateLimited, StorageError, Transient
from synth.models import ledger as ledger_module
from synth.models.base import Pending, Response, Usage
from synth.models.ledger import Go, Hit, Ledger, statistics
from synth.models.ledger_shard import is_open
from synth.models.ledger_statistics import spent_before
from synth.records.labels import Outcome

PART = "p-en-r0001-b00000"
OTHER = "p-en-r0001-b00001"


def wal(build: Path, partition: str = PART) -> Path:
    return build / "ledger" / f"{partition}.sqlite-wal"


def test_an_answer_is_kept_with_all_that_was_reported(tmp_path, question, reply):
    async def run() -> None:
        with Ledger(tmp_path, "run-1") as ledger:
            assert await ledger.find(PART, question()) is None
            assert await ledger.claim(PART, question(), 100) == Go()
            assert await ledger.settle(PART, question(), reply("Añoranza 日本 😢")) == reply("Añoranza 日本 😢")
        with Ledger(tmp_path, "run-2") as ledger:
            assert ledger.interrupted() == 0
            assert await ledger.find(PART, question()) == reply("Añoranza 日本 😢")
            assert await ledger.claim(PART, question(), 100) == Hit(reply("Añoranza 日本 😢"))
            assert await ledger.claim(PART, question("another"), 100) == Go()

    asyncio.run(run())


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(texts=st.lists(st.text(st.characters(exclude_categories=[])), min_size=1, max_size=5, unique=True))
def test_every_text_comes_back_as_it_was(tmp_path, question, reply, texts):
    async def run() -> None:
        with Ledger(tmp_path, "run") as ledger:
            for text in texts:
                asked = question(text)
                claim = await ledger.claim(PART, asked, 1)
                if claim == Go():
                    assert await ledger.settle(PART, asked, reply(text)) == reply(text)
                assert await ledger.find(PART, asked) == reply(text)

    asyncio.run(run())


def test_the_first_durable_answer_wins_and_is_what_settle_gives(tmp_path, question, reply):
    async def run() -> None:
        with Ledger(tmp_path, "run") as ledger:
            assert await ledger.settle(PART, question(), reply("first")) == reply("first")
            assert await ledger.settle(PART, question(), reply("second")) == reply("first")

    asyncio.run(run())
    assert statistics(tmp_path)["answers"] == 1


def test_one_key_is_in_flight_once_and_all_who_wait_get_the_one_answer(tmp_path, question, reply):
    async def run() -> list[object]:
        with Ledger(tmp_path, "run") as ledger:

            async def ask(number: int) -> object:
                claim = await ledger.claim(PART, question(), 1)
                if claim == Go():
                    await asyncio.sleep(0)
                    return await ledger.settle(PART, question(), reply(f"answer {number}"))
                return claim

            async def look() -> object:
                return await ledger.find(PART, question())

            return await asyncio.gather(ask(0), *(ask(number) for number in range(1, 20)), look())

    first, *others = asyncio.run(run())
    assert first == reply("answer 0")
    assert others == [Hit(reply("answer 0"))] * 19 + [reply("answer 0")]


def test_errors_are_journalled_and_never_replayed(tmp_path, question, reply):
    errors = [RateLimited("slow", retry_after=3), Transient("cut"), BadRequest("no"), AuthFailed("key")]

    async def run() -> None:
        with Ledger(tmp_path, "run") as ledger:
            for error in errors:
                assert await ledger.claim(PART, question(), 1) == Go()
                assert await ledger.settle(PART, question(), error) is None
            assert await ledger.claim(PART, question(), 1) == Go()
            await ledger.settle(PART, question(), reply(outcome=Outcome.REFUSED))

    asyncio.run(run())
    found = statistics(tmp_path)
    assert {name: value for name, value in found.items() if value} == {
        "answers": 1,
        "outcomes": {"ok": 0, "refused": 1, "truncated": 0},
        "errors": {"AuthFailed": 1, "BadRequest": 1, "RateLimited": 1, "Transient": 1},
        "tokens_in": 3,
        "tokens_out": 5,
    }


def test_money_is_summed_exactly_and_what_may_have_been_paid_is_told_apart(tmp_path, question, reply):
    async def run() -> None:
        ledger = Ledger(tmp_path, "run-1")
        for text, outcome, micro_units in (
            ("a", reply(), 17),
            ("b", reply(), 25),
            ("c", Transient("cut in the middle", may_be_paid=True), 900),
            ("d", Transient("nobody home"), None),
        ):
            assert await ledger.claim(PART, question(text), 70, 1_000) == Go()
            await ledger.settle(PART, question(text), outcome, micro_units)
        assert await ledger.claim(PART, question("e"), 70, 1_000) == Go()
        assert await ledger.claim(OTHER, question("f"), 70, 2_000) == Go()
        await ledger.settle(OTHER, question("f"), Pending("batch-7", 2_000))
        await ledger.settle(OTHER, question("a"), await ledger.find(OTHER, question("a")))
        ledger.close()

    asyncio.run(run())
    before = statistics(tmp_path)
    assert (before["micro_units"], before["copied"]) == (42, 1)
    assert (before["perhaps_paid"], before["perhaps_paid_micro_units"]) == (1, 900)
    assert (before["in_flight"], before["in_flight_micro_units"]) == (1, 1_000)
    assert (before["jobs"], before["jobs_micro_units"]) == (1, 2_000)
    assert spent_before(before) == 42 + 900 + 1_000
    Ledger(tmp_path, "run-2").close()
    after = statistics(tmp_path)
    assert (after["in_flight"], after["interrupted"], after["interrupted_micro_units"]) == (0, 1, 1_000)
    assert spent_before(after) == spent_before(before)


def test_a_settlement_that_nobody_waits_for_any_more_is_kept_before_anybody_else_asks(tmp_path, question, reply):
    async def run() -> None:
        with Ledger(tmp_path, "run") as ledger:
            for number in range(30):
                asked = question(str(number))
                assert await ledger.claim(PART, asked) == Go()
                settling = asyncio.ensure_future(ledger.settle(PART, asked, reply("paid")))
                await asyncio.sleep(0)
                settling.cancel()
                assert await ledger.claim(OTHER, asked) == Hit(reply("paid"))

    asyncio.run(run())


def test_a_claim_says_whether_an_earlier_run_was_refused(tmp_path, question):
    async def run(run_id: str) -> bool:
        with Ledger(tmp_path, run_id) as ledger:
            claim = await ledger.claim(PART, question())
            assert isinstance(claim, Go)
            await ledger.settle(PART, question(), BadRequest("no"))
            return claim.refused

    assert [asyncio.run(run(name)) for name in ("1", "2", "3")] == [False, True, True]


def test_a_lost_job_is_asked_anew_in_whichever_shard_it_stood(tmp_path, question, reply):
    async def run() -> None:
        with Ledger(tmp_path, "run-1") as ledger:
            assert await ledger.claim(OTHER, question(), 1, 10) == Go()
            await ledger.settle(OTHER, question(), Pending("batch-7", 10))
        with Ledger(tmp_path, "run-2") as ledger:
            job = await ledger.claim(PART, question())
            assert (job, job.micro_units) == (Pending("batch-7"), 10)
            await ledger.settle(PART, question(), Transient("the provider is down"))
            assert await ledger.claim(PART, question()) == Pending("batch-7")
            await ledger.settle(PART, question(), JobLost("it expired"))
            assert statistics(tmp_path)["jobs"] == 0
            assert await ledger.claim(PART, question()) == Go()
            await ledger.settle(PART, question(), Pending("batch-8"))
            assert await ledger.claim(PART, question()) == Pending("batch-8")
            await ledger.settle(PART, question(), reply("at last"), 7)

    asyncio.run(run())
    found = statistics(tmp_path)
    assert (found["answers"], found["jobs"], found["micro_units"]) == (1, 0, 7)
    assert found["errors"] == {"JobLost": 1, "Transient": 1}


def test_a_shard_of_the_first_layout_is_read_as_it_is_and_widened_when_it_is_written(tmp_path, question, reply):
    async def make() -> None:
        with Ledger(tmp_path, "run-1") as ledger:
            await ledger.settle(PART, question("old"), reply("kept"))
            await ledger.freeze(PART)

    asyncio.run(make())
    path = tmp_path / "ledger" / f"{PART}.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for table, columns in (
            ("answers", ("tokens_cached", "micro_units")),
            ("sent", ("micro_units",)),
            ("journal", ("micro_units", "perhaps_paid")),
            ("jobs", ("micro_units",)),
        ):
            for column in columns:
                connection.execute(f"alter table {table} drop column {column}")
        connection.execute("pragma user_version = 1")
        connection.commit()
    assert statistics(tmp_path)["answers"] == 1

    async def read_then_write() -> None:
        with Ledger(tmp_path, "run-2") as ledger:
            assert await ledger.find(PART, question("old")) == reply("kept")
            assert await ledger.find(OTHER, question("old")) == reply("kept")
            assert await ledger.claim(PART, question("new"), 5, 50) == Go()
            await ledger.settle(PART, question("new"), reply("late"), 3)

    asyncio.run(read_then_write())
    found = statistics(tmp_path)
    assert (found["answers"], found["micro_units"]) == (2, 3)


def test_a_response_that_is_no_answer_is_refused_and_lets_go(tmp_path, question, reply):
    async def run() -> None:
        with Ledger(tmp_path, "run") as ledger:
            assert await ledger.claim(PART, question(), 1) == Go()
            with pytest.raises(ValueError, match="unparsable is not an answer"):
                await ledger.settle(PART, question(), reply(outcome=Outcome.UNPARSABLE))
            assert await ledger.claim(PART, question(), 1) == Go()

    asyncio.run(run())


def test_a_job_is_never_submitted_again_and_ends_with_its_answer(tmp_path, question, reply):
    async def run() -> None:
        with Ledger(tmp_path, "run-1") as ledger:
            assert await ledger.claim(PART, question(), 1) == Go()
            assert await ledger.settle(PART, question(), Pending("batch-7")) is None
        assert statistics(tmp_path)["jobs"] == 1
        with Ledger(tmp_path, "run-2") as ledger:
            assert await ledger.claim(PART, question(), 1) == Pending("batch-7")
            await ledger.settle(PART, question(), reply())
            assert await ledger.claim(PART, question(), 1) == Hit(reply())
        assert statistics(tmp_path)["jobs"] == 0

    asyncio.run(run())


def test_freezing_leaves_one_plain_file_that_thaws_only_for_a_missing_key(tmp_path, question, reply):
    path = tmp_path / "ledger" / f"{PART}.sqlite"

    async def run() -> None:
        with Ledger(tmp_path, "run-1") as ledger:
            await ledger.settle(PART, question(), reply())
            assert wal(tmp_path).exists()
            await ledger.freeze(PART)
            assert not wal(tmp_path).exists()
            assert not is_open(path)
            frozen = path.read_bytes()
            assert await ledger.find(PART, question("missing")) is None
            assert await ledger.claim(PART, question(), 1) == Hit(reply())
            await ledger.freeze(PART)
            assert path.read_bytes() == frozen
            assert await ledger.claim(PART, question("missing"), 1) == Go()
            await ledger.settle(PART, question("missing"), reply("late"))
            assert is_open(path)
            await ledger.freeze(PART)
            await ledger.freeze("never-written")
        assert not is_open(path)
        with Ledger(tmp_path, "run-2") as ledger:
            assert await ledger.find(PART, question("missing")) == reply("late")

    asyncio.run(run())
    assert [file.name for file in (tmp_path / "ledger").iterdir()] == [f"{PART}.sqlite"]


def test_the_stored_layout_is_pinned(tmp_path, question, reply):
    async def run() -> None:
        with Ledger(tmp_path, "run-1") as ledger:
            await ledger.settle(PART, question(), reply())
            await ledger.freeze(PART)

    asyncio.run(run())
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger" / f"{PART}.sqlite")) as connection:
        assert connection.execute("pragma user_version").fetchall() == [(2,)]
        assert connection.execute("pragma journal_mode").fetchall() == [("delete",)]
        (row,) = connection.execute(
            "select typeof(key), length(key), program, contract, draw, outcome, typeof(text), run from answers"
        ).fetchall()
        assert row == ("blob", 16, "write", 1, 0, "ok", "blob", "run-1")
        definition = connection.execute("select sql from sqlite_master where name = 'answers'").fetchone()[0]
        assert "unique" in definition
        assert "without rowid" not in definition.lower()


def test_a_cut_off_claim_is_reported_once_and_can_be_asked_again(tmp_path, question, reply):
    async def run() -> None:
        ledger = Ledger(tmp_path, "run-1")
        for text in ("a", "b"):
            assert await ledger.claim(PART, question(text), 70) == Go()
        ledger.close()
        assert statistics(tmp_path)["in_flight"] == 2
        with Ledger(tmp_path, "run-2") as second:
            assert second.interrupted() == 2
            assert await second.claim(PART, question("a"), 70) == Go()
            await second.settle(PART, question("a"), reply())
        with Ledger(tmp_path, "run-3") as third:
            assert third.interrupted() == 0

    asyncio.run(run())
    found = statistics(tmp_path)
    assert (found["answers"], found["in_flight"], found["interrupted"]) == (1, 0, 2)


def test_a_claim_that_was_let_go_is_free_again_and_stays_in_the_accounts(tmp_path, question):
    async def run() -> None:
        with Ledger(tmp_path, "run") as ledger:
            assert await ledger.claim(PART, question(), 1) == Go()
            waiting = asyncio.ensure_future(ledger.claim(PART, question(), 1))
            await asyncio.sleep(0)
            assert not waiting.done()
            ledger.let_go(question())
            assert await waiting == Go()

    asyncio.run(run())
    found = statistics(tmp_path)
    assert (found["in_flight"], found["interrupted"]) == (1, 1)


def test_a_cancelled_claim_was_never_sent(tmp_path, question):
    async def run() -> None:
        with Ledger(tmp_path, "run") as ledger:
            claiming = asyncio.ensure_future(ledger.claim(PART, question(), 1))
            await asyncio.sleep(0)
            claiming.cancel()
            with pytest.raises(asyncio.CancelledError):
                await claiming
            await ledger.find(PART, question())
            assert statistics(tmp_path)["in_flight"] == 0
            assert await ledger.claim(PART, question(), 1) == Go()

    asyncio.run(run())


def test_many_partitions_are_served_with_few_open_files(tmp_path, question, reply, monkeypatch):
    monkeypatch.setattr(ledger_module, "_MAX_OPEN", 2)

    async def run() -> None:
        with Ledger(tmp_path, "run") as ledger:
            names = [f"p-{number}" for number in range(6)]
            await asyncio.gather(*(ledger.settle(name, question(), reply(name)) for name in names))
            assert len(ledger._shards) == 2
            found = await asyncio.gather(*(ledger.find(name, question()) for name in names))
            assert [answer.text for answer in found if answer] == names

    asyncio.run(run())


def test_statistics_read_a_live_build_without_holding_it(tmp_path, question, reply):
    async def run() -> None:
        with Ledger(tmp_path, "run") as ledger:
            await ledger.settle(PART, question(), reply())
            assert statistics(tmp_path)["answers"] == 1
            # freezing needs the file for itself: it would fail if a reader still held it
            await ledger.freeze(PART)
        assert statistics(tmp_path)["tokens_out"] == 5

    asyncio.run(run())
    assert statistics(tmp_path / "nowhere")["answers"] == 0


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a\0b"])
def test_a_partition_is_a_plain_name(tmp_path, question, name):
    async def run() -> None:
        with Ledger(tmp_path, "run") as ledger, pytest.raises(ValueError, match="partition"):
            await ledger.find(name, question())

    asyncio.run(run())


def test_a_file_that_is_no_ledger_is_a_damage_for_people(tmp_path, question, reply):
    path = tmp_path / "ledger" / f"{PART}.sqlite"

    async def run() -> None:
        with Ledger(tmp_path, "run") as ledger:
            path.write_bytes(b"not a database, not a database, not a database" * 40)
            with pytest.raises(DamagedError, match=r"p-en-r0001-b00000\.sqlite"):
                await ledger.claim(PART, question(), 1)
            # one bad file takes no other down with it
            assert await ledger.settle("p-de", question(), reply()) == reply()

    asyncio.run(run())
    with pytest.raises(DamagedError):
        statistics(tmp_path)


def test_a_newer_layout_is_left_alone(tmp_path, question, reply):
    async def write() -> None:
        with Ledger(tmp_path, "run") as ledger:
            await ledger.settle(PART, question(), reply())

    asyncio.run(write())
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger" / f"{PART}.sqlite")) as connection:
        connection.execute("pragma user_version = 99")
    with pytest.raises(StorageError, match="layout 99 is newer"):
        Ledger(tmp_path, "run")


def test_an_operation_that_fails_takes_no_other_of_its_batch_with_it(tmp_path, question, reply):
    # sqlite stores no integer of more than 64 bits
    broken = Response("x", Outcome.OK, None, None, None, Usage(2**70, 0))

    async def run() -> list[object]:
        with Ledger(tmp_path, "run") as ledger:
            settles = [ledger.settle(PART, question("good"), reply()), ledger.settle(PART, question("bad"), broken)]
            return await asyncio.gather(*settles, return_exceptions=True)

    good, bad = asyncio.run(run())
    assert good == reply()
    assert isinstance(bad, OverflowError)


def test_a_closed_ledger_says_so(tmp_path, question):
    async def run() -> None:
        ledger = Ledger(tmp_path, "run")
        ledger.close()
        ledger.close()
        with pytest.raises(RuntimeError, match="closed"):
            await ledger.find(PART, question())

    asyncio.run(run())


WRITER = """
import asyncio, os, sys
from pathlib import Path
from synth.models.base import Contract, Identity, Parameters, Response, Usage, make_request
from synth.models.ledger import Go, Ledger
from synth.records.labels import Outcome
from synth.records.schema import Message

async def worker(ledger, number, start):
    for count in range(100_000):
        text = f"{start}-{number}-{count}"
        request = make_request(Identity("m", "a", ""), program="write", contract=Contract("c", 1),
                               messages=(Message("user", text),), parameters=Parameters())
        partition = f"p-{number % 2}"
        assert await ledger.claim(partition, request, 10) == Go()
        await ledger.settle(partition, request, Response(text * 50, Outcome.OK, None, None, None, Usage(1, 1)))
        os.write(1, f"{text}\\n".encode())

async def main(build, start):
    ledger = Ledger(Path(build), start)
    await asyncio.gather(*(worker(ledger, number, start) for number in range(16)))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_kill_loses_no_acknowledged_answer(tmp_path, question):
    moments = random.Random(7)
    acknowledged: list[str] = []
    for number in range(12):
        child = [sys.executable, "-c", WRITER, str(tmp_path), f"run{number}"]
        with subprocess.Popen(child, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            acknowledged += [process.stdout.readline() for _ in range(moments.randrange(1, 400))]
            process.kill()
            # what it had said before it died counts too; the last line may be cut
            acknowledged += [line for line in process.stdout if line.endswith("\n")]
        assert process.returncode == -signal.SIGKILL

    async def check() -> None:
        from synth.models.base import Contract, Identity, Parameters

        with Ledger(tmp_path, "after") as ledger:
            for line in acknowledged:
                text = line.strip()
                asked = question(
                    text, identity=Identity("m", "a", ""), contract=Contract("c", 1), parameters=Parameters()
                )
                found = await ledger.find(f"p-{int(text.split('-')[1]) % 2}", asked)
                assert found is not None
                assert found.text == text * 50

    asyncio.run(check())
    found = statistics(tmp_path)
    assert found["answers"] >= len(acknowledged) >= 12
    # the last kill's claims were found by `check`, the others by the next writer
    assert found["in_flight"] == 0
    assert found["interrupted"] <= 12 * 16
    for path in (tmp_path / "ledger").glob("*.sqlite"):
        with contextlib.closing(sqlite3.connect(path)) as connection:
            assert connection.execute("pragma quick_check").fetchall() == [("ok",)]
