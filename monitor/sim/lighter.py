"""Lighter on loopback.

Played: ``/stream`` with its greeting, requests with a slash and data with a colon, first data as acknowledgement,
errors that name nothing, both sides' pings, the end of a client that says nothing for two minutes, announced
shutdowns; ``market_stats`` (of all markets: those that changed), ``order_book`` with its chain of nonces, ``ticker``,
``trade`` with a backlog that the first update repeats, liquidations, takeovers and ADL; ``account_all`` and
``user_stats`` of the pool; the REST endpoints of :mod:`.lighter_rest`. Not played: accounts of users, channels that
need a token (refused), blocks. A book changes once a tick here, not every 50 ms.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from monitor.sim import lighter_frames as frames
from monitor.sim.book import Change
from monitor.sim.cast import Role
from monitor.sim.lighter_control import BAD_CHANNEL, NO_ACCOUNT, BadControlError, Controls, say
from monitor.sim.lighter_frames import LLP_ACCOUNT, Payload
from monitor.sim.lighter_rest import FAULTS, LighterRest, Pool
from monitor.sim.limits import Limits
from monitor.sim.market import Instrument, LiquidationPrint
from monitor.sim.rest import Reply
from monitor.sim.scenario import Scenario
from monitor.sim.streams import Client, Route
from monitor.sim.venue import VenueSim

STREAM, ALL = "stream", "market_stats:all"
KNOWN_NUMBERS = {"ETH": 0, "BTC": 1, "SOL": 2}
FIRST_NUMBER = 3
"""Markets that are not known by their number get the next free one."""

BACKLOG = 50
SERVER_PING_PERIOD = 60

FLAT: dict[str, Any] = {"tiers": ((0.0, 0.004),)}
"""One rate a market, whatever the position is worth."""


class LighterSim(VenueSim):
    """The venue; see :class:`~monitor.sim.venue.VenueSim` for what it can be told. A tick stands for one second.

    Funding is hourly and no frame announces new terms, whatever a scenario says: terms are read over REST.
    """

    NAME: ClassVar[str] = "lighter"
    LIMITS: ClassVar[Limits] = Limits(
        control_per_second=1_000.0,  # counted a minute and answered with an error, never by closing
        control_burst=1_000,
        streams_per_connection=100,
        idle_client_seconds=120.0,
        weight_per_minute=60,
    )
    CAST: ClassVar[Mapping[str, Role]] = {
        "BTCUSDT": Role(symbol="BTC", base="BTC", quote="USDC", listing=FLAT),
        "BTCUSDC": Role(symbol="ETH", base="ETH", quote="USDC", price_scale=0.05, listing=FLAT),
        "ETHUSDT": Role(symbol="SOL", base="SOL", quote="USDC", price_scale=0.1, listing=FLAT),
    }

    def __init__(
        self,
        scenario: Scenario,
        *,
        speed: float = 1.0,
        stream_port: int = 0,
        rest_port: int = 0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(scenario, speed=speed, stream_port=stream_port, rest_port=rest_port, wall=wall)
        self.numbers = _numbers(self.market.instruments)
        self.pool = Pool(self.market)
        self._trades = frames.Trades()
        self._nonce = 8_630_448_841
        self._recent: dict[str, deque[Payload]] = {symbol: deque(maxlen=BACKLOG) for symbol in self.numbers}
        self._forced: dict[str, deque[Payload]] = {symbol: deque(maxlen=BACKLOG) for symbol in self.numbers}
        self._told: dict[tuple[str, str], object] = {}
        self._controls = Controls(self.streams, self._first, self.clock)
        self._rest = LighterRest(
            self.market, self.limits, self.numbers, self.pool, self._recent, wall=self.wall, clock=self.clock
        )

    # addresses and messages

    def route(self, target: str) -> Route | None:
        """Return where an address leads: there is one, with or without ``?readonly=true``."""
        return Route(STREAM, (), combined=False) if urlsplit(target).path == "/stream" else None

    async def welcome(self, client: Client, _streams: Iterable[str]) -> None:
        """Speak first."""
        say(client, {"type": "connected", "session_id": f"{id(client):032x}"})

    async def hear(self, client: Client, text: str) -> None:
        """Answer one control message."""
        self._controls.hear(client, text)

    def answer(self, path: str, query: Mapping[str, str], address: str, _body: bytes = b"") -> Reply:
        """Answer one REST request."""
        self.market.advance(self.clock())
        return self._rest.answer(path, query, address)

    def fault_body(self, status: int) -> object:
        """Return the error body of an HTTP fault."""
        code, message = FAULTS.get(status, (status, "internal server error"))
        return {"code": code, "message": message}

    # the first data of a channel

    def _first(self, kind: str, subject: str) -> list[bytes] | None:
        """Return the first frames of a channel; None while it is silent. Raises ``BadControlError``."""
        channel = f"{kind}:{subject}"
        if channel == ALL:
            rows = self._stats_rows()
            return self._unless_silent(channel, None, [self._stats("subscribed", channel, rows)])
        if kind in ("account_all", "user_stats"):
            if subject != str(LLP_ACCOUNT):
                raise BadControlError(NO_ACCOUNT)
            return self._unless_silent(channel, None, [self._pool_frame("subscribed", kind)])
        symbol = next((symbol for symbol, number in self.numbers.items() if str(number) == subject), None)
        if symbol is None or kind not in ("market_stats", "order_book", "ticker", "trade"):
            raise BadControlError(BAD_CHANNEL)
        return self._unless_silent(channel, symbol, self._first_of(kind, channel, self.market.instrument(symbol)))

    def _unless_silent(self, channel: str, symbol: str | None, payloads: list[Payload]) -> list[bytes] | None:
        if self.streams.silent(STREAM, channel, symbol):
            return None
        return [msgspec.json.encode(payload) for payload in payloads]

    def _first_of(self, kind: str, channel: str, found: Instrument) -> list[Payload]:
        symbol, wall = found.symbol, self.wall()
        if kind == "market_stats":
            return [self._stats("subscribed", channel, self._stats_row(found))]
        if kind == "trade":
            rows, forced = list(self._recent[symbol]), list(self._forced[symbol])
            backlog = frames.trades(channel, rows, forced, self._nonce, kind="subscribed")
            return [backlog, frames.trades(channel, [], forced, self._nonce)] if forced else [backlog]
        self._send_depth(found)  # others learn of what this client has in its first frame
        bids, asks = self.book(symbol).snapshot()
        number = self.book(symbol).number
        if kind == "ticker":
            return [frames.ticker("subscribed", found, channel, (bids, asks), number, wall)]
        return [frames.book("subscribed", found, channel, Change(bids, asks, 0, number, lost=False), wall)]

    # on a tick

    def beat(self, number: int) -> None:
        """Send what is due: a tick is a second."""
        for found in self._speaking():
            if not found.listing.quiet:
                self._trade(found)
            self._send_depth(found)
        self._send_stats()
        self._send_pool()
        if number % SERVER_PING_PERIOD == 0:
            self.streams.send_raw(STREAM, b'{"type":"ping"}')

    def push(self) -> None:
        """Send every stream now."""
        self.market.advance(self.clock())
        self.beat(SERVER_PING_PERIOD)

    def _speaking(self) -> list[Instrument]:
        return [found for found in self.market.instruments.values() if found.speaks]

    def _channel(self, kind: str, symbol: str) -> str:
        return f"{kind}:{self.numbers[symbol]}"

    def _stats_row(self, found: Instrument) -> Payload:
        return frames.stats(found, self.numbers[found.symbol], self.book(found.symbol).snapshot(1), self.wall())

    def _stats_rows(self) -> Payload:
        return {
            str(self.numbers[found.symbol]): self._stats_row(found)
            for found in self._speaking()
            if not self.streams.silent(STREAM, ALL, found.symbol)
        }

    def _stats(self, kind: str, channel: str, rows: Payload) -> Payload:
        return frames.data(kind, "market_stats", channel, self.wall(), market_stats=rows)

    def _send_stats(self) -> None:
        """All markets together as far as they changed, and each by itself if it did."""
        news: Payload = {}
        if self.streams.wanted(STREAM, ALL):
            news = {number: row for number, row in self._stats_rows().items() if self._is_news(ALL, number, row)}
        if news:
            self._send(ALL, self._stats("update", ALL, news))
        for found in self._speaking():
            channel = self._channel("market_stats", found.symbol)
            if self.streams.wanted(STREAM, channel):
                row = self._stats_row(found)
                if self._is_news(channel, "", row):
                    self._send(channel, self._stats("update", channel, row), found.symbol)

    def _is_news(self, channel: str, part: str, content: object) -> bool:
        """Return whether *content* was not what was sent last."""
        before = self._told.get((channel, part))
        self._told[channel, part] = content
        return before != content

    def _send_depth(self, found: Instrument) -> None:
        """Send the book's next change and the best quotes."""
        symbol, wall = found.symbol, self.wall()
        change = self.book(symbol).change()
        channel = self._channel("order_book", symbol)
        if self.streams.wanted(STREAM, channel) and not change.lost:
            self._send(channel, frames.book("update", found, channel, change, wall), symbol)
        channel = self._channel("ticker", symbol)
        if self.streams.wanted(STREAM, channel):
            best = self.book(symbol).snapshot(1)
            if self._is_news(channel, "", best):
                self._send(channel, frames.ticker("update", found, channel, best, change.number, wall), symbol)

    def _pool_frame(self, kind: str, what: str) -> Payload:
        return frames.pool(kind, what, self.pool.value, self.wall())

    def _send_pool(self) -> None:
        channel = f"user_stats:{LLP_ACCOUNT}"
        if self.streams.wanted(STREAM, channel) and self._is_news(channel, "", self.pool.value):
            self._send(channel, self._pool_frame("update", "user_stats"))

    # in real time

    def traded(self, symbol: str) -> None:
        """Send a trade, the book and the market's figures now."""
        found = self.market.instrument(symbol)
        if found.speaks:
            self._trade(found)
            self._send_depth(found)
            self._send_stats()

    def _trade(self, found: Instrument) -> None:
        found.trade()
        row = self._trades.plain(found, self.numbers[found.symbol], self.wall())
        self._recent[found.symbol].append(row)
        self._send_trades(found.symbol, [row], [])

    def print_liquidation(self, liquidation: LiquidationPrint) -> None:
        """Report a liquidation order that was filled."""
        found = self.market.instrument(liquidation.symbol)
        row = self._trades.liquidation(found, self.numbers[found.symbol], liquidation, self.wall())
        self._forced[found.symbol].append(row)
        self._send_trades(found.symbol, [], [row])

    def take_over(self, liquidation: LiquidationPrint) -> None:
        """Report that a position went to the pool at ``fill_price``, or to a winner where its bucket is empty (ADL)."""
        found, number = self.market.instrument(liquidation.symbol), self.numbers[liquidation.symbol]
        against = frames.WINNER if number in self.pool.depleted else LLP_ACCOUNT
        row = self._trades.deleverage(found, number, liquidation, against, self.wall())
        self._send_trades(found.symbol, [row], [])

    def deplete(self, symbol: str) -> None:
        """Let the pool's bucket for *symbol* be empty: from now on what would fall to it goes to ADL."""
        self.pool.depleted.add(self.numbers[symbol])

    def _send_trades(self, symbol: str, rows: list[Payload], forced: list[Payload]) -> None:
        self._nonce += 1
        channel = self._channel("trade", symbol)
        if self.streams.wanted(STREAM, channel):
            self._send(channel, frames.trades(channel, rows, forced, self._nonce), symbol)

    def terms_changed(self, symbol: str, *, tiers: bool) -> None:
        """Announce nothing: new terms are only seen in the next answer to ``orderBookDetails``."""

    def set_fund(self, symbol: str, asset: str, balance: float) -> None:
        """Give the pool a new balance: there is one for all markets."""
        first = self.market.pools[0].symbols[0] if self.market.pools else symbol
        super().set_fund(first, asset, balance)

    def shut_down(self, in_seconds: float) -> None:
        """Announce that all connections end, and end them."""
        words = {"type": "shutdown", "close_in_ms": int(in_seconds * 1000)}
        self.streams.send_raw(STREAM, msgspec.json.encode(words))
        self._spawn(self._end(self.clients(), in_seconds), "shutdown")

    async def _end(self, clients: list[Client], in_seconds: float) -> None:
        await asyncio.sleep(in_seconds / self.speed)
        for client in clients:
            await client.connection.close(1001, "shutdown")

    def _send(self, channel: str, payload: object, symbol: str | None = None) -> None:
        self.streams.publish(STREAM, channel, msgspec.json.encode(payload), symbol)


def _numbers(symbols: Iterable[str]) -> dict[str, int]:
    """Return each market's number."""
    free = iter(range(FIRST_NUMBER, FIRST_NUMBER + 10_000))
    return {symbol: KNOWN_NUMBERS[symbol] if symbol in KNOWN_NUMBERS else next(free) for symbol in symbols}
