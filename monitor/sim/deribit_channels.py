"""The channels of a simulated Deribit: which names exist, what each begins with, and what goes out on it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from monitor.sim import deribit_frames as frames
from monitor.sim.deribit_frames import Payload
from monitor.sim.deribit_methods import Methods
from monitor.sim.market import Instrument
from monitor.sim.stage import Stage

PATH = "ws"
STATES, PLATFORM = "instrument.state.future.any", "platform_state"
DEPTHS = (1, 10, 20)

_OWN = re.compile(r"(ticker|perpetual|trades|book)\.([^.]+)\.100ms|(ticker)\.([^.]+)\.agg2")
_GROUPED = re.compile(r"book\.([^.]+)\.none\.(1|10|20)\.100ms")
_TOGETHER = re.compile(r"trades\.future\.(any|BTC|ETH|USDC|USDT)\.100ms")
_INDEX = re.compile(r"deribit_price_index\.(\w+)")


class Channels:
    """Sends notices to whoever asked for them."""

    def __init__(self, stage: Stage, methods: Methods) -> None:
        self._stage = stage
        self._methods = methods
        self._told: dict[str, Payload] = {}
        """What each ticker said last, but for the time: one that would say the same again is not sent."""

    def known(self, name: str) -> bool:
        """Return whether there is such a channel; a name that is none is simply not taken."""
        if name in {STATES, PLATFORM} or _TOGETHER.fullmatch(name):
            return True
        if index := _INDEX.fullmatch(name):
            listed = self._stage.market.instruments.values()
            return index[1] in {frames.price_index(found) for found in listed}
        return self._methods.find(_parts(name)[1]) is not None

    def beginning(self, name: str) -> Iterator[tuple[Payload, str]]:
        """Yield what a channel sends at once, with its contract: a ticker, a whole book."""
        kind, symbol, depth = _parts(name)
        found = self._methods.find(symbol)
        if found is None or not found.speaks:
            return
        book, wall = self._stage.book(found.symbol), self._stage.wall()
        if depth:
            yield frames.grouped_book(found, book, depth, wall), found.symbol
        elif kind == "ticker":
            yield frames.ticker(found, book, wall), found.symbol
        elif kind == "book":
            yield frames.book_snapshot(found, book, wall), found.symbol

    # what goes out

    def prices(self, found: Instrument, *, slow: bool) -> None:
        """Send the ticker and its kin; *slow* sends the one that is collected over two seconds too."""
        symbol, wall = found.symbol, self._stage.wall()
        row = frames.ticker(found, self._stage.book(symbol), wall)
        rate = {"interest": found.funding_rate, "timestamp": row["timestamp"], "index_price": row["index_price"]}
        self._tell(f"ticker.{symbol}.100ms", row, symbol)
        self._send(f"perpetual.{symbol}.100ms", rate, symbol)
        if slow:
            self._tell(f"ticker.{symbol}.agg2", row, symbol)
        index = frames.price_index(found)
        told = {"index_name": index, "price": row["index_price"], "timestamp": row["timestamp"]}
        self._send(f"deribit_price_index.{index}", told, symbol)

    def _tell(self, name: str, row: Payload, symbol: str) -> None:
        said = row | {"timestamp": None}
        if self._told.get(name) != said:
            self._told[name] = said
            self._send(name, row, symbol)

    def forget(self) -> None:
        """Let every ticker be news again."""
        self._told.clear()

    def books(self, found: Instrument) -> None:
        """Let the book follow the market and send what changed; a change that gets lost is not sent."""
        symbol, wall = found.symbol, self._stage.wall()
        book = self._stage.book(symbol)
        before = {price for side in book.snapshot() for price, _ in side}
        change = book.change()
        if not change.lost:
            self._send(f"book.{symbol}.100ms", frames.book_change(found, change, before, wall), symbol)
        for depth in DEPTHS:
            self._send(f"book.{symbol}.none.{depth}.100ms", frames.grouped_book(found, book, depth, wall), symbol)

    def trades(self, found: Instrument, rows: list[Payload]) -> None:
        """Send trades on the contract's own channel and on those of many."""
        symbol = found.symbol
        for name in (
            f"trades.{symbol}.100ms",
            "trades.future.any.100ms",
            f"trades.future.{found.listing.settle}.100ms",
        ):
            self._send(name, rows, symbol)

    def state(self, found: Instrument) -> None:
        """Announce the state that a contract has now."""
        self._send(STATES, frames.instrument_state(found, self._stage.wall()), found.symbol)

    def platform(self, said: Payload) -> None:
        """Announce a lock, or maintenance."""
        self._send(PLATFORM, said, None)

    def _send(self, name: str, data: object, symbol: str | None) -> None:
        if self._stage.streams.wanted(PATH, name):
            payload = msgspec.json.encode(frames.notice(name, data))
            self._stage.streams.publish(PATH, name, payload, symbol)


def _parts(name: str) -> tuple[str, str | None, int]:
    """Return kind, contract and depth (0 where there is none) of a channel's name; no contract if it is no channel."""
    if own := _OWN.fullmatch(name):
        return own[1] or own[3], own[2] or own[4], 0
    if grouped := _GROUPED.fullmatch(name):
        return "book", grouped[1], int(grouped[2])
    return "", None, 0
