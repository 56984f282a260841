"""Deribit perpetuals, inverse and linear, standard margin: how it calculates.

The maintenance rate rises with the size in coins: ``base + slope * size``. For a linear contract the size is fixed
and the price has a closed form; for an inverse one the size in coins is the notional, which grows as the price falls,
so the test is a quadratic in it.

Traps of the calculation:

- No public call gives base and slope. Those of January 2022 were 1 % + 0.005 % a coin (BTC), 1 % + 0.0004 % (ETH) and
  2 % + 0.0005 % (SOL_USDC). A new standard margin was announced for 2026-10-01 and its figures are not public: none is
  shipped; the operator gives ``maintenance_rate`` and ``maintenance_slope``, or the position's ``maintenance_margin``.
- A reported ``maintenance_margin`` keeps its *rate* here, without the slope: about 0.02 % off for 50 BTC.
- Amounts are USD for inverse and coins for linear contracts, under one name.
- The venue closes step by step, one round a second: after each the price of the rest lies elsewhere.

Facts: support pages "Liquidations", "Margin types and usage", margin notes of 11 January 2022 and of August 2026.
"""

from __future__ import annotations

import msgspec

from monitor.core.contract import LiquidationRule
from monitor.venues.base import PORTFOLIO_MARGIN

_LINEAR = LiquidationRule(
    name="Deribit linear",
    source="Deribit support: Liquidations; Margin types and usage; 11 January 2022",
    date="2026-11-22",
    maintenance="size",
    tier_by="none",
    deduction="none",
    closing_fee="none",
    approximations=(
        "the standard margin in force since 2026-10-01 is not published: rate and slope are as the operator gives them",
    ),
    together=True,
    cross_approximations=(
        PORTFOLIO_MARGIN,
        "the venue's own estimate moves all marks together: compare it with the fatal move",
    ),
)

RULES = {"linear": _LINEAR, "inverse": msgspec.structs.replace(_LINEAR, name="Deribit inverse")}
