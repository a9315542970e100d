"""Estimate what a plan will ask and cost: calls, tokens and money by role, measured on a few events that the embedded model lives through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from synth.building.rehearsal import rehearse
from synth.models.base import Endpoint, Usage
from synth.models.price_table import PriceTable
from synth.models.prices import Price
from synth.models.purse import Spent
from synth.planning.inventory import OFFLINE, Inventory
from synth.planning.strata import allocate, records_of, strata_of
from synth.recipe import Recipe

SAMPLE = 12
Asked: TypeAlias = tuple[float, float, float]
"""What is asked for a record: calls, tokens read, tokens written."""

UNSAMPLED: Final[Mapping[str, Asked]] = {
    "event": (0.333, 250.0, 70.0),
    "write": (0.333, 650.0, 130.0),
    "vary": (0.667, 1060.0, 255.0),
    "reply": (2.0, 3520.0, 415.0),
    "contrast": (4.75, 8560.0, 505.0),
    "annotate": (1.0, 1660.0, 440.0),
    "verify": (2.0, 3860.0, 230.0),
    "judge": (6.75, 7540.0, 1360.0),
}
"""What each program took for a record in the embedded model's own languages, for a language that it does not speak; `verify` of all verifiers together.

Measured by a rehearsal of six families in thirteen languages with one verifier and one judge, 2026-11-20.
"""


@dataclass(frozen=True, slots=True)
class RoleEstimate:
    """What one role's model is asked, and at most: `most` times as much, if every answer needed repair and every record all its tries.

    Of who verifies `most` covers the second opinion, which asks each question once more.
    """

    model: str
    calls: int
    tokens_in: int
    tokens_out: int
    most: int

    def money(self, price: Price) -> tuple[int, int]:
        """Give the cost in micro-units: expected, and at most."""
        expected = price.cost(Usage(self.tokens_in, self.tokens_out))
        return expected, price.most(self.tokens_in, self.tokens_out) * self.most


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls and tokens of a plan, by role too; `most` counts one repair a call and every try of every slot; `paid` is false where nothing costs."""

    calls: int
    most_calls: int
    tokens_in: int
    tokens_out: int
    most_tokens: int
    paid: bool
    roles: Mapping[str, RoleEstimate]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan would cost, in micro-units: by role expected and at most; `missing` names the models whose price nobody knows.

    `prices` says whose prices these are: the version of the table, or `given`.
    """

    by_role: Mapping[str, tuple[int, int]]
    missing: tuple[str, ...]
    prices: str

    @property
    def expected(self) -> int:
        """Micro-units that are expected."""
        return sum(expected for expected, _ in self.by_role.values())

    @property
    def at_most(self) -> int:
        """Micro-units if every answer needed repair and every record all its tries."""
        return sum(most for _, most in self.by_role.values())


def cost_of(found: Estimate, endpoints: Mapping[str, Endpoint], table: PriceTable, given: Price | None = None) -> Cost:
    """Give what a plan would cost at a table's prices; a price that is `given` holds for every model but the embedded."""

    def price_of(model: str) -> Price | None:
        if given is not None and model != OFFLINE:
            return given
        return table.of(model, endpoints.get(model.partition("/")[0]))

    prices = {role: price_of(one.model) for role, one in found.roles.items()}
    known = {role: found.roles[role].money(price) for role, price in prices.items() if price is not None}
    missing = sorted({found.roles[role].model for role, price in prices.items() if price is None})
    return Cost(known, tuple(missing), "given" if given is not None else table.version)


def estimate(inventory: Inventory) -> Estimate:
    """Give the estimate of a plan: a sample is lived through in memory, nothing is written or paid."""
    recipe = inventory.recipe
    strata = strata_of(inventory)
    wanted = allocate(inventory, strata, recipe.quota.records)
    records = sum(n * records_of(inventory, s) for s, n in zip(strata, wanted, strict=True))
    controls = sum(wanted) if recipe.default_persona else 0  # one an event
    each = _sample(inventory) or _unsampled(recipe)
    # each question and one repair; what is written may fail a check, and what is verified be lost, and be asked for once more
    twice = {"writer", *(recipe.models.verifier_roles() if recipe.verifies else ())}
    roles = {}
    for role, name in recipe.models.roles().items():
        calls, tokens_in, tokens_out = map(round, _asked_of(role, each, records, controls))
        roles[role] = RoleEstimate(name, calls, tokens_in, tokens_out, (4 if role in twice else 2) * recipe.tries)
    calls, tokens_in, tokens_out = (
        sum(getattr(one, what) for one in roles.values()) for what in ("calls", "tokens_in", "tokens_out")
    )
    paid = any(one.model != OFFLINE for one in roles.values())
    most_calls = sum(one.calls * one.most for one in roles.values())
    most_tokens = sum((one.tokens_in + one.tokens_out) * one.most for one in roles.values())
    return Estimate(calls, most_calls, tokens_in, tokens_out, most_tokens, paid, roles)


def uncounted(recipe: Recipe) -> tuple[str, ...]:
    """Give the settings of a recipe that make answers longer than those that the estimate measures: the embedded model cannot do what they ask."""
    turns = any(weight for turns, weight in recipe.turns.items() if turns > 1)
    return (("turns",) if turns else ()) + (("reasoning",) if recipe.reasoning != "none" else ())


def _asked_of(role: str, each: Mapping[tuple[str, str], Asked], records: int, controls: int) -> Asked:
    """Give what a role is asked for so many records and controls; `each` is what a record takes, by role and program."""
    calls = tokens_in = tokens_out = 0.0
    for (asked, program), one in each.items():
        if asked == role:
            times = records + controls * _share_of_control(program, each)
            calls, tokens_in, tokens_out = (
                calls + times * one[0],
                tokens_in + times * one[1],
                tokens_out + times * one[2],
            )
    return calls, tokens_in, tokens_out


def _share_of_control(program: str, each: Mapping[tuple[str, str], Asked]) -> float:
    """Give what a control takes of a program, in records: it is told and written on its own, and has no form beside it and no failures."""
    written = {name: one[0] for (role, name), one in each.items() if role == "writer"}
    match program:
        case "event" | "write":
            return 1 / written[program]
        case "vary" | "contrast":
            return 0.0
        case "judge":
            return written["reply"] / (written["reply"] + written.get("contrast", 0.0))
        case _:
            return 1.0


def _unsampled(recipe: Recipe) -> dict[tuple[str, str], Asked]:
    models = recipe.models
    verifiers = models.verifier_roles() if recipe.verifies else {}
    calls, tokens_in, tokens_out = (one / max(1, len(verifiers)) for one in UNSAMPLED["verify"])
    return {
        **{("writer", program): UNSAMPLED[program] for program in ("event", "write", "vary", "reply", "contrast")},
        **{(role, "annotate"): UNSAMPLED["annotate"] for role in models.annotator_roles()},
        **{(role, "verify"): (calls, tokens_in, tokens_out) for role in verifiers},
        **{(role, "judge"): UNSAMPLED["judge"] for role in models.judge_roles()},
    }


def _sample(inventory: Inventory) -> dict[tuple[str, str], Asked]:
    """Give what each role is asked for a record, by program, in a few events of the languages that the embedded model speaks; nothing where it speaks none."""
    spent: defaultdict[tuple[str, str], Spent] = defaultdict(Spent)
    records = rehearse(inventory, SAMPLE, lambda role, asked, answer: spent[role, asked.program].add(answer.usage))
    return {
        asked: (one.calls / records, one.tokens_in / records, one.tokens_out / records) for asked, one in spent.items()
    }
