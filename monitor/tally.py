"""Plain counters for the workers: integers now, metrics only when somebody scrapes.

No metric child, lock or label lookup is touched on the price path; ``export`` reads these at a scrape.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


class Tally(dict[tuple[str, ...], int]):
    """Counts by a tuple of label values; label sets that are known beforehand start at zero."""

    def __init__(self, known: Sequence[tuple[str, ...]] = ()) -> None:
        super().__init__((key, 0) for key in known)

    def add(self, *key: str, count: int = 1) -> None:
        """Count *key* once (or *count* times)."""
        self[key] = self.get(key, 0) + count


LAG_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Histogram:
    """A cumulative histogram in the sense of Prometheus, kept as plain integers.

    ``counts[i]`` is the number of observations in bucket *i* alone (not cumulative); the last one is +Inf.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = LAG_BOUNDS) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Add one observation in seconds."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value
