"""Kraken Futures v1: websocket frames into events. The traps are told in ``kraken_futures.py``.

A frame names its feed, and the decoder checks it by that name while it reads; whatever it refuses takes the careful
way, value by value. Tickers: ``kraken_ticker.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues import wire
from monitor.venues.kraken_ticker import NAME, Product, Ticker, on_ticker, on_ticker_carefully
from monitor.venues.wire import Milliseconds, Price, Quantity, number, parsed, scalar, time_in

SIDES = {"sell": "long", "buy": "short"}
"""The taker's side, which is the liquidation order's -> the side of the position that it closes."""

METHODS = {
    "liquidation": ("market", "fill"),
    "assignment": ("takeover", "bankruptcy"),
    "termination": ("adl", "bankruptcy"),
}
"""Type of a forced trade -> how the position ended, and what the price is."""

IN_THE_BOOK = {"fill", "liquidation"}
"""Types of trades that were made in the book, at a price of the market."""

OLD_TRADES = 1000
"""Trades of a snapshot that are looked at, the newest: one that holds more is no snapshot of this venue."""

REFUSED = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


# --- wire: only the fields that are needed -----------------------------------------------------------------


class _Book(msgspec.Struct, gc=False, tag_field="feed", tag="book"):
    product_id: Product
    side: Literal["buy", "sell"]
    seq: int
    price: Price
    qty: Quantity
    timestamp: Milliseconds


class _Level(msgspec.Struct, gc=False):
    price: Price
    qty: Quantity


class _WholeBook(msgspec.Struct, gc=False, tag_field="feed", tag="book_snapshot"):
    product_id: Product
    seq: int
    bids: list[_Level]
    asks: list[_Level]
    timestamp: Milliseconds


class _Trade(msgspec.Struct, gc=False, tag_field="feed", tag="trade"):
    product_id: Product
    side: Literal["buy", "sell"]
    type: str
    time: Milliseconds
    qty: Price
    price: Price


_message = msgspec.json.Decoder(_Book | _WholeBook | Ticker | _Trade).decode


def decode(frame: bytes, received: float = 0.0) -> list[Event]:
    """Return the events of one websocket frame; answers, heartbeats and other feeds give ``[]``.

    A bad value costs itself alone and comes out as ``Rejected``; a frame that cannot be read raises ``WireError``.
    """
    try:
        message = _message(frame)
    except REFUSED:
        return _decode_slowly(frame, received)
    if type(message) is _Book:
        row = ((message.price, message.qty),)
        bids, asks = (row, ()) if message.side == "buy" else ((), row)
        return [_change(message.product_id, bids, asks, message.timestamp / 1000, message.seq, message.seq - 1)]
    out: list[Event] = []
    if type(message) is Ticker:
        on_ticker(message, message.time / 1000, out)
    elif type(message) is _Trade:
        _on_trade(message, out)
    elif type(message) is _WholeBook:
        sides = [tuple((level.price, level.qty) for level in side) for side in (message.bids, message.asks)]
        return [_change(message.product_id, sides[0], sides[1], message.timestamp / 1000, message.seq, None)]
    return out


def _change(
    symbol: str,
    bids: tuple[tuple[float, float], ...],
    asks: tuple[tuple[float, float], ...],
    time: float,
    sequence: int,
    previous: int | None,
) -> Event:
    return ev.BookChange(NAME, symbol, bids, asks, time, previous is None, sequence, previous)


# --- the careful way ---------------------------------------------------------------------------------------


def _decode_slowly(frame: bytes, received: float) -> list[Event]:
    message = parsed(frame)
    if not isinstance(message, dict):
        raise WireError("a message must be an object", reason="not_an_object")
    feed = message.get("feed")
    if "event" in message or not isinstance(feed, str) or feed not in _FEEDS:  # answers name a feed as well
        return []
    symbol = message.get("product_id")
    if not isinstance(symbol, str) or not symbol:
        raise WireError("field product_id has no usable value", reason="bad_product_id")
    out: list[Event] = []
    _FEEDS[feed](message, symbol, received, out)
    return out


# --- trades ------------------------------------------------------------------------------------------------


def _on_trade(row: _Trade, out: list[Event]) -> None:
    symbol, time = row.product_id, row.time / 1000
    forced = METHODS.get(row.type)
    if forced is not None:
        method, price_kind = forced
        side = SIDES[row.side]
        out.append(ev.Liquidation(NAME, symbol, side, row.qty, row.price, price_kind, time, method=method))
    if row.type in IN_THE_BOOK:
        out.append(ev.LastPrice(NAME, symbol, row.price, time))


def _on_trade_slowly(message: dict[str, Any], symbol: str, _received: float, out: list[Event]) -> None:
    row = _trade(message, symbol, out)
    if row is not None:
        _on_trade(row, out)


def _trade(message: dict[str, Any], symbol: str, out: list[Event]) -> _Trade | None:
    """Return a trade; one with a value that cannot be used is rejected whole."""
    time = time_in(message.get("time"))
    side, kind = message.get("side"), message.get("type")
    quantity, price = (number(scalar(message.get(name)), 0.0, LIMIT) for name in ("qty", "price"))
    channel = "liquidation" if isinstance(kind, str) and kind in METHODS else "trade"
    if price is None:
        out.append(ev.Rejected(NAME, channel, "bad_price", symbol))
    elif quantity is None:
        out.append(ev.Rejected(NAME, channel, "bad_quantity", symbol))
    elif side != "buy" and side != "sell":  # noqa: PLR1714 - a set would have to hash what came
        out.append(ev.Rejected(NAME, channel, "bad_side", symbol))
    elif not isinstance(kind, str):
        out.append(ev.Rejected(NAME, channel, "bad_type", symbol))
    else:
        return _Trade(symbol, side, kind, int(time * 1000 + 0.5), quantity, price)
    return None


def _on_old_trades(message: dict[str, Any], symbol: str, _received: float, out: list[Event]) -> None:
    """Append the price of the newest trade in the book; what else happened before we listened is no news."""
    trades = message.get("trades")
    if not isinstance(trades, list):
        raise WireError("trades must be a list", reason="not_a_list")
    newest: _Trade | None = None
    for row in trades[:OLD_TRADES]:
        try:
            found = _trade(row, symbol, out) if isinstance(row, dict) else None
        except WireError:
            found = None
            out.append(ev.Rejected(NAME, "trade", "bad_time", symbol))
        else:
            if not isinstance(row, dict):
                out.append(ev.Rejected(NAME, "trade", "not_an_object", symbol))
        if found is not None and found.type in IN_THE_BOOK and (newest is None or found.time > newest.time):
            newest = found
    if newest is not None:
        out.append(ev.LastPrice(NAME, symbol, newest.price, newest.time / 1000))


# --- books -------------------------------------------------------------------------------------------------


def _on_book_slowly(message: dict[str, Any], symbol: str, received: float, out: list[Event]) -> None:
    """Append a change or a whole book, or reject it: the next change then shows the hole that it leaves."""
    stamp, sequence = message.get("timestamp"), message.get("seq")
    time = received if stamp is None else time_in(stamp)  # older frames have no time of their own
    whole = message["feed"] == "book_snapshot"
    if whole:
        sides = [_levels(message.get(name)) for name in ("bids", "asks")]
    else:
        row = _levels([message])
        sides = {"buy": [row, ()], "sell": [(), row]}.get(str(message.get("side")), [None, None])
    bids, asks = sides
    if type(sequence) is not int:
        out.append(ev.Rejected(NAME, "book_change", "bad_sequence", symbol))
    elif bids is None or asks is None:
        out.append(ev.Rejected(NAME, "book_change", "bad_level", symbol))
    else:
        out.append(_change(symbol, bids, asks, time, sequence, None if whole else sequence - 1))


def _levels(raw: object) -> tuple[tuple[float, float], ...] | None:
    if not isinstance(raw, list) or not all(isinstance(row, dict) for row in raw):
        return None
    return wire.levels([[scalar(row.get("price")), scalar(row.get("qty"))] for row in raw])


def _on_ticker_slowly(message: dict[str, Any], symbol: str, _received: float, out: list[Event]) -> None:
    on_ticker_carefully(message, symbol, time_in(message.get("time")), out)


_FEEDS: dict[str, Callable[[dict[str, Any], str, float, list[Event]], None]] = {
    "ticker": _on_ticker_slowly,
    "trade": _on_trade_slowly,
    "trade_snapshot": _on_old_trades,
    "book": _on_book_slowly,
    "book_snapshot": _on_book_slowly,
}
