"""The pace of one endpoint: how many attempts it gets at a time and a minute, and when it is left alone.

One pace belongs to one endpoint alias and one event loop. Nothing here changes what is asked or answered, only when.

- **Window.** Additive increase, multiplicative decrease (Chiu & Jain 1989), with TCP's slow start after a decrease: the window is
  the person's most at first, is halved when the endpoint is overloaded, and grows again with every answer. An endpoint counts as
  overloaded when a quarter of its last 32 attempts were rate-limited: a lone 429 says something about one question, and only
  that question waits; if every one halved the window, a 2 % share of them would hold it at about nine (sqrt(1.5 / p)).
- **Hold.** An overloaded endpoint's Retry-After holds everybody, and so does one of ten seconds or more. So does an endpoint
  that fails five times in a row with no answer between: then one attempt at a time looks whether it is back, after waits that
  double up to five seconds.
- **Allowance.** What its headers say of requests and tokens a minute is spent like a bucket that refills evenly.

A question passes two gates: `enter` lets in a quarter more than the window, so that the next ones are claimed in the ledger
while those before them are on the wire; `start` lets no more onto the wire than the window.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import Final

from synth.models.allowance import Bucket
from synth.models.base import Rates
from synth.models.gate import Gate

DEFAULT_IN_FLIGHT: Final = 32
"""How many attempts one endpoint gets at a time unless the person says otherwise."""

GATHERED: Final = 10_000
"""How many questions may wait for a provider's batch at a time: they are gathered, not in flight."""

NEVER_ANSWERED: Final = 60.0
"""After so many seconds of failures, an endpoint that has not answered once ends the run."""

_RECENT: Final = 32
_OVERLOADED: Final = 0.25
_FEWEST: Final = 2
_DOWN: Final = 5
_FIRST_LOOK: Final = 0.25
_LAST_LOOK: Final = 5.0
_UNTOLD: Final = 1.0
_LONG: Final = 10.0


class Pace:
    """When the next attempt at one endpoint may go."""

    def __init__(
        self,
        alias: str,
        most: int = DEFAULT_IN_FLIGHT,
        *,
        stop: Callable[[], str] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Begin with the window wide open.

        Args:
            alias: The endpoint's.
            most: The widest window, in attempts.
            stop: Gives why to stop, or nothing; whoever waits is sent away once it gives something.
            clock: Gives seconds; the running loop's own by default.
        """
        self.alias = alias
        self.most = most
        self.window = float(most)
        self.entered = 0
        self.in_flight = 0
        self.requests = Bucket()
        self.tokens = Bucket()
        self._threshold = float(most)
        self._clock = clock
        self._recent: deque[bool] = deque(maxlen=_RECENT)
        self._resume_at = 0.0
        self._tickets = 0
        self._mark = 0
        self._failures = 0
        self._looks = 0
        self._silent_since = 0.0
        self.has_answered = False
        self._entrance = Gate(self._wait, self._is_full, self._let_in, stop)
        self._wire = Gate(self._held, self._is_busy, self._let_out, stop)

    def pause(self) -> float:
        """Give the seconds for which everybody is held."""
        return max(0.0, self._resume_at - self._now()) if self._resume_at else 0.0

    def silence(self) -> float:
        """Give the seconds since the first of the failures that no answer came after; zero where the last attempt was answered."""
        return max(0.0, self._now() - self._silent_since) if self._silent_since else 0.0

    async def enter(self, tokens: float) -> bool:
        """Wait to be let in; False where one is to look again whether to go on: a stop is wanted, or a longer hold began."""
        return bool(await self._entrance.enter(tokens, self.leave))

    async def start(self) -> int:
        """Wait for the wire to be free, and give the attempt's ticket; 0 as `enter` gives False."""
        return await self._wire.enter(0.0, self.finish)

    def finish(self) -> None:
        """Leave the wire."""
        self.in_flight -= 1
        self._wire.wake()

    def leave(self) -> None:
        """Leave altogether."""
        self.entered -= 1
        self._entrance.wake()

    def answered(self, rates: Rates | None) -> None:
        """Count an answer, and learn what the endpoint says of its limits."""
        self._recent.append(False)
        self._failures = self._looks = 0
        self._silent_since = 0.0
        self.has_answered = True
        if rates is not None:
            now = self._now()
            self.requests.learn(rates.requests, self.in_flight, now)
            self.tokens.learn(rates.tokens, 0.0, now)
        if self.window < self.most:
            step = 1.0 if self.window < self._threshold else 1.0 / self.window
            self.window = min(float(self.most), self.window + step)

    def limited(self, ticket: int, retry_after: float | None) -> None:
        """Count a rate limit; where there are many, everybody is held for as long as the endpoint asks."""
        self._recent.append(True)
        self._failures = 0
        self._silent_since = 0.0
        asked = _UNTOLD if retry_after is None else retry_after
        overloaded = sum(self._recent) >= max(_FEWEST, _OVERLOADED * len(self._recent))
        if overloaded or asked >= _LONG:
            self._hold(asked)
        if overloaded and ticket > self._mark:
            # those that were sent before this one say nothing new
            self._mark = self._tickets
            self._recent.clear()
            self._threshold = self.window = max(1.0, self.window / 2)

    def failed(self, ticket: int) -> None:
        """Count a failed transport; after five in a row one attempt at a time looks whether the endpoint is back."""
        self._failures += 1
        self._silent_since = self._silent_since or self._now()
        if self._failures < _DOWN or ticket <= self._mark:
            return
        self._mark = self._tickets
        self._looks += 1
        longest = min(_LAST_LOOK, _FIRST_LOOK * 2.0 ** min(self._looks - 1, 10))
        self._hold(random.uniform(longest / 2, longest))  # noqa: S311 (time only)
        self._threshold = max(1.0, self.most / 2)
        self.window = 1.0

    def _now(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()

    def _hold(self, seconds: float) -> None:
        until = self._now() + seconds
        if until > self._resume_at:
            self._resume_at = until
            # who waits may not want to wait so long
            self._entrance.send_away()
            self._wire.send_away()

    def _held(self, _amount: float) -> float:
        return self.pause()

    def _wait(self, tokens: float) -> float:
        if not self._resume_at and self.requests.limit is None and self.tokens.limit is None:
            return 0.0
        now = self._now()
        return max(0.0, self._resume_at - now, self.requests.wait(1.0, now), self.tokens.wait(tokens, now))

    def _is_full(self) -> bool:
        window = int(self.window)
        return self.entered >= window + (window + 3) // 4

    def _is_busy(self) -> bool:
        return self.in_flight >= int(self.window)

    def _let_in(self, tokens: float) -> int:
        self.entered += 1
        self.requests.take(1.0)
        self.tokens.take(tokens)
        return 1

    def _let_out(self, _amount: float) -> int:
        self.in_flight += 1
        self._tickets += 1
        return self._tickets
