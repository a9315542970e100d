"""Rates: what an endpoint's headers say of its limits, and how long they ask to wait.

Three dialects are read: `x-ratelimit-limit-requests` and its kin (OpenAI and those that copy it), `anthropic-ratelimit-*`,
and the IETF's `RateLimit-*` and `RateLimit` fields (draft-ietf-httpapi-ratelimit-headers). What is no number in a sane
range is passed over: a header is data of a stranger, and only time depends on it.
"""

from __future__ import annotations

import email.utils
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from synth.models.base import Allowance, Rates

_MARK: Final = "ratelimit"
_LONGEST_TEXT: Final = 1024
_LONGEST_NUMBER: Final = 15
_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_SPAN: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_EPOCH_SECONDS: Final = 1e9
_EPOCH_MILLISECONDS: Final = 1e12
_LEADING: Final = re.compile(r"\s*([0-9]{1,15})(?![0-9.])")
_WINDOW: Final = re.compile(r";\s*w\s*=\s*([0-9]{1,15})(?![0-9.])")
_ITEM: Final = re.compile(
    r"\s*(\"[^\"]{0,100}\"|[A-Za-z*][\w.*/:-]{0,100})((?:\s*;\s*[a-z*][\w.*-]*(?:=(?:\"[^\"]*\"|[^;,\"]*))?)*)"
)
_PARAMETER: Final = re.compile(r";\s*([a-z*][\w.*-]*)=\"?([^;,\"]*)")
_PAIR: Final = re.compile(r"(limit|remaining|reset)\s*=\s*([0-9]{1,15})(?![0-9.])")


def read_rates(headers: Mapping[str, str], now: float) -> Rates | None:
    """Give what headers say of limits, None where they say nothing.

    A limit whose window is told (IETF) is turned into one a minute; what is left is that of the window.

    Args:
        headers: A response's headers, in any spelling.
        now: Seconds since the epoch, for resets that are dates.
    """
    # one scan: most endpoints send none, and every answer is looked at
    stated = {low: text for name, text in headers.items() if _MARK in (low := name.lower())}
    if not stated:
        return None
    if "ratelimit" in stated:
        requests, tokens = _structured(stated["ratelimit"], stated.get("ratelimit-policy", ""))
    else:
        requests = _told(stated, "requests", now) or _windowed(stated, now)
        tokens = _told(stated, "tokens", now) or _scarcer(stated, now)
    return Rates(requests or _UNKNOWN, tokens or _UNKNOWN) if requests or tokens else None


def wait_asked(headers: Mapping[str, str], rates: Rates | None, now: float) -> float | None:
    """Give the seconds that an endpoint asks to wait: told in so many words, else until what is used up is there again."""
    milliseconds = retry_after(headers.get("retry-after-ms"), math.inf)
    if milliseconds is not None:
        return milliseconds / 1000
    told = retry_after(headers.get("retry-after"), now)
    if told is not None or rates is None:
        return told
    resets = [one.resets_in for one in (rates.requests, rates.tokens) if one.left == 0 and one.resets_in is not None]
    return max(resets, default=None)


def retry_after(value: str | None, now: float) -> float | None:
    """Give the seconds to wait that a Retry-After header asks for, as seconds or as a date; None where it says nothing.

    Args:
        value: The header's text.
        now: Seconds since the epoch, for dates.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


_UNKNOWN: Final = Allowance()


_PARTS: Final = ("limit", "remaining", "reset")
_OPENAI: Final = {what: tuple(f"x-ratelimit-{part}-{what}" for part in _PARTS) for what in ("requests", "tokens")}
_ANTHROPIC: Final = {
    what: tuple(f"anthropic-ratelimit-{what}-{part}" for part in _PARTS)
    for what in ("requests", "tokens", "input-tokens", "output-tokens")
}


def _allowance(limit: str | None, left: str | None, resets: str | None, now: float) -> Allowance | None:
    if limit is None and left is None and resets is None:
        return None
    found = Allowance(_count(limit), _count(left), _until(resets, now))
    return found if found != _UNKNOWN else None


def _of(stated: Mapping[str, str], names: tuple[str, ...], now: float) -> Allowance | None:
    limit, left, resets = names
    return _allowance(stated.get(limit), stated.get(left), stated.get(resets), now)


def _told(stated: Mapping[str, str], what: str, now: float) -> Allowance | None:
    return _of(stated, _OPENAI[what], now) or _of(stated, _ANTHROPIC[what], now)


def _scarcer(stated: Mapping[str, str], now: float) -> Allowance | None:
    """Give the allowance of input or output tokens of which less is left, where no common one is told."""
    both = (_of(stated, _ANTHROPIC[what], now) for what in ("input-tokens", "output-tokens"))
    return _scarcest([one for one in both if one is not None])


def _scarcest(known: list[Allowance]) -> Allowance | None:
    return min(known, key=lambda one: math.inf if one.left is None else one.left, default=None)


def _windowed(stated: Mapping[str, str], now: float) -> Allowance | None:
    """Read `RateLimit-Limit: 100, 100;w=60` with -Remaining and -Reset, also with the older prefix `x-`."""
    for prefix in ("ratelimit-", "x-ratelimit-"):
        limit = stated.get(f"{prefix}limit", "")[:_LONGEST_TEXT]
        first, window = _LEADING.match(limit), _WINDOW.search(limit)
        left, resets = stated.get(f"{prefix}remaining"), stated.get(f"{prefix}reset")
        if (found := _allowance(first and first[1], left, resets, now)) is not None:
            return Allowance(_a_minute(found.limit, window and window[1]), found.left, found.resets_in)
    return None


def _structured(field: str, policy: str) -> tuple[Allowance | None, Allowance | None]:
    """Read `RateLimit: "default";r=50;t=30` with `RateLimit-Policy: "default";q=100;w=60`; gives requests, tokens."""
    pairs = dict(_PAIR.findall(field[:_LONGEST_TEXT]))
    if pairs:
        return _allowance(pairs.get("limit"), pairs.get("remaining"), pairs.get("reset"), 0.0), None
    policies = dict(_items(policy))
    found: dict[str, list[Allowance]] = {"requests": [], "tokens": []}
    for name, stated in _items(field):
        declared = policies.get(name, {})
        unit = "tokens" if "token" in f"{name} {declared.get('qu', '')}".lower() else declared.get("qu", "requests")
        one = _allowance(declared.get("q"), stated.get("r"), stated.get("t"), 0.0)
        if one is not None and unit in found:
            found[unit].append(replace(one, limit=_a_minute(one.limit, declared.get("w"))))
    return _scarcest(found["requests"]), _scarcest(found["tokens"])


def _items(field: str) -> Iterator[tuple[str, dict[str, str]]]:
    for name, parameters in _ITEM.findall(field[:_LONGEST_TEXT]):
        yield name.strip('"'), dict(_PARAMETER.findall(parameters))


def _a_minute(limit: int | None, window: str | None) -> int | None:
    seconds = _count(window)
    return max(1, limit * 60 // seconds) if limit and seconds else limit


def _count(text: str | None) -> int | None:
    if text is None or len(text) > _LONGEST_NUMBER:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    # 100.0 is a count too, and -1, 1e309 and NaN are none
    return int(float(text)) if _NUMBER.fullmatch(text.strip()) else None


def _until(text: str | None, now: float) -> float | None:
    """Give the seconds until a reset that is told as seconds, a span (`6m0s`, `120ms`), a date or an epoch."""
    text = text.strip()[:_LONGEST_TEXT] if text else ""
    if not text:
        return None
    if _NUMBER.fullmatch(text):
        return _from_number(float(text), now)
    parts = _SPAN.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return _from_date(text, now)


def _from_number(number: float, now: float) -> float:
    if number < _EPOCH_SECONDS:
        return number
    return max(0.0, (number / 1000 if number >= _EPOCH_MILLISECONDS else number) - now)


def _from_date(text: str, now: float) -> float | None:
    try:
        date = datetime.fromisoformat(text)
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError):
        return None
