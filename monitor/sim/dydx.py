"""A dYdX v4 indexer on loopback.

Played: ``/v4/ws`` with ``v4_markets``, ``v4_trades``, ``v4_orderbook`` (in batches, or one by one) and
``v4_block_height``, the numbers of frames and the answers that others overtake, oracle prices that are sent when they
change, liquidations whole or by blocks, deleveraging where the fund is empty, a chain that halts while the indexer
runs on, and the REST endpoints of :mod:`.dydx_rest`. Not played: accounts and candles (acknowledged, empty, silent),
isolated markets.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar
from urllib.parse import urlsplit

from monitor.sim import dydx_frames as frames
from monitor.sim.cast import Role
from monitor.sim.dydx_control import BLOCKS, BOOK, MARKETS, TRADES, Controls, data_frame, name_of, number_next, say
from monitor.sim.dydx_frames import Payload
from monitor.sim.dydx_rest import DydxRest
from monitor.sim.limits import Limits
from monitor.sim.market import NEVER_DELIVERED, Instrument, LiquidationPrint, OrderSide
from monitor.sim.rest import Reply
from monitor.sim.scenario import Scenario
from monitor.sim.streams import Client, Route
from monitor.sim.venue import VenueSim

PATH = "ws"
FIRST_HEIGHT = 50_000_000
ACTIVITY_PERIOD = 10
"""Ticks between two frames with what trading changed in the markets."""

KEPT_TRADES = 100
PART, LEAST_NOTIONAL = 0.1, 1000.0
"""How much of a position one block closes: this part of it, or what is worth this many USDC if that is more."""

FLAT = {"tiers": ((0.0, 0.004),)}


class DydxSim(VenueSim):
    """The venue; see :class:`~monitor.sim.venue.VenueSim` for what it can be told. A tick is a block."""

    NAME: ClassVar[str] = "dydx"
    LIMITS: ClassVar[Limits] = Limits(
        ping_seconds=30.0,
        pong_seconds=10.0,
        control_per_second=1000.0,  # only asking for the same thing too often is punished
        control_burst=1000,
        weight_per_minute=600,
    )
    CAST: ClassVar[Mapping[str, Role]] = {
        "BTCUSDT": Role(symbol="BTC-USD", base="BTC", quote="USD", listing=FLAT),
        "BTCUSDC": Role(symbol="ETH-USD", base="ETH", quote="USD", price_scale=0.05, listing=FLAT),
        "ETHUSDT": Role(symbol="SOL-USD", base="SOL", quote="USD", price_scale=0.1, listing=FLAT),
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
        self.height, self.block_time = FIRST_HEIGHT, wall()
        self.failing_fetches = 0
        """How many subscriptions from now on end in an internal error."""
        self._controls = Controls(self.streams, self._listed, self._first, self._spawn, self.clock, self.speed)
        self._rest = DydxRest(self.market, self.limits, self, wall=self.wall, clock=self.clock)
        self._trades: dict[str, deque[Payload]] = {}
        self._told: dict[str, str] = {}
        self._halted_until = 0.0
        self._frozen: dict[str, float] = {}
        self._closing: list[tuple[LiquidationPrint, float]] = []
        for found in self.market.instruments.values():
            self._trade(found, found.last_price, found.listing.step_size, "buy", "LIMIT")

    # addresses and messages

    def route(self, target: str) -> Route | None:
        """Return where an address leads: there is one."""
        return Route(PATH, (), combined=False) if urlsplit(target).path == "/v4/ws" else None

    async def welcome(self, client: Client, _streams: Iterable[str]) -> None:
        """Greet *client*."""
        self._controls.welcome(client)

    async def hear(self, client: Client, text: str) -> None:
        """Answer one control message."""
        await self._controls.hear(client, text)

    def answer(self, path: str, query: Mapping[str, str], address: str, _body: bytes = b"") -> Reply:
        """Answer one REST request."""
        self.market.advance(self.clock())
        return self._rest.answer(path, query, address)

    def fault_body(self, status: int) -> object:
        """Return the error body of an HTTP fault."""
        return frames.errors("Too many requests" if status == 429 else "Internal Server Error")

    # what the indexer knows

    def row(self, symbol: str) -> Payload:
        """Return a whole market row."""
        return frames.market(self.market.instrument(symbol), self._number(symbol), self._oracle_price(symbol))

    def trades(self, symbol: str) -> list[Payload]:
        """Return the newest trades of *symbol*, newest first."""
        return list(self._trades.get(symbol, ()))

    def whole_book(self, symbol: str) -> Payload:
        """Return the order book of *symbol*."""
        bids, asks = self.book(symbol).snapshot()
        return {"bids": frames.whole_side(bids), "asks": frames.whole_side(asks)}

    def _listed(self, symbol: str) -> bool:
        return symbol in self.market.instruments

    def _number(self, symbol: str) -> int:
        return list(self.market.instruments).index(symbol)

    def _oracle_price(self, symbol: str) -> float:
        return self._frozen.get(symbol, self.market.instrument(symbol).mark_price)

    def _first(self, channel: str, market: str | None) -> object | None:
        """Return what a subscription begins with; None where the indexer cannot read it just now."""
        if self.failing_fetches:
            self.failing_fetches -= 1
            return None
        if self.streams.silent(PATH, name_of(channel, market), market):
            return None
        if channel == MARKETS:
            told = [s for s in self.market.instruments if not self.streams.silent(PATH, MARKETS, s)]
            return {"markets": {symbol: self.row(symbol) for symbol in told}}
        if channel == BLOCKS:
            return {"height": str(self.height), "time": frames.iso(self.block_time)}
        if market is None or channel not in (TRADES, BOOK):
            return {}
        return {"trades": self.trades(market)} if channel == TRADES else self.whole_book(market)

    # on a tick

    def halt(self, seconds: float) -> None:
        """Let the chain make no block for *seconds*: prices stand still, while the indexer answers as ever."""
        self._halted_until = self.clock() + seconds
        self._frozen = {symbol: self._oracle_price(symbol) for symbol in self.market.instruments}

    @property
    def _halted(self) -> bool:
        return self.clock() < self._halted_until

    def beat(self, number: int) -> None:
        """Make a block, unless the chain stands still, and send what is in it."""
        if self._halted:
            return
        self._frozen.clear()
        self.height, self.block_time = self.height + 1, self.wall()
        block = {"blockHeight": str(self.height), "time": frames.iso(self.block_time)}
        self._publish(BLOCKS, None, [block])
        self._deliver_due()
        self._send_oracle_prices()
        for found in self._trading():
            if not found.listing.quiet:
                found.trade()
                self._trade(found, found.last_price, found.listing.step_size, "buy", "LIMIT")
            self._send_book(found)
        if number % ACTIVITY_PERIOD == 0:
            rows = {found.symbol: self._activity(found) for found in self._trading()}
            self._send_rows("trading", rows)
        self._close_parts()

    def push(self) -> None:
        """Send everything now, unchanged prices too."""
        self.market.advance(self.clock())
        self._told.clear()
        self.beat(ACTIVITY_PERIOD)

    def _trading(self) -> list[Instrument]:
        return [found for found in self.market.instruments.values() if frames.status(found) == "ACTIVE"]

    def _activity(self, found: Instrument) -> Payload:
        return {"id": str(self._number(found.symbol)), **frames.activity(found)}

    def _send_oracle_prices(self) -> None:
        rows: dict[str, Payload] = {}
        for found in self.market.instruments.values():
            text = frames.decimal(found.mark_price)
            if found.speaks and self._told.get(found.symbol) != text:
                self._told[found.symbol] = text
                number = self._number(found.symbol)
                rows[found.symbol] = frames.oracle_update(number, found.mark_price, self.block_time, self.height)
        self._send_rows("oraclePrices", rows)

    def _send_rows(self, field: str, rows: Mapping[str, Payload]) -> None:
        told = {symbol: row for symbol, row in rows.items() if not self.streams.silent(PATH, MARKETS, symbol)}
        if told:
            self._publish(MARKETS, None, [{field: told}])

    def _deliver_due(self) -> None:
        """Settle the markets whose end has come."""
        for found in self._trading():
            if found.delivery_time != NEVER_DELIVERED and self.wall() >= found.delivery_time:
                self.set_status(found.symbol, "CLOSE")

    # in real time

    def traded(self, symbol: str) -> None:
        """Send a trade and the book of *symbol* now."""
        found = self.market.instrument(symbol)
        if frames.status(found) == "ACTIVE" and not self._halted:
            found.trade()
            self._trade(found, found.last_price, found.listing.step_size, "buy", "LIMIT")
            self._send_book(found)

    def _trade(self, found: Instrument, price: float, contracts: float, order_side: OrderSide, kind: str) -> None:
        row = frames.trade(found, price, contracts, order_side, kind, self.wall(), self.height)
        self._trades.setdefault(found.symbol, deque(maxlen=KEPT_TRADES)).appendleft(row)
        self._publish(TRADES, found.symbol, [{"trades": [row]}])

    def _send_book(self, found: Instrument) -> None:
        """Send what changed, one side after the other: between the two the book may be crossed."""
        change = self.book(found.symbol).change()
        sides = (("bids", change.bids), ("asks", change.asks))
        parts: list[Payload] = [{side: frames.changed_side(rows)} for side, rows in sides if rows]
        if parts:
            self._publish(BOOK, found.symbol, parts, lost=change.lost)

    def print_liquidation(self, liquidation: LiquidationPrint) -> None:
        """Report a forced order as one trade; with an empty fund winners take the position over."""
        found, pool = self.market.instrument(liquidation.symbol), self.market.pool_of(liquidation.symbol)
        empty = pool is not None and not any(balance > 0.0 for balance in pool.balances.values())
        kind = "DELEVERAGED" if empty else "LIQUIDATED"
        found.trade()
        self._trade(found, liquidation.fill_price, liquidation.contracts, liquidation.order_side, kind)

    def liquidate_by_blocks(self, liquidation: LiquidationPrint) -> None:
        """Close a position as the chain does: a part of it in every block."""
        self._closing.append((liquidation, liquidation.contracts))

    def _close_parts(self) -> None:
        closing, self._closing = self._closing, []
        for whole, left in closing:
            part = min(left, max(PART * whole.contracts, LEAST_NOTIONAL / whole.fill_price))
            self.print_liquidation(
                LiquidationPrint(whole.symbol, whole.order_side, part, whole.limit_price, whole.fill_price)
            )
            if left - part > 1e-9:
                self._closing.append((whole, left - part))

    def terms_changed(self, symbol: str, *, tiers: bool) -> None:
        """Announce a new status or new fractions as a row that holds nothing else; an end in the future is not told."""
        found = self.market.instrument(symbol)
        news = frames.fractions(found) if tiers else {"status": frames.status(found)}
        self._send_rows("trading", {symbol: {"id": str(self._number(symbol)), **news}})

    def _publish(self, channel: str, market: str | None, parts: list[Payload], *, lost: bool = False) -> None:
        """Send *parts* to who wants them, each connection with its own numbers: a lost frame leaves a hole."""
        name = name_of(channel, market)
        if not self.streams.wanted(PATH, name) or self.streams.silent(PATH, name, market):
            return
        for client in [client for client in self.clients(PATH) if name in client.streams]:
            for contents in [parts] if client.notes["batched"][name] else parts:
                frame = data_frame(client, channel, market, number_next(client), contents)
                if not lost:
                    say(client, frame)
                    self.journal.counts["sent",] += 1
