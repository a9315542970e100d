"""Every check fires under its own name and no other; what can be mended is asked for once more, and what failed is kept either way."""

from __future__ import annotations

import functools
import json
from collections import Counter

import pytest

from synth.content.lexicons import read_lexicon
from synth.content.shelves import Shelves
from synth.line.checks import NAMES, UNMENDED
from synth.records.labels import Emotion, Outcome, ReplyKind

BURIAL, MESSAGES = "burial_day_taken_back", "two_crowds_one_square"
SPANISH = (
    "Esta tarde he vuelto a la oficina para pedir que me expliquen por qué nadie me ha avisado de nada, y me han "
    "dicho otra vez que espere sentada hasta que alguien tenga tiempo de mirar los papeles que entregué en enero."
)
NOWHERE = "words that stand nowhere at all"


def turn(change):
    """Make a fault of the last turn of a scene."""
    return lambda brief, answer: answer | {"turns": [*answer["turns"][:-1], change(brief, answer["turns"][-1])]}


def said(text):
    return turn(lambda _brief, one: one | {"text": f"{one['text']}{text}"})


def misquoted(_brief, one):
    return one | {"facts": [one["facts"][0] | {"quote": NOWHERE}, *one["facts"][1:]]}


def swapped(_brief, one):
    first, second, *rest = one["facts"]
    return one | {"facts": [first | {"id": second["id"]}, second | {"id": first["id"]}, *rest]}


def unsaid(brief, one):
    needed = [name for name, fact in brief["facts"].items() if fact["must"] == "preserve"]
    return one | {"facts": [fact for fact in one["facts"] if fact["id"] != needed[0]]}


def unknown(_brief, one):
    return one | {"facts": [*one["facts"], one["facts"][0] | {"id": "dragon"}]}


def named(brief, one):
    words = read_lexicon(Shelves(), brief["language"]).feelings[Emotion(brief["emotion"])]
    word = next(word for word in ("angry", "grief", "hurt", "joyful", "proud") if words.found(word))
    return one | {"text": f"{one['text']} All day I was {word}."}


def another_text(_brief, answer):
    """Say something else altogether, with facts and cues quoted from it."""
    one = answer["turns"][-1]
    words = [f"Qu{n}va zol{n}ta" for n in range(60)]
    quotes = iter(words)
    again = {name: [quoted | {"quote": next(quotes), "nth": 0} for quoted in one[name]] for name in ("facts", "cues")}
    return answer | {"turns": [one | {"text": ", ".join(words)} | again]}


def in_spanish(_brief, answer):
    pairs = SPANISH.split()
    quotes = iter([" ".join(two) for two in zip(pairs[::2], pairs[1::2], strict=False)])
    one = answer["turns"][-1]
    again = {name: [quoted | {"quote": next(quotes), "nth": 0} for quoted in one[name]] for name in ("facts", "cues")}
    return answer | {"setting": SPANISH, "turns": [one | {"text": SPANISH} | again]}


def within(_brief, one):
    """Quote a cue and words of it, which are no second cue."""
    whole = one["cues"][0]
    return one | {"cues": [whole, whole | {"quote": whole["quote"][: len(whole["quote"]) // 2].strip()}]}


SCENES = {
    "nobody of the scene is addressed": (BURIAL, "mid", "people", turn(lambda _brief, one: one | {"to": ["Q"]})),
    "the turn is nobody's": (MESSAGES, "mid", "people", turn(lambda _brief, one: one | {"to": ["X"]})),
    "the one who is not there is addressed": (
        "told_to_be_over_it",
        "mid",
        "people",
        turn(lambda _brief, one: one | {"to": ["X"]}),
    ),
    "an assistant where there is none": (BURIAL, "mid", "people", turn(lambda _brief, one: one | {"to": ["R"]})),
    "nobody is addressed": (BURIAL, "mid", "people", turn(lambda _brief, one: one | {"to": []})),
    "said to oneself": (BURIAL, "mid", "people", turn(lambda _brief, one: one | {"to": ["S"]})),
    "a turn too many": (
        BURIAL,
        "mid",
        "turns",
        lambda _brief, answer: answer | {"turns": [{"by": "A", "to": ["S"], "text": "Go on."}, *answer["turns"]]},
    ),
    "the other speaks": (BURIAL, "mid", "turns", turn(lambda _brief, one: one | {"by": "A", "to": ["S"]})),
    "a fact is not quoted": (BURIAL, "mid", "facts", turn(unsaid)),
    "a fact of no family": (BURIAL, "mid", "facts", turn(unknown)),
    "two facts are swapped": (BURIAL, "mid", "facts", turn(swapped)),
    "nothing of what happened is quoted": (BURIAL, "masked", "facts", turn(lambda _brief, one: one | {"facts": []})),
    "a quotation that stands nowhere": (BURIAL, "mid", "quotes", turn(misquoted)),
    "words that stand there once, quoted twice": (
        BURIAL,
        "mid",
        "quotes",
        turn(lambda _brief, one: one | {"facts": [fact | {"nth": 3} for fact in one["facts"]]}),
    ),
    "one cue of two": (BURIAL, "masked", "cues", turn(lambda _brief, one: one | {"cues": one["cues"][:1]})),
    "one cue, told twice": (BURIAL, "masked", "cues", turn(lambda _brief, one: one | {"cues": one["cues"][:1] * 2})),
    "a cue within another": (BURIAL, "masked", "cues", turn(within)),
    "nothing is asked of the editor": (MESSAGES, "mid", "request", lambda _brief, answer: answer | {"request": "  "}),
    "a hidden feeling is named": (BURIAL, "masked", "explicitness", turn(named)),
    "another language": (BURIAL, "mid", "language", in_spanish),
    "a mark of a template": (BURIAL, "mid", "form", said(" [INST] And so on.")),
    "a loop": (BURIAL, "mid", "form", said(" And then, and then." * 40)),
}


def planted(programs, fault, *, until_asked_again):
    """Give a change that plants a fault in the answers of programs, for good or until they are asked again."""

    def change(program, brief, answer):
        if program not in programs or (until_asked_again and "again" in brief):
            return answer
        return fault(brief, answer)

    return change


def kept_of(lived):
    return [check for one in lived for row in one.scenarios for check in row.failed_checks]


def asked_again(model, *programs):
    return [tuple(brief["again"]) for brief, _ in model.questions if brief["program"] in programs and "again" in brief]


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_that_stays_as_it_is_is_lost_under_the_name_of_its_check(scripted, live, mine, name):
    family, level, check, fault = SCENES[name]
    model = scripted(planted(("write",), fault, until_asked_again=False))
    _, lived = live(model, families=[family], levels=[level], models=mine)
    scenarios = [row for one in lived for row in one.scenarios]
    assert scenarios
    again = asked_again(model, "write", "vary")
    found = {(one.about, one.check) for one in kept_of(lived)}
    assert found == {("scene", check)}
    assert all(one.says for one in kept_of(lived))
    if check in UNMENDED:
        assert again == []
        assert {one.draw for one in kept_of(lived)} == {0}
    else:
        assert again == [(check,)] * len(scenarios)
    if check in ("language", "form"):
        # what was written stays, and its filter says why it goes
        assert {row.outcome for row in scenarios} == {Outcome.OK}
        drops = {verdict.filter for one in lived for verdict in one.verdicts if verdict.action == "drop"}
        assert drops == {check}
        assert {one.draw for one in kept_of(lived)} == {0}
    else:
        assert {row.outcome for row in scenarios} == {Outcome.MISMATCHED}
        assert all(row.turns == () for row in scenarios)
        if check not in UNMENDED:
            assert {one.draw for one in kept_of(lived)} == {0, 1}
    assert [one.replies + one.annotations for one in lived] == [[]] * len(lived)
    assert {"reply", "annotate", "verify"}.isdisjoint(model.programs)


@pytest.fixture(scope="module")
def unspoiled(scripted, live, mine):
    """A function that gives what becomes of the events of a family and level where nothing is wrong."""
    return functools.cache(lambda family, level: live(scripted(), families=[family], levels=[level], models=mine)[1])


@pytest.mark.parametrize("name", [name for name in SCENES if SCENES[name][2] not in UNMENDED])
def test_a_scene_that_is_mended_when_it_is_asked_for_again_stands_and_says_what_was_wrong(
    scripted, live, mine, unspoiled, name
):
    family, level, check, fault = SCENES[name]
    model = scripted(planted(("write",), fault, until_asked_again=True))
    events, lived = live(model, families=[family], levels=[level], models=mine)
    assert asked_again(model, "write") == [(check,)] * len(events)
    for event, one, other in zip(events, lived, unspoiled(family, level), strict=True):
        assert [row.outcome for row in one.scenarios] == [Outcome.OK] * len(event.cells)
        assert {(failed.about, failed.draw, failed.check) for failed in one.scenarios[0].failed_checks} == {
            ("scene", 0, check)
        }
        assert [row.failed_checks for row in one.scenarios[1:]] == [()] * (len(event.cells) - 1)
        # the first asking, and the second with its draw
        assert [call.draw for call in one.scenarios[0].calls if call.program == "write"] == [0, 1]
        assert [row.turns for row in one.scenarios] == [row.turns for row in other.scenarios]
        assert [reply.text for reply in one.replies] == [reply.text for reply in other.replies]


def test_a_form_that_is_another_text_or_the_same_is_no_edit(scripted, live, mine):
    written = {}

    def unchanged(program, brief, answer):
        if program == "write":
            written[brief["event"]["particulars"]] = answer
        return written[brief["event"]["particulars"]] if program == "vary" else answer

    for change in (unchanged, planted(("vary",), another_text, until_asked_again=False)):
        model = scripted(change)
        events, lived = live(model, families=[BURIAL], levels=["mid"], models=mine)
        varied = sum(len(event.cells) - 1 for event in events)
        assert asked_again(model, "vary") == [("edits",)] * varied
        assert Counter((one.about, one.draw, one.check) for one in kept_of(lived)) == {
            ("scene", 0, "edits"): varied,
            ("scene", 1, "edits"): varied,
        }
        assert [row.outcome for one in lived for row in one.scenarios] == [
            Outcome.OK if number == 0 else Outcome.MISMATCHED for event in events for number in range(len(event.cells))
        ]


@pytest.mark.parametrize("mended", [True, False])
def test_an_event_without_words_for_a_fact_is_asked_for_again(scripted, live, mine, mended):
    def lacking(_brief, answer):
        return answer | {"facts": dict(list(answer["facts"].items())[1:])}

    model = scripted(planted(("event",), lacking, until_asked_again=mended))
    events, lived = live(model, families=[BURIAL], models=mine)
    assert asked_again(model, "event") == [("facts",)] * len(events)
    draws = (0,) if mended else (0, 1)
    for one in lived:
        assert {row.outcome for row in one.scenarios} == {Outcome.OK if mended else Outcome.MISMATCHED}
        # what all forms share stands with the first one
        kept = [[(failed.about, failed.draw, failed.check) for failed in row.failed_checks] for row in one.scenarios]
        assert kept == [[("event", draw, "facts") for draw in draws], *[[]] * (len(one.scenarios) - 1)]
        assert [call.draw for call in one.scenarios[0].calls if call.program == "event"] == [0, 1]


@pytest.mark.parametrize("mended", [True, False])
def test_an_event_that_is_told_in_another_language_is_asked_for_again(scripted, live, mine, mended):
    def foreign(_brief, answer):
        return answer | {"particulars": SPANISH, "facts": dict.fromkeys(answer["facts"], SPANISH)}

    model = scripted(planted(("event",), foreign, until_asked_again=mended))
    events, lived = live(model, families=[BURIAL], levels=["mid"], models=mine)
    assert asked_again(model, "event") == [("language",)] * len(events)
    assert {row.outcome for one in lived for row in one.scenarios} == {Outcome.OK if mended else Outcome.MISMATCHED}
    assert {(one.about, one.check) for one in kept_of(lived)} == {("event", "language")}
    assert bool(model.programs["write"]) is mended


BEATS = {
    "one is missing": lambda beats: beats[:-1],
    "in another order": lambda beats: beats[::-1],
    "one too many": lambda beats: [*beats, {"beat": "dragon", "text": "Roar."}],
    "one is empty": lambda beats: [*beats[:-1], beats[-1] | {"text": "  "}],
}


@pytest.mark.parametrize("mended", [True, False])
@pytest.mark.parametrize("style", ["faithful", "alternative"])
@pytest.mark.parametrize("name", BEATS)
def test_a_reply_has_the_beats_of_its_family_in_their_order(scripted, live, mine, name, style, mended):
    def spoil(brief, answer):
        return answer | {"beats": BEATS[name](answer["beats"])} if brief["style"] == style else answer

    model = scripted(planted(("reply",), spoil, until_asked_again=mended))
    _, lived = live(model, families=[BURIAL], levels=["mid"], models=mine)
    draws = [0] if mended else [0, 1]
    for one in lived:
        for row in one.scenarios:
            about = f"{row.scenario_id}.{style}"
            assert [(failed.about, failed.draw, failed.check) for failed in row.failed_checks] == [
                (about, draw, "beats") for draw in draws
            ]
            replies = [reply for reply in one.replies if reply.scenario_id == row.scenario_id]
            assert (about in {reply.reply_id for reply in replies}) is mended
            if style == "faithful" and not mended:
                assert (row.outcome, replies) == (Outcome.MISMATCHED, [])
            else:
                assert row.outcome is Outcome.OK
                assert any(reply.kind is ReplyKind.FAILURE for reply in replies)
    assert set(asked_again(model, "reply")) == {("beats",)}


CONTRASTS = {
    "nothing is changed": (
        "edits",
        lambda brief, answer: (
            answer | {"beats": [one | {"text": brief["reply"][one["beat"]]} for one in answer["beats"]]}
        ),
    ),
    "a beat too many": (
        "beats",
        lambda _brief, answer: answer | {"beats": [*answer["beats"], {"beat": "dragon", "text": "Roar."}]},
    ),
    "much longer": (
        "length",
        lambda brief, answer: (
            answer
            | {
                "beats": [
                    answer["beats"][0] | {"text": f"{answer['beats'][0]['text']} {'So it is. ' * 40}"},
                    *answer["beats"][1:],
                ]
            }
        ),
    ),
    "nothing is kept": ("kept", lambda _brief, answer: answer | {"kept": []}),
}


@pytest.mark.parametrize("mended", [True, False])
@pytest.mark.parametrize("name", CONTRASTS)
def test_a_failure_that_breaks_a_rule_of_its_mechanism_is_asked_for_again_and_else_left_out(
    scripted, live, mine, name, mended
):
    check, fault = CONTRASTS[name]
    model = scripted(planted(("contrast",), fault, until_asked_again=mended))
    _, lived = live(model, families=[BURIAL], levels=["mid"], models=mine)
    assert {one.check for one in kept_of(lived)} == {check}
    assert {one.draw for one in kept_of(lived)} == ({0} if mended else {0, 1})
    failed, made = {one.about for one in kept_of(lived)}, {reply.reply_id for one in lived for reply in one.replies}
    assert failed <= made if mended else failed.isdisjoint(made)
    assert {row.outcome for one in lived for row in one.scenarios} == {Outcome.OK}
    assert asked_again(model, "contrast") == [(check,)] * len(failed)


def test_a_quotation_of_a_reader_that_stands_nowhere_is_evidence_lost_and_nothing_is_asked_again(scripted, live, mine):
    members = {"annotate": "labels", "verify": "claims", "judge": "probes"}

    def misread(program, _brief, answer):
        if program not in members:
            return answer
        name = members[program]
        return {name: [one | {"quote": NOWHERE, "nth": 0} for one in answer[name]]}

    model = scripted(misread)
    _, lived = live(model, families=[BURIAL], levels=["mid"], models=mine | {"judges": ["mine/judge"]})
    for one in lived:
        for row in one.scenarios:
            about = {failed.about for failed in row.failed_checks}
            own = {reply.reply_id for reply in one.replies if reply.scenario_id == row.scenario_id}
            assert {name for name in about if name.startswith("annotator") and "." not in name} == {
                "annotator-1",
                "annotator-2",
            }
            assert {name for name in about if name.endswith(".verify")} == {"annotator-1.verify", "annotator-2.verify"}
            assert {name.partition(".")[2] for name in about if name.startswith("judge")} == own
            assert {(failed.draw, failed.check) for failed in row.failed_checks} == {(0, "evidence")}
            assert row.outcome is Outcome.OK
        assert one.annotations
        assert {label.evidence for label in one.annotations} == {()}
    assert not [brief for brief, _ in model.questions if "again" in brief]


def test_every_name_is_one_that_a_test_here_has_seen():
    seen = {check for _, _, check, _ in SCENES.values()} | {check for check, _ in CONTRASTS.values()}
    assert seen | {"beats", "edits", "evidence"} == set(NAMES)


@pytest.mark.parametrize("until_asked_again", [True, False])
def test_a_second_honest_reply_says_it_in_other_words(scripted, live, mine, until_asked_again):
    first = {}

    def same(brief, answer):
        key = json.dumps(brief["scene"])
        if brief["style"] == "faithful":
            first[key] = answer["beats"]
            return answer
        return answer | {"beats": first[key]}

    model = scripted(planted(("reply",), same, until_asked_again=until_asked_again))
    _, lived = live(model, families=[BURIAL], levels=["mid"], models=mine)
    scenarios = [row for one in lived for row in one.scenarios]
    kinds = Counter(reply.kind for one in lived for reply in one.replies)
    assert {(one.about.rpartition(".")[2], one.check) for one in kept_of(lived)} == {("alternative", "edits")}
    assert asked_again(model, "reply") == [("edits",)] * len(scenarios)
    # mended it is there, and else the record stands without it
    assert kinds[ReplyKind.ALTERNATIVE] == (len(scenarios) if until_asked_again else 0)
    assert kinds[ReplyKind.FAITHFUL] == len(scenarios)
