"""A writer that is told of no draw: the programs of one event agree, a rehearsal is not refused, and a scene can have several turns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.content.phrasings import FOLDER, read_phrasing
from synth.content.prompts import read_frame
from synth.content.scenarios import read_family
from synth.content.shelves import Shelves
from synth.errors import BadRequest
from synth.offline.compose import Beat
from synth.offline.draws import draw_of
from synth.offline.settings import scenes
from synth.offline.turns import divided, told_turns
from synth.programs.contracts import ContrastAnswer, EventAnswer, ReasonedAnswer, ReplyAnswer, SceneAnswer

SHELVES = Shelves()
LANGUAGES = sorted({file.name.split("/")[2] for file in SHELVES.files(FOLDER)})
CELL = ("en", "told_to_be_over_it", "mid", "up")


def told(ask, brief):
    """Give a brief with its event told."""
    return brief | {"event": ask(brief | {"program": "event"})}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_programs_of_an_event_agree_in_every_family_and_form(language, ask, brief_of, cells_of):
    for family, level, form in cells_of(language):
        brief = told(ask, brief_of(language, family, level, form))
        event = EventAnswer.model_validate(brief["event"])
        assert event.world
        scene = SceneAnswer.model_validate(ask(brief | {"program": "write"}))
        assert ask(brief | {"program": "vary", "from": {}}) == ask(brief | {"program": "write"})
        assert all(fact.quote in scene.turns[0].text for fact in scene.turns[0].facts)
        if level != "masked" and form == str(next(iter(read_family(SHELVES, family).forms))):
            assert {fact.id: fact.quote for fact in scene.turns[0].facts} == event.facts
        reply = ReplyAnswer.model_validate(ask(brief | {"program": "reply", "style": "faithful"}))
        beats = {beat.beat: beat.text for beat in reply.beats}
        asked = {"program": "contrast", "mechanism": "avoidance", "variant": "", "severity": 2, "reply": beats}
        failing = ContrastAnswer.model_validate(ask(brief | asked))
        assert all(beats[beat.beat] != beat.text for beat in failing.beats)


def test_forms_of_an_event_share_their_lines_and_other_events_draw_others(ask, brief_of):
    language, family, level, _ = CELL
    up, down = (told(ask, brief_of(language, family, level, form)) for form in ("up", "down"))
    assert up["event"] == down["event"]
    assert draw_of(up) == draw_of(down)
    seeds = set()
    for number in range(50):
        brief = brief_of(*CELL)
        brief["people"]["S"]["name"] = f"Name{number}"
        seeds.add(draw_of(brief))
    assert len(seeds) == 50


@given(names=st.lists(st.text(min_size=1, max_size=20), min_size=2, max_size=2, unique=True), more=st.text())
def test_a_draw_depends_on_the_event_alone(names, more):
    brief = dict(zip(("language", "family", "level", "emotion", "explicitness"), "abcde", strict=True))
    people = [{"S": {"name": name, "role": "guest"}} for name in names]
    first, other = ({**brief, "people": one} for one in people)
    assert draw_of(first) == draw_of({**first, "again": [more], "form": more, "turns": 3, "program": more})
    assert draw_of(first) != draw_of(other)
    event = {"particulars": more, "world": "", "telling": 0}
    assert draw_of({**first, "event": event}) == draw_of({**other, "event": {"particulars": more}})
    seed, sequence = draw_of(first)
    assert 0 <= seed < 2**64
    assert 0 <= sequence < 2**32


def test_a_draw_that_is_named_is_taken():
    assert draw_of({"draw": {"seed": 7, "sequence": 9}}) == (7, 9)


def test_what_an_earlier_try_failed_changes_nothing(ask, brief_of):
    brief = told(ask, brief_of(*CELL, program="write"))
    assert ask(brief) == ask(brief | {"again": ["facts", "length"]})


@pytest.mark.parametrize("event", [{"world": "nowhere", "telling": 0}, {"world": "mother", "telling": 99}])
def test_a_world_that_somebody_else_told_is_chosen_anew(event, ask, brief_of):
    strange = {"particulars": "Something happened."}
    brief = brief_of(*CELL, event={**strange, **event})
    turns = ask(brief | {"program": "write"})["turns"]
    assert turns == ask(brief | {"program": "write", "event": strange})["turns"]
    assert turns[0]["facts"]
    assert ask(brief | {"program": "reply", "style": "faithful"})["beats"]


def test_a_build_of_ours_is_refused_a_world_that_nobody_wrote(ask, brief_of):
    event = {"particulars": "Something happened.", "world": "nowhere", "telling": 0}
    with pytest.raises(BadRequest, match="no world 'nowhere'"):
        ask(brief_of(*CELL, event=event, program="write", draw={"seed": 1, "sequence": 1}))


def test_somebody_without_a_name_goes_by_their_role(ask, brief_of):
    named = told(ask, brief_of("en", "file_lost_again", "mid", "up", program="write"))
    control = named | {"people": {"S": {"role": "the applicant"}, "A": {"role": "the official"}}}
    scene, other = ask(control), ask(named)
    assert "the official" in scene["setting"].casefold()
    assert "the applicant" in scene["setting"].casefold()
    quotes = [fact["quote"] for fact in other["turns"][0]["facts"]]
    assert [fact["quote"] for fact in scene["turns"][0]["facts"]] == quotes
    reply = ask(control | {"program": "reply", "style": "faithful"})
    assert [beat["beat"] for beat in reply["beats"]] == ["meet", "own", "hold", "close"]
    with pytest.raises(BadRequest, match="not complete"):
        ask(named | {"people": {"S": {}, "A": {}}})


# -- contrast


def contrast(mechanism, severity, variant=""):
    return {"program": "contrast", "mechanism": mechanism, "variant": variant, "severity": severity}


def test_a_severity_that_nobody_wrote_is_answered_with_the_nearest(ask, brief_of):
    brief = told(ask, brief_of("en", "file_lost_again", "mid", "up"))
    fails = read_phrasing(SHELVES, "en", "file_lost_again").fails
    assert list(fails["distancing"].severities) == [2]
    answers = [ask(brief | contrast("distancing", severity)) for severity in (1, 2, 3)]
    assert answers[0] == answers[1] == answers[2]
    assert ask(brief | contrast("attenuation", 1)) != ask(brief | contrast("attenuation", 3))


def test_a_variant_that_nobody_wrote_is_answered_with_one_of_its_direction(ask, brief_of):
    brief = told(ask, brief_of("en", "file_lost_again", "mid", "up"))
    assert ask(brief | contrast("granularity", 2)) == ask(brief | contrast("granularity", 2, "general"))
    assert ask(brief | contrast("avoidance", 2)) != ask(brief | contrast("avoidance", 2, "harsh"))


def test_what_cannot_fail_at_a_level_is_refused(ask, brief_of):
    low = told(ask, brief_of("en", "file_lost_again", "low", "up"))
    with pytest.raises(BadRequest, match="no attenuation at level low"):
        ask(low | contrast("attenuation", 2))
    assert ask(low | contrast("attenuation", 2, "amplified"))["beats"]


def test_a_build_of_ours_is_refused_what_its_content_does_not_hold(ask, brief_of):
    brief = told(ask, brief_of("en", "file_lost_again", "mid", "up")) | {"draw": {"seed": 1, "sequence": 1}}
    with pytest.raises(BadRequest, match="no distancing at severity 1"):
        ask(brief | contrast("distancing", 1))
    with pytest.raises(BadRequest, match="no granularity"):
        ask(brief | contrast("granularity", 2))


# -- reasoning


def test_what_is_thought_before_a_reply_is_what_the_family_says_of_its_beats(ask, brief_of):
    brief = told(ask, brief_of(*CELL)) | {"program": "reply", "style": "faithful"}
    thought = ReasonedAnswer.model_validate(ask(brief | {"reasoning": "cbt"}))
    spec = read_family(SHELVES, CELL[1])
    assert all(beat.says in thought.reasoning for beat in spec.reply.beats.values())
    plain = ask(brief)
    assert "reasoning" not in plain
    assert plain["beats"] == ask(brief | {"reasoning": "cbt"})["beats"]


# -- turns


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("count", [3, 5])
def test_a_scene_of_several_turns_says_what_one_turn_says(language, count, ask, brief_of, cells_of):
    listens = read_frame(SHELVES, language).listens
    assert listens
    for family, level, form in cells_of(language):
        brief = told(ask, brief_of(language, family, level, form)) | {"program": "write"}
        whole, scene = ask(brief), ask(brief | {"turns": count})
        SceneAnswer.model_validate(scene)
        turns = scene["turns"]
        other = "R" if brief["stance"] == "on_behalf" else "A"
        assert [turn["by"] for turn in turns] == ["S" if number % 2 == 0 else other for number in range(count)]
        assert all(turn["to"] == (["S"] if turn["by"] == other else [other]) for turn in turns)
        assert {turn["text"] for turn in turns[1::2]} <= set(listens)
        joiner = read_phrasing(SHELVES, language, family).joiner
        said = joiner.join(turn["text"] for turn in turns[::2])
        if level == "masked":  # its one line stands whole in the last turn, after as many openings as are wanted
            assert {**turns[-1], "text": said} == {**whole["turns"][0], "text": said}
            assert said.endswith(whole["turns"][0]["text"])
            assert len({turn["text"] for turn in turns[::2]}) == (count + 1) // 2
            continue
        assert said == whole["turns"][0]["text"]
        facts = [(fact["id"], fact["quote"]) for turn in turns for fact in turn["facts"]]
        assert facts == [(fact["id"], fact["quote"]) for fact in whole["turns"][0]["facts"]]
        assert all(fact["quote"] in turn["text"] for turn in turns for fact in turn["facts"])


def test_the_feeling_stands_in_the_last_turn_where_it_can():
    for order in read_phrasing(SHELVES, *CELL[:2]).orders["any"]:
        beats = [Beat(name, f"{name}.", (), frozenset()) for name in order]
        for parts in (1, 2, 3):
            groups = divided(beats, parts)
            assert [beat for group in groups for beat in group] == beats
            assert len(groups) == parts
            assert all(groups)
            feel = order.index("feel")
            assert ("feel" in [beat.name for beat in groups[-1]]) == (feel >= parts - 1)


def test_without_anything_to_say_in_between_a_scene_has_one_turn():
    phrasing, spec = read_phrasing(SHELVES, *CELL[:2]), read_family(SHELVES, CELL[1])
    scene = next(scenes(phrasing, spec, all_genders=False))
    assert len(told_turns(scene, 5, ())) == 1
    three = told_turns(scene, 3, ["Go on, {S}.", "<S:well|and then>?"])
    assert three[1]["text"] in {f"Go on, {scene.people['S'].name}.", "Well?", "And then?"}
