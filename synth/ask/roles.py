"""Who answers, and what answers come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from synth.errors import IncompleteError
from synth.models.base import Endpoint, Identity, Model, Parameters, identity_of, open_model
from synth.models.prices import FREE, Price
from synth.records.labels import Outcome
from synth.records.schema import Call

T = TypeVar("T")


class PendingError(IncompleteError):
    """A provider will answer later, under `job`; other questions can go on."""

    def __init__(self, message: str, *, job: str) -> None:
        super().__init__(message, hint="run again later: the answer is fetched, not asked for again")
        self.job = job


@dataclass(frozen=True, slots=True)
class Role:
    """Who answers in a role: a model, what it stands for in the ledger, how it is asked, and what it costs.

    `name` is the role's plain name, such as `annotator-1`, where an asker seats it several times under names of their own.
    """

    model: Model
    identity: Identity
    parameters: Parameters = field(default_factory=Parameters)
    price: Price = FREE
    name: str = ""


def open_role(name: str, endpoints: Mapping[str, Endpoint], parameters: Parameters | None = None) -> Role:
    """Give a role by its model's name; raises UsageError as `open_model` does."""
    return Role(open_model(name, endpoints), identity_of(name, endpoints), parameters or Parameters())


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said, and the call as the record keeps it."""

    text: str
    call: Call


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """What the answers came to: a value where the outcome is ok, and every call that was made for it."""

    value: T | None
    outcome: Outcome
    calls: tuple[Call, ...]
