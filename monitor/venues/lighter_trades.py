"""Lighter: which of its trades closed a position by force, whose it was, and how.

In a ``liquidation`` the taker is the victim: an order of the venue's sold a long or bought a short back in the book, at
the zero price or better. A ``deleverage`` is a close at the zero price itself, without an order: the pool (LLP) took the
position over, or, where the pool does not, holders of the other side had to give theirs (ADL). Facts: the venue's
documentation, "Liquidations & LLP"; elliottech/lighter-prover: internal_deleverage.rs (there the bankrupt account is
the taker, too).
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from monitor.core.events import Event, Liquidation, Rejected
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues.lighter_names import NAME, Markets
from monitor.venues.wire import FIRST_MS, LAST_MS, Price, seconds

LLP_ACCOUNT = 281_474_976_710_654
"""The account of the Lighter Liquidity Pool, which stands behind all markets (2^48 - 2)."""

FORCED = ("liquidation", "deleverage")

BACKLOG_SECONDS = 15.0
"""A liquidation this old is history: the first update after a subscription may repeat what the backlog had in it, and
nothing here remembers which trades were told before.
"""

Size = Annotated[float, msgspec.Meta(gt=0.0, lt=LIMIT)]
NOUNS = {"price": "price", "size": "quantity"}


def forced_closes(message: dict[str, Any], markets: Markets, received: float) -> list[Event]:
    """Return the liquidations in an ``update/trade``; a bad one costs itself alone, other trades are no news here."""
    out: list[Event] = []
    symbol = markets.symbol_of_channel(str(message.get("channel")))
    if not markets.watches(symbol):
        return out
    told: set[str] = set()
    for name in ("trades", "liquidation_trades"):  # which of the two holds deleverages is not documented
        rows = message.get(name) or []
        if not isinstance(rows, list):
            raise WireError("trades must be a list", reason="malformed")
        for row in rows:
            if not isinstance(row, dict):
                out.append(Rejected(NAME, "liquidation", "bad_row", symbol))
            elif row.get("type") in FORCED:
                number = str(row.get("trade_id", ""))
                if number not in told:
                    _build(row, symbol, received, out)
                told |= {number} - {""}
    return out


def _build(row: dict[str, Any], symbol: str, received: float, out: list[Event]) -> None:
    try:
        time = _time(row, received)
        price, contracts = _value(row, "price", Price), _value(row, "size", Size)
        side, method = _victim(row)
    except WireError as error:
        out.append(Rejected(NAME, "liquidation", error.reason, symbol))
        return
    if received - time <= BACKLOG_SECONDS:
        kind = "fill" if method == "market" else "bankruptcy"
        out.append(Liquidation(NAME, symbol, side, contracts, price, kind, time, method=method))


def _victim(row: dict[str, Any]) -> tuple[str, str]:
    """Return the side of the position that was closed, and the method. Raises ``WireError``."""
    if row["type"] == "deleverage" and LLP_ACCOUNT in (row.get("bid_account_id"), row.get("ask_account_id")):
        return "long" if row.get(
            "bid_account_id"
        ) == LLP_ACCOUNT else "short", "takeover"  # the pool bought: from a long
    if not isinstance(row.get("is_maker_ask"), bool):
        raise WireError("no taker", reason="bad_side")
    return "short" if row["is_maker_ask"] else "long", "adl" if row["type"] == "deleverage" else "market"


def _time(row: dict[str, Any], received: float) -> float:
    """Return when it happened: ``timestamp`` is its block's, up to 20 s earlier. Raises ``WireError``."""
    micros, millis = row.get("transaction_time"), row.get("timestamp")
    if isinstance(micros, int) and FIRST_MS * 1000 <= micros < LAST_MS * 1000:
        return micros / 1e6
    if micros is not None and micros != 0:
        raise WireError("not a time in microseconds", reason="bad_time")
    if millis is None:
        return received
    if not isinstance(millis, int):
        raise WireError("not a time in ms", reason="bad_time")
    return seconds(millis)


def _value(row: dict[str, Any], name: str, kind: Any) -> float:
    try:
        value: float = msgspec.convert(row.get(name), kind, strict=False)
    except (msgspec.ValidationError, RecursionError):
        raise WireError(f"{name} is no usable value", reason=f"bad_{NOUNS[name]}") from None
    return value
