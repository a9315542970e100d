"""The lines of a build: what decides the rows of each language, and the Line objects that make them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from synth.ask import Asker, Role
from synth.building.pricing import price_models
from synth.content.definitions import DEFINITIONS, read_definitions
from synth.content.lexicons import read_languages
from synth.content.prompts import read_frame, read_prompt
from synth.content.suites import Suite, read_suite
from synth.content.thinking import ARCS, REASONING, read_frames
from synth.filters.base import OpenSuite, check_use, open_suite, read_resources
from synth.line.assemble import CONTENT_LICENCE, Provenance
from synth.line.line import Line, Reader, digest_parts
from synth.models.base import Contract, Endpoint, Identity, Model, Parameters, identity_of, open_model
from synth.models.ledger import Ledger
from synth.models.pace import DEFAULT_IN_FLIGHT
from synth.models.price_table import PriceTable
from synth.models.prices import FREE
from synth.models.purse import Purse
from synth.offline.embedded import COMPOSER_VERSION, OfflineModel
from synth.planning.inventory import OFFLINE, Inventory
from synth.programs.contracts import CONTRAST, EVENT, JUDGE, LABELS, REPLY, SCENE, VERIFY
from synth.programs.joining import check_program, open_programs
from synth.programs.own import Program
from synth.programs.questions import Desk
from synth.recipe import Recipe
from synth.records.labels import AnnotatorKind, Origin

UNSTATED: Final = "unstated"
"""The licence and terms of a model whose endpoint says none in the person's settings."""

PARSER_VERSION: Final = 2
"""Raised by hand when the same answer would be read, or checked by rule, another way."""

PROGRAMS: Final[Mapping[str, Contract]] = {
    "event": EVENT,
    "write": SCENE,
    "vary": SCENE,
    "reply": REPLY,
    "contrast": CONTRAST,
    "annotate": LABELS,
    "verify": VERIFY,
    "judge": JUDGE,
}


@dataclass(frozen=True, slots=True)
class Crew:
    """Who answers in each role of a recipe, opened once; `unpriced` names the models whose price nobody knows and that count as free."""

    roles: Mapping[str, Role]
    pure: bool
    unpriced: tuple[str, ...] = ()


def embedded(name: str, endpoints: Mapping[str, Endpoint]) -> bool:
    """Say whether a model name means the embedded model in this process."""
    endpoint = endpoints.get(OFFLINE)
    return name == OFFLINE and not (endpoint and endpoint.url)


def open_crew(
    inventory: Inventory,
    endpoints: Mapping[str, Endpoint],
    prices: PriceTable | None = None,
    *,
    allow_unpriced: bool = False,
) -> Crew:
    """Give the models of every role, with what they cost; the embedded one speaks from the recipe's own shelves.

    Without `prices` nothing costs anything.

    Raises:
        UsageError: as `price_models` and `open_model` do.
    """
    recipe = inventory.recipe
    played = recipe.models.roles()
    priced = price_models(played.values(), endpoints, prices, allow_unpriced=allow_unpriced) if prices else {}
    models: dict[str, Model] = {}
    roles = {}
    for role, name in played.items():
        if name not in models:
            inside = embedded(name, endpoints)
            models[name] = OfflineModel(inventory.shelves) if inside else open_model(name, endpoints)
        for language in recipe.languages:
            identity = identity_in(inventory, name, language, endpoints)
            parameters = parameters_of(recipe, role)
            roles[seat(role, language)] = Role(models[name], identity, parameters, priced.get(name) or FREE, role)
    unpriced = tuple(sorted(name for name, price in priced.items() if price is None))
    return Crew(roles, all(model.pure for model in models.values()), unpriced)


def seat(role: str, language: str) -> str:
    """Give the name of a role's seat in a language: the embedded model is another one in each."""
    return f"{role}@{language}"


def identity_in(inventory: Inventory, name: str, language: str, endpoints: Mapping[str, Endpoint]) -> Identity:
    """Give what a model name stands for in a language; the embedded model's revision is what it speaks from.

    So its answers, kept when it is asked over HTTP, are never taken for those of other phrasings or another composer.
    """
    identity = identity_of(name, endpoints)
    return (
        replace(identity, revision=OfflineModel(inventory.shelves).identity(language)) if name == OFFLINE else identity
    )


def parameters_of(recipe: Recipe, role: str) -> Parameters:
    """Give the sampling parameters of a role; the recipe's seed goes with them."""
    if role not in recipe.sampling:
        return Parameters(max_tokens=2048, seed=recipe.seed % 2**31)
    given = recipe.sampling[role]
    return Parameters(given.temperature, given.top_p, given.max_tokens, recipe.seed % 2**31)


def open_recipe_suite(inventory: Inventory) -> OpenSuite:
    """Give the filters of the recipe's suite, opened."""
    suite: Suite = read_suite(inventory.shelves, inventory.recipe.suite, check=check_use)
    return open_suite(suite)


def open_own(inventory: Inventory, given: Sequence[Program] = ()) -> tuple[Program, ...]:
    """Give a person's own programs: those that the recipe names, and those that are `given`.

    Raises:
        UsageError: as `open_programs` and `check_program` do.
    """
    recipe = inventory.recipe
    found = open_programs(recipe.programs, given)
    spoken = recipe.languages if recipe.prompts == "native" else ("",)
    for one in found:
        check_program(one, inventory.shelves, recipe.models.roles(), spoken)
    return found


def line_parts(
    inventory: Inventory, language: str, endpoints: Mapping[str, Endpoint], programs: Sequence[Program] = ()
) -> dict[str, Any]:
    """Give everything that decides the rows of a language, by name, so that a difference can be named."""
    recipe, shelves = inventory.recipe, inventory.shelves
    native = language if recipe.prompts == "native" else ""
    parts: dict[str, Any] = {
        "parser": PARSER_VERSION,
        f"templates/frames/{language}.yaml": shelves.file(f"templates/frames/{language}.yaml").digest,
    }
    for program, contract in _asked_programs(recipe).items():
        prompt = read_prompt(shelves, program, native)
        parts[prompt.file.name] = prompt.file.digest
        parts[f"contract of {program}"] = contract.version
    defined = read_definitions(shelves, native or "en")
    parts[f"{DEFINITIONS}/{defined.labels}.yaml"] = shelves.file(f"{DEFINITIONS}/{defined.labels}.yaml").digest
    repair = read_prompt(shelves, "repair", native)
    parts[repair.file.name] = repair.file.digest
    for one in programs:
        prompt = read_prompt(shelves, one.name, native)
        parts[prompt.file.name] = prompt.file.digest
        parts[f"program {one.name}"] = [one.version, one.digest, one.role, *one.shows]
    played = recipe.models.roles()
    for role, name in (recipe.asked() | {one.role: played[one.role] for one in programs}).items():
        identity = identity_of(name, endpoints)
        parameters = parameters_of(recipe, role)
        # the embedded model's phrasings are pinned file by file in plan/; its composer decides rows as well
        revision = f"composer {COMPOSER_VERSION}" if name == OFFLINE else identity.revision
        parts[f"model of {role}"] = [identity.model, identity.endpoint_alias, revision]
        parts[f"sampling of {role}"] = [parameters.temperature, parameters.top_p, parameters.max_tokens]
    parts["replies"] = recipe.replies.model_dump()
    # a family that trained in one night and is held out in the next would stand in both
    parts["splits"] = {split: sorted(names) for split, names in recipe.splits.model_dump().items()}
    # other strata or forms would leave the quota of those that stand half counted
    parts["cross"] = list(recipe.cross)
    parts["forms"] = sorted(recipe.forms)
    return parts | _chosen_parts(inventory, native or "en")


def _asked_programs(recipe: Recipe) -> dict[str, Contract]:
    """Give the programs that a recipe asks, with their contracts."""
    unasked = set() if recipe.verifies else {"verify"}
    unasked |= set() if recipe.models.judges else {"judge"}
    return {name: contract for name, contract in PROGRAMS.items() if name not in unasked}


def _chosen_parts(inventory: Inventory, spoken: str) -> dict[str, Any]:
    """Give what decides rows only where a recipe chooses it, so that the folders of other recipes go on."""
    recipe, shelves = inventory.recipe, inventory.shelves
    parts: dict[str, Any] = {} if recipe.stop_early else {"stop_early": False}
    if recipe.reasoning != "none":
        parts["reasoning"] = recipe.reasoning
        name = f"{REASONING}/{read_frames(shelves, spoken).language}.yaml"
        parts[name] = shelves.file(name).digest
    if any(weight for turns, weight in recipe.turns.items() if turns > 1):
        parts["turns"] = {str(turns): weight for turns, weight in sorted(recipe.turns.items())}
        parts[ARCS] = shelves.file(ARCS).digest
    if recipe.default_persona:
        parts["default_persona"] = True
    return parts


def open_line(
    inventory: Inventory,
    language: str,
    asker: Asker,
    suite: OpenSuite,
    endpoints: Mapping[str, Endpoint],
    programs: Sequence[Program] = (),
) -> Line:
    """Give the line of a language."""
    recipe = inventory.recipe
    phrasings = [p for (spoken, _), p in inventory.phrasings.items() if spoken == language]
    digest = digest_parts(line_parts(inventory, language, endpoints, programs))
    native = recipe.prompts == "native"
    seats = {role: seat(role, language) for role in recipe.models.roles()}
    return Line(
        desk=Desk(asker, inventory.shelves, language, native, seats),
        families=inventory.families,
        frame=read_frame(inventory.shelves, language),
        joiner=phrasings[0].joiner if phrasings else _joiner(inventory, language),
        provenance=_provenance(inventory, language, digest, endpoints),
        suite=suite,
        resources=read_resources(inventory.shelves, language),
        annotators=_readers(inventory, "annotate", recipe.models.annotator_roles(), language, endpoints),
        alternative=recipe.replies.alternative,
        at_once=not asker.is_pure,
        verifiers=_readers(inventory, "verify", recipe.models.verifier_roles(), language, endpoints)
        if recipe.verifies
        else (),
        judges=_readers(inventory, "judge", recipe.models.judge_roles(), language, endpoints),
        stop_early=recipe.stop_early,
        reasoning="" if recipe.reasoning == "none" else recipe.reasoning,
        programs=tuple((one, _asked(inventory, one, language, endpoints)) for one in programs),
    )


def _asked(inventory: Inventory, one: Program, language: str, endpoints: Mapping[str, Endpoint]) -> Reader:
    """Give who is asked by a person's own program."""
    (found,) = _readers(inventory, one.name, {one.role: inventory.recipe.models.roles()[one.role]}, language, endpoints)
    return found


def _joiner(inventory: Inventory, language: str) -> str:
    facts = read_languages(inventory.shelves).of(language)
    return " " if facts is None or facts.spaced else ""


def _readers(
    inventory: Inventory, program: str, roles: Mapping[str, str], language: str, endpoints: Mapping[str, Endpoint]
) -> tuple[Reader, ...]:
    """Give those who annotate, verify or judge."""
    prompt = read_prompt(inventory.shelves, program, language if inventory.recipe.prompts == "native" else "")
    spoken = language if f"/{language}/" in prompt.file.name else "en"
    return tuple(_each_reader(roles, spoken, endpoints))


def _each_reader(roles: Mapping[str, str], spoken: str, endpoints: Mapping[str, Endpoint]) -> Iterator[Reader]:
    asked: Counter[str] = Counter()
    for role, name in roles.items():
        endpoint = endpoints.get(name.partition("/")[0])
        kind = AnnotatorKind.LOOKUP if name == OFFLINE else AnnotatorKind.MODEL
        yield Reader(role, name, (endpoint.family or None) if endpoint else None, kind, asked[name], spoken)
        asked[name] += 1


def _provenance(inventory: Inventory, language: str, line_digest: str, endpoints: Mapping[str, Endpoint]) -> Provenance:
    writer = inventory.recipe.models.writer
    if writer != OFFLINE:
        endpoint = endpoints[writer.partition("/")[0]]
        licence, terms = endpoint.licence or UNSTATED, endpoint.terms or UNSTATED
        return Provenance(writer, line_digest, Origin.AUTHORED, None, False, licence, terms)
    phrasings = [p for (spoken, _), p in inventory.phrasings.items() if spoken == language]
    return Provenance(
        generator=OfflineModel(inventory.shelves).identity(language),
        line_digest=line_digest,
        origin=Origin.TRANSCREATED if any(p.origin == "transcreated" for p in phrasings) else Origin.AUTHORED,
        authored_by_model=next((a.name for p in phrasings for a in p.authors if a.kind == "model"), None),
        reread=all(p.reread for p in phrasings),
        licence=CONTENT_LICENCE,
        terms=CONTENT_LICENCE,
    )


def open_asker(
    crew: Crew,
    ledger: Ledger | None,
    purse: Purse,
    *,
    stop: Callable[[], str] | None = None,
    max_in_flight: int = DEFAULT_IN_FLIGHT,
) -> Asker:
    """Give the asker of a crew."""
    return Asker(crew.roles, ledger=ledger, purse=purse, stop=stop, max_in_flight=max_in_flight)
