"""Lighter: websocket frames into events, and words that want an answer. The traps are told in ``lighter.py``.

The common shapes are checked while they are read; whatever that refuses takes the careful way, value by value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues import lighter_rows as rows
from monitor.venues.base import Word
from monitor.venues.lighter_names import DOUBTFUL_SECONDS, NAME, Markets
from monitor.venues.lighter_trades import FORCED, forced_closes
from monitor.venues.wire import Milliseconds, Price, Quantity, next_full_hour, parsed, seconds

Decode = Callable[[bytes, float], list[Event]]


class Builder:
    """Frames to events, for the markets that are watched."""

    def __init__(self, markets: Markets) -> None:
        self.markets = markets
        self.careful: dict[str, Callable[[dict[str, Any], float, list[Event]], None]] = {
            "update/market_stats": self._careful_stats,
            "subscribed/market_stats": self._careful_stats,
            "update/order_book": self._careful_book,
            "subscribed/order_book": self._careful_book,
            "update/ticker": self._careful_quotes,
            "subscribed/ticker": self._careful_quotes,
        }

    def build(self, found: Any, frame: bytes, received: float) -> list[Event]:
        """Build the events of a frame whose values are all as they should be."""
        time = received if found.timestamp is None else found.timestamp / 1000  # trades alone carry none
        out: list[Event] = []
        kind = type(found)
        if kind is rows.StatsFrame or kind is rows.AllStatsFrame:
            time = self._stamp(time, whole=kind is rows.AllStatsFrame, told=bool(found.market_stats))
            for market_id, row in found.market_stats.items():
                self.stats(market_id, row, time, out)
        elif kind is rows.BookFrame or kind is rows.WholeBookFrame:
            self.book(found.channel, found.order_book, time, out, whole=kind is rows.WholeBookFrame)
        elif kind is rows.TradeFrame:
            trades = (*(found.trades or ()), *(found.liquidation_trades or ()))
            if any(trade.type in FORCED for trade in trades):
                return forced_closes(parsed(frame), self.markets, received)
        else:
            self.quotes(found.channel, found.ticker, time, out)
        return out

    def _stamp(self, time: float, *, whole: bool, told: bool) -> float:
        """Return as of when the prices of a frame are, and note that the venue spoke.

        The first frame of a subscription has the time at which it was sent, however old its prices are: while the venue
        stands still every new connection would bring them to life again.
        """
        markets = self.markets
        doubtful = whole and markets.silent(time)
        if told and (markets.spoke is None or not whole):
            markets.spoke = time
        return time - DOUBTFUL_SECONDS if doubtful else time

    def stats(self, market_id: str, row: rows.Stats, time: float, out: list[Event]) -> None:
        """Prices, the running funding rate in percent, open interest in USD."""
        symbol = row.symbol or self.markets.symbol(market_id)
        if not self.markets.watches(symbol):
            return
        self.markets.learn(market_id, symbol)
        if row.mark_price is not None:
            out.append(ev.MarkPrice(NAME, symbol, row.mark_price, time))
        if row.index_price is not None:
            out.append(ev.IndexPrice(NAME, symbol, row.index_price, time))
        if row.last_trade_price is not None:
            out.append(ev.LastPrice(NAME, symbol, row.last_trade_price, time))
        if row.current_funding_rate is not None:
            settled = time if row.funding_timestamp is None else row.funding_timestamp / 1000
            rate = row.current_funding_rate / 100
            out.append(ev.FundingRate(NAME, symbol, rate, next_full_hour(settled), time))
        if row.open_interest is not None and row.mark_price is not None:
            contracts = row.open_interest / row.mark_price
            if contracts < LIMIT:
                out.append(ev.OpenInterest(NAME, symbol, contracts, time))
            else:
                out.append(ev.Rejected(NAME, "open_interest", "bad_quantity", symbol))

    def book(self, channel: str, found: rows.Levels, time: float, out: list[Event], *, whole: bool) -> None:
        """A whole book, or a change that builds on the one whose nonce it begins with."""
        symbol = self.markets.symbol_of_channel(channel)
        if not self.markets.watches(symbol):
            return
        bids = tuple((level.price, level.size) for level in found.bids)
        asks = tuple((level.price, level.size) for level in found.asks)
        previous = None if whole else found.begin_nonce
        out.append(ev.BookChange(NAME, symbol, bids, asks, time, whole=whole, number=found.nonce, previous=previous))

    def quotes(self, channel: str, found: rows.Quotes, time: float, out: list[Event]) -> None:
        """The best quotes."""
        symbol = found.s or self.markets.symbol_of_channel(channel)
        if self.markets.watches(symbol):
            bid, ask = found.b, found.a
            out.append(ev.BestQuote(NAME, symbol, bid.price, bid.size, ask.price, ask.size, time))

    # --- the careful way -----------------------------------------------------------------------------------

    def slowly(self, frame: bytes, received: float) -> list[Event]:
        """Build what can be built of a frame that the quick way refused."""
        message = parsed(frame)
        if not isinstance(message, dict):
            raise WireError("a message must be an object", reason="not_an_object")
        kind, out = message.get("type"), list[Event]()
        if isinstance(message.get("error"), dict):  # it names no request and no channel: nobody can act on it
            return [ev.Rejected(NAME, "control", "venue_error")]
        if kind == "update/trade":
            return forced_closes(message, self.markets, received)
        careful = self.careful.get(kind) if isinstance(kind, str) else None
        if careful is not None:
            careful(message, _time(message.get("timestamp"), received), out)
        return out

    def _careful_stats(self, message: dict[str, Any], time: float, out: list[Event]) -> None:
        """Rows by id, or one row where a single market was asked for; every bad value costs itself alone."""
        found = message.get("market_stats") or {}
        if not isinstance(found, dict):
            raise WireError("markets must be an object", reason="malformed")
        time = self._stamp(time, whole=message["type"] == "subscribed/market_stats", told=bool(found))
        found_rows = {str(found["market_id"]): found} if "market_id" in found else found
        for market_id, row in found_rows.items():
            if not isinstance(row, dict):
                out.append(ev.Rejected(NAME, "market_stats", "bad_row"))
                continue
            symbol = row.get("symbol")
            if not isinstance(symbol, str) or not symbol:
                symbol = self.markets.symbol(market_id)
            if self.markets.watches(symbol):
                self.stats(market_id, _clean(row, symbol, out), time, out)

    def _careful_book(self, message: dict[str, Any], time: float, out: list[Event]) -> None:
        """With a level left out it would be another book: the chain breaks here."""
        channel = str(message.get("channel"))
        try:
            found = msgspec.convert(message.get("order_book"), rows.Levels, strict=False)
        except (msgspec.ValidationError, RecursionError):
            symbol = self.markets.symbol_of_channel(channel)
            if self.markets.watches(symbol):
                out.append(ev.Rejected(NAME, "book_change", "bad_change", symbol))
            return
        self.book(channel, found, time, out, whole=message["type"] == "subscribed/order_book")

    def _careful_quotes(self, message: dict[str, Any], time: float, out: list[Event]) -> None:
        """A side that is empty is no news; one that is nonsense is rejected."""
        found, channel = message.get("ticker") or {}, str(message.get("channel"))
        if not isinstance(found, dict):
            raise WireError("quotes must be an object", reason="malformed")
        symbol = found.get("s")
        symbol = symbol if isinstance(symbol, str) and symbol else self.markets.symbol_of_channel(channel)
        if not self.markets.watches(symbol):
            return
        sides: list[rows.Level] = []
        for raw in (found.get("a"), found.get("b")):
            if raw is None or (isinstance(raw, dict) and raw.get("price") in (None, "")):
                return
            try:
                sides.append(msgspec.convert(raw, rows.Level, strict=False))
            except (msgspec.ValidationError, RecursionError) as error:
                reason = "bad_quantity" if "$.size" in str(error) else "bad_price"
                out.append(ev.Rejected(NAME, "best_quote", reason, symbol))
                return
        self.quotes(channel, rows.Quotes(sides[0], sides[1], symbol), time, out)


FIELDS: dict[str, tuple[Any, str, str]] = {
    "mark_price": (Price, "mark_price", "bad_price"),
    "index_price": (Price, "index_price", "bad_price"),
    "last_trade_price": (Price, "last_price", "bad_price"),
    "current_funding_rate": (rows.Percent, "funding_rate", "bad_rate"),
    "funding_timestamp": (Milliseconds, "funding_rate", "bad_time"),
    "open_interest": (Quantity, "open_interest", "bad_quantity"),
}
"""Field of a market's row -> its type, and what to call it when it is rejected."""


def _clean(row: dict[str, Any], symbol: str, out: list[Event]) -> rows.Stats:
    """Return a row without the values that do not fit, each of which is rejected by itself; "" is absent."""
    clean: dict[str, Any] = {}
    for name, (kind, channel, reason) in FIELDS.items():
        value = row.get(name)
        if value is None or value == "":
            continue
        try:
            clean[name] = msgspec.convert(value, kind, strict=False)
        except (msgspec.ValidationError, RecursionError):
            out.append(ev.Rejected(NAME, channel, reason, symbol))
    return rows.Stats(symbol, **clean)


def _time(stamp: object, received: float) -> float:
    """Return when a frame was sent. Raises ``WireError``."""
    if stamp is None:
        return received
    if not isinstance(stamp, int):
        raise WireError(f"{str(stamp)[:40]!r} is not a time in ms", reason="bad_time")
    return seconds(stamp)


def decoder(markets: Markets) -> Decode:
    """Return the decoder of websocket frames for the watched of *markets*.

    Acknowledgements, backlogs and unknown messages give ``[]``. A bad value costs itself alone and comes out as
    ``Rejected``; a frame that cannot be read at all raises ``WireError``.
    """
    builder = Builder(markets)
    build, slowly = builder.build, builder.slowly

    def decode(frame: bytes, received_time: float = 0.0) -> list[Event]:
        try:
            found = rows.data_frame(frame)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return slowly(frame, received_time)
        return build(found, frame, received_time)

    return decode


def decode(frame: bytes, received_time: float = 0.0) -> list[Event]:
    """Decode a frame without any memory: all markets count, but only what carries a symbol itself has one."""
    return decoder(Markets(None))(frame, received_time)


_kind = msgspec.json.Decoder(rows.Kind).decode


def hear(frame: bytes) -> Word | None:
    """Return the answer to the server's ping, or that it is about to leave.

    >>> hear(b'{"type": "ping"}').answer, hear(b'{"type": "shutdown", "close_in_ms": 30000}').leaving
    ('{"type":"pong"}', True)
    """
    try:
        kind = _kind(frame).type
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    if kind == "ping":
        return Word(answer='{"type":"pong"}')
    return Word(leaving=True, reason=kind) if kind == "shutdown" else None
