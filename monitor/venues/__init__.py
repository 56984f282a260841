"""One file a venue: its wire, its rule, its polls. Two places to touch: the file, and its lines here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from monitor.core.contract import LiquidationRule, TierTable
from monitor.venues import (
    binance,
    binance_coinm,
    bybit,
    deribit,
    dydx,
    generic,
    hyperliquid,
    kraken_futures,
    lighter,
    okx,
)
from monitor.venues.base import Venue

_MODULES = (binance, binance_coinm, bybit, okx, hyperliquid, lighter, dydx, deribit, kraken_futures)

VENUES: dict[str, Venue] = {module.VENUE.name: module.VENUE for module in _MODULES if hasattr(module, "VENUE")}
"""The venues that can be watched live."""

RULES: dict[str, Mapping[str, LiquidationRule]] = {
    "binance": {**binance.RULES, **binance_coinm.RULES},
    "binance-coinm": binance_coinm.RULES,
    "bybit": bybit.RULES,
    "deribit": deribit.RULES,
    "dydx": dydx.RULES,
    "generic": generic.RULES,
    "hyperliquid": hyperliquid.RULES,
    "kraken-futures": kraken_futures.RULES,
    "lighter": lighter.RULES,
    "okx": okx.RULES,
}
"""How each venue calculates, by kind of contract: linear or inverse. ``generic`` has none of its own."""

SHIPPED_TIERS: dict[str, Callable[[str], TierTable | None]] = {
    "binance": binance.shipped_tiers,
    "hyperliquid": hyperliquid.shipped_tiers,
    "lighter": lighter.shipped_tiers,
}
"""Ladders that ship with the package, by venue: a function of the symbol."""

ALIASES = {
    "binance-cm": "binance-coinm",
    "binance-coin-m": "binance-coinm",
    "binance-um": "binance",
    "binance-usdm": "binance",
    "binance-usd-m": "binance",
    "dydx-v4": "dydx",
    "kraken": "kraken-futures",
    "okex": "okx",
}
"""Other names that people and libraries give to a venue."""


def canonical(name: str) -> str:
    """Return the name a venue has in ``RULES``: case and underscores do not matter; an unknown name stays itself.

    >>> canonical("Kraken_Futures"), canonical("binance_usdm"), canonical("OKX"), canonical("Acme")
    ('kraken-futures', 'binance', 'okx', 'acme')
    """
    plain = name.strip().lower().replace("_", "-")
    return ALIASES.get(plain, plain)


def shipped_tiers(name: str, symbol: str) -> TierTable | None:
    """Return the ladder that ships for *symbol* at the venue *name*, None where there is none."""
    ladders = SHIPPED_TIERS.get(canonical(name))
    return None if ladders is None else ladders(symbol)
