"""Binance futures: the public REST resources of either product, polled.

Traps: ``fapi`` answers an object with ``symbol`` and an array without (asked for here), ``dapi`` an array for both;
empty strings are absent values; ``lastFundingRate`` is the running estimate; there is no open-interest call for all
symbols; the insurance balance is a daily snapshot, per pool of symbols; a book of USD-M does not name its symbol.
Terms of contracts: ``binance_terms.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.numbers import LIMIT
from monitor.venues import wire
from monitor.venues.base import Poll
from monitor.venues.binance_product import USD_M, Product
from monitor.venues.binance_rows import Levels
from monitor.venues.binance_terms import exchange_info, funding_info
from monitor.venues.wire import FIRST_MS, LAST_MS, Milliseconds, number, read

OPEN_INTEREST_WEIGHT_PER_MINUTE = 600
"""A quarter of the allowance: one call a symbol, so many symbols are read less often."""

SNAPSHOT_LEVELS, SNAPSHOT_WEIGHT = 500, 10
"""The smallest book on offer that has the levels we keep, and what it costs."""


class _Time(msgspec.Struct):
    serverTime: Milliseconds  # noqa: N815 - the venue's spelling


class _Premium(msgspec.Struct):
    symbol: str
    time: Milliseconds
    markPrice: str = ""  # noqa: N815
    indexPrice: str = ""  # noqa: N815
    lastFundingRate: str = ""  # noqa: N815
    nextFundingTime: Annotated[int, msgspec.Meta(ge=0, lt=LAST_MS)] = 0  # noqa: N815


class _OpenInterest(msgspec.Struct):
    symbol: str
    openInterest: float  # noqa: N815
    time: Milliseconds


class _Asset(msgspec.Struct):
    asset: str
    marginBalance: float  # noqa: N815
    updateTime: Milliseconds  # noqa: N815


class _Pool(msgspec.Struct):
    symbols: list[str]
    assets: list[_Asset]


class _AdlRisk(msgspec.Struct):
    symbol: str
    adlRisk: str  # noqa: N815
    updateTime: Milliseconds  # noqa: N815


class _Snapshot(msgspec.Struct):
    lastUpdateId: int  # noqa: N815
    E: Milliseconds
    bids: Levels
    asks: Levels


_ADL_RISKS = {"low", "medium", "high"}


def _time(product: Product, body: bytes, _received: float) -> list[Event]:
    return [ev.VenueTime(product.name, read(body, _Time).serverTime / 1000.0)]


def _premium_index(product: Product, watched: frozenset[str], body: bytes, _received: float) -> list[Event]:
    venue = product.name
    out: list[Event] = []
    for row in wire.rows(read(body, list[msgspec.Raw]), _Premium, venue, "premiumIndex", out):
        if row.symbol not in watched:
            continue
        time = row.time / 1000.0
        mark, index = number(row.markPrice, 0.0, LIMIT), number(row.indexPrice, 0.0, LIMIT)
        rate = number(row.lastFundingRate, -1.0, 1.0)
        if mark is None:
            out.append(ev.Rejected(venue, "premiumIndex", "bad_price", row.symbol))
        else:
            out.append(ev.MarkPrice(venue, row.symbol, mark, time))
        if index is not None:
            out.append(ev.IndexPrice(venue, row.symbol, index, time))
        if rate is None or row.nextFundingTime == 0:
            continue  # a dated contract has none
        if row.nextFundingTime < FIRST_MS:
            out.append(ev.Rejected(venue, "premiumIndex", "bad_time", row.symbol))
        else:
            out.append(ev.FundingRate(venue, row.symbol, rate, row.nextFundingTime / 1000.0, time))
    return out


def _open_interest(product: Product, body: bytes, _received: float) -> list[Event]:
    row = read(body, _OpenInterest)
    if not 0.0 <= row.openInterest < LIMIT:
        return [ev.Rejected(product.name, "openInterest", "bad_quantity", row.symbol)]
    return [ev.OpenInterest(product.name, row.symbol, row.openInterest, row.time / 1000.0)]


def _insurance(product: Product, watched: frozenset[str], body: bytes, _received: float) -> list[Event]:
    """Name a pool after the first watched symbol that it stands behind: label values come from the configuration."""
    venue = product.name
    out: list[Event] = []
    for pool in wire.rows(read(body, list[msgspec.Raw]), _Pool, venue, "insuranceBalance", out):
        backed = sorted(watched.intersection(pool.symbols))
        for asset in pool.assets if backed else []:
            if not -LIMIT < asset.marginBalance < LIMIT:
                out.append(ev.Rejected(venue, "insuranceBalance", "bad_balance"))
                continue
            time = asset.updateTime / 1000.0
            found = ev.InsuranceFund(venue, backed[0], asset.asset, asset.marginBalance, tuple(pool.symbols), time)
            out.append(found)
    return out


def _adl_risk(product: Product, watched: frozenset[str], body: bytes, _received: float) -> list[Event]:
    out: list[Event] = []
    for row in wire.rows(read(body, list[msgspec.Raw]), _AdlRisk, product.name, "symbolAdlRisk", out):
        if row.symbol not in watched:
            continue
        if row.adlRisk.lower() in _ADL_RISKS:
            out.append(ev.AdlSignal(product.name, row.symbol, row.adlRisk.lower(), row.updateTime / 1000.0))
        else:
            out.append(ev.Rejected(product.name, "symbolAdlRisk", "unknown_state", row.symbol))
    return out


def _whole_book(product: Product, symbol: str, body: bytes, _received: float) -> list[Event]:
    """Return the book of *symbol*, which the answer itself does not name at USD-M."""
    row = read(body, _Snapshot)
    number, time = row.lastUpdateId, row.E / 1000.0
    return [ev.BookChange(product.name, symbol, row.bids, row.asks, time, whole=True, number=number)]


def book_snapshot(product: Product, symbol: str) -> Poll:
    """Return the resource that gives the whole book of *symbol*; it is read when a book is missing, not by the clock."""
    return Poll(
        "depth",
        f"{product.rest_path}/depth",
        {"symbol": symbol, "limit": str(SNAPSHOT_LEVELS)},
        SNAPSHOT_WEIGHT,
        3600.0,
        partial(_whole_book, product, symbol),
        essential=False,
    )


def polls(product: Product, symbols: Sequence[str]) -> list[Poll]:
    """Return what to read about *symbols*, with weights as the venue counts them; both products share one allowance."""
    watched = frozenset(symbols)
    interest_interval = max(30.0, 60.0 * len(symbols) / OPEN_INTEREST_WEIGHT_PER_MINUTE)

    def about_all(
        resource: str,
        weight: int,
        interval_seconds: float,
        decode: Callable[[Product, frozenset[str], bytes, float], list[Event]],
        *,
        essential: bool = True,
    ) -> Poll:
        path = f"{product.rest_path}/{resource}"
        return Poll(resource, path, {}, weight, interval_seconds, partial(decode, product, watched), essential)

    found = [
        Poll("time", f"{product.rest_path}/time", {}, 1, 600.0, partial(_time, product)),
        replace(about_all("exchangeInfo", 1, 3600.0, exchange_info), terms=True),
        about_all("fundingInfo", 1, 600.0, funding_info),
        about_all("premiumIndex", 10, 60.0, _premium_index),
    ]
    if product is USD_M:
        found.append(about_all("insuranceBalance", 1, 600.0, _insurance))
        found.append(about_all("symbolAdlRisk", 1, 600.0, _adl_risk, essential=False))
    path = f"{product.rest_path}/openInterest"
    decode = partial(_open_interest, product)
    return found + [
        Poll("openInterest", path, {"symbol": symbol}, 1, interest_interval, decode, essential=False)
        for symbol in symbols
    ]
