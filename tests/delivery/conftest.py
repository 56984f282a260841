"""A scripted receiver on loopback, alert events by the dozen, and an outbox with short times."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook as Reference

from monitor.core.alert_event import AlertEvent, StoredState
from monitor.core.alerts import Ladder, Level, Quality
from monitor.delivery.outbox import Outbox
from monitor.delivery.settings import DeliveryTimes, ReceiverSettings
from monitor.net.clock import boot
from monitor.store.store import Store

SECRET = bytes(range(32))
REFERENCE = Reference("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")

FAST = DeliveryTimes(
    connect=1.0,
    total=2.0,
    delays=(0.02, 0.04, 0.08),
    rejected_delay=0.1,
    probe_gap=0.05,
    retry_after_urgent=0.15,
    retry_after=0.3,
    commit_urgent=0.2,
    commit=0.6,
    mark=0.01,
    store_retry=0.1,
)

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Received:
    """One request as it came in. ``time`` is on the boot clock."""

    time: float
    headers: dict[str, str]
    body: bytes
    status: int | None = None

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def data(self) -> dict[str, Any]:
        return msgspec.json.decode(self.body)["data"]


@dataclass
class Receiver:
    """Answers each request with the next of ``script`` (a status, or a coroutine function), then with 200.

    Every signature is verified with the reference library; a request that fails there is a 500 of this server.
    """

    script: list[int | Answer] = field(default_factory=list)
    default: int | Answer = 200
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[Received] = field(default_factory=list, repr=False)
    in_flight: int = 0
    most_in_flight: int = 0
    port: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/canary-path?token=canary-query"

    @property
    def delivered(self) -> list[Received]:
        return [request for request in self.requests if request.status is not None and 200 <= request.status < 300]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        received = Received(boot(), {k.lower(): v for k, v in request.headers.items()}, await request.read())
        REFERENCE.verify(received.body, received.headers)
        self.requests.append(received)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            answer = self.script.pop(0) if self.script else self.default
            if isinstance(answer, int):
                response: web.StreamResponse = web.Response(status=answer, headers=self.headers, text="thanks")
            else:
                response = await answer(request)
            received.status = response.status
            return response
        finally:
            self.in_flight -= 1
            self.answered.set()

    async def wait(self, count: int) -> list[Received]:
        """Return once *count* deliveries were answered with 2xx."""
        return await self._wait(lambda: self.delivered, count)

    async def wait_requests(self, count: int) -> list[Received]:
        """Return once *count* requests were answered, however."""
        return await self._wait(lambda: [request for request in self.requests if request.status is not None], count)

    async def _wait(self, requests: Callable[[], list[Received]], count: int) -> list[Received]:
        async with asyncio.timeout(10):
            while len(requests()) < count:
                self.answered.clear()
                await self.answered.wait()
        return requests()

    @asynccontextmanager
    async def serve(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=tls)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().serve() as receiver:
        yield receiver


@pytest.fixture
async def other() -> AsyncIterator[Receiver]:
    async with Receiver().serve() as receiver:
        yield receiver


@pytest.fixture
def make_receiver() -> type[Receiver]:
    return Receiver


@pytest.fixture
def cut() -> Answer:
    """An answer that takes the whole request and closes without a reply."""

    async def abort(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response(status=299)  # goes nowhere; says in ``requests`` that it was taken

    return abort


def make_alert(subject: str = "main/btc", seq: int = 1, level: Level = Level.CRITICAL, **facts: Any) -> AlertEvent:
    """Return an alert of a short position near its liquidation price."""
    defaults: dict[str, Any] = {
        "kind": f"position.{level.word}",
        "severity": level.word,
        "subject": subject,
        "venue": "binance",
        "state": StoredState(subject, raw=int(level), announced=int(level), episode=1, seq=seq),
        "seq": seq,
        "episode": 1,
        "level": level,
        "prev_level": Level.OK,
        "quality": Quality.LIVE,
        "reason": "",
        "arrived": boot(),
        "position": "mission-short",
        "account": "main",
        "symbol": "BTCUSDT",
        "side": "short",
        "mark_price": 54600.0,
        "price_source": "mark",
        "price_age_seconds": 0.25,
        "liquidation_price": 54780.88,
        "bankruptcy_price": 55000.0,
        "liquidation_distance_ratio": 180.88 / 54600.0,
        "bankruptcy_distance_ratio": 400.0 / 54600.0,
        "ladder": Ladder(),
        "skipped": ("warning",),
    }
    return AlertEvent(**(defaults | facts))


@pytest.fixture
def alert() -> Callable[..., AlertEvent]:
    return make_alert


@dataclass
class Bench:
    """Outboxes, one after the other, on one store in a directory of its own."""

    path: Path
    store: Store = field(init=False)

    def settings(self, receiver: Receiver, **changes: Any) -> ReceiverSettings:
        facts = {"name": "ops", "url": receiver.url, "secret": SECRET, "allow_http_loopback": True}
        return ReceiverSettings(**(facts | changes))

    @asynccontextmanager
    async def running(
        self, *receivers: ReceiverSettings, times: DeliveryTimes = FAST, **options: Any
    ) -> AsyncIterator[Outbox]:
        """An outbox that runs until the block is left; then the store is closed as at a clean stop."""
        self.store = Store.open(self.path)
        try:
            async with asyncio.TaskGroup() as group:
                outbox = Outbox(self.store, self.store.load(), receivers, times, **options)
                runner = group.create_task(outbox.run())
                yield outbox
                runner.cancel()
        finally:
            self.store.close()

    def rows(self) -> list[tuple[Any, ...]]:
        """Return (delivery_id, state, attempt, last_error, body) of every delivery, from the open store."""
        query = "SELECT delivery_id, state, attempt, last_error, body FROM delivery ORDER BY rowid"
        return self.store.call(lambda: self.store._connection.execute(query).fetchall()).result()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "state" / "perp.db")


@pytest.fixture
def fast() -> DeliveryTimes:
    return FAST
