"""Profiles and relationships: what each must hold, and that the built-in ones hold it."""

from __future__ import annotations

import pytest

from synth.content.personas import profiles, read_profile, read_relationship, relationships
from synth.content.scenarios import families, read_family
from synth.content.shelves import Shelves
from synth.errors import ContentError
from synth.records.labels import PowerForm, ProfileStatus

SHELVES = Shelves()


@pytest.mark.parametrize("name", profiles(SHELVES))
def test_a_profile_addresses_everybody_it_may_meet(name: str) -> None:
    profile = read_profile(SHELVES, name)
    for relationship in relationships(SHELVES):
        for form, pair in read_relationship(SHELVES, relationship).forms.items():
            if pair is not None:
                called = profile.address_form(relationship, form).calling("Given", "Family", "f")
                assert called
                assert "{" not in called


@pytest.mark.parametrize("name", profiles(SHELVES))
def test_a_profile_is_a_draft_with_caveats_and_subgroups(name: str) -> None:
    profile = read_profile(SHELVES, name)
    assert profile.status == ProfileStatus.DRAFT
    assert len(profile.subgroups) >= 3
    assert 6 <= len(profile.norms) <= 10
    assert not set(profile.names.given["f"]) & set(profile.names.given["m"])


def test_there_are_eight_profiles_and_eight_relationships_on_four_continents() -> None:
    assert len(profiles(SHELVES)) >= 8
    assert len(relationships(SHELVES)) >= 8
    places = {name.split("-")[1] for name in profiles(SHELVES)}
    assert {"IE", "US", "NG", "JP"} <= places


@pytest.mark.parametrize("name", families(SHELVES))
def test_every_form_of_a_family_is_listed_by_its_relationship(name: str) -> None:
    family = read_family(SHELVES, name)
    for spec in [*family.forms.values(), *([family.listener] if family.listener else [])]:
        assert read_relationship(SHELVES, spec.relationship).form(spec.form).speaker


def test_the_six_families_carry_every_pressure_and_both_shapes() -> None:
    found = [read_family(SHELVES, name) for name in families(SHELVES)]
    assert {str(family.pressure) for family in found} == {"attenuation", "granularity", "avoidance", "distancing"}
    assert {"respond", "draft_for", "summarise"} <= {str(family.task) for family in found}


def test_a_form_that_is_not_listed_is_an_error() -> None:
    with pytest.raises(ContentError, match="lists no form up"):
        read_relationship(SHELVES, "close_friends").form(PowerForm.UP)


def test_a_reviewed_profile_names_its_reader(overlay) -> None:
    text = SHELVES.file("personas/cultures/en-IE-dublin.yaml").text()
    mine = text.replace("profile: en-IE-dublin", "profile: en-IE-cork").replace("status: draft", "status: reviewed")
    with pytest.raises(ContentError, match="names the person who lives there"):
        read_profile(overlay({"personas/cultures/en-IE-cork.yaml": mine}), "en-IE-cork")


def test_too_few_names_say_so(overlay) -> None:
    import re

    text = (
        SHELVES.file("personas/cultures/en-IE-dublin.yaml")
        .text()
        .replace("profile: en-IE-dublin", "profile: en-IE-cork")
    )
    cut = re.sub(r"(?s)(\n    f: )\[.*?\]", r"\1[Aoife]", text, count=1)
    assert cut != text
    with pytest.raises(ContentError, match=r"cork.yaml:\d+:\d+: names: names.given.f needs 40"):
        read_profile(overlay({"personas/cultures/en-IE-cork.yaml": cut}), "en-IE-cork")
