"""The metric: the margin over decoys, parts by name, and no gain from naming the feeling."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synth.content.definitions import read_definitions
from synth.content.lexicons import read_lexicon
from synth.content.shelves import Shelves
from synth.line.checks import Failed
from synth.planning.inventory import take_stock
from synth.programs.contracts import ClaimsAnswer, ProbesAnswer, SceneAnswer
from synth.programs.verify import claims_of
from synth.recipe import Recipe
from synth.records.cells import PlannedFailure
from synth.records.labels import Explicitness, Mechanism
from synth.tuning.cases import draw_cases
from synth.tuning.figures import figure, gain
from synth.tuning.measure import (
    Judged,
    Score,
    accepted,
    kept_probe,
    margin,
    names_feeling,
    naming,
    natural,
    scored,
    spoilt_probe,
    truths_of,
    unanswered,
    values_of,
)

RECIPE = {"languages": ["en"], "quota": {"records": 1}, "models": {"writer": "mine/w", "annotators": ["mine/a"]}}


@pytest.fixture(scope="module")
def case():
    return draw_cases(take_stock(Recipe.of(RECIPE), Shelves()), "write", 4, 1).held_out[0]


def planned(case, explicitness):
    return replace(case, cell=replace(case.cell, explicitness=explicitness))


TWO_CUES = [{"kind": "procedure", "quote": "here"}, {"kind": "busyness", "quote": "here"}]
"""The same words show two things, each easily taken for the other."""

SCENE = SceneAnswer.model_validate(
    {
        "setting": "",
        "turns": [{"by": "S", "to": ["A"], "text": "I am here.", "cues": TWO_CUES}],
    }
)


def answers(case, say):
    """Give what a verifier gets on both questions of a case, whose claims a function answers."""
    truths = truths_of(case.cell, case.family, SCENE)
    right, wrong = [], []
    for half in claims_of(case.cell.scenario_id, truths, read_definitions(Shelves())):
        said = [{"id": n, "answer": say(claim)} for n, claim in enumerate(half, 1)]
        true, decoys = accepted(truths, half, ClaimsAnswer.model_validate({"claims": said}))
        right += true
        wrong += decoys
    return right, wrong


def is_right(case, claim):
    """Say whether a label is right by the plan itself: the gold one, or one that is as good."""
    cell = case.cell
    right = {
        "goal": {cell.goal, *case.family.goal.also},
        "emotion": {cell.emotion, *cell.emotion_also},
        "power_form": {cell.form},
        "cue": {cue.kind for turn in SCENE.turns for cue in turn.cues},
    }
    return claim.value in set(map(str, right[claim.field]))


@pytest.mark.parametrize("explicitness", [Explicitness.IMPLIED, Explicitness.MASKED])
def test_who_sees_what_is_there_gets_one_and_who_says_yes_to_all_gets_nothing(case, explicitness):
    asked = planned(case, explicitness)
    right, wrong = answers(asked, lambda claim: "clearly" if is_right(asked, claim) else "no")
    assert len(right) == len(wrong) == (5 if explicitness == Explicitness.MASKED else 3)
    assert margin(right, wrong) == 1.0
    assert margin(*answers(asked, lambda claim: "clearly")) == 0.0
    assert margin(*answers(asked, lambda claim: "no" if is_right(asked, claim) else "clearly")) == 0.0
    assert margin([], []) == 0.0, "silence is no acceptance"


def test_no_decoy_is_as_right_as_gold(case):
    """Of every family, under many ids: a verifier who is right must never be held to have taken a decoy."""
    stock = take_stock(Recipe.of(RECIPE), Shelves())
    defined = read_definitions(Shelves())
    doubled = [family for family in stock.families.values() if family.goal.also]
    assert doubled
    for family in doubled:
        for n in range(20):
            masked = replace(case.cell, goal=family.goal.primary, explicitness=Explicitness.MASKED)
            asked = replace(case, cell=replace(masked, scenario_id=f"{n:016x}.up"), family=family)
            truths = truths_of(asked.cell, family, SCENE)
            claims = [claim for half in claims_of(asked.cell.scenario_id, truths, defined) for claim in half]
            assert sum(is_right(asked, claim) for claim in claims) == len(claims) / 2 == len(truths) == 5


def test_a_score_is_the_mean_of_its_known_parts():
    score = scored(
        {"plausibility": 0.5, "naturalness": None}, [Failed("facts", "x"), Failed("facts", "y")], (), names=False
    )
    assert score.parts == {"plausibility": 0.5, "checks": 0.5}
    assert score.value == 0.5
    assert score.told()["failed"] == [{"check": "facts", "says": "x"}, {"check": "facts", "says": "y"}]
    assert unanswered("refused", ()).value == 0.0


def test_a_text_that_names_what_is_to_be_unnamed_counts_for_nothing():
    assert scored({"plausibility": 1.0}, [Failed("explicitness", "x")], ()).value == 0.0


@pytest.mark.parametrize(("named", "value"), [(10, 0.9), (11, 0.9), (12, 0.0)])
def test_a_set_that_names_feelings_more_often_than_planned_counts_for_nothing(case, named, value):
    """Ten of twenty cells are planned to name it: one more is within 5 points, two are not."""
    cells = [
        (planned(case, Explicitness.NAMED if n < 10 else Explicitness.IMPLIED), Score(0.9, names=n < named))
        for n in range(20)
    ]
    assert naming(cells).held is (value > 0)
    assert values_of(cells) == [value] * 20


def test_where_no_words_are_known_nothing_is_held_against_a_text(case):
    lexicon = read_lexicon(Shelves(), "en")
    assert names_feeling("nothing", case.cell, None) is None
    word = lexicon.feelings[case.cell.emotion].entries[0].strip("*")
    assert names_feeling(f"I feel {word} today", case.cell, lexicon) is True
    assert names_feeling("I am here", case.cell, lexicon) is False
    assert values_of([(case, Score(0.9))]) == [0.9]


def test_a_phrase_of_counselling_english_is_not_natural():
    lexicon = read_lexicon(Shelves(), "en")
    calque = lexicon.calques.entries[0].strip("*")
    assert natural(f"Well, {calque}.", lexicon) == 0.0
    assert natural("The bus was late.", lexicon) == 1.0
    assert natural("The bus was late.", None) is None


def test_a_failure_is_probed_for_what_it_keeps_and_for_what_it_spoils():
    answer = ProbesAnswer.model_validate(
        {
            "probes": [
                {"id": "fact.a", "answer": "yes"},
                {"id": "affect", "answer": "weaker"},
                {"id": "duty", "answer": "no"},
            ]
        }
    )
    under = PlannedFailure(Mechanism.ATTENUATION, "", 1)
    probes = ("fact.a", "affect", "duty")
    found, silent = Judged(probes, [answer]), Judged(probes, [])
    assert found.mean(kept_probe(under)) == 0.5  # facts yes, duty no
    assert found.mean(spoilt_probe(under)) == 0.5
    assert found.lost(spoilt_probe(under)) == 1.0
    assert (silent.mean(kept_probe(under)), silent.lost(spoilt_probe(under))) == (0.0, 0.0)
    assert found.mean(lambda probe: probe == "address") is None, "what was not asked is no part"
    assert spoilt_probe(PlannedFailure(Mechanism.AVOIDANCE, "harsh", 2)) is None


def test_figures_have_intervals_that_follow_from_the_cells():
    assert figure([0.0, 1.0] * 20).values() == figure([0.0, 1.0] * 20).values()
    wide, narrow = figure([0.0, 1.0] * 5), figure([0.0, 1.0] * 50)
    assert wide.mean == narrow.mean == 0.5
    assert wide.high - wide.low > narrow.high - narrow.low > 0
    assert gain([0.5, 0.5], [0.75, 0.75]).values() == {"mean": 0.25, "low": 0.25, "high": 0.25, "n": 2}
    assert figure([]).n == 0
    assert figure([0.25]).text() == "0.25 (0.25 to 0.25, n = 1)"
