"""Everything that keeps one venue's facts coming: a loop for each of its connections, and the poller."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence

from monitor.feed.dial import Dialer
from monitor.feed.intake import Announce, Apply, Intake
from monitor.feed.poller import Poller
from monitor.feed.settings import FeedSettings
from monitor.feed.stats import FeedStats
from monitor.feed.stream import StreamLoop
from monitor.net.supervise import Supervisor
from monitor.net.tls import client_context
from monitor.venues.base import Venue


class VenueFeed:
    """One venue's feed. Floor 4 calls the engine directly: ``apply`` is synchronous and quick."""

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
        supervisor: Supervisor | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.venue = venue
        self.stats = stats
        self._supervisor = supervisor or Supervisor()
        tls = tls or client_context()
        intake = Intake(venue.name, venue.decode, apply, announce, stats, settings)
        dialer = Dialer(venue.limits, settings, tls=tls)

        def accepted(symbol: str, field: str) -> float | None:
            return accepted_time(venue.name, symbol, field)

        self._loops = [
            StreamLoop(venue, connection, dialer, intake, accepted, settings)
            for connection in venue.connections(symbols, stream_url)
        ]
        self._poller = Poller(venue, venue.polls(symbols), rest_url, intake, settings, tls=tls)

    async def bootstrap(self, timeout: float) -> bool:
        """Read every essential REST resource once; return whether all could be read within *timeout* seconds.

        What was read is with the engine already, so the caller can ask it which symbols the venue lists.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._poller.first_round()
        except TimeoutError:
            return False

    async def run(self) -> None:
        """Stay connected until cancelled; each connection, and the poller, is a supervised task of its own."""
        async with asyncio.TaskGroup() as group:
            for loop in self._loops:
                name = f"stream {self.venue.name} {loop.name}"
                group.create_task(self._supervisor.supervise(name, loop.run), name=f"supervise {name}")
            name = f"poller {self.venue.name}"
            group.create_task(self._supervisor.supervise(name, self._poller.run), name=f"supervise {name}")
