"""The settings as the rest of the house reads them. Nothing here is unchecked, and no repr shows a secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from monitor.config.places import Place
from monitor.core.account import Account
from monitor.core.alerts import Ladder
from monitor.core.contract import SWITCHES, LiquidationRule, TierTable, ladder_for
from monitor.core.pool import Terms
from monitor.delivery.settings import ReceiverSettings
from monitor.venues.base import Venue

Rules = Mapping[str, LiquidationRule]
"""How a venue calculates, by kind of contract: linear or inverse. Empty where the operator's file has to say it."""

OPERATORS_FILE = "the operator's file"

TIER_BY = {"mark": "notional", "entry": "entry_notional", "fixed": "none", "size": "none"}
"""What selects the tier under a rule of the operator's own that does not say it."""


@dataclass(frozen=True, slots=True)
class SymbolTerms:
    """What the operator says of a contract, overriding the venue. Unsaid: None, or what most contracts are.

    ``proxy`` is the (venue, symbol) whose mark price stands in for this contract's own.

    ``switches`` are those of the liquidation rule that the operator sets, with its name, source and date if said.
    ``places`` tells where the keys that were said stand; ``deduction`` among them is the first tier's that has one.
    """

    kind: str = "linear"
    contract_size: float = 1.0
    mark_price: float | None = None
    closing_fee_rate: float = 0.0
    table: TierTable | None = None
    maintenance_slope: float = 0.0
    tick_size: float | None = None
    beta: float = 1.0
    proxy: tuple[str, str] | None = None
    switches: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)

    def rule(self, rules: Rules) -> LiquidationRule | None:
        """Return the rule that counts: that of a venue's *rules* with the operator's switches, or the operator's own.

        None where neither says enough.
        """
        rule = self._said_rule(rules)
        if rule is None or self.proxy is None:
            return rule
        note = f"an estimate throughout: the mark price of {' '.join(self.proxy)} stands in for this contract's own"
        return msgspec.structs.replace(rule, approximations=(*rule.approximations, note))

    def _said_rule(self, rules: Rules) -> LiquidationRule | None:
        base = rules.get(self.kind)
        if base is not None:
            return _switched(base, self.switches) if self.switches else base
        if not {"maintenance", "closing_fee"} <= self.switches.keys():
            return None
        usual = {"name": "the operator's own rule", "source": OPERATORS_FILE, "date": ""}
        tier_by = TIER_BY[self.switches["maintenance"]]
        return msgspec.convert({**usual, "tier_by": tier_by, **self.switches}, LiquidationRule)

    def terms(self, rules: Rules, table: TierTable | None) -> Terms:
        """Return what the sum needs, under a venue's *rules*; *table* is the ladder where the operator wrote none."""
        rule = self.rule(rules)
        if self.table is not None:
            table = self.table
        return Terms(
            mark_price=self.mark_price,
            table=table if rule is None else ladder_for(table, rule),
            closing_fee_rate=self.closing_fee_rate,
            kind=self.kind,
            rule=rule,
            maintenance_slope=self.maintenance_slope,
            tick_size=self.tick_size,
            beta=self.beta,
        )


def _switched(base: LiquidationRule, switches: Mapping[str, str]) -> LiquidationRule:
    """Return *base* with *switches* set. Its notes go, since they are on the switches as the venue has them."""
    other = [f"{key}: {value}" for key, value in switches.items() if key in SWITCHES and getattr(base, key) != value]
    if other:
        what = ", ".join(other)
        note = f"{OPERATORS_FILE} sets {what}; the notes on the rule of {base.name} are left out"
        base = msgspec.structs.replace(base, name=f"{base.name} with {what}", approximations=(note,))
    return msgspec.structs.replace(base, **switches)


@dataclass(frozen=True, slots=True)
class Places:
    """Where things stand in the files, so that later checks can name them.

    ``positions`` and ``symbols`` go by position name: the position itself, and its ``symbol``; ``keys`` has the other
    keys that were said of it. ``venues`` and ``assets`` go by account name: its ``venue``, and what gives each of its
    collateral assets a price.
    """

    accounts: Mapping[str, Place]
    positions: Mapping[str, Place]
    symbols: Mapping[str, Place]
    keys: Mapping[str, Mapping[str, Place]] = field(default_factory=dict)
    venues: Mapping[str, Place] = field(default_factory=dict)
    assets: Mapping[str, Sequence[Place]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AccountFile:
    """Accounts with what belongs to them: ``terms`` by account and symbol, ``ladders`` by position name.

    Every symbol of a position, and of a collateral asset that has one, is among the terms of its account.
    ``venues`` is what the file says of venues, ``tiers`` (by venue and symbol) are the ladders of their tiers files, where
    a file is read for its accounts alone; ``Settings`` has them otherwise.
    """

    accounts: tuple[Account, ...]
    terms: Mapping[str, Mapping[str, SymbolTerms]]
    ladders: Mapping[str, Ladder]
    places: Places
    warnings: tuple[str, ...] = ()
    tiers: Mapping[str, Mapping[str, TierTable]] = field(default_factory=dict)
    venues: Mapping[str, VenueSettings] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """Where a venue is reached, if not where it says itself, and ladders that the operator fetched.

    ``depth`` is whether order books are kept. A ``proxy_only`` venue has no feed: its contracts are watched by others'
    marks. ``own`` is the venue that a file of the operator's own describes.
    """

    stream_url: str | None = None
    rest_url: str | None = None
    tiers: Mapping[str, TierTable] = field(default_factory=dict)
    depth: bool = True
    proxy_only: bool = False
    own: Venue | None = None


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
