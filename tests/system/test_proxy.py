"""A position at a venue that publishes no feed, watched against another venue's mark of the same contract."""

import pytest

OURS = {"account": "dark-pool", "venue": "xxkk", "position": "dark-short"}


@pytest.fixture
def config(stage, short):
    """The real short, held where nobody publishes a price."""
    position = short | {"name": "dark-short", "symbol": "BTC-USDT"}
    return stage.configure(
        venues={
            "binance": {"stream_url": stage.sim.stream_url, "rest_url": stage.sim.rest_url},
            "xxkk": {"proxy_only": True},
        },
        accounts=[{"name": "dark-pool", "venue": "xxkk", "margin_mode": "isolated", "positions": [position]}],
        terms={
            "BTC-USDT": {
                "proxy_mark": {"venue": "binance", "symbol": "BTCUSDT"},
                "maintenance_rate": 0.004,
                "rule": {"maintenance": "mark", "closing_fee": "none"},
            }
        },
    )


async def test_the_position_is_watched_and_its_figures_are_called_a_stand_in(stage, config, short_at, eventually):
    daemon = stage.start(config)
    await daemon.ready()
    metrics = await daemon.metrics()
    labels = {"position": "dark-short", "venue": "xxkk", "symbol": "BTC-USDT"}
    assert metrics.value("perp_position_quality", **labels) == 1
    assert metrics.value("perp_position_liquidation_distance_ratio", **labels) == pytest.approx(0.0956, abs=1e-4)
    assert metrics.value("perp_mark_price", venue="binance", symbol="BTCUSDT") == 50_000.0
    stage.move("BTCUSDT", short_at["critical"])
    await eventually(lambda: stage.heard(kind="position.critical"))
    (message,) = stage.heard(kind="position.critical")
    data = message.json()["data"]
    assert (data["venue"], data["quality"], data["price_source"]) == ("xxkk", "fallback", "proxy binance BTCUSDT")
    assert "an estimate by binance BTCUSDT" in data["summary"]


async def test_when_the_other_venue_falls_silent_the_position_is_unknown(stage, config, eventually):
    daemon = stage.start(config)
    await daemon.ready()
    stage.sim.silence(1000.0)
    found = await daemon.shows(lambda m: m.value("perp_position_quality", position="dark-short") == 2)
    assert found.value("perp_position_liquidation_distance_ratio", position="dark-short") is None


async def test_a_venue_without_a_feed_needs_a_proxy_for_every_contract(stage, short, perp_monitor):
    config = stage.configure(
        venues={"xxkk": {"proxy_only": True}},
        accounts=[{"name": "a", "venue": "xxkk", "margin_mode": "isolated", "positions": [short]}],
        terms={"BTCUSDT": {"maintenance_rate": 0.004, "rule": {"maintenance": "mark", "closing_fee": "none"}}},
    )
    done = perp_monitor("check-config", config)
    assert done.returncode == 2
    assert b"a proxy_only venue has no marks of its own: write terms.BTCUSDT.proxy_mark" in done.stdout + done.stderr


async def test_a_misspelt_proxy_is_refused_at_the_start_with_its_line(stage, config):
    text = config.read_text().replace('"symbol": "BTCUSDT"', '"symbol": "BTCUSTD"')
    config.write_text(text)
    daemon = stage.start(config)
    assert await daemon.ended() == 2
    assert "proxy_mark: binance lists no contract 'BTCUSTD'" in daemon.said
