"""What a venue can do to the daemon over real sockets, and how it gets over it."""

import asyncio
import time

import pytest

POSITIONS = ("short", "long")
STALE = 2
CONNECTIONS = 4
"""Marks, tickers, quotes, books."""


def quality(metrics, position: str) -> float | None:
    return metrics.value("perp_position_quality", position=position)


def all_live(metrics) -> bool:
    return all(quality(metrics, position) == 0 for position in POSITIONS)


@pytest.fixture
async def daemon(stage, short, long):
    """A daemon whose two positions are live."""
    found = stage.start(stage.configure(short, long))
    await found.ready()
    return found


async def test_a_venue_that_is_down_at_the_start_stops_nobody_and_is_taken_up_when_it_returns(stage, short, long):
    await stage.sim.streams.stop_listening()
    await stage.sim.rest.stop_listening()
    daemon = stage.start(stage.configure(short, long))
    await daemon.started()
    status, text = await daemon.get("/-/ready")
    assert status == 503
    assert "position short: unknown (never" in text
    assert "position long: unknown (never" in text
    assert (await daemon.get("/-/healthy"))[0] == 200

    await stage.sim.streams.listen()
    await stage.sim.rest.listen()
    await daemon.ready()
    assert (await daemon.get("/-/healthy"))[0] == 200
    assert not stage.receiver.messages, "the grace of the start was not over"


async def test_all_connections_deliver(daemon):
    """A stream asked for on the wrong path is acknowledged and stays silent: only data prove it right."""

    def accepted(metrics) -> bool:
        name = "perp_price_accepted_timestamp_seconds"
        fields = ("mark", "index", "last")
        times = [metrics.value(name, symbol=s, field=f) for s in ("BTCUSDT", "ETHUSDT") for f in fields]
        return None not in times

    metrics = await daemon.shows(accepted)
    assert metrics.value("perp_mark_price", symbol="BTCUSDT") == 50_000
    assert metrics.value("perp_last_price", symbol="ETHUSDT") == 2_000
    assert metrics.drops() == {}


async def test_one_silent_symbol_is_unknown_alone_and_comes_back(stage, daemon):
    stage.sim.silence(3600, symbol="ETHUSDT")
    metrics = await daemon.shows(lambda metrics: quality(metrics, "long") == STALE)
    assert quality(metrics, "short") == 0
    status, text = await daemon.get("/-/ready")
    assert (status, text) == (503, "position long: unknown (stale, no_data)\n")

    stage.sim.speak()
    metrics = await daemon.shows(all_live)
    assert metrics.drops() == {}, "its neighbours on the same connection were left alone"


async def test_a_silent_mark_price_is_stood_in_for_by_others(stage, daemon):
    stage.sim.silence(3600, symbol="BTCUSDT", stream="btcusdt@markPrice@1s")
    metrics = await daemon.shows(lambda metrics: quality(metrics, "short") == 1)
    assert quality(metrics, "long") == 0
    assert (await daemon.get("/-/ready"))[0] == 200


async def test_a_feed_that_falls_silent_on_open_sockets_makes_positions_unknown_and_lowers_nothing(
    stage, daemon, short_at, eventually
):
    stage.move("BTCUSDT", short_at["critical"])
    before = await daemon.shows(lambda metrics: metrics.value("perp_position_level", position="short") == 2)
    distance = "perp_position_liquidation_distance_ratio"
    assert 0 < before.value(distance, position="short") < 0.02

    stage.sim.silence(3600)
    stage.sim.set_mark("BTCUSDT", 50_000.0)
    metrics = await daemon.shows(lambda metrics: all(quality(metrics, p) == STALE for p in POSITIONS))
    assert [metrics.value(distance, position=position) for position in POSITIONS] == [None, None]
    assert metrics.value("perp_position_level", position="short") == 2
    await eventually(lambda: stage.heard(kind="feed.down"))
    assert stage.heard(kind="feed.down")[0].json()["data"]["condition"] == "unknown"
    await daemon.shows(lambda metrics: metrics.drops().get("data_timeout"))

    stage.sim.speak()
    metrics = await daemon.shows(all_live)
    await eventually(lambda: stage.heard(kind="feed.recovered"))
    assert metrics.value("perp_position_level", position="short") == 2, "not at the line for a minute yet"
    assert not stage.heard(kind="position.resolved")


@pytest.mark.parametrize(("how", "reason"), [({"code": 1001}, "closed"), ({"abort": True}, "reset")])
async def test_cut_connections_are_opened_again(stage, daemon, how, reason):
    opened = len(stage.sim.journal.opened)
    assert stage.sim.cut(**how) == CONNECTIONS
    metrics = await daemon.shows(
        lambda metrics: metrics.value("perp_monitor_feed_connected") and metrics.drops().get(reason) == CONNECTIONS
    )
    assert metrics.drops() == {reason: CONNECTIONS}
    async with asyncio.timeout(30):
        while len(stage.sim.clients()) < CONNECTIONS:  # noqa: ASYNC110 - the venue's side of it
            await asyncio.sleep(0.05)
    assert len(stage.sim.journal.opened) == opened + CONNECTIONS, "one reconnect for each drop"
    stage.move("BTCUSDT", 50_100.0)
    await daemon.shows(lambda metrics: metrics.value("perp_mark_price", symbol="BTCUSDT") == 50_100)


async def test_a_venue_that_asks_for_quiet_is_left_alone_for_as_long(stage, daemon):
    refused_from = stage.sim.clock()
    stage.sim.answer_with(429, 2, retry_after_seconds=5, server="stream")
    stage.sim.cut(abort=True)
    await daemon.shows(lambda metrics: metrics.drops().get("rate_limited"))
    opened = len(stage.sim.journal.opened)
    while stage.sim.clock() < refused_from + 4.5:
        await asyncio.sleep(0.1)
        assert len(stage.sim.journal.opened) == opened, "it was asked again inside the time it wished for"
    metrics = await daemon.shows(lambda metrics: len(stage.sim.clients()) == CONNECTIONS and all_live(metrics))
    assert set(metrics.drops()) == {"reset", "rate_limited"}


async def test_a_venue_that_refuses_connections_for_a_while_is_taken_up_again(stage, daemon):
    stage.sim.refuse(3)
    stage.sim.cut(abort=True)
    await daemon.shows(lambda metrics: metrics.drops().get("refused"))
    stage.move("BTCUSDT", 50_100.0)
    await daemon.shows(lambda m: all_live(m) and m.value("perp_mark_price", symbol="BTCUSDT") == 50_100)
    assert daemon.process.poll() is None


async def test_malformed_frames_are_skipped_counted_and_end_nothing(stage, daemon):
    mark = '{"stream":"btcusdt@markPrice@1s","data":{"e":"markPriceUpdate",%s}}'
    now = int(time.time() * 1000)
    negative = mark % f'"E":{now},"s":"BTCUSDT","p":"-1","P":"50000","i":"50000","r":"0","T":0,"st":1'
    for frame in ("not json", "[[[[", "{}", mark % '"E":1', negative):
        stage.sim.send_raw("market", frame.encode())
    sent = 2 * len(stage.sim.clients("market"))

    def counted(metrics) -> bool:
        rejected = metrics.reasons("perp_monitor_feed_rejected_total")
        return (rejected.get("not_json"), rejected.get("missing_field"), rejected.get("bad_price")) == (
            sent, sent / 2, sent / 2,
        )  # fmt: skip

    metrics = await daemon.shows(counted)
    assert metrics.value("perp_mark_price", symbol="BTCUSDT") == 50_000
    stage.move("BTCUSDT", 50_100.0)
    metrics = await daemon.shows(lambda m: all_live(m) and m.value("perp_mark_price", symbol="BTCUSDT") == 50_100)
    assert metrics.drops() == {}
    assert daemon.log("frame.skipped")
    assert not daemon.log("task.restarted")
