"""Bybit v5: a ticker into events. The websocket topic and the REST answer write the same fields.

A ticker that is as it should be is checked by the decoder while it reads; any other takes the careful way, in which
every bad value is rejected by itself.
"""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues.wire import FIRST_MS, LAST_MS, Milliseconds, Price, Quantity, Rate, number, scalar

NAME = "bybit"


class Ticker(msgspec.Struct, gc=False):
    """What is wanted of a ticker, checked by the decoder while it is read."""

    symbol: str
    markPrice: Price | None = None  # noqa: N815 - the venue's spelling
    indexPrice: Price | None = None  # noqa: N815
    lastPrice: Price | None = None  # noqa: N815
    fundingRate: Rate | None = None  # noqa: N815
    nextFundingTime: Milliseconds | None = None  # noqa: N815
    openInterest: Quantity | None = None  # noqa: N815
    singleOpenInterest: Quantity | None = None  # noqa: N815
    bid1Price: Price | None = None  # noqa: N815
    bid1Size: Quantity | None = None  # noqa: N815
    ask1Price: Price | None = None  # noqa: N815
    ask1Size: Quantity | None = None  # noqa: N815


JUST_BELOW_ZERO = -1e-300

_BOUNDS: dict[str, tuple[float, float, str, str]] = {
    "markPrice": (0.0, LIMIT, "mark_price", "bad_price"),
    "indexPrice": (0.0, LIMIT, "index_price", "bad_price"),
    "lastPrice": (0.0, LIMIT, "last_price", "bad_price"),
    "fundingRate": (-1.0, 1.0, "funding_rate", "bad_rate"),
    "nextFundingTime": (FIRST_MS - 1, LAST_MS, "funding_rate", "bad_time"),
    "openInterest": (JUST_BELOW_ZERO, LIMIT, "open_interest", "bad_quantity"),
    "singleOpenInterest": (JUST_BELOW_ZERO, LIMIT, "open_interest", "bad_quantity"),
    "bid1Price": (0.0, LIMIT, "best_quote", "bad_price"),
    "bid1Size": (JUST_BELOW_ZERO, LIMIT, "best_quote", "bad_quantity"),
    "ask1Price": (0.0, LIMIT, "best_quote", "bad_price"),
    "ask1Size": (JUST_BELOW_ZERO, LIMIT, "best_quote", "bad_quantity"),
}
"""Field -> exclusive bounds, and the channel and reason of a value outside of them."""


def on_ticker(row: Ticker, time: float, out: list[Event]) -> None:
    """Append the facts of a ticker. A pair of values of which a delta carries one alone gives nothing."""
    symbol = row.symbol
    if row.markPrice is not None:
        out.append(ev.MarkPrice(NAME, symbol, row.markPrice, time))
    if row.indexPrice is not None:
        out.append(ev.IndexPrice(NAME, symbol, row.indexPrice, time))
    if row.lastPrice is not None:
        out.append(ev.LastPrice(NAME, symbol, row.lastPrice, time))
    bid, bids, ask, asks = row.bid1Price, row.bid1Size, row.ask1Price, row.ask1Size
    if bid is not None and bids is not None and ask is not None and asks is not None:
        out.append(ev.BestQuote(NAME, symbol, bid, bids, ask, asks, time))
    if row.fundingRate is not None and row.nextFundingTime is not None:
        out.append(ev.FundingRate(NAME, symbol, row.fundingRate, row.nextFundingTime / 1000, time))
    if row.singleOpenInterest is not None:
        out.append(ev.OpenInterest(NAME, symbol, row.singleOpenInterest, time))
    elif row.openInterest is not None:
        out.append(ev.OpenInterest(NAME, symbol, row.openInterest / 2.0, time))


def on_ticker_carefully(row: object, time: float, out: list[Event]) -> None:
    """Append the facts of a ticker that is not plain: empty values are absent, bad ones are rejected one by one."""
    if not isinstance(row, dict):
        raise WireError("a ticker must be an object", reason="not_an_object")
    symbol = name_in(row, "symbol")
    clean: dict[str, Any] = {}
    for name, (low, high, channel, reason) in _BOUNDS.items():
        raw = scalar(row.get(name))
        if raw is None or raw == "" or (name == "nextFundingTime" and raw == "0"):
            continue
        value = number(raw, low, high)
        if value is None:
            out.append(ev.Rejected(NAME, channel, reason, symbol))
        else:
            clean[name] = value
    on_ticker(Ticker(symbol, **clean), time, out)


def name_in(row: dict[str, Any], key: str) -> str:
    """Return the text under *key*; raises ``WireError`` where there is none."""
    found = row.get(key)
    if not isinstance(found, str) or not found:
        raise WireError(f"field {key} has no usable value", reason=f"bad_{key}")
    return found
