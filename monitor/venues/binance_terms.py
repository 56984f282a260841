"""Binance futures: what either product says of its contracts by REST: their terms, how often funding is charged.

Traps: the status is ``status`` at USD-M and ``contractStatus`` at COIN-M; ``pricePrecision`` is no tick; a
``deliveryDate`` before 2100 means a delisting has been scheduled; ``fundingInfo`` lists not every contract (absent:
8 hours), and both products'.
"""

from __future__ import annotations

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues import wire
from monitor.venues.binance_product import Product, dated
from monitor.venues.wire import FIRST_MS, LAST_MS, Price, Raw, number, read

DEFAULT_FUNDING_SECONDS = 8 * 3600.0


class _Filter(msgspec.Struct):
    filterType: str  # noqa: N815
    tickSize: Raw = None  # noqa: N815


class _Listed(msgspec.Struct, kw_only=True):
    symbol: str
    contractType: str = ""  # noqa: N815
    baseAsset: str = ""  # noqa: N815
    quoteAsset: str = ""  # noqa: N815
    marginAsset: str = ""  # noqa: N815
    deliveryDate: int = 0  # noqa: N815
    liquidationFee: Raw = None  # noqa: N815
    filters: list[_Filter] = msgspec.field(default_factory=list)


class _Linear(_Listed, kw_only=True):
    status: str

    @property
    def size(self) -> float:
        return 1.0


class _Inverse(_Listed, kw_only=True):
    status: str = msgspec.field(name="contractStatus")
    size: Price = msgspec.field(name="contractSize")


_LISTED: dict[str, type[_Linear | _Inverse]] = {"linear": _Linear, "inverse": _Inverse}


class _ExchangeInfo(msgspec.Struct):
    symbols: list[msgspec.Raw]


class _Funding(msgspec.Struct):
    symbol: str
    fundingIntervalHours: float  # noqa: N815
    adjustedFundingRateCap: Raw = None  # noqa: N815
    adjustedFundingRateFloor: Raw = None  # noqa: N815


_WATCHABLE = {"PERPETUAL", "TRADIFI_PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER", "CURRENT_MONTH", "NEXT_MONTH"}


def exchange_info(product: Product, watched: frozenset[str], body: bytes, received: float) -> list[Event]:
    """Return the terms of the watched contracts; one that a complete list lacks is not listed."""
    out: list[Event] = []
    raws = read(body, _ExchangeInfo).symbols
    rows = wire.rows(raws, _LISTED[product.kind], product.name, "exchangeInfo", out)
    if not rows:
        raise WireError("a venue without contracts", reason="empty")  # no reason to call every symbol unlisted
    all_read = not out  # a row that cannot be read may be the one that seems to be missing
    listed = {row.symbol: row for row in rows if row.symbol in watched}
    for symbol in sorted(watched):
        row = listed.get(symbol)
        if row is not None:
            out.append(_terms(product, row))
        elif all_read:
            out.append(ev.ContractStatus(product.name, symbol, "not listed", watchable=False, event_time=received))
    return out


def _terms(product: Product, row: _Linear | _Inverse) -> ev.ContractTerms:
    ticks = [number(f.tickSize, 0.0, LIMIT) for f in row.filters if f.filterType == "PRICE_FILTER"]
    return ev.ContractTerms(
        product.name,
        row.symbol,
        kind=product.kind,
        contract_size=row.size,
        base=row.baseAsset,
        quote=row.quoteAsset,
        settle=row.marginAsset,
        status=row.status,
        watchable=row.status == "TRADING" and row.contractType in _WATCHABLE,
        tick_size=ticks[0] if ticks else None,
        liquidation_fee_rate=number(row.liquidationFee, -1e-300, 1.0),
        delivery_time=row.deliveryDate / 1000.0 if FIRST_MS <= row.deliveryDate < LAST_MS else None,
    )


def funding_info(product: Product, watched: frozenset[str], body: bytes, _received: float) -> list[Event]:
    """Return interval, cap and floor of the watched contracts; a dated one has no funding."""
    venue = product.name
    out: list[Event] = []
    rows = {row.symbol: row for row in wire.rows(read(body, list[msgspec.Raw]), _Funding, venue, "fundingInfo", out)}
    all_read = not out
    for symbol in sorted(watched):
        row = rows.get(symbol)
        if row is None:
            if all_read and not dated(symbol):
                out.append(ev.FundingTerms(venue, symbol, DEFAULT_FUNDING_SECONDS))
        elif 0.0 < row.fundingIntervalHours <= 24.0:
            cap, floor = (number(r, -1.0, 1.0) for r in (row.adjustedFundingRateCap, row.adjustedFundingRateFloor))
            out.append(ev.FundingTerms(venue, symbol, row.fundingIntervalHours * 3600.0, cap, floor))
        else:
            out.append(ev.Rejected(venue, "fundingInfo", "bad_interval", symbol))
    return out
