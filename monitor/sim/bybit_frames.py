"""The payloads of a simulated Bybit v5 venue, as plain objects ready for JSON.

Shapes and field meanings: the venue's own documentation, as of July 2026. Traps kept on purpose: nearly all values are
decimal strings, absent ones are ""; ``openInterest`` counts both sides; ``deliveryTime`` is a date in the stream and
milliseconds in REST; ``S`` of a liquidation is the side of the position; ``adlAlert`` has bare numbers in the stream.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import floor, log10
from typing import Any

from monitor.sim.book import Row, SimBook
from monitor.sim.market import DAY, NEVER_DELIVERED, Instrument, LiquidationPrint, Pool

Payload = dict[str, Any]

DEFAULT_FUNDING_HOURS = 8
FUNDING_CAP = 0.005
ADL_TRIGGER, ADL_STOP, ADL_LEAST_BALANCE = -0.3, -0.25, 10_000
ADL_DRAWDOWNS = {"low": -0.0412, "medium": -0.21, "high": -0.31}
STATUSES = {
    "TRADING": "Trading",
    "PENDING_TRADING": "PreLaunch",
    "PRE_DELIVERING": "Delivering",
    "DELIVERING": "Delivering",
    "SETTLING": "Delivering",
    "DELIVERED": "Closed",
    "CLOSE": "Closed",
}
"""A scenario's word for a status -> the venue's; its own words stay as they are."""


def stepped(value: float, step: float, more_places: int = 0) -> str:
    """Return *value* rounded to a multiple of *step*, with as many places as the step has (and some more).

    >>> stepped(90012.37, 0.1), stepped(12.0, 1.0), stepped(54780.876494, 0.1, 1)
    ('90012.4', '12', '54780.88')
    """
    places = max(0, -floor(log10(step))) + more_places
    fine = step / 10**more_places
    return f"{round(value / fine) * fine:.{places}f}"


def price(instrument: Instrument, value: float) -> str:
    """Return a price that can be traded: a multiple of the tick."""
    return stepped(value, instrument.listing.tick_size)


def fair_price(instrument: Instrument, value: float) -> str:
    """Return a mark or index price, which has a place more than the tick."""
    return stepped(value, instrument.listing.tick_size, 1)


def size(instrument: Instrument, value: float) -> str:
    """Return a quantity: coins (linear) or USD (inverse)."""
    return stepped(value, instrument.listing.step_size)


def plain(value: float) -> str:
    """Return a decimal with eight places at most.

    >>> plain(0.00012), plain(700.0)
    ('0.00012', '700')
    """
    return f"{value:.8f}".rstrip("0").rstrip(".")


def ms(seconds: float) -> int:
    """Return epoch milliseconds."""
    return int(seconds * 1000)


def category(instrument: Instrument) -> str:
    """Return the category, which is also the last part of the websocket's address."""
    return "linear" if instrument.listing.product == "UM" else "inverse"


def market_of(instrument: Instrument) -> str:
    """Return what topics about a whole market are called by."""
    return instrument.listing.settle if instrument.listing.product == "UM" else "inverse"


def status(instrument: Instrument) -> str:
    """Return the venue's word for the status."""
    return STATUSES.get(instrument.status, instrument.status)


def speaks(instrument: Instrument) -> bool:
    """Return whether there are data of it to stream."""
    return instrument.speaks and status(instrument) not in ("PreLaunch", "Closed")


def funding_hours(instrument: Instrument) -> int:
    """Return the funding interval in hours, 0 for dated contracts."""
    return 0 if instrument.dated else (instrument.funding_interval_hours or DEFAULT_FUNDING_HOURS)


def best(book: SimBook) -> tuple[Row | None, Row | None]:
    """Return best bid and best ask, None for an empty side."""
    bids, asks = book.snapshot(1)
    return (bids[0] if bids else None), (asks[0] if asks else None)


def ticker(instrument: Instrument, book: SimBook, wall: float, *, rest: bool) -> Payload:
    """One whole ticker; REST writes a delivery time in milliseconds and "0" where there is none."""
    last, first = instrument.last_price, instrument.open_price or instrument.last_price
    single = instrument.open_interest
    value = 1 / instrument.mark_price if category(instrument) == "inverse" else instrument.mark_price
    bid, ask = best(book)
    hours = funding_hours(instrument)
    found: Payload = {
        "symbol": instrument.symbol,
        "price24hPcnt": f"{last / first - 1:.6f}",
        "lastPrice": price(instrument, last),
        "prevPrice24h": price(instrument, first),
        "highPrice24h": price(instrument, max(instrument.high_price, last)),
        "lowPrice24h": price(instrument, min(instrument.low_price or last, last)),
        "prevPrice1h": price(instrument, first),
        "markPrice": fair_price(instrument, instrument.mark_price),
        "indexPrice": fair_price(instrument, instrument.index_price),
        "openInterest": size(instrument, 2 * single),
        "openInterestValue": f"{2 * single * value:.2f}",
        "singleOpenInterest": size(instrument, single),
        "singleOpenInterestValue": f"{single * value:.2f}",
        "turnover24h": f"{instrument.volume * last:.4f}",
        "volume24h": size(instrument, instrument.volume),
        "nextFundingTime": str((int(wall) // (hours * 3600) + 1) * hours * 3_600_000) if hours else "",
        "fundingRate": plain(instrument.funding_rate) if hours else "",
        "bid1Price": price(instrument, bid[0]) if bid else "",
        "bid1Size": size(instrument, bid[1]) if bid else "",
        "ask1Price": price(instrument, ask[0]) if ask else "",
        "ask1Size": size(instrument, ask[1]) if ask else "",
        "preOpenPrice": "",
        "preQty": "",
        "curPreListingPhase": "",
    }
    if hours:
        found |= {"fundingIntervalHour": str(hours), "fundingCap": plain(FUNDING_CAP)}
    else:
        basis = instrument.mark_price - instrument.index_price
        found |= {"basis": f"{basis:.2f}", "basisRate": f"{basis / instrument.index_price:.8f}"}
    if rest:
        found["deliveryTime"] = delivery_ms(instrument)
    elif instrument.dated:
        found["deliveryTime"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(instrument.delivery_time))
    return found


PAIRS = (("bid1Price", "bid1Size"), ("ask1Price", "ask1Size"))
"""Fields of which a delta carries both when one changed."""


def difference(before: Payload, after: Payload) -> Payload:
    """Return what of a ticker changed; {} if nothing did."""
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    for pair in PAIRS:
        if any(name in changed for name in pair):
            changed |= {name: after[name] for name in pair}
    return {"symbol": after["symbol"], **changed} if changed else {}


def delivery_ms(instrument: Instrument) -> str:
    """Return the delivery time as REST writes it; "0" is none."""
    return "0" if instrument.delivery_time == NEVER_DELIVERED else str(ms(instrument.delivery_time))


def levels(instrument: Instrument, rows: Sequence[Row]) -> list[list[str]]:
    """Return rows of the book; a size of "0" takes a level away."""
    return [[price(instrument, at), size(instrument, there) if there else "0"] for at, there in rows]


def book(instrument: Instrument, bids: Sequence[Row], asks: Sequence[Row], number: int) -> Payload:
    """The data of an order book message. ``seq`` grows, but not by one."""
    return {
        "s": instrument.symbol,
        "b": levels(instrument, bids),
        "a": levels(instrument, asks),
        "u": number,
        "seq": 7 * number + 700_000_000,
    }


def liquidation(instrument: Instrument, said: LiquidationPrint, wall: float) -> Payload:
    """One liquidation. ``S`` is the side of the position: an order that sells closes a long, which is ``Buy``."""
    return {
        "T": ms(wall),
        "s": instrument.symbol,
        "S": "Buy" if said.order_side == "sell" else "Sell",
        "v": size(instrument, said.contracts),
        "p": price(instrument, said.fill_price),
    }


def trade(instrument: Instrument, wall: float) -> Payload:
    """One public trade; here ``S`` is the side of the taker."""
    return {
        "T": ms(wall),
        "s": instrument.symbol,
        "S": "Buy" if instrument.trades % 2 else "Sell",
        "v": size(instrument, instrument.listing.step_size),
        "p": price(instrument, instrument.last_price),
        "L": "PlusTick",
        "i": f"00000000-0000-4000-8000-{instrument.trades:012d}",
        "BT": False,
        "RPI": False,
        "seq": 700_000_000 + instrument.trades,
    }


def midnight(wall: float) -> float:
    """Return when the figures of today were made."""
    return wall // DAY * DAY


def pool_rows(pool: Pool, wall: float) -> list[Payload]:
    """The rows of a pool in the stream, one a coin."""
    stamp = str(ms(midnight(wall) if pool.update_time is None else pool.update_time))
    return [
        {"coin": coin, "symbols": ",".join(pool.symbols), "balance": plain(balance), "updateTime": stamp}
        for coin, balance in pool.balances.items()
    ]


def adl_alert(instrument: Instrument, pool: Pool, *, rest: bool) -> Payload:
    """One row about the ADL trigger: numbers in the stream, strings and long names in REST."""
    coin = instrument.listing.settle
    balance = pool.balances.get(coin, 0.0)
    drawdown = ADL_DRAWDOWNS[instrument.adl_risk]
    if rest:
        return {
            "coin": coin,
            "symbol": instrument.symbol,
            "balance": plain(balance),
            "maxBalance": "",
            "insurancePnlRatio": str(ADL_TRIGGER),
            "pnlRatio": str(drawdown),
            "adlTriggerThreshold": str(ADL_LEAST_BALANCE),
            "adlStopRatio": str(ADL_STOP),
        }
    return {
        "c": coin,
        "s": instrument.symbol,
        "b": balance,
        "mb": "",
        "i_pr": ADL_TRIGGER,
        "pr": drawdown,
        "adl_tt": ADL_LEAST_BALANCE,
        "adl_sr": ADL_STOP,
    }
