"""One open line where the venue is at odds with it: refusals, holes, silence, rate limits, what nobody asked for."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from aiohttp import web

from monitor.core.events import BookChange, MarkPrice, SubscriptionRefused
from monitor.feed.intake import Intake, Trace
from monitor.feed.stats import FeedStats
from monitor.feed.watch import Watch
from monitor.net.clock import boot
from monitor.venues.base import Admission, Pass, Request, Stream, Word


def hear(frame):
    """The tiny venue's words: {"no": [...], "why": ...} and {"bye": 1}."""
    message = json.loads(frame)
    if "no" in message:
        return Word(refused=tuple(message["no"]), reason=message["why"])
    return Word(leaving=True) if "bye" in message else None


@pytest.fixture
def spoken(make_feed, tiny, server):
    """Make a feed of the tiny venue with more to say."""

    def make(symbols=("BTC", "ETH"), *, rest_url="", limits=None, **changes):
        venue = replace(tiny.venue(**(limits or {})), hear=hear, **changes)
        return make_feed(venue, symbols, stream_url=server.url, rest_url=rest_url)

    return make


def said(server, operation, number=None):
    return [streams for n, op, streams in server.asked if op == operation and number in {None, n}]


# --- refusals ------------------------------------------------------------------------------------------------------


async def test_a_no_to_an_unsubscription_refuses_no_stream(spoken, running, until, server, engine):
    """A venue that has lost a stream says "not subscribed" when it is ended, and takes it when it is asked for anew."""
    plain = server.hear

    async def answering(peer, number, message):
        if message["op"] == "unsubscribe":
            server.asked.append((number, "unsubscribe", tuple(message["streams"])))
            await peer.send({"no": [str(message["id"])], "why": "not subscribed"})
            peer.mute.clear()
        else:
            await plain(peer, number, message)

    server.hear = answering
    async with running(spoken()):
        await until(lambda: engine.age("ETH") < 0.1 and engine.age("BTC") < 0.1)
        server.peer.mute.add("mark.ETH")
        await until(lambda: said(server, "unsubscribe"))
        await until(lambda: engine.age("ETH") < 0.1)  # it came after the no
    assert engine.of(SubscriptionRefused) == []


async def test_a_stream_that_is_refused_to_a_successor_does_not_keep_it_from_taking_over(
    spoken, running, until, server, engine
):
    """ETH was delisted since the first connection: the second brings everything there is."""
    plain = server.hear

    async def answering(peer, number, message):
        await plain(peer, number, message)
        if message["op"] == "subscribe" and number > 1 and "mark.ETH" in message["streams"]:
            peer.streams -= set(message["streams"])
            await peer.send({"no": [str(message["id"])], "why": "unknown"})

    server.hear = answering
    async with running(spoken()):
        await until(lambda: engine.of(MarkPrice))
        await server.peers[0].send({"bye": 1})
        await until(lambda: ("closed", 1) in server.story)
        await until(lambda: engine.age("BTC") < 0.1)
    assert len(server.peers) == 2


# --- holes and silence ---------------------------------------------------------------------------------------------


async def test_what_was_sent_after_a_hole_does_not_reach_the_books(spoken, running, until, server, engine, tiny):
    def decode(frame, received):
        message = json.loads(frame)
        if "book" not in message:
            return tiny.decode(frame, received)
        return [BookChange("tiny", "BTC", ((message["book"], 1.0),), (), received)]

    async def with_a_hole(peer):
        for number in (1, 2, 4, 5, 6):
            await peer.send({"n": number, "book": float(number)})

    server.on_open = with_a_hole
    async with running(spoken(decode=decode, frame_number=lambda frame: json.loads(frame).get("n"))):
        await until(lambda: len(server.peers) == 3)
    assert {event.bids[0][0] for event in engine.of(BookChange)} == {1.0, 2.0}


async def test_a_dead_line_is_left_before_everything_was_asked_for(spoken, running, until, server):
    """Thirty streams, one a frame, four frames a second: nobody waits for the last before looking for data."""
    symbols = tuple(f"S{number}" for number in range(30))

    def one_by_one(streams, first_id, _now):
        return [
            Request(json.dumps({"op": "subscribe", "streams": [stream.name], "id": number}), (stream,), str(number))
            for number, stream in enumerate(streams, first_id)
        ]

    server.mute.add("everything")
    async with running(spoken(symbols, limits={"control_per_second": 8}, subscribe=one_by_one)):
        await until(lambda: len(server.peers) == 2)
    assert len(said(server, "subscribe", 1)) < len(symbols)


# --- leave to connect ----------------------------------------------------------------------------------------------


async def test_a_venue_that_limits_how_often_it_is_asked_for_leave_is_left_alone(spoken, running, until, server):
    asked = []

    async def busy(_request):
        asked.append(boot())
        return web.Response(status=429, headers={"Retry-After": "1"})

    app = web.Application()
    app.router.add_post("/bullet", busy)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with running(spoken(admission=Admission("/bullet", lambda _body, to: Pass(to)), rest_url=url)):
            await until(lambda: len(asked) >= 2)
    finally:
        await runner.cleanup()
    assert asked[1] - asked[0] >= 1.0


# --- what is remembered of a line ----------------------------------------------------------------------------------


@pytest.fixture
def watched(tiny, engine):
    """An intake and the trace of a line that is in doubt, so that what comes is remembered; its streams are given."""

    def make(*streams):
        trace = Trace()
        watch = Watch(streams, lambda _symbol, _field: None, trace, tiny.settings, boot(), proving=True)
        intake = Intake("tiny", tiny.decode, engine.apply, lambda _: None, FeedStats("tiny"), tiny.settings)
        return intake, trace, watch

    return make


async def test_contracts_that_nobody_asked_for_are_not_remembered(watched, tiny):
    intake, trace, _ = watched(*tiny.streams(("BTC",)))
    rows = [[symbol, 1.0, 1e9] for symbol in ("BTC", *(f"X{number}" for number in range(100)))]
    intake.take(json.dumps({"mark": rows}).encode(), trace)
    assert set(trace.seen) == {("BTC", "mark")}


def test_of_two_streams_of_one_contract_the_lost_one_is_found_although_the_other_comes(tiny):
    """Where a poll keeps the mark fresh no age shows the loss, and the contract itself is not quiet."""
    mark, last = Stream("mark.BTC", ("BTC",), "mark", 1.0), Stream("last.BTC", ("BTC",), "last", 1.0)
    accepted, trace, now = {}, Trace(), 0.0
    watch = Watch((mark, last), lambda _symbol, field: accepted.get(field), trace, tiny.settings, now)
    asked = []
    while not asked and now < 60.0:
        now += 0.1
        accepted.update(mark=now, last=now)
        trace.last_data = now
        if trace.seen is not None:
            trace.seen["BTC", "last"] = now
        asked += watch.check(now).ask_again
    assert asked == [mark]
