"""Numbers at the edge: one strict grammar, checked once, float64 afterwards.

The grammar is ASCII decimal: an optional sign, digits with at most one point, an optional exponent; no
blanks, underscores, names or hexadecimal; at most 64 characters; magnitude below 1e18. What passes is a
finite float, so that nothing later ever sees a NaN.
"""

from __future__ import annotations

import re

LIMIT = 1e18
"""Magnitudes from here on are refused: no price, size or balance of a real venue comes near."""

MAX_TEXT = 64

_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)


def parse_decimal(text: str) -> float:
    """Return the float64 that *text* denotes.

    Raises ``ValueError`` when the text is no decimal of the grammar above or too large.

    >>> parse_decimal("90012.40000000")
    90012.4
    >>> parse_decimal("1_000")
    Traceback (most recent call last):
    ValueError: '1_000' is not a decimal number
    """
    if len(text) > MAX_TEXT or _DECIMAL.fullmatch(text) is None:
        raise ValueError(f"{text[:MAX_TEXT]!r} is not a decimal number")
    return bounded(float(text))


def bounded(value: float) -> float:
    """Return *value* if it is finite and below the limit in magnitude, else raise ``ValueError``."""
    if not -LIMIT < value < LIMIT:  # false for NaN as well
        raise ValueError(f"{value!r} is out of range")
    return value


def shortest(value: float) -> str:
    """Return the shortest decimal text that reads back as the same float64, without exponent.

    For payloads and people: ``shortest(1e-07)`` is ``0.0000001``.

    >>> shortest(55000.0), shortest(1e-07), shortest(-2.5e+20)
    ('55000', '0.0000001', '-250000000000000000000')
    """
    text = repr(value)
    if "e" not in text:
        return text.removesuffix(".0")
    mantissa, exponent = text.split("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits, point = whole + fraction, len(whole) + int(exponent)
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return sign + digits + "0" * (point - len(digits))
    return f"{sign}{digits[:point]}.{digits[point:]}"
