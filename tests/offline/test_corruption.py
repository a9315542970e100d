"""What faults make of real answers: the embedded model's, to one question of each program, over real HTTP."""

from __future__ import annotations

import json
from urllib.request import Request, urlopen

import pytest

import synth
from synth.content.shelves import Shelves
from synth.models import base
from synth.offline.corruption import texts_of
from synth.offline.embedded import OfflineModel, find_brief
from synth.offline.faults import Faults
from synth.offline.serve import Server
from synth.programs.contracts import LabelsAnswer
from synth.records.labels import Outcome

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
    return model


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
        if program in {"reply", "contrast"}:
            assert (right, met) == (wrong, 0)
            continue
        assert met == 1, program
        quotes = [
            one["quote"] for one in (*wrong.get("labels", ()), *(f for t in wrong.get("turns", ()) for f in t["facts"]))
        ]
        quotes += wrong["facts"].values() if "facts" in wrong else []
        assert quotes, program
        source = recorded.asked[program].messages[-1].content + words(right)
        assert not [quote for quote in quotes if quote in source], program
