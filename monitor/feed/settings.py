"""The times and limits of the feed, with the defaults of the fault catalogue."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Self

from monitor.net.backoff import STEPS


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """Every field whose name ends in ``_seconds`` is a time, and only those are scaled."""

    open_timeout_seconds: float = 10.0
    lookup_timeout_seconds: float = 5.0
    close_timeout_seconds: float = 1.0
    ping_interval_seconds: float = 20.0

    backoff_seconds: tuple[float, ...] = STEPS
    backoff_reset_seconds: float = 60.0
    slow_retry_seconds: float = 60.0
    """The wait where waiting does not heal (403, 404, 451 ...), after ``quick_refusals`` of them in a row."""
    quick_refusals: int = 3
    retry_after_cap_seconds: float = 3 * 86_400.0
    """Longest quiet a server can ask for; bans of up to three days are known."""
    connects_per_window: int = 300
    connect_window_seconds: float = 300.0

    watch_seconds: float = 0.5
    silence_factor: float = 3.0
    silence_floor_seconds: float = 5.0
    """A stream is silent after ``silence_factor`` of its expected intervals, but not before this."""
    resubscribe_seconds: float = 5.0
    resubscribe_tries: int = 3
    resnapshot_seconds: float = 5.0
    """Shortest time between two attempts to get the whole book of one contract."""
    spot_seconds: float = 60.0
    """How often streams are checked whose field another source keeps fresh."""
    heal_cap_seconds: float = 1800.0
    """Longest wait between two replacements of a connection for the sake of a stream that stays silent."""
    lifetime_share: float = 0.95
    lifetime_jitter: float = 0.05
    proof_seconds: float = 30.0
    """How long the successor of a connection may take to deliver before it is given up."""

    burst_frames: int = 64
    """Frames applied one by one between two turns of the event loop; further ones are conflated."""
    sample_seconds: float = 10.0

    request_timeout_seconds: float = 10.0
    poll_backoff_seconds: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
    poll_jitter: float = 0.1
    weight_window_seconds: float = 60.0
    own_weight_share: float = 0.5
    """Our part of the weight a venue allows per minute; others may use the same address."""
    all_weight_share: float = 0.9
    """No request goes out while the venue itself counts more than this part of its limit."""

    def scaled(self, factor: float) -> Self:
        """Return the same settings with every time multiplied by *factor*, for tests.

        >>> FeedSettings().scaled(0.1).open_timeout_seconds
        1.0
        """
        times: dict[str, Any] = {}
        for field in fields(self):
            if field.name.endswith("_seconds"):
                value = getattr(self, field.name)
                times[field.name] = tuple(v * factor for v in value) if isinstance(value, tuple) else value * factor
        return replace(self, **times)
