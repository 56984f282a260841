"""The engine: facts in, alert events out; synchronous, told the time, without input or output.

``apply`` is the price path. A mark price that is newer, on time, no jump and inside the quiet band of every
position of its symbol costs a few comparisons and three stores; everything else takes the careful way. Distances
are computed when somebody looks (``views``) or for an alert, never per price.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from monitor.core import events as ev
from monitor.core.alert_event import AlertEvent, StoredState
from monitor.core.alerts import Change, Level, Quality
from monitor.core.contract import Tier, TierTable, ladder_problem
from monitor.core.events import Event
from monitor.engine import show
from monitor.engine.facts import JUMP, SymbolFacts, Verdict
from monitor.engine.venue_state import Observe, VenueState
from monitor.engine.views import FundView, PositionView, SymbolView, VenueView
from monitor.engine.watch import Watch, WatchedAccount

NOTHING: tuple[AlertEvent, ...] = ()

TERMS_MOVE = 0.005
"""A liquidation price that moves by more than this share of the mark through new terms is announced."""

_LOW, _HIGH = 1.0 - JUMP, 1.0 + JUMP


class Engine:
    """All watched positions of all venues.

    *expected* gives the longest normal silence per venue and price field, in seconds; *started* is now on the
    boot clock; *observe* is called with every public liquidation of a watched symbol.
    """

    def __init__(
        self,
        accounts: Iterable[WatchedAccount],
        expected: Mapping[str, Mapping[str, float]],
        started: float,
        observe: Observe | None = None,
    ) -> None:
        self.last_pass = started
        self._venues: dict[str, VenueState] = {}
        self._watches: list[Watch] = []
        self._by_symbol: dict[tuple[str, str], list[Watch]] = {}
        self._shared: list[Watch] = []
        self._timed: set[Watch] = set()
        self._observe = observe
        for watched in accounts:
            self._add(watched, expected, started)
        self._on: dict[type, Callable[[Any, float], Sequence[AlertEvent]]] = {
            ev.MarkPrice: self._on_mark,
            ev.LastPrice: self._on_last,
            ev.BestQuote: self._on_book,
            ev.ContractTerms: self._on_terms,
            ev.ContractStatus: self._on_terms,
            ev.TierTableChanged: self._on_tiers,
        }

    def _add(self, watched: WatchedAccount, expected: Mapping[str, Mapping[str, float]], started: float) -> None:
        name = watched.account.venue
        venue = self._venues.setdefault(name, VenueState(name, expected.get(name, {}), started, self._observe))
        sharing = len({p.symbol for p in watched.account.cross_positions()}) > 1
        for position in watched.account.positions:
            facts = venue.facts(position.symbol)
            neighbours = self._by_symbol.setdefault((name, position.symbol), [])
            watch = Watch(watched, position, facts, slot=len(neighbours))
            neighbours.append(watch)
            self._watches.append(watch)
            venue.silence.add(watch)
            if len(watch.legs) > 1 or (sharing and position.margin_mode == "cross"):
                self._shared.append(watch)  # another mark, or its own far move, changes its lines

    def restore(self, states: Iterable[StoredState]) -> list[StoredState]:
        """Take up the alert states of an earlier run and return those whose subject is not watched any more."""
        watches = {watch.subject: watch for watch in self._watches}
        silences = {venue.silence.subject: venue.silence for venue in self._venues.values()}
        by_subject = {stored.subject: stored for stored in states}
        for subject, watch in watches.items():
            if subject in by_subject:
                watch.restore(by_subject.pop(subject), self.last_pass)
        for subject, silence in silences.items():
            silence.restore(by_subject.pop(subject, StoredState(subject)))
        return list(by_subject.values())

    # --- the price path ------------------------------------------------------------------------------------

    def apply(self, event: Event, now: float) -> Sequence[AlertEvent]:
        """Take one fact that arrived at *now* (boot clock) and return what must be announced."""
        on = self._on.get(type(event))
        if on is not None:
            return on(event, now)
        self._venues[event.venue].note(event, now)
        return NOTHING

    def _on_mark(self, event: ev.MarkPrice, now: float) -> Sequence[AlertEvent]:
        facts = self._venues[event.venue].symbols.get(event.symbol)
        if facts is None:
            return NOTHING
        price, time = event.mark_price, event.event_time
        field, triggers, clock = facts.mark, facts.triggers, facts.clock
        if (
            facts.live
            and triggers.low < price < triggers.high
            and time > field.time
            and clock.late < time - now < clock.ahead
            and _LOW < price / field.value < _HIGH
            and facts.held is None
        ):
            field.value, field.time, field.accepted = price, time, now
            return NOTHING
        return self._on_unusual_mark(facts, price, time, now)

    def _on_unusual_mark(self, facts: SymbolFacts, price: float, time: float, now: float) -> list[AlertEvent]:
        first = facts.mark.value == 0.0
        verdict, reason = facts.take_mark(price, time, now)
        if verdict in {Verdict.REFUSED, Verdict.HELD}:
            if verdict is Verdict.REFUSED:
                self._venues[facts.venue].rejected.add(reason)
            return []
        watches = self._by_symbol[facts.venue, facts.symbol]
        if first:
            self._solve(watches)
        if verdict is Verdict.LATE:
            out = self._requalify(facts, now)
            return out + self._fire(facts, price, "late mark", now, live=False)
        return self._requalify(facts, now) + self._fire(facts, price, "mark", now, live=True)

    def _fire(self, facts: SymbolFacts, price: float, source: str, now: float, *, live: bool) -> list[AlertEvent]:
        watches = self._by_symbol[facts.venue, facts.symbol]
        out: list[AlertEvent] = []
        for slot in facts.triggers.fire(price):
            watch = watches[slot]
            if watch.state.quality is Quality.LIVE and not live:
                watch.rearm()  # its own mark is still good: no other price speaks for it
                continue
            out += watch.evaluate(price, source, now, live=live and watch.state.quality is Quality.LIVE)
            self._schedule(watch)
        return out

    def _on_last(self, event: ev.LastPrice, now: float) -> Sequence[AlertEvent]:
        facts = self._venues[event.venue].symbols.get(event.symbol)
        if facts is None or facts.last.take(event.last_price, event.event_time, now, facts.clock):
            return NOTHING
        return NOTHING if facts.live and facts.held is None else self._stand_in(facts, now)

    def _on_book(self, event: ev.BestQuote, now: float) -> Sequence[AlertEvent]:
        facts = self._venues[event.venue].symbols.get(event.symbol)
        if facts is None:
            return NOTHING
        middle = (event.bid_price + event.ask_price) / 2.0
        if facts.book.take(middle, event.event_time, now, facts.clock):
            return NOTHING
        return NOTHING if facts.live and facts.held is None else self._stand_in(facts, now)

    def _stand_in(self, facts: SymbolFacts, now: float) -> list[AlertEvent]:
        """Let the most dangerous fresh price raise levels while the mark is not live."""
        out = self._release(facts, now)
        if facts.live or facts.mark.value == 0.0:
            return out
        out += self._requalify(facts, now)
        for price, source in facts.fallback(now):
            out += self._fire(facts, price, source, now, live=False)
        return out

    def _release(self, facts: SymbolFacts, now: float) -> list[AlertEvent]:
        if not facts.release(now):
            return []
        return self._requalify(facts, now) + self._fire(facts, facts.mark.value, "mark", now, live=True)

    # --- quality -------------------------------------------------------------------------------------------

    def _requalify(self, facts: SymbolFacts, now: float) -> list[AlertEvent]:
        """Work out the quality of a symbol's positions anew; those that became live are evaluated at the mark."""
        calm, alarmed, reason = shown = facts.quality(now)
        facts.live = calm is Quality.LIVE and alarmed is Quality.LIVE
        if shown == facts.shown and calm is alarmed:
            return []
        facts.shown = shown
        out: list[AlertEvent] = []
        silence = self._venues[facts.venue].silence
        for watch in self._by_symbol[facts.venue, facts.symbol]:
            quality = alarmed if watch.state.level >= Level.WARNING else calm
            if not watch.solved and quality is not Quality.NEVER:
                changed = watch.set_quality(Quality.STALE, "terms", now)
            else:
                changed = watch.set_quality(quality, reason, now)
            if changed:
                silence.note(watch)
            if changed and watch.state.quality is Quality.LIVE and watch.solved:
                out += watch.evaluate(facts.mark.value, "mark", now, live=True)
            self._schedule(watch)
        return out

    def _schedule(self, watch: Watch) -> None:
        if watch.timed:
            self._timed.add(watch)
        else:
            self._timed.discard(watch)

    def tick(self, now: float) -> Sequence[AlertEvent]:
        """Let time pass: stale data, quarantines, clearing times, accounts that share collateral, data alerts."""
        out: list[AlertEvent] = []
        for venue in self._venues.values():
            for facts in venue.symbols.values():
                if facts.held is not None:
                    out += self._release(facts, now)
                out += self._requalify(facts, now)
        for watch in self._shared:
            out += self._resolve(watch, now)
        for watch in list(self._timed):
            if watch.state.quality is Quality.LIVE:
                out += watch.expire(watch.facts.mark.value, now)
            self._schedule(watch)
        for venue in self._venues.values():
            out += venue.silence.tick(now)
        self.last_pass = now
        return out

    def _solve(self, watches: Iterable[Watch]) -> None:
        for watch in watches:
            watch.solve(self._venues[watch.account.venue].symbols)

    def _resolve(self, watch: Watch, now: float) -> list[AlertEvent]:
        """Solve one position anew and evaluate it if its lines moved."""
        before, was_solved = watch.lines, watch.solved
        self._solve([watch])
        if watch.solved != was_solved:
            watch.facts.shown = (Quality.NEVER, Quality.NEVER, "")
            return self._requalify(watch.facts, now)
        if watch.lines == before or not watch.state.quality.known or watch.facts.mark.value == 0.0:
            return []
        live = watch.state.quality is Quality.LIVE
        out = watch.evaluate(watch.facts.mark.value, "mark", now, live=live)
        self._schedule(watch)
        return out

    # --- terms ---------------------------------------------------------------------------------------------

    def _on_terms(self, event: ev.ContractTerms | ev.ContractStatus, now: float) -> Sequence[AlertEvent]:
        facts = self._venues[event.venue].symbols.get(event.symbol)
        if facts is None or (facts.status == event.status and facts.watchable == event.watchable):
            return NOTHING
        if isinstance(event, ev.ContractTerms):
            facts.settle = event.settle
        was = facts.watchable
        facts.status, facts.watchable = event.status, event.watchable
        out = self._requalify(facts, now)
        if was and not event.watchable:
            for watch in self._by_symbol[facts.venue, facts.symbol]:
                level = watch.state.level
                out.append(watch.announce(Change("position.unwatchable", level, level, reason=event.status), None, now))
        return out

    def _on_tiers(self, event: ev.TierTableChanged, now: float) -> Sequence[AlertEvent]:
        facts = self._venues[event.venue].symbols.get(event.symbol)
        if facts is None:
            return NOTHING
        tiers = tuple(Tier(*row) for row in event.rows)
        if ladder_problem(tiers) is not None:
            self._venues[event.venue].rejected.add("bad_tiers")
            return NOTHING
        facts.table = TierTable(tiers, "announced by the venue")
        out: list[AlertEvent] = []
        for watch in self._by_symbol[facts.venue, facts.symbol]:
            before = watch.levels.liquidation_price
            out += self._resolve(watch, now)
            after, mark = watch.levels.liquidation_price, facts.mark.value
            if before is not None and after is not None and abs(after - before) > TERMS_MOVE * mark:
                level = watch.state.level
                out.append(watch.announce(Change("position.terms_changed", level, level, reason="tiers"), mark, now))
        return out

    # --- what others may see -------------------------------------------------------------------------------

    def accepted_time(self, venue: str, symbol: str, field: str) -> float | None:
        """Return when the last fresh value of a price field came in (boot clock), or None."""
        facts = self._venues[venue].symbols.get(symbol)
        if facts is None:
            return None
        accepted: float = getattr(facts, field).accepted
        return accepted if accepted > float("-inf") else None

    def position_count(self) -> int:
        """Return how many positions are watched."""
        return len(self._watches)

    def position_views(self, start: int, stop: int, now: float) -> list[PositionView]:
        """Return positions *start* to *stop* as they are now."""
        return [show.position(watch, now) for watch in self._watches[start:stop]]

    def symbol_views(self, now: float) -> Iterator[SymbolView]:
        """Yield every watched contract as it is now, so that a scrape can rest in between."""
        for venue in self._venues.values():
            for facts in venue.symbols.values():
                yield show.symbol(facts, now)

    def fund_views(self) -> list[FundView]:
        """Return the insurance-fund balances that were read."""
        return [
            FundView(venue.name, fund.pool, fund.asset, fund.balance, fund.event_time)
            for venue in self._venues.values()
            for fund in venue.funds.values()
        ]

    def venue_views(self, now: float, wall: float) -> list[VenueView]:
        """Return every venue as it is now; *wall* is our wall clock, to be held against the venue's."""
        return [
            VenueView(
                venue=venue.name,
                up=any(f.live for f in venue.symbols.values()) and not venue.silence.down,
                clock_skew_seconds=None if venue.clock.approximate else now + venue.clock.offset - wall,
                quarantined=sum(f.quarantined for f in venue.symbols.values()),
                rejected={key[0]: count for key, count in venue.rejected.items()},
            )
            for venue in self._venues.values()
        ]
