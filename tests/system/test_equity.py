"""An account given by its equity keeps, over a restart, the balance that this equity was found to mean."""

LIQUIDATION = "perp_position_liquidation_price"


async def test_a_restart_in_a_falling_market_moves_no_liquidation_price(stage):
    long = {"name": "long", "symbol": "BTCUSDT", "side": "long", "contracts": 1, "entry_price": 50000}
    account = {"name": "main", "venue": "binance", "margin_mode": "cross", "equity": 5000, "positions": [long]}
    config = stage.configure(accounts=[account])
    first = stage.start(config)
    await first.ready()
    before = (await first.metrics()).value(LIQUIDATION, position="long")
    first.process.terminate()
    assert await first.ended() == 0
    stage.sim.set_mark("BTCUSDT", 46_000.0)
    second = stage.start(config)
    await second.ready()
    metrics = await second.metrics()
    assert metrics.value(LIQUIDATION, position="long") == before
    assert metrics.value("perp_position_level", position="long") == 2
