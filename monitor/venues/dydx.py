"""dYdX v4 perpetuals: how it calculates.

Equity below maintenance at the **oracle** price, which is mark and index in one: put it into ``mark_price``. One flat
maintenance fraction a market; no fee is in the test. Positions are closed towards their *zero price* (proportional
bankruptcy price); the order's own limit, the fillable price, is ``monitor.core.fillable``.

Traps of the calculation:

- The *initial* fraction rises with open interest; the maintenance fraction never does.
- Isolated markets and positions live in subaccounts of their own: each is an account, the parent's equity not theirs.
- Funding settles lazily: what is unsettled belongs into ``unsettled_funding`` (the indexer's equity has it).
- The documents still say 5 % / 3 % for BTC where the chain has 2 % / 1.2 %: take it from the market, not the page.

Facts: dYdX documentation, "Liquidations"; dydxprotocol/v4-chain, protocol/lib/margin/risk.go and the tests of x/clob.
"""

from __future__ import annotations

from monitor.core.contract import LiquidationRule

RULES = {
    "linear": LiquidationRule(
        name="dYdX v4",
        source="dYdX documentation: Liquidations; dydxprotocol/v4-chain: protocol/lib/margin/risk.go",
        date="2026-11-22",
        maintenance="mark",
        tier_by="none",
        deduction="none",
        closing_fee="none",
        bankruptcy="proportional",
        approximations=("the mark price is taken to be the oracle price, the only one that counts there",),
    )
}
