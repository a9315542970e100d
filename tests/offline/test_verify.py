"""Claims are answered by look-up: over every language and family the truth is clear, every other label is refused, and what is unknown is hardly so."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

import synth
from synth.content.phrasings import FOLDER, read_phrasing
from synth.content.scenarios import read_family
from synth.content.shelves import Shelves
from synth.offline import compose
from synth.offline.annotate import Reader
from synth.offline.settings import scenes
from synth.offline.turns import told_turns
from synth.offline.verify import verified
from synth.programs.contracts import ClaimsAnswer, LabelsAnswer
from synth.records.labels import Cue, Emotion, Goal, PowerForm

SHELVES = Shelves()
FILES = [tuple(file.name.removesuffix(".yaml").split("/")[2:]) for file in SHELVES.files(FOLDER)]
CLOSED = {"goal": Goal, "emotion": Emotion, "power_form": PowerForm}
STRANGE = {
    "setting": "A platform.",
    "turns": [{"by": "S", "to": ["A"], "text": "The train was late and I read my book."}],
}


@cache
def reader(language):
    return Reader(SHELVES, language)


def told(language, family, step=1):
    """Every `step`-th setting of a family, each with another telling, rank and seed, so that every line of a pool is met."""
    phrasing, spec = read_phrasing(SHELVES, language, family), read_family(SHELVES, family)
    for n, scene in enumerate(scenes(phrasing, spec, all_genders=False)):
        if n % step == 0:
            yield replace(scene, telling=n % len(scene.world.what), rank=scene.rank + 4 * (n % 7), seed=n % 5)


def shown(scene, count=1, listens=()):
    """Give a scene as a reader is shown it."""
    turns = [{name: turn[name] for name in ("by", "to", "text")} for turn in told_turns(scene, count, listens)]
    return {"setting": compose.setting(scene), "turns": turns}


def truth_of(scene):
    spec = read_family(SHELVES, scene.phrasing.family)
    return {"goal": str(spec.goal_at(scene.level)), "emotion": scene.emotion, "power_form": scene.form}


def claims_of(truth):
    """Give every label of each field as a claim, the true ones first."""
    claims = list(truth.items())
    claims += [(field, str(label)) for field, labels in CLOSED.items() for label in labels if label != truth[field]]
    return [{"id": number, "field": field, "value": value} for number, (field, value) in enumerate(claims, 1)]


@pytest.mark.parametrize(("language", "family"), FILES)
def test_the_truth_is_clear_and_every_decoy_is_refused(language, family):
    for scene in told(language, family, step=5):
        given = shown(scene)
        answers = verified(reader(language), given, claims_of(truth_of(scene)))
        ClaimsAnswer.model_validate({"claims": answers[:32]})
        assert [one["answer"] for one in answers] == ["clearly"] * 3 + ["no"] * (len(answers) - 3), given
        assert all(one["quote"] and one["quote"] in given["turns"][0]["text"] for one in answers[:3])
        assert not any(one["quote"] for one in answers[3:])


@pytest.mark.parametrize(("language", "family"), FILES)
def test_a_cue_is_clear_by_its_kind_and_its_words(language, family):
    masked = [scene for scene in told(language, family) if scene.level == "masked"]
    for scene in masked[::3]:
        given = shown(scene)
        cues = told_turns(scene, 1, ())[0]["cues"]
        assert len(cues) >= 2
        for cue in cues:
            kinds = {other["kind"] for other in cues if other["quote"] == cue["quote"]}
            claims = [
                {"id": n, "field": "cue", "value": str(kind), "quote": cue["quote"]} for n, kind in enumerate(Cue)
            ]
            answers = verified(reader(language), given, claims)
            clear = {claims[one["id"]]["value"] for one in answers if one["answer"] == "clearly"}
            assert clear == kinds
            assert {one["answer"] for one in answers} == {"clearly", "no"}


def test_the_words_of_one_cue_show_no_other():
    scene = next(scene for scene in told("en", "file_lost_again") if scene.level == "masked")
    cues = told_turns(scene, 1, ())[0]["cues"]
    swapped = [
        {"id": n, "field": "cue", "value": cue["kind"], "quote": other["quote"]}
        for n, (cue, other) in enumerate(zip(cues, [*cues[1:], cues[0]], strict=True))
    ]
    nowhere = {"id": 9, "field": "cue", "value": cues[0]["kind"], "quote": "nothing of the kind"}
    answers = verified(reader("en"), shown(scene), [*swapped, nowhere, {**nowhere, "quote": ""}])
    assert {one["answer"] for one in answers} == {"no"}


def test_of_a_strangers_scene_hardly_anything_can_be_said():
    claims = [
        *claims_of({"goal": "vent", "emotion": "grief", "power_form": "up"}),
        {"id": 0, "field": "cue", "value": "joke"},
    ]
    answers = verified(reader("en"), STRANGE, claims)
    assert {(one["answer"], one["quote"]) for one in answers} == {("hardly", "")}
    assert [one["id"] for one in answers] == [claim["id"] for claim in claims]


def test_a_scene_in_another_language_is_a_strangers():
    scene = next(told("de", "file_lost_again"))
    assert {one["answer"] for one in verified(reader("en"), shown(scene), claims_of(truth_of(scene)))} == {"hardly"}


def test_a_scene_of_several_turns_is_read_as_a_whole():
    for scene in told("en", "told_to_be_over_it", step=11):
        if scene.level != "masked":
            given = shown(scene, 5, ("Go on.", "Mm."))
            assert len(given["turns"]) == 5
            answers = verified(reader("en"), given, claims_of(truth_of(scene)))
            assert [one["answer"] for one in answers[:4]] == ["clearly"] * 3 + ["no"]
            assert all(any(one["quote"] in turn["text"] for turn in given["turns"]) for one in answers[:3])
            labels = {label["field"]: label["value"] for label in reader("en").labels(given)}
            assert labels["emotion"] == scene.emotion


def test_the_program_answers_a_brief(ask):
    scene = next(told("en", "file_lost_again"))
    brief = {"program": "verify", "language": "en", "scene": shown(scene)}
    answer = ClaimsAnswer.model_validate(ask(brief | {"claims": claims_of(truth_of(scene))[:5]}))
    assert [claim.answer for claim in answer.claims] == ["clearly"] * 3 + ["no"] * 2


@pytest.mark.parametrize(("language", "family"), FILES)
def test_the_annotator_gives_the_form_too(language, family):
    for scene in told(language, family, step=17):
        given = shown(scene)
        labels = {label["field"]: label for label in reader(language).labels(given)}
        LabelsAnswer.model_validate({"labels": list(labels.values())})
        assert labels["power_form"]["value"] == scene.form
        assert labels["power_form"]["quote"] in given["turns"][0]["text"]
        assert {field: label["value"] for field, label in labels.items() if field in CLOSED} == truth_of(scene)


@pytest.mark.parametrize("language", ["ar", "en", "ja"])
def test_the_rows_of_a_build_are_read_as_they_were_planned(quickstart, language):
    rows = [record.scenario for record in synth.load(quickstart / "quickstart").records(kept=False, language=language)]
    assert rows
    for row in rows:
        given = {"setting": row.setting, "turns": [{"by": turn.pid, "text": turn.text} for turn in row.turns]}
        truth = {"goal": str(row.goal), "emotion": str(row.emotion), "power_form": str(row.power_form)}
        answers = verified(reader(language), given, claims_of(truth))
        assert [one["answer"] for one in answers] == ["clearly"] * 3 + ["no"] * (len(answers) - 3)


# -- lines that two cells share


@pytest.fixture
def doubled(tmp_path):
    """Shelves with one English family twice, under another name, goal and relation of power; its own lines differ by one word."""

    def lay(change):
        source, family = (
            SHELVES.file(f"templates/{folder}/file_lost_again.yaml").text() for folder in ("phrasings/en", "scenarios")
        )
        twin = source.replace("family: file_lost_again", "family: zz_twin")
        spec = family.replace("family: file_lost_again", "family: zz_twin").replace("masked: request}", "masked: vent}")
        spec = spec.replace("goal: {primary: complain", "goal: {primary: persuade")
        for name, text in (("phrasings/en/zz_twin.yaml", change(twin)), ("scenarios/zz_twin.yaml", spec)):
            path = tmp_path / "templates" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return Shelves([tmp_path])

    return lay


def test_the_reading_that_fits_all_lines_is_preferred(doubled):
    """Both families say the feeling in the same words; what is asked for tells them apart."""
    both = Reader(doubled(lambda text: text.replace("I want a name and I want a day.", "I want a letter.")), "en")
    text = "You wouldn't lose your own three times. I want a {}. Not a form, a name and a day."
    for ending, goal in (("name and I want a day", "complain"), ("letter", "persuade")):
        given = {"turns": [{"by": "S", "text": text.format(ending)}]}
        assert {label["field"]: label["value"] for label in both.labels(given)}["goal"] == goal
        assert [one["answer"] for one in verified(both, given, [{"id": 1, "field": "goal", "value": goal}])] == [
            "clearly"
        ]


def test_what_the_words_do_not_decide_is_plausible(doubled):
    both = Reader(doubled(lambda text: text), "en")
    given = {"turns": [{"by": "S", "text": "You wouldn't lose your own three times."}]}
    claims = [{"id": n, "field": "goal", "value": value} for n, value in enumerate(("complain", "persuade", "vent"))]
    claims += [{"id": 3, "field": "power_form", "value": "up"}, {"id": 4, "field": "power_form", "value": "split"}]
    answers = {one["id"]: one["answer"] for one in verified(both, given, claims)}
    assert answers == {0: "plausibly", 1: "plausibly", 2: "no", 3: "plausibly", 4: "no"}
    assert "power_form" not in {label["field"] for label in both.labels(given)}


def test_the_setting_tells_the_form_where_the_turn_does_not():
    line = "You wouldn't lose your own three times."
    setting = "The council office. Ana is the official at the counter. Tomas handed the papers in here."
    given = {"setting": setting, "turns": [{"by": "S", "text": line}]}
    answers = verified(reader("en"), given, claims_of({"goal": "complain", "emotion": "anger", "power_form": "up"}))
    assert [one["answer"] for one in answers[:4]] == ["clearly"] * 3 + ["no"]
    assert answers[2]["quote"] == ""
