"""A Bybit v5 venue on loopback: linear and inverse contracts.

Played: the paths ``/v5/public/linear``, ``/v5/public/inverse`` and ``/v5/public/misc/status``, control messages
(:mod:`.bybit_control`), tickers as a snapshot and sparse deltas, order books with consecutive ``u``, liquidations in
batches every half second, insurance pools (isolated ones, when they change), ADL alerts, trades, and the REST endpoints
of :mod:`.bybit_rest`. Not played: candles and price limits (acknowledged, then silent), private paths (404), signed
endpoints (retCode 10003), the day that a shared pool's figure is late.

A silence of everything, of a path or of a symbol holds back the REST prices as well: the venue has no news. One of a
single topic is the topic's alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from monitor.sim import bybit_frames as frames
from monitor.sim.book import SimBook
from monitor.sim.bybit_control import DEPTHS, STATUS_PATH, Controls
from monitor.sim.bybit_pools import MARKETS, Pools
from monitor.sim.bybit_rest import TOO_FREQUENT, BybitRest
from monitor.sim.cast import Role
from monitor.sim.limits import Limits
from monitor.sim.market import Instrument, LiquidationPrint
from monitor.sim.rest import Reply
from monitor.sim.scenario import Scenario
from monitor.sim.streams import Client, Route
from monitor.sim.venue import VenueSim

PATHS = {
    "/v5/public/linear": "linear",
    "/v5/public/inverse": "inverse",
    "/v5/public/misc/status": STATUS_PATH,
}
LIQUIDATION_SECONDS = 0.5
NEVER = 9_999_999.0


class BybitSim(VenueSim):
    """The venue; see :class:`~monitor.sim.venue.VenueSim` for what it can be told. A tick stands for one second."""

    NAME = "bybit"
    LIMITS = Limits(
        ping_seconds=NEVER,
        lifetime_seconds=NEVER,
        control_per_second=20.0,
        control_burst=40,
        streams_per_connection=1_000_000,
        idle_client_seconds=600.0,
        idle_code=None,
        weight_per_minute=7200,
        ban_seconds=600.0,
    )
    CAST: ClassVar[Mapping[str, Role]] = {
        "BTCUSDT": Role(symbol="BTCUSDT", base="BTC", quote="USDT"),
        "BTCUSDC": Role(symbol="BTCPERP", base="BTC", quote="USDC"),
        "ETHUSDT": Role(symbol="ETHUSDT", base="ETH", quote="USDT"),
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
        self._controls = Controls(self.streams, self.market, self._begin)
        self._rest = BybitRest(self.market, self.limits, self._book_now, wall=self.wall, quiet=self._quiet)
        self._told: dict[str, frames.Payload] = {}
        self._pools = Pools(self.market, self.wall)
        self._batches: dict[str, list[frames.Payload]] = {}
        self._cross_sequence = 620_000_000_000

    # addresses and messages

    def route(self, target: str) -> Route | None:
        """Return where an address leads; the category stands in it and nowhere else."""
        path = PATHS.get(urlsplit(target).path.rstrip("/"))
        return None if path is None else Route(path, (), combined=False)

    async def welcome(self, client: Client, streams: Iterable[str]) -> None:
        """Say nothing: the client speaks first."""

    async def hear(self, client: Client, text: str) -> None:
        """Answer one control message."""
        await self._controls.hear(client, text)

    def answer(self, path: str, query: Mapping[str, str], address: str, _body: bytes = b"") -> Reply:
        """Answer one REST request."""
        self.market.advance(self.clock())
        return self._rest.answer(path, query, address)

    def fault_body(self, status: int) -> object:
        """Return the body of an HTTP fault."""
        if status == 403:
            return TOO_FREQUENT
        time = frames.ms(self.wall())
        return {"retCode": 10016, "retMsg": "Server error", "result": {}, "retExtInfo": {}, "time": time}

    def _quiet(self, instrument: Instrument) -> bool:
        return self.streams.silent(frames.category(instrument), "REST", instrument.symbol)

    # snapshots for a new subscriber

    def _begin(self, client: Client, topic: str) -> None:
        """Send *client* what a subscription begins with, before it is acknowledged."""
        head, _, rest = topic.partition(".")
        self.market.advance(self.clock())
        if head == "tickers":
            found = self.market.instrument(rest)
            if not self.streams.wanted(client.path, topic):
                self._told.pop(rest, None)
            if frames.speaks(found):
                self._tell(client, topic, self._ticker(found), rest, "snapshot")
        elif head == "orderbook":
            symbol = rest.partition(".")[2]
            self._book_now(symbol)
            self._tell(client, topic, self._whole_book(topic, symbol), symbol, "snapshot")
        elif head == "insurance" and (rows := self._pools.rows(rest)):
            self._tell(client, topic, rows, None, "snapshot")

    def _followed(self, instrument: Instrument) -> bool:
        path, symbol = frames.category(instrument), instrument.symbol
        return any(self.streams.wanted(path, f"orderbook.{depth}.{symbol}") for depth in DEPTHS)

    def _book_now(self, symbol: str) -> SimBook:
        """Return the book of *symbol*; one that nobody follows moves to where the market is."""
        book = self.book(symbol)
        if not self._followed(book.instrument):
            book.change()
        return book

    def _tell(self, client: Client, topic: str, data: object, symbol: str | None, kind: str) -> None:
        if not self.streams.silent(client.path, topic, symbol):
            client.send(msgspec.json.encode(self._message(topic, data, kind)))

    def _message(self, topic: str, data: object, kind: str) -> dict[str, Any]:
        now = frames.ms(self.wall())
        message = {"topic": topic, "type": kind, "ts": now, "data": data}
        if topic.startswith("tickers."):
            self._cross_sequence += 13
            message["cs"] = self._cross_sequence
        elif topic.startswith("orderbook."):
            message["cts"] = now - 2
        return message

    def _send(self, path: str, topic: str, data: object, symbol: str | None, kind: str) -> None:
        if self.streams.wanted(path, topic):
            self.streams.publish(path, topic, msgspec.json.encode(self._message(topic, data, kind)), symbol)

    # on a tick

    def beat(self, _number: int) -> None:
        """Send what changed since the last tick, and where every contract stands against its ADL trigger."""
        for instrument in self.market.instruments.values():
            if not frames.speaks(instrument):
                continue
            if not instrument.listing.quiet:
                instrument.trade()
                self._send_trade(instrument)
            self._send_changes(instrument)
        for path, market in MARKETS:
            self._send_market(path, market)

    def _send_market(self, path: str, market: str) -> None:
        """Send changed pools of a market, and where its contracts stand against their ADL trigger."""
        if rows := self._pools.news(market):
            self._send(path, f"insurance.{market}", rows, None, "delta")
        topic = f"adlAlert.{market}"
        if self.streams.wanted(path, topic):
            rows = self._pools.alerts(market, lambda found: self.streams.silent(path, topic, found.symbol))
            if rows:
                self._send(path, topic, rows, None, "snapshot")

    def push(self) -> None:
        """Send everything now."""
        self.market.advance(self.clock())
        self.beat(1)

    def traded(self, symbol: str) -> None:
        """Send what a trade changed, now."""
        instrument = self.market.instrument(symbol)
        if frames.speaks(instrument):
            instrument.trade()
            self._send_trade(instrument)
            self._send_changes(instrument)

    def _send_changes(self, instrument: Instrument) -> None:
        if self._followed(instrument):
            self._send_book(instrument)
        if self.streams.wanted(frames.category(instrument), f"tickers.{instrument.symbol}"):
            self._send_ticker(instrument)

    def _ticker(self, instrument: Instrument) -> frames.Payload:
        """Return the whole ticker as it was told last: deltas build on it."""
        if instrument.symbol not in self._told:
            book = self._book_now(instrument.symbol)
            self._told[instrument.symbol] = frames.ticker(instrument, book, self.wall(), rest=False)
        return self._told[instrument.symbol]

    def _send_ticker(self, instrument: Instrument) -> None:
        before = self._ticker(instrument)
        book = self._book_now(instrument.symbol)
        after = self._told[instrument.symbol] = frames.ticker(instrument, book, self.wall(), rest=False)
        if changed := frames.difference(before, after):
            path = frames.category(instrument)
            self._send(path, f"tickers.{instrument.symbol}", changed, instrument.symbol, "delta")

    def _send_trade(self, instrument: Instrument) -> None:
        rows = [frames.trade(instrument, self.wall())]
        path = frames.category(instrument)
        self._send(path, f"publicTrade.{instrument.symbol}", rows, instrument.symbol, "snapshot")

    # order books

    def _whole_book(self, topic: str, symbol: str) -> frames.Payload:
        book, depth = self.book(symbol), int(topic.split(".")[1])
        bids, asks = book.snapshot(depth)
        return frames.book(book.instrument, bids, asks, book.number)

    def _send_book(self, instrument: Instrument) -> None:
        """Send the changes of a book; the topic of one level repeats it whole."""
        symbol, path = instrument.symbol, frames.category(instrument)
        change = self.book(symbol).change()
        if change.lost:
            return
        data = frames.book(instrument, change.bids, change.asks, change.number)
        for depth in DEPTHS[1:]:
            self._send(path, f"orderbook.{depth}.{symbol}", data, symbol, "delta")
        topic = f"orderbook.{DEPTHS[0]}.{symbol}"
        self._send(path, topic, self._whole_book(topic, symbol), symbol, "snapshot")

    def restart_book(self, symbol: str) -> None:
        """Begin the book of *symbol* anew, as after a restart of the service: a snapshot with ``u`` 1 in the stream."""
        instrument, book = self.market.instrument(symbol), self.book(symbol)
        book.change()
        book.number = 1
        for depth in DEPTHS:
            topic = f"orderbook.{depth}.{symbol}"
            self._send(frames.category(instrument), topic, self._whole_book(topic, symbol), symbol, "snapshot")

    # liquidations, pools, ADL, terms

    def print_liquidation(self, liquidation: LiquidationPrint) -> None:
        """Report a forced order, with all of its contract in the same half second."""
        instrument = self.market.instrument(liquidation.symbol)
        batch = self._batches.setdefault(liquidation.symbol, [])
        if not batch:
            loop = asyncio.get_running_loop()
            loop.call_later(LIQUIDATION_SECONDS / self.speed, self._send_liquidations, instrument)
        batch.append(frames.liquidation(instrument, liquidation, self.wall()))

    def _send_liquidations(self, instrument: Instrument) -> None:
        symbol = instrument.symbol
        rows = self._batches.pop(symbol)
        self._send(frames.category(instrument), f"allLiquidation.{symbol}", rows, symbol, "snapshot")

    def terms_changed(self, symbol: str, *, tiers: bool) -> None:
        """Say nothing: no topic tells of terms, they are read by REST."""
