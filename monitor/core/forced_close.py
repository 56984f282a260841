"""What one forced close does to the insurance fund.

The trader's margin is used up at the bankruptcy price B. Closed better than B, something is left over; closed
worse, the fund pays, and what it cannot pay is laid on winning traders by auto-deleveraging (ADL).
"""

from __future__ import annotations

import msgspec


class ForcedClose(msgspec.Struct, frozen=True):
    """The outcome of one fill, in the settlement asset: ``surplus`` > 0 is left over, < 0 is a deficit.

    ``paid_by_fund`` and ``uncovered`` split the deficit; ``coverage_ratio`` is fund / deficit, None without one.
    """

    fill_price: float
    bankruptcy_price: float
    surplus: float
    paid_by_fund: float
    uncovered: float
    coverage_ratio: float | None


def forced_close(
    quantity: float, bankruptcy_price: float, fill_price: float, fund_balance: float, kind: str = "linear"
) -> ForcedClose:
    """Return the outcome of closing a position (*quantity* signed, long > 0) at *fill_price*.

    ``surplus = quantity * (fill - B)``; inverse, in the coin, ``quantity * (1 / B - 1 / fill)``.

    >>> forced_close(-1.0, 55_000.0, 54_900.0, 700.0).surplus
    100.0
    >>> forced_close(-1.0, 55_000.0, 56_000.0, 700.0).uncovered
    300.0
    >>> round(forced_close(-50_000.0, 55_000.0, 56_000.0, 1.0, "inverse").surplus, 8)
    -0.01623377
    """
    if kind == "inverse":
        surplus = quantity * (1.0 / bankruptcy_price - 1.0 / fill_price)
    else:
        surplus = quantity * (fill_price - bankruptcy_price)
    deficit = max(0.0, -surplus)
    paid = min(deficit, max(0.0, fund_balance))
    return ForcedClose(
        fill_price=fill_price,
        bankruptcy_price=bankruptcy_price,
        surplus=surplus,
        paid_by_fund=paid,
        uncovered=deficit - paid,
        coverage_ratio=fund_balance / deficit if deficit > 0.0 else None,
    )


def fund_income(surplus: float, proceeds: float, fee_cap: float) -> float:
    """Return what the fund gets (> 0) or pays (< 0) where the trader keeps the surplus less a capped fee.

    ``min(surplus, fee_cap * proceeds)``: *proceeds* is the value of the fill, *fee_cap* the largest fee as a ratio of
    it. A deficit is the fund's alone. Such venues: dYdX (the tests of its chain), Lighter.

    >>> fund_income(surplus=490.0, proceeds=4_410.0, fee_cap=0.025), fund_income(-20.0, 4_920.0, 0.025)
    (110.25, -20.0)
    """
    return min(surplus, fee_cap * proceeds)
