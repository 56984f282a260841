"""The payloads of a simulated OKX, as plain objects ready for JSON: REST and websocket rows are the same.

Shapes and field meanings: the venue's own documentation, as read on 2026-11-22. Every value is a text, times are
milliseconds, and what does not apply is an empty text; only the numbers of an order book are JSON integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10
from typing import Any

from monitor.numbers import shortest
from monitor.sim.book import Row
from monitor.sim.market import Instrument, LiquidationPrint, Pool

Payload = dict[str, Any]

DEFAULT_FUNDING_HOURS = 8
ADL_STATES = {"low": "normal", "medium": "warning", "high": "adl"}


def ms(seconds: float) -> str:
    """Return epoch milliseconds, as text.

    >>> ms(1597026383.085)
    '1597026383085'
    """
    return str(round(seconds * 1000))


def stepped(value: float, step: float) -> str:
    """Return *value* rounded to a multiple of *step*, without zeros that say nothing.

    >>> stepped(90012.3712, 0.1), stepped(12.0, 0.01)
    ('90012.4', '12')
    """
    return shortest(float(f"{round(value / step) * step:.{max(0, -floor(log10(step)))}f}"))


def price(instrument: Instrument, value: float) -> str:
    """Return a price that can be traded: a multiple of the tick."""
    return stepped(value, instrument.listing.tick_size)


def contracts(instrument: Instrument, value: float) -> str:
    """Return a number of contracts, of which there may be parts."""
    return stepped(value, instrument.listing.step_size)


def family(instrument: Instrument) -> str:
    """Return the family of a swap: what its ladder and its fund go by."""
    return instrument.symbol.removesuffix("-SWAP")


def index_id(instrument: Instrument) -> str:
    """Return the index that a swap follows: ``BTC-USDT``, ``BTC-USD``."""
    return f"{instrument.listing.base}-{instrument.listing.quote}"


def inverse(instrument: Instrument) -> bool:
    """Return whether a contract is an amount of quote currency."""
    return instrument.listing.product == "CM"


def named(instrument: Instrument) -> Payload:
    """Return the two fields that every row of a contract begins with."""
    return {"instType": "SWAP", "instId": instrument.symbol}


def mark_price(instrument: Instrument, wall: float) -> Payload:
    """One row of ``mark-price``; a mark is no multiple of the tick."""
    return {**named(instrument), "markPx": shortest(round(instrument.mark_price, 8)), "ts": ms(wall)}


def index_ticker(instrument: Instrument, wall: float) -> Payload:
    """One row of ``index-tickers``, named after the index."""
    value = shortest(round(instrument.index_price, 8))
    whole_day = dict.fromkeys(("high24h", "low24h", "open24h", "sodUtc0", "sodUtc8"), value)
    return {"instId": index_id(instrument), "idxPx": value, **whole_day, "ts": ms(wall)}


def ticker(instrument: Instrument, wall: float) -> Payload:
    """One row of ``tickers``: the last trade, the best quotes, the day."""
    last, size = instrument.last_price, instrument.listing.step_size
    half = max(last * instrument.spread_ratio, instrument.listing.tick_size) / 2
    first = instrument.open_price or last
    return {
        **named(instrument),
        "last": price(instrument, last),
        "lastSz": contracts(instrument, size),
        "askPx": price(instrument, last + half),
        "askSz": contracts(instrument, size * (1000 + instrument.trades % 7)),
        "bidPx": price(instrument, last - half),
        "bidSz": contracts(instrument, size * (900 + instrument.trades % 5)),
        "open24h": price(instrument, first),
        "high24h": price(instrument, max(instrument.high_price, last)),
        "low24h": price(instrument, min(instrument.low_price or last, last)),
        "volCcy24h": shortest(coins(instrument, instrument.volume)),
        "vol24h": contracts(instrument, instrument.volume),
        "sodUtc0": price(instrument, first),
        "sodUtc8": price(instrument, first),
        "ts": ms(wall),
    }


def coins(instrument: Instrument, count: float) -> float:
    """Return how many coins *count* contracts are."""
    worth = count * instrument.listing.contract_size
    return round(worth / instrument.mark_price if inverse(instrument) else worth, 8)


def open_interest(instrument: Instrument, wall: float) -> Payload:
    """One row of ``open-interest``: contracts, coins, dollars."""
    held = coins(instrument, instrument.open_interest)
    return {
        **named(instrument),
        "oi": contracts(instrument, instrument.open_interest),
        "oiCcy": shortest(held),
        "oiUsd": shortest(round(held * instrument.mark_price, 8)),
        "ts": ms(wall),
    }


def funding_rate(instrument: Instrument, wall: float) -> Payload:
    """One row of ``funding-rate``: the estimate to be charged at the next settlement, and the one after that."""
    interval = (instrument.funding_interval_hours or DEFAULT_FUNDING_HOURS) * 3600
    following = (int(wall) // interval + 1) * interval
    return {
        **named(instrument),
        "formulaType": "withRate",
        "fundingRate": f"{instrument.funding_rate:.16f}",
        "fundingTime": ms(following),
        "impactValue": "20000.0000000000000000",
        "interestRate": "0.0001000000000000",
        "maxFundingRate": "0.00375",
        "method": "current_period",
        "minFundingRate": "-0.00375",
        "nextFundingRate": "",
        "nextFundingTime": ms(following + interval),
        "premium": "0.0001233824646391",
        "prevFundingTime": ms(following - interval),
        "settFundingRate": f"{instrument.funding_rate:.16f}",
        "settState": "settled",
        "ts": ms(wall),
    }


def liquidation(instrument: Instrument, printed: LiquidationPrint, wall: float, position_side: str) -> Payload:
    """One row of ``liquidation-orders``: *position_side* is ``net`` for accounts in one-way mode."""
    detail = {
        "bkLoss": "0",
        "bkPx": price(instrument, printed.fill_price),
        "ccy": "",
        "posSide": position_side,
        "side": printed.order_side,
        "sz": contracts(instrument, printed.contracts),
        "ts": ms(wall),
    }
    return {
        "details": [detail],
        "instFamily": family(instrument),
        **named(instrument),
        "uly": index_id(instrument),
    }


def adl_warning(instrument: Instrument, pool: Pool | None, wall: float) -> Payload:
    """One row of ``adl-warning``: since June 2026 most of its fields are empty."""
    balance = None if pool is None else pool.balances.get(instrument.listing.settle)
    empty = ("ccy", "maxBal", "maxBalTs", "adlType", "adlBal", "adlRecBal", "decRate", "adlRate", "adlRecRate")
    return {
        "instType": "SWAP",
        "instFamily": family(instrument),
        "state": ADL_STATES[instrument.adl_risk],
        "bal": "" if balance is None else shortest(balance),
        **dict.fromkeys(empty, ""),
        "ts": ms(wall),
    }


def book(bids: Sequence[Row], asks: Sequence[Row], wall: float, previous: int, number: int) -> Payload:
    """One row of ``books``: levels are [price, contracts, "0", orders], and the checksum is none any more."""
    return {
        "asks": [_level(row) for row in asks],
        "bids": [_level(row) for row in bids],
        "ts": ms(wall),
        "checksum": 0,
        "prevSeqId": previous,
        "seqId": number,
    }


def _level(row: Row) -> list[str]:
    return [shortest(row[0]), shortest(row[1]), "0", "3" if row[1] else "0"]
