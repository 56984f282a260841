"""The payloads of a simulated Kraken Futures, as plain objects ready for JSON.

Shapes and field meanings: the venue's own documentation, as read on 2026-11-22. Traps kept on purpose: the funding rate
is absolute, and its fraction stands only in the websocket's ticker; times are ms there and ISO texts in REST; a last
price of 0 is none; levels are in contracts for inverse contracts and in USD for linear ones.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from monitor.sim.book import Row
from monitor.sim.market import NEVER_DELIVERED, Instrument

Payload = dict[str, Any]

SUSPENDED, POST_ONLY = "SUSPENDED", "POST_ONLY"
"""Statuses of scenarios; TRADING is the normal one and any unknown one counts as suspended."""

COEFFICIENT, CAP = 24, 0.0025
"""Divisor of the premium, and the largest relative rate per hour."""


def ms(seconds: float) -> int:
    """Epoch milliseconds."""
    return int(seconds * 1000)


def iso(seconds: float) -> str:
    """Epoch seconds as REST writes them."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def inverse(found: Instrument) -> bool:
    """Whether contracts are of 1 USD and margin is in coin."""
    return found.listing.product == "CM"


def suspended(found: Instrument) -> bool:
    """Whether trading stands still while the mark goes on."""
    return found.status not in {"TRADING", POST_ONLY}


def venue_coin(coin: str) -> str:
    """Return a coin as symbols spell it."""
    return {"BTC": "XBT", "DOGE": "XDG"}.get(coin, coin)


def pair(found: Instrument) -> str:
    """Return the pair as tickers write it: ``XBT:USD``."""
    return f"{venue_coin(found.listing.base)}:{found.listing.quote}"


def tag(found: Instrument) -> str:
    """Return the venue's word for how long a contract lives."""
    return "quarter" if found.dated else "perpetual"


def funding(found: Instrument) -> tuple[float, float]:
    """Return the absolute rate (coins a USD, or USD a coin) and the fraction, both per hour."""
    relative, index = found.funding_rate, found.index_price
    return (relative / index if inverse(found) else relative * index), relative


def ticker(found: Instrument, bids: Sequence[Row], asks: Sequence[Row], wall: float) -> Payload:
    """One ``ticker`` with all its fields."""
    bid, ask = (bids or [(0.0, 0.0)])[0], (asks or [(0.0, 0.0)])[0]
    row: Payload = {"time": ms(wall), "feed": "ticker", "product_id": found.symbol}
    if not found.dated:
        absolute, relative = funding(found)
        row |= {
            "funding_rate": absolute,
            "funding_rate_prediction": absolute,
            "relative_funding_rate": relative,
            "relative_funding_rate_prediction": relative,
            "next_funding_rate_time": ms(wall - wall % 3600.0 + 3600.0),
        }
    matures = found.delivery_time < NEVER_DELIVERED
    return row | {
        "bid": bid[0],
        "ask": ask[0],
        "bid_size": bid[1],
        "ask_size": ask[1],
        "index": round(found.index_price, 8),
        "markPrice": round(found.mark_price, 11),
        "last": round(found.last_price, 8) if found.trades else 0.0,
        "openInterest": found.open_interest,
        "premium": round((found.mark_price / found.index_price - 1.0) * 100.0, 1),
        "leverage": f"{0.5 / found.tiers[0].maintenance_rate:.0f}x",
        "dtm": int((found.delivery_time - wall) // 86_400) if matures else 0,
        "maturityTime": ms(found.delivery_time) if matures else 0,
        "suspended": suspended(found),
        "post_only": found.status == POST_ONLY,
        "tag": tag(found),
        "pair": pair(found),
        "volume": round(found.volume, 9),
        "volumeQuote": round(found.volume * (1.0 if inverse(found) else found.last_price), 9),
    }


HEAD = ("time", "feed", "product_id")


def sparse(before: Payload, after: Payload) -> Payload:
    """Return a ticker without what did not change; without anything but its head if nothing did."""
    return {name: value for name, value in after.items() if name in HEAD or before.get(name) != value}


def trade(found: Instrument, kind: str, side: str, contracts: float, price: float, number: int, wall: float) -> Payload:
    """One ``trade``; *side* is the taker's, which in a forced one is the side of the liquidation order."""
    return {
        "feed": "trade",
        "product_id": found.symbol,
        "uid": str(uuid.uuid4()),
        "side": side,
        "type": kind,
        "seq": number,
        "time": ms(wall),
        "qty": round(contracts, 9),
        "price": round(price, 8),
    }


def whole_book(symbol: str, bids: Sequence[Row], asks: Sequence[Row], number: int, wall: float) -> Payload:
    """One ``book_snapshot``."""
    sides = {
        name: [{"price": price, "qty": contracts} for price, contracts in rows]
        for name, rows in (("bids", bids), ("asks", asks))
    }
    head = {"feed": "book_snapshot", "product_id": symbol, "timestamp": ms(wall), "seq": number, "tickSize": None}
    return head | sides


def book_level(symbol: str, side: str, row: Row, number: int, wall: float) -> Payload:
    """One ``book``: a level, with nothing left at it where ``qty`` is 0."""
    price, contracts = row
    return {
        "feed": "book",
        "product_id": symbol,
        "side": side,
        "seq": number,
        "price": price,
        "qty": contracts,
        "timestamp": ms(wall),
    }


# --- REST --------------------------------------------------------------------------------------------------


def rest_ticker(found: Instrument, bids: Sequence[Row], asks: Sequence[Row], wall: float) -> Payload:
    """One row of ``/tickers``."""
    row: Payload = {
        "tag": tag(found),
        "pair": pair(found),
        "symbol": found.symbol,
        "markPrice": round(found.mark_price, 11),
        "indexPrice": round(found.index_price, 8),
        "bid": bids[0][0] if bids else None,
        "ask": asks[0][0] if asks else None,
        "openInterest": found.open_interest,
        "vol24h": round(found.volume, 9),
        "suspended": suspended(found),
        "postOnly": found.status == POST_ONLY,
    }
    if found.trades:
        row |= {"last": round(found.last_price, 8), "lastTime": iso(wall)}
    if not found.dated:
        absolute, _ = funding(found)
        row |= {"fundingRate": absolute, "fundingRatePrediction": absolute}
    return row


def index_rows(found: Instrument, wall: float) -> list[Payload]:
    """The rows of ``/tickers`` that are no contract: index and reference rate."""
    name = f"{venue_coin(found.listing.base)}{found.listing.quote}".lower()
    last = {"last": round(found.index_price, 8), "lastTime": iso(wall)}
    return [{"symbol": f"in_{name}"} | last, {"symbol": f"rr_{name}"} | last]


def instrument(found: Instrument) -> Payload:
    """One row of ``/instruments``."""
    listing, turned = found.listing, inverse(found)
    floor = "contracts" if turned else "numNonContractUnits"
    coin = venue_coin(listing.base)
    row: Payload = {
        "symbol": found.symbol,
        "type": "futures_inverse" if turned else "flexible_futures",
        "underlying": f"rr_{coin}{listing.quote}".lower() if turned else None,
        "tickSize": listing.tick_size,
        "contractSize": listing.contract_size,
        "tradeable": found.speaks and not suspended(found),
        "maxPositionSize": 75_000_000 if turned else 16_000,
        "marginLevels": [
            {
                floor: tier.floor,
                "initialMargin": 2.0 * tier.maintenance_rate,
                "maintenanceMargin": tier.maintenance_rate,
            }
            for tier in found.tiers
        ],
        "retailMarginLevels": [{floor: 0, "initialMargin": 0.5, "maintenanceMargin": 0.25}],
        "postOnly": found.status == POST_ONLY,
        "mtf": True,
        "base": listing.base,
        "quote": listing.quote,
        "pair": f"{listing.base}:{listing.quote}",
    }
    if not turned:
        row["contractValueTradePrecision"] = 4
    if not found.dated:
        row |= {"fundingRateCoefficient": COEFFICIENT, "maxRelativeFundingRate": CAP}
    if found.delivery_time < NEVER_DELIVERED:
        row["lastTradingTime"] = iso(found.delivery_time)
    return row


def volatility(symbol: str, *, extreme: bool) -> Payload:
    """One row of ``/instruments/status``: it raises initial margin, nothing else."""
    return {
        "tradeable": symbol,
        "experiencingDislocation": False,
        "priceDislocationDirection": None,
        "experiencingExtremeVolatility": extreme,
        "extremeVolatilityInitialMarginMultiplier": 2 if extreme else 1,
    }
