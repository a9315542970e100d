"""A rehearsal hears what every role is asked, and what it hears is what the estimate and the doctor count."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import synth
from synth.building.estimate import UNSAMPLED, estimate
from synth.building.prefixes import sample_questions
from synth.building.rehearsal import rehearse
from synth.content.shelves import Shelves
from synth.offline.embedded import OfflineModel
from synth.offline.serve import Server
from synth.planning.inventory import take_stock
from synth.recipe import Recipe, open_shelves

RECIPE = {
    "languages": ["en", "ja"],
    "families": ["burial_day_taken_back"],
    "quota": {"records": 12},
    "models": {"writer": "mine/writer", "annotators": ["mine/reader", "offline"]},
    "sampling": {"writer": {"temperature": 1.3}},
}


def stock(**changes):
    recipe = Recipe.of(RECIPE | changes)
    return take_stock(recipe, open_shelves(recipe, Path()))


@pytest.fixture(scope="module")
def heard():
    """What one who listens hears of four events, and how many scenarios they came to."""
    told = []
    return told, rehearse(stock(), 4, lambda *said: told.append(said))


def test_every_role_is_heard_under_its_plain_name_in_all_languages(heard):
    told, scenarios = heard
    asked = Counter(role for role, _, _ in told)
    assert set(asked) == {"writer", "annotator-1", "annotator-2"}
    assert asked["annotator-1"] == asked["annotator-2"] <= scenarios
    assert {question.model for _, question, _ in told} == {"offline"}
    assert len({question.parameters.temperature for _, question, _ in told}) == 1, (
        "another model's sampling is not its own"
    )
    assert all(answer.text for _, _, answer in told)


def test_a_rehearsal_is_the_same_each_time_and_grows_with_its_events(heard):
    again = []
    assert rehearse(stock(), 4, lambda *said: again.append(said)) == heard[1]
    assert again == heard[0]
    assert [question for _, question, _ in again] == sample_questions(stock())
    assert 0 < rehearse(stock(), 1, lambda *_: None) < heard[1]


def test_where_the_embedded_model_speaks_no_language_nothing_is_rehearsed(heard):
    known = stock()
    family = known.families["burial_day_taken_back"]
    unphrased = replace(known, families={**known.families, "nobody_phrased_it": family})
    told = []
    assert rehearse(unphrased, 4, lambda *said: told.append(said)) == len(told) == 0
    assert sample_questions(unphrased) == []
    records = known.recipe.quota.records
    measured, guessed = (estimate(one).roles["annotator-1"].tokens_in for one in (known, unphrased))
    assert guessed != measured > 0
    assert guessed == pytest.approx(UNSAMPLED["annotate"][1] * records, rel=0.5)


ALL = {"writer": "mine/w", "annotators": ["mine/a"], "verifiers": ["mine/v", "mine/u"], "judges": ["mine/j"]}


def test_verifiers_and_judges_cost_something_where_nothing_is_rehearsed():
    known = stock(models=ALL)
    family = known.families["burial_day_taken_back"]
    unphrased = replace(known, families={**known.families, "nobody_phrased_it": family})
    measured, guessed = (estimate(one).roles for one in (known, unphrased))
    assert set(measured) == set(guessed)
    for role, one in measured.items():
        for name in ("calls", "tokens_in", "tokens_out"):
            assert 0.5 < getattr(guessed[role], name) / getattr(one, name) < 2, (role, name)


@pytest.mark.parametrize(
    ("models", "verify", "most"),
    [
        (ALL, True, {"writer": 12, "annotator-1": 6, "verifier-1": 12, "verifier-2": 12, "judge-1": 6}),
        (ALL, False, {"writer": 12, "annotator-1": 6, "verifier-1": 6, "verifier-2": 6, "judge-1": 6}),
        ({"writer": "mine/w", "annotators": ["mine/a"]}, "auto", {"writer": 12, "annotator-1": 12}),
        ({"writer": "mine/w", "annotators": ["offline"]}, "auto", {"writer": 12, "annotator-1": 6}),
    ],
)
def test_at_most_covers_the_second_opinion_of_who_verifies(models, verify, most):
    found = estimate(stock(models=models, gold={"verify": verify}))
    assert {role: one.most for role, one in found.roles.items()} == most


class Counting:
    """The embedded model, which counts what it is asked, by program."""

    pure = True
    name = "offline"

    def __init__(self):
        self.model = OfflineModel(Shelves())
        self.asked = Counter()

    def answer(self, request):
        self.asked[request.messages[0].content.rpartition('"program": "')[2].partition('"')[0]] += 1
        return self.model.answer(request)

    async def attempt(self, request):
        return self.answer(request)

    async def close(self):
        return None


def test_a_plan_counts_the_controls_that_a_build_asks(tmp_path, monkeypatch):
    """Eight events of three forms: each has a control, which is told, written, verified, answered twice, annotated and judged."""
    monkeypatch.setenv("SYNTH_SETTINGS", os.devnull)
    models = ALL | {"verifiers": ["mine/v"]}
    recipe = {
        "languages": ["en"],
        "families": ["file_lost_again", "told_to_be_over_it"],
        "quota": {"records": 24},
        "models": models,
    }
    plain, controlled = (synth.plan(recipe | {"default_persona": persona}).estimate.roles for persona in (False, True))
    more = {role: controlled[role].calls - plain[role].calls for role in plain}
    assert more == {"writer": 8 * 4, "annotator-1": 8, "verifier-1": 8 * 2, "judge-1": 8 * 2}
    assert all(controlled[role].tokens_in > plain[role].tokens_in for role in plain)
    model = Counting()
    with Server(model) as server:
        synth.build(recipe | {"default_persona": True}, tmp_path / "build", endpoints={"mine": server.url})
    asked = model.asked
    written = sum(asked[name] for name in ("event", "write", "vary", "reply", "contrast"))
    built = {
        "writer": written,
        "annotator-1": asked["annotate"],
        "verifier-1": asked["verify"],
        "judge-1": asked["judge"],
    }
    assert built == pytest.approx({role: one.calls for role, one in controlled.items()}, rel=0.03)
