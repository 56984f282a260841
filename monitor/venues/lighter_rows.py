"""Lighter: the shapes of its websocket frames. Values are checked while they are read; what they mean is told in
``lighter_wire.py``.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from monitor.venues.wire import Milliseconds, Price, Quantity

Percent = Annotated[float, msgspec.Meta(gt=-100.0, lt=100.0)]


class Stats(msgspec.Struct):
    """One market of ``market_stats``; every field may be missing."""

    symbol: str = ""
    mark_price: Price | None = None
    index_price: Price | None = None
    last_trade_price: Price | None = None
    current_funding_rate: Percent | None = None
    funding_timestamp: Milliseconds | None = None
    open_interest: Quantity | None = None


class Level(msgspec.Struct):
    """One level of a book; size 0 removes it."""

    price: Price
    size: Quantity


class Levels(msgspec.Struct):
    """A book, or what changed in it."""

    bids: list[Level]
    asks: list[Level]
    nonce: int
    begin_nonce: int = 0


class Quotes(msgspec.Struct):
    """The best ask and bid of ``ticker``."""

    a: Level
    b: Level
    s: str = ""


class Kind(msgspec.Struct):
    """A trade, as far as it has to be looked at to see whether it was forced."""

    type: str = ""


class Frame(msgspec.Struct, tag_field="type"):
    """What all data frames have. ``timestamp`` is when the venue sent it."""

    channel: str
    timestamp: Milliseconds | None = None


class StatsFrame(Frame, tag="update/market_stats", kw_only=True):
    """Markets by id: those that moved."""

    market_stats: dict[str, Stats]


class AllStatsFrame(StatsFrame, tag="subscribed/market_stats", kw_only=True):
    """Markets by id: all of them."""


class BookFrame(Frame, tag="update/order_book", kw_only=True):
    """A change of a book."""

    order_book: Levels


class WholeBookFrame(BookFrame, tag="subscribed/order_book", kw_only=True):
    """A whole book."""


class TickerFrame(Frame, tag="update/ticker", kw_only=True):
    """Best quotes."""

    ticker: Quotes


class FirstTickerFrame(TickerFrame, tag="subscribed/ticker", kw_only=True):
    """Best quotes as they are."""


class TradeFrame(Frame, tag="update/trade", kw_only=True):
    """Trades as they happen."""

    trades: list[Kind] | None = None
    liquidation_trades: list[Kind] | None = None


data_frame = msgspec.json.Decoder(
    StatsFrame | AllStatsFrame | BookFrame | WholeBookFrame | TickerFrame | FirstTickerFrame | TradeFrame,
    strict=False,
).decode
"""Reads the common frames; raises ``msgspec.MsgspecError`` for all others."""
