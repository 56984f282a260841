"""One open websocket: subscribe, read, watch, until it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from monitor.errors import FeedError, FeedStale
from monitor.feed.dial import dropped
from monitor.feed.intake import Intake, Trace
from monitor.feed.settings import FeedSettings
from monitor.feed.watch import Accepted, Watch
from monitor.net.clock import boot
from monitor.net.window import Window, wait_for_room
from monitor.venues.base import Connection, Stream, Venue

YIELD_FRAMES = 512
"""Frames taken in one go before the event loop gets its turn, however many more are ready."""

OVERSLEPT = 4.0
"""A watchdog that wakes this many intervals late was itself held up: what waits in the socket is read first."""


class Line:
    """A websocket in use. ``over`` is set when it has ended, ``news`` also when it wants a successor."""

    def __init__(
        self,
        venue: Venue,
        connection: Connection,
        websocket: ClientConnection,
        intake: Intake,
        accepted: Accepted,
        settings: FeedSettings,
        *,
        retire_at: float,
        heal_at: float,
        data_flowed: Callable[[float], None],
        proving: bool = False,
    ) -> None:
        self.connection = connection
        self.news = asyncio.Event()
        self.over = asyncio.Event()
        self.error: FeedError | None = None
        """Why it ended; None while it lives."""
        self.wants_successor = ""
        """``planned`` before its lifetime ends, ``data_timeout`` for a stream that nothing else brought back."""
        self.silent_seconds = 0.0
        self.subscribed = False
        """All has been asked for; whether it comes is another question."""
        self._venue = venue
        self._websocket = websocket
        self._intake = intake
        self._settings = settings
        self._retire_at = retire_at
        self._heal_at = heal_at
        self._data_flowed = data_flowed
        self._trace = Trace()
        self._requests = 0
        # Half the rate that is allowed: the network may push together what we sent apart.
        self._control = Window(max(1, venue.limits.control_messages_per_second // 2), 1.0)
        self.watch = Watch(connection.streams, accepted, self._trace, settings, boot(), proving=proving)

    async def run(self) -> None:
        """Work until the line has ended. What is no end of a connection is a bug and is raised."""
        self._intake.stats.open_connections += 1
        try:
            async with asyncio.TaskGroup() as group:
                keeper = group.create_task(self._keep(), name=f"watchdog {self.connection.name}")
                await self._read()
                keeper.cancel()
        finally:
            self._intake.stats.open_connections -= 1
            self._websocket.transport.abort()
            self.over.set()
            self.news.set()

    async def retire(self) -> None:
        """Close politely: the successor has taken over."""
        await self._websocket.close()

    def cut(self, error: FeedError | None = None) -> None:
        """End the line at once, without a closing handshake that a dead peer would not answer."""
        self.error = self.error or error
        self._websocket.transport.abort()

    async def _read(self) -> None:
        receive, take, trace, intake = self._websocket.recv, self._intake.take, self._trace, self._intake
        try:
            while True:
                take(await receive(decode=False), trace)
                if intake.taken >= YIELD_FRAMES:
                    await asyncio.sleep(0)
        except ConnectionClosed as end:
            self.error = self.error or dropped(end)

    async def _keep(self) -> None:
        """Subscribe, then look after the streams. Ends quietly when the connection does: the reader knows why."""
        with contextlib.suppress(ConnectionClosed):
            try:
                await self._say(self._venue.subscribe, self.connection.streams)
                self.subscribed = True
                await self._look_after()
            except TimeoutError:
                self.cut(FeedStale("the venue takes no more bytes"))

    async def _look_after(self) -> None:
        interval = self._settings.watch_seconds
        last = boot()
        while True:
            await asyncio.sleep(interval)
            now = boot()
            overslept, last = now - last > OVERSLEPT * interval, now
            if overslept:
                continue
            if now - self._trace.last_data <= self._settings.silence_floor_seconds:
                self._data_flowed(now)
            verdict = self.watch.check(now)
            self.silent_seconds = verdict.silent_seconds
            if verdict.dead:
                self.cut(FeedStale(f"no data for {verdict.silent_seconds:.1f} s"))
                return
            if now >= self._retire_at:
                self._ask_for_successor("planned")
            elif verdict.replace and now >= self._heal_at:
                self._ask_for_successor("data_timeout")
            if verdict.ask_again:
                await self._say(self._venue.unsubscribe, verdict.ask_again)
                await self._say(self._venue.subscribe, verdict.ask_again)

    def _ask_for_successor(self, why: str) -> None:
        self.wants_successor = why
        self.news.set()

    async def _say(self, words: Callable[[Sequence[Stream], int], list[str]], streams: Sequence[Stream]) -> None:
        """Send control frames, no faster than the venue allows. Raises ``TimeoutError`` if they do not go out."""
        frames = words(streams, self._requests + 1)
        self._requests += len(frames)
        for frame in frames:
            self._control.spend(await wait_for_room(self._control.delay))
            async with asyncio.timeout(self._settings.open_timeout_seconds):
                await self._websocket.send(frame)
