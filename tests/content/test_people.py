"""The people of profiles: balanced, told apart, and checked with the place of every mistake."""

from __future__ import annotations

import re

import pytest

from synth.content.people import PEOPLE, read_people
from synth.content.personas import profiles, read_relationship
from synth.content.shelves import Shelves
from synth.errors import ContentError

DUBLIN = f"{PEOPLE}/en-IE-dublin.yaml"
WRITTEN = sorted(file.name.rpartition("/")[2].removesuffix(".yaml") for file in Shelves().files(PEOPLE))


def test_people_are_of_profiles_that_there_are():
    assert len(WRITTEN) >= 11
    assert set(WRITTEN) <= set(profiles(Shelves()))


@pytest.mark.parametrize("profile", WRITTEN)
def test_everybody_can_be_read_and_can_be_somebody(profile):
    shelves = Shelves()
    people = read_people(shelves, profile)
    assert people.profile == profile
    roles = {
        role
        for file in shelves.files("personas/relationships")
        for pair in read_relationship(shelves, file.name.rpartition("/")[2].removesuffix(".yaml")).forms.values()
        if pair is not None
        for role in (pair.speaker, pair.addressee)
    }
    for person in people.people:
        # a role that is nobody's rules nothing out, and is a slip of the pen
        assert set(person.not_as) <= roles, (person.id, set(person.not_as) - roles)
        assert set(person.not_as) != roles


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("profile: en-IE-dublin", "profile: en-IE-cork", "en-IE-cork"),
        ("id: bus_driver_pension", "id: nursing_home_nights", "the id 'nursing_home_nights' stands twice"),
        ("gender: f", "gender: m", "women and"),
        ("gender: f", "gender: x", "people.0.gender"),
        ("age_band: 30-44", "age_band: 30-45", "age_band"),
        ("    household: ", "    houshold: ", "unknown key 'houshold'"),
    ],
)
def test_a_page_that_breaks_a_rule_says_where(overlay, old, new, problem):
    text = Shelves().file(DUBLIN).text()
    assert old in text
    with pytest.raises(ContentError, match=re.escape(problem)) as caught:
        read_people(overlay({DUBLIN: text.replace(old, new, 1)}, (DUBLIN,)), "en-IE-dublin")
    assert str(caught.value).startswith(f"{DUBLIN}:")


def test_an_occupation_is_that_of_two_at_most(overlay):
    text = Shelves().file(DUBLIN).text()
    same = re.sub(r"occupation: \w+", "occupation: care_assistant", text, count=3)
    with pytest.raises(ContentError, match="care_assistant is the occupation of 3; two of a file at most"):
        read_people(overlay({DUBLIN: same}, (DUBLIN,)), "en-IE-dublin")
    few = text[: [found.start() for found in re.finditer(r"  - id:", text)][11]]
    with pytest.raises(ContentError, match="at least 12"):
        read_people(overlay({DUBLIN: few}, (DUBLIN,)), "en-IE-dublin")


def test_a_page_that_was_edited_is_read_again(overlay):
    text = Shelves().file(DUBLIN).text()
    before = read_people(overlay({DUBLIN: text}, (DUBLIN,)), "en-IE-dublin")
    after = read_people(overlay({DUBLIN: text.replace("Tallaght", "Clondalkin")}, (DUBLIN,)), "en-IE-dublin")
    assert "Tallaght" in before.people[0].work
    assert "Clondalkin" in after.people[0].work
