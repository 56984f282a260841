"""The programs under the load of all venues: the daemon's engine and feeds, and the least that could take it.

``python load_daemon.py ours|naive STREAM_URL POSITIONS_PER_SYMBOL``. It is told ``begin``, ``report`` and ``end`` on
its standard input and answers each with a JSON object on a line of its own.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import websockets
from load_frames import NAMES, addresses, bound, symbols
from market import positions

from monitor import log
from monitor.core import events as ev
from monitor.core.account import Account
from monitor.core.alert_event import AlertEvent
from monitor.core.alerts import Quality
from monitor.core.contract import Tier, TierTable
from monitor.core.events import Event
from monitor.core.pool import Terms
from monitor.engine.book import WatchedAccount
from monitor.engine.engine import Engine
from monitor.feed.feed import VenueFeed
from monitor.feed.settings import FeedSettings
from monitor.feed.stats import FeedStats
from monitor.net.clock import boot
from monitor.venues import RULES

LAG_SAMPLE_SECONDS = 0.1
TICK_SECONDS = 1.0
SLOTS_PER_SECOND = 10_000
LAG_SECONDS = 10
"""Lags are counted by tenths of a millisecond, the longest ones together."""

TABLE = TierTable((Tier(0.0, 0.005),), "made up")
UNTIMED = {"hyperliquid"}
"""Venues whose marks come without a time: theirs is that of their arrival."""


class Program(Protocol):
    """What is under load."""

    async def run(self) -> None: ...

    def begin(self) -> dict[str, Any]: ...

    def report(self) -> dict[str, Any]: ...


class Lags:
    """How old events were when the engine was through with them."""

    def __init__(self) -> None:
        self.slots = [0] * (SLOTS_PER_SECOND * LAG_SECONDS + 1)

    def add(self, seconds: float) -> None:
        self.slots[max(0, min(int(seconds * SLOTS_PER_SECOND), len(self.slots) - 1))] += 1

    def milliseconds(self, share: float) -> float:
        """Return what *share* of the lags are below."""
        wanted, seen = share * sum(self.slots), 0
        for slot, count in enumerate(self.slots):
            seen += count
            if count and seen >= wanted:
                return round((slot + 1) / SLOTS_PER_SECOND * 1000.0, 1)
        return 0.0


def watched(name: str, per_symbol: int) -> WatchedAccount:
    """Return an account with isolated positions on every contract of a venue, none of them near its first line."""
    names = symbols(name)
    rules = RULES[name]
    kind = "linear" if name != "binance-coinm" else "inverse"
    terms = dict.fromkeys(names, Terms(table=TABLE, rule=rules[kind], closing_fee_rate=0.0005, kind=kind))
    held = positions(per_symbol * len(names), names)
    return WatchedAccount(Account(name, name, tuple(held)), terms)


class Daemon:
    """The engine with positions on every contract, and a feed a venue: all in this one process."""

    def __init__(self, stream_url: str, per_symbol: int) -> None:
        log.configure()
        venues = [bound(name) for name in NAMES]
        expected = {venue.name: venue.expected_intervals for venue in venues}
        self.engine = Engine([watched(name, per_symbol) for name in NAMES], expected, boot())
        self.lags = Lags()
        self.applied = 0
        self.alerts = Counter[str]()
        self.loop_lag_max = 0.0
        self._before: dict[str, int] = {}
        self.feeds = [
            VenueFeed(
                venue,
                symbols(venue.name),
                stream_url=stream_url,
                rest_url="http://127.0.0.1:9",  # nothing is polled
                apply=self._timed(venue.name),
                announce=self.announce,
                accepted_time=self.engine.accepted_time,
                broken_books=self.engine.broken_books,
                stats=FeedStats(venue.name),
                settings=FeedSettings(),
                depth=False,
            )
            for venue in venues
        ]

    def announce(self, alerts: Sequence[AlertEvent]) -> None:
        self.alerts.update(alert.kind for alert in alerts)

    def _timed(self, name: str) -> Callable[[Event, float], Sequence[AlertEvent]]:
        """Return the engine's way in, which also notes how old the event was at the end of it."""
        apply, now_is, add = self.engine.apply, time.time, self.lags.add
        timed = {ev.LastPrice, ev.BestQuote} | (set() if name in UNTIMED else {ev.MarkPrice})

        def take(event: Event, now: float) -> Sequence[AlertEvent]:
            out = apply(event, now)
            self.applied += 1
            if type(event) in timed:
                add(now_is() - event.event_time)  # type: ignore[union-attr]
            return out

        return take

    async def run(self) -> None:
        """Feed the engine and let it tick, as the daemon does."""
        for name in NAMES:
            self.engine.apply(ev.VenueTime(name, time.time()), boot())
        gc.collect()
        gc.freeze()
        async with asyncio.TaskGroup() as group:
            for feed in self.feeds:
                group.create_task(feed.run())
            group.create_task(self._tick())
            group.create_task(self._watch_loop())

    async def _tick(self) -> None:
        while True:
            self.announce(self.engine.tick(boot()))
            await asyncio.sleep(TICK_SECONDS)

    async def _watch_loop(self) -> None:
        while True:
            asked = boot()
            await asyncio.sleep(LAG_SAMPLE_SECONDS)
            self.loop_lag_max = max(self.loop_lag_max, boot() - asked - LAG_SAMPLE_SECONDS)

    def _taken(self) -> int:
        return sum(sum(feed.stats.messages.values()) for feed in self.feeds)

    def begin(self) -> dict[str, Any]:
        self._before = {"taken": self._taken(), "applied": self.applied}
        self.lags.slots[:] = [0] * len(self.lags.slots)
        self.loop_lag_max = 0.0
        return {"positions": self.engine.position_count()}

    def report(self) -> dict[str, Any]:
        """Return what came since ``begin``; drops, rejections and alerts are those of the whole run."""
        now = {"taken": self._taken(), "applied": self.applied}
        views = self.engine.position_views(0, self.engine.position_count(), boot())
        refused = [feed.stats.rejected for feed in self.feeds]
        refused += [view.rejected for view in self.engine.venue_views(boot(), time.time())]
        counts = {name: count - self._before[name] for name, count in now.items()}
        counts |= {
            "drops": sum(sum(feed.stats.drops.values()) for feed in self.feeds),
            "rejected": sum(sum(counted.values()) for counted in refused),
            "alerts": self.alerts.total(),
        }
        return counts | {
            "lag_p50_ms": self.lags.milliseconds(0.5),
            "lag_p99_ms": self.lags.milliseconds(0.99),
            "lag_max_ms": self.lags.milliseconds(1.0),
            "loop_lag_max_ms": round(self.loop_lag_max * 1000.0, 1),
            "live": sum(view.quality is Quality.LIVE for view in views),
            "solved": sum(view.liquidation_price is not None for view in views),
        }


class Naive:
    """``websockets`` and ``json.loads``, and nothing else."""

    def __init__(self, stream_url: str) -> None:
        self.urls = [f"{stream_url}/{name}/{connection}" for name, all_ in addresses().items() for connection in all_]
        self.taken = 0
        self._before = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for url in self.urls:
                group.create_task(self._read(url))

    async def _read(self, url: str) -> None:
        async with websockets.connect(url, compression=None, ping_interval=None) as socket:
            async for message in socket:
                json.loads(message)
                self.taken += 1

    def begin(self) -> dict[str, Any]:
        self._before = self.taken
        return {}

    def report(self) -> dict[str, Any]:
        return {"taken": self.taken - self._before}


async def obey(program: Program) -> None:
    """Run *program* and answer what is asked of it, until it is told to end."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(program.run())
        while (word := (await reader.readline()).decode().strip()) in {"begin", "report"}:
            answer = program.begin() if word == "begin" else program.report()
            print(json.dumps(answer), flush=True)
        running.cancel()


def main() -> None:
    what, stream_url, per_symbol = sys.argv[1:]
    factory = None
    if importlib.util.find_spec("uvloop"):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:

        async def work() -> None:
            await obey(Naive(stream_url) if what == "naive" else Daemon(stream_url, int(per_symbol)))

        runner.run(work())


if __name__ == "__main__":
    main()
