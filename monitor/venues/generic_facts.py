"""The facts in one row of a message, for a venue without a module of its own. One fact, one event.

A value that is absent is no event; one that is nonsense is rejected by itself. A fact that needs several values (a rate
and when it is charged, a price and a size) comes only where the row has them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues.generic_definition import (
    FUNDING_INTERVAL,
    LIQUIDATED,
    NEXT_FUNDING,
    OPEN_INTEREST,
    PRICES,
    RATES,
    SECONDS,
    SIGNED_ORDER,
    SIGNED_POSITION,
    Rows,
)
from monitor.venues.generic_values import Find, Known, absent, finder, plain, seconds, value

DAY = 86_400.0
SMALLEST = -1e-300
"""Just below zero: sizes may be zero."""


@dataclass(slots=True)
class Row:
    """One row: its whole message, the contract it is about, its time, when it came, and where its events go."""

    row: Any
    message: Any
    symbol: str
    time: float
    received: float
    out: list[Event]


Build = Callable[[Row], None]
Fields = Mapping[str, Find]


def builders(rows: Rows, known: Known) -> list[Build]:
    """Return what makes events of a row that has the fields of *rows*, in the order of the vocabulary."""
    fields = {name: finder(expression) for name, expression in rows.fields.items()}
    texts = {name: finder(expression) for name, expression in rows.text.items()}
    made = (
        _prices(fields, rows, known),
        _best_quote(fields, rows, known),
        _funding(fields, rows, known),
        _funding_terms(fields, rows, known),
        _open_interest(fields, rows, known),
        _liquidation(fields, texts, rows, known),
    )
    return [build for build in made if build is not None]


def _first(fields: Fields, names: tuple[str, ...]) -> tuple[str, Find] | None:
    """Return the first of *names* that is among the fields, with its finder."""
    return next(((name, fields[name]) for name in names if name in fields), None)


def _prices(fields: Fields, rows: Rows, known: Known) -> Build | None:
    wanted = [(kind, fields[name]) for name, kind in PRICES.items() if name in fields]
    venue, channel = known.venue, rows.name

    def build(at: Row) -> None:
        for kind, find in wanted:
            raw = find(at.row, at.message)
            if raw is None or raw == "":
                continue
            price = value(raw, 0.0, LIMIT)
            if price is None:
                at.out.append(ev.Rejected(venue, channel, "bad_price", at.symbol))
            else:
                at.out.append(kind(venue, at.symbol, price, at.time))

    return build if wanted else None


def _number(find: Find, at: Row, low: float, high: float, reason: str, venue: str, channel: str) -> float | None:
    """Return a value between the bounds; nonsense is rejected aloud, what is absent is no news."""
    raw = find(at.row, at.message)
    found = None if absent(raw) else value(raw, low, high)
    if found is None and not absent(raw):
        at.out.append(ev.Rejected(venue, channel, reason, at.symbol))
    return found


def _best_quote(fields: Fields, rows: Rows, known: Known) -> Build | None:
    bids, asks = _first(fields, ("bid_contracts", "bid_base")), _first(fields, ("ask_contracts", "ask_base"))
    if bids is None or asks is None or "bid_price" not in fields or "ask_price" not in fields:
        return None
    sides = [
        (fields[f"{side}_price"], find, name.removeprefix(f"{side}_"))
        for side, (name, find) in (("bid", bids), ("ask", asks))
    ]

    def build(at: Row) -> None:
        found: list[float] = []
        for price_find, size_find, unit in sides:
            price = _number(price_find, at, 0.0, LIMIT, "bad_price", known.venue, rows.name)
            size = _number(size_find, at, SMALLEST, LIMIT, "bad_quantity", known.venue, rows.name)
            contracts = None if size is None else known.contracts(at.symbol, size, unit, price)
            if price is None or contracts is None:
                return
            found += (price, contracts)
        at.out.append(ev.BestQuote(known.venue, at.symbol, found[0], found[1], found[2], found[3], at.time))

    return build


def _next_funding(fields: Fields, rows: Rows, known: Known) -> Callable[[Row], float | None]:
    """Return what finds when a contract is charged next: in the row, or as the venue said it elsewhere."""
    when = _first(fields, NEXT_FUNDING)
    if when is None:
        return lambda at: known.next_funding(at.symbol, at.received)
    name, find = when
    unit = "ms" if "_ms" in name else "s"
    longest = 30.0 * DAY / SECONDS[f"_{unit}"]

    def told(at: Row) -> float | None:
        raw = find(at.row, at.message)
        if absent(raw):
            return known.next_funding(at.symbol, at.received)
        if name.endswith("_remaining"):
            left = _number(find, at, SMALLEST, longest, "bad_time", known.venue, rows.name)
            time = None if left is None else at.received + left * SECONDS[f"_{unit}"]
        else:
            try:
                time = seconds(raw, unit)
            except WireError as error:  # it costs itself alone, not what else stands in the row
                at.out.append(ev.Rejected(known.venue, rows.name, error.reason, at.symbol))
                return None
        if time is not None:
            known.next_fundings[at.symbol] = time
        return time

    return told


def _funding(fields: Fields, rows: Rows, known: Known) -> Build | None:
    rate = _first(fields, RATES)
    if rate is None and _first(fields, NEXT_FUNDING) is None:
        return None
    next_funding = _next_funding(fields, rows, known)

    def build(at: Row) -> None:
        time = next_funding(at)
        found = None if rate is None else _number(rate[1], at, -1.0, 1.0, "bad_rate", known.venue, rows.name)
        if found is not None and time is not None:
            at.out.append(ev.FundingRate(known.venue, at.symbol, found, time, at.time))

    return build


def _funding_terms(fields: Fields, rows: Rows, known: Known) -> Build | None:
    interval = _first(fields, FUNDING_INTERVAL)
    if interval is None:
        return None
    name, find = interval
    factor = SECONDS[name.removeprefix("funding_interval")]
    cap, floor = fields.get("funding_cap"), fields.get("funding_floor")

    def build(at: Row) -> None:
        every = _number(find, at, 0.0, 30.0 * DAY / factor, "bad_interval", known.venue, rows.name)
        if every is None:
            return
        limits = [
            None if each is None else _number(each, at, -1.0, 1.0, "bad_rate", known.venue, rows.name)
            for each in (cap, floor)
        ]
        at.out.append(ev.FundingTerms(known.venue, at.symbol, round(every * factor, 3), limits[0], limits[1]))

    return build


def _price_beside(fields: Fields, at: Row) -> float | None:
    """Return the price of the row by which amounts in another unit are counted."""
    for name in PRICES:
        if name in fields and (found := value(fields[name](at.row, at.message), 0.0, LIMIT)) is not None:
            return found
    return None


def _open_interest(fields: Fields, rows: Rows, known: Known) -> Build | None:
    interest = _first(fields, OPEN_INTEREST)
    if interest is None:
        return None
    name, find = interest
    unit = name.removeprefix("open_interest_")

    def build(at: Row) -> None:
        amount = _number(find, at, SMALLEST, LIMIT, "bad_quantity", known.venue, rows.name)
        if amount is None:
            return
        contracts = known.contracts(at.symbol, amount, unit, _price_beside(fields, at))
        if contracts is not None:
            at.out.append(ev.OpenInterest(known.venue, at.symbol, contracts, at.time))

    return build


_SIDES = {"buy": 1, "long": 1, "sell": -1, "short": -1}


def _liquidation(fields: Fields, texts: Fields, rows: Rows, known: Known) -> Build | None:
    price_find, sized = fields.get("liquidated_price"), _first(fields, (*LIQUIDATED, SIGNED_ORDER, SIGNED_POSITION))
    if price_find is None or sized is None:
        return None
    name, size_find = sized
    signed = name in (SIGNED_ORDER, SIGNED_POSITION)
    unit = "contracts" if signed else name.removeprefix("liquidated_")
    side = _first(texts, ("order_side", "position_side"))
    # A forced order is on the other side of the position that it closes.
    turn = -1 if name == SIGNED_ORDER or (not signed and side is not None and side[0] == "order_side") else 1

    def build(at: Row) -> None:
        amount = _number(size_find, at, -LIMIT, LIMIT, "bad_quantity", known.venue, rows.name)
        price = _number(price_find, at, 0.0, LIMIT, "bad_price", known.venue, rows.name)
        if amount is None or price is None:
            return
        if signed:
            sign = (amount > 0.0) - (amount < 0.0)
        else:
            word = plain(side[1](at.row, at.message)).lower() if side is not None else ""
            sign = _SIDES.get(word, 0) if amount > 0.0 else 0
        contracts = known.contracts(at.symbol, abs(amount), unit, price)
        if sign == 0:
            at.out.append(ev.Rejected(known.venue, rows.name, "bad_side", at.symbol))
        elif contracts is not None:
            victim = "long" if sign * turn > 0 else "short"
            at.out.append(ev.Liquidation(known.venue, at.symbol, victim, contracts, price, rows.price_kind, at.time))

    return build
