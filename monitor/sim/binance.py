"""A Binance USD-M venue on loopback.

Played: the routed paths ``/public`` and ``/market`` (an unrouted address behaves like ``/public``, ``/private``
stays silent), raw and combined shapes, control messages, mark price, book ticker, tickers, trades, liquidation and
contract-info streams, all-market streams with CM rows mixed in, and the REST endpoints of
:mod:`.binance_rest`. Not played: depth, kline and index streams (acknowledged, then silent), signed endpoints
(401), the separate COIN-M host.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from monitor.sim import binance_frames as frames
from monitor.sim.binance_control import Controls
from monitor.sim.binance_rest import FAULTS, BinanceRest
from monitor.sim.market import Instrument, LiquidationPrint
from monitor.sim.rest import Reply
from monitor.sim.scenario import Scenario
from monitor.sim.streams import Client, Route
from monitor.sim.venue import VenueSim

PUBLIC, MARKET, PRIVATE = "public", "market", "private"
ARRAY_SPLIT = 0.75
"""The part of an all-market mark price tick that comes in its first frame; the rest comes in a second."""

MARK_PERIODS = {"@1s": 1, "": 3}
TICKER_PERIOD, ALL_BOOKS_PERIOD = 2, 5
FORCE_ORDER_SECONDS = 1.0


class BinanceSim(VenueSim):
    """The venue; see :class:`~monitor.sim.venue.VenueSim` for what it can be told. A tick stands for one second."""

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
        self._rest = BinanceRest(self.market, self.limits, wall=self.wall)
        self._told: dict[tuple[str, str], int] = {}
        self._force_windows: dict[str, LiquidationPrint | None] = {}

    # addresses and messages

    def route(self, target: str) -> Route | None:
        """Return where an address leads: ``[/public|/market|/private]/ws[/stream...]`` or ``.../stream?streams=``."""
        address = urlsplit(target)
        path, parts = PUBLIC, address.path.strip("/").split("/")
        if parts[0] in (PUBLIC, MARKET, PRIVATE):
            path = parts.pop(0)
        if parts == ["stream"]:
            names = parse_qs(address.query).get("streams", [""])[0].split("/")
            return Route(path, tuple(filter(None, names)), combined=True)
        if parts[:1] == ["ws"]:
            return Route(path, tuple(unquote(name) for name in parts[1:] if name), combined=False)
        return None

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
            self._send_book(instrument, all_books=number % ALL_BOOKS_PERIOD == 0)
        self._send_tickers(single=number % TICKER_PERIOD == 0)

    def push(self) -> None:
        """Send every stream now."""
        self.market.advance(self.clock())
        self.beat(max(MARK_PERIODS.values()) * TICKER_PERIOD * ALL_BOOKS_PERIOD)

    def _speaking(self) -> list[Instrument]:
        return [instrument for instrument in self.market.instruments.values() if instrument.speaks]

    def _send_marks(self, suffix: str) -> None:
        """Each contract's own stream, and the USD-M contracts together in two frames."""
        wall = self.wall()
        for instrument in self._speaking():
            name = f"{_lower(instrument.symbol)}@markPrice{suffix}"
            if self.streams.wanted(MARKET, name):
                self._send(MARKET, name, frames.mark_price_update(instrument, wall), instrument.symbol)
        name = f"!markPrice@arr{suffix}"
        if not self.streams.wanted(MARKET, name):
            return
        rows = [
            frames.mark_price_update(instrument, wall)
            for instrument in self._speaking()
            if instrument.listing.product == "UM" and not self.streams.silent(MARKET, name, instrument.symbol)
        ]
        split = max(1, int(len(rows) * ARRAY_SPLIT))
        for part in (rows[:split], rows[split:]):
            if part:
                self._send(MARKET, name, part)

    def _send_tickers(self, *, single: bool) -> None:
        """Tickers and mini tickers; the all-market ones hold only contracts that traded since."""
        wall = self.wall()
        for kind, row in (("ticker", frames.ticker), ("miniTicker", frames.mini_ticker)):
            name = f"!{kind}@arr"
            rows = []
            for instrument in self._speaking():
                own = f"{_lower(instrument.symbol)}@{kind}"
                if single and self.streams.wanted(MARKET, own):
                    self._send(MARKET, own, row(instrument, wall), instrument.symbol)
                changed = self._told.get((name, instrument.symbol)) != instrument.trades
                if changed and self.streams.wanted(MARKET, name):
                    self._told[name, instrument.symbol] = instrument.trades
                    if not self.streams.silent(MARKET, name, instrument.symbol):
                        rows.append(row(instrument, wall))
            if rows:
                self._send(MARKET, name, rows)

    # in real time

    def traded(self, symbol: str) -> None:
        """Send a trade and the book of *symbol* now."""
        instrument = self.market.instrument(symbol)
        if instrument.speaks:
            instrument.trade()
            self._send_trade(instrument)
            self._send_book(instrument, all_books=False)

    def _send_trade(self, instrument: Instrument) -> None:
        name = f"{_lower(instrument.symbol)}@aggTrade"
        if self.streams.wanted(MARKET, name):
            self._send(MARKET, name, frames.aggregate_trade(instrument, self.wall()), instrument.symbol)

    def _send_book(self, instrument: Instrument, *, all_books: bool) -> None:
        for name, due in ((f"{_lower(instrument.symbol)}@bookTicker", True), ("!bookTicker", all_books)):
            if due and self.streams.wanted(PUBLIC, name):
                self._send(PUBLIC, name, frames.book_ticker(instrument, self.wall()), instrument.symbol)

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
        for name, all_market in ((f"{_lower(symbol)}@forceOrder", False), ("!forceOrder@arr", True)):
            payload = frames.force_order(instrument, liquidation, self.wall(), all_market=all_market)
            self._send(MARKET, name, payload, symbol)

    def _end_force_window(self, symbol: str) -> None:
        waiting = self._force_windows.pop(symbol)
        if waiting is not None:
            self._send_force_order(waiting)

    def terms_changed(self, symbol: str, *, tiers: bool) -> None:
        """Announce new terms on ``!contractInfo``."""
        payload = frames.contract_info(self.market.instrument(symbol), self.wall(), tiers=tiers)
        self._send(MARKET, "!contractInfo", payload, symbol)

    def _send(self, path: str, stream: str, payload: object, symbol: str | None = None) -> None:
        self.streams.publish(path, stream, msgspec.json.encode(payload), symbol)


def _lower(symbol: str) -> str:
    """Return a symbol as stream names spell it: only ASCII letters are lowered."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in symbol)
