"""Fewer events in a burst, without losing an alert.

Per kind of price and symbol three events stand for all that came: the one with the lowest price, the one with
the highest, and the newest; keeping only the newest would lose a spike that crossed a trigger and came back.
Each is the original event, and they are given back in the order in which they arrived. Everything that is not a
price is kept as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

from monitor.core.events import BestQuote, Event, IndexPrice, LastPrice, MarkPrice

Held = tuple[int, Event, float]
"""An event with its place in the order of arrival and the boot time at which it arrived."""

EXTREMES: dict[type, tuple[Callable[[Event], float], Callable[[Event], float]]] = {
    MarkPrice: (attrgetter("mark_price"), attrgetter("mark_price")),
    IndexPrice: (attrgetter("index_price"), attrgetter("index_price")),
    LastPrice: (attrgetter("last_price"), attrgetter("last_price")),
    BestQuote: (attrgetter("bid_price"), attrgetter("ask_price")),
}
"""The price that counts for the minimum and the one that counts for the maximum."""

STEP_SECONDS = 2.0
"""A longer step in event time starts a new group: a replayed old price must not hide a new extreme."""


class _Group:
    """The events kept of one kind and symbol."""

    __slots__ = ("high", "high_price", "low", "low_price", "newest", "time")

    def __init__(self, held: Held, low_price: float, high_price: float, time: float) -> None:
        self.low = self.high = self.newest = held
        self.low_price = low_price
        self.high_price = high_price
        self.time = time

    def add(self, held: Held, low_price: float, high_price: float, time: float) -> None:
        self.newest = held
        self.time = time
        if low_price < self.low_price:
            self.low, self.low_price = held, low_price
        if high_price > self.high_price:
            self.high, self.high_price = held, high_price


class Conflator:
    """Holds events back for a moment. Pure: nothing here knows a loop or a clock."""

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._groups: dict[tuple[type, str], _Group] = {}
        self._others: list[Held] = []
        self._arrivals = 0

    def add(self, event: Event, now: float) -> Sequence[Held]:
        """Hold *event* and return what has to be applied at once instead: nothing, almost always.

        That is: an event older than one that is held (it cannot stand for anything newer); the group before a
        step in event time; and everything, once there is too much of it.
        """
        self._arrivals += 1
        held = (self._arrivals, event, now)
        extremes = EXTREMES.get(type(event))
        if extremes is None:
            self._others.append(held)
        else:
            low_price, high_price = extremes[0](event), extremes[1](event)
            time: float = event.event_time  # type: ignore[union-attr]  # every price has one
            key = (type(event), event.symbol)  # type: ignore[union-attr]
            group = self._groups.get(key)
            if group is None:
                self._groups[key] = _Group(held, low_price, high_price, time)
            elif time < group.time:
                return (held,)
            elif time > group.time + STEP_SECONDS:
                self._groups[key] = _Group(held, low_price, high_price, time)
                return _in_order({kept[0]: kept for kept in (group.low, group.high, group.newest)})
            else:
                group.add(held, low_price, high_price, time)
        return self.drain() if 3 * len(self._groups) + len(self._others) > self._limit else ()

    def drain(self) -> Sequence[Held]:
        """Return all that is held, in the order of arrival, and forget it."""
        kept = {held[0]: held for held in self._others}
        for group in self._groups.values():
            kept.update((held[0], held) for held in (group.low, group.high, group.newest))
        self._groups, self._others = {}, []
        return _in_order(kept)


def _in_order(kept: dict[int, Held]) -> Sequence[Held]:
    return [kept[arrival] for arrival in sorted(kept)]
