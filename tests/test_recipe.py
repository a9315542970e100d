"""The recipe: one page, checked at the door, with the place and the nearest name of every mistake."""

from __future__ import annotations

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
