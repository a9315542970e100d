"""What faults make of real answers: the embedded model's, to one question of each program, over real HTTP."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.request import Request, urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st

import synth
from synth.content.shelves import Shelves
from synth.models import base
from synth.offline.corruption import CORRUPTIONS, corrupted, texts_of
from synth.offline.embedded import OfflineModel, find_brief
from synth.offline.faults import ANSWER, Faults
from synth.offline.serve import Server
from synth.programs.contracts import ClaimsAnswer, ContrastAnswer, LabelsAnswer, ProbesAnswer, SceneAnswer
from synth.records.labels import Outcome
from synth.records.schema import Message

LABELS = {"labels": [{"field": "emotion", "value": "anger", "share": 1.0, "quote": "I am cross", "nth": 0}]}


class Labeller:
    """A pure model that gives the same labels to everybody."""

    pure = True
    name = "labeller@1"

    def answer(self, request):
        return base.Response(json.dumps(LABELS), Outcome.OK, self.name, None, None, base.Usage(100, 40))

    async def attempt(self, request):
        return self.answer(request)

    async def close(self):
        return None


def always(name):
    return Faults(**{name.replace("-", "_"): 1.0})


def content(server, messages):
    """Give the text of the answer to a question."""
    body = json.dumps({"model": "offline", "messages": messages}).encode()
    with urlopen(Request(server.url + "/chat/completions", body)) as answer:
        return json.load(answer)["choices"][0]["message"]["content"]


def counted(server, name):
    """Give how many met a fault."""
    with urlopen(server.url.removesuffix("/v1") + "/stats") as answer:
        return json.load(answer)["faults"][name]


class Recorder(OfflineModel):
    """The embedded model, which keeps what it was asked."""

    def __init__(self, shelves):
        super().__init__(shelves)
        self.asked = {}

    def answer(self, request):
        self.asked.setdefault(find_brief(request.messages)["program"], request)
        return super().answer(request)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """One real question of each program, with the model that answers it."""
    folder = tmp_path_factory.mktemp("recorded")
    recipe = "recipe: tiny\nlanguages: [en]\nfamilies: [told_to_be_over_it]\nquota: {records: 6}\n"
    (folder / "tiny.yaml").write_text(recipe, encoding="utf-8")
    model = Recorder(Shelves())
    with Server(model) as server:
        synth.build(folder / "tiny.yaml", folder / "build", endpoints={"offline": server.url})
    assert set(model.asked) == {"event", "write", "vary", "reply", "contrast", "annotate"}
    model.asked |= {"verify": verifying(model), "judge": judging(model)}
    return model


def told(model, program):
    """Give the brief of a recorded question and its answer."""
    request = model.asked[program]
    return find_brief(request.messages), json.loads(OfflineModel.answer(model, request).text)


def question(model, brief):
    message = Message("user", f"```brief\n{json.dumps(brief)}\n```")
    return replace(model.asked["write"], messages=(message,))


def verifying(model):
    """Give a sighted question about the recorded scene: two true claims and two decoys."""
    brief, scene = told(model, "write")
    other = "pride" if brief["emotion"] != "pride" else "joy"
    claims = [("goal", brief["goal"]), ("emotion", other), ("power_form", brief["form"]), ("goal", "vent")]
    claims = [{"id": n, "field": field, "value": value} for n, (field, value) in enumerate(claims)]
    return question(model, {"program": "verify", "language": "en", "scene": scene, "claims": claims})


def judging(model):
    """Give a judge's question about the recorded reply."""
    _, answer = told(model, "reply")
    reply = " ".join(beat["text"] for beat in answer["beats"])
    probes = [{"id": name, "asks": []} for name in ("affect", "duty", "intent", "address")]
    return question(model, {"program": "judge", "language": "en", "scene": {}, "reply": reply, "probes": probes})


def answers(model, name):
    """Give program -> (the right answer, the answer under a fault, whether the fault was counted), over HTTP."""
    found = {}
    with Server(model, faults=always(name)) as server:
        for program, request in list(model.asked.items()):
            before = counted(server, name)
            messages = [{"role": message.role, "content": message.content} for message in request.messages]
            right = json.loads(model.answer(request).text)
            text = json.loads(content(server, messages))
            found[program] = right, text, counted(server, name) - before
    return found


def words(answer):
    """Give the answer's texts of several words, joined."""
    return " ".join(text for text in texts_of(answer) if " " in text or not text.isascii())


def said(answer):
    """Give what is said of each claim and probe, without the quotations."""
    return [(one["id"], one["answer"]) for one in (*answer.get("claims", ()), *answer.get("probes", ()))]


def test_wrong_language_gives_the_same_form_in_words_of_another_language(recorded):
    for program, (right, wrong, met) in answers(recorded, "wrong-language").items():
        assert met == 1, program
        assert right.keys() == wrong.keys(), program
        assert not set(words(right).split(". ")) & set(words(wrong).split(". ")), program
        if program == "write":
            turn = wrong["turns"][0]
            assert len({fact["quote"] for fact in turn["facts"]}) > 1
            assert all(fact["quote"] in turn["text"] for fact in turn["facts"])
        if program == "annotate":
            assert [label["value"] for label in wrong["labels"]] == [label["value"] for label in right["labels"]]
        if program in {"verify", "judge"}:
            assert said(wrong) == said(right)


def test_wrong_language_without_a_brief_swaps_the_texts_and_keeps_the_labels():
    with Server(Labeller(), faults=always("wrong-language")) as server:
        hello = [{"role": "user", "content": "hello"}]
        label = json.loads(content(server, hello))["labels"][0]
        assert content(server, hello) == content(server, hello)
    assert label["quote"] != LABELS["labels"][0]["quote"]
    assert len(label["quote"].split()) > 3 or not label["quote"].isascii()
    assert {**label, "quote": "I am cross"} == LABELS["labels"][0]


def test_wrong_labels_change_what_bears_gold_and_no_text(recorded):
    for program, (right, wrong, met) in answers(recorded, "wrong-label").items():
        assert met == 1, program
        assert right != wrong, program
        assert sorted(words(right).split()) == sorted(words(wrong).split()), program
    labels = answers(recorded, "wrong-label")["annotate"]
    LabelsAnswer.model_validate(labels[1])
    pairs = zip(labels[0]["labels"], labels[1]["labels"], strict=True)
    assert all(right["value"] != wrong["value"] and right["field"] == wrong["field"] for right, wrong in pairs)


def test_wrong_spans_stand_nowhere_and_replies_quote_nothing(recorded):
    for program, (right, wrong, met) in answers(recorded, "wrong-span").items():
        if program in {"event", "reply", "contrast"}:
            assert (right, met) == (wrong, 0)
            continue
        assert met == 1, program
        quotes = [
            one["quote"] for one in (*wrong.get("labels", ()), *(f for t in wrong.get("turns", ()) for f in t["facts"]))
        ]
        quotes += [one["quote"] for one in (*wrong.get("claims", ()), *wrong.get("probes", ())) if one["quote"]]
        assert quotes, program
        source = recorded.asked[program].messages[-1].content + words(right)
        assert not [quote for quote in quotes if quote in source], program


def test_wrong_labels_turn_what_is_said_of_claims_and_probes_into_its_contrary(recorded):
    right, wrong, _ = answers(recorded, "wrong-label")["verify"]
    ClaimsAnswer.model_validate(wrong)
    assert [answer for _, answer in said(right)] == ["clearly", "no", "clearly", "no"]
    assert [answer for _, answer in said(wrong)] == ["no", "clearly", "no", "clearly"]
    right, wrong, _ = answers(recorded, "wrong-label")["judge"]
    ProbesAnswer.model_validate(wrong)
    assert ({answer for _, answer in said(right)}, {answer for _, answer in said(wrong)}) == ({"yes"}, {"no"})


def test_a_yes_sayer_and_a_no_sayer_answer_claims_and_nothing_else(recorded):
    for name, answer in (("yes-saying", "clearly"), ("no-saying", "no")):
        for program, (right, wrong, met) in answers(recorded, name).items():
            if program != "verify":
                assert (right, met) == (wrong, 0), program
                continue
            assert met == 1
            ClaimsAnswer.model_validate(wrong)
            assert said(wrong) == [(number, answer) for number, _ in said(right)]
            scene = find_brief(recorded.asked["verify"].messages)["scene"]
            quotes = {claim["quote"] for claim in wrong["claims"]}
            assert (
                quotes == {""} if answer == "no" else all(quote in scene["turns"][0]["text"] for quote in quotes - {""})
            )
            assert answer == "no" or "" not in quotes


def test_a_failure_of_the_wrong_length_says_each_beat_three_times(recorded):
    for program, (right, wrong, met) in answers(recorded, "wrong-length").items():
        if program != "contrast":
            assert (right, met) == (wrong, 0), program
            continue
        assert met == 1
        ContrastAnswer.model_validate(wrong)
        assert wrong["kept"] == right["kept"]
        pairs = zip(right["beats"], wrong["beats"], strict=True)
        assert all(one["text"].split() * 3 == other["text"].split() for one, other in pairs)


def test_without_cues_a_masked_scene_has_its_words_and_facts_left(recorded):
    for program, (right, wrong, met) in answers(recorded, "no-cues").items():
        assert (right, met) == (wrong, 0), program  # the recorded event shows its feeling
    masked = {
        "setting": "",
        "turns": [{"by": "S", "to": ["A"], "text": "Fine.", "cues": [{"kind": "denial", "quote": "Fine"}]}],
    }
    scene = SceneAnswer.model_validate(json.loads(corrupted("no-cues", json.dumps(masked), 0.5)))
    assert (scene.turns[0].text, scene.turns[0].cues) == ("Fine.", ())


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
ANSWERS = st.sampled_from(["clearly", "plausibly", "hardly", "no", "yes", "weaker", "maybe"])
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("id", "field", "value", "kind", "beat", "quote", "text"), SCALARS),
        "answer": ANSWERS | SCALARS,
        "facts": st.lists(SCALARS, max_size=2),
        "cues": st.lists(st.fixed_dictionaries({"kind": st.text(max_size=5)}), max_size=2) | SCALARS,
    },
)
MEMBERS = st.lists(ENTRIES | SCALARS, max_size=4) | SCALARS
OBJECTS = st.dictionaries(
    st.sampled_from(["labels", "claims", "probes", "turns", "beats", "kept", "facts", "particulars"]),
    MEMBERS,
    max_size=5,
)


@given(
    st.sampled_from(sorted(set(CORRUPTIONS) - {"huge", "deep"})),
    OBJECTS.map(json.dumps) | st.text(),
    st.floats(0, 0.999),
)
def test_a_corruption_is_pure_and_never_fails(name, text, share):
    """Whatever an answer is, a corruption gives the same text again or None, and one that keeps the form gives another text of that form."""
    first = corrupted(name, text, share)
    assert first == corrupted(name, text, share)
    assert first is None or isinstance(first, str)
    if first is not None and name in {
        "wrong-label",
        "wrong-span",
        "wrong-length",
        "no-cues",
        "yes-saying",
        "no-saying",
    }:
        assert json.loads(first) != json.loads(text)
        assert json.loads(first).keys() == json.loads(text).keys()


def test_every_fault_of_an_answer_is_made_somewhere():
    assert set(CORRUPTIONS) == set(ANSWER) - {"wrong-language"}
