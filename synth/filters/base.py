"""The contract of the sieves: what a filter is, how a suite opens its filters, what their verdicts do.

A pure filter is a sync function (candidate, resources, parameters) -> verdicts, decorated with `@filter`; it knows one
record and its language, never the build. It speaks only where it has something to say: no verdict means keep. One name
may stand for two functions at two stages (`form` looks at the scene before more is paid, and at each reply once it is
there); they share version and parameter model. The target of a verdict is the record, the scenario or one of its turns
(`turn:0`), and then `target_id` is the scenario's id; or it is a reply, and then `target_id` is the id of that reply
of the same candidate. Anything else ends the run: a word about another record would be lost. A set sieve is a class, decorated the same way with `Stage.SET`: an
ordered admission whose verdict depends on earlier rows only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, ValidationError

from synth.content.lexicons import ANY, Facts, Languages, Lexicon, read_languages, read_lexicon
from synth.content.shelves import Shelves
from synth.content.suites import FilterUse, Suite, digest_of
from synth.errors import StorageError, UsageError, nearest
from synth.records.labels import Action, ReplyKind
from synth.records.schema import Reply, Scenario, Verdict

if TYPE_CHECKING:
    import pyarrow as pa

API_VERSION: Final = 1
"""What a plug-in states as `api=`; it grows when this contract changes."""

ENTRY_POINTS: Final = "synth.filters"

BUILT_IN: Final = {
    "form": "synth.filters.form",
    "language": "synth.filters.language",
    "duplicates": "synth.filters.duplicates",
}
"""The module of each built-in filter, imported only when a suite names it."""


@unique
class Stage(StrEnum):
    """When a filter runs (DESIGN section 6).

    `scenario` is before replies are paid for, `replies` is once they are there, `record` after it sees both and the outcome; `set` is over all rows of a
    round, in order.
    """

    SCENARIO = "scenario"
    GOLD = "gold"
    REPLIES = "replies"
    RECORD = "record"
    SET = "set"


class Parameters(BaseModel):
    """The base of every parameter model: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a filter judges: a scenario, and its replies once they are there."""

    scenario: Scenario
    replies: tuple[Reply, ...] = ()


@dataclass(frozen=True, slots=True)
class Resources:
    """What content knows of one language; `lexicon` and `facts` are None where it knows nothing."""

    language: str
    languages: Languages
    lexicon: Lexicon | None
    shared: Lexicon | None

    @property
    def facts(self) -> Facts | None:
        """Script, neighbours and the rest of filters/languages.yaml for this language."""
        return self.languages.of(self.language)


def read_resources(shelves: Shelves, language: str) -> Resources:
    """Give what the shelves hold for a language; raise ContentError where a file breaks a rule."""
    return Resources(language, read_languages(shelves), read_lexicon(shelves, language), read_lexicon(shelves, ANY))


Judge = Callable[[Candidate, Resources, Any], Iterable[Verdict]]


@runtime_checkable
class SetSieve(Protocol):
    """An ordered admission: batches come in (round, block, ordinal, form) order and no verdict ever changes."""

    def admit(self, batch: Sequence[Candidate]) -> list[Verdict]:
        """Give the verdicts of the next rows."""

    def state_table(self) -> pa.Table:
        """Give what the rows admitted since the last call leave behind; a partition stores it beside its verdicts."""

    def load_state(self, tables: Iterable[pa.Table]) -> None:
        """Take up what earlier partitions, rounds or builds left, in their order."""


@dataclass(frozen=True)
class Filter:
    """A registered filter: a function, or for `Stage.SET` a class called with (parameters, resources_of)."""

    name: str
    version: int
    stage: Stage
    needs: Literal["none", "ask"]
    parameters: type[BaseModel]
    run: Callable[..., Any]
    api: int | None = None

    def __call__(self, *arguments: Any) -> Any:
        return self.run(*arguments)

    def verdict(
        self, target: str, target_id: str, action: Action, reason: str, *, score: float | None = None
    ) -> Verdict:
        """Give a verdict of this filter; scores are rounded so that no platform's last bit enters a file."""
        kept = None if score is None else round(float(score), 4)
        return Verdict(target_id, target, self.name, self.version, action, kept, reason, advisory=False)


def filter(  # noqa: A001 - the decorator carries the name that its users read
    *,
    name: str,
    version: int = 1,
    stage: Stage,
    parameters: type[BaseModel] = Parameters,
    needs: Literal["none", "ask"] = "none",
    api: int | None = None,
) -> Callable[[Callable[..., Any]], Filter]:
    """Make a function or class a filter. A plug-in must state `api`, the API_VERSION it was written for."""

    def decorate(run: Callable[..., Any]) -> Filter:
        if parameters.model_config.get("extra") != "forbid":
            raise TypeError(f"filter {name}: its parameter model must forbid extra keys (extra='forbid')")
        return Filter(name, version, stage, needs, parameters, run, api)

    return decorate


@dataclass(frozen=True, slots=True)
class Opened:
    """One use of a suite, opened: its functions, one for each stage at which it runs, and its parameters."""

    filters: tuple[Filter, ...]
    parameters: BaseModel


@dataclass(frozen=True)
class OpenSuite:
    """A suite whose filters are loaded and whose parameters are checked."""

    suite: Suite
    opened: tuple[Opened, ...]

    def digest_of(self, languages: Collection[str]) -> str:
        """Give 32 hex digits of filters, versions, parameters with defaults and the lexicons of some languages: names their verdicts.

        A language that is added later does not change what names the verdicts on those that stand.
        """
        parts = [[f.name, f.version, f.stage, one.parameters.model_dump(mode="json")] for f, one in self._all()]
        return digest_of([self.suite.digest_of(languages), parts])

    def _all(self) -> list[tuple[Filter, Opened]]:
        return [(one_filter, one) for one in self.opened for one_filter in one.filters]

    def at(self, stage: Stage, needs: str = "none") -> list[tuple[Filter, BaseModel]]:
        """Give the filters of a stage with their parameters, in the order of the suite."""
        return [(f, one.parameters) for f, one in self._all() if f.stage is stage and f.needs == needs]

    def set_sieves(self, resources_of: Callable[[str], Resources]) -> list[SetSieve]:
        """Give new set sieves, empty of state, in the order of the suite; `resources_of` gives those of a language."""
        return [f(parameters, resources_of) for f, parameters in self.at(Stage.SET)]


def open_suite(suite: Suite) -> OpenSuite:
    """Give the suite with its filters loaded.

    Raises:
        ContentError: a filter or parameter that is unknown, with its place in the suite's file and the nearest name.
    """
    return OpenSuite(suite, tuple(open_use(suite, index, use) for index, use in enumerate(suite.uses)))


def check_use(suite: Suite, index: int, use: FilterUse) -> None:
    """Raise ContentError where a use names an unknown filter or parameter: the hook for `content.suites.read_suite`."""
    open_use(suite, index, use)


def open_use(suite: Suite, index: int, use: FilterUse) -> Opened:
    """Give one use of a suite, opened; raise ContentError with its place where it cannot be."""
    found = _plug_in(suite, index, use.filter) if ":" in use.filter else _built_in(suite, index, use.filter)
    for one in found:
        if not _runs(one):
            kind = f"filters at stage {one.stage}" if one.stage is Stage.GOLD else "filters that ask models"
            hint = f"leave {use.filter} out of the suite, or install a version of synth that runs it"
            raise suite.fault(index, f"{use.filter}: {kind} are not run by this version yet", hint=hint)
    model = found[0].parameters
    try:
        return Opened(found, model.model_validate(use.parameters))
    except ValidationError as faults:
        first = faults.errors(include_url=False)[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "extra_forbidden":
            hint = nearest(key, model.model_fields)
            raise suite.fault(index, f"{use.filter} has no parameter {key!r}", hint=hint, key=key) from None
        raise suite.fault(index, f"{use.filter}: {key}: {first['msg']}", key=key) from None


def _runs(one: Filter) -> bool:
    return one.stage is not Stage.GOLD and one.needs == "none"


def _built_in(suite: Suite, index: int, name: str) -> tuple[Filter, ...]:
    if name not in BUILT_IN:
        hint = nearest(name, BUILT_IN) + "; a plug-in is named distribution:filter"
        raise suite.fault(index, f"there is no filter {name!r}", hint=hint)
    module = import_module(BUILT_IN[name])
    return tuple(value for value in vars(module).values() if isinstance(value, Filter) and value.name == name)


def _plug_in(suite: Suite, index: int, name: str) -> tuple[Filter, ...]:
    from importlib.metadata import PackageNotFoundError, distribution

    package, _, wanted = name.partition(":")
    try:
        points = distribution(package).entry_points.select(group=ENTRY_POINTS)
    except PackageNotFoundError:
        hint = f"install it, or name one of: {', '.join(sorted(BUILT_IN))}"
        raise suite.fault(index, f"the distribution {package!r} is not installed", hint=hint) from None
    named = {point.name: point for point in points}
    if wanted not in named:
        hint = nearest(wanted, named)
        raise suite.fault(index, f"{package} offers no filter {wanted!r} (group {ENTRY_POINTS})", hint=hint)
    return _fitting(suite, index, name, named[wanted].load())


def _fitting(suite: Suite, index: int, name: str, loaded: Any) -> tuple[Filter, ...]:
    found = (loaded,) if isinstance(loaded, Filter) else tuple(loaded) if isinstance(loaded, list | tuple) else ()
    if not found or not all(isinstance(one, Filter) for one in found):
        raise suite.fault(index, f"{name} is no filter", hint="decorate it with synth.filters.base.filter")
    wrong = next((one for one in found if one.api != API_VERSION), None)
    if wrong is not None:
        hint = f"this synth speaks API {API_VERSION}: install a version of the plug-in that states api={API_VERSION}"
        raise suite.fault(index, f"{name} states filter API {wrong.api}", hint=hint)
    if any(one.name != name for one in found):
        raise suite.fault(index, f"{name} calls itself {found[0].name!r}", hint=f"decorate it with name={name!r}")
    if len({(one.version, one.parameters) for one in found}) > 1:
        hint = "the functions of one name share one version and one parameter model"
        raise suite.fault(index, f"{name} gives filters that do not belong together", hint=hint)
    return found


def run_stage(suite: OpenSuite, stage: Stage, candidate: Candidate, resources: Resources) -> list[Verdict]:
    """Give the verdicts of the suite's pure filters of one stage, in the order of the suite.

    Raises:
        UsageError: a filter failed, or speaks of what is not this record's or not in its own name; names filter and record.
    """
    found: list[Verdict] = []
    for one, parameters in suite.at(stage):
        try:
            own = list(one(candidate, resources, parameters))
        except (UsageError, StorageError):
            raise
        except Exception as error:
            raise _failed(one, f"record {candidate.scenario.scenario_id}", error) from error
        if own:
            check_verdicts(one, own, [candidate])
        found += own
    return found


def admit(one: Filter, sieve: SetSieve, batch: Sequence[Candidate]) -> list[Verdict]:
    """Give the verdicts of a set sieve, made by `one`, on the next rows; raises what `run_stage` raises."""
    try:
        found = list(sieve.admit(batch))
    except (UsageError, StorageError):
        raise
    except Exception as error:
        rows = f"{batch[0].scenario.scenario_id} to {batch[-1].scenario.scenario_id}" if batch else "no rows"
        raise _failed(one, f"records {rows}", error) from error
    if found:
        check_verdicts(one, found, batch)
    return found


def _failed(one: Filter, where: str, error: Exception) -> UsageError:
    what = f"{type(error).__name__}: {error}"
    hint = "mend the filter, or leave it out of the suite; then run the same command again"
    return UsageError(f"filter {one.name} (version {one.version}) failed at {where}: {what}", hint=hint)


_WHOLE: Final = frozenset({"record", "scenario"})


def check_verdicts(one: Filter, verdicts: Iterable[Verdict], candidates: Sequence[Candidate]) -> None:
    """Raise UsageError where a verdict of a filter is not about one of the candidates, or not in its own name."""
    by_id = {candidate.scenario.scenario_id: candidate for candidate in candidates}
    replies = {reply.reply_id for candidate in candidates for reply in candidate.replies}
    for verdict in verdicts:
        fault = _fault(one, verdict, by_id, replies)
        if fault:
            where = next(iter(by_id)) if len(by_id) == 1 else f"one of {len(by_id)} records"
            hint = "give verdicts by the filter's own `verdict`, about the scenario or the replies that it was given"
            raise UsageError(f"filter {one.name} (version {one.version}) at record {where}: {fault}", hint=hint)


def _fault(one: Filter, verdict: Verdict, by_id: Mapping[str, Candidate], replies: Collection[str]) -> str:
    if not isinstance(verdict, Verdict):
        return f"gave {type(verdict).__name__}, not a Verdict"
    if (verdict.filter, verdict.version) != (one.name, one.version):
        return f"gave a verdict in the name of {verdict.filter} (version {verdict.version})"
    if verdict.target == "reply":
        return "" if verdict.target_id in replies else f"{verdict.target_id!r} is no reply of it"
    if verdict.target_id not in by_id:
        return f"{verdict.target_id!r} is not the id of the scenario"
    if verdict.target in _WHOLE or _is_turn(verdict.target, by_id[verdict.target_id]):
        return ""
    return f"there is no target {verdict.target!r}; valid: record, scenario, turn:0 and so on, reply"


def _is_turn(target: str, candidate: Candidate) -> bool:
    name, _, number = target.partition(":")
    return name == "turn" and number.isdecimal() and int(number) < len(candidate.scenario.turns)


@dataclass(frozen=True, slots=True)
class Decision:
    """What verdicts do to one record; reply ids in `dropped_replies` and `held_replies` concern those replies alone."""

    dropped: bool
    held: bool
    reasons: tuple[str, ...]
    dropped_replies: frozenset[str]
    held_replies: frozenset[str]


def decide(verdicts: Iterable[Verdict], replies: Sequence[Reply] = ()) -> Decision:
    """Give what is dropped and held, of the scenario and of each reply; advisory verdicts do nothing.

    Where `replies` are given, the record is dropped too (`too_few_replies`) unless the faithful one and one failure
    remain.
    """
    acting = [v for v in verdicts if not v.advisory and v.action in (Action.DROP, Action.HOLD)]
    own = [v for v in acting if v.target != "reply"]
    lost = frozenset(v.target_id for v in acting if v.target == "reply" and v.action is Action.DROP)
    held = frozenset(v.target_id for v in acting if v.target == "reply" and v.action is Action.HOLD) - lost
    reasons = list(dict.fromkeys(f"{v.filter}:{v.reason}" for v in own))
    left = {reply.kind for reply in replies if reply.reply_id not in lost}
    short = bool(replies) and not {ReplyKind.FAITHFUL, ReplyKind.FAILURE} <= left
    if short:
        reasons.append("too_few_replies")
    dropped = short or any(v.action is Action.DROP for v in own)
    return Decision(dropped, any(v.action is Action.HOLD for v in own), tuple(reasons), lost, held)


__all__ = [
    "API_VERSION",
    "BUILT_IN",
    "Candidate",
    "Decision",
    "Filter",
    "Judge",
    "OpenSuite",
    "Parameters",
    "Resources",
    "SetSieve",
    "Stage",
    "admit",
    "check_use",
    "check_verdicts",
    "decide",
    "filter",
    "open_suite",
    "open_use",
    "read_resources",
    "run_stage",
]
