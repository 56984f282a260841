"""OKX v5 perpetual swaps, linear and coin-margined: how it calculates.

``(margin + profit) / (maintenance + taker fee) <= 1``, all at the mark: the fee is additive to the tier's rate. So
``closing_fee_rate`` belongs into the terms (the account's own taker rate; 0.0005 is the base rate).

Traps of the calculation:

- A tier is chosen by the number of **contracts** and its rate bears on the whole position: no deduction, no change of
  tier with the price. Floors of a ladder are contracts. In cross the contracts of the family count together.
- ``mmr`` of a position is an amount, in the tier table a rate; ``mgnRatio`` is ours turned round (larger is safer).
- ``liqPx`` of the three published isolated positions lies one tick against the holder of what the formula gives
  (longs above, the short below); those in cross agree to all digits. The isolated one of the documentation contradicts
  itself in ``markPx`` as well: its other figures fit 2565.656.
- Cross is per settlement currency in single-currency mode (exact), over the account in USD in multi-currency mode.

Facts: API documentation (positions, balance, position tiers); help "When would my order be liquidated?".
"""

from __future__ import annotations

import msgspec

from monitor.core.contract import LiquidationRule
from monitor.venues.base import COLLATERAL_HELD, PORTFOLIO_MARGIN

_LINEAR = LiquidationRule(
    name="OKX linear",
    source="OKX API v5 documentation: positions, position tiers; OKX help: When would my order be liquidated?",
    date="2026-11-22",
    maintenance="mark",
    tier_by="contracts",
    deduction="none",
    closing_fee="mark_notional",
    approximations=(
        "one rate for the whole position: every published figure agrees, no page says so",
        "the bankruptcy price is taken without a closing fee, which no page settles",
        "of an isolated position the venue may show a price one tick nearer to the mark: three published ones are so",
    ),
    cross_approximations=(
        "margin of open orders, which may add to the requirement, is left out",
        "in multi-currency mode an estimate: discounts by tier of a currency and loans are left out",
        COLLATERAL_HELD,
        PORTFOLIO_MARGIN,
    ),
)

RULES = {"linear": _LINEAR, "inverse": msgspec.structs.replace(_LINEAR, name="OKX inverse")}
