"""The websocket side of a simulated venue: clients, subscriptions, pings, lifetimes, silences, cuts.

A subscription is kept under (path, stream name) and data are published under (path, stream name): what was
asked for on the wrong path, or misspelt, is therefore never sent, however well it was acknowledged.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from math import inf
from typing import Any, Protocol

import msgspec
from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from monitor.sim.journal import Journal, boot
from monitor.sim.limits import Limits

BUFFER_LIMIT = 64 << 20
"""A client that lets this many bytes pile up is dropped, as a real venue would."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where an address leads: the path whose data flow there, the first streams, wrapped or bare payloads."""

    path: str
    streams: tuple[str, ...]
    combined: bool


@dataclass(eq=False, slots=True)
class Client:
    """One websocket, as the venue sees it. ``allowance`` is how many control messages it may send just now.

    ``heard`` and ``told`` are when either side last spoke (boot clock); ``notes`` belong to the venue's dialect. With
    ``pack`` every frame is packed and sent as a binary one.
    """

    connection: ServerConnection
    path: str
    combined: bool
    allowance: float
    allowance_time: float
    streams: dict[str, None] = field(default_factory=dict)
    heard: float = field(default_factory=boot)
    told: float = field(default_factory=boot)
    pack: Callable[[bytes], bytes] | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def send(self, frame: bytes) -> None:
        """Send one frame without waiting; a closed connection is skipped."""
        self.told = boot()
        if self.pack is None:
            broadcast((self.connection,), frame, text=True)
        else:
            broadcast((self.connection,), self.pack(frame))

    def abort(self) -> None:
        """Drop the connection without a closing handshake."""
        self.connection.transport.abort()


@dataclass(frozen=True, slots=True)
class Silence:
    """What is not sent until a time; None means any."""

    until: float
    path: str | None
    symbol: str | None
    stream: str | None

    def covers(self, path: str, stream: str, symbol: str | None) -> bool:
        """Return whether data of *symbol* on that path and stream fall under it."""
        return self.path in (None, path) and self.stream in (None, stream) and self.symbol in (None, symbol)


class Dialect(Protocol):
    """What a venue adds to the plumbing: its addresses and its control messages."""

    def route(self, target: str) -> Route | None:
        """Return where an address leads; None is answered with 404."""

    async def welcome(self, client: Client, streams: Iterable[str]) -> None:
        """Subscribe *client* to the streams that its address named."""

    async def hear(self, client: Client, text: str) -> None:
        """Answer one control message."""


class StreamServer:
    """The websocket server of one venue. ``clock`` is the scenario's time, ``speed`` how fast it runs."""

    def __init__(
        self, dialect: Dialect, limits: Limits, journal: Journal, *, clock: Callable[[], float], speed: float
    ) -> None:
        self.clients: dict[Client, None] = {}
        self.host, self.port = "127.0.0.1", 0
        self.refusing_until = 0.0
        self._dialect = dialect
        self._limits = limits
        self._journal = journal
        self._clock = clock
        self._speed = speed
        self.pack: Callable[[bytes], bytes] | None = None
        """Packs every frame into a binary one, where the venue compresses them itself."""
        self._subscribers: dict[tuple[str, str], dict[Client, None]] = {}
        self._silences: list[Silence] = []
        self._servers: list[Server] = []
        self._refusal: tuple[float, int, int | None] | None = None

    # listening

    async def listen(self) -> None:
        """Start (or start again) to accept connections; the port stays the same once chosen."""
        server = await serve(
            self._serve,
            self.host,
            self.port,
            process_request=self._admit,
            compression=None,
            ping_interval=None,
            close_timeout=1,
            max_size=1 << 20,
        )
        self.port = next(iter(server.sockets)).getsockname()[1]
        self._servers.append(server)

    async def stop_listening(self) -> None:
        """Let new connections be refused by the system; open ones live on."""
        self._servers[-1].close(close_connections=False)
        await asyncio.sleep(0)  # the library closes its socket in a task of its own

    async def close(self) -> None:
        """Close everything and wait until it is gone."""
        await self.stop_listening()
        for client in list(self.clients):
            await client.connection.close(1001, "server going away")
        for server in self._servers:
            await server.wait_closed()

    def refuse_handshakes(self, status: int, until: float, retry_after_seconds: int | None) -> None:
        """Answer websocket handshakes with *status* until then."""
        self._refusal = (until, status, retry_after_seconds)

    # data out

    def wanted(self, path: str, stream: str) -> bool:
        """Return whether anybody listens to *stream* where its data flow."""
        return (path, stream) in self._subscribers

    def silent(self, path: str, stream: str, symbol: str | None = None) -> bool:
        """Return whether such data are being kept back."""
        if not self._silences:
            return False
        now = self._clock()
        self._silences = [silence for silence in self._silences if silence.until > now]
        return any(silence.covers(path, stream, symbol) for silence in self._silences)

    def hush(self, silence: Silence) -> None:
        """Keep data back as *silence* says."""
        self._silences.append(silence)

    def end_silences(self) -> None:
        """Let all data flow again."""
        self._silences.clear()

    def publish(self, path: str, stream: str, payload: bytes, symbol: str | None = None) -> None:
        """Send *payload* to everybody who listens to *stream*, wrapped for those who asked for that."""
        clients = self._subscribers.get((path, stream))
        if not clients or self.silent(path, stream, symbol):
            return
        wrapped = b'{"stream":' + msgspec.json.encode(stream) + b',"data":' + payload + b"}"
        self._send((client for client in clients if client.combined), wrapped)
        self._send((client for client in clients if not client.combined), payload)

    def send_raw(self, path: str | None, frame: bytes) -> int:
        """Send *frame* as it is to every client of *path* (or all); return how many. No silence holds it back."""
        return self._send((client for client in self.clients if path in (None, client.path)), frame)

    def _send(self, clients: Iterable[Client], frame: bytes) -> int:
        chosen, now = tuple(clients), boot()
        if self.pack is None:
            broadcast((client.connection for client in chosen), frame, text=True)
        else:
            broadcast((client.connection for client in chosen), self.pack(frame))
        for client in chosen:
            client.told = now
            if client.connection.transport.get_write_buffer_size() > BUFFER_LIMIT:
                client.abort()
        self._journal.counts["sent",] += len(chosen)
        return len(chosen)

    # subscriptions

    def subscribe(self, client: Client, stream: str) -> bool:
        """Note the wish; False when the connection already carries as many streams as it may."""
        if stream not in client.streams and len(client.streams) >= self._limits.streams_per_connection:
            return False
        client.streams[stream] = None
        self._subscribers.setdefault((client.path, stream), {})[client] = None
        return True

    def unsubscribe(self, client: Client, stream: str) -> None:
        """Forget the wish, if there was one."""
        client.streams.pop(stream, None)
        listeners = self._subscribers.get((client.path, stream), {})
        listeners.pop(client, None)
        if not listeners:
            self._subscribers.pop((client.path, stream), None)

    # one connection

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if self._refusal is not None and self._refusal[0] > self._clock():
            _, status, retry_after = self._refusal
            response = connection.respond(HTTPStatus(status), "refused\n")
            if retry_after is not None:
                response.headers["Retry-After"] = str(retry_after)
            return response
        if self._dialect.route(request.path) is None:
            return connection.respond(HTTPStatus.NOT_FOUND, "not found\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        target = connection.request.path
        route = self._dialect.route(target)
        assert route is not None
        client = Client(connection, route.path, route.combined, self._limits.control_burst, boot(), pack=self.pack)
        self.clients[client] = None
        self._journal.note_opened(target, route.path)
        try:
            async with asyncio.TaskGroup() as group:
                watchers = [
                    group.create_task(self._ping(client)),
                    group.create_task(self._expire(client)),
                    group.create_task(self._drop_idle(client)),
                ]
                await self._listen_to(client, route)
                for watcher in watchers:
                    watcher.cancel()
        finally:
            for stream in list(client.streams):
                self.unsubscribe(client, stream)
            del self.clients[client]
            self._journal.note_closed(route.path, connection.close_code or 1006, connection.close_reason or "")

    async def _listen_to(self, client: Client, route: Route) -> None:
        try:
            await self._dialect.welcome(client, route.streams)
            async for message in client.connection:
                text = message if isinstance(message, str) else message.decode(errors="replace")
                client.heard = boot()
                self._journal.note_control(client.path, text)
                if not self._tolerates(client):
                    await client.connection.close(1008, "Too many requests")
                    return
                await self._dialect.hear(client, text)
        except ConnectionClosed:
            return

    def _tolerates(self, client: Client) -> bool:
        now = boot()
        refill = (now - client.allowance_time) * self._limits.control_per_second
        client.allowance = min(self._limits.control_burst, client.allowance + refill) - 1
        client.allowance_time = now
        return client.allowance >= 0

    async def _ping(self, client: Client) -> None:
        """Ping with the time in ms, as the venue does, and let go of clients that do not answer."""
        try:
            while True:
                await asyncio.sleep(self._limits.ping_seconds / self._speed)
                pong = await client.connection.ping(str(int(time.time() * 1000)))
                try:
                    async with asyncio.timeout(self._limits.pong_seconds / self._speed):
                        await pong
                except TimeoutError:
                    await client.connection.close(1008, "Pong timeout")
                    return
        except ConnectionClosed:
            return

    async def _drop_idle(self, client: Client) -> None:
        """Let go of a client that says nothing, or to which nothing is sent, for too long."""
        limits = self._limits
        while limits.idle_client_seconds is not None or limits.idle_server_seconds is not None:
            await asyncio.sleep(0.25 / self._speed)
            now = boot()
            silent_client = (now - client.heard) * self._speed > (limits.idle_client_seconds or inf)
            silent_server = (now - client.told) * self._speed > (limits.idle_server_seconds or inf)
            if not (silent_client or silent_server):
                continue
            if limits.idle_code is None:
                client.abort()
            else:
                await client.connection.close(limits.idle_code, "idle")
            return

    async def _expire(self, client: Client) -> None:
        await asyncio.sleep(self._limits.lifetime_seconds / self._speed)
        await client.connection.close(1001, "connection lifetime reached")
