"""One open websocket: subscribe, read, watch, until it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from monitor.errors import FeedDropped, FeedError, FeedStale
from monitor.feed.dial import dropped
from monitor.feed.intake import Intake, Trace
from monitor.feed.requests import Requests
from monitor.feed.settings import FeedSettings
from monitor.feed.watch import Accepted, Watch
from monitor.log import Sampler
from monitor.net.clock import boot
from monitor.net.window import Window, wait_for_room
from monitor.venues.base import Connection, Poll, Request, Stream, Venue

log = structlog.get_logger()

YIELD_FRAMES = 512
"""Frames taken in one go before the event loop gets its turn, however many more are ready."""

OVERSLEPT = 4.0
"""A watchdog that wakes this many intervals late was itself held up: what waits in the socket is read first."""

Words = Callable[[Sequence[Stream], int, float], list[Request]]


class Line:
    """A websocket in use. ``over`` is set when it has ended, ``news`` also when it wants a successor.

    *broken_books* is the engine's list of contracts whose book has a hole, *read_soon* asks for a REST resource.
    """

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
        broken_books: set[str],
        read_soon: Callable[[Poll], None],
        keepalive_seconds: float | None = None,
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
        self.asking = False
        """Subscribing has begun."""
        self.subscribed = False
        """All has been asked for; whether it comes is another question."""
        self._silent: Sequence[Stream] = ()
        """What the watchdog wants to have asked for again."""
        self._venue = venue
        self._websocket = websocket
        self._intake = intake
        self._settings = settings
        self._retire_at = retire_at
        self._heal_at = heal_at
        self._data_flowed = data_flowed
        self._broken_books = broken_books
        self._read_soon = read_soon
        self._keepalive_seconds = keepalive_seconds
        self._trace = Trace()
        self._spoken_to = asyncio.Event()
        self._frame_number: int | None = None
        self._requests = Requests(connection.streams, settings, boot())
        # Half the rate that is allowed: the network may push together what we sent apart.
        self._control = Window(max(1.0, venue.limits.control_messages_per_second / 2.0), 1.0)
        self.watch = Watch(connection.streams, accepted, self._trace, settings, boot(), proving=proving)
        self._log = log.bind(venue=venue.name, connection=connection.name)
        self._sampler = Sampler(settings.sample_seconds)

    async def run(self) -> None:
        """Work until the line has ended. What is no end of a connection is a bug and is raised."""
        self._intake.stats.open_connections += 1
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._keep(), name=f"asking {self.connection.name}"),
                    group.create_task(self._look_after(), name=f"watchdog {self.connection.name}"),
                ]
                if self._venue.keepalive is not None:
                    tasks.append(group.create_task(self._keep_alive(), name=f"keepalive {self.connection.name}"))
                await self._read()
                for task in tasks:
                    task.cancel()
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
        number_of, mute = self._venue.frame_number, True
        try:
            while True:
                frame = await receive(decode=False)
                if mute:  # whatever it says first, the venue has spoken
                    mute = False
                    self._spoken_to.set()
                if number_of is not None and self._missed(number_of(frame)):
                    self.cut(FeedDropped("a frame is missing", reason="sequence_gap"))
                    return  # what waits in the socket builds on what was lost
                if not take(frame, trace):
                    await self._hear(frame)
                if intake.taken >= YIELD_FRAMES:
                    await asyncio.sleep(0)
        except ConnectionClosed as end:
            self.error = self.error or dropped(end)
        except TimeoutError:
            self.cut(FeedStale("the venue takes no more bytes"))

    def _missed(self, number: int | None) -> bool:
        """Return whether a frame is missing before the one of *number*."""
        if number is None:
            return False
        before, self._frame_number = self._frame_number, number
        return before is not None and number != before + 1

    async def _hear(self, frame: bytes) -> None:
        """Take a frame without facts: answer a ping at once, note a refusal, leave before the venue does."""
        word = self._venue.hear(frame)
        if word is None:
            return
        if word.answer:
            await self._send(word.answer)
        if word.refused:
            for stream in self._requests.refused(word.refused, boot()):
                self.watch.excuse(stream)
                symbols = ", ".join(stream.symbols[:5])
                if self._sampler.allows(f"refused {symbols}", boot()):  # one line for all streams of a contract
                    self._log.error("feed.refused", stream=stream.name, symbol=symbols, reason=word.reason[:200])
                for event in self._requests.told(self._venue.name, stream, word.reason):
                    self._intake.deliver(event, boot())
        elif word.reason and self._sampler.allows("refused", boot()):
            self._log.warning("feed.refused", stream="", reason=word.reason[:200])  # it says no, and not to what
        if word.leaving:
            self._ask_for_successor("planned")

    async def _keep(self) -> None:
        """Subscribe, then look after the streams. Ends quietly when the connection does: the reader knows why."""
        with contextlib.suppress(ConnectionClosed):
            try:
                if self._venue.welcomes and not await self._was_welcomed():
                    self.cut(FeedStale("the venue did not speak first, as it does"))
                    return
                for text in self._venue.greeting:
                    await self._say_text(text)
                self.asking = True
                await self._say(self._venue.subscribe, self.connection.streams)
                self.subscribed = True
                while True:
                    await asyncio.sleep(self._settings.watch_seconds)
                    await self._ask_again(self._silent, boot())
                    self._silent = ()
            except TimeoutError:
                self.cut(FeedStale("the venue takes no more bytes"))

    async def _was_welcomed(self) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.open_timeout_seconds):
                await self._spoken_to.wait()
        return self._spoken_to.is_set()

    async def _keep_alive(self) -> None:
        """Say what the venue wants to hear every so often, whether or not data flow."""
        keepalive = self._venue.keepalive
        assert keepalive is not None, "started only where there is one"
        interval = self._keepalive_seconds or keepalive.interval_seconds
        with contextlib.suppress(ConnectionClosed):
            try:
                while True:
                    await asyncio.sleep(interval)
                    await self._send(keepalive.text(self._requests.next_number(), self._intake.venue_time()))
            except TimeoutError:
                self.cut(FeedStale("the venue takes no more bytes"))

    async def _look_after(self) -> None:
        interval = self._settings.watch_seconds
        last = boot()
        while True:
            await asyncio.sleep(interval)
            now = boot()
            overslept, last = now - last > OVERSLEPT * interval, now
            if overslept or not self.asking:
                continue
            if now - self._trace.last_data <= self._settings.silence_floor_seconds:
                self._data_flowed(now)
            # While something is being asked for, which may take long, only a dead line is looked for.
            verdict = self.watch.check(now, asking=not self.subscribed or bool(self._silent))
            self.silent_seconds = verdict.silent_seconds
            if verdict.dead:
                self.cut(FeedStale(f"no data for {verdict.silent_seconds:.1f} s"))
                return
            if now >= self._retire_at:
                self._ask_for_successor("planned")
            elif verdict.replace and now >= self._heal_at:
                self._ask_for_successor("data_timeout")
            if verdict.ask_again:
                self._silent = verdict.ask_again

    async def _ask_again(self, silent: Sequence[Stream], now: float) -> None:
        """Ask anew for what is silent, for books with a hole, for halves of refused batches, for what was refused."""
        again = [*silent]
        for stream in self._requests.to_resnapshot(self._broken_books, now):
            if stream.snapshot is not None:
                self._read_soon(stream.snapshot)
            elif stream not in again:
                again.append(stream)
        if again:
            await self._say(self._venue.unsubscribe, again, answered=False)
            await self._say(self._venue.subscribe, again)
        for batch in self._requests.to_retry(now):
            for stream in batch:
                self.watch.expect(stream, now)
            await self._say(self._venue.subscribe, batch)

    def _ask_for_successor(self, why: str) -> None:
        self.wants_successor = why
        self.news.set()

    async def _say(self, words: Words, streams: Sequence[Stream], *, answered: bool = True) -> None:
        """Send control frames, no faster than the venue allows. Raises ``TimeoutError`` if they do not go out."""
        requests = words(streams, self._requests.number + 1, self._intake.venue_time())
        # A no to an ending ("not subscribed") refuses no stream.
        self._requests.asked(requests if answered else [replace(request, key="") for request in requests])
        for request in requests:
            await self._say_text(request.text)

    async def _say_text(self, text: str) -> None:
        self._control.spend(await wait_for_room(self._control.delay))
        await self._send(text)

    async def _send(self, text: str) -> None:
        async with asyncio.timeout(self._settings.open_timeout_seconds):
            await self._websocket.send(text)
