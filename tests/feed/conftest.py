"""A small venue of our own: its dialect, a real websocket server, a real REST server, and an engine that believes all.

Frames are ``{"mark": [[symbol, price, time], ...]}``, ``{"liquidated": symbol}`` and ``{"beat": 1}``; a client sends
``{"op": "subscribe" | "unsubscribe", "streams": [...], "id": n}`` and gets ``{"ack": n}``, which proves nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from monitor.core.contract import LiquidationRule
from monitor.core.events import InsuranceFund, Liquidation, MarkPrice, Rejected, VenueTime
from monitor.errors import WireError
from monitor.feed.feed import VenueFeed
from monitor.feed.settings import FeedSettings
from monitor.feed.stats import FeedStats
from monitor.net.clock import boot
from monitor.venues.base import Connection, Limits, Poll, Request, Stream, Venue

SETTINGS = FeedSettings().scaled(0.05)
"""T_stale 0.25 s, backoff 25 ms to 1.5 s, open time-out 0.5 s."""

TICK_SECONDS = 0.02


def parse(data):
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WireError(str(error)) from error
    if not isinstance(message, dict):
        raise WireError("not an object", reason="not_an_object")
    return message


def decode(frame, _received_time):
    message = parse(frame)
    events = []
    for symbol, price, event_time in message.get("mark", ()):
        if isinstance(price, float) and price > 0.0:
            events.append(MarkPrice("tiny", symbol, price, event_time))
        else:
            events.append(Rejected("tiny", "mark", "bad_price", symbol))
    if "liquidated" in message:
        events.append(Liquidation("tiny", message["liquidated"], "long", 1.0, 1.0, "fill", time.time()))
    return events


def decode_time(body, _received_time):
    return [VenueTime("tiny", parse(body)["time"])]


def decode_fund(body, _received_time):
    return [InsuranceFund("tiny", "main", "USDT", parse(body)["balance"], (), 0.0)]


def words(operation):
    def say(streams, first_id, _now):
        text = json.dumps({"op": operation, "streams": [s.name for s in streams], "id": first_id})
        return [Request(text, tuple(streams), str(first_id))]

    return say


def streams_of(symbols, *, array=False):
    if array:
        return (Stream("mark.all", tuple(symbols), "mark", TICK_SECONDS),)
    one_by_one = tuple(Stream(f"mark.{symbol}", (symbol,), "mark", TICK_SECONDS) for symbol in symbols)
    return (*one_by_one, Stream("liquidations", tuple(symbols), None, TICK_SECONDS))


def tiny_venue(
    *, array=False, lifetime=3600.0, weight_per_minute=1000, polls=None, frame_bytes=4096, control_per_second=1000
):
    return Venue(
        name="tiny",
        rules={"linear": LiquidationRule("tiny", "made up", "2026-11-22", "mark", "notional", "none")},
        stream_url="",
        rest_url="",
        limits=Limits(weight_per_minute, "X-Weight", control_per_second, lifetime, frame_bytes, 65_536),
        expected_intervals={"mark": TICK_SECONDS},
        decode=decode,
        connections=lambda symbols, url: [Connection("one", f"{url}/ws", streams_of(symbols, array=array))],
        subscribe=words("subscribe"),
        unsubscribe=words("unsubscribe"),
        polls=lambda _symbols: list(polls or ()),
        shipped_tiers=lambda _symbol: None,
    )


def tiny_poll(resource="time", *, interval=3600.0, weight=1, params=None):
    decoder = decode_time if resource == "time" else decode_fund
    return Poll(resource, f"/{resource}", params or {}, weight, interval, decoder)


class Engine:
    """Accepts whatever it is given, unless told to refuse a symbol."""

    def __init__(self):
        self.events = []
        self.announced = []
        self.refused = set()
        self.alerts_for = ()
        self._accepted = {}

    def apply(self, event, now):
        self.events.append((event, now))
        if type(event).FIELD and event.symbol not in self.refused:
            self._accepted[event.venue, event.symbol, type(event).FIELD] = now
        return self.alerts_for if isinstance(event, Liquidation) else ()

    def accepted_time(self, venue, symbol, field):
        return self._accepted.get((venue, symbol, field))

    def of(self, kind):
        return [event for event, _ in self.events if isinstance(event, kind)]

    def age(self, symbol):
        return boot() - self._accepted.get(("tiny", symbol, "mark"), float("-inf"))


class Peer:
    """One websocket as the server sees it."""

    def __init__(self, connection: ServerConnection):
        self.connection = connection
        self.streams = set()
        self.mute = set()
        self.last_price = 100.0

    async def send(self, message):
        with contextlib.suppress(ConnectionClosed):
            await self.connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    def abort(self):
        self.connection.transport.abort()


class StreamServer:
    """Streams prices of what is subscribed, and misbehaves where a test says so."""

    def __init__(self):
        self.url = ""
        self.peers = []
        self.asked = []
        """Every control message, with the number of its connection."""
        self.asked_times = []
        self.story = []
        """("open" | "data" | "closed", number of the connection), the first "data" only."""
        self.handshakes = []
        """Boot time and path of every upgrade request."""
        self.answers = []
        """(status, headers) for the next upgrade requests."""
        self.mute = set()
        """Streams that are acknowledged and then silent; ``everything`` for all."""
        self.ignored_until = 0
        """Connections up to this number get no data at all."""
        self.beats = False
        self.on_open = None
        self.price = 100.0

    @property
    def peer(self):
        return self.peers[-1]

    def process_request(self, connection, request):
        self.handshakes.append((boot(), request.path))
        if self.answers:
            status, headers = self.answers.pop(0)
            response = connection.respond(status, "no")
            for name, value in headers.items():
                response.headers[name] = value
            return response
        return None

    async def handle(self, connection):
        peer = Peer(connection)
        self.peers.append(peer)
        number = len(self.peers)
        self.story.append(("open", number))
        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(self.tick(peer, number))
            if self.on_open is not None:
                await self.on_open(peer)
            with contextlib.suppress(ConnectionClosed):
                async for text in connection:
                    await self.hear(peer, number, json.loads(text))
            ticking.cancel()
        self.story.append(("closed", number))

    async def hear(self, peer, number, message):
        self.asked_times.append(boot())
        self.asked.append((number, message["op"], tuple(message["streams"])))
        if message["op"] == "subscribe":
            peer.streams.update(message["streams"])
        else:
            peer.streams.difference_update(message["streams"])
        await peer.send({"ack": message["id"]})

    async def tick(self, peer, number):
        delivered = False
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self.beats:
                await peer.send({"beat": 1})
            if number <= self.ignored_until or "everything" in self.mute:
                continue
            for stream in sorted(peer.streams - self.mute - peer.mute):
                symbols = ["BTC", "ETH"] if stream == "mark.all" else [stream.removeprefix("mark.")]
                if stream.startswith("mark."):
                    rows = [[symbol, self.price, time.time()] for symbol in symbols]
                    await peer.send({"mark": [row for row in rows if row[0] not in self.mute]})
                    if not delivered:
                        delivered = True
                        self.story.append(("data", number))


class Tcp(asyncio.Protocol):
    """A listener that knows no websocket: it accepts, and then cuts at the first byte or stays mute."""

    def __init__(self, *, cuts):
        self.cuts = cuts
        self.accepted = []
        self.port = 0

    def connection_made(self, transport):
        self.accepted.append(transport)

    def data_received(self, _data):
        if self.cuts:
            self.accepted[-1].abort()


class RestServer:
    """Answers /time and /fund, or what a test scripts for the next requests."""

    def __init__(self):
        self.url = ""
        self.requests = []
        """(boot time, path, headers) of each."""
        self.script = []
        """Coroutine functions (request -> response) for the next requests."""
        self.headers = {}

    async def handle(self, request):
        self.requests.append((boot(), request.path, dict(request.headers)))
        if self.script:
            return await self.script.pop(0)(request)
        body = {"time": 5_000.0 + boot(), "balance": 7.0}
        return web.json_response(body, headers=self.headers)

    def paths(self):
        return [path for _, path, _ in self.requests]


def reply(status=200, body=b"", **headers):
    async def answer(_request):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=body, headers=named)

    return answer


@pytest.fixture
async def server() -> AsyncIterator[StreamServer]:
    venue = StreamServer()
    async with serve(
        venue.handle, "127.0.0.1", 0, process_request=venue.process_request, compression=None, close_timeout=0.1
    ) as listening:
        venue.url = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield venue
        for peer in venue.peers:
            peer.abort()


@pytest.fixture
def tcp():
    @contextlib.asynccontextmanager
    async def listen(*, cuts=False):
        peer = Tcp(cuts=cuts)
        async with await asyncio.get_running_loop().create_server(lambda: peer, "127.0.0.1", 0) as listening:
            peer.port = listening.sockets[0].getsockname()[1]
            yield peer
            for transport in peer.accepted:
                transport.abort()

    return listen


@pytest.fixture
async def rest() -> AsyncIterator[RestServer]:
    answering = RestServer()
    app = web.Application()
    app.router.add_get("/{path:.*}", answering.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    answering.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield answering
    await runner.cleanup()


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def make_feed(engine):
    def make(venue=None, symbols=("BTC", "ETH"), *, stream_url="", rest_url="", settings=SETTINGS, **more):
        return VenueFeed(
            venue or tiny_venue(),
            symbols,
            stream_url=stream_url,
            rest_url=rest_url,
            apply=engine.apply,
            announce=engine.announced.append,
            accepted_time=engine.accepted_time,
            stats=FeedStats("tiny"),
            settings=settings,
            **more,
        )

    return make


@pytest.fixture
def running():
    """Run a feed (or anything with ``run``) inside ``async with``; what ends it early fails the test."""

    @contextlib.asynccontextmanager
    async def run(work):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work.run())
            yield task
            task.cancel()

    return run


@pytest.fixture
def until():
    """Wait for a fact; ten seconds are for a busy machine, not a limit of the fact."""

    async def wait(fact: Callable[[], bool], seconds: float = 10.0):
        async with asyncio.timeout(seconds):
            while not fact():  # noqa: ASYNC110 - facts of all kinds are waited for, most have no event
                await asyncio.sleep(0.005)

    return wait


@pytest.fixture
def tiny():
    """The makers of this file, since tests cannot import it."""

    class Makers:
        settings = SETTINGS
        venue = staticmethod(tiny_venue)
        poll = staticmethod(tiny_poll)
        streams = staticmethod(streams_of)
        decode = staticmethod(decode)
        reply = staticmethod(reply)

    return Makers
