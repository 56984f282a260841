"""Bybit v5: the public REST resources, polled.

Traps: an error comes with HTTP status 200 and a ``retCode``; a list of contracts holds those that trade, others are
asked for by their status, and it has pages; ``deliveryTime`` "0" is none, and on a perpetual it is the end of trading;
``fundingInterval`` is in minutes and 0 on dated contracts; tiers are fractions, in the documentation's samples percent;
the whole answer about insurance pools has one time, shared pools are a day old.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Literal, TypeVar

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.venues.base import Poll
from monitor.venues.bybit_ticker import NAME, Ticker, on_ticker, on_ticker_carefully
from monitor.venues.bybit_wire import on_pool
from monitor.venues.wire import (
    FIRST_MS,
    LAST_MS,
    Milliseconds,
    Price,
    Quantity,
    common_coin,
    number,
    parsed,
    read,
    rows,
)

CONFIRM_SECONDS = 5.0
"""How often all prices are read: a price that stands still comes on no stream."""

TERMS_SECONDS = 3600.0
DAY_MINUTES = 1440
NOT_TRADING = ("PreLaunch", "Delivering")
"""Statuses whose contracts the ordinary list leaves out."""

_INVERSE = re.compile(r"[A-Z0-9]+USD(?:[FGHJKMNQUVXZ]\d{2})?", re.ASCII)

T = TypeVar("T")


def category(symbol: str) -> str:
    """Return the venue's category of *symbol*, by which its sockets and its REST calls are divided.

    >>> category("BTCUSDT"), category("BTCPERP"), category("BTC-25DEC26"), category("BTCUSD"), category("BTCUSDZ26")
    ('linear', 'linear', 'linear', 'inverse', 'inverse')
    """
    return "inverse" if _INVERSE.fullmatch(symbol) else "linear"


class _Envelope(msgspec.Struct):
    retCode: int  # noqa: N815 - the venue's spelling
    time: Milliseconds
    retMsg: str = ""  # noqa: N815
    result: msgspec.Raw = msgspec.Raw(b"{}")


class _Clock(msgspec.Struct):
    timeSecond: str  # noqa: N815


class _List(msgspec.Struct):
    rows: list[msgspec.Raw] = msgspec.field(name="list")
    nextPageCursor: str = ""  # noqa: N815


class _Pools(msgspec.Struct):
    updatedTime: str  # noqa: N815
    rows: list[msgspec.Raw] = msgspec.field(name="list")


class _Named(msgspec.Struct):
    symbol: str


class _PriceFilter(msgspec.Struct):
    tickSize: Price  # noqa: N815


class _Instrument(msgspec.Struct):
    symbol: str
    contractType: Literal["LinearPerpetual", "LinearFutures", "InversePerpetual", "InverseFutures"]  # noqa: N815
    status: str
    baseCoin: str  # noqa: N815
    quoteCoin: str  # noqa: N815
    settleCoin: str  # noqa: N815
    priceFilter: _PriceFilter  # noqa: N815
    deliveryTime: int = 0  # noqa: N815
    fundingInterval: int = 0  # noqa: N815
    upperFundingRate: str = ""  # noqa: N815
    lowerFundingRate: str = ""  # noqa: N815


class _Tier(msgspec.Struct):
    symbol: str
    riskLimitValue: Price  # noqa: N815
    maintenanceMargin: Price  # noqa: N815
    initialMargin: Price  # noqa: N815
    maxLeverage: Price  # noqa: N815
    mmDeduction: Quantity | Literal[""] = ""  # noqa: N815


def _answer(body: bytes, kind: type[T]) -> tuple[T, float]:
    """Return the result of an answer and the venue's time of it. Raises ``WireError``."""
    envelope = read(body, _Envelope)
    if envelope.retCode != 0:
        raise WireError(f"retCode {envelope.retCode}: {envelope.retMsg[:80]}", reason="refused")
    return read(envelope.result, kind), envelope.time / 1000


def _time(body: bytes, _received: float) -> list[Event]:
    return [ev.VenueTime(NAME, _answer(body, _Clock)[1])]


# --- prices ------------------------------------------------------------------------------------------------


def _tickers(watched: frozenset[str], body: bytes, _received: float) -> list[Event]:
    """Return the facts of watched symbols; their rows have no time but that of the answer."""
    found, time = _answer(body, _List)
    out: list[Event] = []
    for row in found.rows:
        try:
            if read(row, _Named).symbol not in watched:
                continue
        except WireError:
            out.append(ev.Rejected(NAME, "tickers", "bad_row"))
            continue
        try:
            on_ticker(read(row, Ticker), time, out)
        except WireError:
            on_ticker_carefully(parsed(bytes(row)), time, out)
    return out


# --- contracts ---------------------------------------------------------------------------------------------


def _instruments(watched: frozenset[str], trading: bool, body: bytes, received: float) -> list[Event]:  # noqa: FBT001
    """Return the terms of watched contracts; *trading*: it is the list that a normal contract stands in.

    What that list lacks is called unlisted, unless it has another page or a row that cannot be read.
    """
    found, _ = _answer(body, _List)
    out: list[Event] = []
    listed = {row.symbol: row for row in rows(found.rows, _Instrument, NAME, "instruments-info", out)}
    complete = trading and not out and not found.nextPageCursor
    if trading and not listed:
        raise WireError("a venue without contracts", reason="empty")
    if found.nextPageCursor:
        out.append(ev.Rejected(NAME, "instruments-info", "another_page"))
    for symbol in sorted(watched):
        if symbol in listed:
            _terms(listed[symbol], out)
        elif complete:
            out.append(ev.ContractStatus(NAME, symbol, "not listed", watchable=False, event_time=received))
    return out


def _terms(row: _Instrument, out: list[Event]) -> None:
    out.append(
        ev.ContractTerms(
            NAME,
            row.symbol,
            kind="linear" if row.contractType.startswith("Linear") else "inverse",
            contract_size=1.0,
            base=common_coin(row.baseCoin),
            quote=common_coin(row.quoteCoin),
            settle=common_coin(row.settleCoin),
            status=row.status,
            watchable=row.status == "Trading",
            tick_size=row.priceFilter.tickSize,
            delivery_time=row.deliveryTime / 1000 if FIRST_MS <= row.deliveryTime < LAST_MS else None,
        )
    )
    if row.deliveryTime and not FIRST_MS <= row.deliveryTime < LAST_MS:
        out.append(ev.Rejected(NAME, "instruments-info", "bad_time", row.symbol))
    if 0 < row.fundingInterval <= DAY_MINUTES:
        cap, floor = number(row.upperFundingRate, -1.0, 1.0), number(row.lowerFundingRate, -1.0, 1.0)
        out.append(ev.FundingTerms(NAME, row.symbol, row.fundingInterval * 60.0, cap, floor))
    elif row.fundingInterval:
        out.append(ev.Rejected(NAME, "instruments-info", "bad_interval", row.symbol))


def _risk_limit(symbol: str, body: bytes, _received: float) -> list[Event]:
    """Return the ladder of *symbol*, or none at all: one with a hole would be another ladder."""
    found, time = _answer(body, _List)
    out: list[Event] = []
    tiers = [row for row in rows(found.rows, _Tier, NAME, "risk-limit", out) if row.symbol == symbol]
    scales = {_scale(row) for row in tiers}
    if out or not tiers:
        return out
    if found.nextPageCursor or len(scales) > 1 or None in scales:
        return [ev.Rejected(NAME, "risk-limit", "bad_tiers", symbol)]
    tiers.sort(key=lambda row: row.riskLimitValue)
    floors = [0.0, *(row.riskLimitValue for row in tiers[:-1])]
    scale = scales.pop() or 1.0
    ladder = tuple(
        (floor, row.maintenanceMargin * scale, row.mmDeduction or 0.0) for floor, row in zip(floors, tiers, strict=True)
    )
    return [ev.TierTableChanged(NAME, symbol, ladder, time, tuple(row.maxLeverage for row in tiers))]


def _scale(row: _Tier) -> float | None:
    """Return what makes a rate of *row* a fraction: the initial rate is one over the leverage, or that in percent."""
    product = row.initialMargin * row.maxLeverage
    return 1.0 if 0.5 < product < 2.0 else 0.01 if 50.0 < product < 200.0 else None


def _insurance(watched: frozenset[str], body: bytes, _received: float) -> list[Event]:
    found, _ = _answer(body, _Pools)
    out: list[Event] = []
    for row in found.rows:
        pool = parsed(bytes(row))
        if isinstance(pool, dict):
            on_pool(pool, found.updatedTime, watched, out)
        else:
            out.append(ev.Rejected(NAME, "insurance_fund", "not_an_object"))
    return out


def polls(symbols: Sequence[str]) -> list[Poll]:
    """Return what to read about *symbols*; every request counts one."""
    nothing: dict[str, str] = {}
    found = [Poll("time", "/v5/market/time", nothing, 1, 600.0, _time)]
    for name in ("linear", "inverse"):
        watched = frozenset(symbol for symbol in symbols if category(symbol) == name)
        if not watched:
            continue
        path, of = "/v5/market/instruments-info", {"category": name, "limit": "1000"}
        for status in ("Trading", *NOT_TRADING):  # in this order: a later list knows better than "not listed"
            decode = partial(_instruments, watched, status == "Trading")
            found.append(Poll(f"{name} {status}", path, {**of, "status": status}, 1, TERMS_SECONDS, decode, terms=True))
        prices = partial(_tickers, watched)
        found.append(Poll(f"{name} tickers", "/v5/market/tickers", {"category": name}, 1, CONFIRM_SECONDS, prices))
    found += [
        Poll(
            "risk-limit",
            "/v5/market/risk-limit",
            {"category": category(symbol), "symbol": symbol},
            1,
            TERMS_SECONDS,
            partial(_risk_limit, symbol),
        )
        for symbol in symbols
    ]
    pools = partial(_insurance, frozenset(symbols))
    return [*found, Poll("insurance", "/v5/market/insurance", nothing, 1, 600.0, pools, essential=False)]
