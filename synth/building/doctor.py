"""`synth doctor`: what stands in the way of a build here, before it is begun. Nothing is written; only `ask` costs anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from synth.building.findings import Finding, State
from synth.building.installation import examine_installation
from synth.building.lines import embedded
from synth.building.prefixes import prefixes, sample_questions
from synth.building.probing import ask_each, probe
from synth.building.settings import Reach, check_aliases, read_reach, settings_file
from synth.content.shelves import Shelves
from synth.errors import UsageError
from synth.models.base import OFFLINE, Endpoint, Request
from synth.models.price_table import PriceTable
from synth.models.prices import FREE, dollars
from synth.planning.inventory import take_stock
from synth.recipe import Recipe, open_shelves

CACHED_FROM: Final = 1024
"""Tokens from which on the providers' prompt caches keep a prefix (OpenAI's and most others' least)."""

Wanted = tuple[Recipe, Path]
"""A recipe, and the folder that its paths are relative to."""


def examine(
    wanted: Wanted | None,
    given: Sequence[str] = (),
    *,
    folder: Path | None = None,
    max_in_flight: int = 32,
    ask: bool = False,
) -> list[Finding]:
    """Give what is found here: of the installation, the person's endpoints and, where one is given, a recipe.

    Args:
        wanted: A recipe and its home; with one, only the endpoints that it names are probed.
        given: Endpoints as alias=URL or alias=URL,KEY_VARIABLE, on top of the settings.
        folder: Where the build would be written; the recipe's name in the current folder if not said.
        max_in_flight: How many calls at a time are meant.
        ask: Ask each model of the recipe one real question with a short answer, which is paid for.

    Raises:
        UsageError: The recipe or a given endpoint breaks a rule, or `ask` goes without a recipe.
    """
    if ask and wanted is None:
        raise UsageError("--ask asks the models of a recipe, and there is none", hint="synth doctor RECIPE --ask")
    reach, settings = check_settings(given)
    shelves = open_shelves(*wanted) if wanted else Shelves()
    target = folder or Path(wanted[0].recipe if wanted else ".")
    found = [*examine_installation(shelves, target, max_in_flight), settings]
    if wanted is None:
        return [*found, *probe(reach.endpoints, ())]
    return [*found, *_examine_recipe(wanted[0], shelves, reach, ask=ask)]


def check_settings(given: Sequence[str]) -> tuple[Reach, Finding]:
    """Give the person's endpoints and prices, and where they stand; a file that breaks a rule is a fault, and gives none.

    Raises:
        UsageError: An endpoint that was given by hand is none.
    """
    file = settings_file()
    try:
        read_reach()
    except UsageError as error:
        return Reach({}, {}), Finding("settings", State.FAULT, str(error).partition("\n")[0], error.hint)
    reach = read_reach(given)
    named = ", ".join(f"{alias} ({one.lane})" for alias, one in sorted(reach.endpoints.items()))
    there = str(file) if file.is_file() else f"no file {file}"
    return reach, Finding("settings", State.OK, f"{there}; endpoints: {named or 'none'}")


def _examine_recipe(recipe: Recipe, shelves: Shelves, reach: Reach, *, ask: bool) -> list[Finding]:
    models = sorted(set(recipe.models.roles().values()))
    unset = {name: fault for name in models if (fault := check_alias(name, reach.endpoints)) is not None}
    known = [name for name in models if name not in unset]
    aliases = {name.partition("/")[0] for name in known}
    used = {alias: one for alias, one in reach.endpoints.items() if alias in aliases}
    outside = [name for name in known if not embedded(name, reach.endpoints)]
    prices = PriceTable.shipped().with_own(reach.prices)
    found = [*unset.values(), *probe(used, outside), *(check_price(name, used, prices) for name in known)]
    questions = sample_questions(take_stock(recipe, shelves))
    found.append(check_prefixes(questions))
    if ask:
        found += ask_each(outside, used, questions[0]) if questions else [_nothing_to_ask()]
    return found


def check_alias(name: str, endpoints: Mapping[str, Endpoint]) -> Finding | None:
    """Give a fault where a recipe's model has no endpoint, or one that says too little; None where it has one."""
    try:
        check_aliases([name], endpoints)
    except UsageError as error:
        return Finding(f"model {name}", State.FAULT, error.message, error.hint)
    return None


def check_price(name: str, endpoints: Mapping[str, Endpoint], prices: PriceTable) -> Finding:
    """Say what a model costs, or that nobody knows: a build would stop for that."""
    alias, _, model = name.partition("/")
    price = prices.of(name, endpoints.get(alias))
    check = f"price of {name}"
    if price is None:
        advice = f"state it in {settings_file()}: endpoints: {alias}: prices: {model or OFFLINE}: {{read: ..., written: ...}}"
        return Finding(check, State.FAULT, f"unknown to your settings and to {prices.version}", advice)
    if price == FREE:
        return Finding(check, State.OK, "free")
    cached = "" if price.cached is None else f", {dollars(price.cached)} cached"
    seen = f"{dollars(price.read)} read{cached}, {dollars(price.written)} written, for a million tokens"
    whose = "your settings" if alias in prices.own else prices.version
    return Finding(check, State.OK, f"{seen} ({whose})")


def check_prefixes(questions: Sequence[Request]) -> Finding:
    """Say how much of each program's prompts a provider's prompt cache can keep: what stands before the first character that differs."""
    found = prefixes(questions)
    if not found:
        return Finding("prompt cache", State.OK, "not measured: the embedded model speaks no language of this recipe")
    shares = ", ".join(f"{one.program} {one.share:.0%} ({one.tokens:,})" for one in found)
    kept = [one.program for one in found if one.tokens >= CACHED_FROM]
    advice = "" if kept else f"providers keep a prefix from about {CACHED_FROM:,} tokens on: none of these is kept"
    return Finding("prompt cache", State.OK, f"same from cell to cell, and about how many tokens: {shares}", advice)


def _nothing_to_ask() -> Finding:
    seen = "not asked: the embedded model speaks no language of this recipe, so there is no question at hand"
    return Finding("answers", State.WARNING, seen, "add a language that it speaks for the check")
