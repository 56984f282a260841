"""How long to wait before the next attempt: capped exponential, with full jitter, slow to forgive.

The figures are those of the fault catalogue: 0.5, 1, 2, 4, 8, 15, 30 s, each wait uniform from 0 to the figure,
and back to the start only after 60 s with data. An open that does not last is a failure like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

STEPS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


class Backoff:
    """The waits of one thing that is tried again and again. Pure: time and chance are handed in."""

    def __init__(self, steps: Sequence[float] = STEPS, reset_after_seconds: float = 60.0) -> None:
        self._steps = tuple(steps)
        self._reset_after_seconds = reset_after_seconds
        self._failures = 0
        self._flowing_since: float | None = None

    def next_delay(self, random: Callable[[], float]) -> float:
        """Count a failure and return the seconds to wait; *random* gives a number from 0 to 1.

        >>> backoff = Backoff((0.5, 1.0, 2.0))
        >>> [backoff.next_delay(lambda: 1.0) for _ in range(4)]
        [0.5, 1.0, 2.0, 2.0]
        """
        step = self._steps[min(self._failures, len(self._steps) - 1)]
        self._failures += 1
        self._flowing_since = None
        return step * random()

    def data_flowed(self, now: float) -> None:
        """Note that data are flowing at *now*; the waits start anew once they did so for long enough."""
        if self._flowing_since is None:
            self._flowing_since = now
        elif now - self._flowing_since >= self._reset_after_seconds:
            self._failures = 0
