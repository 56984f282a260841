"""What the simulated Binance hosts have in common: streams of either product, in real time and on a tick.

Raw and combined shapes, control messages, mark price, book ticker, tickers, trades, books, liquidations and contract
news; all-market streams mix the rows of both products, and so do single mark prices, which either host has; all else
is about the host's own contracts. Not played: kline streams (acknowledged, then silent), signed endpoints (401).
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Literal
from urllib.parse import parse_qs

import msgspec

from monitor.sim import binance_frames as frames
from monitor.sim.binance_control import Controls
from monitor.sim.binance_depth import Depth
from monitor.sim.binance_rest import FAULTS, BinanceRest
from monitor.sim.market import Instrument, LiquidationPrint
from monitor.sim.rest import Reply
from monitor.sim.scenario import Scenario
from monitor.sim.streams import Client
from monitor.sim.venue import VenueSim

MARK_PERIODS = {"@1s": 1, "": 3}
FORCE_ORDER_SECONDS = 1.0
EVERYTHING_IS_DUE = 30
"""A tick number that every period divides."""


class BinanceHost(VenueSim):
    """One host; see :class:`~monitor.sim.venue.VenueSim` for what it can be told. A tick stands for one second.

    ``MARKET_PATH`` and ``BOOK_PATH`` are where its data flow; the periods are in ticks.
    """

    PRODUCT: ClassVar[Literal["UM", "CM"]]
    MARKET_PATH: ClassVar[str]
    BOOK_PATH: ClassVar[str]
    TICKER_PERIOD: ClassVar[int]
    ALL_BOOKS_PERIOD: ClassVar[int]

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
        self._controls = Controls(self.streams)
        self._depth = Depth(self.streams, self.BOOK_PATH, self.book, self.wall)
        self._rest = self.rest_of_host(self._depth)
        self._told: dict[tuple[str, str], int] = {}
        self._force_windows: dict[str, LiquidationPrint | None] = {}

    # addresses and messages

    @abstractmethod
    def rest_of_host(self, depth: Depth) -> BinanceRest:
        """Return the endpoints of the host."""

    @abstractmethod
    def send_mark_arrays(self, suffix: str) -> None:
        """Send the mark price streams that hold many contracts."""

    async def welcome(self, client: Client, streams: Iterable[str]) -> None:
        """Subscribe *client* to the streams of its address."""
        await self._controls.welcome(client, streams)

    async def hear(self, client: Client, text: str) -> None:
        """Answer one control message."""
        await self._controls.hear(client, text)

    def answer(self, path: str, query: Mapping[str, str], address: str, _body: bytes = b"") -> Reply:
        """Answer one REST request."""
        self.market.advance(self.clock())
        return self._rest.answer(path, query, address)

    def fault_body(self, status: int) -> object:
        """Return the error body of an HTTP fault."""
        code, message = FAULTS.get(status, (-1000, "An unknown error occurred while processing the request."))
        return {"code": code, "msg": message}

    # on a tick

    def beat(self, number: int) -> None:
        """Send what is due: a tick is a second."""
        for suffix, period in MARK_PERIODS.items():
            if number % period == 0:
                self._send_marks(suffix)
        for instrument in self._speaking():
            if not instrument.listing.quiet:
                instrument.trade()
                self._send_trade(instrument)
            self._send_book(instrument, all_books=number % self.ALL_BOOKS_PERIOD == 0)
        self._send_tickers(single=number % self.TICKER_PERIOD == 0)

    def push(self) -> None:
        """Send every stream now."""
        self.market.advance(self.clock())
        self.beat(EVERYTHING_IS_DUE)

    def _speaking(self) -> list[Instrument]:
        return [instrument for instrument in self.market.instruments.values() if instrument.speaks]

    def _own(self, instrument: Instrument) -> bool:
        return instrument.listing.product == self.PRODUCT

    def _send_marks(self, suffix: str) -> None:
        wall = self.wall()
        for instrument in self._speaking():
            name = f"{frames.lower(instrument.symbol)}@markPrice{suffix}"
            if self.streams.wanted(self.MARKET_PATH, name):
                self._send(self.MARKET_PATH, name, frames.mark_price_update(instrument, wall), instrument.symbol)
        self.send_mark_arrays(suffix)

    def _mark_rows(self, name: str, instruments: Iterable[Instrument]) -> list[frames.Payload]:
        """Return the rows of the host's own contracts among *instruments*, but for those that are kept silent."""
        wall = self.wall()
        return [
            frames.mark_price_update(instrument, wall)
            for instrument in instruments
            if self._own(instrument) and not self.streams.silent(self.MARKET_PATH, name, instrument.symbol)
        ]

    def _send_tickers(self, *, single: bool) -> None:
        """Tickers and mini tickers; the all-market ones hold only contracts that traded since."""
        wall = self.wall()
        for kind, row in (("ticker", frames.ticker), ("miniTicker", frames.mini_ticker)):
            name = f"!{kind}@arr"
            rows = []
            for instrument in self._speaking():
                own = f"{frames.lower(instrument.symbol)}@{kind}"
                if single and self._own(instrument) and self.streams.wanted(self.MARKET_PATH, own):
                    self._send(self.MARKET_PATH, own, row(instrument, wall), instrument.symbol)
                changed = self._told.get((name, instrument.symbol)) != instrument.trades
                if changed and self.streams.wanted(self.MARKET_PATH, name):
                    self._told[name, instrument.symbol] = instrument.trades
                    if not self.streams.silent(self.MARKET_PATH, name, instrument.symbol):
                        rows.append(row(instrument, wall))
            if rows:
                self._send(self.MARKET_PATH, name, rows)

    # in real time

    def traded(self, symbol: str) -> None:
        """Send a trade and the book of *symbol* now."""
        instrument = self.market.instrument(symbol)
        if instrument.speaks:
            instrument.trade()
            self._send_trade(instrument)
            self._send_book(instrument, all_books=False)

    def _send_trade(self, instrument: Instrument) -> None:
        name = f"{frames.lower(instrument.symbol)}@aggTrade"
        if self._own(instrument) and self.streams.wanted(self.MARKET_PATH, name):
            self._send(self.MARKET_PATH, name, frames.aggregate_trade(instrument, self.wall()), instrument.symbol)

    def _send_book(self, instrument: Instrument, *, all_books: bool) -> None:
        own = self._own(instrument)
        for name, due in ((f"{frames.lower(instrument.symbol)}@bookTicker", own), ("!bookTicker", all_books)):
            if due and self.streams.wanted(self.BOOK_PATH, name):
                self._send(self.BOOK_PATH, name, frames.book_ticker(instrument, self.wall()), instrument.symbol)
        if own:
            self._depth.follow(instrument)

    def print_liquidation(self, liquidation: LiquidationPrint) -> None:
        """Report a forced order: at most one per contract and second, the largest of those that must wait."""
        symbol = liquidation.symbol
        if symbol not in self._force_windows:
            self._send_force_order(liquidation)
            return
        waiting = self._force_windows[symbol]
        if waiting is None or liquidation.contracts > waiting.contracts:
            self._force_windows[symbol] = liquidation

    def _send_force_order(self, liquidation: LiquidationPrint) -> None:
        symbol = liquidation.symbol
        self._force_windows[symbol] = None
        asyncio.get_running_loop().call_later(FORCE_ORDER_SECONDS / self.speed, self._end_force_window, symbol)
        instrument = self.market.instrument(symbol)
        for name, all_market in ((f"{frames.lower(symbol)}@forceOrder", False), ("!forceOrder@arr", True)):
            if not (all_market or self._own(instrument)):
                continue
            payload = frames.force_order(instrument, liquidation, self.wall(), all_market=all_market)
            self._send(self.MARKET_PATH, name, payload, symbol)

    def _end_force_window(self, symbol: str) -> None:
        waiting = self._force_windows.pop(symbol)
        if waiting is not None:
            self._send_force_order(waiting)

    def terms_changed(self, symbol: str, *, tiers: bool) -> None:
        """Announce new terms on ``!contractInfo``."""
        payload = frames.contract_info(self.market.instrument(symbol), self.wall(), tiers=tiers)
        self._send(self.MARKET_PATH, "!contractInfo", payload, symbol)

    def _send(self, path: str, stream: str, payload: object, symbol: str | None = None) -> None:
        self.streams.publish(path, stream, msgspec.json.encode(payload), symbol)


def streams_of(query: str) -> tuple[str, ...]:
    """Return the streams that the query of a combined address names."""
    return tuple(filter(None, parse_qs(query).get("streams", [""])[0].split("/")))
