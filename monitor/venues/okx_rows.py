"""OKX swaps: rows of a channel into events, value by value. The traps are told in ``okx.py``.

A row that cannot be used raises ``WireError``; a value that cannot be used is rejected aloud and its neighbours stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import nan
from typing import Any

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues.okx_rest import NAME, Instrument, family_of, index_of, terms
from monitor.venues.wire import Raw, common_coin, levels, number, price, seconds

DAY = 86_400.0
ZERO_TOO = -1e-300
"""Lower bound of quantities, of which 0 is one."""

Row = dict[str, Any]


class Names:
    """Which swaps the venue means where it names an index or a family, or sends those of everybody.

    Without *symbols* all are wanted, and an index or a family is taken for the swap that is called after it.
    """

    def __init__(self, symbols: Sequence[str] | None = None) -> None:
        self._watched = None if symbols is None else frozenset(symbols)
        self._by_index = _grouped(symbols or (), index_of)
        self._by_family = _grouped(symbols or (), family_of)

    def wanted(self, symbol: str) -> bool:
        """Return whether *symbol* is watched."""
        return self._watched is None or symbol in self._watched

    def of_index(self, name: str) -> tuple[str, ...]:
        """Return the watched swaps that follow an index."""
        return (f"{name}-SWAP",) if self._watched is None else self._by_index.get(name, ())

    def of_family(self, name: str) -> tuple[str, ...]:
        """Return the watched swaps of a family."""
        return (f"{name}-SWAP",) if self._watched is None else self._by_family.get(name, ())


def _grouped(symbols: Sequence[str], name_of: Callable[[str], str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for symbol in sorted(symbols):
        found[name_of(symbol)] = (*found.get(name_of(symbol), ()), symbol)
    return found


# --- values ------------------------------------------------------------------------------------------------


def text(row: object, field: str) -> str:
    """Return a text of a row, "" if there is none."""
    value = row.get(field) if isinstance(row, dict) else None
    return value if isinstance(value, str) else ""


def _plain(row: Row, field: str) -> Raw:
    """Return a value as the venue may write one; anything else is no number, which is refused aloud."""
    raw = row.get(field)
    return raw if raw is None or isinstance(raw, str | int | float) else nan


def _said(raw: Raw) -> bool:
    """Return whether there is a value at all: an empty text is none."""
    return raw is not None and raw != ""


def _needed(row: Row, field: str) -> Raw:
    """Return the price that a row is sent for; a row without it is not what it used to be."""
    raw = _plain(row, field)
    if not _said(raw):
        raise WireError(f"no {field}", reason="no_price")
    return raw


def _time(row: Row, field: str = "ts") -> float:
    """Return a time in epoch seconds. Raises ``WireError`` for anything that is not milliseconds of this age."""
    value = number(_plain(row, field), 0.0, LIMIT)
    if value is None:
        raise WireError(f"{field} is no time", reason="bad_time")
    return seconds(value)


def _time_if_said(row: Row, field: str) -> float | None:
    return _time(row, field) if _said(_plain(row, field)) else None


# --- prices and books --------------------------------------------------------------------------------------


def _on_mark(_names: Names, row: Row, symbol: str, _received: float, out: list[Event]) -> None:
    price(ev.MarkPrice, NAME, symbol, _needed(row, "markPx"), _time(row), out)


def _on_index(names: Names, row: Row, symbol: str, _received: float, out: list[Event]) -> None:
    for swap in names.of_index(symbol):
        price(ev.IndexPrice, NAME, swap, _needed(row, "idxPx"), _time(row), out)


def _on_ticker(_names: Names, row: Row, symbol: str, _received: float, out: list[Event]) -> None:
    """Take the last trade and the touch; a contract without trades, or a side without orders, has none."""
    time = _time(row)
    price(ev.LastPrice, NAME, symbol, _plain(row, "last"), time, out)
    found: list[float] = []
    for field in ("bidPx", "bidSz", "askPx", "askSz"):
        raw, is_price = _plain(row, field), field.endswith("Px")
        value = number(raw, 0.0 if is_price else ZERO_TOO, LIMIT)
        if value is not None:
            found.append(value)
        elif _said(raw):
            out.append(ev.Rejected(NAME, "best_quote", "bad_price" if is_price else "bad_quantity", symbol))
    if len(found) == 4:
        bid, bid_size, ask, ask_size = found
        out.append(ev.BestQuote(NAME, symbol, bid, bid_size, ask, ask_size, time))


def on_book(row: Row, symbol: str, action: str, out: list[Event]) -> None:
    """Take a whole book or a change; one bad level makes either worthless. Frames of old are not numbered."""
    if not symbol or action not in {"snapshot", "update"}:
        raise WireError("neither a book nor a change", reason="malformed")
    try:
        bids, asks = (levels(msgspec.convert(row.get(side), list[list[str | float]])) for side in ("bids", "asks"))
        after, before = (msgspec.convert(row.get(name), int | None, strict=False) for name in ("seqId", "prevSeqId"))
    except msgspec.ValidationError:
        raise WireError("no rows of levels, or no number", reason="bad_level") from None
    if bids is None or asks is None:
        raise WireError("a level is no price or no size", reason="bad_level")
    whole = action == "snapshot"
    previous = None if whole else before
    out.append(ev.BookChange(NAME, symbol, bids, asks, _time(row), whole=whole, number=after, previous=previous))


# --- funding and open interest -----------------------------------------------------------------------------


def _on_funding(_names: Names, row: Row, symbol: str, received: float, out: list[Event]) -> None:
    """Take the running estimate, and the rhythm from the two settlements that follow."""
    time = _time_if_said(row, "ts")
    if time is None:
        time = received  # frames of old have no time of their own
    due = _time_if_said(row, "fundingTime")
    raw = _plain(row, "fundingRate")
    rate = number(raw, -1.0, 1.0)
    if rate is None and _said(raw):
        out.append(ev.Rejected(NAME, "funding_rate", "bad_rate", symbol))
    elif rate is not None and due is not None:
        out.append(ev.FundingRate(NAME, symbol, rate, due, time))
    try:
        after = _time_if_said(row, "nextFundingTime")
    except WireError as error:  # it costs the rhythm, not the rate
        out.append(ev.Rejected(NAME, "funding_rate", error.reason, symbol))
        return
    if due is None or after is None:
        return
    if not 0.0 < after - due <= DAY:
        out.append(ev.Rejected(NAME, "funding_rate", "bad_interval", symbol))
        return
    cap, floor = (number(_plain(row, field), -1.0, 1.0) for field in ("maxFundingRate", "minFundingRate"))
    out.append(ev.FundingTerms(NAME, symbol, after - due, cap, floor))


def _on_interest(_names: Names, row: Row, symbol: str, _received: float, out: list[Event]) -> None:
    contracts = number(_plain(row, "oi"), ZERO_TOO, LIMIT)
    if contracts is None:
        raise WireError("open interest is no quantity", reason="bad_quantity")
    out.append(ev.OpenInterest(NAME, symbol, contracts, _time(row)))


# --- liquidations, deleveraging, contracts -----------------------------------------------------------------


def _on_liquidations(names: Names, row: Row, symbol: str, _received: float, out: list[Event]) -> None:
    if not names.wanted(symbol):
        return
    details = row.get("details")
    if not isinstance(details, list):
        raise WireError("liquidations must be rows", reason="malformed")
    for detail in details:
        try:
            _on_liquidation(detail, symbol, out)
        except WireError as error:
            out.append(ev.Rejected(NAME, "liquidation", error.reason, symbol))


def _on_liquidation(detail: object, symbol: str, out: list[Event]) -> None:
    """Take one order of the liquidation engine: its side decides, since ``posSide`` may be ``net``."""
    if not isinstance(detail, dict):
        raise WireError("a row must be an object", reason="not_an_object")
    victim = {"sell": "long", "buy": "short"}.get(text(detail, "side"))
    contracts, at = number(_plain(detail, "sz"), ZERO_TOO, LIMIT), number(_plain(detail, "bkPx"), 0.0, LIMIT)
    if victim is None or contracts is None or at is None:
        reason = "bad_side" if victim is None else "bad_quantity" if contracts is None else "bad_price"
        raise WireError("no liquidation", reason=reason)
    if contracts > 0.0:
        time = _time(detail)
        out.append(ev.Liquidation(NAME, symbol, victim, contracts, at, "bankruptcy", time, method="takeover"))


def _on_adl(names: Names, row: Row, _symbol: str, _received: float, out: list[Event]) -> None:
    """Take a family's state; the fund's balance is a fact of its own only where its coin is named."""
    family, state, time = text(row, "instFamily"), text(row, "state"), _time(row)
    if not family or not state:
        raise WireError("no family, or no state", reason="malformed")
    swaps, coin = names.of_family(family), common_coin(text(row, "ccy"))
    balance = number(_plain(row, "bal"), -LIMIT, LIMIT)
    out += (ev.AdlSignal(NAME, swap, state.lower(), time, balance=balance) for swap in swaps)
    if swaps and coin and balance is not None:
        out.append(ev.InsuranceFund(NAME, swaps[0], coin, balance, swaps, time))


def _on_instrument(names: Names, row: Row, symbol: str, received: float, out: list[Event]) -> None:
    if not names.wanted(symbol):
        return
    try:
        instrument = msgspec.convert(row, Instrument, strict=False)
    except msgspec.ValidationError:
        raise WireError("no row of the contract list", reason="bad_row") from None
    out.append(terms(instrument, received))


ROWS: Mapping[str, Callable[[Names, Row, str, float, list[Event]], None]] = {
    "mark-price": _on_mark,
    "index-tickers": _on_index,
    "tickers": _on_ticker,
    "funding-rate": _on_funding,
    "open-interest": _on_interest,
    "liquidation-orders": _on_liquidations,
    "adl-warning": _on_adl,
    "instruments": _on_instrument,
}
"""Channel -> what takes one of its rows: names, row, symbol, time of arrival at the venue's clock, events so far."""
