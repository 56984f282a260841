"""Binance COIN-M futures, inverse contracts: how it calculates.

As USD-M, in coin: requirement at the mark less the tier's amount, no fee in the test, the tier chosen by the notional
in coin **at the liquidation price** (the venue's page says so).

Traps of the calculation:

- Contracts are 100 USD (BTC) or 10 USD (others) of face value; margin, profit and brackets are in the coin.
- The notional in coin grows as the price falls: a long climbs tiers on its way down.
- Cross margin is per coin: a BTC wallet stands behind BTC contracts alone.
- ``isolatedMargin`` contains unrealised profit; ``liquidationPrice`` "0" means none.
- Brackets need a signed call and are not shipped. One sample of the page follows no published rate (0.5 in 12,000).

Facts: Binance support, "How to Calculate Liquidation Price of COIN-M Futures Contracts", "Liquidation Protocols".
"""

from __future__ import annotations

from monitor.core.contract import LiquidationRule
from monitor.venues.base import OPEN_FEES, PORTFOLIO_MARGIN

RULES = {
    "inverse": LiquidationRule(
        name="Binance COIN-M",
        source="Binance support: How to Calculate Liquidation Price of COIN-M Futures Contracts; "
        "Liquidation Protocols (360033525271)",
        date="2026-11-22",
        maintenance="mark",
        tier_by="notional",
        deduction="published",
        closing_fee="none",
        approximations=(OPEN_FEES,),
        cross_approximations=(PORTFOLIO_MARGIN,),
    )
}
