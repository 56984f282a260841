"""Every venue against its simulator, over real sockets: twenty of its seconds pass in one of ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from monitor.core import events as ev
from monitor.core.book import OrderBook
from monitor.feed.feed import VenueFeed
from monitor.feed.settings import FeedSettings
from monitor.feed.stats import FeedStats
from monitor.sim.cast import recast
from monitor.sim.market import LiquidationPrint
from monitor.sim.scenario import Scenario, load_scenario
from monitor.sim.venue import VenueSim
from monitor.sim.venues import SIMS
from monitor.venues import VENUES
from monitor.venues.base import Connection, Keepalive, Venue

SPEED = 20.0
SETTINGS = FeedSettings().scaled(1.0 / SPEED)
PARTS = ("BTCUSDT", "BTCUSDC", "ETHUSDT")
"""The contracts of the demo's story that every venue casts."""

pytestmark = pytest.mark.parametrize("name", sorted(SIMS))


def quickened(venue: Venue, *, lifetime: float | None = None) -> Venue:
    """Return *venue* with all its times divided by the speed of its simulator."""

    def connections(symbols, base) -> list[Connection]:
        return [
            replace(c, streams=tuple(replace(s, expected_interval=s.expected_interval / SPEED) for s in c.streams))
            for c in venue.connections(symbols, base)
        ]

    limits = replace(
        venue.limits,
        weight_per_minute=10**6,
        control_messages_per_second=venue.limits.control_messages_per_second * SPEED,
        lifetime_seconds=(lifetime or venue.limits.lifetime_seconds) / SPEED,
        connects=10**6,
    )
    keepalive = venue.keepalive and Keepalive(venue.keepalive.interval_seconds / SPEED, venue.keepalive.text)

    def polls(symbols):
        return [replace(p, interval_seconds=p.interval_seconds / SPEED) for p in venue.polls(symbols)]

    return replace(venue, connections=connections, limits=limits, keepalive=keepalive, polls=polls, bind=None)


class Recorder:
    """Believes all, and remembers it."""

    def __init__(self) -> None:
        self.events: list[ev.Event] = []
        self.accepted: dict[tuple[str, str], float] = {}
        self.books: dict[str, OrderBook] = {}
        self.broken: set[str] = set()
        self.crossed = 0

    def apply(self, event, now):
        self.events.append(event)
        field = getattr(event, "FIELD", None)
        if isinstance(event, ev.BookChange):
            book = self.books.setdefault(event.symbol, OrderBook())
            if not book.apply(event, now):
                self.broken.add(event.symbol)
                return ()
            bid, ask = book.best_bid, book.best_ask
            self.crossed += bid is not None and ask is not None and bid >= ask
        if field is not None:
            self.accepted[event.symbol, field] = now
        return ()

    def accepted_time(self, _venue, symbol, field):
        return self.accepted.get((symbol, field))

    def of(self, kind, symbol=None) -> list:
        return [e for e in self.events if isinstance(e, kind) and symbol in (None, getattr(e, "symbol", None))]


class Live:
    """A venue's feed beside its simulator."""

    def __init__(self, sim: VenueSim, feed: VenueFeed, recorder: Recorder, symbols: list[str]) -> None:
        self.sim, self.feed, self.seen, self.symbols = sim, feed, recorder, symbols

    async def until(self, condition: Callable[[], object], what: str, seconds: float = 15.0) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not condition():  # noqa: ASYNC110 - the condition has no event to wait for
                    await asyncio.sleep(0.01)
        except TimeoutError:
            kinds = {}
            for event in self.seen.events:
                key = (type(event).__name__, getattr(event, "symbol", ""))
                kinds[key] = kinds.get(key, 0) + 1
            control = [c.text[:200] for c in list(self.sim.journal.control)[-12:]]
            raise AssertionError(f"{what}: not within {seconds} s; events {kinds}; sent {control}") from None

    def marks(self, symbol: str) -> int:
        return len(self.seen.of(ev.MarkPrice, symbol))

    async def fresh_marks(self, what: str, symbols: list[str] | None = None, more: int = 1) -> None:
        before = {symbol: self.marks(symbol) for symbol in symbols or self.symbols}
        await self.until(lambda: all(self.marks(s) >= count + more for s, count in before.items()), what)


def stage(name: str) -> Scenario:
    scenario = load_scenario("demo")
    calm = msgspec.structs.replace(scenario, actions=(), seconds=1.0)
    return recast(calm, SIMS[name].CAST, 50_000.0)


def symbols_of(name: str) -> list[str]:
    cast = SIMS[name].CAST
    return [cast[part].symbol if cast else part for part in PARTS]


@pytest.fixture
async def live(name):
    """Open the venue, its simulator and its feed; what is opened ends with the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(*extra: str, lifetime: float | None = None, **limits) -> Live:
            scenario = stage(name)
            if limits:
                own = scenario.limits or SIMS[name].LIMITS
                scenario = msgspec.structs.replace(scenario, limits=msgspec.structs.replace(own, **limits))
            sim = await stack.enter_async_context(SIMS[name](scenario, speed=SPEED))
            symbols = symbols_of(name)
            recorder = Recorder()
            venue = quickened(VENUES[name].watching([*symbols, *extra]), lifetime=lifetime)
            feed = VenueFeed(
                venue,
                [*symbols, *extra],
                stream_url=sim.stream_url,
                rest_url=sim.rest_url,
                apply=recorder.apply,
                announce=lambda _alerts: None,
                accepted_time=recorder.accepted_time,
                broken_books=lambda _venue: recorder.broken,
                stats=FeedStats(name),
                settings=SETTINGS,
            )
            await feed.bootstrap(5.0)
            group = await stack.enter_async_context(asyncio.TaskGroup())
            task = group.create_task(feed.run(), name="feed")
            stack.callback(task.cancel)
            return Live(sim, feed, recorder, symbols)

        yield start


async def test_every_fact_that_the_venue_promises_arrives_for_every_contract(name, live):
    venue = await live()
    kinds = {
        "mark": ev.MarkPrice,
        "index": ev.IndexPrice,
        "last": ev.LastPrice,
        "funding": ev.FundingRate,
        "open interest": ev.OpenInterest,
        "depth": ev.BookChange,
        "contracts": ev.ContractTerms,
        "tiers": ev.TierTableChanged,
    }
    promised = {f.fact for f in VENUES[name].features if f.how in {"stream", "poll"}}
    assert {"mark", "funding", "contracts"} <= promised
    for fact in promised & kinds.keys():
        for symbol in venue.symbols:
            await venue.until(lambda f=fact, s=symbol: venue.seen.of(kinds[f], s), f"{fact} of {symbol}")
    if "insurance fund" in promised:
        await venue.until(lambda: venue.seen.of(ev.InsuranceFund), "the balance of a fund")
    assert not venue.seen.of(ev.SubscriptionRefused)
    assert not venue.feed.stats.rejected.get(("malformed",), 0)


async def test_no_symbol_ever_carries_the_price_of_another(name, live):
    venue = await live()
    prices = {symbol: {venue.sim.market.instrument(symbol).mark_price} for symbol in venue.symbols}
    for step in range(1, 4):
        for number, symbol in enumerate(venue.symbols):
            price = venue.sim.market.instrument(symbol).listing.mark_price * (1.0 + 0.01 * step + 0.001 * number)
            prices[symbol].add(price)
            venue.sim.set_mark(symbol, price)
        await venue.fresh_marks("the new prices", more=2)
    for event in venue.seen.of(ev.MarkPrice):
        assert any(event.mark_price == pytest.approx(price, rel=1e-3) for price in prices[event.symbol]), event


async def test_contracts_come_in_the_units_that_the_venue_counts(name, live):
    venue = await live()
    for symbol in venue.symbols:
        await venue.until(lambda s=symbol: venue.seen.of(ev.ContractTerms, s), "terms")
        terms, listing = venue.seen.of(ev.ContractTerms, symbol)[-1], venue.sim.market.instrument(symbol).listing
        assert (terms.contract_size, terms.kind) == (
            listing.contract_size,
            "linear" if listing.product == "UM" else "inverse",
        )
        assert (terms.base, terms.watchable) == (listing.base, True)


async def test_a_liquidation_is_told_with_its_side_and_count(name, live):
    if "liquidations" not in {f.fact for f in VENUES[name].features}:
        pytest.skip(f"{name} publishes no liquidations")
    venue = await live()
    await venue.fresh_marks("marks")
    symbol = venue.symbols[0]
    price = venue.sim.market.instrument(symbol).mark_price
    await asyncio.sleep(0.2)
    venue.sim.print_liquidation(LiquidationPrint(symbol, "buy", 100.0, price * 1.02, price * 1.01))
    await venue.until(lambda: venue.seen.of(ev.Liquidation, symbol), "the liquidation")
    (event,) = venue.seen.of(ev.Liquidation)
    assert (event.position_side, event.contracts) == ("short", 100.0)
    assert event.price == pytest.approx(price * 1.01, rel=1e-3)


async def test_a_cut_is_survived(name, live):
    venue = await live()
    await venue.fresh_marks("marks before the cut")
    assert venue.sim.cut(abort=True) > 0
    await venue.fresh_marks("marks after the cut", more=3)
    assert sum(venue.feed.stats.drops.values()) >= 1


async def test_one_symbol_that_falls_silent_leaves_the_others_alone_and_comes_back(name, live):
    venue = await live()
    await venue.fresh_marks("marks")
    victim, *others = venue.symbols
    venue.sim.silence(60.0, symbol=victim)
    await venue.fresh_marks("the others' marks", others, more=10)
    venue.sim.speak()
    await venue.fresh_marks("the victim's marks", [victim], more=2)
    await venue.fresh_marks("everybody's marks", more=2)


async def test_a_symbol_that_the_venue_does_not_know_harms_no_other(name, live):
    venue = await live("NOPE-USDT-SWAP")
    await venue.fresh_marks("the others' marks", more=3)

    def told():
        events = [*venue.seen.of(ev.SubscriptionRefused), *venue.seen.of(ev.ContractStatus)]
        return [e for e in events if e.symbol == "NOPE-USDT-SWAP" and not getattr(e, "watchable", False)]

    await venue.until(told, "what is said of the unknown symbol")
    await venue.fresh_marks("the others' marks later", more=5)


async def test_a_server_that_only_pings_is_left_for_a_new_connection(name, live):
    venue = await live()
    await venue.fresh_marks("marks")
    opened = venue.sim.journal.counts["opened",]
    venue.sim.silence(10_000.0)
    await venue.until(lambda: venue.feed.stats.drops["data_timeout",], "the drop")
    venue.sim.speak()
    await venue.until(lambda: venue.sim.journal.counts["opened",] > opened, "a new connection")
    await venue.fresh_marks("marks on it", more=2)


async def test_a_planned_roll_over_leaves_no_gap(name, live):
    venue = await live(lifetime=40.0)
    await venue.fresh_marks("marks")
    opened = venue.sim.journal.counts["opened",]
    await venue.until(lambda: venue.sim.journal.counts["opened",] >= opened + 2, "successors")
    await venue.fresh_marks("marks after it", more=2)
    assert not sum(venue.feed.stats.drops.values())
    assert not venue.seen.of(ev.FeedLost)


async def test_a_book_with_a_hole_is_not_used_and_heals(name, live):
    venue = await live()
    symbol = venue.symbols[0]
    await venue.until(lambda: symbol in venue.seen.books and venue.seen.books[symbol].valid, "a book")
    numbered = venue.seen.of(ev.BookChange, symbol)[-1].number is not None
    book = venue.seen.books[symbol]
    changes = len(venue.seen.of(ev.BookChange, symbol))
    await venue.until(lambda: len(venue.seen.of(ev.BookChange, symbol)) > changes + 2, "changes")
    gaps = book.gaps
    venue.sim.lose_book_change(symbol)
    if numbered and not all(e.whole for e in venue.seen.of(ev.BookChange, symbol)):
        await venue.until(lambda: book.gaps > gaps, "the hole")
    changes = len(venue.seen.of(ev.BookChange, symbol))
    await venue.until(lambda: book.valid and len(venue.seen.of(ev.BookChange, symbol)) > changes + 2, "a new book")
    assert venue.seen.crossed == 0
    assert book.best_bid < book.best_ask
