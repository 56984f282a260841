"""A cross account: the fall of one contract alerts the position in another, and a figure of the venue is compared."""

LONGS = [
    {"name": "btc", "symbol": "BTCUSDT", "side": "long", "contracts": 1, "entry_price": 50000},
    {"name": "eth", "symbol": "ETHUSDT", "side": "long", "contracts": 10, "entry_price": 1800},
]


async def test_the_fall_of_one_mark_alerts_the_position_in_the_other_contract(stage, eventually):
    account = {"name": "main", "venue": "binance", "margin_mode": "cross", "balance": 5000, "positions": LONGS}
    daemon = stage.start(stage.configure(accounts=[account]))
    await daemon.ready()
    before = (await daemon.metrics()).value("perp_position_liquidation_price", position="btc")
    for price in (1_750.0, 1_680.0, 1_610.0, 1_550.0, 1_500.0):
        stage.move("ETHUSDT", price)
    await eventually(lambda: stage.heard(kind="position.warning", position="btc"))
    after = (await daemon.metrics()).value("perp_position_liquidation_price", position="btc")
    assert after > before


async def test_a_figure_of_the_venue_that_is_not_ours_is_told_once(stage, eventually):
    held = {**LONGS[0], "margin": 5000, "reported_liquidation_price": 46000}
    daemon = stage.start(stage.configure(held))
    await daemon.ready()
    await eventually(lambda: stage.heard(kind="position.drift", position="btc"))
    assert (await daemon.metrics()).value("perp_position_liquidation_price_drift_ratio", position="btc") < -0.01
    assert len(stage.heard(kind="position.drift")) == 1
