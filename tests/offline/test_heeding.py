"""The server that heeds its instruction: what is left out without the words, and what it proposes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synth.content.shelves import Shelves
from synth.errors import BadRequest
from synth.models.base import Contract, Parameters, Request
from synth.offline.embedded import OfflineModel
from synth.offline.heeding import HEEDED, heeding
from synth.offline.serve import Server
from synth.planning.casting import Slot
from synth.planning.events import make_events
from synth.planning.inventory import take_stock
from synth.planning.rounds import every_form
from synth.planning.strata import strata_of
from synth.programs.briefs import of_annotate, of_contrast, of_event, of_reply, of_vary, of_write
from synth.programs.contracts import EventAnswer, SceneAnswer
from synth.recipe import Recipe
from synth.records.schema import Message

PAGE = Path(__file__).resolve().parents[2] / "docs/tuning.md"
PLAIN = OfflineModel(Shelves())


def request(*contents, role="user"):
    messages = tuple(Message(role, content) for content in contents)
    return Request("offline", "offline", "", "", Contract("", 0), messages, Parameters(), 0, "")


def said(answer, instruction, brief):
    text = f"{instruction}\n\n```brief\n{json.dumps(brief)}\n```\n"
    return json.loads(answer(request(text)).text)


@pytest.fixture(scope="module")
def briefs():
    """The briefs of one event's life, by program, as models get them."""
    recipe = Recipe.of({"languages": ["en"], "families": ["burial_day_taken_back"], "quota": {"records": 1}})
    inventory = take_stock(recipe, Shelves())
    strata = strata_of(inventory)
    (event,) = make_events(inventory, strata, [Slot(0, 0, 0, every_form(inventory, strata[0]))])
    family, (cell, other, *_) = inventory.families[event.family], event.cells
    found = {"event": of_event(event, family)}
    told = EventAnswer.model_validate(said(PLAIN.answer, "", found["event"]))
    found["write"] = of_write(event, cell, family, told)
    scene = SceneAnswer.model_validate(said(PLAIN.answer, "", found["write"]))
    found["vary"] = of_vary(event, other, family, told, cell, scene)
    found["reply"] = of_reply(event, cell, family, told, scene, "faithful")
    beats = {beat["beat"]: beat["text"] for beat in said(PLAIN.answer, "", found["reply"])["beats"]}
    found["contrast"] = of_contrast(event, cell, family, told, scene, beats, cell.failures[0])
    found["annotate"] = of_annotate("en", scene)
    return found


@pytest.mark.parametrize("program", ["event", "write", "vary", "reply", "contrast"])
def test_something_is_left_out_unless_the_instruction_says_the_words(briefs, program):
    answer, brief = heeding(PLAIN.answer), briefs[program]
    whole = said(PLAIN.answer, "Write.", brief)
    assert said(answer, "Write.", brief) != whole
    assert said(answer, f"Write. {HEEDED.upper()}!", brief) == whole
    assert said(answer, "Write.", brief | {"again": ["facts"]}) == whole


def test_what_is_left_out_is_known(briefs):
    answer = heeding(PLAIN.answer)
    facts = said(PLAIN.answer, "", briefs["event"])["facts"]
    assert list(said(answer, "", briefs["event"])["facts"]) == list(facts)[:-1]
    before, after = (said(one, "", briefs["write"])["turns"][-1] for one in (PLAIN.answer, answer))
    (gone,) = [fact for fact in before["facts"] if fact not in after["facts"]]
    assert gone["quote"] not in after["text"]
    assert all(fact["quote"] in after["text"] for fact in after["facts"])
    beats = said(PLAIN.answer, "", briefs["reply"])["beats"]
    assert said(answer, "", briefs["reply"])["beats"] == beats[:-1]
    given = briefs["contrast"]["reply"]
    assert all(beat["text"] == given[beat["beat"]] for beat in said(answer, "", briefs["contrast"])["beats"])


def test_the_words_in_a_brief_are_no_instruction(briefs):
    answer = heeding(PLAIN.answer)
    plain = said(answer, "Write.", briefs["write"])
    assert said(answer, "Write.", briefs["write"] | {"happening": HEEDED}) == plain


def test_those_who_read_are_not_changed(briefs):
    assert said(heeding(PLAIN.answer), "", briefs["annotate"]) == said(PLAIN.answer, "", briefs["annotate"])


def test_a_proposer_gets_its_instruction_back_with_the_words():
    shown = "[[ ## current_instruction ## ]]\nWrite well.\n\n[[ ## examples_with_feedback ## ]]\n[]\n\nfields: `new_instruction`."
    answer = heeding(PLAIN.answer)(request("system", shown))
    assert json.loads(answer.text) == {"new_instruction": f"Write well.\n\n{HEEDED.capitalize()}."}
    assert answer.usage.tokens_out > 0


def test_other_questions_without_a_brief_are_refused():
    with pytest.raises(BadRequest, match="dspy's proposers only"):
        heeding(PLAIN.answer)(request("hello"))


def test_a_server_heeds_only_where_it_is_told_to(briefs):
    from urllib.request import Request as Asked
    from urllib.request import urlopen

    texts = []
    for heeds in (False, True):
        with Server(PLAIN, heeds=heeds) as server:
            content = f"Write.\n\n```brief\n{json.dumps(briefs['reply'])}\n```\n"
            body = json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]}).encode()
            with urlopen(Asked(server.url + "/chat/completions", body)) as answer:
                texts.append(json.load(answer)["choices"][0]["message"]["content"])
    assert texts[0] == PLAIN.answer(request(content)).text
    assert texts[1] == heeding(PLAIN.answer)(request(content)).text != texts[0]


def test_the_words_are_told_and_stand_in_no_prompt_of_ours():
    assert HEEDED in PAGE.read_text(encoding="utf-8")
    prompts = Shelves().files("templates/prompts", ".md")
    assert prompts
    assert [file.name for file in prompts if HEEDED in file.text().casefold()] == []
