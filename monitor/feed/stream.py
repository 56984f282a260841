"""The one reconnecting websocket loop, for all venues: what to say and what a frame means is the venue's.

A line that ends is opened again after a backoff. Before a line reaches the age at which the venue cuts it, and when
one of its streams stays silent whatever is tried, a second line is opened beside it, and only when that one delivers
does the first go.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

import structlog

from monitor.core.events import FeedConnected, FeedLost
from monitor.errors import FeedDropped, FeedError, RateLimited
from monitor.feed.dial import Dialer, HandshakeRefused, needs_a_person, wait_after
from monitor.feed.intake import Intake
from monitor.feed.line import Line
from monitor.feed.settings import FeedSettings
from monitor.feed.watch import Accepted
from monitor.net.backoff import Backoff
from monitor.net.clock import boot
from monitor.venues.base import Connection, Pass, Poll, Venue

log = structlog.get_logger()

Admit = Callable[[str], Awaitable[Pass]]
"""Address -> the address that leads in just now. Raises ``FeedError``."""


class StreamLoop:
    """Keeps one connection of a venue alive for ever."""

    def __init__(
        self,
        venue: Venue,
        connection: Connection,
        dialer: Dialer,
        intake: Intake,
        accepted: Accepted,
        settings: FeedSettings,
        *,
        broken_books: set[str] | None = None,
        read_soon: Callable[[Poll], None] = lambda _poll: None,
        admit: Admit | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name = connection.name
        self.after = connection.after
        self._broken_books = set() if broken_books is None else broken_books
        self._read_soon = read_soon
        self._admit = admit
        self._venue = venue
        self._connection = connection
        self._dialer = dialer
        self._intake = intake
        self._accepted = accepted
        self._settings = settings
        self._chance = chance
        self._backoff = Backoff(settings.backoff_seconds, settings.backoff_reset_seconds)
        self._refusals = 0
        self._heal_at = float("-inf")
        self._heal_wait = settings.slow_retry_seconds
        self._group: asyncio.TaskGroup
        self._log = log.bind(venue=venue.name, connection=connection.name)

    async def run(self) -> None:
        """Stay connected until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            while True:
                line: Line | None = await self._connect()
                while line is not None:
                    line = await self._tend(line)

    async def _connect(self) -> Line:
        """Return a new line, however many attempts it takes."""
        while True:
            try:
                line = await self._open()
            except FeedError as error:
                await self._lost(error, 0.0)
            else:
                self._log.info("feed.connected")
                self._intake.deliver(FeedConnected(self._venue.name, self.name), boot())
                return line

    async def _open(self, *, proving: bool = False) -> Line:
        streams = self._connection.streams
        leave = await self._pass(patient=not proving)
        websocket = await self._dialer.open(
            leave.url,
            data_expected=any(stream.field is not None for stream in streams),
            patient=not proving,
        )
        self._refusals = 0
        share = self._settings.lifetime_share - self._settings.lifetime_jitter * self._chance()
        line = Line(
            self._venue,
            self._connection,
            websocket,
            self._intake,
            self._accepted,
            self._settings,
            retire_at=boot() + share * self._venue.limits.lifetime_seconds,
            heal_at=self._heal_at,
            data_flowed=self._backoff.data_flowed,
            broken_books=self._broken_books,
            read_soon=self._read_soon,
            keepalive_seconds=leave.keepalive_seconds,
            proving=proving,
        )
        self._group.create_task(line.run(), name=f"line {self.name}")
        return line

    async def _pass(self, *, patient: bool) -> Pass:
        """Return leave to connect. Raises ``FeedError``."""
        if self._admit is None:
            return Pass(self._connection.url)
        await self._dialer.may_ask(patient=patient)
        try:
            return await self._admit(self._connection.url)
        except RateLimited as error:
            self._dialer.leave_alone(error.retry_after_seconds)
            raise

    async def _tend(self, line: Line) -> Line | None:
        """Wait for news of *line* and return the line to look after next, or None to connect anew."""
        await line.news.wait()
        if not line.over.is_set():
            successor = await self._replace(line)
            if successor is not None:
                return successor
        # A line that ended without a reason ended by a bug, which ends this loop as well, in a moment.
        await self._lost(line.error or FeedDropped("the reading task failed"), line.silent_seconds)
        return None

    async def _replace(self, line: Line) -> Line | None:
        """Return a line that took over from *line*; None if *line* ended before there was one."""
        if line.wants_successor == "data_timeout":
            self._pace_healing()
        backoff = Backoff(self._settings.backoff_seconds)
        while not line.over.is_set():
            try:
                fresh = await self._open(proving=True)
            except FeedError as error:
                self._log.warning("feed.refused", reason=error.reason, error=str(error), rollover=True)
            else:
                if await self._proven(fresh, line):
                    await self._hand_over(line, fresh)
                    return fresh
                fresh.cut()
            await _until(line.over, backoff.next_delay(self._chance))
        return None

    async def _proven(self, fresh: Line, line: Line) -> bool:
        """Wait until *fresh* delivers all that *line* does, or is all that is left."""
        slowest = max((stream.expected_interval for stream in fresh.watch.streams), default=0.0)
        deadline = boot() + max(self._settings.proof_seconds, 2.0 * slowest)
        while boot() < deadline and not fresh.over.is_set():
            if line.over.is_set() or (fresh.subscribed and fresh.watch.replaces(line.watch, boot())):
                return True
            await _until(line.over, self._settings.watch_seconds)
        return False

    async def _hand_over(self, line: Line, fresh: Line) -> None:
        """Let *fresh* take over: not a drop when it was planned, and no gap when it was not."""
        fresh.watch.proving = False
        if line.over.is_set() and line.error is not None:
            self._report(line.error, line.silent_seconds, 0.0)
            self._intake.deliver(FeedConnected(self._venue.name, self.name), boot())
            return
        if line.wants_successor != "planned":
            self._intake.stats.drops.add(line.wants_successor)
        self._log.info("feed.rolled_over", reason=line.wants_successor)
        await line.retire()

    def _pace_healing(self) -> None:
        """Let less and less be done for a stream that no new connection brings back: a minute, two, four ..."""
        now = boot()
        again = now - self._heal_at < 2.0 * self._heal_wait
        longest = self._settings.heal_cap_seconds
        self._heal_wait = min(2.0 * self._heal_wait, longest) if again else self._settings.slow_retry_seconds
        self._heal_at = now + self._heal_wait

    async def _lost(self, error: FeedError, silent_seconds: float) -> None:
        """Report the end of a line, or an attempt in vain, and wait before the next."""
        self._refusals = self._refusals + 1 if needs_a_person(error) else 0
        delay = wait_after(error, self._refusals, self._backoff, self._settings, self._chance)
        self._report(error, silent_seconds, delay)
        await asyncio.sleep(delay)

    def _report(self, error: FeedError, silent_seconds: float, delay: float) -> None:
        self._intake.stats.drops.add(error.reason)
        self._intake.deliver(FeedLost(self._venue.name, self.name, error.reason), boot())
        say = self._log.error if self._refusals >= self._settings.quick_refusals else self._log.warning
        if isinstance(error, HandshakeRefused | RateLimited):
            say("feed.refused", reason=error.reason, error=str(error), retry_in_seconds=round(delay, 3))
        else:
            say(
                "feed.dropped",
                reason=error.reason,
                error=str(error),
                silent_seconds=round(silent_seconds, 1),
                retry_in_seconds=round(delay, 3),
            )


async def _until(event: asyncio.Event, seconds: float) -> None:
    """Wait for *event*, but no longer than *seconds*."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
