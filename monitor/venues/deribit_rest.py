"""Deribit: the public REST resources, polled.

Traps: answers are JSON-RPC, the error beside the ``result``; ``expiration_timestamp`` of a perpetual lies in the year
3000; ``contract_size`` of linear contracts is only the step of their amounts (it was changed on 2026-08-18), while
positions are counted in coins; ``quote_currency`` and ``counter_currency`` differ for options alone. A summary of
books names the moment of the answer (``creation_timestamp``): it confirms a mark that no ticker came for.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues import wire
from monitor.venues.base import Poll
from monitor.venues.deribit_contracts import NAME, Contracts, settled_in
from monitor.venues.wire import LAST_MS, Milliseconds, Price, Raw, common_coin, number, read, seconds

FUNDING_SECONDS = 8 * 3600.0
"""The span that rates are given for; they are charged every millisecond."""

INVERSE_CAPS = {"BTC": 0.005, "ETH": 0.01}
LINEAR_CAP = 0.05
"""Largest rate for 8 hours, either way ("Funding Specifications")."""

KINDS = {"reversed": "inverse", "linear": "linear"}

CURRENCIES = {"BTC", "ETH", "USDC", "USDT", "EURR"}
"""What summaries can be asked for; there are none of all at once."""

CONFIRM_SECONDS = 5.0
"""How often an unchanged mark is confirmed."""


class _Time(msgspec.Struct):
    result: float


class _Instrument(msgspec.Struct):
    instrument_name: str
    base_currency: str
    quote_currency: str
    settlement_currency: str
    contract_size: Price
    instrument_type: str = ""
    future_type: str = ""
    counter_currency: str = ""
    settlement_period: str = ""
    tick_size: str | float | None = None
    max_liquidation_commission: str | float | None = None
    is_active: bool = True
    expiration_timestamp: float | None = None


class _Summary(msgspec.Struct):
    instrument_name: str
    creation_timestamp: Milliseconds
    mark_price: Raw = None


class _Rows(msgspec.Struct):
    result: list[msgspec.Raw]


def _time(body: bytes, _received: float) -> list[Event]:
    return [ev.VenueTime(NAME, seconds(read(body, _Time).result))]


def _instruments(contracts: Contracts, watched: frozenset[str], body: bytes, received: float) -> list[Event]:
    """Give the terms of the watched contracts, and let *contracts* learn what one of each is."""
    out: list[Event] = []
    rows = wire.rows(read(body, _Rows).result, _Instrument, NAME, "instruments", out)
    if not rows:
        raise WireError("a venue without contracts", reason="empty")  # no reason to call every symbol unlisted
    all_read = not out  # a row that cannot be read may be the one that seems to be missing
    listed = {row.instrument_name: row for row in rows if row.instrument_name in watched}
    for symbol in sorted(watched):
        row = listed.get(symbol)
        kind = None if row is None else KINDS.get(row.instrument_type or row.future_type)
        if row is not None and kind is not None:
            size = row.contract_size if kind == "inverse" else 1.0
            contracts.learn(symbol, size)
            _terms(row, kind, size, out)
        elif row is not None:
            out.append(ev.Rejected(NAME, "instruments", "bad_kind", symbol))
        elif all_read:
            out.append(ev.ContractStatus(NAME, symbol, "not listed", watchable=False, event_time=received))
    return out


def _terms(row: _Instrument, kind: str, size: float, out: list[Event]) -> None:
    ends = row.expiration_timestamp
    base = common_coin(row.base_currency)
    out.append(
        ev.ContractTerms(
            NAME,
            row.instrument_name,
            kind=kind,
            contract_size=size,
            base=base,
            quote=common_coin(row.counter_currency or row.quote_currency),
            settle=common_coin(row.settlement_currency),
            status="active" if row.is_active else "inactive",
            watchable=row.is_active,
            tick_size=number(row.tick_size, 0.0, LIMIT),
            liquidation_fee_rate=number(row.max_liquidation_commission, -1e-300, 1.0),
            delivery_time=ends / 1000.0 if ends is not None and 0.0 < ends < LAST_MS else None,
        )
    )
    if row.settlement_period == "perpetual":
        cap = INVERSE_CAPS.get(base) if kind == "inverse" else LINEAR_CAP
        out.append(ev.FundingTerms(NAME, row.instrument_name, FUNDING_SECONDS, cap, None if cap is None else -cap))


def _marks(watched: frozenset[str], body: bytes, _received: float) -> list[Event]:
    """Give the marks of the watched contracts as they are now."""
    out: list[Event] = []
    for row in wire.rows(read(body, _Rows).result, _Summary, NAME, "book_summary", out):
        if row.instrument_name in watched:
            wire.price(ev.MarkPrice, NAME, row.instrument_name, row.mark_price, row.creation_timestamp / 1000, out)
    return out


def polls(contracts: Contracts, symbols: Sequence[str]) -> list[Poll]:
    """Return what to read about *symbols*. A unit of weight is 500 credits, an ordinary call."""
    watched = partial(_instruments, contracts, frozenset(symbols))
    futures = {"currency": "any", "kind": "future"}
    path, marks = "/api/v2/public/get_book_summary_by_currency", partial(_marks, frozenset(symbols))
    confirming = [
        Poll("book_summary", path, futures | {"currency": currency}, 1, CONFIRM_SECONDS, marks, essential=False)
        for currency in sorted(CURRENCIES.intersection(map(settled_in, symbols)))
    ]
    return [
        Poll("time", "/api/v2/public/get_time", {}, 1, 600.0, _time),
        Poll("instruments", "/api/v2/public/get_instruments", futures, 20, 3600.0, watched, terms=True),
        *confirming,
    ]
