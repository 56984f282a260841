"""How hard a receiver may be knocked at, from how it answered (R22 to R24). Pure: time and chance are handed in.

A delivery waits its own growing delays; the receiver as a whole is probed, one attempt at a time, once it has
failed three times in a row, asked for quiet, or refused in a way that is about the receiver and not about one body
(a redirect, 401, 403, 404, 410, or refusals of two different bodies). One success ends the probing.
"""

from __future__ import annotations

from collections.abc import Callable

from monitor.delivery.message import Delivery
from monitor.delivery.settings import DeliveryTimes
from monitor.errors import DeliveryError, DeliveryRejected

FAILURES = 3
GONE = 3
ABOUT_THE_BODY = ("body_refused",)


class Pace:
    """The state of one receiver. ``gone`` after three times 410: nothing is sent to it any more."""

    def __init__(self, times: DeliveryTimes, random: Callable[[], float]) -> None:
        self._times = times
        self._random = random
        self._failures = 0
        self._failed_time = 0.0
        self._gone = 0
        self._refused: set[str] = set()
        self._quiet = 0.0
        self._quiet_below = 0.0
        self.probing = False

    @property
    def gone(self) -> bool:
        """Return whether the receiver has said three times in a row that it is gone for good."""
        return self._gone >= GONE

    @property
    def accepting(self) -> bool:
        """Return whether there is no sign that it would not take the next one."""
        return not (self.probing or self._refused or self.gone)

    @property
    def at_once(self) -> int:
        """Return how many attempts may be in flight."""
        return 1 if self.probing else self._times.in_flight

    def opens(self, *, urgent: bool) -> float:
        """Return from when on an attempt is allowed, on the boot clock."""
        if self.gone:
            return 0.0
        return self._quiet if urgent else max(self._quiet, self._quiet_below)

    def succeeded(self, started: float) -> bool:
        """Note a 2xx to an attempt begun at *started*; return whether that ended a time of probing.

        What was already in flight when a neighbour failed says nothing of how the receiver is now.
        """
        if started < self._failed_time:
            return False
        was_probing, self.probing = self.probing, False
        self._failures = self._gone = 0
        self._quiet = self._quiet_below = 0.0
        self._refused.clear()
        return was_probing

    def failed(self, delivery: Delivery, error: DeliveryError, now: float) -> float:
        """Note a failure; return when *delivery* may be tried again."""
        self._failures += 1
        self._failed_time = now
        self._gone = self._gone + 1 if error.reason == "gone" else 0
        if isinstance(error, DeliveryRejected):
            return self._rejected(delivery, error, now)
        if error.retry_after_seconds is not None:
            self.probing = True
            self._quiet = now + min(error.retry_after_seconds, self._times.retry_after_urgent)
            self._quiet_below = now + min(error.retry_after_seconds, self._times.retry_after)
            return max(self._quiet if delivery.urgent else self._quiet_below, now + self._delay(1))
        if self._failures >= FAILURES:
            self.probing = True
            self._quiet = now + min(self._delay(self._failures - FAILURES + 1), self._times.probe_gap)
        return now + self._delay(delivery.attempt)

    def _rejected(self, delivery: Delivery, error: DeliveryError, now: float) -> float:
        """A person must act: once a minute is enough, and never sooner."""
        delivery.refusals += 1
        self._refused.add(delivery.delivery_id)
        again = now + self._times.rejected_delay * (1.0 + self._times.jitter_ratio * self._random())
        if error.reason not in ABOUT_THE_BODY or len(self._refused) > 1:
            self.probing = True
            self._quiet = again
        return again

    def _delay(self, attempt: int) -> float:
        delay = self._times.delays[min(max(attempt, 1), len(self._times.delays)) - 1]
        return delay * (1.0 + self._times.jitter_ratio * (2.0 * self._random() - 1.0))
