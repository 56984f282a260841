"""A limit counted in a strict rolling window: never more than so much in any span of so many seconds."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from monitor.net.clock import boot


async def wait_for_room(delay: Callable[[float], float]) -> float:
    """Return the boot time at which *delay* of it is 0, as soon as that is."""
    while True:
        now = boot()
        seconds = delay(now)
        if seconds <= 0.0:
            return now
        await asyncio.sleep(seconds)


class Window:
    """Spends at most ``limit`` in any ``seconds``. Pure: *now* is any steady clock."""

    def __init__(self, limit: float, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._spent: deque[tuple[float, float]] = deque()
        self._total = 0.0

    def delay(self, now: float, cost: float = 1.0) -> float:
        """Return the seconds until *cost* may be spent: 0 if at once.

        What costs more than the whole limit is let through when the window is empty, so that it waits but not
        for ever.

        >>> window = Window(limit=2, seconds=10.0)
        >>> window.spend(0.0), window.spend(4.0)
        (None, None)
        >>> window.delay(5.0)
        5.0
        """
        self._forget(now)
        room = self.limit - min(cost, self.limit) - self._total
        free_at = now
        for when, spent in self._spent:
            if room >= 0.0:
                break
            room += spent
            free_at = when + self.seconds
        return free_at - now

    def spend(self, now: float, cost: float = 1.0) -> None:
        """Count *cost* at *now*."""
        self._forget(now)
        self._spent.append((now, cost))
        self._total += cost

    def spent(self, now: float) -> float:
        """Return what was spent in the window that ends at *now*."""
        self._forget(now)
        return self._total

    def _forget(self, now: float) -> None:
        while self._spent and self._spent[0][0] + self.seconds <= now:
            self._total -= self._spent.popleft()[1]
