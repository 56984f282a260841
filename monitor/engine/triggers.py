"""The trigger book of one symbol: which positions must be looked at when the price moves.

Every position has a quiet band, an open interval of prices in which nothing about it changes but by time. The
ends of the bands are kept sorted, so that a price costs two comparisons (``low < price < high``) while it stays
inside all of them, and O(log n + crossed) when it does not, however many positions there are.

Each side is a sorted numpy column that is only ever consumed from its near end, with a heap on top for what
changed since; an entry is alive while it equals the position's armed price, so nothing is ever searched for
to be deleted. Measured designs: sorted triggers with cached neighbours beat heaps and sorted lists.
"""

from __future__ import annotations

from array import array
from heapq import heappop, heappush
from math import inf

import numpy as np
import numpy.typing as npt


class _Side:
    """Armed prices of one side, ascending: they fire when the price is at or above them."""

    __slots__ = ("_armed", "_at", "_heap", "_keys", "_slots", "top")

    def __init__(self) -> None:
        self.top = inf
        self._armed = array("d")
        self._heap: list[tuple[float, int]] = []
        self._keys: npt.NDArray[np.float64] = np.empty(0)
        self._slots: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._at = 0

    def arm(self, slot: int, price: float) -> None:
        """Set the price at which *slot* fires; infinity disarms it."""
        armed = self._armed
        while slot >= len(armed):
            armed.append(inf)
        if armed[slot] == price:
            return
        armed[slot] = price
        if price == inf:
            return
        heappush(self._heap, (price, slot))
        self.top = min(self.top, price)
        if len(self._heap) > max(1024, len(armed) >> 4):
            self._rebuild()

    def fire(self, price: float) -> list[int]:
        """Disarm and return the slots whose price is at or below *price*."""
        fired: list[int] = []
        armed, heap = self._armed, self._heap
        while heap and heap[0][0] <= price:
            key, slot = heappop(heap)
            if armed[slot] == key:
                armed[slot] = inf
                fired.append(slot)
        if self._at < len(self._keys):
            end = int(np.searchsorted(self._keys, price, side="right"))
            if end > self._at:
                keys, slots = self._keys[self._at : end].tolist(), self._slots[self._at : end].tolist()
                for key, slot in zip(keys, slots, strict=True):
                    if armed[slot] == key:
                        armed[slot] = inf
                        fired.append(slot)
                self._at = end
        self._settle()
        return fired

    def _settle(self) -> None:
        """Drop entries that are not armed any more from the near ends and find the nearest one."""
        armed, heap, keys, slots, at = self._armed, self._heap, self._keys, self._slots, self._at
        while heap and armed[heap[0][1]] != heap[0][0]:
            heappop(heap)
        while at < len(keys) and armed[int(slots[at])] != keys[at]:
            at += 1
        self._at = at
        self.top = min(heap[0][0] if heap else inf, float(keys[at]) if at < len(keys) else inf)

    def _rebuild(self) -> None:
        armed = np.array(self._armed)
        slots = np.flatnonzero(armed < inf)
        order = np.argsort(armed[slots], kind="stable")
        self._slots = slots[order]
        self._keys = armed[self._slots]
        self._at = 0
        self._heap.clear()
        self._settle()


class TriggerBook:
    """The quiet bands of all positions of one symbol.

    ``low`` and ``high`` are the nearest ends of any, or nearer: an end that was disarmed counts until a price meets it.
    """

    __slots__ = ("_above", "_below", "high", "low")

    def __init__(self) -> None:
        self._below = _Side()
        self._above = _Side()
        self.low = 0.0
        self.high = inf

    def arm(self, slot: int, low: float, high: float) -> None:
        """Set the quiet band of *slot*: it fires at or below *low* and at or above *high*."""
        self._below.arm(slot, -low if low > 0.0 else inf)
        self._above.arm(slot, high)
        self.low = max(0.0, -self._below.top)
        self.high = self._above.top

    def fire(self, price: float) -> list[int]:
        """Return the slots whose quiet band *price* has left, each once. They must be armed anew."""
        fired: list[int] = []
        if price <= self.low:
            fired = self._below.fire(-price)
            self.low = max(0.0, -self._below.top)
        if price >= self.high:
            fired += self._above.fire(price)
            self.high = self._above.top
            fired = list(dict.fromkeys(fired))  # a band without width has both of its ends there
        return fired
