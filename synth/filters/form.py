"""Form: no text is empty, a refusal, talk about the task, a loop, or holds hidden characters, marks, a named secret.

Two functions under one name: the scene is judged before verification and replies are paid for, each reply once it is
there. Phrases are content (`refusals` and `meta` of filters/lexicons/); what stands here is characters and marks, the
same in every language.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final
from unicodedata import normalize

import regex
from pydantic import Field

from synth.filters.base import Candidate, Parameters, Resources, Stage, filter  # noqa: A004
from synth.records.labels import Action, Emotion, Explicitness
from synth.records.schema import Scenario, Verdict

_HIDDEN: Final = regex.compile(
    r"(?P<tag_character>[\U000E0000-\U000E007F])"
    r"|(?P<bidi_character>[\u202A-\u202E\u2066-\u2069]|[\u200E\u200F\u061C])"
    r"|(?P<control_character>[\p{Cc}--[\n\t]])"
    r"|(?P<hidden_character>[\u2060-\u2064\u206A-\u206F\uFEFF\uFFF9-\uFFFB\U000E0100-\U000E01EF\p{Co}])"
    r"|(?P<broken_character>[\uFFFD\p{Cs}\p{Nchar}])",
    regex.VERSION1,
)
_DIRECTION_MARKS: Final = frozenset("\u200e\u200f\u061c")  # plain spelling in right-to-left text
_SELECTORS: Final = range(0xE0100, 0xE01F0)  # ideographic variants: plain spelling in Han text

_SAYING: Final = regex.compile(r"[\p{L}\p{N}\p{Emoji_Presentation}]")
_BETWEEN: Final = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
_MARKUP: Final = regex.compile(
    r"\[[~=]?[\w.]+\|"  # [fact|words] of a phrasing
    r"|<[\w+]+:[^<>]*>"  # <key:one|two>
    r"|\{\{|\}\}|\{%|\{[\w.]+\}"  # slots and Jinja
    r"|<\|[^|<>]{1,40}\|>|\[/?INST\]|</?[a-z][a-z_]{0,19}/?>"  # chat tokens, tags
    r"|```"
    r"|\[\p{Lu}[\p{Lu}_ ]+\]"  # [YOUR NAME]; [Your Name] is a phrase of a language
    r"|\\[nrt\"]"  # JSON escapes that came through as characters
)


class FormParameters(Parameters):
    """Thresholds of the form filter; the suite says what each came from.

    `distinct` is the least share of distinct character n-grams, over texts with at least `repetition_from` letters and
    digits.
    """

    distinct: float = Field(default=0.5, ge=0, le=1)
    ngram: int = Field(default=8, ge=2, le=32)
    ngram_unspaced: int = Field(default=4, ge=2, le=32)
    repetition_from: int = Field(default=60, ge=1)
    character_run: int = Field(default=24, ge=3)
    unnamed_in: tuple[Explicitness, ...] = (Explicitness.MASKED,)


@filter(name="form", version=1, stage=Stage.SCENARIO, parameters=FormParameters)
def scene_form(candidate: Candidate, resources: Resources, parameters: FormParameters) -> Iterator[Verdict]:
    """Give a drop for the first fault of the scene and of each turn, and a note where a word list is missing."""
    scenario = candidate.scenario
    if not scenario.turns:
        yield scene_form.verdict("scenario", scenario.scenario_id, Action.DROP, "empty")
    for text in (scenario.setting, scenario.source_text):
        reason = text is not None and fault(text, resources, parameters, scenario.mixed_with)
        if reason:
            yield scene_form.verdict("scenario", scenario.scenario_id, Action.DROP, reason)
    for index, turn in enumerate(scenario.turns):
        reason = fault(turn.text, resources, parameters, scenario.mixed_with)
        if not reason and turn.pid == "S" and names_feeling(turn.text, scenario, resources, parameters):
            reason = "names_the_feeling"
        if reason:
            yield scene_form.verdict(f"turn:{index}", scenario.scenario_id, Action.DROP, reason)
    if scenario.explicitness in parameters.unnamed_in and _unlisted(scenario, resources):
        yield scene_form.verdict("scenario", scenario.scenario_id, Action.NOTE, "unverified_no_words_for_the_feeling")


@filter(name="form", version=1, stage=Stage.REPLIES, parameters=FormParameters)
def reply_form(candidate: Candidate, resources: Resources, parameters: FormParameters) -> Iterator[Verdict]:
    """Give a drop for each reply that has a fault of form."""
    for reply in candidate.replies:
        reason = fault(reply.text, resources, parameters, candidate.scenario.mixed_with)
        if reason:
            yield reply_form.verdict("reply", reply.reply_id, Action.DROP, reason)


def fault(text: str, resources: Resources, parameters: FormParameters, mixed_with: tuple[str, ...] = ()) -> str:
    """Give the name of the first fault of form of a text, empty where there is none."""
    if not _SAYING.search(text):
        return "empty"
    return (
        hidden_character(text, resources, mixed_with)
        or ("markup" if _MARKUP.search(text) else "")
        or phrase(text, resources)
        or ("repetition" if repeats(text, resources, parameters) else "")
    )


def hidden_character(text: str, resources: Resources, mixed_with: tuple[str, ...] = ()) -> str:
    """Give the kind of the first character that a reader would not see, empty where there is none.

    Direction marks are plain spelling in right-to-left languages and ideographic variation selectors in Han text.
    """
    if text.isascii() and text.isprintable():
        return ""
    known = [resources.facts, *(resources.languages.of(language) for language in mixed_with)]
    to_left = any(facts.right_to_left for facts in known if facts)
    han = any(not {"Jpan", "Hans", "Hant"}.isdisjoint(facts.scripts) for facts in known if facts)
    for match in _HIDDEN.finditer(text):
        character = match[0]
        if (character in _DIRECTION_MARKS and to_left) or (ord(character) in _SELECTORS and han):
            continue
        return str(match.lastgroup)
    return ""


def phrase(text: str, resources: Resources) -> str:
    """Give `refusal` or `meta_text` where the language's lexicon or the shared one knows a phrase of the text."""
    lexicons = [lexicon for lexicon in (resources.lexicon, resources.shared) if lexicon]
    if any(lexicon.refusals.found(text) for lexicon in lexicons):
        return "refusal"
    return "meta_text" if any(lexicon.meta.found(text) for lexicon in lexicons) else ""


def names_feeling(text: str, scenario: Scenario, resources: Resources, parameters: FormParameters) -> bool:
    """Say whether a text names a gold emotion although the cell keeps it unnamed."""
    if scenario.explicitness not in parameters.unnamed_in or resources.lexicon is None:
        return False
    lists = (resources.lexicon.feelings.get(emotion) for emotion in _gold(scenario))
    return any(words.found(text) for words in lists if words)


def _gold(scenario: Scenario) -> tuple[Emotion, ...]:
    return (scenario.emotion, *scenario.emotion_also)


def _unlisted(scenario: Scenario, resources: Resources) -> bool:
    return resources.lexicon is None or not resources.lexicon.feelings.get(scenario.emotion)


def repeats(text: str, resources: Resources, parameters: FormParameters) -> bool:
    """Say whether a text loops: too few distinct character n-grams, or one character too often in a row."""
    facts = resources.facts
    length = parameters.ngram if facts is None or facts.spaced else parameters.ngram_unspaced
    share, letters = distinct_share(text, length)
    if letters >= parameters.repetition_from and share < parameters.distinct:
        return True
    return _character_run(parameters.character_run).search(text) is not None


@cache
def _character_run(length: int) -> regex.Pattern[str]:
    return regex.compile(rf"(\w)\1{{{length - 1},}}")


def distinct_share(text: str, length: int) -> tuple[float, int]:
    """Give the share of distinct n-grams among the letters, marks and digits of a text, and how many those are.

    No words are needed, so the figure means the same in scripts without spaces; 1.0 where the text is shorter than an
    n-gram.
    """
    plain = _BETWEEN.sub("", normalize("NFC", text).casefold())
    total = len(plain) - length + 1
    if total < 1:
        return 1.0, len(plain)
    return len({plain[i : i + length] for i in range(total)}) / total, len(plain)
