"""What a build has cost, what a kill may have cost beside it, and which answers are still due: read from its ledger and its runs' reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from synth.building.money import MICRO
from synth.cli.printing import count, say
from synth.models.prices import dollars

_UNSURE: Final = ("in_flight", "interrupted", "perhaps_paid")


@dataclass(frozen=True, slots=True)
class Unsure:
    """Calls without an answer that may have been paid all the same, and the most micro-units that they can have cost."""

    calls: int
    at_most: int

    def __str__(self) -> str:
        return f"{count(self.calls, 'call')}, at most {dollars(self.at_most)}"


@dataclass(frozen=True, slots=True)
class Account:
    """A build's money: `spent` micro-units for answers, what may have been paid without one, and `due` answers of providers.

    `in_flight` are calls that are running now, or that a kill cut off and no run has found yet; `interrupted` those that a later run found;
    `perhaps_paid` attempts that failed late enough to have been charged. `unpriced` models counted as free.
    """

    spent: int
    tokens_cached: int
    in_flight: Unsure
    interrupted: Unsure
    perhaps_paid: Unsure
    due: int
    unpriced: Sequence[str]

    def as_values(self) -> dict[str, Any]:
        """Give plain values, ready for JSON; micro-units are millionths of a US dollar, and exact."""
        unsure: dict[str, Unsure] = {name: getattr(self, name) for name in _UNSURE}
        return {
            "spent_micro_units": self.spent,
            "spent_us_dollars": f"{self.spent // MICRO}.{self.spent % MICRO:06d}",
            "tokens_cached": self.tokens_cached,
            **{name: {"calls": one.calls, "at_most_micro_units": one.at_most} for name, one in unsure.items()},
            "due": self.due,
            "unpriced": list(self.unpriced),
        }


def read_account(ledger: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> Account:
    """Give the account of a ledger's statistics and the reports of the runs."""
    unsure = {name: Unsure(ledger.get(name, 0), ledger.get(f"{name}_micro_units", 0)) for name in _UNSURE}
    unpriced = sorted({name for run in runs for name in run.get("unpriced", ())})
    spent, cached, due = (int(ledger.get(name, 0)) for name in ("micro_units", "tokens_cached", "jobs"))
    return Account(spent, cached, **unsure, due=due, unpriced=unpriced)


def show_account(account: Account, answers: int) -> None:
    """Print what the answers cost, what else may have been paid, and what is due; nothing where nothing was asked of a ledger."""
    if answers or account.spent:
        cached = f", {account.tokens_cached:,} tokens read from providers' caches" if account.tokens_cached else ""
        say(f"  paid  {dollars(account.spent)} for {count(answers, 'answer')} in the ledger{cached}")
    if account.in_flight.calls:
        say(f"        in flight (now, or at the kill): {account.in_flight}")
    if account.interrupted.calls:
        say(f"        in flight at the kill: {account.interrupted}")
    if account.perhaps_paid.calls:
        say(f"        perhaps paid: {account.perhaps_paid} (attempts that failed after they were sent)")
    if account.unpriced:
        say(f"        counted as free, for nobody knows the price: {', '.join(account.unpriced)}", "yellow")
    if account.due:
        say(f"  due   {count(account.due, 'answer')} from providers: run the same build again to fetch them", "yellow")
