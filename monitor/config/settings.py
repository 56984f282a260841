"""The settings as the rest of the house reads them. Nothing here is unchecked, and no repr shows a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor.config.places import Place
from monitor.core.account import Account
from monitor.core.alerts import Ladder
from monitor.core.contract import TierTable
from monitor.delivery.settings import ReceiverSettings


@dataclass(frozen=True, slots=True)
class SymbolTerms:
    """What the operator says of a contract, overriding the venue. Unsaid: None, or what most contracts are.

    ``places`` tells where the keys that were said stand.
    """

    kind: str = "linear"
    contract_size: float = 1.0
    mark_price: float | None = None
    closing_fee_rate: float = 0.0
    table: TierTable | None = None
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Places:
    """Where things stand in the files, so that later checks can name them.

    ``positions`` and ``symbols`` go by position name: the position itself, and its ``symbol``.
    """

    accounts: Mapping[str, Place]
    positions: Mapping[str, Place]
    symbols: Mapping[str, Place]


@dataclass(frozen=True, slots=True)
class AccountFile:
    """Accounts with what belongs to them: ``terms`` by account and symbol, ``ladders`` by position name.

    ``tiers`` by venue and symbol are those of the venues' tiers files, where a file is read for its accounts alone;
    ``Settings`` has them with the venues.
    """

    accounts: tuple[Account, ...]
    terms: Mapping[str, Mapping[str, SymbolTerms]]
    ladders: Mapping[str, Ladder]
    places: Places
    warnings: tuple[str, ...] = ()
    tiers: Mapping[str, Mapping[str, TierTable]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """Where a venue is reached, if not where it says itself, and ladders that the operator fetched."""

    stream_url: str | None = None
    rest_url: str | None = None
    tiers: Mapping[str, TierTable] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Web:
    """Where health, API and metrics are served; the token guards what changes or shows more."""

    host: str = "127.0.0.1"
    port: int = 9464
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything of a configuration. ``hash`` names its bytes (secrets not included) in metrics and events."""

    accounts: AccountFile
    venues: Mapping[str, VenueSettings]
    ladder: Ladder
    receivers: tuple[ReceiverSettings, ...]
    web: Web
    metrics_amounts: bool
    store_path: Path
    log_level: str
    log_format: str
    hash: str
    warnings: tuple[str, ...] = ()
