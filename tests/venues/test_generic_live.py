"""Every preset against its venue on loopback, through the real feed: sockets, pings, refusals, tokens, polls."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from monitor.config.definition import read_definition
from monitor.core import events as ev
from monitor.feed.feed import VenueFeed
from monitor.feed.settings import FeedSettings
from monitor.feed.stats import FeedStats
from monitor.net.clock import boot
from monitor.sim.generic import GenericSim
from monitor.sim.generic_venues import SIMS
from monitor.sim.market import LiquidationPrint, Listing, Pool
from monitor.sim.scenario import Scenario
from monitor.venues.generic import venue

PRESETS = Path(__file__).parents[2] / "config" / "venues"
SPEED = 20.0
SETTINGS = FeedSettings().scaled(1.0 / SPEED)
SYMBOLS = {
    "gate": ("BTC_USDT", "ETH_USDT"),
    "bitget": ("BTCUSDT", "ETHUSDT"),
    "mexc": ("BTC_USDT", "ETH_USDT"),
    "kucoin": ("XBTUSDTM", "ETHUSDTM"),
    "htx": ("BTC-USDT", "ETH-USDT"),
    "whitebit": ("BTC_PERP", "ETH_PERP"),
    "bingx": ("BTC-USDT", "ETH-USDT"),
}
NO_SYMBOL = {name: ether.replace("ETH", "NO") for name, (_, ether) in SYMBOLS.items()}
MARK, INDEX = 90_012.5, 90_031.0
SIZES = {"gate": 0.0001, "mexc": 0.0001, "kucoin": 0.001, "htx": 0.001}


def market(name: str) -> Scenario:
    """Two contracts with a ladder and a fund behind both."""
    size = SIZES.get(name, 1.0)
    bitcoin, ether = SYMBOLS[name]
    listings = [
        Listing(symbol=bitcoin, base="BTC", quote="USDT", mark_price=MARK, index_price=INDEX, contract_size=size),
        Listing(symbol=ether, base="ETH", quote="USDT", mark_price=3105.25, tick_size=0.01, contract_size=size),
    ]
    pools = (Pool(symbols=(bitcoin, ether), balances={"USDT": 700.0}),)
    return Scenario(symbols=tuple(listings), pools=pools)


class Engine:
    """Takes whatever it is given."""

    def __init__(self) -> None:
        self.events: list[ev.Event] = []
        self._accepted: dict[tuple[str, str, str], float] = {}

    def apply(self, event: ev.Event, now: float) -> Sequence:
        self.events.append(event)
        if type(event).FIELD:
            self._accepted[event.venue, event.symbol, str(type(event).FIELD)] = now
        return ()

    def accepted_time(self, name: str, symbol: str, field: str) -> float | None:
        return self._accepted.get((name, symbol, field))

    def of(self, kind: type, symbol: str = "") -> list:
        return [e for e in self.events if type(e) is kind and (not symbol or e.symbol == symbol)]


class Rig:
    """A preset's feed, and the venue that it talks to."""

    def __init__(self, name: str, sim: GenericSim, symbols: Sequence[str]) -> None:
        definition = read_definition(PRESETS / f"{name}.yaml")
        ping = definition.ping
        if ping is not None:
            definition = msgspec.structs.replace(
                definition, ping=msgspec.structs.replace(ping, every_seconds=ping.every_seconds / SPEED)
            )
        self.venue = venue(definition, sim.rest_url).watching(symbols)
        self.engine, self.sim = Engine(), sim
        self.stats = FeedStats(name, sorted({poll.resource for poll in self.venue.polls(symbols)}))
        self.feed = VenueFeed(
            self.venue,
            symbols,
            stream_url=sim.stream_url,
            rest_url=self.venue.rest_url,
            apply=self.engine.apply,
            announce=lambda _alerts: None,
            accepted_time=self.engine.accepted_time,
            stats=self.stats,
            settings=SETTINGS,
        )

    def age(self, symbol: str, field: str) -> float:
        return boot() - (self.engine.accepted_time(self.venue.name, symbol, field) or float("-inf"))


@pytest.fixture
async def rig(until: Callable):
    """Run a preset's feed against its venue; the first round of REST is done when it is returned."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(name: str, symbols: Sequence[str] = (), **changes) -> Rig:
            scenario = msgspec.structs.replace(market(name), **changes)
            sim = await stack.enter_async_context(SIMS[name](scenario, speed=SPEED))
            if name == "kucoin":
                sim.ping_ms = int(sim.ping_ms / SPEED)
            rig = Rig(name, sim, symbols or SYMBOLS[name])
            assert await rig.feed.bootstrap(5.0)
            group = await stack.enter_async_context(asyncio.TaskGroup())
            task = group.create_task(rig.feed.run())
            stack.callback(task.cancel)
            return rig

        yield make


@pytest.fixture
def until() -> Callable:
    async def wait_until(condition: Callable[[], object], seconds: float = 8.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - the condition has no event to wait for
                await asyncio.sleep(0.01)

    return wait_until


PRICE = {name: ev.LastPrice if name == "whitebit" else ev.MarkPrice for name in SIMS}
"""What each venue's positions are watched by: WhiteBIT publishes no mark price."""


@pytest.mark.parametrize("name", SIMS)
async def test_prices_and_terms_of_every_contract_arrive(rig, until, name):
    """Each under its own symbol, with its own values, and nothing is rejected."""
    one = await rig(name)
    engine = one.engine
    bitcoin, ether = SYMBOLS[name]
    await until(lambda: engine.of(PRICE[name], bitcoin) and engine.of(PRICE[name], ether))
    await until(lambda: engine.of(ev.IndexPrice, bitcoin) and engine.of(ev.FundingRate, bitcoin))
    prices = [getattr(e, f"{type(e).FIELD}_price") for e in engine.of(PRICE[name], bitcoin)]
    assert set(prices) == {MARK}
    assert [e.index_price for e in engine.of(ev.IndexPrice, bitcoin)][:1] == [pytest.approx(INDEX, rel=1e-9)]
    assert {e.funding_rate for e in engine.of(ev.FundingRate, bitcoin)} == {0.0001}
    terms = engine.of(ev.ContractTerms, bitcoin)[0]
    assert (terms.contract_size, terms.base, terms.quote, terms.watchable) == (
        SIZES.get(name, 1.0),
        "BTC",
        "USDT",
        True,
    )
    assert engine.of(ev.VenueTime)
    assert engine.of(ev.Rejected) == []
    assert {e.symbol for e in engine.events if getattr(e, "symbol", "")} == {bitcoin, ether}


@pytest.mark.parametrize("name", ["gate", "bitget", "mexc", "kucoin"])
async def test_the_ladder_of_the_venue_is_read(rig, until, name):
    one = await rig(name)
    await until(lambda: one.engine.of(ev.TierTableChanged, SYMBOLS[name][0]))
    rows = one.engine.of(ev.TierTableChanged, SYMBOLS[name][0])[0].rows
    assert (rows[0][0], rows[0][1], len(rows)) == (0.0, 0.004, 3)


@pytest.mark.parametrize("name", ["gate", "bitget", "mexc", "htx"])
async def test_the_insurance_fund_is_read(rig, until, name):
    one = await rig(name)
    await until(lambda: one.engine.of(ev.InsuranceFund))
    fund = one.engine.of(ev.InsuranceFund)[0]
    assert (fund.asset, fund.balance) == ("USDT", 700.0)


@pytest.mark.parametrize("name", ["gate", "bitget", "htx"])
@pytest.mark.parametrize(("order_side", "victim"), [("buy", "short"), ("sell", "long")])
async def test_a_forced_order_names_the_side_that_lost(rig, until, name, order_side, victim):
    """Whichever side the venue's own word means."""
    one = await rig(name)
    bitcoin = SYMBOLS[name][0]
    await until(lambda: one.engine.of(PRICE[name], bitcoin))
    await until(lambda: one.sim.journal.counts.get(("sent",), 0) > 3)
    one.sim.print_liquidation(LiquidationPrint(bitcoin, order_side, 12.0, 90_500.0, 90_480.5))
    await until(lambda: one.engine.of(ev.Liquidation))
    found = one.engine.of(ev.Liquidation)[0]
    assert (found.symbol, found.position_side, found.contracts) == (bitcoin, victim, pytest.approx(12.0))
    assert (found.price, found.price_kind) == (90_480.5, "bankruptcy" if name == "htx" else "fill")


@pytest.mark.parametrize("name", SIMS)
async def test_the_connection_outlives_the_venues_idle_close(rig, until, name):
    """Longer than the venue waits for a client that says nothing, or that leaves its pings unanswered."""
    one = await rig(name)
    bitcoin = SYMBOLS[name][0]
    await until(lambda: one.engine.of(PRICE[name], bitcoin))
    longest = one.sim.limits.idle_client_seconds or one.sim.PING_TICKS * (one.sim.UNANSWERED + 1)
    end = one.sim.clock() + 1.3 * longest
    await until(lambda: one.sim.clock() > end, 30.0)
    assert one.engine.of(ev.FeedLost) == []
    assert one.age(bitcoin, str(PRICE[name].FIELD)) < 2.0


@pytest.mark.parametrize("name", [n for n in SIMS if n != "whitebit"])
async def test_a_refused_contract_is_reported_and_the_others_run(rig, until, name):
    missing = NO_SYMBOL[name]
    one = await rig(name, (*SYMBOLS[name], missing))
    await until(lambda: one.engine.of(ev.SubscriptionRefused, missing))
    bitcoin = SYMBOLS[name][0]
    seen = len(one.engine.of(PRICE[name], bitcoin))
    await until(lambda: len(one.engine.of(PRICE[name], bitcoin)) > seen + 3)
    assert {e.symbol for e in one.engine.of(ev.SubscriptionRefused)} == {missing}
    assert {e.symbol for e in one.engine.of(ev.ContractStatus)} == {missing}


@pytest.mark.parametrize("name", SIMS)
async def test_a_cut_is_followed_by_data_again(rig, until, name):
    """With a token of its own where the venue wants one."""
    one = await rig(name)
    bitcoin = SYMBOLS[name][0]
    await until(lambda: one.engine.of(PRICE[name], bitcoin))
    one.sim.cut(abort=True)
    await until(lambda: one.engine.of(ev.FeedLost))
    seen = len(one.engine.of(PRICE[name], bitcoin))
    await until(lambda: len(one.engine.of(PRICE[name], bitcoin)) > seen)
    if name == "kucoin":
        assert one.sim.issued >= 2


async def test_a_token_is_good_for_one_connection(rig, until):
    one = await rig("kucoin")
    await until(lambda: one.engine.of(ev.MarkPrice))
    assert one.sim.route("/endpoint?token=token-1") is None


async def test_only_predicted_rates_are_taken_of_kucoins_subject(rig, until):
    """The settled rate comes in the same subject, with another granularity."""
    one = await rig("kucoin")
    await until(lambda: len(one.engine.of(ev.FundingRate, "XBTUSDTM")) >= 3)
    assert {e.funding_rate for e in one.engine.of(ev.FundingRate, "XBTUSDTM")} == {0.0001}


async def test_htx_talks_on_three_sockets(rig, until):
    one = await rig("htx")
    await until(lambda: len({client.path for client in one.sim.clients()}) == 3)
    await until(lambda: one.engine.of(ev.LastPrice) and one.engine.of(ev.FundingRate) and one.engine.of(ev.MarkPrice))


async def test_a_venue_that_asks_for_quiet_is_left_alone_and_streams_run_on(rig, until):
    one = await rig("gate")
    one.sim.answer_with(429, 100.0, retry_after_seconds=3)
    seen = len(one.engine.of(ev.MarkPrice))
    await until(lambda: len(one.engine.of(ev.MarkPrice)) > seen + 5)
    assert one.engine.of(ev.FeedLost) == []
