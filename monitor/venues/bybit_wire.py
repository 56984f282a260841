"""Bybit v5: websocket frames into events. The traps are told in ``bybit.py``.

Tickers and order books, which are nearly all that comes, are checked by the decoder while it reads; whatever it
refuses, and every rarer topic, takes the careful way, value by value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues.base import DEPTH_LEVELS
from monitor.venues.bybit_ticker import NAME, Ticker, name_in, on_ticker, on_ticker_carefully
from monitor.venues.wire import Milliseconds, Price, Quantity, levels, number, parsed, scalar, time_in

DEPTH_TOPIC = f"orderbook.{DEPTH_LEVELS}"

Watched = frozenset[str] | None
"""The symbols that a feed wants to hear of, where a topic carries many; None is every one."""

# --- quick: the two topics that are nearly everything ------------------------------------------------------


class _TickerFrame(msgspec.Struct, gc=False):
    ts: Milliseconds
    data: Ticker


class _Book(msgspec.Struct, gc=False):
    s: str
    b: tuple[tuple[Price, Quantity], ...]
    a: tuple[tuple[Price, Quantity], ...]
    u: int


class _BookFrame(msgspec.Struct, gc=False):
    ts: Milliseconds
    type: Literal["snapshot", "delta"]
    data: _Book


_ticker_frame = msgspec.json.Decoder(_TickerFrame, strict=False).decode
_book_frame = msgspec.json.Decoder(_BookFrame, strict=False).decode
_TICKER_HEAD = b'{"topic":"tickers.'
_BOOK_HEAD = f'{{"topic":"{DEPTH_TOPIC}.'.encode()


def decode(frame: bytes, _received_time: float = 0.0, watched: Watched = None) -> list[Event]:
    """Return the events of one websocket frame; answers to requests and unknown topics give ``[]``.

    Of topics about a whole market only the *watched* symbols are told. A bad value costs itself alone and comes
    out as ``Rejected``; a frame that cannot be read at all raises ``WireError``.
    """
    try:
        if frame.startswith(_TICKER_HEAD):
            ticker = _ticker_frame(frame)
            out: list[Event] = []
            on_ticker(ticker.data, ticker.ts / 1000, out)
            return out
        if frame.startswith(_BOOK_HEAD):
            message = _book_frame(frame)
            book, whole = message.data, message.type == "snapshot"
            before = None if whole else book.u - 1
            return [ev.BookChange(NAME, book.s, book.b, book.a, message.ts / 1000, whole, book.u, before)]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        pass
    return _decode_slowly(frame, watched)


# --- the careful way ---------------------------------------------------------------------------------------


def _decode_slowly(frame: bytes, watched: Watched = None) -> list[Event]:
    message = parsed(frame)
    if not isinstance(message, dict):
        raise WireError("a message must be an object", reason="not_an_object")
    topic = message.get("topic")
    if not isinstance(topic, str):
        return []
    on = next((on for head, on in _TOPICS.items() if topic.startswith(head)), None)
    if on is None:
        return []
    out: list[Event] = []
    on(message, time_in(message.get("ts")), watched, out)
    return out


def _on_tickers(message: dict[str, Any], time: float, _watched: Watched, out: list[Event]) -> None:
    on_ticker_carefully(message.get("data"), time, out)


def _on_book(message: dict[str, Any], time: float, _watched: Watched, out: list[Event]) -> None:
    """Append a change of the book, or reject it whole: the next one then shows the hole that it leaves."""
    data, kind = message.get("data"), message.get("type")
    if not isinstance(data, dict):
        raise WireError("a book must be an object", reason="not_an_object")
    symbol, sequence = name_in(data, "s"), data.get("u")
    bids, asks = _levels(data.get("b")), _levels(data.get("a"))
    if kind not in ("snapshot", "delta") or type(sequence) is not int:
        out.append(ev.Rejected(NAME, "book_change", "bad_sequence", symbol))
    elif bids is None or asks is None:
        out.append(ev.Rejected(NAME, "book_change", "bad_level", symbol))
    else:
        before = None if kind == "snapshot" else sequence - 1
        out.append(ev.BookChange(NAME, symbol, bids, asks, time, before is None, sequence, before))


def _levels(raw: object) -> tuple[tuple[float, float], ...] | None:
    if not isinstance(raw, list) or not all(isinstance(row, list) for row in raw):
        return None
    return levels([[scalar(value) for value in row] for row in raw])


def _rows(message: dict[str, Any], channel: str, out: list[Event]) -> list[dict[str, Any]]:
    """Return the rows of a topic about many; what is no object costs itself alone."""
    data = message.get("data")
    if not isinstance(data, list):
        raise WireError("the data must be a list", reason="not_a_list")
    found = [row for row in data if isinstance(row, dict)]
    out.extend(ev.Rejected(NAME, channel, "not_an_object") for row in data if not isinstance(row, dict))
    return found


def _on_liquidations(message: dict[str, Any], _time: float, _watched: Watched, out: list[Event]) -> None:
    """Append a batch of liquidations. ``S`` is the side of the position, ``p`` its bankruptcy price."""
    for row in _rows(message, "liquidation", out):
        try:
            symbol, done = name_in(row, "s"), time_in(row.get("T"))
        except WireError as error:
            out.append(ev.Rejected(NAME, "liquidation", error.reason))
            continue
        side = {"Buy": "long", "Sell": "short"}.get(str(row.get("S")))
        contracts, price = number(scalar(row.get("v")), 0.0, LIMIT), number(scalar(row.get("p")), 0.0, LIMIT)
        if side is None:
            out.append(ev.Rejected(NAME, "liquidation", "bad_side", symbol))
        elif contracts is None:
            out.append(ev.Rejected(NAME, "liquidation", "bad_quantity", symbol))
        elif price is None:
            out.append(ev.Rejected(NAME, "liquidation", "bad_price", symbol))
        else:
            out.append(ev.Liquidation(NAME, symbol, side, contracts, price, "bankruptcy", done))


def on_pool(row: dict[str, Any], time: object, watched: Watched, out: list[Event]) -> None:
    """Append the balance of a pool that backs a watched symbol, named after the first of those: label values come
    from the configuration. A balance may be negative.
    """
    try:
        coin, backed = name_in(row, "coin"), tuple(filter(None, name_in(row, "symbols").split(",")))
        ours = sorted(backed if watched is None else watched.intersection(backed))
        if not ours:
            return
        stamp = time_in(time)
    except WireError as error:
        out.append(ev.Rejected(NAME, "insurance_fund", error.reason))
        return
    balance = number(scalar(row.get("balance")), -LIMIT, LIMIT)
    if balance is None:
        out.append(ev.Rejected(NAME, "insurance_fund", "bad_balance", ours[0]))
    else:
        out.append(ev.InsuranceFund(NAME, ours[0], coin, balance, backed, stamp))


def _on_insurance(message: dict[str, Any], _time: float, watched: Watched, out: list[Event]) -> None:
    for row in _rows(message, "insurance_fund", out):
        on_pool(row, row.get("updateTime"), watched, out)


def _on_adl(message: dict[str, Any], time: float, watched: Watched, out: list[Event]) -> None:
    """Append where each watched symbol stands against its trigger; the venue has no word for it.

    The rule on drawdown holds only while the pool is above ``adl_tt``: below, there is no trigger to tell.
    """
    for row in _rows(message, "adl_signal", out):
        symbol = row.get("s")
        if not isinstance(symbol, str) or not symbol:
            out.append(ev.Rejected(NAME, "adl_signal", "bad_s"))
            continue
        if watched is not None and symbol not in watched:
            continue
        values = [number(scalar(row.get(name)), -LIMIT, LIMIT) for name in _ADL]
        if any(value is None and row.get(name) not in (None, "") for name, value in zip(_ADL, values, strict=True)):
            out.append(ev.Rejected(NAME, "adl_signal", "bad_value", symbol))
        balance, drawdown, trigger, stop, least = values
        if balance is None and drawdown is None:
            continue
        if balance is not None and least is not None and balance <= least:
            trigger = stop = None
        out.append(ev.AdlSignal(NAME, symbol, "", time, drawdown, trigger, stop, balance))


_ADL = ("b", "pr", "i_pr", "adl_sr", "adl_tt")

_TOPICS: dict[str, Callable[[dict[str, Any], float, Watched, list[Event]], None]] = {
    "tickers.": _on_tickers,
    f"{DEPTH_TOPIC}.": _on_book,
    "allLiquidation.": _on_liquidations,
    "insurance.": _on_insurance,
    "adlAlert.": _on_adl,
}
