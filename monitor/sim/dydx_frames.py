"""The payloads of a simulated dYdX indexer, as plain objects ready for JSON.

Shapes and field meanings: the venue's documentation and the sources of its indexer, as read on 2026-11-22. Traps kept
on purpose: numbers are decimal strings of any length, whole books are rows of objects and changes rows of two, market
rows say no time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from monitor.numbers import shortest
from monitor.sim.book import Row
from monitor.sim.market import Instrument, OrderSide

Payload = dict[str, Any]

INITIAL_SHARE = 0.6
"""The maintenance fraction as a share of the initial one."""

STATUSES = {
    "TRADING": "ACTIVE",
    "PENDING_TRADING": "INITIALIZING",
    "SETTLING": "FINAL_SETTLEMENT",
    "DELIVERED": "FINAL_SETTLEMENT",
    "CLOSE": "FINAL_SETTLEMENT",
}
"""A scenario's status in the venue's words; the venue's own words stay."""


def decimal(value: float) -> str:
    """Return a number as the venue writes it: a decimal without an exponent, ten places at most.

    >>> decimal(0.1 + 0.2), decimal(55010.0)
    ('0.3', '55010')
    """
    return shortest(round(value, 10))


def iso(wall: float) -> str:
    """Return an ISO time with milliseconds.

    >>> iso(1795168862.301)
    '2026-11-20T10:01:02.301Z'
    """
    whole, ms = divmod(int(wall * 1000), 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{ms:03d}Z"


def status(instrument: Instrument) -> str:
    """Return a contract's status in the venue's word."""
    return STATUSES.get(instrument.status, instrument.status)


def fractions(instrument: Instrument) -> Payload:
    """The margin fractions: one row of a ladder is all there is."""
    maintenance = instrument.tiers[0].maintenance_rate
    return {
        "initialMarginFraction": decimal(min(1.0, maintenance / INITIAL_SHARE)),
        "maintenanceMarginFraction": decimal(maintenance),
    }


def activity(instrument: Instrument) -> Payload:
    """The fields of a market that trading changes."""
    last, first = instrument.last_price, instrument.open_price or instrument.last_price
    return {
        "priceChange24H": decimal(last - first),
        "volume24H": decimal(instrument.volume * last),
        "trades24H": instrument.trades,
        "nextFundingRate": decimal(instrument.funding_rate),
        "openInterest": decimal(instrument.open_interest),
    }


def market(instrument: Instrument, number: int, oracle_price: float) -> Payload:
    """A whole market row, as the first frame of ``v4_markets`` and REST have it."""
    listing = instrument.listing
    return {
        "clobPairId": str(number),
        "ticker": instrument.symbol,
        "status": status(instrument),
        "oraclePrice": decimal(oracle_price),
        **activity(instrument),
        **fractions(instrument),
        "atomicResolution": -10,
        "quantumConversionExponent": -9,
        "tickSize": decimal(listing.tick_size),
        "stepSize": decimal(listing.step_size),
        "stepBaseQuantums": 1_000_000,
        "subticksPerTick": 100_000,
        "marketType": "CROSS",
        "openInterestLowerCap": "0",
        "openInterestUpperCap": "0",
        "baseOpenInterest": decimal(instrument.open_interest),
        "defaultFundingRate1H": "0",
    }


def oracle_update(number: int, price: float, wall: float, height: int) -> Payload:
    """One row of ``oraclePrices``."""
    return {
        "oraclePrice": decimal(price),
        "effectiveAt": iso(wall),
        "effectiveAtHeight": str(height),
        "marketId": number,
    }


def trade(
    instrument: Instrument, price: float, contracts: float, order_side: OrderSide, kind: str, wall: float, height: int
) -> Payload:
    """One trade; ``side`` is the taker's."""
    return {
        "id": f"{height:08x}00000002{instrument.trades:08x}",
        "side": order_side.upper(),
        "size": decimal(contracts),
        "price": decimal(price),
        "type": kind,
        "createdAt": iso(wall),
        "createdAtHeight": str(height),
    }


def whole_side(rows: Sequence[Row]) -> list[Payload]:
    """One side of a whole book."""
    return [{"price": decimal(price), "size": decimal(size)} for price, size in rows]


def changed_side(rows: Sequence[Row]) -> list[list[str]]:
    """One side of a change: absolute sizes, "0" for a level that is gone."""
    return [[decimal(price), decimal(size)] for price, size in rows]


def errors(message: str, **more: str) -> Payload:
    """The body of a REST error."""
    return {"errors": [{"msg": message, **more}]}
