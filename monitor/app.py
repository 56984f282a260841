"""The daemon: builds everything, gives each room what it needs, and stops it in the right order.

    frames -> feed -> engine -> alert events -> outbox (committed) -> receivers
    engine <- tick, every second; views of it -> /metrics and /-/ready

Order of stopping (SIGTERM): prices first, then deliver what is pending for at most ten seconds, then the store.
A second SIGTERM ends the process at once; what is pending stays in the store.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

import structlog

from monitor import __version__
from monitor.assemble import live_venues, start_problems, watched_accounts, watched_symbols
from monitor.config.settings import Settings
from monitor.core.alert_event import AlertEvent, StoredState
from monitor.core.alerts import Level
from monitor.core.events import Liquidation
from monitor.delivery.outbox import Outbox
from monitor.delivery.settings import DeliveryTimes
from monitor.engine.engine import Engine
from monitor.engine.watch import removed_subjects
from monitor.errors import ConfigError
from monitor.export.exposition import Exposition
from monitor.export.sources import ProcessStats, Sources
from monitor.feed.feed import VenueFeed, resources
from monitor.feed.settings import FeedSettings
from monitor.feed.stats import FeedStats
from monitor.net.clock import boot
from monitor.net.supervise import Supervisor
from monitor.store.rows import Transaction
from monitor.store.store import Store
from monitor.web.health import health, readiness
from monitor.web.server import WebServer

log = structlog.get_logger()

TICK_SECONDS = 1.0
BOOTSTRAP_SECONDS = 8.0
DRAIN_SECONDS = 10.0
TERMS_PAUSE_SECONDS = 60.0
"""Shortest time between two readings of a venue's terms because of jumps."""

LAG_SAMPLE_SECONDS = 0.1
LAG_WINDOW_SECONDS = 300.0
STALL_SECONDS = 1.0


@dataclass(slots=True)
class Hooks:
    """What somebody beside the daemon may listen to: alert events as they are decided, public liquidations."""

    alerts: Callable[[Sequence[AlertEvent]], None] | None = None
    liquidation: Callable[[Liquidation], None] | None = None


@dataclass(slots=True)
class App:
    """One daemon. ``started`` is set when the feeds run and the web server listens."""

    settings: Settings
    hooks: Hooks = field(default_factory=Hooks)
    feed_settings: FeedSettings = field(default_factory=FeedSettings)
    delivery_times: DeliveryTimes = field(default_factory=DeliveryTimes)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    engine: Engine = field(init=False)
    outbox: Outbox = field(init=False)
    feeds: list[VenueFeed] = field(init=False, default_factory=list)
    process: ProcessStats = field(init=False)
    supervisor: Supervisor = field(init=False, default_factory=Supervisor)
    _jumps: dict[str, tuple[int, float]] = field(init=False, default_factory=dict)
    """Per venue: the jumps that were looked into, and when."""
    _known: frozenset[str] = field(init=False, default=frozenset())
    _held: list[AlertEvent] | None = field(init=False, default_factory=list)
    """Alert events of the start, until it is certain that there will be one; None afterwards."""

    async def run(self) -> None:
        """Run until :attr:`stopping` is set or a signal comes.

        Raises ``ConfigError`` for what only the start can see (a symbol the venue does not list, a port that is
        taken), ``OutboxError`` for a store that must not be touched.
        """
        settings = self.settings
        store = Store.open(settings.store_path)
        try:
            if store.moved_aside is not None:
                log.error("store.failed", reason="damaged", moved_to=str(store.moved_aside))
            loaded = store.load()
            self.engine = Engine(
                watched_accounts(settings),
                {name: venue.expected_intervals for name, venue in live_venues(settings).items()},
                boot(),
                self.hooks.liquidation,
                self._report,
            )
            self._known = frozenset(loaded.states)
            left = self.engine.restore(loaded.states.values())
            self.outbox = Outbox(store, loaded, settings.receivers, self.delivery_times)
            self._held = removed_subjects(left, boot())
            self.process = ProcessStats(
                config_hash=settings.hash, version=__version__, restarts=self.supervisor.restarts
            )
            self.feeds = [self._feed(name, symbols) for name, symbols in watched_symbols(settings).items()]
            await self._serve(store)
        finally:
            await asyncio.to_thread(store.close)
        log.info("daemon.stopped")

    async def _serve(self, store: Store) -> None:
        settings = self.settings
        sources = Sources(self.engine, [feed.stats for feed in self.feeds], self.outbox.stats, self.process)
        exposition = Exposition(sources, amounts=settings.metrics_amounts)
        web = WebServer(
            host=settings.web.host,
            port=settings.web.port,
            token=settings.web.token,
            metrics=exposition.render,
            health=lambda: health(self.engine),
            readiness=lambda: readiness(self.engine, self.outbox.stats),
        )
        await web.start()
        self.port = web.port
        try:
            async with asyncio.TaskGroup() as group:
                self._on_signals()
                sender = self._keep(group, "outbox", self.outbox.run)  # what an earlier run left waits for nothing
                tick = partial(self._tick, store)
                keepers = [self._keep(group, "tick", tick), self._keep(group, "loop lag", self._watch_loop)]
                if await self._unless_stopped(group, self._bootstrap()):
                    gc.collect()
                    gc.freeze()
                    keepers += [group.create_task(feed.run(), name=f"feed {feed.venue.name}") for feed in self.feeds]
                    # What was ever watched and is not listed later has been delisted; it was not misspelt.
                    fresh = [s for s in self.engine.states() if s.subject not in self._known and not s.seq]
                    _remember(store, [*fresh, *self.engine.unsaved()])
                    self._say_started()
                    self.started.set()
                    await self.stopping.wait()
                for keeper in keepers:
                    keeper.cancel()
                _remember(store, self.engine.unsaved())
                if not await self.outbox.drain(DRAIN_SECONDS):
                    log.warning("delivery.failed", reason="stopping", detail="undelivered alerts stay in the store")
                sender.cancel()
        finally:
            await web.stop()

    async def _unless_stopped(self, group: asyncio.TaskGroup, work: Coroutine[None, None, None]) -> bool:
        """Do *work* and return True, or cut it short and return False when it is time to stop."""
        doing = group.create_task(work, name="bootstrap")
        stopped = group.create_task(self.stopping.wait(), name="stopped")
        await asyncio.wait({doing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if self.stopping.is_set():
            doing.cancel()
            return False
        await doing
        return True

    def _keep(
        self, group: asyncio.TaskGroup, name: str, work: Callable[[], Coroutine[None, None, None]]
    ) -> asyncio.Task[None]:
        return group.create_task(self.supervisor.supervise(name, work), name=f"supervise {name}")

    def _feed(self, name: str, symbols: Sequence[str]) -> VenueFeed:
        said = self.settings.venues.get(name)
        venue = live_venues(self.settings)[name].watching(symbols)
        return VenueFeed(
            venue,
            symbols,
            stream_url=(said.stream_url if said else None) or venue.stream_url,
            rest_url=(said.rest_url if said else None) or venue.rest_url,
            apply=self.engine.apply,
            announce=self.announce,
            accepted_time=self.engine.accepted_time,
            broken_books=self.engine.broken_books,
            stats=FeedStats(name, resources(venue, symbols)),
            settings=self.feed_settings,
            depth=said is None or said.depth,
            supervisor=self.supervisor,
        )

    async def _bootstrap(self) -> None:
        """Read every venue's REST resources once, all venues side by side; a venue that is down stops nobody.

        Raises ``ConfigError`` naming the symbols that a venue which did answer does not list. One that was watched
        in an earlier run has been delisted: it is unwatchable, which the engine announces, and stops nobody.
        """
        async with asyncio.TaskGroup() as group:
            for feed in self.feeds:
                group.create_task(feed.bootstrap(BOOTSTRAP_SECONDS), name=f"bootstrap {feed.venue.name}")
        if problems := start_problems(self.settings.accounts, self.engine.symbol_views(boot()), self._known):
            raise ConfigError(problems)
        held, self._held = self._held or [], None
        self.announce(held)

    def announce(self, alerts: Sequence[AlertEvent]) -> None:
        """Hand alert events to the outbox and to whoever listens; those of the start wait for the start."""
        if self._held is not None:
            self._held.extend(alerts)
        elif alerts:
            self.outbox.submit(alerts)
            if self.hooks.alerts is not None:
                self.hooks.alerts(alerts)

    def _report(self, subject: str, error: Exception) -> None:
        """Say that a position's evaluation raised; the engine has made that position alone unknown."""
        log.error("task.restarted", task=f"evaluation of {subject}", reason=type(error).__name__, exc_info=error)

    async def _tick(self, store: Store) -> None:
        while True:
            alerts = self.engine.tick(boot())
            if alerts:
                self.announce(alerts)
            self._look_into_jumps()
            if self._held is None:  # before that it is not certain that there will be a start
                _remember(store, self.engine.unsaved())
            self.process.tasks = len(asyncio.all_tasks())
            await asyncio.sleep(TICK_SECONDS)

    def _look_into_jumps(self) -> None:
        """Have the terms of contracts read again where a price jumped beyond belief (R5), now and then."""
        now = boot()
        for feed in self.feeds:
            venue = feed.venue.name
            jumps, (seen, asked) = self.engine.jumps(venue), self._jumps.get(venue, (0, float("-inf")))
            if jumps > seen and now - asked >= TERMS_PAUSE_SECONDS:
                self._jumps[venue] = jumps, now
                feed.read_terms()

    async def _watch_loop(self) -> None:
        """Measure how late the loop is; the largest of the last five minutes is kept beside the histogram."""
        recent: deque[tuple[float, float]] = deque()
        while True:
            asked = boot()
            await asyncio.sleep(LAG_SAMPLE_SECONDS)
            now = boot()
            lag = max(0.0, now - asked - LAG_SAMPLE_SECONDS)
            self.process.loop_lag.observe(lag)
            while recent and recent[-1][1] <= lag:
                recent.pop()
            recent.append((now, lag))
            while recent[0][0] < now - LAG_WINDOW_SECONDS:
                recent.popleft()
            self.process.loop_lag_max = recent[0][1]
            if lag > STALL_SECONDS:
                log.warning("loop.stalled", stalled_seconds=round(lag, 3))

    def _say_started(self) -> None:
        accounts = self.settings.accounts.accounts
        log.info(
            "daemon.started",
            version=__version__,
            config_hash=self.settings.hash,
            positions=sum(len(a.positions) for a in accounts),
            in_alarm=[
                f"{s.subject}: {Level(max(s.raw, s.held)).word}" for s in self.engine.states() if s.raw or s.held
            ],
            receivers=len(self.settings.receivers),
            listen=f"{self.settings.web.host}:{self.port}",
        )

    def _on_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def stop(number: int) -> None:
            if self.stopping.is_set():
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)
            self.stopping.set()

        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop, number)
            loop.add_signal_handler(signal.SIGHUP, _no_reload)
        except (RuntimeError, ValueError):  # not the main thread: whoever runs us there stops us by ``stopping``
            return


def _remember(store: Store, states: Sequence[StoredState]) -> None:
    """Store *states* that no alert event carries; a store that does not take them is complained about."""
    if not states:
        return

    def complain(done: Future[float]) -> None:
        if (error := done.exception()) is not None:
            log.error("store.failed", reason=getattr(error, "reason", "io"), detail=str(error))

    store.commit(Transaction(tuple(states), (), ())).add_done_callback(complain)


def _no_reload() -> None:
    """Answer a closed terminal, or the habit of reloading, with a line in the log instead of an end."""
    log.warning("config.rejected", reason="no_reload", detail="a changed file is read at the next start")
