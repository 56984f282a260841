"""What one venue's feed counts: plain integers, read by ``export`` at a scrape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from monitor.core.events import Event
from monitor.net.clock import boot, wall
from monitor.tally import Histogram, Tally

DROP_REASONS = (
    "data_timeout",
    "reset",
    "closed",
    "open_timeout",
    "dns",
    "tls_verify",
    "refused",
    "rate_limited",
    "too_big",
    "sequence_gap",
)

OTHER = ("other",)
"""The channel of frames without an event: acknowledgements, heartbeats, what the venue does not know."""

CHANNELS: dict[type, tuple[str]] = {kind: (str(kind.__struct_config__.tag),) for kind in get_args(Event)}
"""Class of a frame's first event -> its channel, as a ready-made key of the tally."""


class FeedStats:
    """The counters of one venue's feed."""

    def __init__(self, venue: str, resources: Sequence[str] = ()) -> None:
        self.venue = venue
        self.open_connections = 0
        self.last_message: float | None = None
        """Boot time of the last frame; see :attr:`last_message_time`."""
        self.messages = Tally([OTHER])
        self.drops = Tally([(reason,) for reason in DROP_REASONS])
        self.rejected = Tally([("malformed",), ("bad_price",)])
        self.lag = Histogram()
        self.polls = Tally([(resource,) for resource in resources])
        self.polls_failed = Tally()

    @property
    def last_message_time(self) -> float | None:
        """Return the wall time of the last frame: its age on the boot clock, taken from now."""
        return None if self.last_message is None else wall() - (boot() - self.last_message)
