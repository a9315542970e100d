"""What the line checks of every scene and reply by rule, before anybody reads it; each check has a name, and a failed one is kept.

What is mendable is asked for once more. Cues and evidence are not: whoever is asked again for what lets a feeling be seen makes it easier to see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from synth.content.lexicons import Lexicon
from synth.content.scenarios import Family
from synth.gold import LEAST_CUES, disjoint
from synth.line.evidence import QuoteError, find_quote, normal, tokens_of
from synth.programs.contracts import EventAnswer, ReplyAnswer, SceneAnswer, SceneTurn
from synth.records.cells import Cell
from synth.records.labels import Explicitness, Must, Stance

ASSISTANT: Final = "R"
"""The one who is asked to write, summarise or translate."""

NAMES: Final = (
    "people",
    "turns",
    "facts",
    "quotes",
    "cues",
    "request",
    "explicitness",
    "edits",
    "beats",
    "length",
    "kept",
    "evidence",
    "language",
    "form",
)
"""Every check. `language` and `form` are the suite's filters, met before more is paid."""

UNMENDED: Final = frozenset({"cues", "evidence"})
"""Checks after which nothing is asked again."""

LEAST_SHARED: Final = 0.1
"""The share of words that a counterfactual form has in common with the form that it edits, at least: less is another text, not an edit.

Whoever hides a feeling says it in other words to another person: of authored masked forms .11 is the least (eleven languages, 960 records).
"""

MOST_ALIKE: Final = 0.97
"""The share of words that a second honest reply may have in common with the first: more is the same reply."""

_OTHER_FACT: Final = 0.5
"""By how much, as a share of their trigrams, words must be nearer to another fact's than to their own to be that other fact's."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A check that an answer failed: its name, and what is wrong in one sentence."""

    check: str
    says: str


def mendable(failed: Sequence[Failed]) -> tuple[str, ...]:
    """Give the names of what failed, once each, where all of it may be asked for again; nothing where it may not."""
    names = tuple(dict.fromkeys(one.check for one in failed))
    return () if UNMENDED & set(names) else names


def check_event(answer: EventAnswer, family: Family) -> list[Failed]:
    """Give what is wrong with an event's particulars: a fact without words."""
    lacking = [name for name in family.facts if not answer.facts.get(name, "").strip()]
    return [Failed("facts", f"no words for {', '.join(lacking)}")] if lacking else []


def check_scene(
    scene: SceneAnswer,
    cell: Cell,
    family: Family,
    told: EventAnswer,
    lexicon: Lexicon | None,
    base: SceneAnswer | None = None,
) -> list[Failed]:
    """Give every check that a scene fails.

    Args:
        scene: The answer of write or vary.
        cell: What it was to be.
        family: Whose facts must be said.
        told: The event's particulars, with words for each fact.
        lexicon: The language's; without one `explicitness` is not checked.
        base: The scene of the form that this one edits, where it does.
    """
    found = [*_people(scene, cell, family), *_quotes(scene), *_facts(scene, cell, family, told)]
    found += [*_cues(scene, cell), *_request(scene, family), *_explicitness(scene, cell, lexicon)]
    if base is not None:
        found += _edited(scene, base)
    return found


def check_reply(answer: ReplyAnswer, family: Family, faithful: Mapping[str, str] | None = None) -> list[Failed]:
    """Give what is wrong with a reply: its beats are the family's, in their order, none empty; another reply than the `faithful` one says it in other words.

    Beats may be shared: a style often changes where it matters and leaves the rest. Of authored alternatives most of a reply is shared.
    """
    said, wanted = [beat.beat for beat in answer.beats], list(family.reply.beats)
    if said != wanted:
        return [Failed("beats", f"{', '.join(said)}; wanted, in this order: {', '.join(wanted)}")]
    if empty := [beat.beat for beat in answer.beats if not normal(beat.text)]:
        return [Failed("beats", f"empty: {', '.join(empty)}")]
    if faithful is not None and _alike_reply(answer, faithful) > MOST_ALIKE:
        return [Failed("edits", "the other reply is the faithful one again, or nearly")]
    return []


def _alike_reply(answer: ReplyAnswer, faithful: Mapping[str, str]) -> float:
    """Give the share of words that two replies have in common."""
    said = [tokens_of(" ".join(texts)) for texts in ([normal(beat.text) for beat in answer.beats], faithful.values())]
    return 2 * sum((Counter(said[0]) & Counter(said[1])).values()) / max(1, len(said[0]) + len(said[1]))


def _people(scene: SceneAnswer, cell: Cell, family: Family) -> Iterator[Failed]:
    # X is spoken of; R is there where somebody is asked to write or to hand on
    known = {person.pid for person in cell.people if person.pid != "X"}
    known |= {ASSISTANT} if family.stance in (Stance.ON_BEHALF, Stance.CARRY_OVER) else set()
    for turn in scene.turns:
        if strange := {turn.by, *turn.to} - known:
            yield Failed("people", f"{min(strange)!r} is nobody of the scene")
        elif not set(turn.to) - {turn.by}:
            yield Failed("people", f"what {turn.by} says is said to nobody")
    if [turn for turn in scene.turns if not normal(turn.text)]:
        yield Failed("turns", "a turn is empty")
    if len(scene.turns) != cell.turns:
        yield Failed("turns", f"{len(scene.turns)} turns; {cell.turns} wanted")
    elif [turn.by == "S" for turn in scene.turns] != [number % 2 == 0 for number in range(cell.turns)]:
        yield Failed("turns", "S speaks first and last, S and the other in turn")


def _quotes(scene: SceneAnswer) -> Iterator[Failed]:
    for number, turn in enumerate(scene.turns):
        text = normal(turn.text)
        quotations = [(one.quote, one.nth) for one in turn.facts] + [(one.quote, one.nth) for one in turn.cues]
        for quote, nth in quotations:
            try:
                find_quote(text, quote, nth)
            except QuoteError as fault:
                yield Failed("quotes", f"turn {number}: {fault}")


def _facts(scene: SceneAnswer, cell: Cell, family: Family, told: EventAnswer) -> Iterator[Failed]:
    quoted: dict[str, list[str]] = {}
    for fact in (fact for turn in scene.turns for fact in turn.facts):
        quoted.setdefault(fact.id, []).append(fact.quote)
    if unknown := [name for name in quoted if name not in family.facts]:
        yield Failed("facts", f"no facts of {family.family}: {', '.join(unknown)}")
    wanted = [name for name, fact in family.facts.items() if fact.must == Must.PRESERVE or name == family.emotion.cause]
    lacking = [name for name in wanted if name not in quoted]
    # who hides a feeling may leave out what it is about, but not where somebody else has to put it into words
    may_hide = cell.explicitness == Explicitness.MASKED and family.stance in (Stance.IN_RELATION, Stance.CONFIDANT)
    if lacking and (not may_hide or not quoted):
        yield Failed("facts", f"not said, or not quoted: {', '.join(lacking)}")
    yield from _swapped({name: " ".join(words) for name, words in quoted.items() if name in family.facts}, told)


def _swapped(quoted: Mapping[str, str], told: EventAnswer) -> Iterator[Failed]:
    """Yield the facts that are quoted by the words of another."""
    for name, words in quoted.items():
        own = _said_in(words, told.facts.get(name, ""))
        if own >= 1 - _OTHER_FACT:
            continue  # no other can be nearer by so much
        for other in told.facts:
            if other != name and _said_in(words, told.facts.get(other, "")) - own > _OTHER_FACT:
                yield Failed("facts", f"{name} is quoted by the words of {other}")
                break


def _said_in(quote: str, words: str) -> float:
    """Give the share of a quotation's character trigrams that the words of a fact have too: whole sentences may hold a short fact besides their own."""
    quoted = _trigrams(quote)
    return len(quoted & _trigrams(words)) / max(1, len(quoted))


def _trigrams(text: str) -> frozenset[str]:
    framed = f" {text.casefold()} "
    return frozenset(framed[at : at + 3] for at in range(len(framed) - 2))


def _cues(scene: SceneAnswer, cell: Cell) -> Iterator[Failed]:
    if cell.explicitness == Explicitness.MASKED:
        cues = sum(_number_of_cues(turn) for turn in scene.turns if turn.by == "S")
        if cues < LEAST_CUES:
            yield Failed("cues", f"a masked feeling has {cues} of at least {LEAST_CUES} cues in words of their own")


def _number_of_cues(turn: SceneTurn) -> int:
    """Give how many cues of a turn stand in words of their own; what stands nowhere counts too, for `quotes` lets it be mended."""
    text, spans, lost = normal(turn.text), set(), set()
    for cue in turn.cues:
        try:
            span = find_quote(text, cue.quote, cue.nth)
        except QuoteError:
            lost.add(cue.quote)
        else:
            spans.add((span.start, span.end))
    return disjoint(spans) + len(lost)


def _request(scene: SceneAnswer, family: Family) -> Iterator[Failed]:
    if family.stance == Stance.CARRY_OVER and not scene.request.strip():
        yield Failed("request", "nothing says what is to be done with the text")


def _explicitness(scene: SceneAnswer, cell: Cell, lexicon: Lexicon | None) -> Iterator[Failed]:
    """Yield a feeling that is called by its name where the plan wants it unnamed: of the gold label only, other words may mean other things."""
    if lexicon is None or cell.explicitness == Explicitness.NAMED or cell.emotion not in lexicon.feelings:
        return
    for turn in scene.turns:
        if turn.by == "S" and (word := lexicon.feelings[cell.emotion].found(normal(turn.text))):
            yield Failed("explicitness", f"{word!r} names the feeling, which is to be {cell.explicitness}")
            return


def _edited(scene: SceneAnswer, base: SceneAnswer) -> Iterator[Failed]:
    before, after = _said(base.turns), _said(scene.turns)
    if (base.setting, before) == (scene.setting, after):
        yield Failed("edits", "nothing is changed")
        return
    shared = 2 * sum((Counter(before) & Counter(after)).values()) / max(1, len(before) + len(after))
    if shared < LEAST_SHARED:
        yield Failed("edits", f"{shared:.0%} of the text is left; at least {LEAST_SHARED:.0%}, or it is no edit")


def _said(turns: Sequence[SceneTurn]) -> list[str]:
    return [word for turn in turns if turn.by == "S" for word in tokens_of(normal(turn.text))]
