"""Binance USD-M futures: websocket frames into events. The traps are told in ``binance.py``.

The common shapes are checked by the decoder while it reads; whatever it refuses takes the careful way, value by value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues.binance_rest import NAME
from monitor.venues.wire import FIRST_MS, LAST_MS, Milliseconds, Price, Rate, careful, parsed, seconds

# --- wire: only the fields that are needed; None is absent -------------------------------------------------


class _Row(msgspec.Struct, gc=False, tag_field="e"):
    pass


class _Mark(_Row, gc=False, tag="markPriceUpdate"):
    s: str
    E: int
    p: float | None = None
    i: float | None = None
    r: str | float | None = None
    T: int | None = None
    st: int | None = None


class _PlainMark(_Row, gc=False, tag="markPriceUpdate"):
    """A mark with nothing missing, checked by the decoder while it is read: it refuses the frame of any other."""

    s: str
    E: Milliseconds
    p: Price
    i: Price
    r: Rate | Literal[""]
    T: Annotated[int, msgspec.Meta(ge=0, lt=LAST_MS)]
    st: int


class _Ticker(_Row, gc=False, tag="24hrTicker"):
    s: str
    E: int
    c: float | None = None
    ps: str | None = None
    st: int | None = None


class _MiniTicker(_Row, gc=False, tag="24hrMiniTicker"):
    s: str
    E: int
    c: float | None = None
    ps: str | None = None
    st: int | None = None


class _Trade(_Row, gc=False, tag="aggTrade"):
    s: str
    E: int
    p: float | None = None
    st: int | None = None


class _Book(_Row, gc=False, tag="bookTicker"):
    s: str
    E: int
    b: float | None = None
    B: float | None = None
    a: float | None = None
    A: float | None = None
    ps: str | None = None
    st: int | None = None


class _Order(msgspec.Struct, gc=False):
    s: str
    S: str
    p: float | None = None
    ap: float | None = None
    z: float | None = None
    ps: str | None = None
    T: int | None = None


class _Force(_Row, gc=False, tag="forceOrder"):
    E: int
    o: _Order
    st: int | None = None


class _Bracket(msgspec.Struct, gc=False):
    bnf: float
    mmr: float
    cf: float


class _ContractInfo(_Row, gc=False, tag="contractInfo"):
    s: str
    E: int
    cs: str
    bks: list[_Bracket] | None = None
    st: int | None = None


_KINDS: dict[str, type[_Row]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (_Mark, _Ticker, _MiniTicker, _Trade, _Book, _Force, _ContractInfo)
}


class _Wrapped(msgspec.Struct, gc=False):
    data: _PlainMark | _Ticker | _MiniTicker | _Trade | _Book | _Force | _ContractInfo | list[_PlainMark]


_wrapped = msgspec.json.Decoder(_Wrapped, strict=False).decode

_COIN_M = re.compile(r"(?!(?:BTC|ETH)BUSD_)[A-Z0-9]{1,20}USD_(?:PERP|\d{6})", re.ASCII)


def _foreign(symbol: str, product: int | None) -> bool:
    """Return whether a row is COIN-M's: by ``st``, or in frames from before June 2026 by the symbol."""
    return product == 2 if product is not None else _COIN_M.fullmatch(symbol) is not None


def _price(value: float | None, channel: str, symbol: str, out: list[Event]) -> float | None:
    """Return a valid price; what is missing or no price is rejected aloud and gives None."""
    if value is not None and 0.0 < value < LIMIT:
        return value
    out.append(ev.Rejected(NAME, channel, "no_price" if value is None else "bad_price", symbol))
    return None


# --- rows to events ----------------------------------------------------------------------------------------


def _on_marks(rows: list[_PlainMark], out: list[Event]) -> None:
    """Build an array of marks without a call a fact. What is not plain takes the careful way."""
    mark_price, index_price, funding_rate, venue = ev.MarkPrice, ev.IndexPrice, ev.FundingRate, NAME
    for row in rows:
        rate, next_time = row.r, row.T
        if row.st == 1 and rate != "" and next_time >= FIRST_MS:
            symbol, time = row.s, row.E / 1000
            out += (
                mark_price(venue, symbol, row.p, time),
                index_price(venue, symbol, row.i, time),
                funding_rate(venue, symbol, rate, next_time / 1000, time),
            )
        else:
            _on_mark(row, out)


def _on_mark(row: _Mark | _PlainMark, out: list[Event]) -> None:
    symbol, time = row.s, seconds(row.E)
    if _foreign(symbol, row.st):
        return
    if (mark := _price(row.p, "mark_price", symbol, out)) is not None:
        out.append(ev.MarkPrice(NAME, symbol, mark, time))
    if row.i is not None and (index := _price(row.i, "index_price", symbol, out)) is not None:
        out.append(ev.IndexPrice(NAME, symbol, index, time))
    if row.r is not None and row.r != "" and row.T:
        _funding(symbol, row.r, row.T, time, out)


def _funding(symbol: str, rate: str | float, next_time: int, time: float, out: list[Event]) -> None:
    try:
        value = msgspec.convert(rate, float, strict=False)
    except msgspec.ValidationError:
        value = math.nan
    if -1.0 < value < 1.0:
        out.append(ev.FundingRate(NAME, symbol, value, seconds(next_time), time))
    else:
        out.append(ev.Rejected(NAME, "funding_rate", "bad_rate", symbol))


def _on_ticker(row: _Ticker | _MiniTicker, out: list[Event]) -> None:
    time = seconds(row.E)
    if not _foreign(row.s, row.st) and (last := _price(row.c, "last_price", row.s, out)) is not None:
        out.append(ev.LastPrice(NAME, row.s, last, time))


def _on_trade(row: _Trade, out: list[Event]) -> None:
    time = seconds(row.E)
    if not _foreign(row.s, row.st) and (last := _price(row.p, "last_price", row.s, out)) is not None:
        out.append(ev.LastPrice(NAME, row.s, last, time))


def _on_book(row: _Book, out: list[Event]) -> None:
    time = seconds(row.E)
    if _foreign(row.s, row.st):
        return
    bid, ask = _price(row.b, "best_quote", row.s, out), _price(row.a, "best_quote", row.s, out)
    bids, asks = row.B, row.A
    if bids is None or asks is None or not (0.0 <= bids < LIMIT and 0.0 <= asks < LIMIT):
        out.append(ev.Rejected(NAME, "best_quote", "bad_quantity", row.s))
    elif bid is not None and ask is not None:
        out.append(ev.BestQuote(NAME, row.s, bid, bids, ask, asks, time))


def _on_force(row: _Force, out: list[Event]) -> None:
    order, time = row.o, seconds(row.E)
    if _foreign(order.s, row.st) or (row.st is None and order.ps is not None):
        return
    side = {"SELL": "long", "BUY": "short"}.get(order.S)
    if side is None:
        out.append(ev.Rejected(NAME, "liquidation", "bad_side", order.s))
    elif order.z is None or not 0.0 <= order.z < LIMIT:
        out.append(ev.Rejected(NAME, "liquidation", "bad_quantity", order.s))
    elif order.z > 0.0 and (fill := _price(order.ap, "liquidation", order.s, out)) is not None:
        limit = None if order.p is None else _price(order.p, "liquidation", order.s, out)
        done = time if order.T is None else seconds(order.T)
        out.append(ev.Liquidation(NAME, order.s, side, order.z, fill, "fill", done, limit))


def _on_contract(row: _ContractInfo, out: list[Event]) -> None:
    time = seconds(row.E)
    if _foreign(row.s, row.st):
        return
    out.append(ev.ContractStatus(NAME, row.s, row.cs, row.cs == "TRADING", time))
    if row.bks:
        rows = tuple((b.bnf, b.mmr, b.cf) for b in row.bks)
        out.append(ev.TierTableChanged(NAME, row.s, rows, time))


_BUILD: dict[type, Callable[[Any, list[Event]], None]] = {
    _Mark: _on_mark,
    _PlainMark: _on_mark,
    _Ticker: _on_ticker,
    _MiniTicker: _on_ticker,
    _Trade: _on_trade,
    _Book: _on_book,
    _Force: _on_force,
    _ContractInfo: _on_contract,
}


def decode(frame: bytes, _received_time: float = 0.0) -> list[Event]:
    """Return the events of one websocket frame, combined (``{"stream", "data"}``) or raw.

    Acknowledgements and unknown events give ``[]``. A bad value costs itself alone and comes out as
    ``Rejected``; a frame that cannot be read at all raises ``WireError``.
    """
    try:
        data = _wrapped(frame).data
        if type(data) is _PlainMark and data.st == 1 and data.r != "" and data.T >= FIRST_MS:
            symbol, time = data.s, data.E / 1000  # as in _on_marks: the commonest frame, without a call
            return [
                ev.MarkPrice(NAME, symbol, data.p, time),
                ev.IndexPrice(NAME, symbol, data.i, time),
                ev.FundingRate(NAME, symbol, data.r, data.T / 1000, time),
            ]
        out: list[Event] = []
        if type(data) is list:
            _on_marks(data, out)
        else:
            _BUILD[type(data)](data, out)
    except (msgspec.MsgspecError, WireError, RecursionError, UnicodeDecodeError):
        return _decode_slowly(frame)
    return out


def _decode_slowly(frame: bytes) -> list[Event]:
    """Decode what the quick way refused: raw frames, control messages, unknown events, rows with a bad value."""
    message = parsed(frame)
    payload = message.get("data", message) if isinstance(message, dict) and "stream" in message else message
    out: list[Event] = []
    if isinstance(payload, list):
        for row in payload:
            try:
                _salvage(row, out)
            except WireError as error:
                out.append(ev.Rejected(NAME, "array", error.reason))
    else:
        _salvage(payload, out)
    return out


def _salvage(row: object, out: list[Event]) -> None:
    """Build what can be built of one row; every value that does not fit its type is rejected by itself."""
    if not isinstance(row, dict):
        raise WireError("a row must be an object", reason="not_an_object")
    if "e" not in row:
        error = row.get("error", row)
        if isinstance(error, dict) and "code" in error:
            out.append(ev.Rejected(NAME, "control", "venue_error"))
        return
    kind = _KINDS.get(row["e"]) if isinstance(row["e"], str) else None
    if kind is None:
        return
    try:
        _BUILD[kind](msgspec.convert(row, kind, strict=False), out)
    except (msgspec.ValidationError, RecursionError):
        symbol = row.get("s")
        clean = careful(row, kind, NAME, kind.__name__[1:].lower(), symbol if isinstance(symbol, str) else "", out)
        _BUILD[kind](clean, out)
