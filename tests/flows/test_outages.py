"""Builds against an endpoint that is dead, slow or wrong: what is whole stays whole, and the bytes are those of a quiet night."""

from __future__ import annotations

from pathlib import Path

import pytest

import synth
from synth.ask import Asker, Retry
from synth.building import calling
from synth.building.running import run_build
from synth.building.settings import RunSettings
from synth.errors import BadRequest, BreakerOpen, IncompleteError, ProviderError
from synth.models.base import Endpoint
from synth.models.ledger import statistics
from synth.offline.conduct import Outage
from synth.offline.faults import Faults
from synth.offline.serve import Server
from synth.recipe import Recipe
from synth.records.labels import Outcome
from synth.records.parts import commits
from synth.records.verification import verify


@pytest.fixture
def impatient(monkeypatch):
    """A build that gives a question up after two tries, and an endpoint after two seconds, so that an outage shows."""

    def opened(crew, ledger, purse, **named):
        retry = Retry(tries=2, patience=0.0, deadline=2.0, first_wait=0.0, longest_wait=0.0)
        return Asker(crew.roles, ledger=ledger, purse=purse, retry=retry, **named)

    monkeypatch.setattr(calling, "open_asker", opened)


def run(recipe, folder, url, **settings):
    there = {"offline": Endpoint("offline", url, "", None)}
    return run_build(Recipe.of(recipe), folder, settings=RunSettings(endpoints=there, **settings), recipe_folder=Path())


def test_transport_faults_cost_nothing_and_change_no_byte(english, plain_english, prints, counting, tmp_path):
    faults = Faults(rate_limit_ms=0.05, server_error=0.05, reset=0.03, cut_body=0.03)
    with Server(counting, faults=faults, retry_after=0.01, seed=4) as server:
        report = run(english, tmp_path / "b", server.url)
    found = statistics(tmp_path / "b")
    assert report.complete
    assert found["errors"]["RateLimited"] > 0
    assert found["errors"]["Transient"] > 0
    # a body that was cut was answered: that may have been paid, and is told; a 429 was not
    assert 0 < found["perhaps_paid"] < found["errors"]["Transient"]
    assert prints(tmp_path / "b") == prints(plain_english)
    assert verify(tmp_path / "b") == []


def test_refused_questions_cost_their_records_and_no_others(english, counting, tmp_path):
    with Server(counting, faults=Faults(bad_parameter=0.03, content_filter=0.03), seed=2) as server:
        report = run(english | {"tries": 1}, tmp_path / "b", server.url)
    build = synth.load(tmp_path / "b")
    outcomes = {record.scenario.outcome for record in build.records(kept=False)}
    assert report.complete
    assert outcomes == {Outcome.OK, Outcome.REFUSED}
    assert sum(1 for _ in build.records(kept=False)) == 12
    assert verify(tmp_path / "b") == []


def test_an_outage_in_the_second_half_parks_events_and_the_next_run_ends_them(
    english, plain_english, prints, counting, impatient, tmp_path
):
    with Server(counting, outage=Outage(40, 3600.0)) as server, pytest.raises(IncompleteError):
        run(english, tmp_path / "b", server.url, max_in_flight=4)
    answered = statistics(tmp_path / "b")["answers"]
    assert 0 < answered < 60
    counting.asked.clear()
    with Server(counting) as server:
        report = run(english, tmp_path / "b", server.url)
    assert report.complete
    assert statistics(tmp_path / "b")["answers"] == answered + counting.asked.total()
    assert prints(tmp_path / "b") == prints(plain_english)


@pytest.mark.parametrize("fault", ["bad-parameter", "unauthorised"])
def test_an_endpoint_that_refuses_everything_ends_the_run_and_nothing_of_it_is_sealed(
    recipe, counting, fault, tmp_path
):
    with Server(counting, faults=Faults.parse([f"{fault}=1"])) as server, pytest.raises(ProviderError) as caught:
        run(recipe, tmp_path / "b", server.url)
    assert caught.value.exit_code == 4
    assert isinstance(caught.value, BreakerOpen) == (fault == "bad-parameter")
    assert commits(tmp_path / "b") == []
    assert statistics(tmp_path / "b")["answers"] == 0
    # and the folder goes on once it is well
    with Server(counting) as server:
        assert run(recipe, tmp_path / "b", server.url).complete


def test_a_burst_of_refusals_that_an_answer_ends_is_sealed(english, counting, tmp_path):
    class Moody:
        """Refuses the first nineteen questions, and then nothing."""

        pure, name, refused = True, "offline", 0

        def answer(self, request):
            if self.refused < 19:
                self.refused += 1
                raise BadRequest("not today")
            return counting.answer(request)

        async def attempt(self, request):
            return self.answer(request)

        async def close(self):
            return None

    big = english | {"quota": {"records": 96}, "tries": 1, "partition": 12}
    with Server(Moody()) as server:
        report = run(big, tmp_path / "b", server.url, max_in_flight=1)
    outcomes = [record.scenario.outcome for record in synth.load(tmp_path / "b").records(kept=False)]
    assert report.complete
    assert outcomes.count(Outcome.REFUSED) > 0
    assert outcomes.count(Outcome.OK) > 0
    assert verify(tmp_path / "b") == []
