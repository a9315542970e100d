"""The price table: what a model costs, by the name that a recipe gives it and the person's endpoint for it.

Prices come from `prices.json`, a pinned extract of litellm's map (`tests/prices.py` makes it), and from the person, whose word goes first. A model that
neither knows has no price: a dated snapshot is not taken for its family, nor a proxy for whoever stands behind it.
"""

from __future__ import annotations

import functools
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Final
from urllib.parse import urlsplit

from synth.models.base import OFFLINE, Endpoint
from synth.models.prices import FREE, Price

Row = tuple[int, int, int | None, int | None, int | None, int | None]
"""Micro-units for a million tokens: read, written, cached; then the same three where a provider's batch answers."""

ANY: Final = "*"
"""The name that stands for every model of an alias in a person's own prices."""

HOSTS: Final = {
    "api.anthropic.com": "anthropic",
    "api.cerebras.ai": "cerebras",
    "api.cohere.ai": "cohere",
    "api.cohere.com": "cohere",
    "api.deepinfra.com": "deepinfra",
    "api.deepseek.com": "deepseek",
    "api.fireworks.ai": "fireworks_ai",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.moonshot.ai": "moonshot",
    "api.novita.ai": "novita",
    "api.openai.com": "openai",
    "api.sambanova.ai": "sambanova",
    "api.studio.nebius.ai": "nebius",
    "api.together.ai": "together_ai",
    "api.together.xyz": "together_ai",
    "api.x.ai": "xai",
    "api.z.ai": "zai",
    "dashscope-intl.aliyuncs.com": "dashscope",
    "generativelanguage.googleapis.com": "gemini",
}
"""The provider behind each API host, by litellm's name; another region's host, and its prices, are another thing."""

_OTHER_NAMES: Final = {"cohere_chat": "cohere"}


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices by `provider/model`, and a person's own by alias and model (or `*`); `version` says where the first come from."""

    version: str
    models: Mapping[str, Row]
    own: Mapping[str, Mapping[str, Price]] = field(default_factory=dict)

    @staticmethod
    def shipped() -> PriceTable:
        """Give the table that came with this version, read once."""
        return _shipped()

    def with_own(self, own: Mapping[str, Mapping[str, Price]]) -> PriceTable:
        """Give the table with a person's own prices: alias -> model, or `*` for all of them -> price."""
        return replace(self, own={alias: dict(prices) for alias, prices in own.items()})

    def of(self, name: str, endpoint: Endpoint | None) -> Price | None:
        """Give the price of a model (`offline`, or `<alias>/<model>`) at its endpoint, None where nobody knows it.

        What the person says holds first. The embedded model is free, and so is what runs on this machine: the lane `local`, and a loopback address
        (a paid proxy that listens there needs a price of the person's own).
        """
        alias, _, model = name.partition("/")
        own = self.own.get(alias, {})
        if (stated := own.get(model or OFFLINE) or own.get(ANY)) is not None:
            return stated
        if own and endpoint is not None and is_own_machine(endpoint):
            return None  # somebody pays for what is behind this address, and this model was forgotten or misspelt
        if name == OFFLINE:
            return FREE  # wherever it is served
        if endpoint is None:
            return None
        if is_own_machine(endpoint):
            return FREE
        row = self.models.get(f"{provider_of(endpoint)}/{model}")
        return None if row is None else _price(row, batch=endpoint.lane == "batch")


def is_own_machine(endpoint: Endpoint) -> bool:
    """Say whether an endpoint is a model in this process or behind a loopback address."""
    if endpoint.lane == "local":
        return True
    host = _host(endpoint)
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def provider_of(endpoint: Endpoint) -> str:
    """Give litellm's name of an endpoint's provider: the one it states, else the one whose API host its URL names; empty where unknown."""
    stated = endpoint.provider
    return _OTHER_NAMES.get(stated, stated) or HOSTS.get(_host(endpoint), "")


def _host(endpoint: Endpoint) -> str:
    try:
        return urlsplit(endpoint.url or "").hostname or ""
    except ValueError:
        return ""


def _price(row: Row, *, batch: bool) -> Price | None:
    read, written, cached = row[3:] if batch else row[:3]
    return None if read is None or written is None else Price(read, written, cached)


@functools.cache
def _shipped() -> PriceTable:
    read = json.loads((files("synth.models") / "prices.json").read_text(encoding="utf-8"))
    return PriceTable(read["version"], {name: _row(*row) for name, row in read["models"].items()})


def _row(
    read: int,
    written: int,
    cached: int | None,
    batch_read: int | None,
    batch_written: int | None,
    batch_cached: int | None,
) -> Row:
    return read, written, cached, batch_read, batch_written, batch_cached
