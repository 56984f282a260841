"""Lighter perpetuals: how it calculates, and the maintenance rates of its published classes.

One flat maintenance rate a market on the mark; the initial rate and the close-out rate (about two thirds of
maintenance) are other questions. Below the requirement each position is offered at its **zero price**: the price at
which closing it leaves equity / requirement as it was.

Traps of the calculation:

- The requirement hangs on the market alone, not on the leverage chosen (``initial_margin_fraction``).
- ``collateral`` is without, ``cross_asset_value`` with unrealised profit.
- Fractions of a market are basis points (120 is 1.2 %), those of a position percent ("10.00" is 10 %).
- A shown price of ``"0"`` normally means none; one captured position shows it where the root is plainly positive.
- The zero price is rounded to the tick by the venue (up for longs, down for shorts); ours is not rounded.

Facts: Lighter documentation, "Liquidations & LLP" and "Contract Specifications"; the venue's own prover circuits.
"""

from __future__ import annotations

from monitor.core.contract import LiquidationRule, Tier, TierTable
from monitor.venues.base import SHIPPED

RULES = {
    "linear": LiquidationRule(
        name="Lighter",
        source="Lighter documentation: Liquidations & LLP; elliottech/lighter-prover: liquidation.rs, risk_info.rs",
        date="2026-11-22",
        maintenance="mark",
        tier_by="none",
        deduction="none",
        closing_fee="none",
        bankruptcy="proportional",
        cross_approximations=("a unified account counts other assets as well, with a haircut of the venue's own",),
    )
}

TIERS_DATE = "2026-06"

MAINTENANCE_RATES = {
    "BTC": 0.012,
    "ETH": 0.012,
    "SOL": 0.024,
    "XRP": 0.03,
    "HYPE": 0.03,
    "BNB": 0.03,
    "ARB": 0.0399,
    "OP": 0.0399,
}
"""The markets that the page names, as of the first half of 2026; the others' class is not told there."""


def shipped_tiers(symbol: str) -> TierTable | None:
    """Return the one-tier ladder of a market from the page "Contract Specifications", None if it is not named there."""
    rate = MAINTENANCE_RATES.get(symbol)
    if rate is None:
        return None
    return TierTable((Tier(0.0, rate),), f"{SHIPPED} (Lighter documentation: Contract Specifications)", TIERS_DATE)
