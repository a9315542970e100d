"""A judge's probes are answered by look-up: what an honest reply keeps is there, what a failure gives up is not, and a stranger's words are weaker."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from synth.content.phrasings import FOLDER, read_phrasing
from synth.content.scenarios import read_family
from synth.content.shelves import Shelves
from synth.offline import compose
from synth.offline.claims import aspects, stated
from synth.offline.probes import Judge
from synth.offline.settings import scenes
from synth.programs.contracts import ProbesAnswer

SHELVES = Shelves()
FILES = [tuple(file.name.removesuffix(".yaml").split("/")[2:]) for file in SHELVES.files(FOLDER)]


@cache
def judge(language):
    return Judge(SHELVES, language)


def told(language, family, step):
    phrasing, spec = read_phrasing(SHELVES, language, family), read_family(SHELVES, family)
    for n, scene in enumerate(scenes(phrasing, spec, all_genders=True)):
        if n % step == 0:
            yield replace(scene, telling=n % len(scene.world.what), rank=scene.rank + 4 * (n % 7), seed=n % 5)


def probes_of(spec):
    facts = [{"id": f"fact.{fact}", "asks": [], "words": ""} for fact in sorted(spec.preserved())]
    return facts + [{"id": name, "asks": []} for name in ("affect", "duty", "intent", "address")]


def answered(scene, beats):
    """Give the answers to all probes of a reply by id, and its text."""
    text = scene.phrasing.joiner.join(beat.text for beat in beats.values())
    answers = judge(scene.phrasing.language).answers(text, probes_of(read_family(SHELVES, scene.phrasing.family)))
    ProbesAnswer.model_validate({"probes": answers})
    assert all(one["quote"] in text for one in answers)
    assert all(bool(one["quote"]) <= (one["answer"] == "yes") for one in answers)
    return {one["id"]: one["answer"] for one in answers}


def true_of(beats, spec, whole):
    """Give what our own checks say of a reply's beats."""
    facts = {f"fact.{name}": name in stated(beats, spec.preserved()) for name in spec.preserved()}
    held = {name: name in aspects(beats) for name in ("affect", "duty")}
    return {name: "yes" if there else "no" for name, there in (facts | held).items()} | {
        "intent": whole,
        "address": whole,
    }


@pytest.mark.parametrize(("language", "family"), FILES)
def test_honest_replies_and_failures_are_told_apart_probe_by_probe(language, family):
    spec = read_family(SHELVES, family)
    for scene in told(language, family, step=97):
        honest = compose.faithful(scene)
        for beats in (honest, honest | compose.alternative(scene)):
            assert answered(scene, beats) == true_of(beats, spec, "yes")
        for failure in scene.phrasing.failures_at(scene.level):
            for severity in failure.severities:
                beats = honest | compose.failing(scene, failure, severity)
                assert answered(scene, beats) == true_of(beats, spec, "weaker"), failure.key


def test_a_strangers_reply_is_weaker_in_everything():
    probes = [*probes_of(read_family(SHELVES, "file_lost_again")), {"id": "nothing.known", "asks": []}]
    answers = judge("en").answers("I see. Have a good day.", probes)
    assert {(one["answer"], one["quote"]) for one in answers} == {("weaker", "")}
    assert [one["id"] for one in answers] == [probe["id"] for probe in probes]


def test_a_reply_that_is_half_known_keeps_what_is_known_of_it():
    scene = next(scene for scene in told("en", "file_lost_again", 1) if scene.level == "mid")
    honest = compose.faithful(scene)
    text = f"{honest['meet'].text} {honest['own'].text} And now for something else."
    answers = {
        one["id"]: one["answer"]
        for one in judge("en").answers(text, probes_of(read_family(SHELVES, "file_lost_again")))
    }
    assert answers["fact.handed"] == answers["fact.lost"] == answers["affect"] == answers["duty"] == "yes"
    assert answers["intent"] == answers["address"] == "weaker"
    alone = {
        one["id"]: one["answer"]
        for one in judge("en").answers(honest["meet"].text, probes_of(read_family(SHELVES, "file_lost_again")))
    }
    assert (alone["affect"], alone["duty"], alone["fact.lost"]) == ("yes", "no", "no")


def test_the_program_answers_a_brief(ask):
    scene = next(scene for scene in told("ja", "file_lost_again", 1) if scene.level == "high")
    reply = scene.phrasing.joiner.join(beat.text for beat in compose.faithful(scene).values())
    brief = {
        "program": "judge",
        "language": "ja",
        "task": "respond",
        "stance": "in_relation",
        "scene": {},
        "reply": reply,
    }
    answer = ProbesAnswer.model_validate(ask(brief | {"probes": probes_of(read_family(SHELVES, "file_lost_again"))}))
    assert {probe.answer for probe in answer.probes} == {"yes"}
