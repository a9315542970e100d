"""Whatever becomes of a record, it is sealed with its outcome, and nothing more is paid for what is lost."""

from __future__ import annotations

from collections import Counter

import pytest

from synth.records.labels import Outcome, ReplyKind
from synth.records.verification import verify

SCENES = ("write", "vary")
SPANISH = (
    "Esta tarde he vuelto a la oficina para pedir que me expliquen por qué nadie me ha avisado de nada, y me han "
    "dicho otra vez que espere sentada hasta que alguien tenga tiempo de mirar los papeles que entregué en enero."
)


def requoted(turn, text):
    """Give a turn's facts and cues as quotations of another text, each of words of its own."""
    words = text.split()
    words = iter([" ".join(pair) for pair in zip(words[::2], words[1::2], strict=False)])
    return {
        name: [one | {"quote": next(words), "nth": 0} for one in turn[name]]
        for name in ("facts", "cues")
        if name in turn
    }


def in_spanish(program, brief, answer):
    if program in SCENES:
        turns = [turn | {"text": SPANISH, **requoted(turn, SPANISH)} for turn in answer["turns"]]
        return answer | {"setting": SPANISH, "request": "", "turns": turns}
    return answer


def broken(*programs, text="I would rather not say."):
    return lambda program, _brief, answer: text if program in programs else answer


def misquoting(program, _brief, answer):
    if program in SCENES:
        turn = answer["turns"][-1]
        facts = [fact | {"quote": "words that stand nowhere"} for fact in turn["facts"]]
        return answer | {"turns": [*answer["turns"][:-1], turn | {"facts": facts}]}
    return answer


def rows(build, kept=False):
    return list(build.records(kept=kept))


def test_a_quotation_that_is_not_in_the_text_mismatches_and_the_row_is_kept_in_its_part(scripted, built):
    model = scripted(misquoting)
    build = built(model)
    found = rows(build)
    assert len(found) == 12
    assert {row.scenario.outcome for row in found} == {Outcome.MISMATCHED}
    assert all(row.scenario.turns == () and row.replies == () and row.scenario.calls for row in found)
    assert {reason for row in found for reason in row.selection.reasons} == {"outcome:mismatched"}
    assert rows(build, kept=True) == []
    assert (build.report.kept, build.report.missing) == (0, 12)
    # without a first form there is nothing to vary; each is asked for once more
    assert model.programs == Counter(event=4, write=24)
    assert verify(build.folder) == []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("nobody of the scene", {"by": "Q"}),
        ("addressed to nobody", {"to": ["Q"]}),
        ("an empty turn", {"text": " \n "}),
        ("no fact of the family", {"facts": [{"id": "dragon", "quote": "the"}]}),
    ],
)
def test_a_scene_that_is_not_of_its_cell_is_mismatched(scripted, live, name, change):
    def wrong(program, _brief, answer):
        return answer | {"turns": [answer["turns"][0] | change]} if program in SCENES else answer

    _, lived = live(scripted(wrong), families=["burial_day_taken_back"])
    assert name
    assert {row.outcome for one in lived for row in one.scenarios} == {Outcome.MISMATCHED}
    assert [one.replies + one.annotations + one.verdicts for one in lived] == [[]] * len(lived)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("I would rather not say.", Outcome.UNPARSABLE),
        ("", Outcome.UNPARSABLE),
        ("[]", Outcome.UNPARSABLE),
        ('{"turns": []}', Outcome.UNPARSABLE),
        ('{"setting": "\\ud83d", "turns": [{"by": "S", "to": [], "text": "\\ud83d"}]}', Outcome.UNPARSABLE),
        ((Outcome.REFUSED,), Outcome.REFUSED),
        ((Outcome.TRUNCATED,), Outcome.TRUNCATED),
    ],
)
@pytest.mark.parametrize("programs", [("event",), SCENES, ("reply",)])
def test_an_answer_that_is_none_has_its_outcome(scripted, live, answer, outcome, programs):
    model = scripted(broken(*programs, text=answer))
    events, lived = live(model, families=["burial_day_taken_back"])
    scenarios = [row for one in lived for row in one.scenarios]
    assert [row.scenario_id for row in scenarios] == [cell.scenario_id for event in events for cell in event.cells]
    assert {row.outcome for row in scenarios} == {outcome}
    assert [one.replies for one in lived] == [[]] * len(lived)
    assert {label.target_id for one in lived for label in one.annotations} == (
        {row.scenario_id for row in scenarios} if programs == ("reply",) else set()
    )
    assert all(row.calls for one in lived for row in one.scenarios[:1])
    assert "contrast" not in model.programs
    # the scene is read beside its replies, and what was said of it is kept
    assert bool(model.programs["annotate"]) == (programs == ("reply",))
    calls = [call for row in scenarios for call in row.calls]
    assert sum(model.programs.values()) == len(calls)


def test_records_without_replies_are_sealed(scripted, built):
    build = built(scripted(broken("reply")))
    found = rows(build)
    assert {row.scenario.outcome for row in found} == {Outcome.UNPARSABLE}
    assert all(row.scenario.turns and row.replies == () for row in found)
    assert rows(build, kept=True) == []
    assert verify(build.folder) == []


def test_one_repair_question_mends_an_answer(scripted, live):
    asked = Counter()

    def once(program, brief, answer):
        key = str(brief)
        asked[key] += 1
        return "not JSON" if asked[key] == 1 and program == "reply" else answer

    _, lived = live(scripted(once), families=["burial_day_taken_back"])
    assert {row.outcome for one in lived for row in one.scenarios} == {Outcome.OK}
    repairs = [call for one in lived for row in one.scenarios for call in row.calls if call.program == "reply.repair"]
    assert len(repairs) == 2 * sum(len(one.scenarios) for one in lived)


def test_failures_that_cannot_be_used_leave_and_the_record_goes_for_want_of_one(scripted, built):
    build = built(scripted(broken("contrast")))
    found = rows(build)
    assert {row.scenario.outcome for row in found} == {Outcome.OK}
    assert {reply.kind for row in found for reply in row.replies} == {ReplyKind.FAITHFUL, ReplyKind.ALTERNATIVE}
    assert {reason for row in found for reason in row.selection.reasons} == {"too_few_replies"}
    assert build.report.by_reason == {"too_few_replies": 12}


@pytest.mark.parametrize("beats", [[{"beat": "dragon", "text": "Roar."}], "same"])
def test_a_failure_that_names_another_beat_or_changes_nothing_is_left_out(scripted, live, beats):
    def spoiled(program, brief, answer):
        if program != "contrast":
            return answer
        same = [{"beat": name, "text": text} for name, text in brief["reply"].items()]
        return {"beats": same if beats == "same" else beats, "kept": []}

    _, lived = live(scripted(spoiled), families=["burial_day_taken_back"])
    assert lived
    assert {reply.kind for one in lived for reply in one.replies} == {ReplyKind.FAITHFUL, ReplyKind.ALTERNATIVE}


def test_a_label_whose_words_are_not_there_stays_without_evidence(scripted, live):
    def misquoted(program, _brief, answer):
        return (
            {"labels": [{"field": "goal", "value": "complain", "quote": "nowhere"}], "kind": "person"}
            if program == "annotate"
            else answer
        )

    _, lived = live(scripted(misquoted), families=["burial_day_taken_back"])
    labels = [label for one in lived for label in one.annotations]
    assert labels
    # the gold labels that it could not tell stand there too, without a value
    untold = {("emotion", None, ()), ("power_form", None, ())}
    assert {(label.field, label.value, label.evidence) for label in labels} == {("goal", "complain", ())} | untold
    # whoever is asked as `offline` is a look-up, whatever the answer says of itself
    assert {str(label.annotator_kind) for label in labels} == {"lookup"}


def test_a_scene_that_a_filter_drops_is_not_paid_any_further(scripted, built):
    model = scripted(in_spanish)
    build = built(model)
    assert set(model.programs) == {"event", "write"}
    found = rows(build)
    assert len(found) == 12
    assert all(row.scenario.turns[0].text == SPANISH and row.replies == () for row in found)
    assert {row.scenario.outcome for row in found} == {Outcome.OK}
    assert all(any(reason.startswith("language:") for reason in row.selection.reasons) for row in found)
    assert (build.report.kept, build.report.missing) == (0, 12)
    assert {call.program for row in found for call in row.scenario.calls} == {"event", "write"}
    # each is asked for once more, by the name of the filter alone; and nothing is made an edit of a scene that does not stand
    again = [question for question, _ in model.questions if "again" in question]
    assert (model.programs["write"], len(again)) == (24, 12)
    assert {tuple(question["again"]) for question in again} == {("language",)}
    assert {(one.about, one.draw, one.check) for row in found for one in row.scenario.failed_checks} == {
        ("scene", 0, "language")
    }
    assert verify(build.folder) == []


def test_one_form_that_is_dropped_costs_the_others_nothing(scripted, live):
    def first_form_only(program, brief, answer):
        return in_spanish(program, brief, answer) if brief.get("form") == "level" else answer

    model = scripted(first_form_only)
    events, lived = live(model, families=["burial_day_taken_back"])
    answered = Counter(reply.scenario_id.rpartition(".")[2] for one in lived for reply in one.replies)
    assert "level" not in {reply.scenario_id.split(".")[1] for one in lived for reply in one.replies}
    assert answered
    assert model.programs["annotate"] == sum(len(event.cells) - 1 for event in events)
