"""The order book of a simulated contract: a ladder around the touch that follows the market, in numbered changes."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.sim.market import Instrument

LEVELS = 50
"""Levels per side."""

Row = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Change:
    """What changed: rows of (price, contracts), 0 contracts for a level that is gone, and the numbers around it.

    ``lost`` says that this change must not be sent.
    """

    bids: list[Row]
    asks: list[Row]
    previous: int
    number: int
    lost: bool


@dataclass(slots=True)
class SimBook:
    """One contract's book. Each change has a number of its own, ``step`` after the one before."""

    instrument: Instrument
    number: int = 1_000_000
    step: int = 1
    lose_next: bool = False
    _bids: dict[float, float] = field(default_factory=dict)
    _asks: dict[float, float] = field(default_factory=dict)

    def snapshot(self, levels: int = LEVELS) -> tuple[list[Row], list[Row]]:
        """Return bids and asks as they stand after the last change, best first."""
        if not self._bids:
            self._bids, self._asks = self._ladders()
        return sorted(self._bids.items(), reverse=True)[:levels], sorted(self._asks.items())[:levels]

    def change(self) -> Change:
        """Let the book follow the market and return what changed."""
        before = self._bids, self._asks
        self._bids, self._asks = self._ladders()
        previous, self.number = self.number, self.number + self.step
        lost, self.lose_next = self.lose_next, False
        return Change(
            _difference(before[0], self._bids), _difference(before[1], self._asks), previous, self.number, lost
        )

    def _ladders(self) -> tuple[dict[float, float], dict[float, float]]:
        """Return the levels around the last price: a tick apart, with sizes that move a little all the time."""
        found, listing = self.instrument, self.instrument.listing
        tick, middle = listing.tick_size, found.last_price
        half = max(1, round(middle * found.spread_ratio / (2 * tick)))
        touch = round(middle / tick)
        bids: dict[float, float] = {}
        asks: dict[float, float] = {}
        for level in range(LEVELS):
            size = round(listing.step_size * (100 + 10 * level + (found.trades * 7 + level * 13) % 17), 12)
            if touch - half - level > 0:
                bids[round((touch - half - level) * tick, 12)] = size
            asks[round((touch + half + level) * tick, 12)] = size
        return bids, asks


def _difference(before: dict[float, float], after: dict[float, float]) -> list[Row]:
    changed = [row for row in after.items() if before.get(row[0]) != row[1]]
    return changed + [(price, 0.0) for price in before if price not in after]
