"""What is said beside data: keepalives, answers, greetings, refusals, goodbyes, numbers, leave to connect."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace

import pytest
from aiohttp import web

from monitor.core.events import BookChange, MarkPrice, SubscriptionRefused
from monitor.errors import WireError
from monitor.net.clock import boot
from monitor.venues.base import Admission, Connection, Keepalive, Pass, Poll, Stream, Word


def hear(frame):
    """The tiny venue's words: {"ping": n} wants {"pong": n}; {"no": [...], "why": ...}; {"bye": 1}."""
    message = json.loads(frame)
    if "ping" in message:
        return Word(answer=json.dumps({"op": "pong", "streams": [str(message["ping"])], "id": 0}))
    if "no" in message:
        return Word(refused=tuple(message["no"]), reason=message["why"])
    return Word(leaving=True) if "bye" in message else None


@pytest.fixture
def spoken(make_feed, tiny, server):
    """Make a feed of the tiny venue with more to say."""

    def make(symbols=("BTC", "ETH"), **changes):
        rest = changes.pop("rest_url", "")
        settings = changes.pop("settings", tiny.settings)
        venue = replace(tiny.venue(), hear=hear, **changes)
        return make_feed(venue, symbols, stream_url=server.url, rest_url=rest, settings=settings)

    return make


def said(server, operation):
    return [streams for _, op, streams in server.asked if op == operation]


async def test_a_ping_of_the_venue_is_answered_at_once_and_with_what_it_said(spoken, running, until, server):
    async def ping(peer):
        await peer.send({"ping": 77})

    server.on_open = ping
    async with running(spoken()):
        await until(lambda: ("77",) in said(server, "pong"))


async def test_the_client_speaks_every_so_often_whether_or_not_data_flow(spoken, running, until, server, engine):
    def text(number, now):
        return json.dumps({"op": "alive", "streams": [str(number), str(int(now))], "id": number})

    async with running(spoken(keepalive=Keepalive(0.03, text))):
        await until(lambda: len(said(server, "alive")) >= 3)
        await until(lambda: engine.of(MarkPrice))
    numbers = [int(streams[0]) for streams in said(server, "alive")]
    assert len(set(numbers)) == len(numbers)
    assert abs(int(said(server, "alive")[0][1]) - time.time()) < 5


async def test_a_greeting_goes_out_before_the_subscriptions(spoken, running, until, server, engine):
    hello = json.dumps({"op": "hello", "streams": [], "id": 0})
    async with running(spoken(greeting=(hello,))):
        await until(lambda: engine.of(MarkPrice))
    assert [op for _, op, _ in server.asked][:2] == ["hello", "subscribe"]


async def test_where_the_venue_speaks_first_nothing_is_asked_before(spoken, running, until, server, engine):
    asked_before_the_welcome = []

    async def welcome(peer):
        await asyncio.sleep(0.1)
        asked_before_the_welcome.extend(server.asked)
        await peer.send({"welcome": 1})

    server.on_open = welcome
    async with running(spoken(welcomes=True)):
        await until(lambda: engine.of(MarkPrice))
    assert asked_before_the_welcome == []


async def test_a_first_frame_with_facts_in_it_is_a_welcome_too(spoken, running, until, server, engine):
    async def speak(peer):
        await peer.send({"mark": [["BTC", 100.0, 1.0]]})

    server.on_open = speak
    async with running(spoken(welcomes=True)):
        await until(lambda: said(server, "subscribe"))


async def test_a_venue_that_never_welcomes_is_left_and_tried_again(spoken, running, until, server):
    async with running(spoken(welcomes=True)):
        await until(lambda: len(server.peers) >= 3)
    assert server.asked == []


async def test_a_bad_symbol_in_a_batch_is_found_and_the_rest_runs(spoken, running, until, server, engine, tiny):
    symbols = [f"S{number}" for number in range(9)]
    asked = server.hear

    async def refusing(peer, number, message):
        if message["op"] == "subscribe" and "mark.S4" in message["streams"]:
            server.asked.append((number, "refused", tuple(message["streams"])))
            await peer.send({"no": [str(message["id"])], "why": "no such symbol"})
        else:
            await asked(peer, number, message)

    server.hear = refusing
    feed = spoken(symbols, settings=replace(tiny.settings, slow_retry_seconds=0.4))
    async with running(feed):
        await until(lambda: engine.of(SubscriptionRefused))
        running_now = {f"S{n}" for n in range(9)} - {"S4"}
        await until(lambda: running_now <= {event.symbol for event in engine.of(MarkPrice)})
        tries = len(said(server, "refused"))
        await until(lambda: len(said(server, "refused")) > tries)  # asked again after a while, alone
    told = engine.of(SubscriptionRefused)[0]
    assert (told.symbol, told.field, told.reason) == ("S4", "mark", "no such symbol")
    assert said(server, "refused")[-1] == ("mark.S4",)
    assert len(server.peers) == 1


async def test_a_venue_that_says_goodbye_is_left_before_it_goes(spoken, running, until, server, engine):
    async with running(spoken()) as task:
        await until(lambda: engine.of(MarkPrice))
        await server.peer.send({"bye": 1})
        await until(lambda: ("closed", 1) in server.story)
        assert not task.done()
    first_closed = server.story.index(("closed", 1))
    assert server.story.index(("data", 2)) < first_closed


async def test_a_hole_in_the_numbers_of_frames_costs_the_connection(spoken, running, until, server, engine):
    def number(frame):
        return json.loads(frame).get("n")

    feed = spoken(frame_number=number)
    async with running(feed):
        await until(lambda: engine.of(MarkPrice))
        for n in (1, 2, 4):
            await server.peer.send({"n": n})
        await until(lambda: feed.stats.drops["sequence_gap",])
        await until(lambda: len(server.peers) == 2)


async def test_a_pass_is_asked_for_before_every_connection(spoken, running, until, server, rest, engine):
    passes = iter(range(1, 100))

    async def bullet(_request):
        return web.json_response({"token": next(passes)})

    rest.script = [bullet, bullet, bullet]
    posted = []

    async def post(request):
        posted.append(request.method)
        return await rest.handle(request)

    def decode(body, url):
        return Pass(f"{url}?token={json.loads(body)['token']}", 0.02)

    app = web.Application()
    app.router.add_post("/bullet", post)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    alive = Keepalive(60.0, lambda n, _now: json.dumps({"op": "alive", "streams": [], "id": n}))
    try:
        async with running(spoken(admission=Admission("/bullet", decode), rest_url=url, keepalive=alive)):
            await until(lambda: engine.of(MarkPrice))
            await until(lambda: said(server, "alive"))  # as often as the pass says
            server.peer.abort()
            await until(lambda: len(server.peers) == 2)
    finally:
        await runner.cleanup()
    assert [path for _, path in server.handshakes] == ["/ws?token=1", "/ws?token=2"]
    assert set(posted) == {"POST"}


async def test_a_pass_that_cannot_be_read_is_asked_for_again(spoken, running, until, server):
    def decode(_body, _url):
        raise WireError("nonsense")

    async def answer(_request):
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/bullet", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    feed = spoken(admission=Admission("/bullet", decode), rest_url=f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        async with running(feed):
            await until(lambda: feed.stats.drops["refused",] >= 2)
    finally:
        await runner.cleanup()
    assert server.handshakes == []


# --- order books -----------------------------------------------------------------------------------------------


def book_venue(tiny, *, snapshot=None, polls=()):
    """A venue whose one stream is a book: {"book": [whole, number, previous]}."""

    def decode(frame, _now):
        message = json.loads(frame)
        if "book" not in message:
            return tiny.decode(frame, _now)
        whole, number, previous = message["book"]
        first = None if snapshot is None else number
        return [BookChange("tiny", "BTC", ((99.0, 1.0),), ((101.0, 1.0),), 0.0, whole, number, previous, first)]

    stream = Stream("book.BTC", ("BTC",), "depth", 60.0, snapshot)
    return replace(
        tiny.venue(polls=polls),
        decode=decode,
        connections=lambda _s, url: [Connection("depth", f"{url}/ws", (stream,))],
    )


async def test_a_book_with_a_hole_is_asked_for_anew_once(make_feed, tiny, running, until, server):
    broken: set[str] = set()
    feed = make_feed(
        book_venue(tiny), ("BTC",), stream_url=server.url, broken_books=lambda _venue: broken, settings=tiny.settings
    )
    async with running(feed):
        await until(lambda: broken.add("BTC") or said(server, "unsubscribe"))
        await until(lambda: len(said(server, "subscribe")) == 2)
        started = boot()
        while boot() - started < 2.5 * tiny.settings.resnapshot_seconds:
            broken.add("BTC")  # as 200 changes would do while the new book is on its way
            await asyncio.sleep(0.005)
    assert len(said(server, "unsubscribe")) <= 4


async def test_a_book_that_is_read_by_rest_is_read_without_touching_the_subscription(
    make_feed, tiny, running, until, server, rest
):
    read = []
    snapshot = Poll("depth", "/depth", {"symbol": "BTC"}, 1, 60.0, lambda body, _now: read.append(body) or [])
    broken = {"BTC"}
    feed = make_feed(
        book_venue(tiny, snapshot=snapshot, polls=(tiny.poll("time"),)),
        ("BTC",),
        stream_url=server.url,
        rest_url=rest.url,
        broken_books=lambda _venue: broken,
    )
    async with running(feed):
        await until(lambda: read)
    assert said(server, "unsubscribe") == []
    assert "/depth" in rest.paths()


async def test_without_depth_no_book_is_asked_for(make_feed, tiny, running, until, server, engine):
    both = replace(
        tiny.venue(),
        connections=lambda s, url: [
            *tiny.venue().connections(s, url),
            Connection("depth", f"{url}/depth", (Stream("book.BTC", ("BTC",), "depth", 60.0),)),
        ],
    )
    async with running(make_feed(both, stream_url=server.url, depth=False)):
        await until(lambda: engine.of(MarkPrice))
    assert {path for _, path in server.handshakes} == {"/ws"}


# --- REST ------------------------------------------------------------------------------------------------------


async def test_a_connection_waits_for_the_resource_that_names_its_streams(
    make_feed, tiny, running, until, server, rest, engine
):
    opened = asyncio.Event()

    async def late(_request):
        await opened.wait()
        return web.json_response({"time": 5_000.0 + boot(), "balance": 7.0})

    rest.script = [late]
    venue = replace(
        tiny.venue(polls=[tiny.poll("time")]),
        connections=lambda s, url: [replace(c, after="time") for c in tiny.venue().connections(s, url)],
    )
    async with running(make_feed(venue, stream_url=server.url, rest_url=rest.url)):
        await until(lambda: rest.requests)
        assert server.handshakes == []
        opened.set()
        await until(lambda: engine.of(MarkPrice))


async def test_a_poll_with_a_body_is_posted(make_feed, tiny, running, until):
    heard = []

    async def info(request):
        heard.append((request.method, request.headers["Content-Type"], await request.json()))
        return web.json_response({"time": boot()})

    app = web.Application()
    app.router.add_post("/info", info)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    poll = replace(tiny.poll("time"), path="/info", body=b'{"type":"meta"}')
    venue = replace(tiny.venue(polls=[poll]), connections=lambda _s, _u: [])
    try:
        feed = make_feed(venue, rest_url=f"http://127.0.0.1:{runner.addresses[0][1]}")
        assert await feed.bootstrap(5.0)
    finally:
        await runner.cleanup()
    assert heard == [("POST", "application/json", {"type": "meta"})]


async def test_terms_are_read_again_when_somebody_asks(make_feed, tiny, running, until, rest):
    polls = [tiny.poll("time"), replace(tiny.poll("fund"), terms=True)]
    feed = make_feed(replace(tiny.venue(polls=polls), connections=lambda _s, _u: []), rest_url=rest.url)
    await feed.bootstrap(5.0)
    async with running(feed):
        feed.read_terms()
        await until(lambda: rest.paths().count("/fund") == 2)
    assert rest.paths().count("/time") == 1


async def test_a_poll_of_another_host_goes_there_unless_the_operator_names_one(make_feed, tiny, rest):
    poll = replace(tiny.poll("time"), host=rest.url)
    venue = replace(tiny.venue(polls=[poll]), connections=lambda _s, _u: [], rest_url="http://127.0.0.1:9")
    assert await make_feed(venue, rest_url=venue.rest_url).bootstrap(5.0)
    elsewhere = replace(venue, polls=lambda _s: [replace(poll, host="http://127.0.0.1:9")])
    assert await make_feed(elsewhere, rest_url=rest.url).bootstrap(5.0)
