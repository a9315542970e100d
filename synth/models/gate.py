"""A gate: who comes first goes first, as soon as a condition lets one in."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

_GLANCE = 0.5
"""While somebody waits, the condition is looked at this often at least, in seconds: time may have opened it, or a stop be wanted."""


class Gate:
    """A queue before a condition; one event loop's.

    `wait` gives the seconds for which time alone keeps the next one out, `is_full` whether others do, and `let_in` counts one in
    and gives a ticket above zero.
    """

    __slots__ = ("_is_full", "_let_in", "_queue", "_stop", "_timer", "_wait")

    def __init__(
        self,
        wait: Callable[[float], float],
        is_full: Callable[[], bool],
        let_in: Callable[[float], int],
        stop: Callable[[], str] | None,
    ) -> None:
        self._wait = wait
        self._is_full = is_full
        self._let_in = let_in
        self._stop = stop
        self._queue: deque[tuple[asyncio.Future[int], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, amount: float, give_back: Callable[[], None]) -> int:
        """Wait to be let in and give the ticket; 0 where one is sent away, to look again whether to wait.

        `give_back` is called where the one who waited was cancelled just after being let in.
        """
        if not self._queue and not self._is_full() and not self._wait(amount):
            return self._let_in(amount)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        place = (future, amount)
        self._queue.append(place)
        self._arm()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.result():
                give_back()
            elif place in self._queue:
                self._queue.remove(place)
            raise

    def wake(self) -> None:
        """Let in whoever the condition lets in now."""
        while self._queue:
            future, amount = self._queue[0]
            if future.done():
                self._queue.popleft()
            elif not self._is_full() and not self._wait(amount):
                self._queue.popleft()
                future.set_result(self._let_in(amount))
            else:
                self._arm()
                return

    def send_away(self) -> None:
        """Let everybody who waits look again whether to."""
        while self._queue:
            future, _ = self._queue.popleft()
            if not future.done():
                future.set_result(0)

    def _arm(self) -> None:
        if self._timer is None:
            wait = self._wait(self._queue[0][1]) or _GLANCE
            self._timer = asyncio.get_running_loop().call_later(min(wait, _GLANCE), self._glance)

    def _glance(self) -> None:
        self._timer = None
        if self._stop is not None and self._stop():
            self.send_away()
        self.wake()
