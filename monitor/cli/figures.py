"""Numbers and sums as text for people: what is printed can be typed into a pocket calculator."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitor.numbers import shortest

Part = tuple[float, str]
"""A value with the text of its absolute value; without a text the figure itself is shown."""


def figure(value: float | None, most_decimals: int = 300) -> str:
    """Return a number for people: ten significant digits, all digits of the whole part, thousands set apart.

    >>> figure(54780.8764940239), figure(450_000.0000000046), figure(0.0000123456789012), figure(-1e-300, 8)
    ('54,780.87649', '450,000', '0.0000123456789', '0')
    """
    if value is None:
        return "unknown"
    digits = 9 - math.floor(math.log10(abs(value))) if value else 0
    rounded = round(value, min(max(0, digits), most_decimals)) + 0.0  # no -0
    whole, point, decimals = shortest(abs(rounded)).partition(".")
    return f"{'-' if rounded < 0.0 else ''}{int(whole):,}{point}{decimals}"


def amount(value: float | None) -> str:
    """Return a sum of money for people: a remainder of rounding, below 1e-9 of any coin, is nothing.

    >>> amount(0.00012345678912), amount(4.6e-10)
    ('0.0001234567891', '0')
    """
    return figure(0.0 if value is not None and abs(value) < 1e-9 else value)


def share(ratio: float) -> str:
    """Return a ratio for people, to eight decimals: its own digits are the difference of longer figures."""
    return figure(ratio, 8)


def percent(ratio: float | None) -> str:
    """Return a ratio in percent, to four decimals.

    >>> percent(-0.165068), percent(None)
    ('-16.5068 %', 'none')
    """
    return "none" if ratio is None else f"{100.0 * ratio + 0.0:,.4f} %"


def product(quantity: float, price: float, kind: str) -> str:
    """Return how a position's value at *price* comes about: the coin value of an inverse one is a quotient.

    >>> product(-2.0, 60_000.0, "linear"), product(30_000.0, 60_000.0, "inverse")
    ('2 x 60,000', '30,000 / 60,000')
    """
    return f"{figure(abs(quantity))} {'/' if kind == 'inverse' else 'x'} {figure(price)}"


def signed(parts: Sequence[Part]) -> str:
    """Return parts as a sum without its zeros and remainders of rounding, one that is added first.

    >>> signed([(-5.0, ""), (0.0, ""), (6.0, "2 x 3")])
    '2 x 3 - 5'
    """
    least = 1e-14 * max((abs(value) for value, _ in parts), default=0.0)
    used = sorted((part for part in parts if abs(part[0]) > least), key=lambda part: part[0] < 0.0)
    text = "".join(f" {'-' if value < 0.0 else '+'} {how or figure(abs(value))}" for value, how in used)
    return text.removeprefix(" + ").removeprefix(" ") or "0"


def fraction(top: Sequence[Part], bottom: Sequence[Part], price: float) -> str:
    """Return the fraction that gives *price*, both halves positive; nothing if it gives another number.

    >>> fraction([(90.0, "9 x 10"), (-45.0, "")], [(9.0, "")], 5.0)
    '= (9 x 10 - 45) / 9'
    """
    above, below = sum(value for value, _ in top), sum(value for value, _ in bottom)
    if not math.isclose(above, price * below, rel_tol=1e-9, abs_tol=1e-9 * sum(abs(value) for value, _ in top)):
        return ""
    way = math.copysign(1.0, below)
    halves = (signed([(way * value, how) for value, how in half]) for half in (top, bottom))
    return "= " + " / ".join(f"({half})" if " " in half else half for half in halves)
