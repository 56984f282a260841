"""From bytes to the engine: one synchronous call a frame, and nothing on it that waits, logs or asks the time of day.

Frames that come faster than the event loop turns are conflated from the 65th on (``conflate``), and what is held
back is handed on at the loop's next turn. There is no queue: a consumer that falls behind leaves the frames in
the socket, where they hold up the sender.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from monitor.core.alert_event import AlertEvent
from monitor.core.events import Event, Liquidation, Rejected, VenueTime
from monitor.errors import WireError
from monitor.feed.conflate import Conflator
from monitor.feed.settings import FeedSettings
from monitor.feed.stats import CHANNELS, OTHER, FeedStats
from monitor.log import Sampler
from monitor.net.clock import boot, wall

log = structlog.get_logger()

Apply = Callable[[Event, float], Sequence[AlertEvent]]
Announce = Callable[[Sequence[AlertEvent]], None]

SAMPLE_BYTES = 200
REMEMBERED = 5000
OVERLAP_SECONDS = 300.0
"""So many liquidations are remembered, for so long, to tell one that two connections bring from two."""

LAG_BOUNDS_SECONDS = (-5.0, 86_400.0)
"""Event times further off than this are wrong, not late (R5); the engine refuses them."""


class Trace:
    """What one websocket brought, for its watchdog; times are boot times."""

    __slots__ = ("last_data", "seen", "symbols", "unreadable")

    def __init__(self) -> None:
        self.last_data = float("-inf")
        """The last frame that had events in it: acknowledgements and heartbeats have none."""
        self.symbols: frozenset[str] = frozenset()
        """The contracts that are of interest: nothing is remembered of others (F-19)."""
        self.unreadable = float("-inf")
        """The last frame of which nothing could be used."""
        self.seen: dict[tuple[str, str], float] | None = None
        """(symbol, field) -> when a price of it came, used or not; written only while the watchdog is in doubt."""


class Intake:
    """The way in for all frames and bodies of one venue."""

    def __init__(
        self,
        venue: str,
        decode: Callable[[bytes, float], list[Event]],
        apply: Apply,
        announce: Announce,
        stats: FeedStats,
        settings: FeedSettings,
    ) -> None:
        self.venue = venue
        self.stats = stats
        self.taken = 0
        """Frames taken since the loop last came round."""
        self._decode = decode
        self._apply = apply
        self._announce = announce
        self._burst_frames = settings.burst_frames
        self._conflator = Conflator()
        self._sampler = Sampler(settings.sample_seconds)
        self._venue_clock = wall() - boot()
        """K: the venue's time less the boot clock; our wall clock stands in for it until the venue was asked."""
        self._venue_clock_known = False
        self._bug: Exception | None = None
        self._line: Trace | None = None
        """The connection whose frame is being delivered."""
        self._liquidations: dict[tuple[str, str, float, float, float], tuple[Trace | None, float]] = {}

    def take(self, frame: bytes, trace: Trace) -> bool:
        """Decode *frame* and bring its events to the engine; *trace* learns what kind of frame it was.

        Return whether that was all there is to it: what has no events may be a word that wants an answer.
        """
        now = boot()
        if self.taken == 0:
            self._begin_turn()
        self.taken += 1
        self.stats.last_message = now
        try:
            events = self._decode(frame, now + self._venue_clock)
        except WireError as error:
            self._skip(error, frame, now)
            self.stats.messages[OTHER] += 1
            trace.unreadable = now
            return True
        if not events:
            self.stats.messages[OTHER] += 1
            return False
        self._note(events, now, trace)
        self._line = trace
        if self.taken <= self._burst_frames:
            for event in events:
                self.deliver(event, now)
        else:
            for event in events:
                if type(event) is Liquidation:  # it is known only now which line brought it
                    self.deliver(event, now)
                    continue
                for _, due, arrived in self._conflator.add(event, now):
                    self.deliver(due, arrived)
        return True

    def venue_time(self) -> float:
        """Return the venue's epoch time as we know it."""
        return boot() + self._venue_clock

    def deliver(self, event: Event, now: float) -> None:
        """Bring one event to the engine, and what follows from it to the outbox."""
        kind = type(event)
        if kind is Rejected:
            self.stats.rejected.add(event.reason)  # type: ignore[union-attr]
        elif kind is Liquidation:
            if self._told_by_another_line(event, now):  # type: ignore[arg-type]
                return
        elif kind is VenueTime:
            self._venue_clock = event.event_time - now  # type: ignore[union-attr]
            self._venue_clock_known = True
        alerts = self._apply(event, now)
        if alerts:
            self._announce(alerts)

    def _told_by_another_line(self, event: Liquidation, now: float) -> bool:
        """Return whether another connection has brought the same liquidation: while one takes over from another, both
        do. The same one twice from one connection are two.
        """
        key = (event.symbol, event.position_side, event.contracts, event.price, event.event_time)
        line, _ = self._liquidations.pop(key, (self._line, now))
        self._liquidations[key] = line, now
        while (
            len(self._liquidations) > REMEMBERED or now - next(iter(self._liquidations.values()))[1] > OVERLAP_SECONDS
        ):
            del self._liquidations[next(iter(self._liquidations))]
        return line is not self._line

    def decode_body(self, decode: Callable[[bytes, float], list[Event]], body: bytes, now: float) -> list[Event]:
        """Return the events of a REST body. Raises ``WireError``, which is counted here."""
        try:
            return decode(body, now + self._venue_clock)
        except WireError as error:
            self._skip(error, body, now)
            raise

    def _note(self, events: list[Event], now: float, trace: Trace) -> None:
        first = events[0]
        channel = CHANNELS[type(first)]
        messages = self.stats.messages
        messages[channel] = messages.get(channel, 0) + 1
        trace.last_data = now
        if type(first) is Rejected and all(type(event) is Rejected for event in events):
            trace.unreadable = now
        if trace.seen is not None:
            for event in events:
                if event.FIELD and event.symbol in trace.symbols:  # type: ignore[union-attr]
                    trace.seen[event.symbol, event.FIELD] = now  # type: ignore[union-attr]
        if self._venue_clock_known:
            event_time = getattr(first, "event_time", None)
            if event_time is not None:
                lag = now + self._venue_clock - event_time
                if LAG_BOUNDS_SECONDS[0] <= lag <= LAG_BOUNDS_SECONDS[1]:
                    self.stats.lag.observe(max(lag, 0.0))

    def _begin_turn(self) -> None:
        """Ask to be called when the loop comes round; the first frame of a turn pays for it."""
        if self._bug is not None:
            bug, self._bug = self._bug, None
            raise bug
        asyncio.get_running_loop().call_soon(self._came_round)

    def _came_round(self) -> None:
        self.taken = 0
        try:
            for _, event, arrived in self._conflator.drain():
                self.deliver(event, arrived)
        except Exception as bug:  # noqa: BLE001 - raised again where it ends a supervised task
            self._bug = bug

    def _skip(self, error: WireError, data: bytes, now: float) -> None:
        self.stats.rejected.add(error.reason)
        if self._sampler.allows(error.reason, now):
            sample = data[:SAMPLE_BYTES].decode("utf-8", "replace")
            log.warning("frame.skipped", venue=self.venue, reason=error.reason, bytes=len(data), sample=sample)
