"""Bybit v5, linear (USDT, USDC) and inverse contracts: how it calculates since 2025-09-02.

Maintenance is on the mark; initial margin of an isolated position stays at entry. Both contain the fee to close at the
bankruptcy price ``E * (1 -+ 1/L)`` (inverse mirrored), so for a plain isolated position it cancels out.

Traps of the calculation:

- ``margin`` here is the whole position margin with that fee in it, as ``positionIM`` shows an isolated position:
  entry value / leverage alone lies the fee too low. Margin added by hand counts whole.
- ``positionMM`` is a requirement at the present mark and falls with a long's price: never a fixed amount.
- Positions captured before 2025-09-02 had their requirement at entry; they do not test this rule.
- The margin mode is the account's. In cross (UTA) the test is on the account in USD, coins counted with haircuts:
  the ``liqPrice`` of the venue is itself an estimate there, and empty in portfolio margin or out of the price limits.
- In cross the venue reserves the closing fee at ``E * (1 -+ 1/L)`` of the leverage chosen, too (captured payloads agree);
  here it is reserved at the price where the account is bankrupt: a difference of less than the fee of the position.
- ``mmDeduction`` of the first tier is an empty string: 0.

Facts: help centre "Liquidation Price under Isolated Mode" of 2026-05-27 (which gives the inverse formula; the linear
one follows by the same derivation), "New Margin Calculation" of 2025-09-18; v5 documentation: position, risk-limit.
"""

from __future__ import annotations

import msgspec

from monitor.core.contract import LiquidationRule
from monitor.venues.base import COLLATERAL_HELD, PORTFOLIO_MARGIN

_INVERSE = LiquidationRule(
    name="Bybit inverse",
    source="Bybit help centre: Liquidation Price under Isolated Mode (2026-05-27); New Margin Calculation (2025-09-18)",
    date="2026-11-22",
    maintenance="mark",
    tier_by="notional",
    deduction="published",
    closing_fee="at_bankruptcy",
    bankruptcy="equity_less_fee",
    rounding="tick",
    approximations=("the margin is taken with the reserve for the closing fee in it, as positionIM shows it",),
    cross_approximations=(
        "an estimate, as the venue calls its own: the test there is on the whole account, in USD",
        "the closing fee is reserved at the account's bankruptcy price, by the venue at that of the chosen leverage",
        "margin of open orders and losses on collateral that could become a loan are left out",
        COLLATERAL_HELD,
        PORTFOLIO_MARGIN,
    ),
)

RULES = {
    "linear": msgspec.structs.replace(
        _INVERSE,
        name="Bybit linear",
        approximations=(
            *_INVERSE.approximations,
            "the linear formula is derived from the inverse one, which alone is published",
        ),
    ),
    "inverse": _INVERSE,
}
