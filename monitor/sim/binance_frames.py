"""The payloads of a simulated Binance venue of either product, as plain objects ready for JSON.

Shapes and field meanings: the venue's own documentation, as read on 2026-11-22. Traps kept on purpose: letters
change meaning between events (``T``, ``P``, ``i``), delivery rows say ``r: ""`` and ``T: 0``, ``st`` 2 marks a
CM row whose quantities are contracts, and single-contract ``forceOrder`` payloads lack ``ps`` and ``st``.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10
from typing import Any

from monitor.core.contract import Tier
from monitor.sim.market import DAY, Instrument, LiquidationPrint, Pool

Payload = dict[str, Any]

DEFAULT_FUNDING_HOURS = 8
LAST_CAP = 1_000_000_000
ONBOARD_MS = 1_569_398_400_000


def exact(value: float) -> str:
    """Return a decimal with eight places, as mark prices, rates and balances are written.

    >>> exact(54780.876494)
    '54780.87649400'
    """
    return f"{value:.8f}"


def stepped(value: float, step: float) -> str:
    """Return *value* rounded to a multiple of *step*, with as many places as the step has.

    >>> stepped(90012.37, 0.1), stepped(12.0, 1.0)
    ('90012.4', '12')
    """
    places = max(0, -floor(log10(step)))
    return f"{round(value / step) * step:.{places}f}"


def price(instrument: Instrument, value: float) -> str:
    """Return a price that can be traded: a multiple of the tick."""
    return stepped(value, instrument.listing.tick_size)


def contracts(instrument: Instrument, value: float) -> str:
    """Return a quantity in the venue's counting."""
    return stepped(value, instrument.listing.step_size)


def lower(symbol: str) -> str:
    """Return a symbol or pair as stream names spell it: only ASCII letters are lowered."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in symbol)


def ms(seconds: float) -> int:
    """Return epoch milliseconds."""
    return int(seconds * 1000)


def product(instrument: Instrument) -> int:
    """Return the ``st`` flag: 1 UM, 2 CM."""
    return 1 if instrument.listing.product == "UM" else 2


def next_funding_ms(instrument: Instrument, wall: float) -> int:
    """Return the next funding time: the next multiple of the interval, UTC; 0 for delivery contracts."""
    if instrument.dated:
        return 0
    interval = (instrument.funding_interval_hours or DEFAULT_FUNDING_HOURS) * 3600
    return (int(wall) // interval + 1) * interval * 1000


def funding_rate(instrument: Instrument) -> str:
    """Return the running estimate of the rate; an empty text for delivery contracts."""
    return "" if instrument.dated else exact(instrument.funding_rate)


def mark_price_update(instrument: Instrument, wall: float) -> Payload:
    """One ``markPriceUpdate`` row; ``ap`` is UM only."""
    payload: Payload = {
        "e": "markPriceUpdate",
        "E": ms(wall),
        "s": instrument.symbol,
        "p": exact(instrument.mark_price),
    }
    if instrument.listing.product == "UM":
        payload["ap"] = exact(instrument.mark_price)
    return payload | {
        "P": exact(instrument.index_price),
        "i": exact(instrument.index_price),
        "r": funding_rate(instrument),
        "T": next_funding_ms(instrument, wall),
        "st": product(instrument),
    }


def index_price_update(instrument: Instrument, wall: float) -> Payload:
    """The ``indexPriceUpdate`` of a pair, which is CM only; ``i`` is the pair here."""
    pair, index = instrument.listing.pair, exact(instrument.index_price)
    return {"e": "indexPriceUpdate", "E": ms(wall), "i": pair, "p": index, "st": product(instrument)}


def best_quote(instrument: Instrument) -> tuple[float, float]:
    """Return best bid and best ask around the last price, at least one tick apart."""
    half = max(instrument.last_price * instrument.spread_ratio, instrument.listing.tick_size) / 2
    return instrument.last_price - half, instrument.last_price + half


def book_ticker(instrument: Instrument, wall: float) -> Payload:
    """One ``bookTicker``; the sizes differ a little from update to update."""
    instrument.book_updates += 1
    bid, ask = best_quote(instrument)
    size = instrument.listing.step_size * (1000 + instrument.book_updates % 7)
    return {
        "e": "bookTicker",
        "u": 7_788_990_000 + instrument.book_updates,
        "E": ms(wall),
        "T": ms(wall) - 2,
        "s": instrument.symbol,
        "ps": instrument.listing.pair,
        "b": price(instrument, bid),
        "B": contracts(instrument, size),
        "a": price(instrument, ask),
        "A": contracts(instrument, size),
        "st": product(instrument),
    }


def mini_ticker(instrument: Instrument, wall: float) -> Payload:
    """One ``24hrMiniTicker``: ``c`` is the last price."""
    last = instrument.last_price
    return {
        "e": "24hrMiniTicker",
        "E": ms(wall),
        "s": instrument.symbol,
        "c": price(instrument, last),
        "o": price(instrument, instrument.open_price or last),
        "h": price(instrument, max(instrument.high_price, last)),
        "l": price(instrument, min(instrument.low_price or last, last)),
        "v": contracts(instrument, instrument.volume),
        "q": exact(instrument.volume * last),
        "ps": instrument.listing.pair,
        "st": product(instrument),
    }


def ticker(instrument: Instrument, wall: float) -> Payload:
    """One ``24hrTicker``: here ``p`` and ``P`` are changes, and ``c`` is the last price."""
    last, first = instrument.last_price, instrument.open_price or instrument.last_price
    return mini_ticker(instrument, wall) | {
        "e": "24hrTicker",
        "p": price(instrument, last - first),
        "P": f"{(last / first - 1) * 100:.3f}",
        "w": price(instrument, (last + first) / 2),
        "Q": contracts(instrument, instrument.listing.step_size),
        "O": ms(wall - DAY),
        "C": ms(wall),
        "F": 1,
        "L": instrument.trades,
        "n": instrument.trades,
    }


def aggregate_trade(instrument: Instrument, wall: float) -> Payload:
    """One ``aggTrade``; here ``T`` is the trade time and ``p`` the price traded."""
    size = contracts(instrument, instrument.listing.step_size)
    payload: Payload = {
        "e": "aggTrade",
        "E": ms(wall),
        "s": instrument.symbol,
        "a": 310_022_000 + instrument.trades,
        "p": price(instrument, instrument.last_price),
        "q": size,
        "f": instrument.trades,
        "l": instrument.trades,
        "T": ms(wall) - 3,
        "m": instrument.trades % 2 == 0,
        "st": product(instrument),
    }
    return payload | {"nq": size} if instrument.listing.product == "UM" else payload


def force_order(instrument: Instrument, liquidation: LiquidationPrint, wall: float, *, all_market: bool) -> Payload:
    """One ``forceOrder``; ``ps`` stands outside the order for UM and inside it for CM."""
    quantity = contracts(instrument, liquidation.contracts)
    order: Payload = {
        "s": instrument.symbol,
        "S": liquidation.order_side.upper(),
        "o": "LIMIT",
        "f": "IOC",
        "q": quantity,
        "p": price(instrument, liquidation.limit_price),
        "ap": price(instrument, liquidation.fill_price),
        "X": "FILLED",
        "l": contracts(instrument, liquidation.contracts / 4),
        "z": quantity,
        "T": ms(wall) - 6,
    }
    payload: Payload = {"e": "forceOrder", "E": ms(wall), "o": order}
    if all_market:
        payload["st"] = product(instrument)
        (payload if instrument.listing.product == "UM" else order)["ps"] = instrument.listing.pair
    return payload


def brackets(tiers: Sequence[Tier]) -> list[Payload]:
    """The ``bks`` rows of a ladder: every value a JSON number."""
    rows = []
    for number, tier in enumerate(tiers, 1):
        cap = tiers[number].floor if number < len(tiers) else LAST_CAP
        leverage = max(1, int(0.6 / tier.maintenance_rate))
        rows.append(
            {
                "bs": number,
                "bnf": tier.floor,
                "bnc": cap,
                "mmr": tier.maintenance_rate,
                "cf": tier.deduction,
                "mi": 1,
                "ma": leverage,
            }
        )
    return rows


def contract_info(instrument: Instrument, wall: float, *, tiers: bool) -> Payload:
    """One ``contractInfo``; the ladder is in it only when it changed."""
    payload: Payload = {
        "e": "contractInfo",
        "E": ms(wall),
        "s": instrument.symbol,
        "ct": instrument.listing.contract_type,
        "dt": ms(instrument.delivery_time),
        "ot": ONBOARD_MS,
        "cs": instrument.status,
        "st": product(instrument),
    }
    if instrument.listing.product == "CM":
        payload["ps"] = instrument.listing.pair
    return payload | {"bks": brackets(instrument.tiers)} if tiers else payload


def insurance_pool(pool: Pool, wall: float) -> Payload:
    """One pool of ``insuranceBalance``: the daily snapshot, unless the balance was set since."""
    snapshot = wall // DAY * DAY + 2.0
    if snapshot > wall:
        snapshot -= DAY
    stamp = ms(snapshot if pool.update_time is None else pool.update_time)
    return {
        "symbols": list(pool.symbols),
        "assets": [
            {"asset": asset, "marginBalance": exact(balance), "updateTime": stamp}
            for asset, balance in pool.balances.items()
        ],
    }
