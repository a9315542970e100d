"""Limits a minute as providers keep them: a bucket of requests and one of tokens, told in the headers of each answer."""

from __future__ import annotations

import math
from collections.abc import Callable

from synth.offline.refusals import rate_limited


class Bucket:
    """A token bucket: full at first, and filled again evenly within a minute."""

    def __init__(self, per_minute: int, now: float) -> None:
        self.size = per_minute
        self._left = float(per_minute)
        self._at = now

    def left(self, now: float) -> float:
        """Give what is in it."""
        self._left = min(float(self.size), self._left + (now - self._at) * self.size / 60)
        self._at = now
        return self._left

    def wait(self, amount: float, now: float) -> float:
        """Give the seconds until so much can be taken; what is more than the bucket holds asks for a full one."""
        lacking = min(amount, self.size) - self.left(now)
        return max(0.0, lacking * 60 / self.size)

    def take(self, amount: float) -> None:
        """Take so much, at most what it holds when full."""
        self._left -= min(amount, self.size)

    def headers(self, kind: str, now: float) -> dict[str, str]:
        """Give OpenAI's three headers: the limit, what is left of it, and when it is whole again."""
        left = self.left(now)
        return {
            f"x-ratelimit-limit-{kind}": str(self.size),
            f"x-ratelimit-remaining-{kind}": str(max(0, math.floor(left))),
            f"x-ratelimit-reset-{kind}": spelled((self.size - left) * 60 / self.size),
        }


class Limits:
    """The two buckets of a server; None is no limit. Time comes from `clock`, in seconds."""

    def __init__(self, requests: int | None, tokens: int | None, clock: Callable[[], float]) -> None:
        now = clock()
        kinds = {"requests": requests, "tokens": tokens}
        self._buckets = {kind: Bucket(size, now) for kind, size in kinds.items() if size is not None}
        self._clock = clock

    def admit(self, tokens: int) -> None:
        """Take one request of so many tokens.

        Raises:
            RefusedError: A bucket has not enough; nothing is taken, and the headers say when to come again.
        """
        now = self._clock()
        amounts = {"requests": 1, "tokens": tokens}
        for kind, bucket in self._buckets.items():
            wait = bucket.wait(amounts[kind], now)
            if wait > 0:
                told = {"Retry-After": str(math.ceil(wait)), "retry-after-ms": str(math.ceil(wait * 1000))}
                raise rate_limited(kind, told, f"{kind}-per-minute")
        for kind, bucket in self._buckets.items():
            bucket.take(amounts[kind])

    def headers(self) -> dict[str, str]:
        """Give what every answer says of the limits."""
        if not self._buckets:
            return {}
        now = self._clock()
        return {
            name: value for kind, bucket in self._buckets.items() for name, value in bucket.headers(kind, now).items()
        }


def spelled(seconds: float) -> str:
    """Give a length of time as OpenAI spells it: `120ms`, `1s`, `7.66s`, `6m0s`, `1h0m0s`."""
    thousandths = math.ceil(seconds * 1000 - 1e-6)
    if thousandths < 1000:
        return f"{max(0, thousandths)}ms"
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{tail}"
    return f"{minutes}m{tail}" if minutes else tail
