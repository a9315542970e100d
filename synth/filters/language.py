"""Language: is a text in the language that its row declares? Script first, then two votes (SPEC section 5).

The text is cut into sentences. py3langid, limited to the language's own neighbours, votes on each; sentences that it
gives to another language and that stand together make a stretch. A stretch of `contiguous` characters is dropped only
where py3langid and then langdetect (a script rule in front) both hold with `certainty` that it is in no declared
language. langdetect is not asked where the first vote finds nothing, which is nearly always. Declared are the row's
language, what counts as equal to it, `mixed_with` and the turn's own language spans. A romanised or unsupported
language is a note `unverified`, never a drop. Probabilities are rounded before they are compared, so the last bits of a
platform decide nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

import regex
from pydantic import Field

from synth.content.lexicons import Languages, ScriptRule
from synth.filters.base import Candidate, Parameters, Resources, Stage, filter  # noqa: A004
from synth.records.labels import Action
from synth.records.schema import LanguageSpan, Verdict

_COMPOSITE: Final = {
    "Jpan": ("Hira", "Kana", "Hani"),
    "Kore": ("Hang", "Hani"),
    "Hans": ("Hani",),
    "Hant": ("Hani",),
}
_STOPS: Final = (
    r".!?…。！？।॥؟۔።፧\n«»“”„「」『』\""  # quotations are pieces of their own: a short foreign one drops nothing
)
_SENTENCE: Final = regex.compile(rf"[^{_STOPS}]+[{_STOPS}'’)\]）]*|[{_STOPS}]+")
_WORDS: Final = regex.compile(r"\p{L}+")
_CLAUSE: Final = regex.compile(r"[^,;:،؛፣፤、，；：—–]+[,;:،؛፣፤、，；：—–]*|[,;:،؛፣፤、，；：—–]+")
_LONG: Final = 160  # a longer sentence is cut at its clauses, so that a foreign half of it can be seen
_TINY: Final = 16  # bytes of letters under which no detector says anything: such a sentence goes with the one before it
_ANOTHER: Final = "another"  # most letters are of a script that no declared language is written in
_KEPT: Final = 8_192  # sentences whose reading is kept: a scene's replies are made of the same ones, and votes are dear
_WORDLESS: Final = regex.compile(r"https?://\S+|www\.\S+|[\w.+-]+@[\w-]+\.[\w.-]+|[@#]\w+")


class LanguageParameters(Parameters):
    """Thresholds of the language check; the suite says what each came from."""

    contiguous: int = Field(default=40, ge=1)
    certainty: float = Field(default=0.9, gt=0.5, le=1)
    undeclared_share: float = Field(default=0.15, ge=0, le=1)
    undeclared_letters: int = Field(default=12, ge=1)


@filter(name="language", version=1, stage=Stage.SCENARIO, parameters=LanguageParameters)
def scene_language(candidate: Candidate, resources: Resources, parameters: LanguageParameters) -> Iterator[Verdict]:
    """Give a drop for the setting and each turn that is not in the row's language, and a note where nobody can tell."""
    scenario = candidate.scenario
    unverified = why_unverified(resources, scenario.script)
    if unverified:
        yield scene_language.verdict("scenario", scenario.scenario_id, Action.NOTE, f"unverified_{unverified}")
        return
    declared = Declared.of(resources, scenario.mixed_with)
    targets: list[tuple[str, str, tuple[LanguageSpan, ...]]] = [("scenario", scenario.setting or "", ())]
    targets += [(f"turn:{i}", turn.text, turn.spans_language) for i, turn in enumerate(scenario.turns)]
    for target, text, spans in targets:
        finding = examine(_without(text, spans), declared, resources.languages, parameters)
        if finding:
            yield scene_language.verdict(
                target, scenario.scenario_id, finding.action, finding.reason, score=finding.score
            )


@filter(name="language", version=1, stage=Stage.REPLIES, parameters=LanguageParameters)
def reply_language(candidate: Candidate, resources: Resources, parameters: LanguageParameters) -> Iterator[Verdict]:
    """Give a drop for each reply that is not in the row's language; what nobody can tell is noted with the scene."""
    if why_unverified(resources, candidate.scenario.script):
        return
    declared = Declared.of(resources, candidate.scenario.mixed_with)
    for reply in candidate.replies:
        finding = examine(reply.text, declared, resources.languages, parameters)
        if finding:
            yield reply_language.verdict("reply", reply.reply_id, finding.action, finding.reason, score=finding.score)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a text: `action`, the reason, and the share or probability behind it."""

    action: Action
    reason: str
    score: float


@dataclass(frozen=True, slots=True)
class Declared:
    """What a text may be in: languages (equal ones among them), scripts, and the candidates of the first vote."""

    languages: frozenset[str]
    scripts: tuple[str, ...]
    candidates: tuple[str, ...]

    @classmethod
    def of(cls, resources: Resources, mixed_with: Sequence[str] = ()) -> Declared:
        """Give what a row of this language with these mixes declares; candidates come from content alone."""
        known = resources.languages
        named = [tag.partition("-")[0] for tag in (resources.language, *mixed_with)]
        own = frozenset().union(*(known.equals(language) for language in named))
        facts = [f for f in (known.of(language) for language in named) if f]
        scripts = {part for f in facts for script in f.scripts for part in _COMPOSITE.get(script, (script,))}
        candidates = own.union(*(f.neighbours for f in facts))
        return cls(own, tuple(sorted(scripts)), tuple(sorted(candidates)))


def why_unverified(resources: Resources, script: str | None) -> str:
    """Give why nobody can tell the language of such rows (`unsupported`, `romanised`), empty where it can be told."""
    facts = resources.facts
    if facts is None or not facts.supported:
        return "unsupported"
    return "romanised" if script and not _fits(script, facts.scripts) else ""


def _fits(script: str, scripts: Sequence[str]) -> bool:
    own = {part for name in scripts for part in _COMPOSITE.get(name, (name,))}
    return own.issuperset(_COMPOSITE.get(script, (script,)))


def _without(text: str, spans: Sequence[LanguageSpan]) -> str:
    """Give the text with declared stretches of other languages cut out (a line break keeps their neighbours apart)."""
    for span in sorted(spans, key=lambda span: span.start, reverse=True):
        text = f"{text[: span.start]}\n{text[span.end :]}"
    return text


def examine(text: str, declared: Declared, languages: Languages, parameters: LanguageParameters) -> Finding | None:
    """Give what is wrong with the language of a text, None where nothing is proved wrong."""
    text = _WORDLESS.sub(" ", text)
    share, letters = _undeclared_by_sentence(text, declared.scripts)
    if share > parameters.undeclared_share and letters >= parameters.undeclared_letters:
        return Finding(Action.DROP, "undeclared_script", share)
    for stretch in stretches(text, declared):
        if len(stretch) < parameters.contiguous:
            continue
        language, wrong = first_vote(stretch, declared)
        if wrong < parameters.certainty:
            continue
        agreed = second_vote(stretch, declared, languages)
        if agreed >= parameters.certainty:
            reason = "undeclared_script" if language == _ANOTHER else f"reads_as_{language}"
            return Finding(Action.DROP, reason, min(wrong, agreed))
    return None


@cache
def _letters(scripts: tuple[str, ...]) -> tuple[Any, Any]:
    own = "".join(rf"\p{{Script={script}}}" for script in scripts)
    every = regex.compile(r"[\p{L}--[\p{Script=Common}\p{Script=Inherited}]]", regex.VERSION1)
    return every, regex.compile(rf"[\p{{L}}&&[{own}]]", regex.VERSION1)


def undeclared(text: str, scripts: tuple[str, ...]) -> tuple[float, int]:
    """Give the share of letters outside the declared scripts, and how many letters that is."""
    return _share(*_counted(text, scripts))


def _share(total: int, outside: int) -> tuple[float, int]:
    return (outside / total if total else 0.0), outside


def _counted(text: str, scripts: tuple[str, ...]) -> tuple[int, int]:
    """Give how many letters a text has, and how many of them are outside the scripts."""
    every, own = _letters(scripts)
    total = len(every.findall(text))
    return total, total - len(own.findall(text))


_counted_once = lru_cache(maxsize=_KEPT)(_counted)


def _undeclared_by_sentence(text: str, scripts: tuple[str, ...]) -> tuple[float, int]:
    """Give what `undeclared` gives: letters add up over the sentences of a text, each counted once."""
    counts = [_counted_once(piece, scripts) for piece in pieces(text)]
    return _share(sum(total for total, _ in counts), sum(outside for _, outside in counts))


def stretches(text: str, declared: Declared) -> Iterator[str]:
    """Give the stretches of sentences that the first vote gives to another language, tiny ones between them too.

    Tiny sentences are misread too often to make a stretch of their own.
    """
    run: list[str] = []
    waiting: list[str] = []
    certain = False
    for piece in [*pieces(text), None]:
        elsewhere, tiny = (False, False) if piece is None else _heard(piece, declared)
        if piece is not None and elsewhere:
            run += [*waiting, piece] if run else [piece]
            waiting, certain = [], certain or not tiny
        elif piece is not None and tiny:
            waiting.append(piece)
        else:
            if certain:
                yield "".join(run).strip()
            run, waiting, certain = [], [], False


@lru_cache(maxsize=_KEPT)
def _heard(piece: str, declared: Declared) -> tuple[bool, bool]:
    """Give whether the first vote gives a sentence to another language, and whether it is tiny."""
    tiny = len("".join(_WORDS.findall(piece)).encode()) < _TINY
    return first_vote(piece, declared)[0] not in declared.languages, tiny


def pieces(text: str) -> Iterator[str]:
    """Give the sentences of a text, long ones cut at their clauses; joined they are the text."""
    for match in _SENTENCE.finditer(text):
        if len(match[0]) <= _LONG:
            yield match[0]
        else:
            yield from (clause[0] for clause in _CLAUSE.finditer(match[0]))


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@cache
def _limited(candidates: tuple[str, ...]) -> Any:
    """Give an identifier for these languages only: a copy that shares the model's tables (the model is 130 MB)."""
    whole = _identifier()
    limited = copy.copy(whole)
    limited.set_languages([language for language in candidates if language in whole.labels])
    return limited


def first_vote(text: str, declared: Declared) -> tuple[str, float]:
    """Give the likeliest language and the probability that the text is in no declared one, by py3langid.

    Where most letters are of a script that no declared language is written in, nothing is asked: (`another`, 1.0).
    """
    if undeclared(text, declared.scripts)[0] > 0.5:
        return _ANOTHER, 1.0
    shares = _limited(declared.candidates).rank(text)
    own = sum(float(share) for language, share in shares if language in declared.languages)
    return str(shares[0][0]), round(max(0.0, 1.0 - own), 4)


@cache
def _profiles() -> Any:
    """Give langdetect's factory, its profiles loaded in order of name (its own loader takes the order of the disk)."""
    from pathlib import Path

    from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory

    factory = DetectorFactory()
    files = sorted(path for path in Path(PROFILES_DIRECTORY).iterdir() if not path.name.startswith("."))
    factory.load_json_profile([path.read_text(encoding="utf-8") for path in files])
    factory.set_seed(0)
    return factory


def second_vote(text: str, declared: Declared, languages: Languages) -> float:
    """Give the probability that the text is in no declared language: by script where that decides, else langdetect.

    0.0 where langdetect knows no declared language (its vote would always be against them) or finds no feature.
    """
    if undeclared(text, declared.scripts)[0] > 0.5:
        return 1.0
    ruled = by_script(text, languages.rules)
    if ruled:
        return float(ruled not in declared.languages)
    from langdetect.lang_detect_exception import LangDetectException

    factory = _profiles()
    names = factory.get_lang_list()
    if declared.languages.isdisjoint(_plain(name) for name in names):
        return 0.0
    detector = factory.create()
    detector.set_prior_map({name: 1.0 for name in names if _plain(name) in declared.candidates})
    detector.append(text)
    try:
        shares = detector.get_probabilities()
    except LangDetectException:
        return 0.0
    own = sum(float(one.prob) for one in shares if _plain(one.lang) in declared.languages)
    return round(max(0.0, 1.0 - own), 4)


def _plain(name: str) -> str:
    return str(name).partition("-")[0]


def by_script(text: str, rules: Sequence[ScriptRule]) -> str:
    """Give the language that a script rule decides (its script, with Han, makes up most letters), else empty."""
    total = undeclared(text, ("Zyyy",))[1]
    for rule in rules:
        found = total - undeclared(text, rule.scripts)[1]
        beside = found if "Hani" in rule.scripts else total - undeclared(text, (*rule.scripts, "Hani"))[1]
        if found >= rule.at_least and beside * 2 > total:
            return rule.language
    return ""
