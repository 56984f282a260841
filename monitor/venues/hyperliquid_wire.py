"""Hyperliquid: websocket frames into events. The traps are told in ``hyperliquid.py``.

The common shapes are checked by the decoder while it reads; whatever it refuses takes the careful way, value by value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues import hyperliquid_rows as rows
from monitor.venues.base import Word
from monitor.venues.hyperliquid_rows import NAME
from monitor.venues.wire import next_full_hour, number, parsed, price, seconds

GREETING = b"Websocket connection established"
"""Plain text with which older servers began."""

FILL_ACCOUNTS = 7
"""Accounts of the backstop whose fills are followed; of the ten that an address may follow three are left to others."""

TOO_MANY_ACCOUNTS = "total users"

_message = msgspec.json.Decoder(
    rows.ContextMessage | rows.TradesMessage | rows.BookMessage | rows.BestMessage | rows.FillsMessage, strict=False
).decode


# --- the quick way -------------------------------------------------------------------------------------------


def decode(frame: bytes, received_time: float) -> list[Event]:
    """Return the events of one frame. Contract states carry no time: theirs is *received_time*.

    Acknowledgements, errors, pongs and unknown channels give ``[]``. A bad value costs itself alone and comes out as
    ``Rejected``; a frame that cannot be read at all raises ``WireError``.
    """
    try:
        message = _message(frame)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return decode_slowly(frame, received_time)
    if isinstance(message, rows.ContextMessage):
        return rows.context_events(message.data.coin, message.data.ctx, received_time)
    if isinstance(message, rows.BookMessage):
        book = message.data
        bids, asks = (tuple([(level.px, level.sz) for level in side]) for side in book.levels)
        return [ev.BookChange(NAME, book.coin, bids, asks, book.time / 1000, whole=True)]
    if isinstance(message, rows.TradesMessage):
        return rows.trade_events(message.data)
    if isinstance(message, rows.BestMessage):
        best = message.data
        bid, ask = best.bbo
        return [ev.BestQuote(NAME, best.coin, bid.px, bid.sz, ask.px, ask.sz, best.time / 1000)]
    if message.data.isSnapshot:
        return []  # what happened before we listened, perhaps hours ago
    return [event for fill in message.data.fills for event in rows.liquidation_events(fill, message.data.user)]


# --- the careful way -----------------------------------------------------------------------------------------


def decode_slowly(frame: bytes, received_time: float) -> list[Event]:
    """Decode what the quick way refused: other channels, one-sided quotes, rows with a bad value."""
    if frame.startswith(GREETING):
        return []
    message = parsed(frame)
    if not isinstance(message, dict):
        raise WireError("a message must be an object", reason="not_an_object")
    channel = message.get("channel")
    build = _BUILD.get(channel) if isinstance(channel, str) else None
    if build is None:
        return []
    out: list[Event] = []
    build(message.get("data"), received_time, out)
    return out


def salvage_context(coin: str, ctx: object, time: float, out: list[Event]) -> None:
    """Append what can be used of a contract's state; what is null or missing is absent, what is wrong is rejected."""
    row = _object(ctx)
    price(ev.MarkPrice, NAME, coin, _plain(row, "markPx"), time, out)
    price(ev.IndexPrice, NAME, coin, _plain(row, "oraclePx"), time, out)
    for name, low, high, reason in (
        ("funding", -1.0, 1.0, "bad_rate"),
        ("openInterest", -1e-300, LIMIT, "bad_quantity"),
    ):
        raw = _plain(row, name)
        value = number(raw, low, high)
        if value is not None and name == "funding":
            out.append(ev.FundingRate(NAME, coin, value, next_full_hour(time), time))
        elif value is not None:
            out.append(ev.OpenInterest(NAME, coin, value, time))
        elif raw is not None and raw != "":
            out.append(ev.Rejected(NAME, "funding_rate" if name == "funding" else "open_interest", reason, coin))


def _on_context(data: object, received_time: float, out: list[Event]) -> None:
    row = _object(data)
    salvage_context(_coin(row), row.get("ctx"), received_time, out)


def _on_trades(data: object, _received_time: float, out: list[Event]) -> None:
    for row, coin in _rows(data, "last_price", out):
        before = len(out)
        price(ev.LastPrice, NAME, coin, _plain(row, "px"), _time(row), out)
        if len(out) == before:
            out.append(ev.Rejected(NAME, "last_price", "no_price", coin))
    out.sort(key=lambda event: getattr(event, "event_time", 0.0))


def _on_book(data: object, _received_time: float, out: list[Event]) -> None:
    row = _object(data)
    coin, time, sides = _coin(row), _time(row), row.get("levels")
    if not isinstance(sides, list) or len(sides) != 2:
        raise WireError("a book has two sides", reason="bad_levels")
    bids, asks = _side(sides[0]), _side(sides[1])
    if bids is None or asks is None:
        out.append(ev.Rejected(NAME, "book", "bad_level", coin))  # a book with a hole in it is no book
    else:
        out.append(ev.BookChange(NAME, coin, bids, asks, time, whole=True))


def _on_best(data: object, _received_time: float, out: list[Event]) -> None:
    row = _object(data)
    coin, time, sides = _coin(row), _time(row), row.get("bbo")
    if not isinstance(sides, list):
        raise WireError("a quote has two sides", reason="bad_levels")
    if len(sides) != 2 or None in sides:
        return  # nobody stands on one side
    levels = _side(sides)
    if levels is None:
        out.append(ev.Rejected(NAME, "best_quote", "bad_price", coin))
    else:
        (bid, bids), (ask, asks) = levels
        out.append(ev.BestQuote(NAME, coin, bid, bids, ask, asks, time))


def _on_fills(data: object, _received_time: float, out: list[Event]) -> None:
    row = _object(data)
    user, fills = row.get("user"), row.get("fills")
    if not isinstance(user, str) or not isinstance(fills, list):
        raise WireError("fills belong to somebody", reason="bad_fills")
    if row.get("isSnapshot") is True:
        return
    for fill in fills:
        if isinstance(fill, dict) and fill.get("liquidation") is None:
            continue  # an ordinary fill, whatever it looks like
        try:
            out += rows.liquidation_events(msgspec.convert(fill, rows.Fill, strict=False), user)
        except (msgspec.ValidationError, RecursionError):
            coin = fill.get("coin") if isinstance(fill, dict) else ""
            out.append(ev.Rejected(NAME, "liquidation", "bad_row", coin if isinstance(coin, str) else ""))


_BUILD: dict[str, Callable[[object, float, list[Event]], None]] = {
    "activeAssetCtx": _on_context,
    "trades": _on_trades,
    "l2Book": _on_book,
    "bbo": _on_best,
    "userFills": _on_fills,
}


def _object(data: object) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise WireError("an object was expected", reason="not_an_object")
    return data


def _coin(row: dict[str, Any]) -> str:
    coin = row.get("coin")
    if not isinstance(coin, str):
        raise WireError("no coin", reason="bad_coin")
    return coin


def _time(row: dict[str, Any]) -> float:
    time = row.get("time")
    if isinstance(time, bool) or not isinstance(time, int):
        raise WireError("no time in ms", reason="bad_time")
    return seconds(time)


def _plain(row: dict[str, Any], name: str) -> str | float | None:
    """Return a value as it stands, with lists and objects as a text that is no number."""
    value = row.get(name)
    return value if value is None or isinstance(value, str | int | float) else "?"


def _rows(data: object, channel: str, out: list[Event]) -> list[tuple[dict[str, Any], str]]:
    """Return the rows that have a coin and a time; every other one costs itself alone."""
    if not isinstance(data, list):
        raise WireError("a list was expected", reason="not_a_list")
    found: list[tuple[dict[str, Any], str]] = []
    for raw in data:
        try:
            row = _object(raw)
            coin = _coin(row)
            _time(row)
        except WireError as error:
            out.append(ev.Rejected(NAME, channel, error.reason))
        else:
            found.append((row, coin))
    return found


def _side(raw: object) -> tuple[tuple[float, float], ...] | None:
    """Return rows of (price, coins), None if one of them is not usable."""
    try:
        return tuple((level.px, level.sz) for level in msgspec.convert(raw, list[rows.Level], strict=False))
    except (msgspec.ValidationError, RecursionError):
        return None


# --- words -----------------------------------------------------------------------------------------------------


class _Error(msgspec.Struct):
    channel: Literal["error"]
    data: str


class _Subscription(msgspec.Struct):
    type: str
    coin: str = ""
    user: str = ""


class _Asked(msgspec.Struct):
    subscription: _Subscription | None = None


def hear(frame: bytes) -> Word | None:
    """Return the refusal in an error, which quotes our frame and has no id. Being told twice is no refusal.

    Of too many accounts the venue does not say whose fills it left out: all are asked for once more.
    """
    try:
        text = msgspec.json.decode(frame, type=_Error).data
        if text.startswith("Already"):
            return None
        if TOO_MANY_ACCOUNTS in text:
            return Word(refused=tuple(f"userFills:{number}" for number in range(FILL_ACCOUNTS)), reason=text)
        quoted = text[text.index("{") :].encode()
        asked = msgspec.json.decode(quoted, type=_Asked).subscription
        asked = asked or msgspec.json.decode(quoted, type=_Subscription)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None
    return Word(refused=(f"{asked.type}:{asked.coin or asked.user}",), reason=text.partition("{")[0])
