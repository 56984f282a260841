"""Everything that keeps one venue's facts coming: a loop for each of its connections, and the poller."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from monitor.errors import FeedDropped, WireError
from monitor.feed.dial import Dialer
from monitor.feed.intake import Announce, Apply, Intake
from monitor.feed.poller import Poller
from monitor.feed.settings import FeedSettings
from monitor.feed.stats import FeedStats
from monitor.feed.stream import StreamLoop
from monitor.net.clock import boot
from monitor.net.http import Http
from monitor.net.lookup import Lookup
from monitor.net.supervise import Supervisor
from monitor.net.tls import client_context
from monitor.venues.base import Connection, Pass, Venue


def resources(venue: Venue, symbols: Sequence[str]) -> list[str]:
    """Return the names of all REST resources that a feed of *symbols* may read."""
    streams = [stream for connection in venue.connections(symbols, "") for stream in connection.streams]
    return sorted(
        {p.resource for p in [*venue.polls(symbols), *(s.snapshot for s in streams if s.snapshot is not None)]}
    )


class VenueFeed:
    """One venue's feed; the venue is bound to *symbols* (``Venue.watching``). Floor 4 calls the engine directly."""

    def __init__(
        self,
        venue: Venue,
        symbols: Sequence[str],
        *,
        stream_url: str,
        rest_url: str,
        apply: Apply,
        announce: Announce,
        accepted_time: Callable[[str, str, str], float | None],
        stats: FeedStats,
        settings: FeedSettings,
        broken_books: Callable[[str], set[str]] = lambda _venue: set(),
        depth: bool = True,
        supervisor: Supervisor | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.venue = venue
        self.stats = stats
        self._supervisor = supervisor or Supervisor()
        tls = tls or client_context()
        self._symbols = tuple(symbols)
        self._intake = intake = Intake(venue.name, venue.decode, apply, announce, stats, settings)
        dialer = Dialer(venue.limits, settings, headers=venue.headers, tls=tls)

        def accepted(symbol: str, field: str) -> float | None:
            return accepted_time(venue.name, symbol, field)

        self._polls = venue.polls(symbols)
        elsewhere = {poll.host for poll in self._polls if poll.host} if rest_url == venue.rest_url else set()
        self._poller = Poller(
            venue, [p for p in self._polls if p.host not in elsewhere], rest_url, intake, settings, tls=tls
        )
        # A host that hangs, or asks for quiet, does so for itself alone.
        self._pollers = {
            host: Poller(venue, [p for p in self._polls if p.host == host], host, intake, settings, tls=tls)
            for host in sorted(elsewhere)
        }
        self._pollers[rest_url] = self._poller
        connections = venue.connections(symbols, stream_url)
        self._loops = [
            StreamLoop(
                venue,
                connection,
                dialer,
                intake,
                accepted,
                settings,
                broken_books=broken_books(venue.name),
                read_soon=self._poller.read_soon,
                admit=None if venue.admission is None else self._admit,
            )
            for connection in (connections if depth else _without_depth(connections))
        ]
        self._door = partial(
            Http,
            rest_url,
            body_bytes=venue.limits.body_bytes,
            timeout_seconds=settings.request_timeout_seconds,
            lookup=Lookup(settings.lookup_timeout_seconds),
            tls=tls,
            headers=venue.headers,
        )

    async def bootstrap(self, timeout: float) -> bool:
        """Read every essential REST resource once; return whether all could be read within *timeout* seconds.

        What was read is with the engine already, so the caller can ask it which symbols the venue lists.
        """
        if self.venue.given is not None:
            for event in self.venue.given(self._symbols, self._intake.venue_time()):
                self._intake.deliver(event, boot())
        try:
            async with asyncio.timeout(timeout):
                return all(await asyncio.gather(*(poller.first_round() for poller in self._pollers.values())))
        except TimeoutError:
            return False

    def read_terms(self) -> None:
        """Read what the venue says of its contracts again, soon: a price has jumped, and units may have changed."""
        for poll in self._polls:
            if poll.terms:
                self._poller.read_soon(poll)

    async def run(self) -> None:
        """Stay connected until cancelled; each connection, and the poller, is a supervised task of its own."""
        async with asyncio.TaskGroup() as group:
            for loop in self._loops:
                name = f"stream {self.venue.name} {loop.name}"
                work = partial(self._run_after, loop)
                group.create_task(self._supervisor.supervise(name, work), name=f"supervise {name}")
            for host, poller in self._pollers.items():
                name = f"poller {self.venue.name}" + (
                    f" {urlsplit(host).hostname}" if poller is not self._poller else ""
                )
                group.create_task(self._supervisor.supervise(name, poller.run), name=f"supervise {name}")

    async def _run_after(self, loop: StreamLoop) -> None:
        """Run *loop*, once the resource that it needs has been read."""
        if loop.after:
            await self._poller.was_read(loop.after)
        await loop.run()

    async def _admit(self, url: str) -> Pass:
        """Ask the venue to be let in. Raises ``FeedError``."""
        admission = self.venue.admission
        assert admission is not None, "asked only where there is one"
        async with self._door() as http:
            body = await http.post(admission.path, {}, b"")
        try:
            return admission.decode(body, url)
        except WireError as error:
            raise FeedDropped(str(error), reason="refused") from error


def _without_depth(connections: Sequence[Connection]) -> list[Connection]:
    """Return the connections without their depth streams; one that has no other is not made."""
    shallow = [replace(c, streams=tuple(s for s in c.streams if s.field != "depth")) for c in connections]
    return [connection for connection in shallow if connection.streams]
