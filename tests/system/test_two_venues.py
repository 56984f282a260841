"""Two venues in one daemon: what goes wrong at one of them touches nothing of the other."""

import json
from contextlib import AsyncExitStack

import pytest

from monitor.sim.bybit import BybitSim
from monitor.sim.cast import recast
from monitor.sim.scenario import load_scenario


@pytest.fixture
async def beside(stage, short):
    """A daemon with the short at Binance and the same one at Bybit; both are live."""
    async with AsyncExitStack() as stack:
        bybit = await stack.enter_async_context(BybitSim(recast(load_scenario("demo"), BybitSim.CAST, 50_000.0)))
        held = BybitSim.CAST["BTCUSDT"].symbol
        config = stage.configure(
            venues={
                "binance": {"stream_url": stage.sim.stream_url, "rest_url": stage.sim.rest_url},
                "bybit": {"stream_url": bybit.stream_url, "rest_url": bybit.rest_url},
            },
            accounts=[
                {"name": "a", "venue": "binance", "margin_mode": "isolated", "positions": [short]},
                {
                    "name": "b",
                    "venue": "bybit",
                    "margin_mode": "isolated",
                    "positions": [short | {"name": "other", "symbol": held}],
                },
            ],
        )
        daemon = stage.start(config)
        await daemon.shows(
            lambda m: [m.value("perp_position_quality", position=p) for p in ("short", "other")] == [0, 0]
        )
        yield daemon, bybit


async def test_an_outage_of_one_venue_leaves_the_other_live(stage, beside, short_at, eventually):
    daemon, bybit = beside
    bybit.refuse(1000.0)
    bybit.cut(abort=True)
    await daemon.shows(lambda m: m.value("perp_position_quality", position="other") == 2)
    stage.move("BTCUSDT", short_at["critical"])
    await eventually(lambda: stage.heard(kind="position.critical"))
    metrics = await daemon.metrics()
    assert metrics.value("perp_position_quality", position="short") == 0
    assert metrics.value("perp_monitor_feed_up", venue="binance") == 1
    assert metrics.value("perp_monitor_feed_up", venue="bybit") == 0


async def test_nonsense_from_one_venue_leaves_the_other_live(stage, beside, short_at, eventually):
    daemon, bybit = beside
    for junk in (b"{", b"\xff\xfe", b"[" * 4000, json.dumps({"topic": "tickers.BTCUSDT", "data": []}).encode()):
        for _ in range(200):
            bybit.send_raw(None, junk)
    stage.move("BTCUSDT", short_at["critical"])
    await eventually(lambda: stage.heard(kind="position.critical"))
    rejected = "perp_monitor_feed_rejected_total"
    metrics = await daemon.shows(lambda m: (m.value(rejected, venue="bybit", reason="not_json") or 0) > 100)
    assert metrics.value("perp_position_quality", position="short") == 0
    assert metrics.drops() == {}


async def test_each_venue_keeps_its_own_prices_and_units(stage, beside):
    daemon, bybit = beside
    bybit.set_mark(BybitSim.CAST["BTCUSDT"].symbol, 51_000.0)
    metrics = await daemon.shows(lambda m: m.value("perp_mark_price", venue="bybit", symbol="BTCUSDT") == 51_000.0)
    assert metrics.value("perp_mark_price", venue="binance", symbol="BTCUSDT") == 50_000.0
    assert metrics.value("perp_contract_info", venue="bybit", symbol="BTCUSDT", base="BTC", quote="USDT") == 1
