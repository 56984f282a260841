"""What the engine keeps of one venue, and the facts that are only remembered: none of them can raise an alert."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.engine.facts import AHEAD_SECONDS, Intervals, SymbolFacts, VenueClock
from monitor.engine.silence import VenueSilence
from monitor.tally import Tally

Observe = Callable[[ev.Liquidation], None]

BEHIND_SECONDS = 30.0
"""A venue whose newest state is older than this stands still: no price of it is live."""

MAX_ROUND_TRIP_SECONDS = 2.0
"""A time call that took longer could be wrong by more than a third of what makes a price late."""


class VenueState:
    """One venue: its clock, its watched symbols, its funds, the data alerts of its positions."""

    def __init__(self, name: str, expected: Mapping[str, float], started: float, observe: Observe | None) -> None:
        self.name = name
        self.clock = VenueClock()
        self.intervals = Intervals.of(expected)
        self.symbols: dict[str, SymbolFacts] = {}
        self.silence = VenueSilence(name, started)
        self.rejected = Tally()
        self.funds: dict[tuple[str, str], ev.InsuranceFund] = {}
        self.followers: list[SymbolFacts] = []
        """Contracts of other venues that are watched by marks of this one, on its clock."""
        self.jumps = 0
        """Marks that were held back because they jumped."""
        self.broken_books: set[str] = set()
        """Symbols whose order book has a hole, or no beginning: whoever can ask for a whole one takes them out."""
        self._observe = observe
        self._on: dict[type, Callable[[Any, float], None]] = {
            ev.IndexPrice: self._on_index,
            ev.FundingRate: self._on_funding,
            ev.OpenInterest: self._on_interest,
            ev.BookChange: self._on_book_change,
            ev.AdlSignal: self._on_adl,
            ev.Liquidation: self._on_liquidation,
            ev.InsuranceFund: self._on_fund,
            ev.VenueTime: self._on_time,
            ev.VenueBehind: self._on_behind,
            ev.FeedLost: self._on_lost,
            ev.FeedConnected: self._on_connected,
        }

    def facts(self, symbol: str) -> SymbolFacts:
        """Return the facts of *symbol*, made when it is first watched."""
        if symbol not in self.symbols:
            self.symbols[symbol] = SymbolFacts(self.name, symbol, self.clock, self.intervals)
        return self.symbols[symbol]

    def note(self, event: Event, now: float) -> None:
        """Remember a fact; one that nobody asks for (a ``Rejected`` row is counted where it was decoded) is dropped."""
        on = self._on.get(type(event))
        if on is not None:
            on(event, now)

    def _on_index(self, event: ev.IndexPrice, now: float) -> None:
        if (facts := self.symbols.get(event.symbol)) is not None:
            facts.index.take(event.index_price, event.event_time, now, facts.clock)

    def _on_funding(self, event: ev.FundingRate, now: float) -> None:
        if (facts := self.symbols.get(event.symbol)) is not None:
            facts.came["funding"] = now
            facts.funding_rate, facts.next_funding_time = event.funding_rate, event.next_funding_time

    def _on_interest(self, event: ev.OpenInterest, now: float) -> None:
        if (facts := self.symbols.get(event.symbol)) is not None:
            facts.came["open interest"] = now
            facts.open_interest = event.contracts

    def _on_book_change(self, event: ev.BookChange, now: float) -> None:
        facts = self.symbols.get(event.symbol)
        if facts is None:
            return
        gaps = facts.depth.gaps
        if not facts.depth.apply(event, now):
            self.broken_books.add(event.symbol)
        if facts.depth.gaps > gaps:
            self.rejected.add("sequence_gap")

    def _on_adl(self, event: ev.AdlSignal, now: float) -> None:
        if (facts := self.symbols.get(event.symbol)) is not None:
            facts.came["ADL"] = now
            facts.adl = event

    def _on_liquidation(self, event: ev.Liquidation, now: float) -> None:
        if (facts := self.symbols.get(event.symbol)) is not None:
            facts.came["liquidations"] = now
            facts.liquidated_contracts[event.position_side] += event.contracts
            facts.liquidated_notional[event.position_side] += facts.worth(event.contracts, event.price)
            if self._observe is not None:
                self._observe(event)

    def _on_fund(self, event: ev.InsuranceFund, _now: float) -> None:
        known = self.funds.get((event.pool, event.asset))
        if known is None or event.event_time >= known.event_time:  # a slow resource may repeat an old figure
            self.funds[event.pool, event.asset] = event

    def _on_time(self, event: ev.VenueTime, now: float) -> None:
        """Set the venue's clock, unless the answer took too long to say the time; forget what lies in its future."""
        if event.round_trip_seconds > MAX_ROUND_TRIP_SECONDS:
            return
        self.clock.set(event.event_time - now)
        for facts in (*self.symbols.values(), *self.followers):
            for field in (facts.mark, facts.index, facts.last, facts.book):
                if field.time > event.event_time + AHEAD_SECONDS:
                    field.time = field.accepted = -inf

    def _on_behind(self, event: ev.VenueBehind, _now: float) -> None:
        self.clock.behind = event.behind_seconds > BEHIND_SECONDS

    def _on_lost(self, event: ev.FeedLost, _now: float) -> None:
        self.silence.why = event.reason

    def _on_connected(self, _event: ev.FeedConnected, _now: float) -> None:
        self.silence.why = "no_data"
