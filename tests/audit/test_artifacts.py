"""What replies alone give away: nothing is said of few pairs, a planted artifact is found, and crossed pairs tell nothing."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

import synth
from synth.audit.artifacts import LEAST_PAIRS, artifact_gate
from synth.audit.figures import Ruling
from synth.audit.pairs import Pair, pairs
from synth.content.lexicons import read_lexicon
from synth.content.shelves import Shelves
from synth.records.labels import Mechanism, ReplyKind, Split

FAMILIES = ("birth", "burial", "complaint", "file")
WORDS = ["sorry", "day", "take", "hear", "tell", "come", "away", "letter", "house", "water"]
WORDS += ["hand", "late", "morning", "street", "work", "brother", "call", "name", "friend", "door"]


def said(chance, size=9):
    return " ".join(chance.choice(WORDS) for _ in range(size))


def pair(number, chosen, rejected, family=None, **changes):
    given = {
        "chosen": chosen,
        "rejected": rejected,
        "chosen_id": f"{number}.faithful",
        "rejected_id": f"{number}.avoidance.2",
        "kind": ReplyKind.FAILURE,
        "mechanism": Mechanism.AVOIDANCE,
        "variant": None,
        "direction": None,
        "severity": 2,
        "scenario_id": str(number),
        "event": f"e{number}",
        "family": family or FAMILIES[number % len(FAMILIES)],
        "language": "en",
        "split": Split.TRAIN,
    }
    return Pair(**(given | changes))


def made(spoil, number=240, seed=1, **changes):
    """Give pairs of random words, the rejected ones with something done to them."""
    chance = random.Random(seed)
    return [pair(n, said(chance), spoil(said(chance), n), **changes) for n in range(number)]


def figure(gate, features="words", population="all", language="en", mechanism=None):
    wanted = (population, features, language, mechanism)
    (found,) = [
        one for one in gate.separability if (one.population, one.features, one.language, one.mechanism) == wanted
    ]
    return found


def untouched(text, _):
    return text


# -- what is found


def test_replies_that_differ_by_nothing_pass():
    gate = artifact_gate(made(untouched, 600))
    for features in ("words", "surface"):
        one = figure(gate, features)
        assert 0.4 < one.auc.value < 0.6
        assert one.auc.lower <= one.auc.value <= one.auc.upper
        assert (one.passes, one.most, one.held_out, one.pairs, one.auc.n) == (Ruling.YES, 0.70, "family", 600, 600)
    assert gate.passes is Ruling.YES


def test_a_word_that_gives_failures_away_is_found_by_words_and_not_by_the_surface():
    gate = artifact_gate(made(lambda text, n: text.replace(" ", " wellthen ", bool(n % 5)), 400))
    assert figure(gate).auc.lower > 0.7
    assert 0.8 < figure(gate).right < 0.95
    assert figure(gate).passes is gate.passes is Ruling.NO
    swapped = artifact_gate(made(lambda text, _: text.replace("sorry", "yrros"), 400))
    assert figure(swapped).passes is Ruling.NO
    assert figure(swapped, "surface").passes is Ruling.YES


def test_a_figure_above_its_limit_fails_where_its_whole_interval_is():
    gate = artifact_gate(made(lambda text, n: text.replace(" ", " wellthen ", n % 2), 400))
    one = figure(gate)
    assert one.auc.lower < one.most < one.auc.value
    assert one.passes is Ruling.TOO_FEW


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text, _: text + "!",
        lambda text, _: text + "？",
        lambda text, _: text.replace(" ", "، ", 2),
        lambda text, _: text.replace(" ", ". ", 2),
        lambda text, _: text[:-12],
        lambda text, _: "However " + text[8:],
    ],
)
def test_what_can_be_counted_is_found_by_the_surface(spoil):
    one = figure(artifact_gate(made(spoil)), "surface")
    assert one.auc.value > 0.9
    assert one.passes is Ruling.NO


def test_who_is_pointed_at_is_seen_with_a_lexicon_only():
    found = made(lambda text, _: text.replace(" ", " it ", 2), 400)
    found = [replace(one, chosen=one.chosen.replace(" ", " me ", 2)) for one in found]
    lexicons = {"en": read_lexicon(Shelves(), "en")}
    assert figure(artifact_gate(found), "surface").passes is Ruling.YES
    assert figure(artifact_gate(found, lexicons), "surface").auc.value > 0.9


def test_each_language_has_a_model_of_its_own():
    spoiled = made(lambda text, _: text + " hm")
    clean = [replace(one, language="de", chosen_id=f"{one.chosen_id}.de") for one in made(untouched, 400, seed=2)]
    gate = artifact_gate([*spoiled, *clean])
    assert figure(gate).passes is Ruling.NO
    assert figure(gate, language="de").passes is Ruling.YES
    assert figure(gate, language="de").auc.value < figure(gate, language=None).auc.value < figure(gate).auc.value
    assert gate.passes is Ruling.NO


def test_mechanisms_and_failures_alone_are_shown_and_not_ruled_on():
    spoiled = made(lambda text, _: text + " hm")
    clean = [replace(one, mechanism=Mechanism.DISTANCING) for one in made(untouched, seed=3)]
    gate = artifact_gate([*spoiled, *clean])
    for mechanism in (Mechanism.AVOIDANCE, Mechanism.DISTANCING):
        one = figure(gate, mechanism=mechanism)
        assert (one.pairs, one.most, one.passes) == (240, None, None)
    assert figure(gate, mechanism=Mechanism.AVOIDANCE).auc.value > 0.9
    assert (figure(gate, population="failure").passes, figure(gate, population="failure").pairs) == (None, 480)


# -- what is held out


def by_family(text, number):
    """Give each family a word of its own that is at the end of its rejected replies."""
    return f"{text} {FAMILIES[number % len(FAMILIES)] * 3}"


def test_what_gives_away_one_family_only_is_no_artifact():
    # the same number of letters for all, and the chosen ones end in another family's word
    found = [
        replace(one, chosen=f"{one.chosen} {FAMILIES[(number + 1) % len(FAMILIES)] * 3}")
        for number, one in enumerate(made(by_family, 400))
    ]
    assert figure(artifact_gate(found)).auc.value < 0.5
    # of two families events are held out: their words stand on both sides
    two = [one for one in found if one.family in FAMILIES[:2]]
    one = figure(artifact_gate(two))
    assert one.auc.value > 0.95
    assert (one.held_out, one.passes) == ("event", Ruling.NO)


def test_one_event_holds_nothing_out():
    one = figure(artifact_gate(made(lambda text, _: text + "!", event="e", family="burial")))
    assert (one.auc, one.right, one.pairs, one.passes) == (None, None, 240, Ruling.TOO_FEW)


# -- crossed pairs


def both_ways(found):
    return [
        replace(one, kind=ReplyKind.CROSSED, chosen=a, rejected=b, chosen_id=f"{a_id}", rejected_id=f"{b_id}")
        for one in found
        for a, b, a_id, b_id in (
            (one.chosen, one.rejected, one.chosen_id, one.rejected_id),
            (one.rejected, one.chosen, one.rejected_id, one.chosen_id),
        )
    ]


def test_whatever_a_model_makes_of_pairs_crossed_both_ways_it_is_at_chance():
    gate = artifact_gate(both_ways(made(lambda text, _: text + " hm!", 150)))
    for features in ("words", "surface"):
        one = figure(gate, features, "crossed")
        assert (one.auc.value, one.right, one.most, one.passes) == (0.5, 0.5, 0.60, Ruling.YES)
    assert gate.passes is Ruling.YES


def test_crossed_and_observed_pairs_have_a_limit_of_their_own():
    # two in three are spoiled, so that the figure lies between the limits
    found = made(lambda text, n: text.replace("e", "é", 1) if n % 3 else text, 600)
    for kind in (ReplyKind.CROSSED, ReplyKind.OBSERVED):
        one = figure(artifact_gate([replace(one, kind=kind) for one in found]), population=str(kind))
        assert one.most == 0.60
        assert one.passes is Ruling.NO
    assert {one.population for one in artifact_gate(found).separability} == {"all", "failure"}


# -- few pairs, many orders


@pytest.mark.parametrize("number", [1, 2, LEAST_PAIRS - 1])
def test_of_few_pairs_nothing_is_said(number):
    gate = artifact_gate(made(lambda text, _: text + "!", number))
    assert figure(gate).passes is gate.passes is Ruling.TOO_FEW
    assert {one.balanced for one in gate.lengths} == {Ruling.TOO_FEW}


def test_without_a_pair_nothing_is_run():
    gate = artifact_gate([])
    assert (gate.separability, gate.lengths, gate.passes) == ((), (), Ruling.NOT_RUN)


def test_texts_without_a_letter_are_measured():
    gate = artifact_gate([pair(n, "", "") for n in range(LEAST_PAIRS)])
    assert figure(gate).auc.value == figure(gate, "surface").auc.value == 0.5
    assert gate.lengths[0].longer is None


def test_the_order_of_the_pairs_is_of_no_matter():
    found = made(lambda text, n: text.replace("sorry", "yrros", n % 2), 300)
    once = artifact_gate(found).to_dict()
    random.Random(5).shuffle(found)
    assert artifact_gate(iter(found)).to_dict() == once
    assert json.loads(json.dumps(once)) == once


# -- lengths


def test_longer_and_shorter_failures_are_counted_within_each_mechanism():
    even = made(lambda text, n: text + "!!" if n % 2 else text[:-1])
    even = [replace(one, chosen="x" * len(one.rejected.rstrip("!"))) for one in even]
    even = [replace(one, chosen=one.chosen + ("" if n % 2 else "xx")) for n, one in enumerate(even)]
    longer = [replace(one, mechanism=Mechanism.GRANULARITY, rejected=one.chosen + "x") for one in even]
    gate = artifact_gate([*even, *longer])
    balance = {one.mechanism: one for one in gate.lengths}
    assert balance[Mechanism.AVOIDANCE].longer.value == pytest.approx(0.5)
    assert balance[Mechanism.AVOIDANCE].balanced is Ruling.YES
    assert (balance[Mechanism.GRANULARITY].longer.value, balance[Mechanism.GRANULARITY].longer.n) == (1.0, 240)
    assert balance[Mechanism.GRANULARITY].balanced is Ruling.NO
    # crossed pairs balance by themselves, and what is as long as its parent says nothing
    assert artifact_gate(both_ways(even)).lengths == ()
    same = [replace(one, rejected=one.chosen) for one in even[:4]]
    assert artifact_gate([*even, *same]).lengths[0].longer.n == 240


# -- a build


def test_a_build_of_the_embedded_model_gives_its_failures_away_and_its_crossed_pairs_nothing(quickstart):
    records = [one for one in synth.load(quickstart / "quickstart").records() if one.scenario.language in {"en", "ja"}]
    replies = [reply for record in records for reply in record.replies]
    found = list(pairs([record.scenario for record in records], replies))
    crossed = [one for one in found if one.kind == ReplyKind.CROSSED]
    assert len(found) - len(crossed) == sum(reply.kind == ReplyKind.FAILURE for reply in replies)
    assert {one.variant for one in crossed} == {"level", "form", "world"}
    assert {(one.variant, one.chosen_id, one.rejected_id) for one in crossed} == {
        (one.variant, one.rejected_id, one.chosen_id) for one in crossed
    }
    gate = artifact_gate(found)
    for features in ("words", "surface"):
        assert figure(gate, features, "crossed", None).auc.value == 0.5
        assert figure(gate, features, "crossed", None).passes is Ruling.YES
        assert 0.5 < figure(gate, features, "all", None).auc.value < figure(gate, features, "failure", None).auc.value
    # authored failures are few lines, met again and again: they do not pass, and the gate says so
    assert gate.passes is Ruling.NO
