"""A Hyperliquid venue on loopback, its own contracts and those of builder dexes (``xyz:GOLD``).

Played: one websocket address for all; the streams ``activeAssetCtx``, ``trades`` with their backlog, ``bbo``, ``l2Book``
(20 levels every 5.4 s, 5 levels every 0.54 s if ``fast``), ``userFills`` of the accounts behind the HLP vault; echoes,
texts for errors, connections dropped for an unknown coin or after 60 s without a frame; ``POST /info``. Changes of terms
are announced nowhere: they are read. Not played: aggregated books and other streams (acknowledged, then silent), the
3 s step of marks (a move is told within a tick), accounts, the limit of connections a minute.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Self

import msgspec

from monitor.sim import hyperliquid_frames as frames
from monitor.sim.cast import Role
from monitor.sim.hyperliquid_control import Controls, Subscription, stream_of
from monitor.sim.hyperliquid_frames import Payload
from monitor.sim.hyperliquid_rest import HyperliquidRest
from monitor.sim.limits import Limits
from monitor.sim.market import Instrument, LiquidationPrint, Listing
from monitor.sim.rest import Reply
from monitor.sim.scenario import Scenario
from monitor.sim.streams import Client, Route
from monitor.sim.venue import VenueSim

PATH = "ws"
BOOKS = {"": (20, 5.4), ":fast": (5, 0.54)}
"""End of a book stream's name -> levels a side, seconds between two of its books."""

BACKLOG = 10
HISTORY = 50
STORY_TIERS = ((0.0, 0.004), (300_000.0, 0.005), (1_000_000.0, 0.01))
"""The story's 0.4 % needs a leverage of 125, which the real venue does not give."""

NEVER = 9_000_000.0


class HyperliquidSim(VenueSim):
    """The venue; see :class:`~monitor.sim.venue.VenueSim` for what it can be told. A tick stands for one second."""

    NAME: ClassVar[str] = "hyperliquid"
    LIMITS: ClassVar[Limits] = Limits(
        ping_seconds=NEVER,
        lifetime_seconds=NEVER,
        control_per_second=33.0,
        control_burst=2000,
        streams_per_connection=1000,
        idle_server_seconds=60.0,
        idle_code=None,
        weight_per_minute=1200,
    )
    CAST: ClassVar[Mapping[str, Role]] = {
        "BTCUSDT": Role(symbol="BTC", base="BTC", quote="USDC", listing={"tiers": STORY_TIERS}),
        "BTCUSDC": Role(symbol="SOL", base="SOL", quote="USDC", price_scale=0.002, listing={"tiers": STORY_TIERS}),
        "ETHUSDT": Role(symbol="ETH", base="ETH", quote="USDC", listing={"tiers": STORY_TIERS}),
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
        listings = tuple(_with_tick(listing) for listing in scenario.symbols)
        scenario = msgspec.structs.replace(scenario, symbols=listings)
        super().__init__(scenario, speed=speed, stream_port=stream_port, rest_port=rest_port, wall=wall)
        self._controls = Controls(self.streams, self._knows, self._first)
        self._rest = HyperliquidRest(self.market, self.limits, wall=self.wall)
        self._trades: dict[str, deque[Payload]] = {}
        self._quotes: dict[str, object] = {}
        self._fills = {account: deque[Payload](maxlen=HISTORY) for account in (frames.STRATEGY, frames.LIQUIDATOR)}

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        for end, (_, period) in BOOKS.items():
            self._spawn(self._send_books_every(period, end), f"books{end}")
        return self

    # addresses and messages

    def route(self, target: str) -> Route | None:
        """Return where an address leads: there is one."""
        return Route(PATH, (), combined=False) if target.partition("?")[0] == "/ws" else None

    async def welcome(self, client: Client, streams: Iterable[str]) -> None:
        """Say nothing: the address names no streams."""

    async def hear(self, client: Client, text: str) -> None:
        """Answer one control message."""
        self._controls.hear(client, text)

    def answer(self, path: str, _query: Mapping[str, str], address: str, body: bytes = b"") -> Reply:
        """Answer one REST request."""
        self.market.advance(self.clock())
        return self._rest.answer(path, address, body)

    def fault_body(self, _status: int) -> object:
        """Return the body of an HTTP fault: nothing is known of it."""
        return None

    def _knows(self, coin: str) -> bool:
        found = self.market.instruments.get(coin)
        return found is not None and found.listing.product == "UM"

    def _first(self, subscription: Subscription) -> Iterable[object]:
        """Yield what a new subscription is sent at once: latest trades, a whole book, past fills."""
        stream = stream_of(subscription)
        coin = subscription.get("coin", "")
        if self.streams.silent(PATH, stream, coin or None):
            return
        if subscription["type"] == "trades" and coin in self._trades:
            yield {"channel": "trades", "data": [*self._trades[coin]]}
        elif subscription["type"] == "l2Book" and subscription["nSigFigs"] is None:
            levels = BOOKS[":fast" if subscription["fast"] else ""][0]
            yield {"channel": "l2Book", "data": self._book(self.market.instrument(coin), levels)}
        elif subscription["type"] == "userFills":
            user = subscription["user"]
            yield _fills(user, [*self._fills.get(user, ())], isSnapshot=True)

    # on a tick

    def beat(self, number: int) -> None:  # noqa: ARG002 - every second is like any other
        """Send what is due: a tick is a second."""
        for instrument in self._speaking():
            symbol = instrument.symbol
            state = {"coin": symbol, "ctx": frames.context(instrument, self.wall())}
            self._send("activeAssetCtx", symbol, state, symbol)
            if not instrument.listing.quiet and not frames.delisted(instrument, self.wall()):
                self.traded(symbol)

    def push(self) -> None:
        """Send every stream now."""
        self.market.advance(self.clock())
        self.beat(1)
        for end in BOOKS:
            self._send_books(end)

    def _speaking(self) -> list[Instrument]:
        return [found for found in self.market.instruments.values() if found.speaks and self._knows(found.symbol)]

    async def _send_books_every(self, period: float, end: str) -> None:
        number = 0
        while True:
            number += 1
            await self._until(number * period * self.scenario.tick_seconds)
            self.market.advance(self.clock())
            self._send_books(end)

    def _send_books(self, end: str) -> None:
        for instrument in self._speaking():
            name = f"{instrument.symbol}{end}"
            if self.streams.wanted(PATH, f"l2Book:{name}") and not self.book(instrument.symbol).change().lost:
                self._send("l2Book", name, self._book(instrument, BOOKS[end][0]), instrument.symbol)

    def _book(self, instrument: Instrument, levels: int) -> Payload:
        """Return a whole book; that of a delisted contract is empty."""
        wall = self.wall()
        sides: list[list[Payload]] = [[], []]
        if not frames.delisted(instrument, wall):
            sides = frames.levels(instrument, *self.book(instrument.symbol).snapshot(levels))
        return frames.book(instrument, sides, wall)

    # in real time

    def traded(self, symbol: str) -> None:
        """Send a trade of *symbol*, and its best quotes if they changed."""
        instrument = self.market.instrument(symbol)
        if not instrument.speaks or not self._knows(symbol):
            return
        instrument.trade()
        self._send_trade(symbol, frames.trade(instrument, self.wall()))
        quote = frames.best(instrument, self.wall())
        if self._quotes.get(symbol) != quote["bbo"]:
            self._quotes[symbol] = quote["bbo"]
            self._send("bbo", symbol, quote, symbol)

    def _send_trade(self, symbol: str, trade: Payload) -> None:
        self._trades.setdefault(symbol, deque(maxlen=BACKLOG)).appendleft(trade)  # newest first, as a trap
        self._send("trades", symbol, [trade], symbol)

    def print_liquidation(self, liquidation: LiquidationPrint) -> None:
        """Close a position in the book, against the vault's market maker: a trade like any other, and its fill."""
        instrument = self.market.instrument(liquidation.symbol)
        self._send_trade(instrument.symbol, frames.trade(instrument, self.wall(), liquidation=liquidation))
        self._send_fill(frames.STRATEGY, liquidation, "market")

    def take_over(self, liquidation: LiquidationPrint) -> None:
        """Let the vault's liquidator take a position over: no trade at all."""
        self._send_fill(frames.LIQUIDATOR, liquidation, "backstop")

    def _send_fill(self, account: str, liquidation: LiquidationPrint, method: str) -> None:
        if frames.dex_of(liquidation.symbol):
            return  # the vault does not stand behind builders' contracts
        instrument = self.market.instrument(liquidation.symbol)
        fill = frames.fill(instrument, liquidation, self.wall(), method=method)
        self._fills[account].append(fill)
        self.streams.publish(PATH, f"userFills:{account}", _encoded(_fills(account, [fill])), liquidation.symbol)

    def terms_changed(self, symbol: str, *, tiers: bool) -> None:
        """Announce nothing: the next ``meta`` has it."""

    def _send(self, channel: str, name: str, data: object, symbol: str) -> None:
        stream = f"{channel}:{name}"
        if self.streams.wanted(PATH, stream):
            self.streams.publish(PATH, stream, _encoded({"channel": channel, "data": data}), symbol)


def _fills(user: str, fills: list[Payload], **more: object) -> Payload:
    return {"channel": "userFills", "data": {**more, "user": user, "fills": fills}}


def _encoded(message: object) -> bytes:
    return msgspec.json.encode(message)


def _with_tick(listing: Listing) -> Listing:
    """Return a listing with the venue's tick at its price: the fifth significant figure."""
    return msgspec.structs.replace(
        listing, tick_size=10.0 ** -frames.price_places(listing.step_size, listing.mark_price)
    )
