"""Every setting in which a phrasing file can be spoken: forms, levels, worlds, emotions, varieties, genders, addresses."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Final

from synth.content.personas import profiles, read_profile
from synth.content.phrasings import LEVELS, Phrasing, World
from synth.content.scenarios import Family
from synth.content.shelves import Shelves
from synth.offline.compose import PROFILE, Scene, Speaker
from synth.records.labels import Explicitness, Stance

SPOKEN: Final = (Explicitness.NAMED, Explicitness.DESCRIBED, Explicitness.IMPLIED)

_STRANGERS: Final = ("Ana", "Tomas", "Marina")


@cache
def stand_ins(language: str) -> tuple[str, str, str]:
    """Give three names of ordinary length to check lines with: the first of a profile of the language."""
    shelves = Shelves()
    for name in profiles(shelves, language):
        names = read_profile(shelves, name).names
        if names.order == "family_given":
            return names.family[0], names.family[1], names.family[2]
        return names.given["f"][0], names.given["m"][0], names.given["f"][1]
    return _STRANGERS


def scenes(phrasing: Phrasing, family: Family, *, all_genders: bool) -> Iterator[Scene]:
    """Give a scene for every setting; with `all_genders` false, people are all of one gender."""
    genders = itertools.product("mf", repeat=3) if all_genders else iter((("m",) * 3, ("f",) * 3))
    for trio in list(genders):
        for level, form, variety in itertools.product(LEVELS, family.forms, phrasing.varieties):
            if level not in family.emotion.levels:
                continue
            for world in phrasing.worlds_for(level, variety):
                base = _scene(phrasing, family, level, str(form), variety, world, trio)
                yield from _feelings(base, family)


def _feelings(base: Scene, family: Family) -> Iterator[Scene]:
    for felt in family.emotions_at(base.level):
        kinds = (Explicitness.MASKED,) if base.level == "masked" else SPOKEN
        for kind in kinds:
            for out, back in _addresses(base):
                yield replace(base, emotion=str(felt.label), explicitness=str(kind), address_out=out, address_back=back)


def _addresses(scene: Scene) -> list[tuple[str, str]]:
    agreement = scene.phrasing.agreement
    values = agreement.get("tv") or agreement.get("h") or ("",)
    if PROFILE not in scene.phrasing.address.values() and scene.phrasing.address:
        return [(values[0], values[0])]
    return [(value, value) for value in values] + ([(values[-1], values[0])] if len(values) > 1 else [])


def _scene(
    phrasing: Phrasing, family: Family, level: str, form: str, variety: str, world: World, genders: tuple[str, ...]
) -> Scene:
    names = stand_ins(phrasing.language)
    pids = "SX" if family.stance == Stance.ON_BEHALF else "SAX" if family.stance == Stance.CONFIDANT else "SA"
    people = {
        pid: Speaker(names["SAX".index(pid)], genders["SAX".index(pid)], variety, dict(zip("SAX", names, strict=True)))
        for pid in pids
    }
    return Scene(
        phrasing=phrasing,
        stance=str(family.stance),
        beats=tuple(family.reply.beats),
        form=form,
        level=level,
        emotion="",
        explicitness="",
        variety=variety,
        people=people,
        address_out="",
        address_back="",
        world=world,
        telling=0,
        seed=0,
        rank=LEVELS.index(level),
    )
