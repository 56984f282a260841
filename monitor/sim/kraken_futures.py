"""A Kraken Futures on loopback: inverse (``PI_``) and linear (``PF_``) contracts, websocket v1 and REST.

Played: the server that speaks first, acknowledgements product by product, refusals of three shapes, the end of a client
that neither says nor pings anything for 60 s, tickers at most once a second that leave out what did not change, trades
after a snapshot that overlaps with them, forced trades of three types, a position cut in parts, books of one level a
frame with ``seq``, the heartbeat feed, suspension, extreme volatility, REST with errors in a 200.
Not played: accounts (a challenge is given, every private feed and resource is refused), ``ticker_lite`` (acknowledged,
then silent), options, the sessions of tokenised stocks. Changes of terms are announced nowhere: they are read.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import msgspec

from monitor.sim import kraken_frames as frames
from monitor.sim.book import Row
from monitor.sim.cast import Role
from monitor.sim.journal import boot
from monitor.sim.kraken_control import Controls, greet
from monitor.sim.kraken_frames import Payload
from monitor.sim.kraken_rest import KrakenRest
from monitor.sim.limits import Limits
from monitor.sim.market import Instrument, LiquidationPrint
from monitor.sim.rest import Reply
from monitor.sim.scenario import Scenario
from monitor.sim.streams import Client, Route
from monitor.sim.venue import VenueSim

PATH = "ws"
NEVER = 9_999_999.0
BOOK_LEVELS = 20
"""Levels a side: every change of one is a frame of its own."""

SNAPSHOT_TRADES = 100
FIRST_SEQUENCE = 326_000_000
FAULTS = {200: "apiLimitExceeded", 429: "apiLimitExceeded", 503: "Unavailable"}
"""HTTP status that a scenario asks for -> the error in its body."""


class KrakenFuturesSim(VenueSim):
    """The venue; see :class:`~monitor.sim.venue.VenueSim` for what it can be told. A tick stands for one second."""

    NAME: ClassVar[str] = "kraken-futures"
    LIMITS: ClassVar[Limits] = Limits(
        ping_seconds=NEVER,
        lifetime_seconds=NEVER,
        control_per_second=100.0,
        control_burst=100,
        idle_client_seconds=60.0,
    )
    CAST: ClassVar[Mapping[str, Role]] = {
        "BTCUSDT": Role(symbol="PF_XBTUSD", base="BTC", quote="USD"),
        "BTCUSDC": Role(symbol="PF_ETHUSD", base="ETH", quote="USD", price_scale=0.05),
        "ETHUSDT": Role(symbol="PF_SOLUSD", base="SOL", quote="USD", price_scale=0.1),
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
        self._controls = Controls(self.streams, self._listed, self._first)
        self._rest = KrakenRest(self.market, self._sides, self._past_trades, wall=self.wall)
        self._sequences: dict[str, int] = {}
        """Contract -> ``seq`` of its book."""
        self._trades: dict[str, deque[Payload]] = {}
        """Contract -> its trades, newest first."""
        self._told: dict[str, Payload] = {}
        """Contract -> its ticker as it was sent last, whole."""
        self._ticked: dict[str, float] = {}
        """Contract -> when that was."""

    # addresses and messages

    def route(self, target: str) -> Route | None:
        """Return where an address leads: there is one, and it names no streams."""
        return Route(PATH, (), combined=False) if target.partition("?")[0] == "/ws/v1" else None

    async def welcome(self, client: Client, _streams: Iterable[str]) -> None:
        """Speak first."""
        _count_pings(client)
        greet(client)

    async def hear(self, client: Client, text: str) -> None:
        """Answer one control message."""
        self.market.advance(self.clock())
        self._controls.hear(client, text)

    def answer(self, path: str, query: Mapping[str, str], address: str, _body: bytes = b"") -> Reply:
        """Answer one REST request."""
        self.market.advance(self.clock())
        return self._rest.answer(path, query, address)

    def fault_body(self, status: int) -> object:
        """Return the error body of an HTTP fault; a status of 200 gives one too."""
        return self._rest.error(FAULTS.get(status, "Server Error"))

    def _listed(self, product: str) -> bool:
        found = self.market.instruments.get(product)
        return found is not None and found.speaks

    def _sides(self, symbol: str) -> tuple[list[Row], list[Row]]:
        return self.book(symbol).snapshot(BOOK_LEVELS)

    def _past_trades(self, symbol: str) -> deque[Payload]:
        return self._trades.setdefault(symbol, deque(maxlen=SNAPSHOT_TRADES))

    def _first(self, feed: str, symbol: str) -> Iterable[bytes]:
        """Yield what a new subscription begins with. The newest trade of a snapshot comes once more."""
        found = self.market.instrument(symbol)
        if feed == "ticker":
            yield _encoded(self._whole_ticker(found))
        elif feed == "book":
            number = self._sequences.setdefault(symbol, FIRST_SEQUENCE)
            yield _encoded(frames.whole_book(symbol, *self._sides(symbol), number, self.wall()))
        elif feed == "trade":
            trades = list(self._past_trades(symbol))
            yield _encoded({"feed": "trade_snapshot", "product_id": symbol, "trades": trades})
            if trades and trades[0]["type"] == "fill":
                yield _encoded(trades[0])

    # on a tick

    def beat(self, _number: int) -> None:
        """Send what is due: a tick is a second."""
        for found in self.market.instruments.values():
            if not found.speaks:
                continue
            if not found.listing.quiet and not frames.suspended(found):
                self._fill(found)
            self._send_book(found)
            self._send_ticker(found)
        self._send("heartbeat", {"feed": "heartbeat", "time": frames.ms(self.wall())}, None)

    def push(self) -> None:
        """Send every feed now; tickers that were sent within this second as well."""
        self.market.advance(self.clock())
        self._ticked.clear()
        self.beat(1)

    def traded(self, symbol: str) -> None:
        """Send a trade and the changes of the book of *symbol* now; its ticker as soon as its second is over."""
        found = self.market.instrument(symbol)
        if found.speaks and not frames.suspended(found):
            self._fill(found)
            self._send_book(found)
            self._send_ticker(found)

    def _whole_ticker(self, found: Instrument) -> Payload:
        return frames.ticker(found, *self._sides(found.symbol), self.wall())

    def _send_ticker(self, found: Instrument) -> None:
        """Send what changed, if a second has passed and anything did."""
        symbol, now = found.symbol, self.clock()
        if now - self._ticked.get(symbol, -NEVER) < 0.9 * self.scenario.tick_seconds:
            return
        whole = self._whole_ticker(found)
        changed = frames.sparse(self._told.get(symbol, {}), whole)
        if len(changed) > len(frames.HEAD):
            self._told[symbol], self._ticked[symbol] = whole, now
            self._send(f"ticker/{symbol}", changed, symbol)

    def _send_book(self, found: Instrument) -> None:
        """Let the book follow the market, level by level: first what is gone, so that it never crosses."""
        symbol = found.symbol
        before = [dict(side) for side in self._sides(symbol)]
        lost = self.book(symbol).change().lost
        after = [dict(side) for side in self._sides(symbol)]
        number = self._sequences.setdefault(symbol, FIRST_SEQUENCE)
        changed = [
            (side, (price, 0.0))
            for side, old, new in zip(("buy", "sell"), before, after, strict=True)
            for price in old.keys() - new.keys()
        ] + [
            (side, row)
            for side, old, new in zip(("buy", "sell"), before, after, strict=True)
            for row in new.items()
            if old.get(row[0]) != row[1]
        ]
        for number, (side, row) in enumerate(changed, number + 1):  # noqa: B020 - it goes on from where it was
            if not lost:
                self._send(f"book/{symbol}", frames.book_level(symbol, side, row, number, self.wall()), symbol)
        self._sequences[symbol] = number + 1 if lost and not changed else number

    # trades and liquidations

    def _fill(self, found: Instrument) -> None:
        found.trade()
        side = "buy" if found.trades % 2 else "sell"
        self._trade(found, "fill", side, found.listing.step_size, found.last_price)

    def _trade(self, found: Instrument, kind: str, side: str, contracts: float, price: float) -> None:
        trades = self._past_trades(found.symbol)
        number = trades[0]["seq"] + 1 if trades else 41_000
        row = frames.trade(found, kind, side, contracts, price, number, self.wall())
        trades.appendleft(row)
        self._send(f"trade/{found.symbol}", row, found.symbol)

    def print_liquidation(self, liquidation: LiquidationPrint) -> None:
        """Report a forced order that was filled in the book."""
        self._force(liquidation, "liquidation", liquidation.fill_price)

    def assign(self, liquidation: LiquidationPrint) -> None:
        """Let a liquidity provider take the position over, at its bankruptcy price (the order's limit)."""
        self._force(liquidation, "assignment", liquidation.limit_price)

    def unwind(self, liquidation: LiquidationPrint) -> None:
        """Close the position against opposite ones, at its bankruptcy price (the order's limit)."""
        self._force(liquidation, "termination", liquidation.limit_price)

    def cut_in_parts(self, liquidation: LiquidationPrint, parts: int = 3) -> None:
        """Liquidate a linear position part by part. The fee of each goes to the venue and is seen nowhere."""
        for _ in range(parts):
            self.print_liquidation(replace(liquidation, contracts=liquidation.contracts / parts))

    def block(self, symbol: str, contracts: float, price: float) -> None:
        """Report a trade that was agreed outside of the book."""
        self._trade(self.market.instrument(symbol), "block", "buy", contracts, price)

    def _force(self, liquidation: LiquidationPrint, kind: str, price: float) -> None:
        found = self.market.instrument(liquidation.symbol)
        self._trade(found, kind, liquidation.order_side, liquidation.contracts, price)

    def set_volatile(self, symbol: str, *, extreme: bool) -> None:
        """Raise or lower the flag of extreme volatility, which REST alone tells."""
        (self._rest.volatile.add if extreme else self._rest.volatile.discard)(symbol)

    def terms_changed(self, symbol: str, *, tiers: bool) -> None:
        """Announce nothing: the next ticker has the state, the next reading of the list the rest."""

    def _send(self, name: str, payload: Mapping[str, Any], symbol: str | None) -> None:
        if self.streams.wanted(PATH, name):
            self.streams.publish(PATH, name, _encoded(payload), symbol)


def _encoded(payload: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(payload)


def _count_pings(client: Client) -> None:
    """Let every frame count as a sign of life, pings of the protocol too: the venue wants to hear no more than that."""
    deliver = client.connection.process_event

    def process_event(event: Any) -> None:
        client.heard = boot()
        deliver(event)

    client.connection.process_event = process_event  # type: ignore[method-assign]
