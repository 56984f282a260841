"""Hyperliquid perpetuals: how it calculates, and its published margin tables.

The requirement is half the initial margin at the **maximum** leverage of the tier, ``1 / (2 * max_leverage)`` of the
notional, less the deduction that makes it continuous. No fee is in the test.

Traps of the calculation:

- The leverage that a holder chose never enters the requirement; isolated, it only says what margin was put in.
- ``marginUsed`` of an isolated position contains unrealised profit. Its margin here is ``rawUsd + szi * entryPx``.
- ``maxLeverage`` of a position is the one of the first tier; a large position is in a lower one.
- Funding is taken from the position's own raw USD (isolated), so a reported position already has it.
- A unified or portfolio account keeps its collateral in spot balances: its perpetual account value is not its equity.
- Each builder dex (HIP-3) has a margin of its own. Payloads of 2023 held the requirement fixed: an older rule.

Facts: Hyperliquid documentation, "Liquidations" and "Margin tiers".
"""

from __future__ import annotations

from monitor.core.contract import LiquidationRule, TierTable, build_deductions
from monitor.venues.base import SHIPPED

RULES = {
    "linear": LiquidationRule(
        name="Hyperliquid",
        source="Hyperliquid documentation: Liquidations; Margin tiers",
        date="2026-11-22",
        maintenance="mark",
        tier_by="notional",
        deduction="built",
        closing_fee="none",
        cross_approximations=(
            "in unified and portfolio mode the spot balances count as well, by a formula that is not published",
        ),
    )
}

TIERS_DATE = "2026-11-22"

_ALONE = {
    "BTC": ((0.0, 40), (150e6, 20)),
    "ETH": ((0.0, 25), (100e6, 15)),
    "SOL": ((0.0, 20), (70e6, 10)),
    "XRP": ((0.0, 20), (40e6, 10)),
}
_LARGE = ("DOGE", "kPEPE", "SUI", "LINK", "AVAX", "ADA", "HYPE")
_MIDDLE = ("OP", "ARB", "LDO", "TON", "BNB", "DOT", "INJ")

MAX_LEVERAGE: dict[str, tuple[tuple[float, int], ...]] = {
    **_ALONE,
    **dict.fromkeys(_LARGE, ((0.0, 10), (20e6, 5))),
    **dict.fromkeys(_MIDDLE, ((0.0, 10), (3e6, 5))),
}
"""(lower bound of the notional in USD, maximum leverage) by coin, for those that the page names."""


def shipped_tiers(symbol: str) -> TierTable | None:
    """Return the ladder of a coin from the page "Margin tiers", None for a coin that it does not name.

    >>> shipped_tiers("BTC").tiers
    (Tier(floor=0.0, maintenance_rate=0.0125, deduction=0.0), Tier(floor=150000000.0, maintenance_rate=0.025, deduction=1875000.0))
    """
    rows = MAX_LEVERAGE.get(symbol)
    if rows is None:
        return None
    tiers = build_deductions([(floor, 1.0 / (2.0 * leverage)) for floor, leverage in rows])
    largest = tuple(float(leverage) for _, leverage in rows)
    return TierTable(tiers, f"{SHIPPED} (Hyperliquid documentation: Margin tiers)", TIERS_DATE, max_leverages=largest)
