"""Pairs: what was spoiled is worse than what it was made of, and a good reply is wrong in its sibling's scene."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import fields, replace
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.audit.pairs import pairs
from synth.records.labels import Direction, Mechanism, PowerForm, ReplyKind, Split, Stance
from synth.records.schema import Address, Participant, Relation, Reply, Scenario

FAILURE, CROSSED = ReplyKind.FAILURE, ReplyKind.CROSSED
THINGS = (
    "brother funeral Friday",
    "kitchen flood Tuesday",
    "exam letter refused",
    "bicycle stolen station",
    "dog lost harbour",
)


@cache
def plain(row_type):
    """Give the plainest row of a type."""
    hints = get_type_hints(row_type)
    return row_type(**{field.name: _plain(hints[field.name]) for field in fields(row_type)})


def _plain(hint):
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return next(iter(hint))
    if get_origin(hint) in (UnionType, tuple):
        return None if type(None) in get_args(hint) else ()
    return hint() if hint in (str, int, float, bool) else None


def relation(from_pid, to_pid, form="T", titles=None):
    return Relation(from_pid, to_pid, "friends", PowerForm.LEVEL, Address("tv", form, "T", None, titles, False))


def person(pid, name=None, gender="f"):
    return replace(plain(Participant), pid=pid, name=name, agreement=gender)


def scene(event, form=PowerForm.UP, **changes):
    given = {
        "scenario_id": f"{event}.{form}",
        "event_key": event,
        "power_form": form,
        "family": "burial",
        "language": "en",
        "split": Split.TRAIN,
        "stance": Stance.IN_RELATION,
        "felt": 2,
        "shown": 2,
        "participants": (person("S", "Ngozi Obi"), person("A", "Ada Eze")),
        "relations": (relation("S", "A"), relation("A", "S")),
    }
    return replace(plain(Scenario), **(given | changes))


def faithful(scenario, text=None):
    own = f"I hear you, {scenario.event_key} in the {scenario.power_form} way."
    return replace(
        plain(Reply),
        reply_id=f"{scenario.scenario_id}.faithful",
        scenario_id=scenario.scenario_id,
        kind=ReplyKind.FAITHFUL,
        mechanism=None,
        text=own if text is None else text,
    )


def failure(parent, mechanism=Mechanism.AVOIDANCE, **changes):
    given = {
        "reply_id": f"{parent.scenario_id}.{mechanism}.2",
        "kind": ReplyKind.FAILURE,
        "mechanism": mechanism,
        "direction": Direction.UNDER,
        "severity": 2,
        "text": parent.text + " Who knows.",
        "parent_id": parent.reply_id,
    }
    return replace(parent, **(given | changes))


def crossed(*scenes, texts=None):
    told = [faithful(one, text) for one, text in zip(scenes, texts or [None] * len(scenes), strict=True)]
    return list(pairs(scenes, told, [CROSSED]))


def couples(found):
    return {(one.chosen_id.rpartition(".")[0], one.rejected_id.rpartition(".")[0]) for one in found}


# -- what was spoiled


def test_a_failure_is_rejected_for_its_parent_with_all_that_is_known_of_it():
    one = scene("e1")
    parent = faithful(one)
    harsh = failure(parent, variant="harsh", direction=Direction.OVER)
    (pair,) = pairs([one], [harsh, parent])
    assert (pair.chosen, pair.rejected) == (parent.text, harsh.text)
    assert (pair.chosen_id, pair.rejected_id) == ("e1.up.faithful", "e1.up.avoidance.2")
    assert (pair.kind, pair.mechanism, pair.variant, pair.severity) == (FAILURE, Mechanism.AVOIDANCE, "harsh", 2)
    assert (pair.direction, pair.split) == (Direction.OVER, Split.TRAIN)
    assert (pair.scenario_id, pair.event, pair.family, pair.language) == ("e1.up", "e1", "burial", "en")


def test_replies_without_their_scene_or_their_parent_give_nothing():
    one = scene("e1")
    parent = faithful(one)
    assert list(pairs([], [parent, failure(parent)])) == []
    assert list(pairs([one], [failure(parent)])) == []
    assert list(pairs([one], [parent, replace(parent, reply_id="e1.up.alternative", kind=ReplyKind.ALTERNATIVE)])) == []


def test_a_control_without_personas_is_in_no_pair():
    one, control = scene("e1"), scene("e1", scenario_id="e1.up.default", form_key="up.default")
    parents = [faithful(one), faithful(control)]
    found = list(pairs([one, control], [*parents, *map(failure, parents)]))
    assert {pair.scenario_id for pair in found} == {"e1.up"}
    siblings = [scene("e1", form) for form in (PowerForm.UP, PowerForm.DOWN)]
    others = [replace(one, scenario_id=f"{one.scenario_id}.default", form_key="x.default") for one in siblings]
    assert len(crossed(*siblings)) == 2
    assert crossed(*others) == []


# -- what was crossed


def test_forms_of_an_event_are_crossed_by_twos_and_both_ways():
    found = crossed(scene("e1"), scene("e1", PowerForm.LEVEL), scene("e1", PowerForm.DOWN))
    assert len(found) == 2
    assert couples(found) == {(other, one) for one, other in couples(found)}
    assert {(one.kind, one.mechanism, one.variant, one.direction) for one in found} == {
        (CROSSED, Mechanism.OTHER, "form", None)
    }


def test_another_level_is_under_or_over_by_the_side_of_the_rejected_reply():
    found = crossed(scene("low", felt=1), scene("high", felt=3))
    assert {(one.scenario_id, one.direction, one.severity) for one in found} == {
        ("low.up", Direction.OVER, 2),
        ("high.up", Direction.UNDER, 2),
    }
    assert {(one.mechanism, one.variant) for one in found} == {(Mechanism.ATTENUATION, "level")}


def test_another_world_states_facts_of_another_scene():
    scenes = [scene(f"e{n}") for n in range(5)]
    found = crossed(*scenes, texts=[f"I am sorry about the {thing}." for thing in THINGS])
    assert len(found) == 4
    assert {(one.mechanism, one.variant, one.direction) for one in found} == {(Mechanism.GRANULARITY, "world", None)}


def test_replies_that_tell_of_the_same_world_or_of_none_are_not_crossed():
    scenes = [scene(f"e{n}") for n in range(6)]
    twice = [f"I am sorry about the {thing}{end}" for thing in THINGS[:3] for end in (".", "!!")]
    told = [faithful(one, text) for one, text in zip(scenes, twice, strict=True)]
    world = {one.reply_id: text.split("the ")[1][:6] for one, text in zip(told, twice, strict=True)}
    found = list(pairs(scenes, told))
    assert len(found) >= 4
    assert all(world[one.chosen_id] != world[one.rejected_id] for one in found)
    assert crossed(*scenes, texts=[f"I am sorry{'!' * n}" for n in range(6)]) == []
    # two events do not show which words every event says
    assert crossed(*scenes[:2], texts=twice[:3:2]) == []


def test_letters_that_stand_alone_are_taken_by_twos():
    scenes = [scene(f"e{n}", language="ja") for n in range(4)]
    texts = ["お葬式の日は残念でした", "台所の水は残念でした", "試験の紙は残念でした", "駅の自転車は残念でした"]
    assert len(crossed(*scenes, texts=texts)) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"language": "es"},
        {"family": "birth"},
        {"split": Split.TEST},
        {"script": "Cyrl"},
        {"relations": (relation("S", "A"), relation("A", "S", "V"))},
        {"participants": (person("S", gender="m"), person("A"))},
        {"participants": (person("S"), person("A", gender="m"))},
        {"power_form": PowerForm.DOWN},
        {"felt": 1},
    ],
)
def test_only_siblings_that_fit_are_crossed(changes):
    low = scene("low", felt=1)
    assert len(crossed(low, scene("high", felt=3))) == 2
    assert crossed(low, scene("high", **({"felt": 3} | changes))) == []


def test_people_who_agree_in_everything_meet_first():
    texts = [
        "I hear you.",
        "I do hear you, I do.",
        "I hear you, all of it, and I will.",
        "I hear you, all of it, and I am here.",
    ]
    here = {"variety": "en-NG"}
    found = crossed(
        scene("a", felt=1, **here), scene("b", felt=3), scene("c", felt=3, **here), scene("d", felt=1), texts=texts
    )
    assert couples(one for one in found if one.variant == "level") == {
        ("a.up", "c.up"),
        ("c.up", "a.up"),
        ("b.up", "d.up"),
        ("d.up", "b.up"),
    }
    assert len(crossed(scene("a", felt=1, **here), scene("b", felt=3))) == 2


def test_a_reply_that_names_somebody_fits_only_where_they_are():
    low, high = scene("low", felt=1), scene("high", felt=3)
    elsewhere = replace(high, participants=(person("S", "Maria Silva"), person("A", "Ada Eze")))
    assert len(crossed(low, high, texts=["Ngozi, I hear you.", "I hear all of it."])) == 2
    assert crossed(low, elsewhere, texts=["Ngozi, I hear you.", "I hear all of it."]) == []
    assert crossed(low, elsewhere, texts=["I hear you.", "I hear all of it, Maria."]) == []
    assert len(crossed(low, elsewhere, texts=["I hear you.", "I hear all of it, and Ada too."])) == 2
    titled = replace(elsewhere, relations=(relation("S", "A"), relation("A", "S", titles="Madam")))
    assert crossed(low, titled, texts=["I hear you.", "I hear all of it, Madam."]) == []


@pytest.mark.parametrize(("stance", "ends"), [(Stance.ON_BEHALF, ("S", "X")), (Stance.CARRY_OVER, ("S", "A"))])
def test_who_replies_to_whom_is_the_stance(stance, ends):
    def with_form(form):
        people = (person("S"), person("A"), person("X"))
        return {"stance": stance, "relations": (relation("A", "S"), relation(*ends, form)), "participants": people}

    low, high = scene("low", felt=1, **with_form("V")), scene("high", felt=3, **with_form("V"))
    assert len(crossed(low, high)) == 2
    assert crossed(low, replace(high, **with_form("T"))) == []


def test_a_text_is_no_rival_of_itself():
    assert crossed(scene("low", felt=1), scene("high", felt=3), texts=["I hear you."] * 2) == []


# -- any build at all

scenes_of = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(PowerForm),
        st.integers(1, 3),
        st.sampled_from(["en", "ja"]),
        st.sampled_from(["T", "V"]),
        st.sampled_from(["f", "m"]),
        st.sampled_from(THINGS),
    ),
    unique_by=lambda one: (one[0], one[1], one[3]),
    max_size=30,
)


@given(scenes_of, st.randoms(use_true_random=False))
def test_every_reply_is_chosen_and_rejected_once_by_the_same_other(drawn, chance: random.Random):
    scenes, told = [], []
    for number, form, felt, language, address, gender, thing in drawn:
        event = f"{language}{number}"
        people = (person("S", gender=gender), person("A"))
        used = (relation("S", "A"), relation("A", "S", address))
        scenes.append(scene(event, form, felt=felt, language=language, relations=used, participants=people))
        told.append(faithful(scenes[-1], f"I hear you about the {thing}, {form}."))
    found = list(pairs(scenes, [*told, *map(failure, told)]))
    by_id = {one.scenario_id: one for one in scenes}
    assert sum(one.kind == FAILURE for one in found) == len(told)
    by_variant = defaultdict(list)
    for one in found:
        if one.kind == CROSSED:
            own, sibling = by_id[one.scenario_id], by_id[one.rejected_id.removesuffix(".faithful")]
            assert one.chosen_id == f"{one.scenario_id}.faithful"
            assert one.chosen != one.rejected
            assert own.language == sibling.language == one.language
            assert (own.event_key == sibling.event_key) == (one.variant == "form")
            assert (own.felt != sibling.felt) or one.variant != "level"
            by_variant[one.variant].append((one.chosen_id, one.rejected_id))
    for some in by_variant.values():
        assert max(Counter(chosen for chosen, _ in some).values()) == 1
        assert {(rejected, chosen) for chosen, rejected in some} == set(some)
    chance.shuffle(scenes)
    chance.shuffle(told)
    assert list(pairs(scenes, [*map(failure, told), *told])) == found
