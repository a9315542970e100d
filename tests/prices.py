"""Make the price table anew from the installed litellm's own map: `PYTHONPATH=. python tests/prices.py`.

litellm is not imported: its map is one file of its package (MIT). Taken are the chat and responses models of the providers whose API host the table knows, with
decimal arithmetic. Left out, and so without a price, is a model of which the map does not say one plain price for a million tokens:

- a price of zero, which in the map also means that nobody knows it;
- reasoning at another price than what else is written;
- two entries for one name that disagree; a fine-tuned model's stem (`ft:`).

Prompts of this framework stay far under 32,000 tokens, so of a price that rises with their length (above 128k or 200k tokens, or by tiers)
the lowest is taken.
Where a provider fills its prompt cache unasked and charges more for it (openai), tokens read cost what filling costs: nothing says how many filled it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "synth/models/prices.json"
SOURCE = "model_prices_and_context_window_backup.json"
LONGEST_PROMPT = 32_000
MODES = ("chat", "responses")
NAMES = {"cohere_chat": "cohere"}
FILLS_ITS_CACHE_UNASKED = ("openai",)
FLOAT_DUST = Decimal("0.000001")
USD_A_TOKEN = 10**12  # in micro-units for a million tokens


def installed() -> str:
    """Give the version of the installed litellm."""
    return importlib.metadata.version("litellm")


def source() -> Path:
    """Give the file of the installed litellm's map."""
    spec = importlib.util.find_spec("litellm")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / SOURCE


def made(date: str) -> str:
    """Give the table's text, as of a date."""
    read = source().read_bytes()
    rows = dict(sorted(priced(json.loads(read, parse_float=Decimal)).items()))
    head = {
        "version": f"litellm {installed()}, {date}",
        "source": f"litellm/{SOURCE}",
        "licence": "MIT",
        "sha256": hashlib.sha256(read).hexdigest(),
        "currency": "USD",
        "unit": "micro-units for a million tokens",
        "columns": ["read", "written", "cached", "batch_read", "batch_written", "batch_cached"],
    }
    lines = [f'"{name}": {json.dumps(value)},' for name, value in head.items()]
    models = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    return "{\n" + "\n".join(lines) + '\n"models": {\n' + models + "\n}}\n"


def priced(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, list[int | None]]:
    """Give a row for each model that has one plain price, by provider/model."""
    found: dict[str, list[list[int | None] | None]] = {}
    for name, provider, entry in models(entries):
        found.setdefault(f"{provider}/{name}", []).append(row(provider, entry))
    agreed = {name: rows[0] for name, rows in found.items() if all(one == rows[0] for one in rows)}
    return {name: one for name, one in agreed.items() if one is not None}


def models(entries: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Give the map's models that the table is about: name at the provider, the provider, the entry."""
    from synth.models.price_table import HOSTS

    providers = set(HOSTS.values())
    for key, entry in entries.items():
        stated = entry.get("litellm_provider", "")
        provider = NAMES.get(stated, stated)
        if provider in providers and entry.get("mode") in MODES and not key.startswith("ft:"):
            yield key.removeprefix(f"{stated}/").removeprefix(f"{provider}/"), provider, entry


def row(provider: str, entry: Mapping[str, Any]) -> list[int | None] | None:
    """Give read, written, cached, and the same for batches; None where they are not plain."""
    entry = lowest_tier(entry)
    read, written = whole(entry, "input_cost_per_token"), whole(entry, "output_cost_per_token")
    if not read or not written or whole(entry, "output_cost_per_reasoning_token") not in (None, written):
        return None
    cached = whole(entry, "cache_read_input_token_cost")
    batch = [
        whole(entry, f"{one}_batches")
        for one in ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost")
    ]
    if not batch[0] or not batch[1]:
        batch = [None, None, None]
    if provider in FILLS_ITS_CACHE_UNASKED:
        read = max(read, whole(entry, "cache_creation_input_token_cost") or 0)
        batch[0] = batch[0] and max(batch[0], whole(entry, "cache_creation_input_token_cost_batches") or 0)
    return [read, written, cached, *batch]


def lowest_tier(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give an entry with the prices of its first tier, where it has tiers that begin at nothing and hold our prompts."""
    tiers = entry.get("tiered_pricing")
    if not tiers or "range" not in tiers[0]:
        return entry
    first, last = tiers[0]["range"]
    return {**entry, **tiers[0]} if not first and last >= LONGEST_PROMPT else entry


def whole(entry: Mapping[str, Any], name: str) -> int | None:
    """Give a price of the map as a whole number of micro-units for a million tokens, rounded up.

    A few prices of the map went through binary floats (1.3200000000000002e-07): what is a millionth off a whole number is that number.
    """
    if entry.get(name) is None:
        return None
    value = Decimal(entry[name]) * USD_A_TOKEN
    assert value >= 0, name
    near = round(value)
    return near if abs(value - near) < FLOAT_DUST else math.ceil(value)


if __name__ == "__main__":
    import datetime

    TABLE.write_text(made(datetime.datetime.now(tz=datetime.UTC).date().isoformat()), encoding="utf-8")
