"""What every simulated venue can be told, whatever its wire: prices, terms, and faults.

Scenario actions and tests call the same methods. All seconds are the scenario's: ``speed`` 10 plays ten of them
in one. The wall clock of the payloads runs as it always does.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Literal

from monitor.core.contract import Tier
from monitor.sim.book import SimBook
from monitor.sim.journal import Journal, boot
from monitor.sim.limits import Limits
from monitor.sim.market import AdlRisk, LiquidationPrint, Market
from monitor.sim.rest import Reply, RestServer
from monitor.sim.streams import Client, Route, Silence, StreamServer

Server = Literal["stream", "rest", "all"]


class Stage(ABC):
    """A market, its two servers and the switches to disturb them."""

    def __init__(self, market: Market, limits: Limits, *, speed: float, wall: Callable[[], float]) -> None:
        self.market = market
        self.limits = limits
        self.speed = speed
        self.wall = wall
        self.journal = Journal()
        self.streams = StreamServer(self, limits, self.journal, clock=self.clock, speed=speed)
        self.rest = RestServer(self.answer, self.journal, clock=self.clock)
        self.books: dict[str, SimBook] = {}
        self._began = boot()
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        market.reset(wall())

    # what a venue adds

    @abstractmethod
    def route(self, target: str) -> Route | None:
        """Return where a websocket address leads; None is answered with 404."""

    @abstractmethod
    async def welcome(self, client: Client, streams: Iterable[str]) -> None:
        """Subscribe *client* to the streams that its address named."""

    @abstractmethod
    async def hear(self, client: Client, text: str) -> None:
        """Answer one control message."""

    @abstractmethod
    def answer(self, path: str, query: Mapping[str, str], address: str, body: bytes = b"") -> Reply:
        """Answer one REST request (a POST has a *body*), or raise ``RefusedError``."""

    @abstractmethod
    def beat(self, number: int) -> None:
        """Send what is due at tick *number* (1, 2, ...)."""

    @abstractmethod
    def push(self) -> None:
        """Send every periodic stream now, whatever its period."""

    @abstractmethod
    def print_liquidation(self, liquidation: LiquidationPrint) -> None:
        """Report a forced order."""

    @abstractmethod
    def traded(self, symbol: str) -> None:
        """Send what a venue sends in real time when the last price or the book of *symbol* changed."""

    @abstractmethod
    def terms_changed(self, symbol: str, *, tiers: bool) -> None:
        """Announce that status, delivery date or (``tiers``) the maintenance ladder changed."""

    # time

    def clock(self) -> float:
        """Return the scenario's seconds since the venue opened."""
        return (boot() - self._began) * self.speed

    async def _until(self, moment: float) -> None:
        await asyncio.sleep(max(0.0, (moment - self.clock()) / self.speed))

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = self._group.create_task(work, name=f"sim:{name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # prices and terms

    def set_mark(self, symbol: str, price: float) -> None:
        """Set the mark price at once; it is sent with the next tick, or with :meth:`push`."""
        self.market.set_mark(symbol, price)

    def set_index(self, symbol: str, price: float | None) -> None:
        """Hold the index price; None lets it follow the mark price."""
        self.market.set_index(symbol, price)

    def set_last(self, symbol: str, price: float | None) -> None:
        """Hold the last price, and trade at it; None lets it follow the mark price."""
        self.market.set_last(symbol, price)
        self.traded(symbol)

    def set_spread(self, symbol: str, ratio: float) -> None:
        """Set the distance of best bid and best ask, as a ratio of the last price."""
        self.market.instrument(symbol).spread_ratio = ratio
        self.traded(symbol)

    def set_funding_rate(self, symbol: str, rate: float) -> None:
        """Set the running estimate of the funding rate."""
        self.market.instrument(symbol).funding_rate = rate

    def set_funding_interval(self, symbol: str, hours: int) -> None:
        """Charge funding every *hours* from now on: the next funding time may move earlier."""
        self.market.instrument(symbol).funding_interval_hours = hours

    def set_open_interest(self, symbol: str, contracts: float) -> None:
        """Set the open interest."""
        self.market.instrument(symbol).open_interest = contracts

    def set_adl_risk(self, symbol: str, risk: AdlRisk) -> None:
        """Set the published ADL risk."""
        self.market.instrument(symbol).adl_risk = risk

    def set_tiers(self, symbol: str, tiers: Sequence[Tier]) -> None:
        """Replace the maintenance ladder and announce it."""
        self.market.instrument(symbol).tiers = tuple(tiers)
        self.terms_changed(symbol, tiers=True)

    def set_status(self, symbol: str, status: str) -> None:
        """Change the contract's status and announce it."""
        self.market.instrument(symbol).status = status
        self.terms_changed(symbol, tiers=False)

    def book(self, symbol: str) -> SimBook:
        """Return the order book of *symbol*, made when it is first asked for."""
        if symbol not in self.books:
            self.books[symbol] = SimBook(self.market.instrument(symbol))
        return self.books[symbol]

    def lose_book_change(self, symbol: str) -> None:
        """Let the next change of the book of *symbol* get lost on its way: its number is used, it is not sent."""
        self.book(symbol).lose_next = True

    def delist(self, symbol: str, in_seconds: float) -> None:
        """Set a delivery date *in_seconds* from now and announce it."""
        self.market.instrument(symbol).delivery_time = self.wall() + in_seconds
        self.terms_changed(symbol, tiers=False)

    def set_fund(self, symbol: str, asset: str, balance: float) -> None:
        """Give the pool behind *symbol* a new balance, stamped now."""
        pool = self.market.pool_of(symbol)
        if pool is None:
            raise LookupError(f"no insurance pool stands behind {symbol}")
        pool.balances[asset] = balance
        pool.update_time = self.wall()

    def ramp(self, symbol: str, price: float, seconds: float) -> None:
        """Walk the mark price in a straight line to *price*."""
        self.market.ramp(symbol, price, seconds, self.clock())

    def wick(self, symbol: str, price: float, seconds: float) -> None:
        """Let the last price alone jump to *price* and return after *seconds*."""
        self.market.wick(symbol, price, seconds, self.clock())
        self.traded(symbol)

    # faults

    def silence(
        self, seconds: float, *, path: str | None = None, symbol: str | None = None, stream: str | None = None
    ) -> None:
        """Send no data for *seconds*, of everything or of one path, symbol or stream; sockets and pings live on."""
        self.streams.hush(Silence(self.clock() + seconds, path, symbol, stream))

    def speak(self) -> None:
        """End all silences."""
        self.streams.end_silences()

    def cut(self, *, path: str | None = None, code: int = 1001, reason: str = "", abort: bool = False) -> int:
        """Close the websockets of *path* (or all), or drop them without a word; return how many."""
        chosen = self.clients(path)
        for client in chosen:
            if abort:
                client.abort()
            else:
                self._spawn(client.connection.close(code, reason), "cut")
        return len(chosen)

    def refuse(self, seconds: float, server: Server = "all") -> None:
        """Listen no more for *seconds*; open websockets live on. What began earlier ends no later one."""
        for name, plumbing in (("stream", self.streams), ("rest", self.rest)):
            if server in (name, "all"):
                self._spawn(self._refuse(plumbing, self.clock() + seconds), f"refuse:{name}")

    async def _refuse(self, server: StreamServer | RestServer, end: float) -> None:
        server.refusing_until = max(end, server.refusing_until)
        await server.stop_listening()
        await self._until(end)
        if end == server.refusing_until:
            await server.listen()

    def answer_with(
        self, status: int, seconds: float, *, retry_after_seconds: int | None = None, server: Server = "rest"
    ) -> None:
        """Give REST requests and/or websocket handshakes one HTTP status for *seconds*."""
        until = self.clock() + seconds
        headers = {} if retry_after_seconds is None else {"Retry-After": str(retry_after_seconds)}
        if server in ("rest", "all"):
            self.rest.answer_with(Reply(status, self.fault_body(status), headers), until)
        if server in ("stream", "all"):
            self.streams.refuse_handshakes(status, until, retry_after_seconds)

    def fault_body(self, status: int) -> object:
        """Return the body that goes with an HTTP fault; venues word it their way."""
        return {"status": status}

    def clients(self, path: str | None = None) -> list[Client]:
        """Return the open websockets of *path*, or all, oldest first."""
        return [client for client in self.streams.clients if path in (None, client.path)]

    def send_raw(self, path: str | None, frame: bytes) -> int:
        """Send a frame exactly as it is to the websockets of *path* (or all); return how many."""
        return self.streams.send_raw(path, frame)
