"""What verifiers, annotators and judges say of a scene: what it is paid for, what it stops, and how it is kept."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from synth.gold import SIGHTED, decision, gold_of
from synth.line.readings import PROBE
from synth.programs.verify import SHARES
from synth.records.labels import Explicitness, GoldStatus, Outcome, ReplyKind

BURIAL, MESSAGES = "burial_day_taken_back", "two_crowds_one_square"
COLUMNS = ("goal", "emotion", "power_form")


def rows(lived, name):
    return [row for one in lived for row in getattr(one, name)]


def gold(lived):
    """Give the gold of every scenario, by id."""
    labels = rows(lived, "annotations")
    return {row.scenario_id: gold_of(row, labels) for row in rows(lived, "scenarios")}


def answering(answer, fields=COLUMNS):
    """Give a change in which verifiers give one answer to every claim of some fields."""

    def change(program, brief, said):
        if program != "verify":
            return said
        claimed = {claim["id"]: claim["field"] for claim in brief["claims"]}
        return {"claims": [one | {"answer": answer} if claimed[one["id"]] in fields else one for one in said["claims"]]}

    return change


def blinded(change, label):
    """Give a change in which annotators besides give labels of their own: a function (field, value) -> value or nothing."""

    def both(program, brief, said):
        if program != "annotate":
            return change(program, brief, said)
        given = [(one, label(one["field"], one["value"])) for one in said["labels"]]
        return {"labels": [one | {"value": value} for one, value in given if value]}

    return both


def test_a_scene_is_verified_in_two_questions_of_two_verifiers(scripted, live, mine):
    model = scripted()
    events, lived = live(model, families=[BURIAL], models=mine)
    forms = sum(len(event.cells) for event in events)
    asked = [brief for brief, _ in model.questions if brief["program"] == "verify"]
    assert len(asked) == 2 * forms
    for row in rows(lived, "scenarios"):
        about = [call.about for call in row.calls if call.program == "verify"]
        assert sorted(about) == ["annotator-1.verify", "annotator-2.verify"]
        said = [
            label
            for label in rows(lived, "annotations")
            if label.view == SIGHTED and label.target_id == row.scenario_id
        ]
        cues = sum(len(turn.cues) for turn in row.turns) if row.explicitness is Explicitness.MASKED else 0
        assert Counter(label.field for label in said) == Counter(
            {"goal": 2, "emotion": 2, "power_form": 2} | ({"cue": 2 * cues} if cues else {})
        )
        for field in COLUMNS:
            claimed = {label.value: label.share for label in said if label.field == field}
            assert claimed[getattr(row, field)] == 1.0
            assert len(claimed) == 2
        # a cue's claims keep where its words stand, whatever the verifier quotes
        spans = {(span.start, span.end) for label in said if label.field == "cue" for span in label.evidence}
        assert spans == ({(cue.start, cue.end) for turn in row.turns for cue in turn.cues} if cues else set())
    assert {status.status for one in gold(lived).values() for status in one.values()} == {GoldStatus.CONFIRMED}


def test_verifiers_of_their_own_share_the_halves_by_the_scenario(scripted, live, mine):
    model = scripted()
    _, lived = live(model, ordinals=4, families=[BURIAL], models=mine | {"verifiers": ["mine/v", "other/w"]})
    first = Counter()
    for row in rows(lived, "scenarios"):
        about = [call.about for call in row.calls if call.program == "verify"]
        assert sorted(about) == ["verifier-1.verify", "verifier-2.verify"]
        first[about[0]] += 1
    assert min(first.values()) >= 0.2 * sum(first.values())
    alone = scripted()
    _, lived = live(alone, families=[BURIAL], levels=["mid"], models=mine | {"verifiers": ["mine/v"]})
    assert [[call.about for call in row.calls if call.program == "verify"] for row in rows(lived, "scenarios")] == [
        ["verifier-1.verify"] * 2
    ] * len(rows(lived, "scenarios"))


@pytest.mark.parametrize("answer", ["hardly", "no"])
@pytest.mark.parametrize("early", [True, False])
def test_what_nobody_finds_in_a_scene_is_paid_for_no_further(scripted, live, mine, answer, early):
    model = scripted(blinded(answering(answer), lambda field, value: None if field in COLUMNS else value))
    _, lived = live(model, families=[BURIAL], models=mine, stop_early=early)
    scenarios = rows(lived, "scenarios")
    assert {row.outcome for row in scenarios} == {Outcome.OK}
    assert all(row.turns for row in scenarios)
    assert {status.status for one in gold(lived).values() for status in one.values()} == {GoldStatus.BROKEN}
    # annotators were asked before the scene was given up: their word is what tells broken from relabelled
    assert model.programs["annotate"] == 2 * len(scenarios)
    assert (model.programs["reply"], model.programs["contrast"]) == (0, 0) if early else model.programs["contrast"] > 0
    assert bool(rows(lived, "replies")) is not early


@pytest.mark.parametrize(("second", "status"), [("plausibly", GoldStatus.COVERT), ("hardly", GoldStatus.BROKEN)])
def test_what_one_verifier_misses_and_the_other_sees_is_kept(scripted, live, mine, second, status):
    """A label that nobody reads off the words would be lost to one slip: it gets a second opinion, of the other verifier, and no third."""
    asked = Counter()

    def change(program, brief, said):
        if program != "verify":
            return {"labels": []} if program == "annotate" else said
        asked[json.dumps(brief)] += 1
        answer = "hardly" if asked[json.dumps(brief)] % 2 else second  # two events may have one scene
        fields = {claim["id"]: claim["field"] for claim in brief["claims"]}
        return {
            "claims": [
                one | {"answer": answer} if fields[one["id"]] == "emotion" and one["answer"] != "no" else one
                for one in said["claims"]
            ]
        }

    _, lived = live(scripted(change), families=[BURIAL], levels=["mid"], models=mine)
    assert not any(times % 2 for times in asked.values())
    assert {one["emotion"].status for one in gold(lived).values()} == {status}
    for row in rows(lived, "scenarios"):
        about = Counter(call.about for call in row.calls if call.program == "verify")
        assert about == {"annotator-1.verify": 2, "annotator-2.verify": 2}


def test_a_scene_that_reads_otherwise_to_all_is_relabelled_and_stops(scripted, live, mine):
    change = blinded(answering("no", ("emotion",)), lambda field, value: "joy" if field == "emotion" else value)
    model = scripted(change)
    _, lived = live(model, families=[BURIAL], models=mine)
    found = gold(lived)
    assert {one["emotion"].status for one in found.values()} == {GoldStatus.RELABELLED}
    assert {one["emotion"].other for one in found.values()} == {"joy"}
    assert {decision(one) for one in found.values()} == {("gold:emotion:relabelled",)}
    assert model.programs["reply"] == 0


def test_what_verifiers_deny_and_blind_readers_recover_is_contested_and_kept(scripted, live, mine):
    model = scripted(answering("no"))
    _, lived = live(model, families=[BURIAL], levels=["mid"], models=mine)
    assert {status.status for one in gold(lived).values() for status in one.values()} == {GoldStatus.CONTESTED}
    assert {decision(one) for one in gold(lived).values()} == {()}
    assert {reply.kind for reply in rows(lived, "replies")} == {
        ReplyKind.FAITHFUL,
        ReplyKind.ALTERNATIVE,
        ReplyKind.FAILURE,
    }
    # who was asked before the replies is not asked beside them once more
    assert model.programs["annotate"] == 2 * len(rows(lived, "scenarios"))


def test_what_can_be_taken_from_a_scene_and_nobody_sees_is_covert_and_kept(scripted, live, mine):
    model = scripted(blinded(answering("plausibly", ()), lambda field, value: None if field == "emotion" else value))
    _, lived = live(model, families=[BURIAL], models=mine)
    assert {one["emotion"].status for one in gold(lived).values()} == {GoldStatus.COVERT}
    assert {one["emotion"].recovered for one in gold(lived).values()} == {0.0}
    assert rows(lived, "replies")


def test_a_masked_scene_whose_cues_nobody_sees_is_broken(scripted, live, mine):
    model = scripted(answering("no", ("cue",)))
    _, lived = live(model, families=[BURIAL], models=mine)
    level = {row.scenario_id: row.explicitness for row in rows(lived, "scenarios")}
    for scenario_id, one in gold(lived).items():
        is_masked = level[scenario_id] is Explicitness.MASKED
        assert (one["emotion"].status is GoldStatus.BROKEN) is is_masked
        answered = scenario_id in {reply.scenario_id for reply in rows(lived, "replies")}
        assert answered is not is_masked
    assert Explicitness.MASKED in level.values()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda claims: claims[:-1],
        lambda claims: [*claims, claims[0] | {"id": len(claims) + 1}],
        lambda claims: [claims[0], *claims],
        lambda claims: [one | {"id": one["id"] - 1} for one in claims],
        lambda claims: [one | {"answer": "yes"} for one in claims],
    ],
    ids=["one is left out", "one is added", "one stands twice", "counted from nought", "an answer that is none"],
)
@pytest.mark.parametrize("mended", [True, False])
def test_an_answer_to_other_claims_is_sent_back_once(scripted, live, mine, spoil, mended):
    seen = Counter()

    def change(program, brief, answer):
        if program != "verify":
            return answer
        seen[str(brief)] += 1
        return answer if mended and seen[str(brief)] == 2 else {"claims": spoil(answer["claims"])}

    model = scripted(change)
    _, lived = live(model, families=[BURIAL], levels=["mid"], models=mine)
    scenarios = rows(lived, "scenarios")
    calls = Counter(call.program for row in scenarios for call in row.calls)
    assert (calls["verify"], calls["verify.repair"]) == (2 * len(scenarios), 2 * len(scenarios))
    assert set(seen.values()) == {2}
    said = [label for label in rows(lived, "annotations") if label.view == SIGHTED]
    assert bool(said) is mended
    # a verifier that cannot be read rejects nothing
    wanted = GoldStatus.CONFIRMED if mended else GoldStatus.SPECIFIED
    assert {status.status for one in gold(lived).values() for status in one.values()} == {wanted}
    assert {row.outcome for row in scenarios} == {Outcome.OK}
    assert rows(lived, "replies")


def test_the_shares_of_four_answers_are_kept(scripted, live, mine):
    for answer, share in SHARES.items():
        _, lived = live(
            scripted(answering(answer, (*COLUMNS, "cue"))), families=[BURIAL], levels=["masked"], models=mine
        )
        assert {label.share for label in rows(lived, "annotations") if label.view == SIGHTED} == {share}


def test_a_build_of_the_embedded_model_verifies_and_judges_nothing(scripted, live):
    model = scripted()
    _, lived = live(model, families=[BURIAL])
    assert {"verify", "judge"}.isdisjoint(model.programs)
    assert {label.view for label in rows(lived, "annotations")} == {"scene"}
    assert {status.status for one in gold(lived).values() for status in one.values()} == {GoldStatus.AUTHORED}


@pytest.mark.parametrize("family", [BURIAL, MESSAGES])
def test_a_judge_answers_the_probes_of_every_reply(scripted, live, mine, family):
    model = scripted()
    events, lived = live(model, families=[family], levels=["mid"], models=mine | {"judges": ["mine/j", "other/k"]})
    replies = {reply.reply_id: reply for reply in rows(lived, "replies")}
    found = [label for label in rows(lived, "annotations") if label.field.startswith(PROBE)]
    assert {label.target_id for label in found} == set(replies)
    assert {label.value for label in found} <= {"yes", "weaker", "no"}
    assert {(label.view, label.share) for label in found} == {("sighted", None)}
    fields = {label.field.removeprefix(PROBE) for label in found}
    assert fields >= {"affect", "intent", "address"}
    assert any(field.startswith("fact.") for field in fields)
    assert Counter((label.target_id, label.field) for label in found) == {
        (reply, f"{PROBE}{field}"): 2 for reply in replies for field in fields
    }
    for label in found:
        for span in label.evidence:
            assert 0 <= span.start < span.end <= len(replies[label.target_id].text)
    about = {call.about for row in rows(lived, "scenarios") for call in row.calls if call.program == "judge"}
    assert about == {f"judge-{n}.{reply}" for reply in replies for n in (1, 2)}
    # probes touch no status of the scene
    assert {status.status for one in gold(lived).values() for status in one.values()} == {GoldStatus.CONFIRMED}
    assert events


def test_a_model_that_judges_twice_is_asked_twice(scripted, live, mine):
    model = scripted()
    _, lived = live(model, families=[BURIAL], levels=["mid"], models=mine | {"judges": ["mine/j", "mine/j"]})
    asked = [request for brief, request in model.questions if brief["program"] == "judge"]
    assert len({request.key for request in asked}) == len(asked) == 2 * len(rows(lived, "replies"))
    assert {request.draw for request in asked} == {0, 1}


@pytest.mark.parametrize("mended", [True, False])
def test_a_judge_who_leaves_a_probe_out_is_asked_once_more(scripted, live, mine, mended):
    seen = Counter()

    def change(program, brief, answer):
        if program != "judge":
            return answer
        seen[str(brief)] += 1
        return answer if mended and seen[str(brief)] == 2 else {"probes": answer["probes"][1:]}

    model = scripted(change)
    _, lived = live(model, families=[BURIAL], levels=["mid"], models=mine | {"judges": ["mine/j"]})
    calls = Counter(call.program for row in rows(lived, "scenarios") for call in row.calls)
    assert calls["judge"] == calls["judge.repair"] == len(rows(lived, "replies"))
    assert any(label.field.startswith(PROBE) for label in rows(lived, "annotations")) is mended
    assert {row.outcome for row in rows(lived, "scenarios")} == {Outcome.OK}


def test_asking_at_once_changes_no_row(scripted, live, mine):
    settings = {"families": [BURIAL], "models": mine | {"judges": ["mine/j"]}, "reasoning": "dbt"}
    _, one_by_one = live(scripted(), **settings)
    _, at_once = live(scripted(), at_once=True, **settings)
    assert one_by_one == at_once
