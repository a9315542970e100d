"""A failure reply is its parent with named beats said anew, and keeps what its mechanism leaves alone."""

from __future__ import annotations

import itertools
import string
from collections import Counter
from dataclasses import dataclass, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from synth.content.lexicons import compile_words, read_lexicon
from synth.content.phrasings import FOLDER, read_phrasing
from synth.content.scenarios import read_family
from synth.content.shelves import Shelves
from synth.line.contrasts import apply_edits, examine_contrast, revert_edits
from synth.line.evidence import edits_between, join_beats, normal
from synth.offline.claims import failure_pools, faithful_choice, kept, replaced_choice
from synth.offline.settings import scenes
from synth.records.cells import PlannedFailure
from synth.records.labels import Mechanism, ReplyKind

SHELVES = Shelves()
BEATS = {
    "meet": "You are furious, and you are right to be. I would be too.",
    "own": "I told you that you could have the day, and then I took it back.",
    "hold": "You are going on Thursday; I have signed it, and I will tell the others.",
    "close": "Let me know when you are there.",
}
LEXICON = read_lexicon(SHELVES, "en")
FAMILY = read_family(SHELVES, "burial_day_taken_back")
LETTER = read_family(SHELVES, "complaint_kept_sharp")
COLD = "Anger is understandable here, and it will pass in time."
PALER = "You seem a bit put out, which I can see. I might be, too."


@dataclass(frozen=True)
class Authored:
    """One authored contrast as the offline model answers it."""

    family: object
    failure: PlannedFailure
    parent: dict
    replaced: dict
    kept: list
    held: frozenset
    joiner: str


def settings(language):
    """Give the settings of a language, one of each family at a time, so that a few hundred hold all families."""
    read = [
        (read_phrasing(SHELVES, language, file.path.stem), read_family(SHELVES, file.path.stem))
        for file in SHELVES.files(f"{FOLDER}/{language}")
    ]
    rows = itertools.zip_longest(*(scenes(phrasing, family, all_genders=False) for phrasing, family in read))
    return (scene for row in rows for scene in row if scene is not None)


def authored(language, replies):
    """Give every failure at every severity of so many different faithful replies."""
    seen = set()
    for scene in settings(language):
        phrasing, family = scene.phrasing, read_family(SHELVES, scene.phrasing.family)
        for beats in faithful_choice(scene).combinations():
            parent = {name: normal(beat.text) for name, beat in beats.items()}
            if len(seen) == replies or tuple(parent.values()) in seen:
                continue
            seen.add(tuple(parent.values()))
            for failure in phrasing.failures_at(scene.level):
                for severity in failure.severities:
                    said = next(replaced_choice(scene, failure_pools(scene, failure, severity)).combinations())
                    held = kept(beats, {**beats, **said}, family, read_lexicon(SHELVES, language), phrasing.joiner)
                    yield Authored(
                        family,
                        PlannedFailure(failure.mechanism, failure.variant, severity),
                        parent,
                        {name: normal(beat.text) for name, beat in said.items() if beat.text != beats[name].text},
                        sorted(held & set(failure.keeps)),
                        held,
                        phrasing.joiner,
                    )
        if len(seen) == replies:
            return


def planned(key, severity=2):
    mechanism, _, variant = key.partition(".")
    return PlannedFailure(Mechanism(mechanism), variant, severity)


def failed(replaced, key="attenuation", kept=("facts", "duty"), family=FAMILY, parent=BEATS, lexicon=LEXICON):
    found = examine_contrast(parent, replaced, kept, family, planned(key), " ", lexicon).failed
    assert all(one.says for one in found)
    return [one.check for one in found]


# -- what people wrote


@pytest.mark.parametrize("language", ["en", "ar", "ja"])
def test_authored_contrasts_pass_and_their_edits_cover_exactly_what_differs(language):
    lexicon, tally = read_lexicon(SHELVES, language), Counter()
    for one in authored(language, replies=200):
        assert (
            examine_contrast(one.parent, one.replaced, one.kept, one.family, one.failure, one.joiner, lexicon).failed
            == []
        )
        held = examine_contrast(one.parent, one.replaced, one.kept, one.family, one.failure, one.joiner, lexicon).kept
        assert set(one.kept) <= set(held) <= one.held
        new = {**one.parent, **one.replaced}
        before, after = join_beats(one.parent, one.joiner), join_beats(new, one.joiner)
        edits = edits_between(one.parent, new, one.joiner)
        assert [edit.beat for edit in edits] == [name for name in one.parent if name in one.replaced]
        assert apply_edits(before, after, edits) == after
        assert revert_edits(before, after, edits) == before
        for edit in edits:
            old, said = before[edit.start : edit.end].split(), after[edit.new_start : edit.new_end].split()
            assert not (old and said) or (old[0] != said[0] and old[-1] != said[-1])
        tally[one.failure.key] += 1
    assert len(tally) >= 7
    assert tally.total() > 1000


def test_the_edits_of_a_line_give_failures_from_parents_and_parents_from_failures(scripted, live):
    _, lived = live(scripted(), families=["told_to_be_over_it"], languages=["zh"])
    replies = {reply.reply_id: reply for one in lived for reply in one.replies}
    failures = [reply for reply in replies.values() if reply.kind == ReplyKind.FAILURE]
    assert failures
    for reply in failures:
        parent = replies[reply.parent_id].text
        assert parent != reply.text
        assert apply_edits(parent, reply.text, reply.edits) == reply.text
        assert revert_edits(parent, reply.text, reply.edits) == parent


# -- any beats at all

texts = st.text(st.sampled_from(string.ascii_lowercase[:4] + "  .ぶ死。नि\U0001f600"), max_size=30)
several = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), texts, min_size=1)


@given(several, several, st.sampled_from(["", " ", "\n"]))
@example({"a": "x x", "b": ""}, {"a": "x", "b": "x"}, " ")
def test_edits_of_any_beats_apply_and_revert(parent, said, joiner):
    new = parent | {name: text for name, text in said.items() if name in parent}
    before, after = join_beats(parent, joiner), join_beats(new, joiner)
    edits = edits_between(parent, new, joiner)
    assert {edit.beat for edit in edits} == {name for name in parent if parent[name] != new[name]}
    assert apply_edits(before, after, edits) == after
    assert revert_edits(before, after, edits) == before


@given(several, several, st.lists(st.sampled_from(["facts", "deixis", "address", "tone", ""])))
def test_any_answer_is_checked_without_an_error(parent, said, claimed):
    for key in ("attenuation", "avoidance.harsh", "distancing", "other"):
        found = examine_contrast(parent, said, claimed, FAMILY, planned(key), " ", LEXICON).failed
        held = examine_contrast(parent, said, claimed, FAMILY, planned(key), " ", LEXICON).kept
        touched = {name for name, text in said.items() if parent.get(name, text) != text}
        for aspect in held:
            carrying = set(FAMILY.beats_that_carry(aspect))
            assert aspect == "deixis" or (carrying and (aspect in claimed or not carrying & touched))
        assert bool(set(said) - set(parent)) <= any("no beats of the reply" in one.says for one in found)


def test_edits_that_do_not_fit_their_texts_are_refused():
    (edit,) = edits_between({"a": "one two"}, {"a": "one three four"}, " ")
    with pytest.raises(ValueError, match="outside its text"):
        apply_edits("one", "one three four", [edit])
    with pytest.raises(ValueError, match="overlaps"):
        revert_edits("one two", "one three four", [edit, edit])


# -- each check


def test_a_fitting_answer_passes_with_and_without_a_lexicon():
    assert failed({"meet": PALER}) == []
    assert failed({"meet": PALER}, lexicon=None) == []


def test_beats_that_the_reply_has_not_or_that_are_empty():
    assert failed({"meet": PALER, "dragon": "Roar."}) == ["beats"]
    assert "beats" in failed({"meet": ""})


def test_beats_swapped_with_each_other():
    meet = "You are a bit cross, and you are right to be. I might be too."
    own = "I told you that you could have the day, and things came up at work."
    assert failed({"meet": meet, "own": own}, "granularity.general", ["affect", "duty"]) == []
    assert failed({"meet": own, "own": meet}, "granularity.general", ["affect", "duty"]) == ["beats"]


@pytest.mark.parametrize("replaced", [{}, {"meet": BEATS["meet"]}, dict(BEATS)])
def test_an_answer_that_changes_nothing(replaced):
    assert failed(replaced) == ["edits"]


def test_every_beat_may_be_replaced_by_distancing_only():
    cold = {
        "meet": "Anger is understandable, and it is justified in these matters.",
        "own": "The day had been granted to the applicant, and was then withdrawn.",
        "hold": "Leave on Thursday stands approved; the department is to be notified.",
        "close": "Arrival may be notified then.",
    }
    assert failed(cold, "distancing", ["affect", "facts", "duty"]) == []
    assert failed(cold, "avoidance", ["affect"]) == ["edits", "edits"]
    assert failed(cold, "distancing.enmeshed", ["affect", "facts", "duty"]) == ["edits", "edits"]


def test_more_is_changed_than_the_mechanism_needs():
    more = "Things like that are decided a long way over my head, that is how it is."
    assert failed({"meet": PALER, "hold": more, "own": more}, kept=["facts", "duty"]) == ["edits"]


def test_what_the_mechanism_spoils_must_be_touched():
    close = {"close": "Tell me when you are back, then."}
    assert failed(close, "attenuation") == ["edits"]
    assert failed(close, "avoidance", ["affect"]) == ["edits"]
    assert failed(close, "granularity.general", ["affect", "duty"]) == ["edits"]
    assert failed(close, "attenuation.amplified") == []
    assert failed(close, "distancing", ["affect", "facts", "duty"]) == []


@pytest.mark.parametrize(("meet", "fails"), [("Oh.", ["length"]), (PALER + " " + PALER, ["length"]), (PALER, [])])
def test_the_whole_reply_is_about_as_long(meet, fails):
    assert failed({"meet": meet}) == fails


def test_an_invariant_is_claimed_or_untouched():
    hold = {"hold": "You are going on Thursday; I have put my name to it and will say so to them."}
    assert failed(hold, "granularity.general", ["affect", "duty"]) == []
    # nothing that carries the affect is touched, the duty is said anew
    assert failed(hold, "granularity.general", ["duty"]) == []
    assert failed(hold, "granularity.general", ["affect"]) == ["kept"]
    assert failed(hold, "granularity.general", []) == ["kept"]


def test_address_is_decided_by_the_text():
    letter = {
        "call": "Dear Mr Adeyemi, I write about the delivery of the third of May.",
        "claim": "I ordered forty chairs, you promised them for the wedding, and they came broken.",
        "weight": "I have not been so angry in years, and I was ashamed before my guests.",
        "demand": "I ask for the whole sum back by Friday.",
        "close": "Yours, Ngozi",
    }
    hello = {
        "call": "Hello there, I write about the delivery of the third of May.",
        "weight": "I was a bit put out, and it was not ideal in front of all the guests.",
    }
    given = {"family": LETTER, "parent": letter}
    assert failed(hello, kept=["facts", "duty"], **given) == ["kept"]
    assert failed(hello, kept=["facts", "duty", "address"], **given) == ["kept"]
    assert failed({"weight": hello["weight"]}, kept=["facts", "duty", "address"], **given) == []
    # distancing may give the address up, and may not say that it did not
    near = {"call": hello["call"]}
    assert failed(near, "distancing", ["affect", "facts", "duty"], **given) == []
    assert failed(near, "distancing", ["affect", "facts", "duty", "address"], **given) == ["kept"]
    # what stands in beats that were left alone is kept without a word, and the address is lost whatever is claimed
    assert examine_contrast(letter, near, ["address"], LETTER, planned("distancing"), " ", None).kept == (
        "affect",
        "duty",
        "facts",
    )


def test_deixis_is_decided_by_the_lexicon():
    cold = {"meet": COLD}
    parent = {name: text for name, text in BEATS.items() if name in ("meet", "close")} | {"close": "See to the keys."}
    claimed = ["affect", "facts", "duty", "deixis"]
    assert failed(cold, "distancing", claimed, parent=parent) == ["kept"]
    assert failed(cold, "distancing", claimed[:3], parent=parent) == []
    assert failed(cold, "distancing", claimed, parent=parent, lexicon=None) == []
    # where the parent points at nobody either, nothing is lost
    nobody = {
        "meet": "Anger is understandable, and it is justified. It will pass.",
        "close": "See to the keys.",
    }
    assert failed(cold, "distancing", claimed, parent=nobody) == []


def test_an_empty_list_of_the_lexicon_contradicts_nothing():
    empty = replace(LEXICON, first=compile_words([]), second=compile_words([]))
    cold = {"meet": COLD}
    claimed = ["affect", "facts", "duty", "deixis"]
    assert failed(cold, "distancing", claimed, parent={"meet": BEATS["meet"]}, lexicon=empty) == []


def test_what_is_kept_is_what_the_text_decides_and_else_what_is_claimed():
    def held(claimed, key="attenuation", said=PALER, lexicon=LEXICON):
        return examine_contrast(BEATS, {"meet": said}, claimed, FAMILY, planned(key), " ", lexicon).kept

    # duty and facts stand in beats that were left alone, I and you are still there; `tone` and `address` are nobody's here
    assert held(["tone", "address"]) == held(["facts", "duty", "deixis"]) == ("deixis", "duty", "facts")
    # an attenuation keeps no affect, whatever it says; one that amplifies may
    assert "affect" not in held(["affect"])
    assert "affect" in held(["affect"], "attenuation.amplified")
    assert "affect" not in held([], "attenuation.amplified")
    # without a lexicon deixis is what is claimed
    assert "deixis" not in held([], lexicon=None)
    assert "deixis" in held(["deixis"], lexicon=None)
