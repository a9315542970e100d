"""What the sieves know of a language: script and neighbours (filters/languages.yaml), words (filters/lexicons/).

Words are matched case-folded and whole; `*` at an edge of a word stands for any letters and marks, so Arabic proclitics
are `*word` and French elisions `j'*`. Where a language is written without spaces, and at an edge in such a script, an
entry matches anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from unicodedata import normalize

import regex
from pydantic import Field, field_validator, model_validator

from synth.content.phrasings import Author
from synth.content.reading import Written, load
from synth.content.shelves import ShelfFile, Shelves
from synth.errors import ContentError, nearest
from synth.records.labels import Emotion

FOLDER: Final = "filters/lexicons"
LANGUAGES: Final = "filters/languages.yaml"
ANY: Final = "any"

_SCRIPTS_WITHOUT_SPACES: Final = r"[\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_LETTER: Final = rf"[[\p{{L}}\p{{M}}\p{{N}}\u200c\u200d]--{_SCRIPTS_WITHOUT_SPACES}]"  # joiners: Hindi, Persian
_DOTTED: Final = frozenset({"tr", "az"})
_STAR: Final = regex.compile(r"(?<!^|\s)\*(?!$|\s)")


class Facts(Written):
    """What the identification of a language needs to know of it.

    `scripts` are ISO 15924 codes; `neighbours` are the languages it can be taken for, or that a model falls back to.
    """

    scripts: tuple[str, ...] = Field(min_length=1)
    spaced: bool = True
    right_to_left: bool = False
    supported: bool = True
    neighbours: tuple[str, ...] = ()


class ScriptRule(Written):
    """At least so many letters of a script, as most of a stretch, decide its language without a detector."""

    scripts: tuple[str, ...] = Field(min_length=1)
    at_least: int = Field(ge=1)
    language: str


class Languages(Written):
    """All languages that the sieves know, the groups that count as one, and the rules in front of the second vote."""

    version: int = Field(ge=1)
    equal: tuple[tuple[str, ...], ...] = ()
    rules: tuple[ScriptRule, ...] = ()
    languages: dict[str, Facts] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_group_each(self) -> Languages:
        named = [language for group in self.equal for language in group]
        twice = sorted({language for language in named if named.count(language) > 1})
        if twice:
            raise ValueError(f"equal names {', '.join(twice)} in two groups")
        return self

    def of(self, language: str) -> Facts | None:
        """Give the facts of a language, or of its first subtag (`pt` for `pt-BR`); None where there are none."""
        return self.languages.get(language) or self.languages.get(language.partition("-")[0])

    def equals(self, language: str) -> frozenset[str]:
        """Give the languages that count as `language`, itself among them."""
        base = language.partition("-")[0]
        return next((frozenset(group) for group in self.equal if base in group), frozenset({base}))


def read_languages(shelves: Shelves) -> Languages:
    """Give what filters/languages.yaml says; raise ContentError where it breaks a rule."""
    return load(Languages, shelves.file(LANGUAGES))


class Deixis(Written):
    """Words that point at the one who speaks and at the one who is addressed."""

    first: tuple[str, ...] = ()
    second: tuple[str, ...] = ()


class LexiconFile(Written):
    """A lexicon as people write it (filters/README.md); `refusals` and `meta` may stand in any of them."""

    language: str
    authors: tuple[Author, ...] = Field(min_length=1)
    reread: tuple[Author, ...] = ()
    feelings: dict[Emotion, tuple[str, ...]] = Field(default_factory=dict)
    deixis: Deixis = Deixis()
    calques: tuple[str, ...] = ()
    intensifiers: tuple[str, ...] = ()
    hedges: tuple[str, ...] = ()
    openers: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    meta: tuple[str, ...] = ()

    @field_validator("feelings")
    @classmethod
    def _feelings(cls, lists: dict[Emotion, tuple[str, ...]]) -> dict[Emotion, tuple[str, ...]]:
        for emotion, entries in lists.items():
            _check(entries, f"feelings.{emotion}")
        return lists

    @field_validator("calques", "intensifiers", "hedges", "openers", "refusals", "meta")
    @classmethod
    def _lists(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        return _check(entries, "the list")


def _check(entries: tuple[str, ...], where: str) -> tuple[str, ...]:
    for entry in entries:
        if not entry.strip(" *"):
            raise ValueError(f"{where} holds the entry {entry!r}, which would match everything")
        if _STAR.search(entry):
            raise ValueError(f"{where}: in {entry!r} the * stands inside a word; it may stand at a word's edge only")
    return entries


@dataclass(frozen=True, slots=True)
class Words:
    """A list of words and phrases, ready to match; an empty list finds nothing.

    Each entry is a pattern behind the longest run of letters that it must hold: a look-up of plain text first, 20 times
    as fast as one alternation of the whole list. Patterns are compiled when their letters are first met.
    """

    entries: tuple[str, ...]
    _guarded: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    _dotted: bool = field(default=False, repr=False)

    def __bool__(self) -> bool:
        return bool(self.entries)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Give the half-open code points of every match in order: of overlapping ones the first, then the longest."""
        found = {match.span() for match in self._matches(text)}
        kept: list[tuple[int, int]] = []
        for start, end in sorted(found, key=lambda span: (span[0], -span[1])):
            if not kept or start >= kept[-1][1]:
                kept.append((start, end))
        return kept

    def found(self, text: str) -> str | None:
        """Give matching words as they stand in the text, None where nothing matches."""
        return next((match[0] for match in self._matches(text)), None)

    def _matches(self, text: str) -> Iterator[regex.Match[str]]:
        folded = _folded(text, dotted=self._dotted)
        for literal, pattern in self._guarded:
            if literal in folded:
                yield from _pattern(pattern).finditer(text)


def _folded(text: str, *, dotted: bool) -> str:
    return (text.replace("İ", "i").replace("I", "i").replace("ı", "i") if dotted else text).casefold()


@lru_cache(maxsize=65_536)
def _pattern(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern, regex.IGNORECASE | regex.FULLCASE | regex.VERSION1)


def compile_words(entries: Iterable[str], *, language: str = "", spaced: bool = True) -> Words:
    """Give the entries as one matcher."""
    kept = tuple(dict.fromkeys(normalize("NFC", entry).strip() for entry in entries))
    dotted = language in _DOTTED
    guarded = tuple((_literal(entry, dotted=dotted), _entry(entry, language=language, spaced=spaced)) for entry in kept)
    return Words(kept, guarded, dotted)


def _literal(entry: str, *, dotted: bool) -> str:
    """Give the longest run of an entry that stands in every match as it is, folded."""
    runs = regex.split(r"[\s*'’]+", _folded(entry, dotted=dotted))
    return str(max(runs, key=len))


def _entry(entry: str, *, language: str, spaced: bool) -> str:
    core = r"\s+".join(_word(word, language, spaced=spaced) for word in entry.split())
    before = spaced and _whole(entry[0])
    after = spaced and _whole(entry[-1])
    return (f"(?<!{_LETTER})" if before else "") + core + (f"(?!{_LETTER})" if after else "")


def _whole(edge: str) -> bool:
    """Say whether a word boundary is due at this edge: at letters of scripts that put spaces between words."""
    return edge == "*" or (bool(_pattern(_LETTER).match(edge)))


def _word(word: str, language: str, *, spaced: bool) -> str:
    letters = r"[\p{L}\p{M}\u200c\u200d]*+" if spaced else ""
    head, tail = (letters if word.startswith("*") else ""), (letters if word.endswith("*") else "")
    if head:  # possessive would eat the word itself
        head = r"[\p{L}\p{M}\u200c\u200d]*?"
    return head + "".join(_character(character, language) for character in word.strip("*")) + tail


def _character(character: str, language: str) -> str:
    if character in "'’":
        return "['’ʼ]"
    if character in "iı" and language in _DOTTED:
        return "[iİ]" if character == "i" else "[ıI]"
    return str(regex.escape(character, special_only=True))


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The words of a language, compiled. An empty list means "not known", never "not there"."""

    language: str
    digest: str
    feelings: Mapping[Emotion, Words]
    first: Words
    second: Words
    calques: Words
    intensifiers: Words
    hedges: Words
    openers: Words
    refusals: Words
    meta: Words

    def feelings_in(self, text: str) -> list[tuple[Emotion, int, int]]:
        """Give every word that names a feeling as (emotion, start, end): half-open code points, in order."""
        found = [(start, end, emotion) for emotion, words in self.feelings.items() for start, end in words.spans(text)]
        return [(emotion, start, end) for start, end, emotion in sorted(found)]

    def first_person(self, text: str) -> bool:
        """Say whether the text points at the one who speaks."""
        return self.first.found(text) is not None

    def second_person(self, text: str) -> bool:
        """Say whether the text points at the one who is addressed."""
        return self.second.found(text) is not None

    def calques_in(self, text: str) -> list[tuple[int, int]]:
        """Give the half-open code points of every phrase of counselling English or its loan translation."""
        return self.calques.spans(text)


def read_lexicon(shelves: Shelves, language: str) -> Lexicon | None:
    """Give the lexicon of a language (`any`: what holds in all), or of its first subtag; None where there is none.

    Raises:
        ContentError: the file breaks a rule, or names another language than its own.
    """
    for tag in dict.fromkeys((language, language.partition("-")[0])):
        name = f"{FOLDER}/{tag}.yaml"
        if shelves.has(name):
            facts = read_languages(shelves).of(tag)
            file = shelves.file(name)
            return _compiled(file, file.digest, tag, spaced=facts.spaced if facts else True)
    return None


@lru_cache(maxsize=64)
def _compiled(file: ShelfFile, digest: str, language: str, *, spaced: bool) -> Lexicon:
    written = load(LexiconFile, file)
    if written.language != language:
        raise ContentError(f"{file.name} says language: {written.language}", hint=nearest(written.language, [language]))

    def words(entries: Iterable[str]) -> Words:
        return compile_words(entries, language=language.partition("-")[0], spaced=spaced)

    return Lexicon(
        language=language,
        digest=digest,  # in the key of the cache: a file may change while the process lives
        feelings={emotion: words(written.feelings[emotion]) for emotion in Emotion if emotion in written.feelings},
        first=words(written.deixis.first),
        second=words(written.deixis.second),
        calques=words(written.calques),
        intensifiers=words(written.intensifiers),
        hedges=words(written.hedges),
        openers=words(written.openers),
        refusals=words(written.refusals),
        meta=words(written.meta),
    )
