"""What goes out to people: one transition of a position or of a feed, and the state it leaves behind."""

from __future__ import annotations

import msgspec

from monitor.core.alerts import Ladder, Level, Quality

SEVERITIES = ("warning", "critical", "liquidation", "bankruptcy")
"""Ascending; ``critical`` and later ones are "critical or worse"."""


class KnownContract(msgspec.Struct, frozen=True):
    """What a venue said of a contract: its ladder (rows of floor, rate, deduction), its end, its funding rhythm."""

    tiers: tuple[tuple[float, float, float], ...] = ()
    max_leverages: tuple[float, ...] = ()
    delivery_time: float | None = None
    funding_interval: float | None = None
    wrong_units: str = ""
    """Which of its units the operator's figures were told not to be in."""


class StoredState(msgspec.Struct, frozen=True):
    """What must survive a restart for one subject: a position id, ``feed:<venue>``, ``account:<name>``, or
    ``contract:<venue>/<symbol>``.

    For an account, ``balance`` is what its equity was found to mean, as long as the file still says the same of it
    (``fingerprint``). For a contract, ``contract`` is what the venue said of it; its ladder counts as long as the one
    that would count otherwise (``fingerprint``) is still the same.
    """

    subject: str
    raw: int = 0
    held: int = 0
    flapping: bool = False
    announced: int = 0
    episode: int = 0
    seq: int = 0
    data_alerted: bool = False
    drift_alerted: bool = False
    balance: float | None = None
    fingerprint: str = ""
    contract: KnownContract | None = None


class AlertEvent(msgspec.Struct, frozen=True):
    """One alert event.

    ``subject`` orders deliveries (a position id, or ``feed:<venue>``); ``position`` is the operator's alias, or
    empty where the event is about a feed, whose ``positions`` are then listed. ``arrived`` is when the price
    that caused it came in, on the boot clock. ``state`` is stored in the same transaction.
    """

    kind: str
    severity: str
    subject: str
    venue: str
    state: StoredState
    seq: int
    episode: int
    level: Level
    prev_level: Level
    quality: Quality
    reason: str
    arrived: float
    position: str = ""
    account: str = ""
    symbol: str = ""
    side: str = ""
    mark_price: float | None = None
    price_source: str = ""
    price_age_seconds: float | None = None
    liquidation_price: float | None = None
    bankruptcy_price: float | None = None
    liquidation_distance_ratio: float | None = None
    bankruptcy_distance_ratio: float | None = None
    ladder: Ladder | None = None
    skipped: tuple[str, ...] = ()
    positions: tuple[str, ...] = ()
    before: float | None = None
    after: float | None = None
    """What changed, where something did: the value before and after, in the unit of its reason."""

    @property
    def urgent(self) -> bool:
        """Return whether this is critical or worse."""
        return self.severity != "warning"

    @property
    def condition(self) -> str:
        """Return what people are shown: ``unknown`` while the price is, otherwise the level."""
        return self.level.word if self.quality.known else "unknown"
