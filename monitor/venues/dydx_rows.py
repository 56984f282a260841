"""dYdX v4: rows of markets and trades into events, value by value; streams and REST have the same rows."""

from __future__ import annotations

from typing import Any

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues.wire import iso_seconds, next_full_hour, number, scalar

NAME = "dydx"
MARKETS, TRADES, BOOK = "v4_markets", "v4_trades", "v4_orderbook"

UNDATED_SECONDS = 2.0
"""How old a market row without a time is taken to be: about what a block takes to reach us. With the time of its
arrival it would make the next update, which says when its block was, look older than itself."""

ACTIVE = "ACTIVE"

DELEVERAGED = "DELEVERAGED"
FORCED = ("LIQUIDATED", DELEVERAGED)
"""Types of trades that close a position by force; all others, known or not, are trades."""

_NOT_NEGATIVE = -1e-300


# --- markets: the oracle price, funding, open interest, status, margin fractions ----------------------------


def dated_price(symbol: str, row: object, out: list[Event]) -> None:
    """Append an oracle price that says the time of its block."""
    if not isinstance(row, dict):
        out.append(ev.Rejected(NAME, MARKETS, "bad_row", symbol))
        return
    time = _time(row.get("effectiveAt"), MARKETS, symbol, out)
    if time is not None:
        _oracle_price(symbol, row.get("oraclePrice"), time, out)


def _time(raw: object, channel: str, symbol: str, out: list[Event]) -> float | None:
    """Return the epoch seconds of an ISO time; what is none is rejected."""
    try:
        return iso_seconds(raw if isinstance(raw, str) else "")
    except WireError as error:
        out.append(ev.Rejected(NAME, channel, error.reason, symbol))
        return None


def _oracle_price(symbol: str, raw: object, time: float, out: list[Event]) -> None:
    """Append the oracle price, which is mark and index in one; what is absent is no news."""
    if raw is None or raw == "":
        return
    value = number(scalar(raw), 0.0, LIMIT)
    if value is None:
        out.append(ev.Rejected(NAME, "mark_price", "bad_price", symbol))
    else:
        out += (ev.MarkPrice(NAME, symbol, value, time), ev.IndexPrice(NAME, symbol, value, time))


def market_facts(symbol: str, row: object, received: float, out: list[Event]) -> None:
    """Append what a market row says, as far as it says it: a whole one, or one of those that hold only changes.

    Such rows have no time: it is theirs to have been true a moment before they arrived.
    """
    if not isinstance(row, dict):
        out.append(ev.Rejected(NAME, MARKETS, "bad_row", symbol))
        return
    time = received - UNDATED_SECONDS
    _oracle_price(symbol, row.get("oraclePrice"), time, out)
    rate = _value(row, "nextFundingRate", -1.0, 1.0, ("funding_rate", "bad_rate"), symbol, out)
    if rate is not None:
        out.append(ev.FundingRate(NAME, symbol, rate, next_full_hour(received), time))
    held = _value(row, "openInterest", _NOT_NEGATIVE, LIMIT, ("open_interest", "bad_quantity"), symbol, out)
    if held is not None:
        out.append(ev.OpenInterest(NAME, symbol, held, time))
    status = row.get("status")
    if isinstance(status, str) and status:
        out.append(ev.ContractStatus(NAME, symbol, status, watchable=status == ACTIVE, event_time=time))
    _fractions(symbol, row, time, out)


def _value(
    row: dict[str, Any], field: str, low: float, high: float, wrong: tuple[str, str], symbol: str, out: list[Event]
) -> float | None:
    """Return a number of *row* between the bounds; a wrong one is rejected, an absent one is no news."""
    raw = row.get(field)
    value = number(raw, low, high)
    if value is None and raw is not None and raw != "":
        out.append(ev.Rejected(NAME, *wrong, symbol))
    return value


def _fractions(symbol: str, row: dict[str, Any], time: float, out: list[Event]) -> None:
    """Append the maintenance fraction as a ladder of one row, with the leverage that the initial fraction allows."""
    maintenance = _value(row, "maintenanceMarginFraction", 0.0, 1.0, ("tiers", "bad_rate"), symbol, out)
    initial = _value(row, "initialMarginFraction", 1e-6, 1.0 + 1e-9, ("tiers", "bad_rate"), symbol, out)
    if maintenance is not None:
        leverages = () if initial is None else (1.0 / initial,)
        out.append(ev.TierTableChanged(NAME, symbol, ((0.0, maintenance, 0.0),), time, leverages))


# --- trades: the last price, liquidations, deleveraging -----------------------------------------------------


def last_price(symbol: str, trade: dict[str, Any], out: list[Event]) -> None:
    """Append the price of a trade."""
    price = number(trade.get("price"), 0.0, LIMIT)
    if price is None:
        out.append(ev.Rejected(NAME, "last_price", "bad_price", symbol))
    elif (time := _time(trade.get("createdAt"), TRADES, symbol, out)) is not None:
        out.append(ev.LastPrice(NAME, symbol, price, time))


def liquidation(symbol: str, trade: dict[str, Any], out: list[Event]) -> None:
    """Append a forced close. ``side`` is the taker's, who is the victim: it sells what was long."""
    price, contracts = number(trade.get("price"), 0.0, LIMIT), number(trade.get("size"), 0.0, LIMIT)
    taker = trade.get("side")
    side = {"SELL": "long", "BUY": "short"}.get(taker) if isinstance(taker, str) else None
    wrong = "bad_side" if side is None else "bad_quantity" if contracts is None else "bad_price"
    if side is None or contracts is None or price is None:
        out.append(ev.Rejected(NAME, "liquidation", wrong, symbol))
    elif (time := _time(trade.get("createdAt"), "liquidation", symbol, out)) is not None:
        adl = trade["type"] == DELEVERAGED
        kind, method = ("bankruptcy", "adl") if adl else ("fill", "market")
        out.append(ev.Liquidation(NAME, symbol, side, contracts, price, kind, time, method=method))
