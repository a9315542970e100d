"""What an endpoint's headers allow a minute, spent like a bucket that refills evenly."""

from __future__ import annotations

from synth.models.base import Allowance


class Bucket:
    """What is left of one allowance (requests, or tokens), refilled evenly to its limit over a minute."""

    __slots__ = ("at", "left", "limit")

    def __init__(self) -> None:
        self.limit: float | None = None
        self.left = 0.0
        self.at = 0.0

    def learn(self, told: Allowance, in_flight: float, now: float) -> None:
        """Take what an endpoint says; attempts in flight may not be counted in it yet."""
        if told.limit is not None:
            self.limit = float(told.limit)
        if told.left is None or self.limit is None:
            return
        self._refill(now)
        # at least what is told without those in flight, at most what is told
        self.left = min(max(self.left, told.left - in_flight), float(told.left)) if self.at else float(told.left)
        self.at = now

    def wait(self, amount: float, now: float) -> float:
        """Give the seconds until so much is there; zero where nothing is known."""
        if self.limit is None or not self.at:
            return 0.0
        self._refill(now)
        missing = min(amount, self.limit) - self.left
        return missing * 60.0 / self.limit if missing > 0 and self.limit > 0 else 0.0

    def take(self, amount: float) -> None:
        """Spend; a bucket that was never told of has no bottom."""
        self.left -= amount

    def _refill(self, now: float) -> None:
        if self.limit is not None and self.at and now > self.at:
            self.left = min(self.limit, self.left + (now - self.at) * self.limit / 60.0)
            self.at = now
