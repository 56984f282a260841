"""Where the figures come from: the engine's views and the workers' plain counters, as far as a scrape reads them.

Nothing here is ever written to. Boot times become wall times at the moment of a scrape; whatever is unknown is
None (or missing from its mapping) and then absent from the exposition.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from monitor.delivery.stats import DeliveryStats
from monitor.engine.views import FundView, PositionView, SymbolView, VenueView
from monitor.feed.stats import FeedStats
from monitor.tally import Histogram, Tally


class EngineSource(Protocol):
    """The engine's state now. Iterables may be lazy: a scrape takes them a slice at a time."""

    @property
    def last_pass(self) -> float:
        """Boot time of the end of the last pass; 0 or less before the first one."""

    def position_count(self) -> int:
        """Return how many positions are watched."""

    def position_views(self, start: int, stop: int, now: float) -> Sequence[PositionView]:
        """Return the positions of one slice."""

    def symbol_views(self, now: float) -> Iterable[SymbolView]:
        """Return the watched contracts."""

    def fund_views(self) -> Iterable[FundView]:
        """Return the insurance funds, an asset of a pool each."""

    def venue_views(self, now: float, wall: float) -> Iterable[VenueView]:
        """Return the venues; *wall* is held against their clocks."""


@dataclass(slots=True)
class ProcessStats:
    """The process itself: ``loop_lag_max`` is the largest of the last 5 min, ``restarts`` counts by (task,)."""

    config_hash: str = ""
    version: str = ""
    loop_lag: Histogram = field(default_factory=Histogram)
    loop_lag_max: float = 0.0
    tasks: int = 0
    restarts: Tally = field(default_factory=Tally)


@dataclass(frozen=True, slots=True)
class Sources:
    """All that a scrape reads."""

    engine: EngineSource
    feeds: Sequence[FeedStats]
    delivery: DeliveryStats
    process: ProcessStats
