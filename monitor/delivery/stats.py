"""Plain counters of delivery, read by ``export`` at a scrape."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.core.alert_event import SEVERITIES
from monitor.tally import Histogram, Tally

OUTCOMES = ("delivered", "unavailable", "rejected", "unknown")
"""``unknown``: the request went out and no answer came back; it may have arrived."""

DEAD_REASONS = ("expired", "gone", "no_receiver")

KNOWN_EVENTS = [
    *((f"position.{level}", level) for level in SEVERITIES),
    *((kind, severity) for kind in ("position.stale", "feed.down") for severity in ("warning", "critical")),
]

COMMIT_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class DeliveryStats:
    """Counts since the start, and the state now. ``oldest`` is in epoch seconds, None when nothing waits."""

    def __init__(self, receivers: Sequence[str]) -> None:
        self.events = Tally(KNOWN_EVENTS)
        self.attempts = Tally([(name, outcome) for name in receivers for outcome in OUTCOMES])
        self.latency = {name: Histogram() for name in receivers}
        self.alert_latency = {severity: Histogram() for severity in SEVERITIES}
        self.pending = {(name, severity): 0 for name in receivers for severity in SEVERITIES}
        self.oldest: dict[str, float | None] = dict.fromkeys(receivers)
        self.dead = Tally([(name, reason) for name in receivers for reason in DEAD_REASONS])
        self.dead_pending = dict.fromkeys(receivers, 0)
        self.accepting = dict.fromkeys(receivers, True)
        self.store_ok = True
        self.commit = Histogram(COMMIT_BOUNDS)
        self.unpersisted = 0
