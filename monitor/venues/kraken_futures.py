"""Kraken Futures, linear multi-collateral (``PF_``) and inverse (``PI_``) perpetuals: how it calculates.

Equity below maintenance at the mark; no fee is in the test. A margin level is chosen by the size of the position and
its rate is taken on the whole of it: a step, no deduction.

Traps of the calculation:

- The margin page refers the percentages to the value at **entry**, but the venue's worked example (1000 contracts long
  at 8000: 7481) only results with the value at the **liquidation** price. At mark is the rule here; at entry, the
  other reading, gives 7476.6 there: 0.06 % apart.
- Levels are in contracts of 1 USD for ``PI_`` and in USD of notional for ``PF_`` (by its figures, not by a page).
- Retail accounts may have other levels (``retailMarginLevels``): take those of the account.
- Of a long and a short in one underlying only the larger side is margined in a multi-collateral account; here each
  leg of a pair counts, so ours comes sooner.

Facts: Kraken support, "Equity Protection Process", "Margining & Liquidations Multi-Collateral"; instruments endpoint.
"""

from __future__ import annotations

import msgspec

from monitor.core.contract import LiquidationRule
from monitor.venues.base import COLLATERAL_HELD

_INVERSE = LiquidationRule(
    name="Kraken Futures inverse",
    source="Kraken support: Equity Protection Process; Margining & Liquidations Multi-Collateral",
    date="2026-11-22",
    maintenance="mark",
    tier_by="contracts",
    deduction="none",
    closing_fee="none",
    approximations=(
        "the requirement is taken at the mark, as in the venue's worked example; its margin page says at entry",
        "a level's rate is taken on the whole position, which no page settles",
    ),
)

RULES = {
    "linear": msgspec.structs.replace(
        _INVERSE,
        name="Kraken Futures linear",
        tier_by="notional",
        cross_approximations=(
            "both sides of a hedged underlying count, where the venue margins the larger one",
            COLLATERAL_HELD,
        ),
    ),
    "inverse": _INVERSE,
}
