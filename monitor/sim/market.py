"""The state of a simulated market: contracts, prices in motion, insurance pools. It knows no wire and no clock.

``now`` is the scenario's own time in seconds; ``wall`` is epoch seconds, for dates only. Index and last price
follow the mark price by a constant ratio until they are set themselves ("held").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec

from monitor.core.contract import Tier, build_deductions

Positive = Annotated[float, msgspec.Meta(gt=0, lt=1e15)]
Seconds = Annotated[float, msgspec.Meta(gt=0, lt=1e7)]
AdlRisk = Literal["low", "medium", "high"]
OrderSide = Literal["buy", "sell"]

DAY = 86_400.0
NEVER_DELIVERED = 4_133_404_800.0
"""The delivery time that venues give to contracts without one: the year 2100."""

SILENT_STATUSES = frozenset({"PENDING_TRADING", "DELIVERED", "CLOSE"})


class Listing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A contract as a scenario file introduces it. ``tiers`` are rows of [floor, maintenance_rate].

    ``product`` UM is linear (quantities in coins), CM inverse (quantities in contracts of ``contract_size`` USD).
    A ``quiet`` contract never trades by itself. ``delivery_in_days`` makes a dated or a delisted one.
    """

    symbol: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    base: str
    quote: str
    mark_price: Positive
    index_price: Positive | None = None
    last_price: Positive | None = None
    product: Literal["UM", "CM"] = "UM"
    contract_type: str = "PERPETUAL"
    status: str = "TRADING"
    contract_size: Positive = 1.0
    tick_size: Positive = 0.1
    step_size: Positive = 0.001
    spread_ratio: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.00001
    funding_rate: Annotated[float, msgspec.Meta(gt=-1, lt=1)] = 0.0001
    funding_interval_hours: Literal[1, 2, 4, 8] | None = None
    open_interest: Annotated[float, msgspec.Meta(ge=0, lt=1e15)] = 10_000.0
    liquidation_fee_rate: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0125
    tiers: tuple[tuple[float, float], ...] = ((0.0, 0.004), (300_000.0, 0.005), (800_000.0, 0.0065))
    delivery_in_days: float | None = None
    adl_risk: AdlRisk = "low"
    quiet: bool = False

    @property
    def pair(self) -> str:
        """The underlying pair, as in ``BTCUSDT_261225`` of ``BTCUSDT``."""
        return self.base + self.quote

    @property
    def settle(self) -> str:
        """The asset that margin and profit are counted in."""
        return self.quote if self.product == "UM" else self.base


class Pool(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One insurance pool: the contracts it stands behind and its balance per asset."""

    symbols: tuple[str, ...]
    balances: dict[str, float]
    update_time: float | None = None
    """Epoch seconds of the figure; None is the daily snapshot, two seconds after midnight UTC."""


@dataclass(frozen=True, slots=True)
class LiquidationPrint:
    """One forced order as the venue reports it. ``contracts`` are counted as the venue counts them."""

    symbol: str
    order_side: OrderSide
    contracts: float
    limit_price: float
    fill_price: float


@dataclass(slots=True)
class Instrument:
    """One contract as it stands now."""

    listing: Listing
    mark_price: float
    funding_rate: float
    funding_interval_hours: int | None
    open_interest: float
    tiers: tuple[Tier, ...]
    status: str
    adl_risk: AdlRisk
    delivery_time: float
    spread_ratio: float
    index_ratio: float
    last_ratio: float
    held_index: float | None = None
    held_last: float | None = None
    open_price: float = 0.0
    high_price: float = 0.0
    low_price: float = 0.0
    volume: float = 0.0
    trades: int = 0
    book_updates: int = 0

    @property
    def symbol(self) -> str:
        """The venue's own spelling."""
        return self.listing.symbol

    @property
    def index_price(self) -> float:
        """The index, following the mark price unless held."""
        return self.mark_price * self.index_ratio if self.held_index is None else self.held_index

    @property
    def last_price(self) -> float:
        """The price of the last trade, following the mark price unless held."""
        return self.mark_price * self.last_ratio if self.held_last is None else self.held_last

    @property
    def speaks(self) -> bool:
        """False once (or while) the contract has no data to stream."""
        return self.status not in SILENT_STATUSES

    @property
    def dated(self) -> bool:
        """True for delivery contracts, which have no funding."""
        return not self.listing.contract_type.endswith("PERPETUAL")

    def trade(self) -> None:
        """Let one more trade happen at the last price."""
        price = self.last_price
        self.open_price = self.open_price or price
        self.high_price = max(self.high_price, price)
        self.low_price = min(self.low_price or price, price)
        self.volume += self.listing.step_size
        self.trades += 1


def _instrument(listing: Listing, wall: float) -> Instrument:
    delivery_time = NEVER_DELIVERED if listing.delivery_in_days is None else wall + listing.delivery_in_days * DAY
    return Instrument(
        listing=listing,
        mark_price=listing.mark_price,
        funding_rate=listing.funding_rate,
        funding_interval_hours=listing.funding_interval_hours,
        open_interest=listing.open_interest,
        tiers=build_deductions(listing.tiers),
        status=listing.status,
        adl_risk=listing.adl_risk,
        delivery_time=delivery_time,
        spread_ratio=listing.spread_ratio,
        index_ratio=(listing.index_price or listing.mark_price) / listing.mark_price,
        last_ratio=(listing.last_price or listing.mark_price) / listing.mark_price,
    )


@dataclass(frozen=True, slots=True)
class _Ramp:
    start: float
    end: float
    origin: float
    target: float

    def price_at(self, now: float) -> float:
        part = (now - self.start) / (self.end - self.start)
        return self.origin + (self.target - self.origin) * min(1.0, part)


@dataclass(frozen=True, slots=True)
class _Wick:
    end: float
    held_before: float | None


@dataclass(slots=True)
class Market:
    """All contracts and pools, and the prices that are on their way somewhere."""

    listings: Sequence[Listing]
    pool_listings: Sequence[Pool]
    instruments: dict[str, Instrument] = field(default_factory=dict)
    pools: list[Pool] = field(default_factory=list)
    _ramps: dict[str, _Ramp] = field(default_factory=dict)
    _wicks: dict[str, _Wick] = field(default_factory=dict)

    def reset(self, wall: float) -> None:
        """Return everything to what the scenario began with."""
        self.instruments = {listing.symbol: _instrument(listing, wall) for listing in self.listings}
        self.pools = [
            Pool(symbols=pool.symbols, balances=dict(pool.balances), update_time=pool.update_time)
            for pool in self.pool_listings
        ]
        self._ramps.clear()
        self._wicks.clear()

    def instrument(self, symbol: str) -> Instrument:
        """Return the contract *symbol*; an unknown one is the caller's mistake."""
        return self.instruments[symbol]

    def advance(self, now: float) -> None:
        """Bring everything that moves to where it is at *now*."""
        for symbol, ramp in list(self._ramps.items()):
            self.instruments[symbol].mark_price = ramp.price_at(now)
            if now >= ramp.end:
                del self._ramps[symbol]
        for symbol, wick in list(self._wicks.items()):
            if now >= wick.end:
                del self._wicks[symbol]
                self.instruments[symbol].held_last = wick.held_before

    def set_mark(self, symbol: str, price: float) -> None:
        """Set the mark price; index and last follow unless held. Ends a ramp."""
        self._ramps.pop(symbol, None)
        self.instruments[symbol].mark_price = price

    def set_index(self, symbol: str, price: float | None) -> None:
        """Hold the index at *price*; None lets it follow the mark price again."""
        self.instruments[symbol].held_index = price

    def set_last(self, symbol: str, price: float | None) -> None:
        """Hold the last price at *price*; None lets it follow the mark price again. Ends a wick."""
        self._wicks.pop(symbol, None)
        self.instruments[symbol].held_last = price

    def ramp(self, symbol: str, price: float, seconds: float, now: float) -> None:
        """Move the mark price in a straight line to *price* within *seconds*."""
        self.advance(now)
        self._ramps[symbol] = _Ramp(now, now + seconds, self.instruments[symbol].mark_price, price)

    def wick(self, symbol: str, price: float, seconds: float, now: float) -> None:
        """Hold the last price at *price* for *seconds*, the mark price unmoved, then return it."""
        instrument = self.instruments[symbol]
        before = self._wicks[symbol].held_before if symbol in self._wicks else instrument.held_last
        self._wicks[symbol] = _Wick(now + seconds, before)
        instrument.held_last = price

    def pool_of(self, symbol: str) -> Pool | None:
        """Return the insurance pool that stands behind *symbol*."""
        return next((pool for pool in self.pools if symbol in pool.symbols), None)
