"""Binance USD-M futures: the public REST resources, polled.

Traps: answers are an object with ``symbol`` and an array without (asked for here); empty strings are absent values;
``lastFundingRate`` is the running estimate; ``fundingInfo`` lists not every contract (absent: 8 hours); there is
no open-interest call for all symbols; the insurance balance is a daily snapshot, per pool of symbols;
``pricePrecision`` is no tick; a ``deliveryDate`` before 2100 means a delisting has been scheduled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues import wire
from monitor.venues.base import Poll
from monitor.venues.wire import number, read

NAME = "binance"

DEFAULT_FUNDING_SECONDS = 8 * 3600.0

OPEN_INTEREST_WEIGHT_PER_MINUTE = 600
"""A quarter of the allowance: one call a symbol, so many symbols are read less often."""


class _Time(msgspec.Struct):
    serverTime: int  # noqa: N815 - the venue's spelling


class _Filter(msgspec.Struct):
    filterType: str  # noqa: N815
    tickSize: float | None = None  # noqa: N815


class _Symbol(msgspec.Struct):
    symbol: str
    status: str
    contractType: str = ""  # noqa: N815
    baseAsset: str = ""  # noqa: N815
    quoteAsset: str = ""  # noqa: N815
    marginAsset: str = ""  # noqa: N815
    deliveryDate: int = 0  # noqa: N815
    liquidationFee: float | None = None  # noqa: N815
    filters: list[_Filter] = msgspec.field(default_factory=list)


class _ExchangeInfo(msgspec.Struct):
    symbols: list[msgspec.Raw]


class _Premium(msgspec.Struct):
    symbol: str
    time: int
    markPrice: str = ""  # noqa: N815
    indexPrice: str = ""  # noqa: N815
    lastFundingRate: str = ""  # noqa: N815
    nextFundingTime: int = 0  # noqa: N815


class _Funding(msgspec.Struct):
    symbol: str
    fundingIntervalHours: float  # noqa: N815
    adjustedFundingRateCap: float | None = None  # noqa: N815
    adjustedFundingRateFloor: float | None = None  # noqa: N815


class _OpenInterest(msgspec.Struct):
    symbol: str
    openInterest: float  # noqa: N815
    time: int


class _Asset(msgspec.Struct):
    asset: str
    marginBalance: float  # noqa: N815
    updateTime: int  # noqa: N815


class _Pool(msgspec.Struct):
    symbols: list[str]
    assets: list[_Asset]


_WATCHABLE = {"PERPETUAL", "TRADIFI_PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER", "CURRENT_MONTH", "NEXT_MONTH"}


def _time(body: bytes, _received: float) -> list[Event]:
    return [ev.VenueTime(NAME, read(body, _Time).serverTime / 1000.0)]


def _exchange_info(watched: frozenset[str], body: bytes, received: float) -> list[Event]:
    out: list[Event] = []
    rows = wire.rows(read(body, _ExchangeInfo).symbols, _Symbol, NAME, "exchangeInfo", out)
    if not rows:
        raise WireError("a venue without contracts", reason="empty")  # no reason to call every symbol unlisted
    all_read = not out  # a row that cannot be read may be the one that seems to be missing
    listed = {row.symbol: row for row in rows if row.symbol in watched}
    for symbol in sorted(watched):
        row = listed.get(symbol)
        if row is None:
            if all_read:
                out.append(ev.ContractStatus(NAME, symbol, "not listed", watchable=False, event_time=received))
            continue
        ticks = [f.tickSize for f in row.filters if f.filterType == "PRICE_FILTER" and f.tickSize]
        out.append(
            ev.ContractTerms(
                NAME,
                symbol,
                kind="linear",
                contract_size=1.0,
                base=row.baseAsset,
                quote=row.quoteAsset,
                settle=row.marginAsset,
                status=row.status,
                watchable=row.status == "TRADING" and row.contractType in _WATCHABLE,
                tick_size=ticks[0] if ticks else None,
                liquidation_fee_rate=row.liquidationFee,
                delivery_time=row.deliveryDate / 1000.0 if row.deliveryDate else None,
            )
        )
    return out


def _premium_index(watched: frozenset[str], body: bytes, _received: float) -> list[Event]:
    out: list[Event] = []
    for row in wire.rows(read(body, list[msgspec.Raw]), _Premium, NAME, "premiumIndex", out):
        if row.symbol not in watched:
            continue
        time = row.time / 1000.0
        mark, index = number(row.markPrice, 0.0, LIMIT), number(row.indexPrice, 0.0, LIMIT)
        rate = number(row.lastFundingRate, -1.0, 1.0)
        if mark is None:
            out.append(ev.Rejected(NAME, "premiumIndex", "bad_price", row.symbol))
        else:
            out.append(ev.MarkPrice(NAME, row.symbol, mark, time))
        if index is not None:
            out.append(ev.IndexPrice(NAME, row.symbol, index, time))
        if rate is not None and row.nextFundingTime:
            out.append(ev.FundingRate(NAME, row.symbol, rate, row.nextFundingTime / 1000.0, time))
    return out


def _funding_info(watched: frozenset[str], body: bytes, _received: float) -> list[Event]:
    out: list[Event] = []
    rows = {row.symbol: row for row in wire.rows(read(body, list[msgspec.Raw]), _Funding, NAME, "fundingInfo", out)}
    all_read = not out
    for symbol in sorted(watched):
        row = rows.get(symbol)
        if row is None:
            if all_read:
                out.append(ev.FundingTerms(NAME, symbol, DEFAULT_FUNDING_SECONDS))
        elif 0.0 < row.fundingIntervalHours <= 24.0:
            cap, floor = row.adjustedFundingRateCap, row.adjustedFundingRateFloor
            out.append(ev.FundingTerms(NAME, symbol, row.fundingIntervalHours * 3600.0, cap, floor))
        else:
            out.append(ev.Rejected(NAME, "fundingInfo", "bad_interval", symbol))
    return out


def _open_interest(body: bytes, _received: float) -> list[Event]:
    row = read(body, _OpenInterest)
    if not 0.0 <= row.openInterest < LIMIT:
        return [ev.Rejected(NAME, "openInterest", "bad_quantity", row.symbol)]
    return [ev.OpenInterest(NAME, row.symbol, row.openInterest, row.time / 1000.0)]


def _insurance(watched: frozenset[str], body: bytes, _received: float) -> list[Event]:
    """Name a pool after the first watched symbol that it stands behind: label values come from the configuration."""
    out: list[Event] = []
    for pool in wire.rows(read(body, list[msgspec.Raw]), _Pool, NAME, "insuranceBalance", out):
        backed = sorted(watched.intersection(pool.symbols))
        for asset in pool.assets if backed else []:
            if -LIMIT < asset.marginBalance < LIMIT:
                time = asset.updateTime / 1000.0
                out.append(
                    ev.InsuranceFund(NAME, backed[0], asset.asset, asset.marginBalance, tuple(pool.symbols), time)
                )
    return out


def polls(symbols: Sequence[str]) -> list[Poll]:
    """Return what to read about *symbols*, with weights as the venue counts them."""
    watched = frozenset(symbols)
    interest_interval = max(30.0, 60.0 * len(symbols) / OPEN_INTEREST_WEIGHT_PER_MINUTE)
    everything: dict[str, str] = {}

    def of(decode: Callable[[frozenset[str], bytes, float], list[Event]]) -> Callable[[bytes, float], list[Event]]:
        return partial(decode, watched)

    return [
        Poll("time", "/fapi/v1/time", everything, 1, 600.0, _time),
        Poll("exchangeInfo", "/fapi/v1/exchangeInfo", everything, 1, 3600.0, of(_exchange_info)),
        Poll("fundingInfo", "/fapi/v1/fundingInfo", everything, 1, 600.0, of(_funding_info)),
        Poll("premiumIndex", "/fapi/v1/premiumIndex", everything, 10, 60.0, of(_premium_index)),
        Poll("insuranceBalance", "/fapi/v1/insuranceBalance", everything, 1, 600.0, of(_insurance)),
    ] + [
        Poll(
            "openInterest",
            "/fapi/v1/openInterest",
            {"symbol": symbol},
            1,
            interest_interval,
            _open_interest,
            essential=False,
        )
        for symbol in symbols
    ]
