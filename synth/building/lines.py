"""The lines of a build: what decides the rows of each language, and the Line objects that make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synth.ask import Asker, Role
from synth.content.prompts import read_frame, read_prompt
from synth.content.suites import Suite, read_suite
from synth.filters.base import OpenSuite, check_use, open_suite, read_resources
from synth.line.assemble import CONTENT_LICENCE, Provenance
from synth.line.stages import Line, digest_parts
from synth.models.base import Endpoint, Model, Parameters, identity_of, open_model
from synth.models.ledger import Ledger
from synth.models.purse import Purse
from synth.offline.embedded import OfflineModel
from synth.planning.inventory import OFFLINE, Inventory
from synth.programs.contracts import CONTRAST, EVENT, LABELS, REPLY, SCENE
from synth.programs.questions import Desk
from synth.recipe import Recipe
from synth.records.labels import Origin

PARSER_VERSION = 1
"""Raised by hand when the same answer would be read another way."""

PROGRAMS = {"event": EVENT, "write": SCENE, "vary": SCENE, "reply": REPLY, "contrast": CONTRAST, "annotate": LABELS}


@dataclass(frozen=True, slots=True)
class Crew:
    """Who answers in each role of a recipe, opened once."""

    roles: Mapping[str, Role]
    pure: bool


def embedded(name: str, endpoints: Mapping[str, Endpoint]) -> bool:
    """Say whether a model name means the embedded model in this process."""
    endpoint = endpoints.get(OFFLINE)
    return name == OFFLINE and not (endpoint and endpoint.url)


def open_crew(inventory: Inventory, endpoints: Mapping[str, Endpoint]) -> Crew:
    """Give the models of every role; the embedded one speaks from the recipe's own shelves."""
    recipe = inventory.recipe
    models: dict[str, Model] = {}
    roles = {}
    for role, name in recipe.models.roles().items():
        if name not in models:
            inside = embedded(name, endpoints)
            models[name] = OfflineModel(inventory.shelves) if inside else open_model(name, endpoints)
        roles[role] = Role(models[name], identity_of(name, endpoints), parameters_of(recipe, role))
    return Crew(roles, all(model.pure for model in models.values()))


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


def line_parts(inventory: Inventory, language: str, endpoints: Mapping[str, Endpoint]) -> dict[str, Any]:
    """Give everything that decides the rows of a language, by name, so that a difference can be named."""
    recipe, shelves = inventory.recipe, inventory.shelves
    native = language if recipe.prompts == "native" else ""
    parts: dict[str, Any] = {
        "parser": PARSER_VERSION,
        f"templates/frames/{language}.yaml": shelves.file(f"templates/frames/{language}.yaml").digest,
    }
    for program, contract in PROGRAMS.items():
        prompt = read_prompt(shelves, program, native)
        parts[prompt.file.name] = prompt.file.digest
        parts[f"contract of {program}"] = contract.version
    repair = read_prompt(shelves, "repair", native)
    parts[repair.file.name] = repair.file.digest
    for role, name in recipe.models.roles().items():
        identity = identity_of(name, endpoints)
        parameters = parameters_of(recipe, role)
        parts[f"model of {role}"] = [identity.model, identity.endpoint_alias, identity.revision]
        parts[f"sampling of {role}"] = [parameters.temperature, parameters.top_p, parameters.max_tokens]
    parts["replies"] = recipe.replies.model_dump()
    # a family that trained in one night and is held out in the next would stand in both
    parts["splits"] = {split: sorted(names) for split, names in recipe.splits.model_dump().items()}
    return parts


def open_line(
    inventory: Inventory, language: str, asker: Asker, suite: OpenSuite, endpoints: Mapping[str, Endpoint]
) -> Line:
    """Give the line of a language."""
    recipe = inventory.recipe
    phrasings = [p for (spoken, _), p in inventory.phrasings.items() if spoken == language]
    digest = digest_parts(line_parts(inventory, language, endpoints))
    return Line(
        desk=Desk(asker, inventory.shelves, language, recipe.prompts == "native"),
        families=inventory.families,
        frame=read_frame(inventory.shelves, language),
        joiner=phrasings[0].joiner if phrasings else _joiner(language),
        provenance=_provenance(inventory, language, digest),
        suite=suite,
        resources=read_resources(inventory.shelves, language),
        annotators=tuple((role, name) for role, name in recipe.models.roles().items() if role != "writer"),
        alternative=recipe.replies.alternative,
    )


def _joiner(language: str) -> str:
    return "" if language in ("ja", "zh", "th") else " "


def _provenance(inventory: Inventory, language: str, line_digest: str) -> Provenance:
    writer = inventory.recipe.models.writer
    if writer != OFFLINE:
        return Provenance(writer, line_digest, Origin.AUTHORED, None, False, "unknown", writer.partition("/")[0])
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


def open_asker(crew: Crew, ledger: Ledger | None, purse: Purse) -> Asker:
    """Give the asker of a crew."""
    return Asker(crew.roles, ledger=ledger, purse=purse)
