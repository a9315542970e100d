"""Who reads is blind: annotators see the scene and nothing of the cell, verifiers claims besides, and judges no word of what kind a reply is."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import fields, is_dataclass, replace

import pytest

from synth.models.base import Response, Usage
from synth.offline.embedded import find_brief
from synth.programs.briefs import of_annotate
from synth.programs.contracts import SceneAnswer
from synth.records.labels import Emotion, Explicitness, Goal, Mechanism, Outcome, PowerForm, Regulation, ReplyKind

LABELS = {str(label) for kind in (Emotion, Explicitness, Goal, Mechanism, PowerForm, Regulation) for label in kind}
LEVELS = {"low", "mid", "high", "masked"}


@pytest.fixture(scope="module", params=["en", "ja"])
def asked(request, live, scripted):
    """Every annotate question about the cells of a language: (event, cell, scenario, brief, request)."""
    model = scripted()
    events, lived = live(model, ordinals=2, languages=[request.param])
    cells = {cell.scenario_id: (event, cell) for event in events for cell in event.cells}
    scenarios = [row for one in lived for row in one.scenarios]
    questions = [(brief, question) for brief, question in model.questions if brief["program"] == "annotate"]
    assert len(questions) == len(scenarios) >= 100
    return [(*cells[row.scenario_id], row, *question) for row, question in zip(scenarios, questions, strict=True)]


def test_the_question_holds_the_scene_and_who_speaks_to_whom(asked):
    for _, _, row, brief, _ in asked:
        assert set(brief) == {"program", "language", "scene"}
        assert set(brief["scene"]) == {"setting", "turns"}
        assert [turn["text"].strip() for turn in brief["scene"]["turns"]] == [turn.text for turn in row.turns]
        assert all(set(turn) == {"by", "to", "text"} for turn in brief["scene"]["turns"])


def test_no_value_of_the_cell_is_in_the_brief(asked):
    for event, cell, row, brief, request in asked:
        own = json.dumps({"language": brief["language"]}, ensure_ascii=False)
        words = set(re.findall(r"[\w.]+", own)) | {turn["by"] for turn in brief["scene"]["turns"]}
        assert words.isdisjoint(LABELS | LEVELS | {row.family, cell.relationship, event.event_key, cell.scenario_id})
        text = request.messages[-1].content.rpartition("```brief")[2]
        assert row.family not in text
        assert event.event_key not in text


def test_cells_with_the_same_text_and_scene_get_the_same_question(asked):
    by_scene = {}
    for _, _, _, brief, request in asked:
        by_scene.setdefault(json.dumps(brief, sort_keys=True), set()).add((request.key, request.messages))
    assert all(len(questions) == 1 for questions in by_scene.values())


def test_the_brief_is_a_function_of_the_scene_alone(asked):
    _, _, _, brief, _ = asked[0]
    scene = SceneAnswer(
        setting=brief["scene"]["setting"],
        turns=[turn | {"facts": [{"id": "day", "quote": "x"}], "cues": []} for turn in brief["scene"]["turns"]],
        request="something else",
        address={"out": "T", "back": "V"},
    )
    assert of_annotate(brief["language"], scene) == brief
    other = scene.model_copy(update={"request": "", "address": None})
    assert of_annotate(brief["language"], other) == brief


def test_the_same_words_in_another_cell_give_the_same_messages(scripted, live):
    """Two families whose cells differ in everything, made to tell one scene, ask the annotator one question."""
    text = "They moved the day again, and I read of it on the rota."
    cues = [{"kind": "procedure", "quote": words} for words in ("moved the day", "on the rota")]

    def one_scene(program, brief, answer):
        if program == "write":
            facts = [{"id": name, "quote": "again"} for name in brief["facts"]]
            fixed = {"by": "S", "to": ["A"], "text": text, "facts": facts, "cues": cues}
            return answer | {"setting": "In the corridor.", "turns": [fixed]}
        return answer

    model = scripted(one_scene)
    events, _ = live(model, families=["burial_day_taken_back", "file_lost_again"], forms=["up"])
    assert len({(event.family, event.level, event.emotion) for event in events}) > 4
    questions = {}
    for brief, request in model.questions:
        if brief["program"] == "annotate":
            questions.setdefault(brief["language"], set()).add(replace(request, program=""))
    assert {len(found) for found in questions.values()} == {1}


# -- a thousand cells of five languages, with people, turns and controls

LANGUAGES = ["ar", "en", "es", "hi", "ja"]
CELLS = 1_000


def values(value):
    """Give every scalar that a cell or event holds, as text."""
    if is_dataclass(value):
        return {text for field in fields(value) for text in values(getattr(value, field.name))}
    if isinstance(value, tuple | list):
        return {text for one in value for text in values(one)}
    return {str(value)} if value not in (None, "") and not isinstance(value, bool) else set()


def words_of(event):
    """Give every word of every value that an event holds."""
    return {word for text in values(event) for word in re.findall(r"[\w.@/-]+", text)}


@pytest.fixture(scope="module")
def thousand(scripted, live, mine):
    """(events, what became of them, questions) of a thousand cells and more; readers answer as little as they can, and nobody replies."""

    class Brief(scripted):
        """The embedded writer; who reads answers at once, for what is asked of them is the matter here."""

        def answer(self, request):
            brief = find_brief(request.messages)
            if brief["program"] in ("event", "write", "vary"):
                return super().answer(request)
            self.questions.append((brief, request))
            said = {
                "claims": [{"id": claim["id"], "answer": "clearly"} for claim in brief.get("claims", ())],
                "labels": [],
            }
            is_reply = brief["program"] == "reply"
            return Response(json.dumps(said), Outcome.REFUSED if is_reply else Outcome.OK, "m", None, None, Usage(1, 1))

    model = Brief()
    settings = {
        "turns": {1: 2, 3: 1},
        "default_persona": True,
        "stop_early": False,
        "replies": {"alternative": False, "under": 1, "over": 0},
    }
    families = ["burial_day_taken_back", "told_to_be_over_it", "two_crowds_one_square", "mistake_owned_late"]
    events, lived = live(model, 5, languages=LANGUAGES, families=families, models=mine, **settings)
    return events, lived, model.questions


def of(questions, program):
    return [(brief, request) for brief, request in questions if brief["program"] == program]


def without_text(brief):
    """Give the words of a brief without those of the scene."""
    rest = {name: value for name, value in brief.items() if name != "scene"}
    turns = [{name: value for name, value in turn.items() if name != "text"} for turn in brief["scene"]["turns"]]
    return set(re.findall(r"[\w.@/-]+", json.dumps([rest, turns], ensure_ascii=False)))


def told_apart(request):
    """Give what stands before a brief, and whatever else goes with a question."""
    (message,) = request.messages
    before, fence, _ = message.content.partition("```brief\n")
    assert fence
    return before, request.contract.name, request.draw, repr(request.parameters)


def by_scene(lived):
    """Give the scenarios of each scene as a brief shows it."""
    found = defaultdict(list)
    for one in lived:
        for row in one.scenarios:
            if row.turns:
                found[row.language, row.setting, *(turn.text for turn in row.turns)].append(row)
    return found


def shown(brief):
    scene = brief["scene"]
    return (brief["language"], scene["setting"].strip(), *(turn["text"].strip() for turn in scene["turns"]))


def test_a_thousand_cells_ask_their_annotators_of_the_scene_alone(thousand):
    events, lived, questions = thousand
    cells = {cell.scenario_id: (event, cell) for event in events for cell in event.cells}
    scenes, asked = by_scene(lived), of(questions, "annotate")
    assert len({shown(brief) for brief, _ in asked}) > 0.5 * CELLS
    assert sum(len(rows) for rows in scenes.values()) >= CELLS
    assert len(asked) == 2 * sum(len(rows) for rows in scenes.values())
    assert [json.dumps(brief) for brief, _ in asked[::2]] == [json.dumps(brief) for brief, _ in asked[1::2]]
    assert {brief["language"] for brief, _ in asked} == set(LANGUAGES)
    # before the brief there is one text for all, and no draw or parameter says which cell it is
    assert len({told_apart(request) for _, request in asked}) == 1
    names = {"program", "annotate", "language", "turns", "by", "to"}
    held = {event.event_key: (values(event), words_of(event)) for event in events}
    for brief, request in asked[::2]:  # the second annotator is asked the same
        assert set(brief) == {"program", "language", "scene"}
        assert set(brief["scene"]) == {"setting", "turns"}
        assert all(set(turn) == {"by", "to", "text"} for turn in brief["scene"]["turns"])
        rows = scenes[shown(brief)]
        assert rows
        said = without_text(brief)
        for row in rows:
            event, cell = cells[row.scenario_id]
            allowed = {cell.language, "R", *(person.pid for person in cell.people)}
            # whole values, and every word of them that is none of the brief's own
            assert said & held[event.event_key][0] <= allowed
            assert said & held[event.event_key][1] <= allowed | names
            for value in (cell.scenario_id, cell.event_key, row.family, *cell.profile_ids, cell.relationship):
                assert value not in request.messages[0].content.partition("```brief")[2]


def test_a_thousand_cells_ask_their_verifiers_of_the_scene_and_claims_and_nothing_else(thousand):
    _, lived, questions = thousand
    asked = of(questions, "verify")
    scenes = by_scene(lived)
    assert len(asked) == 2 * sum(len(rows) for rows in scenes.values()) >= 2 * CELLS
    assert len({told_apart(request) for _, request in asked}) == 1
    annotated = {json.dumps(brief, sort_keys=True) for brief, _ in of(questions, "annotate")}
    held = Counter()
    for brief, _ in asked:
        # what an annotator is shown, and the claims
        blind = {name: value for name, value in brief.items() if name != "claims"} | {"program": "annotate"}
        assert json.dumps(blind, sort_keys=True) in annotated
        claims = brief["claims"]
        assert [claim["id"] for claim in claims] == list(range(1, len(claims) + 1))
        assert Counter(claim["field"] for claim in claims if claim["field"] != "cue") == {
            "goal": 1,
            "emotion": 1,
            "power_form": 1,
        }
        for claim in claims:
            assert set(claim) == {"id", "field", "value"} | ({"quote"} if claim["field"] == "cue" else set())
            assert "quote" not in claim or any(claim["quote"] in turn["text"] for turn in brief["scene"]["turns"])
        true = {(row.goal, row.emotion, row.power_form) for row in scenes[shown(brief)]}
        value = {claim["field"]: claim["value"] for claim in claims}
        if len(true) == 1:
            ((goal, emotion, power_form),) = true
            held[sum((value["goal"] == goal, value["emotion"] == emotion, value["power_form"] == power_form))] += 1
    # how many of the claims are true says nothing: either half holds one or two of the three, as often
    assert sum(held.values()) >= CELLS
    assert abs(held[1] - held[2]) < 0.06 * sum(held.values())
    # with its cues none of a question's claims about labels need be true, or all of them
    assert held[0] + held[3] < 0.25 * sum(held.values())


def test_a_judge_is_not_told_what_kind_of_reply_it_reads(scripted, live, mine):
    model = scripted()
    settings = {"families": ["burial_day_taken_back"], "levels": ["mid"], "models": mine | {"judges": ["mine/j"]}}
    events, lived = live(model, languages=["en", "ja"], **settings)
    replies = {}
    for one in lived:
        for reply in one.replies:
            replies.setdefault(reply.text, []).append(reply)
    asked = of(model.questions, "judge")
    assert len(asked) == sum(map(len, replies.values()))
    assert {kind for same in replies.values() for kind in (one.kind for one in same)} == {
        ReplyKind.FAITHFUL,
        ReplyKind.ALTERNATIVE,
        ReplyKind.FAILURE,
    }
    assert len({told_apart(request) for _, request in asked}) == 1
    probes = defaultdict(set)
    words = ("kind", "mechanism", "variant", "severity", "direction", "style")
    kinds = {*map(str, Mechanism), *map(str, ReplyKind), *words} - {"other"}
    for brief, _ in asked:
        assert set(brief) == {"program", "language", "task", "stance", "scene", "reply", "probes"}
        assert brief["reply"] in replies
        probes[shown(brief)].add(json.dumps(brief["probes"], ensure_ascii=False))
        rest = {name: value for name, value in brief.items() if name not in ("scene", "reply")}
        said = set(re.findall(r"[\w.]+", json.dumps(rest, ensure_ascii=False)))
        assert said.isdisjoint(kinds | {reply.reply_id for reply in replies[brief["reply"]]})
    # one list of probes for a scene, whatever is judged
    assert {len(found) for found in probes.values()} == {1}
    assert len(events) == len(lived)
