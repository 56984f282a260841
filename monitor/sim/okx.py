"""OKX on loopback: the swaps, by the public websocket and REST.

Played: mark, index, ticker, funding, open interest, order book, liquidation, ADL and contract channels on ``/public``
with an acknowledgement, a refusal and a first row for every argument; bare ``ping`` and ``pong``; the close after 30 s
without a word from the venue; the notice before an upgrade; and the REST endpoints of :mod:`.okx_rest`. Not played:
``/business`` and ``/private`` (everything is refused there), logging in, other sorts of contract.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from math import inf
from types import MappingProxyType
from typing import ClassVar
from urllib.parse import urlsplit

import msgspec

from monitor.sim import okx_frames as frames
from monitor.sim.cast import Role
from monitor.sim.limits import Limits
from monitor.sim.market import Instrument, LiquidationPrint
from monitor.sim.okx_contracts import CAST, listing
from monitor.sim.okx_control import BY_SORT, PUBLIC, Controls, connection_id
from monitor.sim.okx_rest import FAULTS, OkxRest, body
from monitor.sim.rest import Reply
from monitor.sim.scenario import Scenario
from monitor.sim.streams import Client, Route
from monitor.sim.venue import VenueSim

PATHS = (PUBLIC, "private", "business")
CALM_TICKS = {"mark-price": 10, "index-tickers": 60, "funding-rate": 30, "open-interest": inf, "books": 60}
"""After so many ticks without a change a channel repeats itself; open interest never does. A tick stands for one second."""

ROWS: Mapping[str, Callable[[Instrument, float], frames.Payload]] = MappingProxyType(
    {
        "mark-price": frames.mark_price,
        "index-tickers": frames.index_ticker,
        "funding-rate": frames.funding_rate,
        "open-interest": frames.open_interest,
        "tickers": frames.ticker,
    }
)
AFTER_MAINTENANCE = 100
"""The first number of a book after the venue's maintenance."""


class OkxSim(VenueSim):
    """The venue; see :class:`~monitor.sim.venue.VenueSim` for what it can be told."""

    NAME: ClassVar[str] = "okx"
    LIMITS: ClassVar[Limits] = Limits(
        ping_seconds=9e6,  # the venue waits for the client's pings
        lifetime_seconds=9e6,  # it gives notice instead
        control_per_second=20.0,
        control_burst=100,
        idle_server_seconds=30.0,
        idle_code=4004,
    )
    CAST: ClassVar[Mapping[str, Role]] = CAST

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
        self._controls = Controls(self.streams, self.market, self._begin, self.clock)
        self._rest = OkxRest(self.market, self.book, wall=self.wall, clock=self.clock)
        self._said: dict[tuple[str, str], tuple[object, int]] = {}
        self._tick = 0
        self._liquidations = 0

    # addresses and messages

    def route(self, target: str) -> Route | None:
        """Return where an address leads: ``/ws/v5/public``, and two where nothing public is found."""
        parts = urlsplit(target).path.strip("/").split("/")
        if len(parts) == 3 and parts[:2] == ["ws", "v5"] and parts[2] in PATHS:
            return Route(parts[2], (), combined=False)
        return None

    async def welcome(self, _client: Client, _streams: Iterable[str]) -> None:
        """Say nothing: the client begins."""

    async def hear(self, client: Client, text: str) -> None:
        """Answer one control message."""
        self._controls.hear(client, text)

    def answer(self, path: str, query: Mapping[str, str], address: str, _body: bytes = b"") -> Reply:
        """Answer one REST request."""
        self.market.advance(self.clock())
        return self._rest.answer(path, query, address)

    def fault_body(self, status: int) -> object:
        """Return the error body of an HTTP fault."""
        return body([], *FAULTS.get(status, ("50026", "System error. Try again later")))

    # on a tick

    def beat(self, number: int) -> None:
        """Send what changed, and what has to be repeated: a tick is a second."""
        self._tick = number
        for name, instrument in {frames.index_id(found): found for found in self._speaking()}.items():
            self._tell("index-tickers", name, instrument, instrument.index_price)
        for instrument in self._speaking():
            if not instrument.listing.quiet:
                instrument.trade()
                self._send(f"tickers:{instrument.symbol}", [frames.ticker(instrument, self.wall())], instrument.symbol)
            symbol = instrument.symbol
            self._tell("mark-price", symbol, instrument, instrument.mark_price)
            funding = (instrument.funding_rate, instrument.funding_interval_hours)
            self._tell("funding-rate", symbol, instrument, funding)
            self._tell("open-interest", symbol, instrument, instrument.open_interest)
            self._send_book(instrument)
            if instrument.adl_risk != "low":
                row = frames.adl_warning(instrument, self.market.pool_of(symbol), self.wall())
                for narrowed in ("", f":{frames.family(instrument)}"):
                    self._send(f"adl-warning:SWAP{narrowed}", [row], symbol)

    def push(self) -> None:
        """Send every stream now."""
        self.market.advance(self.clock())
        self._said.clear()
        self.beat(self._tick + 1)

    def _speaking(self) -> list[Instrument]:
        return [instrument for instrument in self.market.instruments.values() if instrument.speaks]

    def _tell(self, channel: str, name: str, instrument: Instrument, value: object) -> None:
        """Send a row if its value is another than before, or if it has to be repeated."""
        before, since = self._said.get((channel, name), (None, 0))
        if value != before or self._tick - since >= CALM_TICKS[channel]:
            self._said[channel, name] = (value, self._tick)
            self._send(f"{channel}:{name}", [ROWS[channel](instrument, self.wall())], instrument.symbol)

    def _send_book(self, instrument: Instrument) -> None:
        """Send what changed in a book, or that nothing did for a long time: the same number twice."""
        symbol, book = instrument.symbol, self.book(instrument.symbol)
        if not self.streams.wanted(PUBLIC, f"books:{symbol}"):
            return
        book.snapshot()
        change = book.change()
        previous = change.previous
        if not (change.bids or change.asks or change.lost):
            book.number = previous
            if self._tick - self._said.get(("books", symbol), (None, 0))[1] < CALM_TICKS["books"]:
                return
        self._said["books", symbol] = (None, self._tick)
        if not change.lost:
            row = frames.book(change.bids, change.asks, self.wall(), previous, book.number)
            self._send(f"books:{symbol}", [row], symbol, "update")

    # in real time

    def traded(self, symbol: str) -> None:
        """Send the ticker of *symbol* now."""
        instrument = self.market.instrument(symbol)
        if instrument.speaks:
            instrument.trade()
            self._send(f"tickers:{symbol}", [frames.ticker(instrument, self.wall())], symbol)

    def print_liquidation(self, liquidation: LiquidationPrint) -> None:
        """Report a position that passed to the liquidation engine at ``fill_price``; every other one was one-way."""
        self._liquidations += 1
        victim = "short" if liquidation.order_side == "buy" else "long"
        side = "net" if self._liquidations % 2 else victim
        row = frames.liquidation(self.market.instrument(liquidation.symbol), liquidation, self.wall(), side)
        self._send("liquidation-orders:SWAP", [row], liquidation.symbol)

    def terms_changed(self, symbol: str, *, tiers: bool) -> None:
        """Announce a new state or date; a new ladder is found out only by asking."""
        if not tiers:
            self._send("instruments:SWAP", [listing(self.market.instrument(symbol))], symbol)

    # what this venue does besides

    def upgrade(self, seconds: float = 60.0) -> None:
        """Give notice to everybody, and close their connections *seconds* later."""
        for client in self.clients():
            words = "The connection will soon be closed for a service upgrade. Please reconnect."
            notice = {"event": "notice", "code": "64008", "msg": words, "connId": connection_id(client)}
            client.send(msgspec.json.encode(notice))
            self._spawn(self._close(client, self.clock() + seconds), "upgrade")

    async def _close(self, client: Client, moment: float) -> None:
        await self._until(moment)
        await client.connection.close(1001, "service upgrade")

    def maintain_book(self, symbol: str) -> None:
        """Number the book of *symbol* anew, as after maintenance: the next change goes on from a smaller number."""
        book = self.book(symbol)
        book.snapshot()
        change = book.change()
        book.number = AFTER_MAINTENANCE
        row = frames.book(change.bids, change.asks, self.wall(), change.previous, book.number)
        self._send(f"books:{symbol}", [row], symbol, "update")

    # data out

    def _begin(self, client: Client, stream: str) -> None:
        """Send a new subscriber what there is: the whole book, or the present row; channels of news have none."""
        channel, _, name = stream.partition(":")
        if channel in BY_SORT:
            return
        instrument = next(
            found for found in self.market.instruments.values() if name in (found.symbol, frames.index_id(found))
        )
        if not instrument.speaks or self.streams.silent(client.path, stream, instrument.symbol):
            return
        if channel == "books":
            book = self.book(instrument.symbol)
            bids, asks = book.snapshot()
            client.send(_frame(stream, [frames.book(bids, asks, self.wall(), -1, book.number)], "snapshot"))
        else:
            client.send(_frame(stream, [ROWS[channel](instrument, self.wall())]))

    def _send(self, stream: str, rows: list[frames.Payload], symbol: str, action: str = "") -> None:
        if self.streams.wanted(PUBLIC, stream):
            self.streams.publish(PUBLIC, stream, _frame(stream, rows, action), symbol)


def _frame(stream: str, rows: list[frames.Payload], action: str = "") -> bytes:
    """Return the frame of a push: the argument as it was subscribed, and its rows."""
    channel, _, name = stream.partition(":")
    name, _, narrowed = name.partition(":")
    argument = {"channel": channel, "instType" if channel in BY_SORT else "instId": name}
    if narrowed:
        argument["instFamily"] = narrowed
    return msgspec.json.encode({"arg": argument, **({"action": action} if action else {}), "data": rows})
