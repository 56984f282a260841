"""The order book of one contract: whole books and changes in, the depth near the touch out.

Every venue numbers its messages in its own way; what its decoder makes of that is one chain: a change builds on the
message with the number before it. A hole makes the book worthless at once, until a whole one comes. Only the best
levels are kept.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator
from math import inf

import msgspec

from monitor.core.events import BookChange

KEPT_LEVELS = 200
"""Levels kept per side; up to twice as many before the worst are dropped."""

WAITING = 1000
"""Changes that are kept while a whole book is being read; the oldest go first."""

Level = tuple[float, float]


class Fill(msgspec.Struct, frozen=True, gc=False):
    """What an order would find in the book: how much of it, at which average price and at which worst.

    ``contracts`` is less than asked for where the known book ends; the prices are None if there is nothing.
    """

    contracts: float
    average_price: float | None
    worst_price: float | None


class _Side:
    """One side of a book: levels by price, best first. ``sign`` is -1 for bids, whose best price is the highest.

    ``end`` is how far the side is known: levels beyond it were dropped, as keys (price times sign).
    """

    __slots__ = ("end", "keys", "levels", "sign")

    def __init__(self, sign: float) -> None:
        self.sign = sign
        self.levels: dict[float, float] = {}
        self.keys: list[float] = []
        self.end = inf

    def replace(self, rows: Iterable[Level]) -> None:
        self.levels = {self.sign * price: contracts for price, contracts in rows if contracts > 0.0}
        self.keys = sorted(self.levels)
        self.end = inf
        self._trim()

    def change(self, rows: Iterable[Level]) -> None:
        levels, keys = self.levels, self.keys
        for price, contracts in rows:
            key = self.sign * price
            if contracts > 0.0:
                if key > self.end:
                    continue
                if key not in levels:
                    insort(keys, key)
                levels[key] = contracts
            elif levels.pop(key, None) is not None:
                del keys[bisect_left(keys, key)]
        self._trim()

    def _trim(self) -> None:
        if len(self.keys) > 2 * KEPT_LEVELS:
            for key in self.keys[KEPT_LEVELS:]:
                del self.levels[key]
            del self.keys[KEPT_LEVELS:]
            self.end = self.keys[-1]

    def drop_better_than(self, price: float) -> None:
        """Remove the levels at or beyond *price* on the better side: another side's newer level contradicts them."""
        limit = self.sign * price
        while self.keys and self.keys[0] <= limit:
            del self.levels[self.keys.pop(0)]

    @property
    def spent(self) -> bool:
        """Return whether all known levels are gone while there are others that were dropped."""
        return not self.keys and self.end < inf

    @property
    def best(self) -> float | None:
        return self.sign * self.keys[0] if self.keys else None

    def rows(self) -> Iterator[Level]:
        for key in self.keys:
            yield self.sign * key, self.levels[key]


class OrderBook:
    """One contract's book. ``accepted`` is when it was last brought up to date (boot clock), ``time`` the venue's time.

    ``valid`` is false before the first whole book and from a hole in the chain on.
    """

    __slots__ = ("_asks", "_bids", "_joining", "_waiting", "accepted", "gaps", "number", "time", "valid")

    def __init__(self) -> None:
        self._bids, self._asks = _Side(-1.0), _Side(1.0)
        self._waiting: deque[BookChange] = deque(maxlen=WAITING)
        self._joining = False
        self.number: int | None = None
        self.valid = False
        self.accepted = -inf
        self.time = -inf
        self.gaps = 0

    def apply(self, change: BookChange, now: float) -> bool:
        """Take one message and return whether the book can be used; if not, a whole book has to be asked for."""
        if change.whole:
            return self.valid if self._outdated(change) else self._begin(change, now)
        if not self.valid:
            if change.first is not None:
                self._waiting.append(change)
            return False
        if not self._follows(change):
            return self.valid
        self._take(change, now)
        return self.valid

    def _outdated(self, whole: BookChange) -> bool:
        """Return whether a whole book is older than the one that is known: of a second connection, a moment late."""
        known = self.valid and self.number is not None and whole.number is not None
        return known and whole.number < self.number and whole.event_time < self.time  # type: ignore[operator]

    def forget(self) -> None:
        """Let nothing of the book be used any more: what it is made of is not to be trusted."""
        self.valid = False
        self._waiting.clear()

    def _begin(self, whole: BookChange, now: float) -> bool:
        self._bids.replace(whole.bids)
        self._asks.replace(whole.asks)
        self.number, self.valid = whole.number, True
        self.accepted, self.time = now, whole.event_time
        waiting, self._waiting = self._waiting, deque(maxlen=WAITING)
        self._joining = True
        for change in waiting:
            if self.valid and self._follows(change):
                self._take(change, now)
        return self._check_crossing()

    def _follows(self, change: BookChange) -> bool:
        """Return whether *change* is to be taken; one that is older is passed over, one beyond a hole ends the book."""
        if change.number is None or self.number is None:
            return True
        if self._joining and change.first is not None:
            if change.number < self.number:
                return False
            self._joining = False
            if change.first <= self.number + 1:
                return True
        elif change.previous == self.number:
            return True
        elif change.event_time <= self.time and change.number <= self.number:
            return False
        self.gaps += 1
        self.forget()
        return False

    def _take(self, change: BookChange, now: float) -> None:
        self._joining = False
        self._bids.change(change.bids)
        self._asks.change(change.asks)
        self.number = change.number
        self.accepted, self.time = now, change.event_time
        if self._bids.spent or self._asks.spent:
            self.gaps += 1
            self.forget()
        elif change.number is None:
            self._uncross(change)
        else:
            self._check_crossing()

    def _uncross(self, change: BookChange) -> None:
        """Where messages are not numbered, a newer level ends older ones of the other side that it crosses."""
        bid, ask = self._bids.best, self._asks.best
        if bid is None or ask is None or bid < ask:
            return
        newer_bids = [price for price, contracts in change.bids if contracts > 0.0]
        if newer_bids and max(newer_bids) >= ask:
            self._asks.drop_better_than(max(newer_bids))
        bid, ask = self._bids.best, self._asks.best
        if bid is not None and ask is not None and bid >= ask:
            self._bids.drop_better_than(ask)

    def _check_crossing(self) -> bool:
        bid, ask = self._bids.best, self._asks.best
        if bid is not None and ask is not None and bid >= ask:
            self.gaps += 1
            self.forget()
        return self.valid

    # --- what it tells -------------------------------------------------------------------------------------

    @property
    def best_bid(self) -> float | None:
        """Return the highest price somebody pays, None if nobody does or the book cannot be used."""
        return self._bids.best if self.valid else None

    @property
    def best_ask(self) -> float | None:
        """Return the lowest price somebody asks, None if nobody does or the book cannot be used."""
        return self._asks.best if self.valid else None

    def levels(self, order_side: str, most: int = KEPT_LEVELS) -> list[Level]:
        """Return the (price, contracts) rows that a ``buy`` or ``sell`` order meets, best first; [] if unusable."""
        if not self.valid:
            return []
        side = self._asks if order_side == "buy" else self._bids
        return [row for row, _ in zip(side.rows(), range(most), strict=False)]

    def fill(self, order_side: str, contracts: float) -> Fill:
        """Return what a market order (``buy`` or ``sell``) of *contracts* would find."""
        filled, average, worst = 0.0, 0.0, None
        for price, there in self.levels(order_side, 2 * KEPT_LEVELS):
            taken = min(there, contracts - filled)
            if taken <= 0.0:
                break
            average += (price - average) * taken / (filled + taken)
            filled += taken
            worst = price
        return Fill(filled, None if worst is None else average, worst)

    def contracts_within(self, order_side: str, ratio: float) -> float | None:
        """Return the contracts that an order finds no further than *ratio* from the best price; None if unusable."""
        rows = self.levels(order_side, 2 * KEPT_LEVELS)
        if not rows:
            return None
        best = rows[0][0]
        return sum(contracts for price, contracts in rows if abs(price - best) <= ratio * best)
