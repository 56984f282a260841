"""The payloads of a simulated Deribit, as plain objects ready for JSON.

Shapes and field meanings: the venue's own documentation, as read on 2026-11-22. Traps kept on purpose: amounts are USD
for inverse contracts and coins for linear ones, under one name; ``contract_size`` of a linear contract is a step and no
unit; a best price of 0 is no quote; a perpetual expires in the year 3000; trades are a list, a ticker is an object.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from monitor.sim.book import Change, Row, SimBook
from monitor.sim.market import NEVER_DELIVERED, Instrument, LiquidationPrint

Payload = dict[str, Any]

YEAR_3000_MS = 32_503_708_800_000
CREATED_MS = 1_534_242_287_000
WORDS = {"TRADING": "open", "CLOSE": "closed", "DELIVERED": "closed", "PENDING_TRADING": "closed"}
"""Statuses of scenarios -> ``state`` of a ticker; any other one is told as ``halted`` unless it is a word of the venue."""

ANNOUNCED = {"open": "started", "closed": "closed", "halted": "deactivated"}
"""``state`` of a ticker -> what ``instrument.state`` says when it begins."""


def ms(seconds: float) -> int:
    """Epoch milliseconds."""
    return int(seconds * 1000)


def answer(result: object, identity: object, wall: float, error: Payload | None = None) -> Payload:
    """One JSON-RPC answer, with the times that the venue adds in microseconds."""
    came = int(wall * 1_000_000)
    said: Payload = {"jsonrpc": "2.0"}
    if identity is not None:
        said["id"] = identity
    said |= {"result": result} if error is None else {"error": error}
    return said | {"usIn": came, "usOut": came + 412, "usDiff": 412, "testnet": False}


def notice(channel: str, data: object) -> Payload:
    """One data frame: no id."""
    return {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}


def heartbeat(kind: str) -> Payload:
    """``heartbeat``, or ``test_request`` which wants a ``public/test``."""
    return {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": kind}}


def inverse(found: Instrument) -> bool:
    """Whether amounts are USD."""
    return found.listing.product == "CM"


def amount(found: Instrument, contracts: float) -> float:
    """The venue's amount of so many contracts: USD, or coins."""
    return round(contracts * found.listing.contract_size, 9)


def state(found: Instrument) -> str:
    """The contract's state in the words of a ticker."""
    return found.status if found.status in ANNOUNCED else WORDS.get(found.status, "halted")


def price_index(found: Instrument) -> str:
    """The name of the index: ``btc_usd``, ``btc_usdc``."""
    return f"{found.listing.base}_{found.listing.quote}".lower()


def ticker(found: Instrument, book: SimBook, wall: float) -> Payload:
    """One ``ticker``; funding is per 8 hours and missing for dated futures."""
    bids, asks = book.snapshot(1)
    best: Payload = {}
    for side, rows in (("bid", bids), ("ask", asks)):
        price, contracts = rows[0] if rows else (0.0, 0.0)
        best |= {f"best_{side}_price": price, f"best_{side}_amount": amount(found, contracts)}
    mark = round(found.mark_price, 8)
    row: Payload = {
        "instrument_name": found.symbol,
        "timestamp": ms(wall),
        "state": state(found),
        "mark_price": mark,
        "index_price": round(found.index_price, 8),
        "last_price": round(found.last_price, 8) if found.trades else None,
        "settlement_price": round(found.listing.mark_price, 8),
        "estimated_delivery_price": round(found.index_price, 8),
        "min_price": round(mark * 0.985, 8),
        "max_price": round(mark * 1.015, 8),
        "open_interest": amount(found, found.open_interest),
        **best,
        "stats": {
            "high": found.high_price or None,
            "low": found.low_price or None,
            "price_change": None,
            "volume": found.volume,
            "volume_usd": round(found.volume * mark, 2),
        },
    }
    if not found.dated:
        row |= {"current_funding": found.funding_rate, "funding_8h": found.funding_rate, "interest_value": 0.0028}
    return row


def trade(found: Instrument, wall: float) -> Payload:
    """One row of ``trades``: an ordinary trade of the smallest size."""
    return _trade(found, wall, found.last_price, found.listing.step_size, "buy" if found.trades % 2 else "sell")


def forced_trade(found: Instrument, liquidation: LiquidationPrint, flag: str, wall: float) -> Payload:
    """One row of ``trades`` with a forced order in it: the taker's (T), the maker's (M) or both (MT).

    ``direction`` is the taker's side, so a maker who had to buy shows as a trade that sold.
    """
    other = {"buy": "sell", "sell": "buy"}[liquidation.order_side]
    direction = other if flag == "M" else liquidation.order_side
    row = _trade(found, wall, liquidation.fill_price, liquidation.contracts, direction)
    return row | {"liquidation": flag}


def _trade(found: Instrument, wall: float, price: float, contracts: float, direction: str) -> Payload:
    sequence = 240_000_000 + found.trades
    return {
        "trade_id": str(312_000_000 + found.trades),
        "trade_seq": sequence,
        "timestamp": ms(wall),
        "instrument_name": found.symbol,
        "price": round(price, 8),
        "mark_price": round(found.mark_price, 8),
        "index_price": round(found.index_price, 8),
        "amount": amount(found, contracts),
        "direction": direction,
        "tick_direction": 0,
    }


def book_snapshot(found: Instrument, book: SimBook, wall: float) -> Payload:
    """The whole book, which begins a chain."""
    bids, asks = book.snapshot()
    return _book(found, wall, book.number) | {
        "type": "snapshot",
        "bids": _levels(found, bids),
        "asks": _levels(found, asks),
    }


def book_change(found: Instrument, change: Change, before: Collection[float], wall: float) -> Payload:
    """One link of the chain; *before* are the prices that the book had."""
    return _book(found, wall, change.number) | {
        "type": "change",
        "prev_change_id": change.previous,
        "bids": _levels(found, change.bids, before),
        "asks": _levels(found, change.asks, before),
    }


def grouped_book(found: Instrument, book: SimBook, depth: int, wall: float) -> Payload:
    """The best levels alone, as ``book.X.none.20.100ms`` and ``public/get_order_book`` have them."""
    bids, asks = book.snapshot(depth)
    return _book(found, wall, book.number) | {
        "bids": [[price, amount(found, contracts)] for price, contracts in bids],
        "asks": [[price, amount(found, contracts)] for price, contracts in asks],
    }


def _book(found: Instrument, wall: float, number: int) -> Payload:
    return {"timestamp": ms(wall), "instrument_name": found.symbol, "change_id": number}


def _levels(found: Instrument, rows: Sequence[Row], before: Collection[float] = ()) -> list[list[object]]:
    return [
        [("change" if price in before else "new"), price, amount(found, contracts)]
        if contracts
        else ["delete", price, 0.0]
        for price, contracts in rows
    ]


def instrument(found: Instrument) -> Payload:
    """One row of ``public/get_instruments``."""
    listing = found.listing
    kind = "reversed" if inverse(found) else "linear"
    endless = found.delivery_time >= NEVER_DELIVERED
    step = listing.contract_size if inverse(found) else listing.step_size
    return {
        "instrument_name": found.symbol,
        "kind": "future",
        "instrument_type": kind,
        "future_type": kind,
        "price_index": price_index(found),
        "base_currency": listing.base,
        "quote_currency": listing.quote,
        "counter_currency": listing.quote,
        "settlement_currency": listing.settle,
        "settlement_period": "month" if found.dated else "perpetual",
        "contract_size": step,
        "min_trade_amount": step,
        "tick_size": listing.tick_size,
        "tick_size_steps": [],
        "max_leverage": 50,
        "max_liquidation_commission": listing.liquidation_fee_rate,
        "maker_commission": 0.0,
        "taker_commission": 0.0005,
        "is_active": state(found) == "open",
        "creation_timestamp": CREATED_MS,
        "expiration_timestamp": YEAR_3000_MS if endless else ms(found.delivery_time),
    }


def instrument_state(found: Instrument, wall: float) -> Payload:
    """What ``instrument.state.future.any`` says of a change."""
    return {"timestamp": ms(wall), "state": ANNOUNCED[state(found)], "instrument_name": found.symbol}


def bankruptcy(funded: float, socialized: float, wall: float) -> Payload:
    """One settlement of type bankruptcy: what the fund paid, and what winners had to."""
    return {
        "type": "bankruptcy",
        "timestamp": ms(wall),
        "session_bankruptcy": round(funded + socialized, 8),
        "session_profit_loss": -round(funded + socialized, 8),
        "funded": round(funded, 8),
        "socialized": round(socialized, 8),
        "session_tax": 0.0,
        "session_tax_rate": 0.0,
    }
