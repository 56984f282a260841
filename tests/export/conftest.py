"""A made-up engine: real views, kept in lists that a test may change between two scrapes."""

from __future__ import annotations

from dataclasses import dataclass, field

import aiohttp
import msgspec
import pytest

from monitor.core.alerts import Level, Quality
from monitor.delivery.stats import DeliveryStats
from monitor.engine.views import FundView, PositionView, SymbolView, VenueView
from monitor.export.exposition import Exposition
from monitor.export.sources import ProcessStats, Sources
from monitor.feed.stats import FeedStats
from monitor.net.clock import boot
from monitor.web.health import Verdict
from monitor.web.server import WebServer

POSITION = PositionView(
    name="btc-short",
    account="main",
    venue="binance",
    symbol="BTCUSDT",
    side="short",
    margin_mode="isolated",
    settle="USDT",
    level=Level.WARNING,
    quality=Quality.LIVE,
    reason="",
    status="ok",
    mark_price=52_000.0,
    price_source="mark",
    liquidation_price=54_500.25,
    bankruptcy_price=55_000.0,
    liquidation_distance_ratio=0.0480817,
    bankruptcy_distance_ratio=0.0576923,
    margin_ratio=0.125,
    notional=52_123.0,
    equity=3_210.0,
    maintenance_margin=401.25,
    drift_ratio=-0.0025,
)

SYMBOL = SymbolView(
    venue="binance",
    symbol="BTCUSDT",
    mark_price=52_000.0,
    mark_time=1_790_000_000.5,
    index_price=51_990.5,
    last_price=52_010.1,
    ages={"mark": 1.0, "index": 2.0, "book": 0.5},
    funding_rate=0.0001,
    next_funding_time=1_790_003_600.0,
    funding_interval_seconds=28_800.0,
    open_interest_contracts=81_234.5,
    status="TRADING",
    liquidated_contracts={"short": 2.5},
    liquidated_notional={"short": 137_000.0},
)


@dataclass
class MadeUpEngine:
    """What a scrape asks of the engine."""

    positions: list[PositionView] = field(default_factory=list)
    symbols: list[SymbolView] = field(default_factory=list)
    funds: list[FundView] = field(default_factory=list)
    venues: list[VenueView] = field(default_factory=list)
    last_pass: float = 0.0

    def position_count(self):
        return len(self.positions)

    def position_views(self, start, stop, now):
        return self.positions[start:stop]

    def symbol_views(self, now):
        return iter(self.symbols)

    def fund_views(self):
        return self.funds

    def venue_views(self, now: float, wall: float):
        return self.venues


@pytest.fixture
def position():
    """Return a function that gives the one position with changes."""
    return lambda **changes: msgspec.structs.replace(POSITION, **changes)


@pytest.fixture
def symbol():
    """Return a function that gives the one symbol with changes."""
    return lambda **changes: msgspec.structs.replace(SYMBOL, **changes)


@pytest.fixture
def engine():
    return MadeUpEngine(
        positions=[POSITION],
        symbols=[SYMBOL],
        funds=[FundView("binance", "BTCUSDT", "USDT", 700.0, 1_790_000_000.0)],
        venues=[VenueView("binance", up=True, clock_skew_seconds=None, quarantined=3, rejected={"price": 2})],
        last_pass=boot(),
    )


@pytest.fixture
def sources(engine):
    return Sources(
        engine=engine,
        feeds=[FeedStats("binance", ["exchangeInfo"])],
        delivery=DeliveryStats(["pager"]),
        process=ProcessStats(config_hash="c0ffee", version="0.1.0", tasks=7),
    )


@pytest.fixture
async def scrape(sources):
    """Return a function that scrapes once, over HTTP as Prometheus does, and returns the text."""
    exposition = Exposition(sources)

    async def text(**settings):
        render = Exposition(sources, **settings).render if settings else exposition.render
        server = WebServer(host="127.0.0.1", port=0, metrics=render, health=Verdict, readiness=Verdict)
        await server.start()
        try:
            async with aiohttp.request("GET", f"http://127.0.0.1:{server.port}/metrics") as got:
                assert got.status == 200
                return await got.text()
        finally:
            await server.stop()

    return text
