"""One file a venue: its wire, its rule, its polls. Two places to touch: the file, and its line here."""

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

VENUES: dict[str, Venue] = {
    venue.name: venue
    for venue in (
        binance.VENUE,
        binance_coinm.VENUE,
        bybit.VENUE,
        deribit.VENUE,
        dydx.VENUE,
        hyperliquid.VENUE,
        kraken_futures.VENUE,
        lighter.VENUE,
        okx.VENUE,
    )
}
"""The venues that can be watched live."""

RULES: dict[str, Mapping[str, LiquidationRule]] = {
    **{name: venue.rules for name, venue in VENUES.items()},
    "binance": {**binance.RULES, **binance_coinm.RULES},
    "generic": generic.RULES,
}
"""How each venue calculates, by kind of contract: linear or inverse. ``generic`` has none of its own."""

SHIPPED_TIERS: dict[str, Callable[[str], TierTable | None]] = {n: venue.shipped_tiers for n, venue in VENUES.items()}
"""Ladders that ship with the package, by venue: a function of the symbol, None where there is none."""

ANNOUNCING = frozenset(
    name
    for name, venue in VENUES.items()
    if any(f.fact == "tiers" and f.how in {"poll", "stream"} for f in venue.features)
)
"""Venues that publish their ladders to everybody: a position there needs none in the file."""

ALIASES = {alias: name for name, venue in VENUES.items() for alias in venue.aliases}
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
