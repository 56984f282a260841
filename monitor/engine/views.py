"""What the engine shows: plain values, read at a scrape or on request, never on the price path.

Whatever is unknown is None, never 0.
"""

from __future__ import annotations

import msgspec

from monitor.core.alerts import Level, Quality
from monitor.core.contract import TierTable
from monitor.core.events import AdlSignal, ContractTerms


class PositionView(msgspec.Struct, frozen=True, gc=False):
    """One position now. Distances, and what follows from the mark, are None unless the quality is known."""

    name: str
    account: str
    venue: str
    symbol: str
    side: str
    margin_mode: str
    settle: str
    level: Level
    quality: Quality
    reason: str
    status: str
    mark_price: float | None
    price_source: str
    liquidation_price: float | None
    bankruptcy_price: float | None
    liquidation_distance_ratio: float | None
    bankruptcy_distance_ratio: float | None
    margin_ratio: float | None
    notional: float | None
    equity: float | None
    maintenance_margin: float | None
    drift_ratio: float | None = None
    estimate: bool = False
    """The price is not the live mark of this very contract: what follows from it is an estimate."""

    @property
    def condition(self) -> str:
        """Return what people are shown: ``unknown`` while the price is, otherwise the level."""
        return self.level.word if self.quality.known else "unknown"


class SymbolView(msgspec.Struct, frozen=True, gc=False):
    """One watched contract now. ``ages`` is seconds since the last accepted value per price field."""

    venue: str
    symbol: str
    mark_price: float | None
    mark_time: float | None
    index_price: float | None
    last_price: float | None
    ages: dict[str, float]
    funding_rate: float | None
    next_funding_time: float | None
    funding_interval_seconds: float | None
    open_interest_contracts: float | None
    status: str
    liquidated_contracts: dict[str, float]
    liquidated_notional: dict[str, float]
    proxied: bool = False
    """It is watched by another contract's mark: nothing is heard of this one itself."""
    contract: ContractTerms | None = None
    bid_price: float | None = None
    ask_price: float | None = None
    adl: AdlSignal | None = None
    table: TierTable | None = None
    fact_ages: dict[str, float] = {}
    """Seconds since facts that are no prices last came in, by the names of ``venues.base.FACTS``."""


class FundView(msgspec.Struct, frozen=True):
    """One asset of one insurance-fund pool, with the time of the venue's own figure."""

    venue: str
    pool: str
    asset: str
    balance: float
    time: float


class VenueView(msgspec.Struct, frozen=True):
    """One venue now.

    ``up`` while data refresh at least one watched symbol and no feed alert stands; the skew is the venue's clock less
    our wall clock, None until the venue was asked.
    """

    venue: str
    up: bool
    clock_skew_seconds: float | None
    quarantined: int
    rejected: dict[str, int]
