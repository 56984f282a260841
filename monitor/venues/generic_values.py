"""Values of a venue without a module of its own: numbers, times, and which contract a name is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from monitor.errors import WireError
from monitor.venues.generic_definition import TIME_UNITS, Definition
from monitor.venues.generic_paths import WHOLE, compile_path
from monitor.venues.wire import iso_seconds, number

Find = Callable[[Any, Any], Any]
"""(row, whole message) -> the value there, None if there is none."""

FIRST_SECOND, LAST_SECOND = 1e9, 1e10
"""Seconds since 1970 that are a time of this age."""

LONGEST_NAME = 256
"""Characters of a text that a pattern is tried on: what one of an operator's own costs may rise with their square."""

_TIME = re.compile(r"\d{1,20}(?:\.\d{1,12})?", re.ASCII)


def finder(expression: str) -> Find:
    """Return what finds an expression's value in a row, or with ``$.`` in front of it in the whole message."""
    if expression.startswith(WHOLE):
        of_message = compile_path(expression.removeprefix(WHOLE))
        return lambda _row, message: of_message(message)
    of_row = compile_path(expression)
    return lambda row, _message: of_row(row)


def part(pattern: re.Pattern[str], text: str) -> str:
    """Return what *pattern* finds in a name: its group, all of it where it has none; "" for nothing.

    >>> part(re.compile(":([^,]+)$"), "/contract/instrument:XBTUSDTM"), part(re.compile("x"), "x" * 1000)
    ('XBTUSDTM', '')
    """
    found = pattern.search(text) if len(text) <= LONGEST_NAME else None
    return "" if found is None else (found.group(1) or "") if pattern.groups else found.group()


def absent(raw: Any) -> bool:
    """Return whether nothing was said: null, missing or an empty text, none of which is a zero."""
    return raw is None or raw == ""


def value(raw: Any, low: float, high: float) -> float | None:
    """Return a number or decimal text strictly between the bounds, None for anything else.

    >>> value("0E-18", -1.0, 1.0), value([1], 0.0, 9.0), value(True, 0.0, 9.0)
    (0.0, None, None)
    """
    return number(raw, low, high) if type(raw) in (str, float, int) else None


def plain(raw: Any) -> str:
    """Return a text, number or truth value as text; anything else has none.

    >>> plain(0), plain(False), plain("BTC"), plain(None)
    ('0', 'false', 'BTC', '')
    """
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return str(raw) if isinstance(raw, str | int | float) else ""


def seconds(raw: Any, unit: str) -> float:
    """Return epoch seconds of a time in *unit*; ``auto`` tells the unit by the size. Raises ``WireError``.

    >>> seconds("1695715383021", "auto"), seconds(1545136505.5, "s"), seconds("2026-11-22T08:00:00Z", "iso")
    (1695715383.021, 1545136505.5, 1795334400.0)
    """
    if unit == "iso" or (unit == "auto" and isinstance(raw, str) and "-" in raw):
        return iso_seconds(raw if isinstance(raw, str) else "")
    if type(raw) is str and _TIME.fullmatch(raw):
        raw = float(raw)
    if type(raw) not in (int, float) or not 0 < raw < 1e20:
        raise WireError("this is no time", reason="bad_time")
    factor = TIME_UNITS[unit] or TIME_UNITS[_unit_of(raw)]
    found = float(raw * factor) if factor == 1.0 else float(raw / round(1 / factor))
    if not FIRST_SECOND <= found < LAST_SECOND:
        raise WireError(f"{raw} is no time in {unit}", reason="bad_time")
    return found


def _unit_of(raw: float) -> str:
    return next((unit for unit, least in (("ns", 1e17), ("us", 1e14), ("ms", 1e11)) if raw >= least), "s")


class Known:
    """What decoding has to know beside the message: which contracts are watched, their names, their sizes, and when they
    are charged funding.

    A size is that of the venue's own contract list, or the definition's; until one is known, amounts in other units than
    contracts say nothing. A rate that comes without its time takes that of the resource which tells it.
    """

    def __init__(self, definition: Definition, symbols: Sequence[str] | None = None) -> None:
        self.venue = definition.name
        self.definition = definition
        self.inverse = definition.kind == "inverse"
        self.watched = None if symbols is None else frozenset(symbols)
        self._ours = {wire: ours for ours, wire in definition.symbols.items()}
        self.sizes: dict[str, float] = {}
        self.next_fundings: dict[str, float] = {}

    def of(self, symbols: Sequence[str] | None) -> Known:
        """Return the same knowledge where *symbols* are watched (None: all)."""
        known = Known(self.definition, symbols)
        known.sizes, known.next_fundings = self.sizes, self.next_fundings
        return known

    def wire(self, symbol: str) -> str:
        """Return the venue's own spelling of a contract."""
        return self.definition.symbols.get(symbol, symbol)

    def ours(self, wire: str) -> str | None:
        """Return what positions call a contract of the venue, None if it is not watched."""
        symbol = self._ours.get(wire, wire)
        if self.watched is None or symbol in self.watched:
            return symbol
        return wire if wire in self.watched else None  # a position may use the venue's own name all the same

    def next_funding(self, symbol: str, now: float) -> float | None:
        """Return when *symbol* is charged next, as far as the venue said it; None once that is over."""
        time = self.next_fundings.get(symbol)
        return None if time is None or time <= now else time

    def contracts(self, symbol: str, amount: float, unit: str, price: float | None) -> float | None:
        """Return how many contracts an *amount* in ``contracts``, ``base`` or ``quote`` is, None while that is not known.

        A linear contract is of ``contract_size`` coins, an inverse one of as many units of quote currency.
        """
        if unit == "contracts":
            return amount
        said = self.definition.contract(symbol)
        size = self.sizes.get(symbol, None if said is None else said.contract_size)
        if size is None:
            return None
        if (unit == "quote") is self.inverse:
            return amount / size
        if price is None:
            return None
        return amount * price / size if self.inverse else amount / price / size
