"""Scenes of several turns, replies that are thought through first, and controls without personas."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from synth.line.evidence import normal
from synth.records.cells import is_control
from synth.records.labels import Explicitness, Must, Outcome, ReplyKind

BURIAL, FRIEND = "burial_day_taken_back", "told_to_be_over_it"


def rows(lived, name):
    return [row for one in lived for row in getattr(one, name)]


def in_turns(count):
    """Give a change that tells every scene in so many turns: the speaker's sentences shared out, a nod in between."""

    def change(program, brief, answer):
        if program not in ("write", "vary"):
            return answer
        whole = max((turn for turn in answer["turns"] if turn["by"] == "S"), key=lambda turn: len(turn["text"]))
        other = "R" if brief["stance"] == "on_behalf" else "A"
        rest = [{"by": other, "to": ["S"], "text": f"Go on, number {n}."} for n in range(count // 2)]
        marks = [[kind, one["quote"], one] for kind in ("facts", "cues") for one in whole[kind]]
        spoken, turns = [], []
        for n in range(count // 2 + 1):
            own = [mark for place, mark in enumerate(marks) if place % (count // 2 + 1) == n]
            text = f"Part {n}. " + " And: ".join(quote for _, quote, _ in own)
            given = {kind: [one | {"nth": 0} for name, _, one in own if name == kind] for kind in ("facts", "cues")}
            spoken.append({"by": "S", "to": [other], "text": text} | given)
        for n, turn in enumerate(spoken):
            turns += [turn, *rest[n : n + 1]]
        return answer | {"turns": turns}

    return change


@pytest.mark.parametrize("family", [BURIAL, FRIEND])
@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_scene_of_several_turns_is_put_together(scripted, live, mine, count, family):
    model = scripted(in_turns(count))
    settings = {"turns": {count: 1}, "gold": {"verify": False}}
    events, lived = live(model, families=[family], forms=["up", "level"], models=mine, **settings)
    scenarios = rows(lived, "scenarios")
    assert {row.outcome for row in scenarios} == {Outcome.OK}, [row.failed_checks for row in scenarios]
    names = {cell.scenario_id: {p.pid: p.short for p in cell.people} for event in events for cell in event.cells}
    for row in scenarios:
        assert (len(row.turns), row.target_turn) == (count, count - 1)
        assert [turn.pid == "S" for turn in row.turns] == [number % 2 == 0 for number in range(count)]
        for turn in row.turns:
            # what is planned is felt by the speaker, in the turn that is answered
            own = turn.pid == "S" and turn is row.turns[-1]
            assert ((turn.goal, turn.felt, turn.shown, turn.emotion) == (None,) * 4) is not own
        # the prompt ends in the turn that is answered, and holds those before it, each with who says it
        (message,) = row.prompt
        places = [message.content.index(turn.text) for turn in row.turns]
        assert places == sorted(places)
        said = [f"{names[row.scenario_id].get(turn.pid) or turn.pid}: {turn.text}" for turn in row.turns[:-1]]
        assert all(line in message.content for line in said)
        # facts and cues lie in their own turns
        for fact in row.facts:
            for span in fact.spans:
                words = row.turns[span.turn].text[span.start : span.end]
                assert words
                assert fact.words == row.turns[fact.spans[-1].turn].text[fact.spans[-1].start : fact.spans[-1].end]
            assert fact.spans or fact.must is not Must.PRESERVE or row.explicitness is Explicitness.MASKED
        for turn in row.turns:
            assert all(turn.text[cue.start : cue.end].strip() for cue in turn.cues)
            assert all(0 <= span.start < span.end <= len(turn.text) for span in turn.cause)
        if row.explicitness is Explicitness.MASKED:
            assert sum(len(turn.cues) for turn in row.turns) >= 2
    if count > 1:
        spread = [{span.turn for fact in row.facts for span in fact.spans} for row in scenarios]
        assert any(len(turns) > 1 for turns in spread)
    assert {reply.kind for reply in rows(lived, "replies")} >= {ReplyKind.FAITHFUL, ReplyKind.FAILURE}


def test_a_masked_scene_whose_cues_lie_in_two_turns_stands(scripted, live, mine):
    """Every cue is verified, whichever turn it lies in."""
    model = scripted(in_turns(3))
    _, lived = live(model, families=[BURIAL], levels=["masked"], models=mine, turns={3: 1})
    scenarios = rows(lived, "scenarios")
    assert all(len({number for number, turn in enumerate(row.turns) if turn.cues}) == 2 for row in scenarios)
    # nobody knows these words, so a second opinion (draw 1) is asked as well
    first = [brief for brief, request in model.questions if brief["program"] == "verify" and not request.draw]
    claimed = [claim for brief in first for claim in brief["claims"]]
    wanted = Counter((turn.text[cue.start : cue.end]) for row in scenarios for turn in row.turns for cue in turn.cues)
    assert Counter(claim["quote"] for claim in claimed if claim["field"] == "cue") == Counter(
        {quote: 2 * times for quote, times in wanted.items()}
    )


def test_what_a_writer_is_told_of_turns_is_how_many_and_how_they_move(scripted, live, mine):
    model = scripted(in_turns(3))
    events, _ = live(model, families=[BURIAL], models=mine, turns={3: 1})
    written = [brief for brief, _ in model.questions if brief["program"] == "write"]
    assert {brief["turns"] for brief in written} == {3}
    assert all(len(brief["arc"]) > 20 for brief in written)
    assert {cell.arc for event in events for cell in event.cells} - {""}
    single = scripted()
    live(single, families=[BURIAL], levels=["mid"], models=mine)
    assert {(brief["turns"], "arc" in brief) for brief, _ in single.questions if brief["program"] == "write"} == {
        (1, False)
    }


@pytest.mark.parametrize("change", [in_turns(1), in_turns(5)])
def test_a_scene_of_other_turns_than_asked_is_lost(scripted, live, mine, change):
    _, lived = live(scripted(change), families=[BURIAL], levels=["mid"], models=mine, turns={3: 1})
    assert {row.outcome for row in rows(lived, "scenarios")} == {Outcome.MISMATCHED}
    assert {one.check for row in rows(lived, "scenarios") for one in row.failed_checks} == {"turns"}


# -- reasoning

THOUGHT = "Zwischenwort: first of all one sees what was taken, and from whom."


@pytest.mark.parametrize("frame", ["cbt", "ebg"])
def test_what_was_thought_is_kept_on_the_reply_and_nowhere_else(scripted, live, mine, frame):
    def thinking(program, _brief, answer):
        return answer | {"reasoning": f"  {THOUGHT}\n"} if program == "reply" else answer

    model = scripted(thinking)
    _, lived = live(
        model, families=[BURIAL], models=mine | {"judges": ["mine/j"]}, reasoning=frame, levels=["mid", "masked"]
    )
    replies = rows(lived, "replies")
    assert {reply.kind: reply.reasoning for reply in replies} == {
        ReplyKind.FAITHFUL: THOUGHT,
        ReplyKind.ALTERNATIVE: THOUGHT,
        ReplyKind.FAILURE: None,
    }
    assert not [reply for reply in replies if THOUGHT in reply.text]
    assert THOUGHT not in str(rows(lived, "scenarios")) + str(rows(lived, "annotations")) + str(rows(lived, "verdicts"))
    for brief, request in model.questions:
        assert THOUGHT not in "".join(message.content for message in request.messages)
        assert ("reasoning" in brief) is (brief["program"] == "reply")
        assert request.contract.name != "reply"
    asked = {request.messages[0].content for brief, request in model.questions if brief["program"] == "reply"}
    assert all("Before you write, think the scene through in the frame of" in text for text in asked)


def test_without_a_frame_nothing_is_thought_and_a_reply_that_owes_its_thought_is_sent_back(scripted, live, mine):
    model = scripted()
    _, lived = live(model, families=[BURIAL], levels=["mid"], models=mine)
    assert {reply.reasoning for reply in rows(lived, "replies")} == {None}
    assert not any("think the scene through" in request.messages[0].content for _, request in model.questions)

    def thoughtless(program, _brief, answer):
        return answer | {"reasoning": ""} if program == "reply" else answer

    _, lived = live(scripted(thoughtless), families=[BURIAL], levels=["mid"], models=mine, reasoning="rt")
    calls = Counter(call.program for row in rows(lived, "scenarios") for call in row.calls)
    assert calls["reply"] == calls["reply.repair"] > 0
    assert {row.outcome for row in rows(lived, "scenarios")} == {Outcome.UNPARSABLE}


# -- controls

PEOPLE_ONLY = {"role"}


@pytest.fixture(scope="module")
def controlled(scripted, live, mine):
    """Events with their controls, what became of them, and every question, by the event's particulars."""
    model = scripted()
    events, lived = live(
        model, families=[BURIAL, FRIEND], ordinals=2, levels=["low", "mid", "high"], models=mine, default_persona=True
    )
    return events, lived, model


def test_a_control_is_the_first_form_once_more_without_anybody_in_particular(controlled):
    events, lived, _ = controlled
    for event, one in zip(events, lived, strict=True):
        first, *_, last = one.scenarios
        cell = event.cells[-1]
        assert (last.scenario_id, last.form_key) == (f"{first.scenario_id}.default", f"{first.form_key}.default")
        assert [is_control(row.form_key) for row in one.scenarios] == [False] * (len(one.scenarios) - 1) + [True]
        assert (last.power_form, last.emotion, last.felt, last.goal) == (
            first.power_form,
            first.emotion,
            first.felt,
            first.goal,
        )
        assert cell.failures == ()
        assert last.outcome is Outcome.OK, last.failed_checks
        for person in last.participants:
            assert (person.name, person.profile_id, person.biography, person.occupation) == (None,) * 4
            assert (person.age_band, person.gender, person.agreement) == (None,) * 3
        assert last.profile_ids == ()
        assert {reply.kind for reply in one.replies if reply.scenario_id == last.scenario_id} == {
            ReplyKind.FAITHFUL,
            ReplyKind.ALTERNATIVE,
        }


def test_a_control_s_brief_says_of_its_people_what_they_are_to_each_other_and_nothing_else(controlled):
    events, _, model = controlled
    known = {
        word
        for event in events
        for cell in event.cells
        for person in cell.people
        for word in (person.name, person.short, person.given, person.profile_id, *dict(person.calls).values())
        if word
    }
    asked = [
        brief
        for brief, _ in model.questions
        if brief["program"] in ("write", "vary", "reply") and "name" not in brief["people"]["S"]
    ]
    # a control is written anew: an edit would keep what the persona brought in
    assert Counter(brief["program"] for brief in asked) == Counter(write=len(events), reply=2 * len(events))
    for brief in asked:
        assert all(set(person) == PEOPLE_ONLY for person in brief["people"].values())
        of_the_event = {"event", "facts", "scene", "request"}
        told = json.dumps(
            {name: value for name, value in brief.items() if name not in of_the_event}, ensure_ascii=False
        )
        assert known & set(re.findall(r"[\w-]+", told)) == set()


def test_a_control_s_prompt_calls_people_by_their_place(controlled):
    _, lived, _ = controlled
    for one in lived:
        control = one.scenarios[-1]
        assert not re.search(r"\{[A-Z]\}|None", control.prompt[0].content)
        assert normal(control.turns[-1].text) in control.prompt[0].content
