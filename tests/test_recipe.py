"""The recipe: one page, checked at the door, with the place and the nearest name of every mistake."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.content.shelves import Shelves
from synth.errors import RecipeError
from synth.recipe import Recipe, open_shelves

LEAST = {"languages": ["en"], "quota": {"records": 3}}


@pytest.fixture
def page(tmp_path):
    def write(text):
        path = tmp_path / "recipe.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_built_in_recipes_are_recipes():
    files = Shelves().files("templates/recipes")
    assert files
    for file in files:
        assert Recipe.read(file.path).quota.records > 0


def test_a_file_a_mapping_and_keywords_are_one_recipe(page):
    file = page("languages: [en]\nquota: {records: 3}\n")
    assert Recipe.of(file) == Recipe.of(str(file)) == Recipe.of(LEAST) == Recipe(**LEAST)
    assert Recipe.of(Recipe(**LEAST)) == Recipe.of(LEAST)
    assert Recipe.of(LEAST).digest == Recipe.read(file).digest


@given(
    seed=st.integers(0, 2**63 - 1),
    records=st.integers(1, 100_000_000),
    tries=st.integers(1, 9),
    families=st.lists(st.sampled_from(["a_b", "c_d", "e_f"]), unique=True),
)
def test_a_recipe_survives_its_own_page(seed, records, tries, families):
    recipe = Recipe.of(LEAST | {"seed": seed, "quota": {"records": records}, "tries": tries, "families": families})
    assert Recipe.of(recipe.model_dump(mode="json")) == recipe
    assert Recipe.of(recipe.model_dump(mode="json")).digest == recipe.digest


def test_every_setting_is_in_the_digest():
    known = {Recipe.of(LEAST).digest}
    for change in ({"seed": 2}, {"tries": 2}, {"cross": ["language"]}, {"replies": {"over": 0}}, {"partition": 30}):
        digest = Recipe.of(LEAST | change).digest
        assert digest not in known
        known.add(digest)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("languages: [en]\nquotta: {records: 3}\nquota: {records: 3}\n", "recipe.yaml:2:1: unknown key 'quotta'"),
        ("languages: [en]\nquota: {recrods: 3}\n", "recipe.yaml:2"),
        ("languages: [en, en]\nquota: {records: 3}\n", "en is listed twice"),
        ("languages: []\nquota: {records: 3}\n", "languages"),
        ("languages: [en]\nquota: {records: 0}\n", "quota.records"),
        ("languages: [en]\nquota: {records: 3}\ncross: [family]\n", "cross names language"),
        ("languages: [en]\nquota: {records: 3}\nsampling: {judge: {}}\n", "'judge' is no role"),
        ("languages: [en]\nquota: {records: 3}\nsampling: {annotator-2: {}}\n", "did you mean 'annotator-1'? valid"),
        ("languages: [en]\nquota: {records: 3}\nsampling: {judge-1: {}}\n", "valid: annotator-1, writer"),
        (
            "languages: [en]\nquota: {records: 3}\nmodels: {judges: [a/b]}\nsampling: {judge-2: {}}\n",
            "recipe.yaml:4:1: sampling: 'judge-2' is no role of this recipe; did you mean 'judge-1'?",
        ),
        ("languages: [en]\nquota: {records: 3}\nmodels: {judges: [x]}\n", "neither `offline` nor"),
        ("languages: [en]\nquota: {records: 3}\nmodels: {judges: [a/b, a/c, a/d, a/e, a/f]}\n", "at most 4"),
        ("languages: [en]\nquota: {records: 3}\nmodels: {judge: a/b}\n", "did you mean 'judges'"),
        ("languages: [en]\nquota: {records: 3}\nmodels: {writer: x}\nsampling: {judge-1: {}}\n", "models.writer"),
        ("languages: [en]\nquota: {records: 3}\nmodels: {annotators: ['http://x']}\n", "neither `offline` nor"),
        ("languages: [en]\nquota: {records: 3}\nsplits: {test: [a], validation: [a]}\n", "a cannot be held out"),
        ("languages: [en]\nlanguages: [ja]\nquota: {records: 3}\n", "recipe.yaml:2"),
        ("- en\n", "a recipe is a map"),
        ("", "a recipe is a map"),
        ("languages: [en\n", "not YAML"),
    ],
)
def test_mistakes_are_told_with_their_place(page, text, said):
    with pytest.raises(RecipeError) as caught:
        Recipe.read(page(text))
    assert said in str(caught.value)
    assert "recipe.yaml" in str(caught.value)
    assert caught.value.exit_code == 2


def test_what_is_no_text_is_told(tmp_path):
    (tmp_path / "recipe.yaml").write_bytes(b"languages: [\xff]")
    with pytest.raises(RecipeError, match="UTF-8"):
        Recipe.read(tmp_path / "recipe.yaml")
    with pytest.raises(RecipeError, match="cannot be read"):
        Recipe.read(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("name", ["../outside", "/etc", "a/../../outside"])
def test_an_overlay_stays_beside_its_recipe(tmp_path, name):
    (tmp_path / "outside").mkdir()
    (tmp_path / "page" / "a").mkdir(parents=True)
    with pytest.raises(RecipeError, match="leads out of"):
        open_shelves(Recipe.of(LEAST | {"overlays": [name]}), tmp_path / "page")


def test_a_mapping_has_no_place_to_point_at():
    with pytest.raises(RecipeError) as caught:
        Recipe.of({"languages": ["en"]})
    assert str(caught.value) == "quota is missing"


def test_every_role_has_a_name_and_who_decides_rows_is_asked():
    models = {"writer": "a/w", "annotators": ["a/x", "offline"], "judges": ["a/y", "b/z"]}
    recipe = Recipe.of(LEAST | {"models": models, "sampling": {"judge-2": {"temperature": 0}, "annotator-2": {}}})
    everybody = {
        "writer": "a/w",
        "annotator-1": "a/x",
        "annotator-2": "offline",
        "judge-1": "a/y",
        "judge-2": "b/z",
    }
    assert recipe.asked() == recipe.models.roles() == everybody
    assert Recipe.of(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize(
    ("models", "verify", "verifies", "asked"),
    [
        ({}, "auto", False, {"writer", "annotator-1"}),
        ({"writer": "a/w"}, "auto", False, {"writer", "annotator-1"}),
        ({"writer": "a/w", "annotators": ["a/x"]}, "auto", True, {"writer", "annotator-1"}),
        ({"writer": "a/w", "annotators": ["a/x", "offline"]}, "auto", False, {"writer", "annotator-1", "annotator-2"}),
        ({"writer": "a/w", "verifiers": ["a/v"]}, "auto", True, {"writer", "annotator-1", "verifier-1"}),
        ({"verifiers": ["a/v"]}, "auto", False, {"writer", "annotator-1"}),
        ({"verifiers": ["a/v"]}, True, True, {"writer", "annotator-1", "verifier-1"}),
        ({}, True, True, {"writer", "annotator-1"}),
        ({"annotators": []}, True, False, {"writer"}),
        ({"writer": "a/w", "annotators": []}, "auto", False, {"writer"}),
        ({"writer": "a/w", "annotators": ["a/x"]}, False, False, {"writer", "annotator-1"}),
        (
            {"writer": "a/w", "annotators": ["a/x"], "judges": ["a/j"]},
            False,
            False,
            {"writer", "annotator-1", "judge-1"},
        ),
    ],
)
def test_gold_is_verified_where_nobody_looks_lines_up(models, verify, verifies, asked):
    recipe = Recipe.of(LEAST | {"models": models, "gold": {"verify": verify}})
    assert (recipe.verifies, set(recipe.asked())) == (verifies, asked)


@pytest.mark.parametrize("turns", [{1: 1}, {1: 3, 3: 1}, {1: 0, 5: 2}, {1: 1, 3: 1, 5: 1}])
def test_turns_are_numbers_on_a_page_and_words_in_json(page, turns):
    recipe = Recipe.of(LEAST | {"models": {"writer": "a/w"}, "turns": turns})
    assert recipe.turns == turns
    assert Recipe.of(json.loads(json.dumps(recipe.model_dump(mode="json")))) == recipe
    lines = ", ".join(f"{n}: {weight}" for n, weight in turns.items())
    written = page(f"languages: [en]\nquota: {{records: 3}}\nmodels: {{writer: a/w}}\nturns: {{{lines}}}\n")
    assert Recipe.read(written).turns == turns


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"turns": {3: 1}}, "turns: the embedded writer cannot do this; name a model: models: {writer: alias/model}"),
        ({"reasoning": "cbt"}, "reasoning: the embedded writer cannot do this"),
        ({"default_persona": True}, "default_persona: the embedded writer cannot do this"),
        ({"models": {"writer": "a/w"}, "turns": {2: 1}}, "turns.2: Input should be 1, 3 or 5"),
        ({"models": {"writer": "a/w"}, "turns": {1: 0, 3: 0}}, "turns: weights are 0 to 1000"),
        ({"models": {"writer": "a/w"}, "turns": {1: 2, 3: -1}}, "turns: weights are 0 to 1000"),
        ({"models": {"writer": "a/w"}, "turns": {1: 10**30}}, "turns: weights are 0 to 1000"),
        ({"models": {"writer": "a/w"}, "reasoning": "cbd"}, "reasoning: 'cbd' is not valid"),
        ({"gold": {"verify": "perhaps"}}, "gold.verify"),
        ({"gold": {"verified": True}}, "did you mean 'verify'"),
        ({"stop_early": "never"}, "stop_early"),
    ],
)
def test_what_a_writer_cannot_do_is_told_at_the_door(asked, said):
    with pytest.raises(RecipeError) as caught:
        Recipe.of(LEAST | asked)
    assert said in str(caught.value)
    writer = {"models": {"writer": "a/w"}}
    assert Recipe.of(LEAST | writer | {"turns": {3: 1}, "reasoning": "cbt", "default_persona": True}).reasoning == "cbt"


def test_a_judge_is_part_of_the_line_and_has_a_seat():
    from synth.building.lines import line_parts, open_crew
    from synth.models.base import Endpoint
    from synth.planning.inventory import take_stock

    endpoints = {"b": Endpoint("b", "http://127.0.0.1:9/v1", "", None)}
    small = LEAST | {"families": ["file_lost_again"]}
    plain = take_stock(Recipe.of(small), Shelves())
    judged = {"models": {"judges": ["b/z"]}, "sampling": {"judge-1": {"temperature": 0}}}
    with_judge = take_stock(Recipe.of(small | judged), Shelves())
    before, after = (line_parts(stock, "en", endpoints) for stock in (plain, with_judge))
    assert {name: after[name] for name in before} == before
    assert {name for name in after if name not in before} == {
        "contract of judge",
        "model of judge-1",
        "sampling of judge-1",
        "templates/prompts/judge.md",
    }
    crew = open_crew(with_judge, endpoints)
    assert set(crew.roles) == {"writer@en", "annotator-1@en", "judge-1@en"}
    assert crew.roles["judge-1@en"].parameters.temperature == 0
    assert not crew.pure
