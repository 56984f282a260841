"""Where a venue limits its own liquidation order, and what a part of an account may cost to close.

Some venues do not take a position over at its bankruptcy price. They close it in the market, in parts, with a limit
that gives way further the deeper the account is under water (the fillable price), and let the insurance fund pay only
beyond the part's share of the equity (the bankruptcy quote). Facts: dYdX documentation, "Liquidations", and the tests
of its chain (protocol/x/clob); the formula line of the page lacks the clamp and the sign, which the code has.
"""

from __future__ import annotations


def fillable_price(
    quantity: float,
    mark_price: float,
    maintenance_rate: float,
    equity: float,
    requirement: float,
    spread: float = 1.5,
    adjustment: float = 1.0,
) -> float:
    """Return the limit of the order that closes a linear position (*quantity* signed, long > 0).

    ``P * (1 -+ a * spread * rate)`` with ``a = clamp(adjustment * (1 - equity / requirement), 0, 1)``: at the mark
    for an account that just fails, worse by *spread* times the requirement for one without equity. *equity* and
    *requirement* (> 0) are the whole account's; the two factors are parameters of the venue.

    >>> fillable_price(1.0, 100.0, 0.03, equity=1.5, requirement=3.0), fillable_price(-1.0, 100.0, 0.03, 1.5, 3.0)
    (97.75, 102.25)
    """
    depth = min(1.0, max(0.0, adjustment * (1.0 - equity / requirement)))
    side = 1.0 if quantity > 0.0 else -1.0
    return mark_price * (1.0 - side * depth * spread * maintenance_rate)


def bankruptcy_quote(value_change: float, requirement_change: float, equity: float, requirement: float) -> float:
    """Return the money that closing a part brings (> 0) or costs (< 0) when it uses up exactly its share of the equity.

    ``-value_change - equity * |requirement_change| / requirement``: both changes are those of the account's sum of
    position values (shorts count below zero) and of its requirement at the present mark. Closed worse than that, the
    fund pays.

    >>> bankruptcy_quote(-5_000.0, -500.0, equity=499.0, requirement=500.0)  # all of a long worth 5000 goes
    4501.0
    """
    return -value_change - equity * abs(requirement_change) / requirement
