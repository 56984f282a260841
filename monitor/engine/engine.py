"""The engine: facts in, alert events out; synchronous, told the time, without input or output.

``apply`` is the price path. A mark price that is newer, on time, no jump and inside the quiet band of every
position of its symbol costs a few comparisons and three stores; everything else takes the careful way. Distances
are computed when somebody looks (``views``) or for an alert, never per price.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from monitor.core import events as ev
from monitor.core.alert_event import AlertEvent, StoredState
from monitor.core.alerts import Quality
from monitor.core.book import OrderBook
from monitor.core.events import Event
from monitor.engine import show
from monitor.engine.book import Book, WatchedAccount
from monitor.engine.evaluator import Evaluator, Report
from monitor.engine.facts import JUMP, Field, SymbolFacts, Verdict
from monitor.engine.shared import Shared
from monitor.engine.sharing import Sharing
from monitor.engine.terms import ContractNews, subject_of
from monitor.engine.venue_state import Observe, VenueState
from monitor.engine.views import FundView, PositionView, SymbolView, VenueView
from monitor.engine.watch import Watch

NOTHING: tuple[AlertEvent, ...] = ()

_LOW, _HIGH = 1.0 - JUMP, 1.0 + JUMP


class Engine:
    """All watched positions of all venues.

    *expected* gives the longest normal silence per venue and price field, in seconds; *started* is now on the
    boot clock; *symbols* are contracts by venue that are kept without a position; *observe* is called with every public liquidation of a watched symbol, *report* with the subject of a
    position whose evaluation raised and what it raised: that position alone is unknown for a minute.
    """

    def __init__(
        self,
        accounts: Iterable[WatchedAccount],
        expected: Mapping[str, Mapping[str, float]],
        started: float,
        observe: Observe | None = None,
        report: Report | None = None,
        symbols: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        self.last_pass = started
        self._venues: dict[str, VenueState] = {}
        self._watches: list[Watch] = []
        self._books: list[Book] = []
        self._by_symbol: dict[tuple[str, str], list[Watch]] = {}
        self._slots: dict[tuple[str, str], list[Watch | Shared]] = {}
        self._work = Evaluator(self._venues, report)
        self._sharing = Sharing(self._work)
        self._observe = observe
        self._followers: dict[tuple[str, str], list[SymbolFacts]] = {}
        """Contracts that are watched by another one's mark (proxies), by that one."""
        for watched in accounts:
            self._add(watched, expected, started)
        for venue, names in (symbols or {}).items():
            for symbol in names:
                self._keep(venue, symbol, expected, started)
        self._news = news = ContractNews(self._venues, self._by_symbol, self._work, self._sharing, self._requalify)
        self._on: dict[type, Callable[[Any, float], Sequence[AlertEvent]]] = {
            ev.MarkPrice: self._on_followed_mark if self._followers else self._on_mark,
            ev.LastPrice: self._on_last,
            ev.BestQuote: self._on_book,
            ev.ContractTerms: news.on_terms,
            ev.ContractStatus: news.on_status,
            ev.SubscriptionRefused: news.on_refused,
            ev.FundingTerms: news.on_funding_terms,
            ev.TierTableChanged: news.on_tiers,
        }

    def _add(self, watched: WatchedAccount, expected: Mapping[str, Mapping[str, float]], started: float) -> None:
        name, account = watched.account.venue, watched.account
        venue = self._venues.setdefault(name, VenueState(name, expected.get(name, {}), started, self._observe))
        book = Book(watched, {symbol: venue.facts(symbol) for symbol in account.symbols()})
        self._books.append(book)
        together: list[Watch] = []
        for position in account.positions:
            key = name, position.symbol
            slots = self._slots.setdefault(key, [])
            watch = Watch(book, position, slot=len(slots))
            self._by_symbol.setdefault(key, []).append(watch)
            self._watches.append(watch)
            venue.silence.add(watch)
            if watch.alone:
                slots.append(watch)
            else:
                together.append(watch)
        if together:
            shared = Shared(book, together)
            self._sharing.add(shared)
            for facts in shared.facts:
                slots = self._slots.setdefault((name, facts.symbol), [])
                shared.slots.append(len(slots))
                slots.append(shared)
                self._by_symbol.setdefault((name, facts.symbol), [])

        for symbol, (reference, theirs) in watched.proxies.items():
            source = self._keep(reference, theirs, expected, started)
            follower = venue.facts(symbol)
            follower.follow(source)
            followers = self._followers.setdefault((reference, theirs), [])
            if follower not in followers:
                followers.append(follower)
                self._venues[reference].followers.append(follower)

    def _keep(self, name: str, symbol: str, expected: Mapping[str, Mapping[str, float]], started: float) -> SymbolFacts:
        """Return the facts of a contract that is fed, whether or not a position hangs on it."""
        if name not in self._venues:
            self._venues[name] = VenueState(name, expected.get(name, {}), started, self._observe)
        self._by_symbol.setdefault((name, symbol), [])
        self._slots.setdefault((name, symbol), [])
        return self._venues[name].facts(symbol)

    def restore(self, states: Iterable[StoredState]) -> list[StoredState]:
        """Take up the alert states of an earlier run and return those whose subject is not watched any more."""
        watches = {watch.subject: watch for watch in self._watches}
        silences = {venue.silence.subject: venue.silence for venue in self._venues.values() if venue.silence.watches}
        by_subject = {stored.subject: stored for stored in states}
        for subject, watch in watches.items():
            if subject in by_subject:
                watch.restore(by_subject.pop(subject), self.last_pass)
        for book in self._books:
            if book.subject in by_subject:
                book.restore(by_subject.pop(book.subject))
        for venue in self._venues.values():
            for facts in venue.symbols.values():
                if (stored := by_subject.pop(subject_of(facts), None)) is not None:
                    self._news.restore(facts, stored)
        for subject, silence in silences.items():
            silence.restore(by_subject.pop(subject, StoredState(subject)))
        return list(by_subject.values())

    # --- the price path ------------------------------------------------------------------------------------

    def apply(self, event: Event, now: float) -> Sequence[AlertEvent]:
        """Take one fact that arrived at *now* (boot clock) and return what must be announced."""
        on = self._on.get(type(event))
        if on is None:
            self._venues[event.venue].note(event, now)
            return NOTHING
        out = on(event, now)
        if out is not NOTHING:
            self._work.arm_all(now)
        return out

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

    def _on_followed_mark(self, event: ev.MarkPrice, now: float) -> Sequence[AlertEvent]:
        """Take a mark that contracts elsewhere are watched by, too: each of them judges it by itself."""
        out = self._on_mark(event, now)
        followers = self._followers.get((event.venue, event.symbol))
        if not followers:
            return out
        price, time = event.mark_price, event.event_time
        # All take it before any is looked at: an account that is hedged among them must not see half of a move.
        judged = [(facts, *facts.take_mark(price, time, now)) for facts in followers]
        return [*out, *(alert for j in judged for alert in self._judged(*j, price, now))]

    def _on_unusual_mark(self, facts: SymbolFacts, price: float, time: float, now: float) -> list[AlertEvent]:
        return self._judged(facts, *facts.take_mark(price, time, now), price, now)

    def _judged(self, facts: SymbolFacts, verdict: Verdict, reason: str, price: float, now: float) -> list[AlertEvent]:
        """Let a mark work that was judged, and stored if it is believed."""
        if verdict in {Verdict.REFUSED, Verdict.HELD}:
            if verdict is Verdict.REFUSED:
                self._venues[facts.venue].rejected.add(reason)
            else:
                self._venues[facts.venue].jumps += 1
            return []
        if facts.refused and verdict is Verdict.ACCEPTED:
            facts.refused, facts.refusal_survived, facts.shown_watchable = False, True, facts.watchable
        if verdict is Verdict.UNDATED:
            return self._fire(facts, price, "late mark", now, live=False)
        return self._accepted(facts, now)

    def _accepted(self, facts: SymbolFacts, now: float) -> list[AlertEvent]:
        """Let the mark that was just stored work: on what is not solved yet, on the quality, on the levels."""
        key, mark = (facts.venue, facts.symbol), facts.mark
        waiting: list[Watch] = []
        if facts.unsolved:
            waiting = [watch for watch in self._by_symbol[key] if watch.alone and not watch.solved]
            for watch in waiting:
                self._work.attempt(watch, now, watch.solve)
        out = self._requalify(facts, now)
        facts.unsolved = not all(watch.solved for watch in waiting)
        for watch in waiting:
            out += self._work.attempt(
                watch, now, partial(watch.look, now)
            )  # from here on it is armed, whatever its quality
            out += watch.drift(now)
        out += self._sharing.accepted(facts, now)
        return out + self._fire(facts, mark.value, "late mark" if mark.late else "mark", now, live=not mark.late)

    def _fire(self, facts: SymbolFacts, price: float, source: str, now: float, *, live: bool) -> list[AlertEvent]:
        slots = self._slots[facts.venue, facts.symbol]
        out: list[AlertEvent] = []
        for slot in facts.triggers.fire(price):
            armed = slots[slot]
            if isinstance(armed, Shared):
                stored = source in {"mark", "late mark"} and price == facts.mark.value
                if stored:
                    out += self._sharing.settle(armed, now, facts)
                else:
                    out += self._sharing.beside(armed, facts, price, source, now)
                continue
            own = armed.state.quality is Quality.LIVE
            if own and not live and source != "late mark":
                armed.rearm()  # its own mark is still good: no other price speaks for it
            else:
                out += self._work.attempt(armed, now, partial(armed.evaluate, price, source, now, live=own and live))
                if own and not live:
                    facts.triggers.arm(slot, price, price)  # it stopped the clearing: its own next mark goes on with it
        return out

    def _on_last(self, event: ev.LastPrice, now: float) -> Sequence[AlertEvent]:
        facts = self._venues[event.venue].symbols.get(event.symbol)
        return NOTHING if facts is None else self._on_other(facts, facts.last, event.last_price, event.event_time, now)

    def _on_book(self, event: ev.BestQuote, now: float) -> Sequence[AlertEvent]:
        facts = self._venues[event.venue].symbols.get(event.symbol)
        if facts is None:
            return NOTHING
        middle = (event.bid_price + event.ask_price) / 2.0
        return self._on_other(facts, facts.book, middle, event.event_time, now)

    def _on_other(
        self, facts: SymbolFacts, field: Field, price: float, time: float, now: float
    ) -> Sequence[AlertEvent]:
        """Take a price that may stand in for the mark, or confirm a jump of it, while the mark is not live."""
        if field.take(price, time, now, facts.clock) is not None or (facts.live and facts.held is None):
            return NOTHING
        out = self._release(facts, now)
        if facts.live or facts.mark.value == 0.0:
            return out
        out += self._requalify(facts, now)
        for candidate, source in facts.fallback(now):
            out += self._fire(facts, candidate, source, now, live=False)
        return out

    def _release(self, facts: SymbolFacts, now: float) -> list[AlertEvent]:
        return self._accepted(facts, now) if facts.release(now) else []

    # --- quality -------------------------------------------------------------------------------------------

    def _requalify(self, facts: SymbolFacts, now: float, *, thorough: bool = False) -> list[AlertEvent]:
        """Work out the quality of a symbol's positions anew; whoever's changed is looked at again.

        Which of two qualities is a position's own hangs on its level too: that is left to the *thorough* tick.
        """
        shown = facts.quality(now)
        if shown == facts.shown and not facts.unsolved and (shown[0] is shown[1] or not thorough):
            return []
        facts.shown = shown
        facts.live = shown[0] is Quality.LIVE and shown[1] is Quality.LIVE
        key = facts.venue, facts.symbol
        out: list[AlertEvent] = []
        for watch in self._by_symbol[key]:
            out += self._work.qualify(watch, now)
        for shared in self._sharing.of(facts):
            if shared.awake:
                for watch in shared.watches:
                    if watch.facts is not facts:  # only as sure as the marks that it was worked out from
                        out += self._work.qualify(watch, now)
        return out

    def tick(self, now: float) -> Sequence[AlertEvent]:
        """Let time pass: stale data, quarantines, clearing times, accounts that share collateral, data alerts."""
        out: list[AlertEvent] = []
        for venue in self._venues.values():
            released = [f for f in venue.symbols.values() if f.held is not None and f.release(now)]
            for facts in released:
                out += self._accepted(facts, now)
            for facts in venue.symbols.values():
                out += self._requalify(facts, now, thorough=True)
        out += self._sharing.tick(now)
        out += self._work.tick(now)
        for venue in self._venues.values():
            out += venue.silence.tick(now)
        self._work.arm_all(now)
        self.last_pass = now
        return out

    # --- what others may see -------------------------------------------------------------------------------

    def states(self) -> list[StoredState]:
        """Return what must survive a restart, of every position."""
        return [watch.stored() for watch in self._watches]

    def unsaved(self) -> list[StoredState]:
        """Return what was found out since the last call and must survive a restart: balances meant by an equity."""
        found = [book for book in self._books if book.unsaved]
        for book in found:
            book.unsaved = False
        contracts = list(self._news.unsaved)
        self._news.unsaved.clear()
        return [*(book.stored() for book in found), *(self._news.stored(facts) for facts in contracts)]

    def accepted_time(self, venue: str, symbol: str, field: str) -> float | None:
        """Return when the last fresh value of a price field came in (boot clock), or None."""
        facts = self._venues[venue].symbols.get(symbol)
        if facts is None:
            return None
        accepted: float = getattr(facts, field).accepted
        return accepted if accepted > float("-inf") else None

    def broken_books(self, venue: str) -> set[str]:
        """Return the live set of a venue's symbols whose order book needs a new beginning."""
        return self._venues[venue].broken_books

    def jumps(self, venue: str) -> int:
        """Return how many marks of a venue were held back because they jumped."""
        return self._venues[venue].jumps

    def depth(self, venue: str, symbol: str) -> OrderBook | None:
        """Return the order book of a watched contract; it says itself whether it can be used."""
        facts = self._venues[venue].symbols.get(symbol)
        return None if facts is None else facts.depth

    def position_count(self) -> int:
        """Return how many positions are watched."""
        return len(self._watches)

    def position_views(self, start: int, stop: int, now: float) -> list[PositionView]:
        """Return positions *start* to *stop* as they are now."""
        watches = self._watches[start:stop]
        now_of = self._sharing.present.levels([w for w in watches if not w.alone and w.solved])
        return [show.position(watch, now, now_of.get(watch)) for watch in watches]

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
