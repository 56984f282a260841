"""dYdX v4: websocket frames of the indexer into events. The traps are told in ``dydx.py``.

Oracle prices and book changes, which come all the time, are checked by the decoder while it reads; what it refuses
takes the careful way, value by value (``dydx_rows.py``).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.venues.base import Word
from monitor.venues.dydx_rows import (
    BOOK,
    DELEVERAGED,
    FORCED,
    MARKETS,
    NAME,
    TRADES,
    dated_price,
    last_price,
    liquidation,
    market_facts,
)
from monitor.venues.wire import Price, Quantity, iso_seconds, levels, parsed

# --- wire: only the fields that are needed -----------------------------------------------------------------


class _Frame(msgspec.Struct, gc=False):
    type: str
    channel: str | None = None
    id: str | None = None
    contents: msgspec.Raw = msgspec.Raw()


class _Oracle(msgspec.Struct, gc=False):
    oraclePrice: Price  # noqa: N815 - the venue's spelling
    effectiveAt: str  # noqa: N815


class _Oracles(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """Oracle prices and nothing else beside them: the commonest frame."""

    oraclePrices: dict[str, _Oracle]  # noqa: N815


class _Change(msgspec.Struct, gc=False):
    bids: tuple[tuple[Price, Quantity], ...] = ()
    asks: tuple[tuple[Price, Quantity], ...] = ()


class _Level(msgspec.Struct, gc=False):
    price: Price
    size: Quantity


class _Whole(msgspec.Struct, gc=False):
    bids: list[_Level]
    asks: list[_Level]


class _Said(msgspec.Struct, gc=False):
    type: str = ""
    channel: str | None = None
    id: str | None = None
    message: str | None = None


_frame = msgspec.json.Decoder(_Frame).decode
_oracles = msgspec.json.Decoder(_Oracles, strict=False).decode
_change = msgspec.json.Decoder(_Change, strict=False).decode
_changes = msgspec.json.Decoder(list[_Change], strict=False).decode
_whole = msgspec.json.Decoder(_Whole, strict=False).decode
_said = msgspec.json.Decoder(_Said).decode

_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)

_Levels = tuple[tuple[float, float], ...]

SNAPSHOT, DATA, BATCH = "subscribed", "channel_data", "channel_batch_data"
"""Frames that hold facts: ``contents`` is an object, in a batch an array of them."""


def decode(frame: bytes, received_time: float) -> list[Event]:
    """Return the events of one frame; what is no news of a market gives ``[]``.

    A bad value costs itself alone and comes out as ``Rejected``; a frame that cannot be read raises ``WireError``.
    """
    try:
        message = _frame(frame)
    except _UNREADABLE as error:
        raise WireError(f"no frame: {error}") from None
    if message.type not in {SNAPSHOT, DATA, BATCH}:
        return []
    if message.channel == MARKETS:
        return _on_markets(message, received_time)
    if message.channel not in {TRADES, BOOK}:
        return []
    if not message.id:
        raise WireError("a frame of one market that does not name it", reason="missing_field")
    on = _on_trades if message.channel == TRADES else _on_book
    return on(message, message.id, received_time)


def _parts(message: _Frame) -> list[dict[str, Any]]:
    """Return what a frame holds as plain objects. Raises ``WireError``."""
    contents = parsed(message.contents)
    parts = contents if isinstance(contents, list) else [contents]
    if not all(isinstance(part, dict) for part in parts):
        raise WireError("contents must be objects", reason="not_an_object")
    return parts


# --- markets and trades --------------------------------------------------------------------------------------


def _on_markets(message: _Frame, received: float) -> list[Event]:
    out: list[Event] = []
    try:
        if message.type == DATA:
            at: str | None = None
            time = 0.0
            for symbol, row in _oracles(message.contents).oraclePrices.items():
                price = row.oraclePrice
                if row.effectiveAt != at:  # most often all are of one block
                    at, time = row.effectiveAt, iso_seconds(row.effectiveAt)
                out += (ev.MarkPrice(NAME, symbol, price, time), ev.IndexPrice(NAME, symbol, price, time))
            return out
    except (WireError, *_UNREADABLE):
        out.clear()
    for part in _parts(message):
        for symbol, found in _rows(part, "oraclePrices"):
            dated_price(symbol, found, out)
        for field in ("trading", "markets"):
            for symbol, found in _rows(part, field):
                market_facts(symbol, found, received, out)
    return out


def _rows(part: dict[str, Any], field: str) -> list[tuple[str, object]]:
    """Return the rows of a map by symbol; an absent map has none."""
    found = part.get(field)
    if found is None:
        return []
    if not isinstance(found, dict):
        raise WireError(f"{field} must be an object", reason="not_an_object")
    return list(found.items())


def _on_trades(message: _Frame, symbol: str, _received: float) -> list[Event]:
    out: list[Event] = []
    trades: list[dict[str, Any]] = []
    for part in _parts(message):
        found = part.get("trades", [])
        if not isinstance(found, list):
            raise WireError("trades must be an array", reason="not_an_array")
        for row in found:
            if isinstance(row, dict):
                trades.append(row)
            else:
                out.append(ev.Rejected(NAME, TRADES, "bad_row", symbol))
    if message.type == SNAPSHOT:  # trades of long ago: the newest, which comes first, tells a last price, no more
        in_book = (trade for trade in trades if trade.get("type") != DELEVERAGED)
        for trade in sorted(in_book, key=lambda row: str(row.get("createdAt")), reverse=True)[:1]:
            last_price(symbol, trade, out)
        return out
    for trade in trades:
        if trade.get("type") != DELEVERAGED:
            last_price(symbol, trade, out)
        if trade.get("type") in FORCED:
            liquidation(symbol, trade, out)
    return out


# --- the order book -----------------------------------------------------------------------------------------


def _on_book(message: _Frame, symbol: str, received: float) -> list[Event]:
    """Return a whole book or its changes, each by itself: of two levels that cross, the later one is right."""
    contents, whole = message.contents, message.type == SNAPSHOT
    try:
        if whole:
            book = _whole(contents)
            bids = tuple((row.price, row.size) for row in book.bids)
            asks = tuple((row.price, row.size) for row in book.asks)
            return [ev.BookChange(NAME, symbol, *_uncrossed(bids, asks), received, whole=True)]
        changes = _changes(contents) if message.type == BATCH else [_change(contents)]
        return [ev.BookChange(NAME, symbol, c.bids, c.asks, received) for c in changes if c.bids or c.asks]
    except _UNREADABLE:
        return _book_slowly(message, symbol, received, whole=whole)


def _book_slowly(message: _Frame, symbol: str, received: float, *, whole: bool) -> list[Event]:
    out: list[Event] = []
    for part in _parts(message):
        bids, asks = (_side(part.get(side), symbol, out) for side in ("bids", "asks"))
        if whole:
            bids, asks = _uncrossed(bids, asks)
        if whole or bids or asks:
            out.append(ev.BookChange(NAME, symbol, bids, asks, received, whole=whole))
    return out


def _uncrossed(bids: _Levels, asks: _Levels) -> tuple[_Levels, _Levels]:
    """Return a whole book without what crosses in it, of which nobody can say what is older.

    Levels come from different blocks. What crosses is taken off both sides, as if it had traded.
    """
    if not bids or not asks or max(bids)[0] < min(asks)[0]:
        return bids, asks
    demand = sorted((list(row) for row in bids if row[1] > 0.0), reverse=True)
    supply = sorted(list(row) for row in asks if row[1] > 0.0)
    while demand and supply and demand[0][0] >= supply[0][0]:
        traded = min(demand[0][1], supply[0][1])
        for side in (demand, supply):
            side[0][1] -= traded
            if side[0][1] <= 0.0:
                del side[0]
    return tuple((price, size) for price, size in demand), tuple((price, size) for price, size in supply)


def _side(raw: object, symbol: str, out: list[Event]) -> _Levels:
    """Return the levels of one side that can be used; the others are rejected one by one."""
    if raw is None:
        return ()
    if not isinstance(raw, list):
        raise WireError("a side of the book must be an array", reason="not_an_array")
    found: list[tuple[float, float]] = []
    for row in raw:
        cells = [row.get("price"), row.get("size")] if isinstance(row, dict) else row
        level = levels([cells]) if isinstance(cells, list) else None
        if level is None:
            out.append(ev.Rejected(NAME, BOOK, "bad_level", symbol))
        else:
            found += level
    return tuple(found)


# --- frames without facts, and the number of each ------------------------------------------------------------

_NAMED = re.compile(r"\((v4_[a-z_]+)-(.+)\)")
_PASSING = ("Internal error", "Too many")
"""Errors that say nothing of what was asked for: silence makes the feed ask again, a close ends the connection."""


def hear(frame: bytes) -> Word | None:
    """Return the refusal that *frame* is, if it is one; it names channel and market, in fields or in its words.

    >>> hear(b'{"type":"error","message":"Invalid subscription id for channel: (v4_trades-X-USD)","message_id":2}')
    Word(answer='', refused=('v4_trades/X-USD',), reason='Invalid subscription id for channel: (v4_trades-X-USD)', leaving=False)
    """
    try:
        said = _said(frame)
    except _UNREADABLE:
        return None
    text = said.message or ""
    if said.type != "error" or text.startswith(_PASSING) or "already subscribed" in text:
        return None
    named = _NAMED.search(text)
    if said.channel:
        name = f"{said.channel}/{said.id}" if said.id else said.channel
    elif named is not None:
        name = f"{named[1]}/{named[2]}"
    else:
        return None
    return Word(refused=(name,), reason=text)


_NUMBER = re.compile(rb'"message_id"\s*:\s*(\d{1,15})\b')
_HEAD_BYTES = 300
"""Where a frame's number and channel stand: before its contents."""


def frame_number(frame: bytes) -> int | None:
    """Return the number of a frame of the markets' channel, None for others: see the traps in ``dydx.py``.

    >>> frame_number(b'{"type":"channel_data","message_id":7,"channel":"v4_markets","contents":{}}')
    7
    """
    head = frame[:_HEAD_BYTES]
    if b'"v4_markets"' not in head:
        return None
    found = _NUMBER.search(head)
    return None if found is None else int(found[1])
