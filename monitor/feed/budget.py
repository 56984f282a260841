"""What a venue's request weights leave us. Pure: *now* is the boot clock."""

from __future__ import annotations

from monitor.feed.settings import FeedSettings
from monitor.net.window import Window
from monitor.venues.base import Limits


class Budget:
    """Spends our share of the weight in a strict rolling minute, and stops while the venue counts more than most."""

    def __init__(self, limits: Limits, settings: FeedSettings) -> None:
        self._own = Window(limits.weight_per_minute * settings.own_weight_share, settings.weight_window_seconds)
        self._pace = None if limits.requests_per_second is None else Window(limits.requests_per_second, 1.0)
        self._ceiling = limits.weight_per_minute * settings.all_weight_share
        self._window_seconds = settings.weight_window_seconds
        self._busy_until = float("-inf")
        self._quiet_until = float("-inf")
        self._quiet_cap_seconds = settings.retry_after_cap_seconds

    def delay(self, now: float, weight: float) -> float:
        """Return the seconds until a request of *weight* may go out."""
        pace = 0.0 if self._pace is None else self._pace.delay(now)
        return max(self._own.delay(now, weight), pace, self._busy_until - now, self._quiet_until - now, 0.0)

    def spend(self, now: float, weight: float) -> None:
        """Count a request that goes out."""
        self._own.spend(now, weight)
        if self._pace is not None:
            self._pace.spend(now)

    def reported(self, now: float, used: float) -> None:
        """Take the venue's own count: it is trusted where it is higher, since others may use the same address."""
        missing = used - self._own.spent(now)
        if missing > 0.0 and used >= self._ceiling:
            self._busy_until = now + self._window_seconds

    def quiet(self, now: float, seconds: float) -> None:
        """Let nothing go out for *seconds*: the venue asked for it."""
        self._quiet_until = max(self._quiet_until, now + min(seconds, self._quiet_cap_seconds))
