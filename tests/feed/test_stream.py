"""The websocket loop against a real server that misbehaves."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.frames import Opcode

from monitor.core.events import FeedConnected, FeedLost, MarkPrice


@pytest.fixture
def feed(make_feed, server):
    return make_feed(stream_url=server.url)


def open_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def lost(engine):
    return [event.reason for event in engine.of(FeedLost)]


async def test_prices_reach_the_engine_after_the_subscription(feed, running, until, engine):
    async with running(feed):
        await until(lambda: {price.symbol for price in engine.of(MarkPrice)} == {"BTC", "ETH"})
        assert engine.of(FeedConnected) == [FeedConnected("tiny", "one")]
        assert feed.stats.open_connections == 1
        assert feed.stats.messages["mark_price",] >= 2


async def test_alerts_of_the_engine_are_announced(feed, running, until, engine, server):
    engine.alerts_for = ("an alert",)
    async with running(feed):
        await until(lambda: server.peers)
        await server.peer.send({"liquidated": "BTC"})
        await until(lambda: engine.announced == [("an alert",)])


async def test_a_connection_without_a_close_frame_is_a_reset_and_is_opened_again(feed, running, until, engine, server):
    async with running(feed):
        await until(lambda: engine.of(MarkPrice))
        server.peer.abort()
        await until(lambda: ("data", 2) in server.story)
        assert lost(engine) == ["reset"]
        assert feed.stats.drops["reset",] == 1


async def test_half_a_frame_is_thrown_away_and_the_connection_opened_again(feed, running, until, engine, server):
    async with running(feed):
        await until(lambda: engine.of(MarkPrice))
        server.peer.connection.transport.write(b'\x81\x7e\x00\xc8{"mark": [["BTC", 1.0')
        await asyncio.sleep(0.02)
        server.peer.abort()
        await until(lambda: ("data", 2) in server.story)
        assert lost(engine) == ["reset"]
        assert {price.mark_price for price in engine.of(MarkPrice)} == {100.0}


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1012, 1013])
async def test_a_polite_close_is_a_failure_like_any_other(feed, running, until, engine, server, code):
    async with running(feed):
        await until(lambda: engine.of(MarkPrice))
        await server.peer.connection.close(code)
        await until(lambda: ("data", 2) in server.story)
        assert lost(engine) == ["closed"]


async def test_a_frame_above_the_limit_costs_the_connection(feed, running, until, engine, server):
    async with running(feed):
        await until(lambda: engine.of(MarkPrice))
        await server.peer.send("x" * 5000)
        await until(lambda: ("data", 2) in server.story)
        assert lost(engine) == ["too_big"]


async def test_a_fragmented_message_is_limited_as_a_whole(feed, running, until, engine, server):
    async with running(feed):
        await until(lambda: engine.of(MarkPrice))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(server, "mute", {"everything"})
            await server.peer.connection.send(["x" * 1000 for _ in range(5)])
        await until(lambda: lost(engine) == ["too_big"])


async def test_all_streams_silent_ends_the_connection_at_once_without_a_closing_handshake(
    feed, running, until, engine, server
):
    async with running(feed):
        await until(lambda: engine.of(MarkPrice))
        server.ignored_until = 1
        await until(lambda: ("data", 2) in server.story)
        assert lost(engine) == ["data_timeout"]
        assert server.peers[0].connection.close_code == 1006


async def test_heartbeats_do_not_keep_a_connection_without_data_alive(feed, running, until, engine, server):
    server.beats = True
    async with running(feed):
        await until(lambda: engine.of(MarkPrice))
        server.ignored_until = 1
        await until(lambda: ("data", 2) in server.story)
        assert lost(engine) == ["data_timeout"]


async def test_an_acknowledgement_is_no_data(feed, running, until, engine, server):
    server.ignored_until = 1
    async with running(feed):
        await until(lambda: ("data", 2) in server.story)
        assert lost(engine) == ["data_timeout"]


async def test_one_silent_symbol_is_asked_for_again_and_its_neighbour_keeps_its_connection(
    feed, running, until, engine, server
):
    async with running(feed):
        await until(lambda: engine.age("ETH") < 1.0)
        server.peer.mute.add("mark.ETH")
        await until(lambda: (1, "subscribe", ("mark.ETH",)) in server.asked)
        assert (1, "unsubscribe", ("mark.ETH",)) in server.asked
        server.peer.mute.clear()
        await until(lambda: engine.age("ETH") < 0.2)
        assert len(server.peers) == 1
        assert lost(engine) == []


async def test_a_symbol_that_stays_silent_gets_a_new_connection_before_the_old_one_goes(
    feed, running, until, engine, server
):
    async with running(feed):
        await until(lambda: engine.age("ETH") < 1.0)
        server.peer.mute.add("mark.ETH")
        await until(lambda: ("closed", 1) in server.story)
        assert server.asked.count((1, "subscribe", ("mark.ETH",))) == 3
        assert server.story.index(("data", 2)) < server.story.index(("closed", 1))
        await until(lambda: engine.age("ETH") < 0.2)
        assert lost(engine) == []
        assert feed.stats.drops["data_timeout",] == 1


async def test_an_array_stream_is_not_silent_while_one_of_its_symbols_moves(
    make_feed, tiny, running, until, engine, server
):
    server.mute = {"ETH"}
    async with running(make_feed(tiny.venue(array=True), stream_url=server.url)):
        await until(lambda: len(engine.of(MarkPrice)) > 40)
        assert [op for _, op, _ in server.asked] == ["subscribe"]


async def test_prices_that_the_engine_refuses_are_no_reason_to_reconnect(feed, running, until, engine, server):
    engine.refused = {"ETH", "BTC"}
    async with running(feed):
        await until(lambda: len(engine.of(MarkPrice)) > 60)
        assert len(server.peers) == 1
        assert [op for _, op, _ in server.asked] == ["subscribe"]


async def test_frames_that_cannot_be_read_are_no_reason_to_reconnect(feed, running, until, engine, server):
    server.price = "renamed"
    async with running(feed):
        await until(lambda: feed.stats.rejected.get(("bad_price",), 0) > 60)
        assert len(server.peers) == 1
        assert [op for _, op, _ in server.asked] == ["subscribe"]


async def test_malformed_frames_are_counted_and_the_good_ones_between_them_used(feed, running, until, engine, server):
    garbage = ['{"mark": [["BTC"', "[1]", b"\xff\xfe\x00", "", "<html>", "[" * 4000, '{"news": 1}']
    server.mute = {"everything"}
    async with running(feed):
        await until(lambda: server.peers and server.peer.streams)
        for number, frame in enumerate(garbage):
            await server.peer.send(frame)
            await server.peer.send({"mark": [["BTC", 1.0 + number, 0.0]]})
        await until(lambda: len(engine.of(MarkPrice)) == len(garbage))
        counted = {reason: count for (reason,), count in feed.stats.rejected.items() if count}
        assert counted == {"malformed": 5, "not_an_object": 1}
        assert len(server.peers) == 1


async def test_a_spike_in_the_middle_of_a_burst_reaches_the_engine(feed, running, until, engine, server):
    server.mute = {"everything"}
    prices = [*(100.0 + n / 1000 for n in range(1000)), 500.0, 2.0, *(99.0 - n / 1000 for n in range(1000))]
    async with running(feed):
        await until(lambda: server.peers and server.peer.streams)
        for price in prices:
            await server.peer.send({"mark": [["BTC", price, 1.0]]})
        await until(lambda: engine.of(MarkPrice) and engine.of(MarkPrice)[-1].mark_price == prices[-1])
        assert {500.0, 2.0} <= {price.mark_price for price in engine.of(MarkPrice)}


async def test_many_cuts_leave_no_task_and_no_descriptor_behind(make_feed, tiny, running, until, engine, server):
    settings = replace(tiny.settings, backoff_seconds=(0.001,))
    feed = make_feed(stream_url=server.url, settings=settings)
    async with running(feed):
        await until(lambda: engine.of(MarkPrice))
        tasks, descriptors = len(asyncio.all_tasks()), open_descriptors()
        for number in range(30):
            await until(lambda number=number: ("data", number + 1) in server.story)
            server.peer.abort()
        await until(lambda: ("data", 31) in server.story and ("closed", 30) in server.story)
        assert feed.stats.open_connections == 1
        assert abs(len(asyncio.all_tasks()) - tasks) <= 2
        assert abs(open_descriptors() - descriptors) <= 2


async def test_the_connection_rolls_over_before_its_lifetime_ends_and_without_a_gap(
    make_feed, tiny, running, until, engine, server
):
    feed = make_feed(tiny.venue(lifetime=0.6), stream_url=server.url)
    async with running(feed):
        await until(lambda: ("closed", 2) in server.story)
        for number in (1, 2):
            assert server.story.index(("data", number + 1)) < server.story.index(("closed", number))
        assert sum(feed.stats.drops.values()) == 0
        assert lost(engine) == []
        assert [peer.connection.close_code for peer in server.peers[:2]] == [1000, 1000]


async def test_a_successor_that_does_not_deliver_does_not_take_over(make_feed, tiny, running, until, engine, server):
    feed = make_feed(tiny.venue(lifetime=0.6), stream_url=server.url)
    async with running(feed):
        await until(lambda: ("data", 1) in server.story)
        muted = asyncio.Event()

        async def mute_the_second(peer):
            if len(server.peers) == 2:
                peer.mute.update({"mark.BTC", "mark.ETH"})
                muted.set()

        server.on_open = mute_the_second
        await muted.wait()
        await until(lambda: ("closed", 1) in server.story)
        assert server.story.index(("data", 3)) < server.story.index(("closed", 1))
        assert lost(engine) == []


async def test_streaming_goes_on_when_pongs_never_come(make_feed, tiny, running, until, engine, server):
    feed = make_feed(stream_url=server.url, settings=replace(tiny.settings, ping_interval_seconds=0.02))

    pings = []

    async def deaf(peer):
        protocol = peer.connection.protocol
        answering = protocol.recv_frame
        protocol.recv_frame = lambda frame: pings.append(frame) if frame.opcode is Opcode.PING else answering(frame)

    server.on_open = deaf
    async with running(feed):
        await until(lambda: len(engine.of(MarkPrice)) > 60)
        assert len(pings) > 5
        assert len(server.peers) == 1


async def test_the_venues_pings_are_answered(feed, running, until, server):
    async with running(feed):
        await until(lambda: server.peers)
        await (await server.peer.connection.ping(b"1795169703001"))


async def test_control_messages_are_spread_as_the_venue_demands(make_feed, tiny, running, until, engine, server):
    feed = make_feed(tiny.venue(control_per_second=4), stream_url=server.url)
    async with running(feed):
        await until(lambda: engine.age("ETH") < 1.0)
        server.peer.mute.add("mark.ETH")
        await until(lambda: len(server.asked) >= 5)
    times = server.asked_times
    assert max(sum(start <= time < start + 1.0 for time in times) for start in times) <= 4


async def test_no_compression_is_offered(feed, running, until, server):
    async with running(feed):
        await until(lambda: server.peers)
        assert "Sec-WebSocket-Extensions" not in server.peer.connection.request.headers


async def test_proxy_variables_have_no_effect(feed, running, until, engine, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with running(feed):
        await until(lambda: engine.of(MarkPrice))


async def test_a_bug_in_the_engine_restarts_the_task_and_the_third_in_a_row_ends_the_feed(make_feed, engine, server):
    def broken(event, _now):
        if isinstance(event, MarkPrice):
            raise TypeError("a bug")
        return ()

    feed = make_feed(stream_url=server.url)
    feed._loops[0]._intake._apply = broken
    with pytest.raises(ExceptionGroup) as ended:
        async with asyncio.timeout(10):
            await feed.run()
    assert "ended 3 times" in repr(ended.value)
    assert len(server.peers) == 3
