"""What was asked for on one connection, and what becomes of a refusal. Pure: time comes in as ``now``.

A batch that is refused is halved until the culprit stands alone (F-17): that stream is given up for a while and said
to be refused, everything else runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from math import inf

from monitor.core.events import SubscriptionRefused
from monitor.feed.settings import FeedSettings
from monitor.venues.base import Request, Stream

REMEMBERED = 1000
"""Requests that an answer may still name."""


class Requests:
    """The control frames of one connection."""

    def __init__(self, streams: Sequence[Stream], settings: FeedSettings, now: float) -> None:
        self.number = 0
        """Requests sent so far; numbers are never used again."""
        self._streams = {stream.name: stream for stream in streams}
        self._depth = {symbol: s for s in streams if s.field == "depth" for symbol in s.symbols}
        self._settings = settings
        self._asked: dict[str, Request] = {}
        self._halves: deque[Sequence[Stream]] = deque()
        self._alone: dict[str, float] = {}
        """Name of each refused stream -> when it is asked for again."""
        self._times: dict[str, int] = {}
        """Name of each stream that was refused -> how often."""
        self._snapped = {s.name: now if s.snapshot is None else -inf for s in self._depth.values()}
        """Name of each depth stream -> when its whole book was last asked for; subscribing brings one unasked."""

    def next_number(self) -> int:
        """Return a request number of its own."""
        self.number += 1
        return self.number

    def asked(self, requests: Sequence[Request]) -> None:
        """Remember what goes out, as far as an answer can name it."""
        self.number += len(requests)
        for request in requests:
            if request.key:
                self._asked[request.key] = request
        while len(self._asked) > REMEMBERED:
            del self._asked[next(iter(self._asked))]

    def refused(self, names: Sequence[str], now: float) -> list[Stream]:
        """Take the refusal of requests or streams and return the streams that stood alone; batches are halved."""
        alone: list[Stream] = []
        for name in names:
            request = self._asked.pop(name, None)
            streams = request.streams if request is not None else tuple(filter(None, [self._streams.get(name)]))
            if len(streams) > 1:
                middle = len(streams) // 2
                self._halves.extend((streams[:middle], streams[middle:]))
            alone += streams if len(streams) == 1 else ()
        for stream in alone:
            times = self._times[stream.name] = self._times.get(stream.name, 0) + 1
            wait = self._settings.slow_retry_seconds * 2.0 ** min(times - 1, 10)
            self._alone[stream.name] = now + min(wait, self._settings.heal_cap_seconds)
        return alone

    def told(self, venue: str, stream: Stream, reason: str) -> Iterator[SubscriptionRefused]:
        """Yield what the engine is told of a refused stream; one of many symbols says nothing of any of them."""
        if len(stream.symbols) == 1:
            yield SubscriptionRefused(venue, stream.symbols[0], stream.field or "", reason[:200])

    def to_retry(self, now: float) -> list[Sequence[Stream]]:
        """Return the batches to ask for now: halves at once, a refused stream alone after a minute, two, four ..."""
        batches = [*self._halves]
        self._halves.clear()
        for name, due in list(self._alone.items()):
            if now >= due:
                del self._alone[name]
                batches.append((self._streams[name],))
        return batches

    def to_resnapshot(self, broken: set[str], now: float) -> list[Stream]:
        """Return the depth streams whose whole book is to be asked for now, each at most every so often."""
        found: list[Stream] = []
        for symbol in [symbol for symbol in broken if symbol in self._depth]:
            broken.discard(symbol)  # the next change that cannot be used brings it back
            stream = self._depth[symbol]
            if now - self._snapped[stream.name] >= self._settings.resnapshot_seconds:
                self._snapped[stream.name] = now
                found.append(stream)
        return found
