"""Kraken Futures: a ticker into events, with the values that it shares with the other messages.

A ticker that is as it should be is checked by the decoder while it reads; any other takes the careful way, in which
every bad value is rejected by itself. REST tickers go that way as well.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.numbers import LIMIT
from monitor.venues.wire import FIRST_MS, LAST_MS, Milliseconds, Price, Quantity, Rate, Raw, number, scalar

NAME = "kraken-futures"

Product = Annotated[str, msgspec.Meta(min_length=1)]


class Ticker(msgspec.Struct, gc=False, tag_field="feed", tag="ticker"):
    """What is wanted of a ticker."""

    product_id: Product
    time: Milliseconds
    markPrice: Price | None = None  # noqa: N815 - the venue's spelling
    index: Price | None = None
    last: Price | None = None
    bid: Price | None = None
    bid_size: Quantity | None = None
    ask: Price | None = None
    ask_size: Quantity | None = None
    relative_funding_rate: Rate | None = None
    next_funding_rate_time: Milliseconds | None = None
    openInterest: Quantity | None = None  # noqa: N815
    suspended: bool | None = None
    post_only: bool | None = None


def _nothing_at_zero(value: Raw) -> Raw:
    """Return None for a 0, which stands where there is no such price or time yet."""
    return None if number(value, -1e-300, 1e-300) is not None else value


_ZERO_IS_NONE = {"last", "bid", "ask", "next_funding_rate_time"}

_BOUNDS: dict[str, tuple[float, float, str, str]] = {
    "markPrice": (0.0, LIMIT, "mark_price", "bad_price"),
    "index": (0.0, LIMIT, "index_price", "bad_price"),
    "last": (0.0, LIMIT, "last_price", "bad_price"),
    "bid": (0.0, LIMIT, "best_quote", "bad_price"),
    "bid_size": (-1e-300, LIMIT, "best_quote", "bad_quantity"),
    "ask": (0.0, LIMIT, "best_quote", "bad_price"),
    "ask_size": (-1e-300, LIMIT, "best_quote", "bad_quantity"),
    "relative_funding_rate": (-1.0, 1.0, "funding_rate", "bad_rate"),
    "next_funding_rate_time": (FIRST_MS - 1, LAST_MS, "funding_rate", "bad_time"),
    "openInterest": (-1e-300, LIMIT, "open_interest", "bad_quantity"),
}
"""Field -> exclusive bounds, and the channel and reason of a value outside of them."""


def on_ticker(row: Ticker, time: float, out: list[Event]) -> None:
    """Append what a ticker says; a quote of one side, or a rate without its time, says nothing."""
    symbol = row.product_id
    if row.markPrice is not None:
        out.append(ev.MarkPrice(NAME, symbol, row.markPrice, time))
    if row.index is not None:
        out.append(ev.IndexPrice(NAME, symbol, row.index, time))
    if row.last is not None:
        out.append(ev.LastPrice(NAME, symbol, row.last, time))
    bid, bids, ask, asks = row.bid, row.bid_size, row.ask, row.ask_size
    if bid is not None and bids is not None and ask is not None and asks is not None:
        out.append(ev.BestQuote(NAME, symbol, bid, bids, ask, asks, time))
    if row.relative_funding_rate is not None and row.next_funding_rate_time is not None:
        out.append(ev.FundingRate(NAME, symbol, row.relative_funding_rate, row.next_funding_rate_time / 1000, time))
    if row.openInterest is not None:
        out.append(ev.OpenInterest(NAME, symbol, row.openInterest, time))
    if row.suspended is not None:
        word = "suspended" if row.suspended else "post_only" if row.post_only else "tradeable"
        out.append(ev.ContractStatus(NAME, symbol, word, not row.suspended, time))


def on_ticker_carefully(message: dict[str, Any], symbol: str, time: float, out: list[Event]) -> None:
    """Append the facts of a ticker whose values may be anything: bad ones are rejected one by one."""
    clean: dict[str, Any] = {}
    for name, (low, high, channel, reason) in _BOUNDS.items():
        raw = scalar(message.get(name))
        if name in _ZERO_IS_NONE:
            raw = _nothing_at_zero(raw)
        if raw is None or raw == "":
            continue
        value = number(raw, low, high)
        if value is None:
            out.append(ev.Rejected(NAME, channel, reason, symbol))
        else:
            clean[name] = value
    for name in ("suspended", "post_only"):
        said = message.get(name)
        if isinstance(said, bool):
            clean[name] = said
        elif said is not None:
            out.append(ev.Rejected(NAME, "ticker", "bad_value", symbol))
    on_ticker(Ticker(symbol, FIRST_MS, **clean), time, out)
