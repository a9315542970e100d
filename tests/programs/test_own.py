"""A person's own programs: what is refused, what an answer's labels are, and what a failure does to a build."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner
from pydantic import BaseModel, RootModel
from scenes import blank_scenario

import synth
from synth.building.lines import PROGRAMS
from synth.cli import cli
from synth.content.shelves import Shelves
from synth.errors import ContentError, IdentityError, RecipeError, UsageError
from synth.models.base import Response, Usage
from synth.offline.embedded import OfflineModel, find_brief
from synth.offline.serve import Server
from synth.programs.joining import check_program, open_programs
from synth.programs.own import (
    RESERVED,
    Label,
    Program,
    brief_of,
    labels_of,
    program,
)
from synth.recipe import Recipe
from synth.records.annotations import read_annotations
from synth.records.labels import AnnotatorKind, Outcome

PROMPT = """---
program: {name}
version: 1
role: annotator
inputs: [{inputs}]
output: {name}/1
changed: first version
---
Say what you think.
"""


class Mood(StrEnum):
    CALM = "calm"
    LOUD = "loud"


class Heard(BaseModel):
    mood: Mood
    strength: int = 1
    certain: bool = False
    note: str | None = None
    words: list[str] = []


def ask_setting(scenario, replies):
    return {"turn": scenario.turns[-1].text, "replies": len(replies)}


def heard(brief=ask_setting, **given):
    return program(**({"name": "mood", "role": "annotator-1", "answer": Heard} | given))(brief)


SCENARIO = replace(blank_scenario(), scenario_id="0123.up", language="en")


# -- names and packages


@pytest.mark.parametrize("name", ["", "Mood", "my mood", "9lives", "mood.word", "../mood", "a" * 65, *sorted(RESERVED)])
def test_a_name_that_is_none_or_ours_is_refused(name):
    with pytest.raises(UsageError, match="name"):
        heard(name=name)


def test_every_name_of_ours_is_reserved():
    prompts = {file.path.stem for file in Shelves().files("templates/prompts", ".md")}
    assert {*PROGRAMS, *prompts} <= RESERVED


class Numbers(RootModel[list[int]]):
    pass


@pytest.mark.parametrize("answer", [Numbers, dict, Heard(mood=Mood.CALM)])
def test_an_answer_that_is_no_object_is_refused(answer):
    with pytest.raises(UsageError, match="no model of a JSON object"):
        heard(answer=answer)


def test_a_program_gives_the_brief_of_its_function():
    given = heard(lambda scenario, replies: {"id": scenario.scenario_id, "replies": len(replies)})
    assert given(SCENARIO) == {"id": "0123.up", "replies": 0}


def test_the_order_of_programs_decides_nothing_and_a_name_stands_once():
    one, other = heard(), heard(name="weather")
    assert open_programs((), [other, one]) == open_programs((), [one, other]) == (one, other)
    with pytest.raises(UsageError, match="two programs are named 'mood'"):
        open_programs((), [one, heard(version=2)])
    with pytest.raises(UsageError, match="is no program"):
        open_programs((), [ask_setting])


MODULE = """
from pydantic import BaseModel
from synth.programs.own import program

class Mood(BaseModel):
    mood: str

@program(name="{name}", role="annotator-1", answer=Mood, api={api})
def mood(scenario, replies):
    {body}
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A function that installs the distribution acme-questions, whose entry points are mood and nothing."""

    def install(module, name="mood", api=1, body="return {}"):
        info = tmp_path / "site" / "acme_questions-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-questions\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            f"[synth.programs]\nmood = {module}:mood\nnothing = {module}:BaseModel\n"
        )
        (tmp_path / "site" / f"{module}.py").write_text(MODULE.format(name=name, api=api, body=body))
        monkeypatch.syspath_prepend(tmp_path / "site")

    return install


def test_a_package_gives_the_program_that_a_recipe_names(package):
    package("acme_mood_one")
    (found,) = open_programs(["acme-questions:mood"])
    assert isinstance(found, Program)
    assert (found.name, found.version, found.role, found.api) == ("mood", 1, "annotator-1", 1)


@pytest.mark.parametrize(
    ("module", "given", "named", "says"),
    [
        ("acme_mood_two", {}, "acme-question:mood", "'acme-question' is not installed"),
        ("acme_mood_three", {}, "acme-questions:mod", "offers no program 'mod'.*\n.*did you mean 'mood'"),
        ("acme_mood_four", {}, "acme-questions:nothing", "is no program"),
        ("acme_mood_five", {"api": 2}, "acme-questions:mood", "states program API 2"),
        ("acme_mood_six", {"api": None}, "acme-questions:mood", "states program API None"),
        (
            "acme_mood_nine",
            {"body": "return {}\n\nimport acme_lost"},
            "acme-questions:mood",
            "cannot be loaded: ModuleNotFound",
        ),
        ("acme_mood_ten", {"name": "write"}, "acme-questions:mood", "the name 'write' is one of ours"),
        ("acme_mood_seven", {"name": "weather"}, "acme-questions:mood", "calls itself 'weather'"),
    ],
)
def test_a_package_that_does_not_fit_is_refused(package, module, given, named, says):
    package(module, **given)
    with pytest.raises(UsageError, match=says):
        open_programs([named])


def test_a_recipe_names_programs_by_their_package():
    plain = {"languages": ["en"], "quota": {"records": 1}}
    with pytest.raises(RecipeError, match="'mood' is no program; name the package"):
        Recipe.of(plain | {"programs": ["mood"]})
    with pytest.raises(RecipeError, match="acme:mood is listed twice"):
        Recipe.of(plain | {"programs": ["acme:mood", "acme:mood"]})
    assert Recipe.of(plain | {"programs": ["acme:mood"]}).digest != Recipe.of(plain).digest


# -- what can be asked


@pytest.fixture
def shelf(tmp_path):
    """A function that gives shelves with prompts, by file name and by what they say of themselves."""

    def lay(file="mood.md", name="mood", inputs=""):
        path = tmp_path / "overlay/templates/prompts" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PROMPT.format(name=name, inputs=inputs))
        return Shelves([tmp_path / "overlay"])

    return lay


PLAYED = {"writer": "offline", "annotator-1": "mine/a"}


def test_a_program_that_fits_is_let_through(shelf):
    check_program(heard(shows=("emotions", "goals")), shelf(inputs="goals, emotions"), PLAYED, [""])


def test_a_native_prompt_alone_serves_its_language_only(shelf):
    shelves = shelf("de/mood.md")
    check_program(heard(), shelves, PLAYED, ["de"])
    with pytest.raises(UsageError, match=r"has no prompt templates/prompts/mood\.md or templates/prompts/fr/mood\.md"):
        check_program(heard(), shelves, PLAYED, ["de", "fr"])


def test_a_role_that_nobody_or_the_embedded_model_plays_is_refused(shelf):
    with pytest.raises(UsageError, match=r"asks 'anotator-1', which nobody plays\n.*did you mean 'annotator-1'"):
        check_program(heard(role="anotator-1"), shelf(), PLAYED, [""])
    with pytest.raises(UsageError, match="asks writer, which the embedded model plays"):
        check_program(heard(role="writer"), shelf(), PLAYED, [""])


@pytest.mark.parametrize(
    ("laid", "given", "error", "says"),
    [
        ({"file": "other.md"}, {}, UsageError, "has no prompt templates/prompts/mood.md\n.*overlays"),
        ({"name": "weather"}, {}, ContentError, "is the prompt of 'weather'"),
        ({}, {"shows": ("emotion",)}, UsageError, "shows 'emotion'\n.*did you mean 'emotions'"),
        ({}, {"shows": ("emotions",)}, ContentError, "takes no inputs, was given emotions"),
        ({"inputs": "emotions"}, {}, ContentError, "takes emotions, was given none"),
    ],
)
def test_a_prompt_that_does_not_fit_is_refused(shelf, laid, given, error, says):
    with pytest.raises(error, match=says):
        check_program(heard(**given), shelf(**laid), PLAYED, [""])


class Knot(BaseModel):
    inner: Knot | None = None


class Listed(BaseModel):
    words: list[str]


class Empty(BaseModel):
    pass


class Chosen(BaseModel):
    mood: Literal["calm", "loud"] | None


class Numbered(BaseModel):
    grade: Literal[1, 2]


@pytest.mark.parametrize(("answer", "says"), [(Knot, "no form of answers"), (Empty, "no field"), (Listed, "no field")])
def test_an_answer_without_form_or_label_is_refused(shelf, answer, says):
    with pytest.raises(UsageError, match=f"program mood: {says}"):
        check_program(heard(answer=answer), shelf(), PLAYED, [""])


@pytest.mark.parametrize(
    ("answer", "labels"), [(Heard, None), (Chosen, None), (Numbered, None), (Listed, lambda *_: [])]
)
def test_an_answer_that_has_a_label_is_let_through(shelf, answer, labels):
    check_program(heard(answer=answer, labels=labels), shelf(), PLAYED, [""])


# -- briefs and labels


def test_a_brief_is_headed_by_program_and_language():
    found = brief_of(heard(lambda *_: {"turn": "Well."}), SCENARIO, ())
    assert found == {"program": "mood", "language": "en", "turn": "Well."}
    assert brief_of(heard(lambda *_: None), SCENARIO, ()) is None


@pytest.mark.parametrize(
    ("brief", "says"),
    [
        (lambda scenario, _: scenario.turns[7], "IndexError"),
        (lambda *_: ["turn"], "a brief is a mapping"),
        (lambda *_: {"program": "write"}, "without the key `program`"),
        (lambda scenario, _: {"scene": scenario}, "TypeError: .*not JSON serializable"),
        (lambda *_: {"share": float("nan")}, "ValueError"),
        (lambda *_: {"turn": "\ud800"}, "UnicodeEncodeError"),
    ],
)
def test_a_brief_that_is_none_names_program_and_record(brief, says):
    with pytest.raises(UsageError, match=rf"program mood \(version 1\) failed at record 0123.up: .*{says}") as caught:
        brief_of(heard(brief), SCENARIO, ())
    assert caught.value.exit_code == 2


def test_without_more_every_scalar_is_a_label_of_the_scenario():
    found = labels_of(heard(), SCENARIO, (), Heard(mood=Mood.LOUD, certain=True, words=["no"]))
    assert found == [Label("mood", "loud"), Label("strength", 1), Label("certain", value=True)]


class Speaking(Listed):
    def labels(self, scenario, _replies):
        return [Label("word", word, target_id=scenario.scenario_id) for word in self.words]


def test_a_model_may_make_its_own_labels_and_a_function_goes_before_it():
    answer = Speaking(words=["a", "b"])
    assert [label.value for label in labels_of(heard(answer=Speaking), SCENARIO, (), answer)] == ["a", "b"]
    counted = heard(answer=Speaking, labels=lambda _scenario, _replies, answer: [Label("count", len(answer.words))])
    assert labels_of(counted, SCENARIO, (), answer) == [Label("count", 2)]


@pytest.mark.parametrize(
    "label",
    [
        "mood",
        Label("", "a"),
        Label("two words", "a"),
        Label("a", None),
        Label("a", "b", share=2),
        Label("a", "b", quote=1),
    ],
)
def test_what_is_no_label_names_program_and_record(label):
    with pytest.raises(
        UsageError, match=r"program mood \(version 1\) failed at record 0123.up: TypeError: .* is no Label"
    ):
        labels_of(heard(labels=lambda *_: [label]), SCENARIO, (), Heard(mood="calm"))


def test_a_label_of_a_stranger_is_the_fault_of_the_answer():
    stray = heard(labels=lambda *_: [Label("mood", "calm", target_id="0124.up.faithful")])
    with pytest.raises(ValueError, match=r"'0124\.up\.faithful' is the id of no reply"):
        labels_of(stray, SCENARIO, (), Heard(mood="calm"))


# -- in a build


class Answering:
    """The embedded model; the program `mood` is answered by a function (brief, times it was asked) -> text."""

    pure = True
    name = "a"

    def __init__(self, say):
        self.model = OfflineModel(Shelves())
        self.say = say
        self.asked = Counter()
        self.briefs = []

    def answer(self, request):
        brief = find_brief(request.messages)
        self.asked[brief["program"]] += 1
        if brief["program"] != "mood":
            return self.model.answer(request)
        self.briefs.append(brief)
        return Response(self.say(brief, len(request.messages)), Outcome.OK, "a-2026", None, None, Usage(5, 5))

    async def attempt(self, request):
        return self.answer(request)

    async def close(self):
        return None


CALM = json.dumps({"mood": "calm", "strength": 2, "certain": True, "note": "so", "words": []})
RECIPE = {
    "languages": ["en"],
    "families": ["burial_day_taken_back"],
    "quota": {"records": 3},
    "replies": {"under": 1, "over": 0, "alternative": False},
    "tries": 1,
    "models": {"writer": "offline", "annotators": ["mine/a"]},
    "overlays": ["overlay"],
}


@pytest.fixture
def run(shelf, tmp_path, monkeypatch):
    """A function that builds a recipe with programs in tmp_path/b, behind a server."""
    shelf()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SYNTH_SETTINGS", os.devnull)

    def build(model, *programs, **changes):
        with Server(model) as server:
            return synth.build(RECIPE | changes, "b", endpoints={"mine": server.url}, programs=programs)

    return build


def own_rows(build):
    return [row for name in build.partitions() for row in read_annotations(build.folder, name) if row.view == "own"]


def rows(build):
    return [one.scenario for one in build.records(kept=False)]


def test_labels_are_kept_in_the_programs_name_and_touch_nothing_else(run, shelf):
    shelf("silent.md", "silent")
    model = Answering(lambda *_: CALM)
    build = run(model, heard(), heard(lambda *_: None, name="silent"))
    found = own_rows(build)
    assert {(row.field, row.value) for row in found} == {
        ("mood.mood", "calm"),
        ("mood.strength", "2"),
        ("mood.certain", "true"),
        ("mood.note", "so"),
    }
    assert len(found) == 4 * len(rows(build)) == 4 * model.asked["mood"]
    assert {(row.annotator, row.annotator_kind, row.prompt_language) for row in found} == {
        ("a-2026", AnnotatorKind.MODEL, "en")
    }
    assert not any(row.evidence or row.share is not None for row in found)
    asked = [[call.about for call in row.calls if call.program == "mood"] for row in rows(build)]
    assert asked == [["annotator-1.mood"]] * len(rows(build))
    assert all(brief["replies"] == 2 for brief in model.briefs)
    assert synth.load("b").complete


def test_a_quotation_is_looked_for_in_its_turn_or_reply(run):
    def quoting(scenario, replies, _):
        turn = scenario.turns[scenario.target_turn].text
        yield Label("turn", "a", share=1 / 3, quote=turn.split()[-1])
        yield Label("setting", "b", quote=scenario.setting.split(".")[0])
        yield Label("reply", "c", quote=replies[0].text[:9], target_id=replies[0].reply_id)
        yield Label("nowhere", "d", quote="zzz")
        yield Label("elsewhere", "e", quote="zzz", target_id=replies[0].reply_id)

    build = run(Answering(lambda *_: CALM), heard(labels=quoting))
    records = {one.scenario.scenario_id: one for one in build.records(kept=False)}
    texts = {reply.reply_id: reply.text for one in records.values() for reply in one.replies}
    for row in own_rows(build):
        if row.field == "mood.turn":
            turn = records[row.target_id].scenario.turns[-1].text
            assert [turn[span.start : span.end] for span in row.evidence] == [turn.split()[-1]]
            assert row.share == 0.3333
        elif row.field == "mood.reply":
            assert [texts[row.target_id][span.start : span.end] for span in row.evidence] == [texts[row.target_id][:9]]
        else:
            assert row.evidence == ()
    says = ["'zzz' is nowhere in the scene", "'zzz' is nowhere in the reply"]
    for row in rows(build):
        failed = [one for one in row.failed_checks if one.about == "annotator-1.mood"]
        assert [(one.check, one.says) for one in failed] == [("evidence", one) for one in says]


def test_an_answer_that_does_not_fit_is_sent_back_once(run):
    def mending(_, messages):
        return CALM if messages > 1 else json.dumps({"mood": "grand"})

    build = run(model := Answering(mending), heard())
    assert model.asked["mood"] == 2 * len(rows(build))
    assert len(own_rows(build)) == 4 * len(rows(build))


@pytest.mark.parametrize("said", ["I would rather not.", json.dumps({"mood": "grand"}), CALM])
def test_an_answer_that_cannot_be_used_is_a_call_and_no_lost_record(run, said):
    def unfit(*_):
        raise ValueError("mood: say it of this record")

    build = run(model := Answering(lambda *_: said), heard(labels=unfit))
    assert own_rows(build) == []
    assert build.report.kept == len(rows(build)) > 0
    for row in rows(build):
        assert [call.program for call in row.calls if call.about == "annotator-1.mood"] == ["mood", "mood.repair"]
    assert model.asked["mood"] == 2 * len(rows(build))


def failing(*_):
    raise KeyError("turn")


@pytest.mark.parametrize("faulty", [{"brief": failing}, {"labels": failing}])
def test_a_program_that_fails_ends_the_run_and_what_was_answered_stays(run, faulty):
    model = Answering(lambda *_: CALM)
    with pytest.raises(
        UsageError, match=r"program mood \(version 1\) failed at record \w+\.\w+: KeyError: 'turn'"
    ) as caught:
        run(model, heard(**faulty))
    assert caught.value.exit_code == 2
    asked = model.asked["annotate"]
    assert asked > 0
    build = run(model, heard())
    assert build.complete
    assert model.asked["annotate"] == len(rows(build)) >= asked
    assert len(own_rows(build)) == 4 * len(rows(build))


def test_a_program_is_refused_before_anything_is_written_or_asked(run, tmp_path):
    model = Answering(lambda *_: CALM)
    with pytest.raises(UsageError, match="which the embedded model plays"):
        run(model, heard(role="writer"))
    with pytest.raises(RecipeError, match="not installed"):
        run(model, programs=["acme:mood"])
    assert model.asked.total() == 0
    assert not (tmp_path / "b/recipe.yaml").exists()


def test_what_a_program_is_decides_whose_folder_it_is(run, tmp_path):
    model = Answering(lambda *_: CALM)
    run(model, heard())
    calls = model.asked.total()
    run(model, heard())
    for other in (heard(version=2), heard(answer=Chosen)):
        with pytest.raises(IdentityError, match=r"program mood changed \(en\)"):
            run(model, other)
    with pytest.raises(IdentityError, match=r"program mood changed \(en\); templates/prompts/mood.md changed"):
        run(model)
    prompt = tmp_path / "overlay/templates/prompts/mood.md"
    prompt.write_text(prompt.read_text() + "And why.\n")
    with pytest.raises(IdentityError, match=r"built otherwise: templates/prompts/mood.md changed \(en\)"):
        run(model, heard())
    assert model.asked.total() == calls


def test_a_role_that_only_a_program_asks_decides_rows_too(run, tmp_path):
    models = {"writer": "offline", "annotators": ["offline"], "verifiers": ["mine/a"]}
    model = Answering(lambda *_: CALM)
    run(model, heard(role="verifier-1"), models=models, gold={"verify": False})
    assert set(model.asked) == {"mood"}
    identity = json.loads((tmp_path / "b/plan/identity.json").read_text())
    assert identity["lines"]["en"]["parts"]["model of verifier-1"][0] == "a"


def test_the_command_line_asks_what_a_package_asks(shelf, package, tmp_path, monkeypatch):
    shelf()
    package("acme_mood_eight", body="return {'turn': scenario.turns[0].text} if replies else 1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SYNTH_SETTINGS", os.devnull)
    recipe = RECIPE | {"programs": ["acme-questions:mood"]}
    Path("recipe.yaml").write_text(json.dumps(recipe))
    with Server(model := Answering(lambda *_: CALM)) as server:
        words = ["build", "recipe.yaml", "-o", "b", "-q", "--endpoint", f"mine={server.url}"]
        done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    build = synth.load("b")
    assert {row.field for row in own_rows(build)} == {"mood.mood"}
    assert model.asked["mood"] == len(rows(build)) > 0


def test_a_plan_counts_no_program():
    plain = RECIPE | {"overlays": []}
    assert synth.plan(plain | {"programs": ["acme:mood"]}).estimate == synth.plan(plain).estimate
