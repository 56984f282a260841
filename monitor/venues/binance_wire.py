"""Binance futures: websocket frames into events, for either product. The traps are told in ``binance.py``.

The common shapes are checked by the decoder while it reads; whatever it refuses takes the careful way, value by value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues import binance_rows as rows
from monitor.venues.binance_product import Product, number_of
from monitor.venues.wire import FIRST_MS, LAST_MS, careful, levels, parsed, seconds

_wrapped = rows.wrapped

Decode = Callable[[bytes, float], list[Event]]


class Builder:
    """Rows to events, for one product; rows of the other give nothing."""

    def __init__(self, product: Product) -> None:
        self.venue = product.name
        self.number = product.number
        self.build: dict[type, Callable[[Any, list[Event]], None]] = {
            rows.Mark: self.mark,
            rows.PlainMark: self.mark,
            rows.Ticker: self.last,
            rows.MiniTicker: self.last,
            rows.Trade: self.last,
            rows.Book: self.book,
            rows.Depth: self.depth,
            rows.Force: self.force,
            rows.ContractInfo: self.contract,
        }

    def _foreign(self, symbol: str, product: int | None) -> bool:
        return (number_of(symbol) if product is None else product) != self.number

    def _price(self, value: float | None, channel: str, symbol: str, out: list[Event]) -> float | None:
        """Return a valid price; what is missing or no price is rejected aloud and gives None."""
        if value is not None and 0.0 < value < LIMIT:
            return value
        out.append(ev.Rejected(self.venue, channel, "no_price" if value is None else "bad_price", symbol))
        return None

    def marks(self, found: list[rows.PlainMark], out: list[Event]) -> None:
        """Build an array of marks without a call a fact. What is not plain takes the careful way."""
        mark_price, index_price, funding_rate, venue = ev.MarkPrice, ev.IndexPrice, ev.FundingRate, self.venue
        number = self.number
        for row in found:
            rate, next_time = row.r, row.T
            if row.st == number and rate != "" and next_time >= FIRST_MS:
                symbol, time = row.s, row.E / 1000
                out += (
                    mark_price(venue, symbol, row.p, time),
                    index_price(venue, symbol, row.i, time),
                    funding_rate(venue, symbol, rate, next_time / 1000, time),
                )
            else:
                self.mark(row, out)

    def mark(self, row: rows.Mark | rows.PlainMark, out: list[Event]) -> None:
        """Mark, index and the running estimate of the funding rate."""
        symbol, time = row.s, seconds(row.E)
        if self._foreign(symbol, row.st):
            return
        if (mark := self._price(row.p, "mark_price", symbol, out)) is not None:
            out.append(ev.MarkPrice(self.venue, symbol, mark, time))
        if row.i is not None and (index := self._price(row.i, "index_price", symbol, out)) is not None:
            out.append(ev.IndexPrice(self.venue, symbol, index, time))
        if row.r is not None and row.r != "" and row.T:
            self._funding(symbol, row.r, row.T, time, out)

    def _funding(self, symbol: str, rate: str | float, next_time: int, time: float, out: list[Event]) -> None:
        try:
            value = msgspec.convert(rate, float, strict=False)
        except msgspec.ValidationError:
            value = math.nan
        if not -1.0 < value < 1.0:
            out.append(ev.Rejected(self.venue, "funding_rate", "bad_rate", symbol))
        elif not FIRST_MS <= next_time < LAST_MS:
            out.append(ev.Rejected(self.venue, "funding_rate", "bad_time", symbol))
        else:
            out.append(ev.FundingRate(self.venue, symbol, value, next_time / 1000, time))

    def last(self, row: rows.Ticker | rows.MiniTicker | rows.Trade, out: list[Event]) -> None:
        """The price of the last trade."""
        time = seconds(row.E)
        if not self._foreign(row.s, row.st) and (last := self._price(row.last, "last_price", row.s, out)) is not None:
            out.append(ev.LastPrice(self.venue, row.s, last, time))

    def book(self, row: rows.Book, out: list[Event]) -> None:
        """The best quotes."""
        time = seconds(row.E)
        if self._foreign(row.s, row.st):
            return
        bid, ask = self._price(row.b, "best_quote", row.s, out), self._price(row.a, "best_quote", row.s, out)
        bids, asks = row.B, row.A
        if bids is None or asks is None or not (0.0 <= bids < LIMIT and 0.0 <= asks < LIMIT):
            out.append(ev.Rejected(self.venue, "best_quote", "bad_quantity", row.s))
        elif bid is not None and ask is not None:
            out.append(ev.BestQuote(self.venue, row.s, bid, bids, ask, asks, time))

    def depth(self, row: rows.Depth, out: list[Event]) -> None:
        """A change of the order book. It covers every id after ``pu``: ids jump, so ``U`` may be later than that."""
        time = seconds(row.E)
        if not self._foreign(row.s, row.st):
            first = min(row.U, row.pu + 1)
            out.append(ev.BookChange(self.venue, row.s, row.b, row.a, time, number=row.u, previous=row.pu, first=first))

    def force(self, row: rows.Force, out: list[Event]) -> None:
        """A liquidation that was filled, at least in part."""
        order, time = row.o, seconds(row.E)
        if self._foreign(order.s, row.st):
            return
        side = {"SELL": "long", "BUY": "short"}.get(order.S)
        if side is None:
            out.append(ev.Rejected(self.venue, "liquidation", "bad_side", order.s))
        elif order.z is None or not 0.0 <= order.z < LIMIT:
            out.append(ev.Rejected(self.venue, "liquidation", "bad_quantity", order.s))
        elif order.z > 0.0 and (fill := self._price(order.ap, "liquidation", order.s, out)) is not None:
            limit = None if order.p is None else self._price(order.p, "liquidation", order.s, out)
            done = time if order.T is None else seconds(order.T)
            out.append(ev.Liquidation(self.venue, order.s, side, order.z, fill, "fill", done, limit))

    def contract(self, row: rows.ContractInfo, out: list[Event]) -> None:
        """A contract's status and, if they changed, its tiers."""
        time = seconds(row.E)
        if self._foreign(row.s, row.st):
            return
        out.append(ev.ContractStatus(self.venue, row.s, row.cs, row.cs == "TRADING", time))
        if row.bks:
            ladder = tuple((b.bnf, b.mmr, b.cf) for b in row.bks)
            leverages = tuple(b.ma for b in row.bks if b.ma is not None)
            whole = leverages if len(leverages) == len(ladder) else ()
            out.append(ev.TierTableChanged(self.venue, row.s, ladder, time, whole))

    # --- the careful way -----------------------------------------------------------------------------------

    def slowly(self, frame: bytes) -> list[Event]:
        """Decode what the quick way refused: raw frames, control messages, unknown events, rows with a bad value."""
        message = parsed(frame)
        payload = message.get("data", message) if isinstance(message, dict) and "stream" in message else message
        out: list[Event] = []
        if isinstance(payload, list):
            for row in payload:
                try:
                    self._salvage(row, out)
                except WireError as error:
                    out.append(ev.Rejected(self.venue, "array", error.reason))
        else:
            self._salvage(payload, out)
        return out

    def _salvage(self, row: object, out: list[Event]) -> None:
        """Build what can be built of one row; every value that does not fit its type is rejected by itself."""
        if not isinstance(row, dict):
            raise WireError("a row must be an object", reason="not_an_object")
        if "e" not in row:
            if "code" in row or ("error" in row and row.get("id") is None):
                out.append(
                    ev.Rejected(self.venue, "control", "venue_error")
                )  # it names no request: ``hear`` cannot help
            return
        kind = rows.KINDS.get(row["e"]) if isinstance(row["e"], str) else None
        if kind is None:
            return
        symbol = row["s"] if isinstance(row.get("s"), str) else ""
        if kind is rows.Depth:
            pairs = _with_pairs(row)
            if pairs is None:  # without one of its levels it would be another book: left out as a whole it is a hole
                if not self._foreign(symbol, row.get("st")):
                    out.append(ev.Rejected(self.venue, "book_change", "bad_level", symbol))
                return
            row = pairs
        try:
            self.build[kind](msgspec.convert(row, kind, strict=False), out)
        except (msgspec.ValidationError, RecursionError):
            self.build[kind](careful(row, kind, self.venue, kind.__name__.lower(), symbol, out), out)


def _with_pairs(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return a book message with levels as (price, quantity) pairs (old ones had a third value), None if one is bad."""
    try:
        bids, asks = levels(row["b"]), levels(row["a"])
    except (KeyError, TypeError):
        return None
    return None if bids is None or asks is None else row | {"b": bids, "a": asks}


def decoder(product: Product) -> Decode:
    """Return the decoder of one product's websocket frames, combined (``{"stream", "data"}``) or raw.

    Acknowledgements and unknown events give ``[]``. A bad value costs itself alone and comes out as
    ``Rejected``; a frame that cannot be read at all raises ``WireError``.
    """
    builder = Builder(product)
    build, marks, slowly = builder.build, builder.marks, builder.slowly
    wrapped, venue, number, plain = rows.wrapped, product.name, product.number, rows.PlainMark
    mark_price, index_price, funding_rate = ev.MarkPrice, ev.IndexPrice, ev.FundingRate

    def decode(frame: bytes, _received_time: float = 0.0) -> list[Event]:
        try:
            data = wrapped(frame).data
            if type(data) is plain and data.st == number and data.r != "" and data.T >= FIRST_MS:
                symbol, time = data.s, data.E / 1000  # as in Builder.marks: the commonest frame, without a call
                return [
                    mark_price(venue, symbol, data.p, time),
                    index_price(venue, symbol, data.i, time),
                    funding_rate(venue, symbol, data.r, data.T / 1000, time),
                ]
            out: list[Event] = []
            if type(data) is list:
                marks(data, out)
            else:
                build[type(data)](data, out)
        except (msgspec.MsgspecError, WireError, RecursionError, UnicodeDecodeError):
            return slowly(frame)
        return out

    return decode
