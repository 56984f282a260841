"""What stands behind one collateral: positions grouped by the contract whose price they share.

An isolated position is a pool of its own; the cross positions of an account share one. The positions of one symbol
(a single one, or both legs of a hedge pair) hang on one mark and have one liquidation price. Nothing that is
unknown is replaced by a zero: it is named as missing, and what follows from it is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from monitor.core import margin
from monitor.core.account import Account, CollateralAsset, Position
from monitor.core.contract import LiquidationRule, Tier, TierTable
from monitor.core.margin import Leg, coordinate


class Terms(msgspec.Struct, frozen=True):
    """What the sum of one symbol needs beside the position: the venue's rule, present mark, ladder, closing fee.

    ``kind`` is linear or inverse. The fee counts only where the rule adds one. ``maintenance_slope`` is the rise of
    the rate per coin where it hangs on the size, ``tick_size`` the venue's price step. In a whole-account shock the
    mark moves ``beta`` times as much as the market.
    """

    mark_price: float | None = None
    table: TierTable | None = None
    closing_fee_rate: float = 0.0
    kind: str = "linear"
    rule: LiquidationRule | None = None
    maintenance_slope: float = 0.0
    tick_size: float | None = None
    beta: float = 1.0


class Group(msgspec.Struct):
    """The positions of one symbol in a pool, in the coordinate of its contract (``monitor.core.margin``).

    ``x`` is the coordinate of the present ``mark``; ``profit`` and ``requirement`` are those of all legs there, 0
    while it is unknown. Without a ladder ``tiered`` is false: the legs then serve the bankruptcy price alone.
    ``reserve`` is the constant closing fee that the legs' requirements contain.
    """

    symbol: str
    terms: Terms
    positions: tuple[Position, ...]
    legs: list[Leg]
    tiered: bool
    mark: float | None = None
    x: float | None = None
    profit: float = 0.0
    requirement: float = 0.0
    reserve: float = 0.0

    def remark(self, mark: float) -> None:
        """Take a new mark price: work out profit and requirement there."""
        x = coordinate(mark, self.terms.kind)
        self.mark, self.x = mark, x
        self.profit = sum([margin.profit(x, leg) for leg in self.legs])
        self.requirement = sum([margin.requirement(x, leg) for leg in self.legs])


class Pool(msgspec.Struct):
    """All that shares one collateral. ``collateral`` is K: without unrealised profit, with the other assets' value."""

    groups: dict[str, Group]
    collateral: float | None
    missing: dict[str, list[str]]
    """What is unknown, by symbol; under "" what all of them lack."""
    assets: tuple[tuple[str, str], ...] = ()
    """What counts as collateral beside the balance, each with the symbol whose mark it follows, or nothing."""
    follows: dict[str, float] = msgspec.field(default_factory=dict)
    """What the collateral gains per unit of a symbol's mark, where an asset in it follows that mark."""

    @property
    def marked(self) -> bool:
        """Return whether every mark price is known."""
        return all(group.mark is not None for group in self.groups.values())

    @property
    def tiered(self) -> bool:
        """Return whether every ladder is known."""
        return all(group.tiered for group in self.groups.values())

    def profit(self) -> float:
        """Return the unrealised profit of everything in the pool at the present marks."""
        return sum([group.profit for group in self.groups.values()])

    def requirement(self) -> float:
        """Return the requirement of everything in the pool at the present marks."""
        return sum([group.requirement for group in self.groups.values()])

    def equity(self) -> float:
        """Return the equity at the present marks. Only where collateral and marks are known."""
        assert self.collateral is not None
        return self.collateral + self.profit()

    def surplus(self) -> float:
        """Return what the equity exceeds the requirement by. Only where all of it is known."""
        return self.equity() - self.requirement()


def pool_of(account: Account, position: Position, terms: Mapping[str, Terms]) -> Pool:
    """Return the pool that *position* is in; positions of size 0 are left out."""
    cross = position.margin_mode == "cross"
    members = [p for p in (account.cross_positions() if cross else (position,)) if p.quantity != 0.0]
    by_symbol: dict[str, list[Position]] = {}
    for member in members:
        by_symbol.setdefault(member.symbol, []).append(member)
    missing: dict[str, list[str]] = {"": []}
    groups = {s: _group(s, rows, terms.get(s, Terms()), missing.setdefault(s, [])) for s, rows in by_symbol.items()}
    kinds = {group.terms.kind for group in groups.values()}
    if len(kinds) > 1:
        missing[""].append("one settlement asset: linear and inverse contracts do not share a balance")
    pool = Pool(groups, None, missing)
    if cross:
        _take_assets(pool, account.assets)
    if len(kinds) == 1 and not missing[""]:
        pool.collateral = _shared(account, members, terms, pool) if cross else _allotted(position, missing[""])
    if pool.collateral is not None and pool.marked:
        _add_reserves(pool, pool.collateral)
    return pool


def _take_assets(pool: Pool, assets: Sequence[CollateralAsset]) -> None:
    """Note the assets beside the balance, and which of them follow the mark of a contract."""
    pool.assets = tuple((asset.asset, asset.symbol) for asset in assets)
    for asset in assets:
        group = pool.groups.get(asset.symbol)
        if group is not None and group.terms.kind == "inverse":
            what = f"{asset.symbol} is not quoted in it"
            pool.missing[""].append(f"price of {asset.asset} in the settlement asset: {what}")
        elif asset.symbol:
            pool.follows[asset.symbol] = pool.follows.get(asset.symbol, 0.0) + asset.value_at(1.0)


def tier_for(position: Position, its: Terms, notional: float) -> Tier | None:
    """Return the tier of a position when its notional is *notional*, None without a ladder."""
    table, rule = its.table, its.rule
    return None if table is None or rule is None else table.tier_at(tier_size(position, its, notional))


def tier_size(position: Position, its: Terms, notional: float) -> float:
    """Return the size that selects the tier by the rule, in the unit of the ladder's floors."""
    by = its.rule.tier_by if its.rule is not None else "notional"
    if by == "contracts":
        return position.contracts or abs(position.quantity)
    if by == "entry_notional":
        return position.notional_at(position.entry_price, its.kind)
    return 0.0 if by == "none" else notional


def moves_tier(its: Terms) -> bool:
    """Return whether the tier moves with the price."""
    return its.rule is not None and its.rule.maintenance == "mark" and its.rule.tier_by == "notional"


def _group(symbol: str, positions: Sequence[Position], its: Terms, missing: list[str]) -> Group:
    x = None if its.mark_price is None else coordinate(its.mark_price, its.kind)
    if x is None:
        missing.append(f"mark_price of {symbol}")
    if its.rule is None:
        missing.append(f"rule of {symbol}")
    entered = [position for position in positions if position.entry_price > 0.0]
    if len(entered) < len(positions):
        missing += [f"entry_price of {p.name}" for p in positions if p not in entered]
        return Group(symbol, its, tuple(positions), [], tiered=False)
    legs = [leg_of(position, its, x, missing) for position in positions]
    known = [leg for leg in legs if leg is not None and _below_one(leg, x)]
    if len(known) < len([leg for leg in legs if leg is not None]):
        missing.append(f"tiers of {symbol} whose rates and fee stay below 1")
    tiered = len(known) == len(legs)
    if not tiered:
        bare = (Tier(0.0, 0.0),)
        known = [Leg(sign(its) * p.quantity, coordinate(p.entry_price, its.kind), bare) for p in positions]
    group = Group(symbol, its, tuple(positions), known, tiered)
    if its.mark_price is not None:
        group.remark(its.mark_price)
    return group


def sign(its: Terms) -> float:
    """Return what turns a quantity into the coordinate's: a long inverse contract is a short of quote currency."""
    return -1.0 if its.kind == "inverse" else 1.0


def leg_of(position: Position, its: Terms, x: float | None, missing: list[str]) -> Leg | None:
    """Return *position* as the equation has it, None (and why in *missing*) if its requirement is unknown."""
    rule = its.rule
    if rule is None:
        return None
    quantity, entry = sign(its) * position.quantity, coordinate(position.entry_price, its.kind)
    fee = closing_fee(its)
    amount, table, at_entry = position.maintenance_margin, its.table, abs(quantity) * entry
    if rule.maintenance == "fixed":
        if amount is None:
            missing.append(f"maintenance_margin of {position.name}")
            return None
        return Leg(quantity, entry, (Tier(0.0, 0.0),), fee, amount, smooth=True)
    if table is None:
        if amount is None or x is None or rule.maintenance == "entry":
            missing.append(f"tiers of {position.symbol}")
            return None
        # What the venue reports of this moment: its rate is kept, as in a ladder of one tier.
        return Leg(quantity, entry, (Tier(0.0, amount / (abs(quantity) * x)),), fee)
    tier = table.tier_at(tier_size(position, its, at_entry))
    if rule.maintenance == "entry":
        fixed = margin.maintenance_margin(at_entry, tier)
        return Leg(quantity, entry, (Tier(0.0, 0.0),), fee, fixed, smooth=True)
    if rule.maintenance == "size":
        if its.kind == "inverse":  # the size in coin is the notional, which moves with the price
            return Leg(quantity, entry, (tier,), fee, slope=its.maintenance_slope)
        rate = tier.maintenance_rate + its.maintenance_slope * abs(quantity)
        return Leg(quantity, entry, (Tier(0.0, rate, tier.deduction),), fee, smooth=True)
    tiers = table.tiers if moves_tier(its) else (tier,)
    return Leg(quantity, entry, tiers, fee, smooth=margin.is_smooth(tiers, fee))


def _below_one(leg: Leg, x: float | None) -> bool:
    """Return whether rate and fee stay below 1: from there on the equation has its roots on the wrong side."""
    more = leg.fee + leg.slope * abs(leg.quantity) * (x or 0.0)
    return all(tier.maintenance_rate + more < 1.0 for tier in leg.tiers)


def closing_fee(its: Terms) -> float:
    """Return the fee rate on the mark notional that the rule adds to the requirement."""
    return its.closing_fee_rate if its.rule is not None and its.rule.closing_fee == "mark_notional" else 0.0


def isolated_margin(quantity: float, entry_price: float, leverage: float, its: Terms) -> float:
    """Return what a venue allots to an isolated position at *leverage*, in the settlement asset.

    The notional at entry over the leverage and, where the rule counts the closing fee at the bankruptcy price, the
    reserve for it, which venues allot beside the initial margin.
    """
    signed, entry = sign(its) * quantity, coordinate(entry_price, its.kind)
    allotted = abs(signed) * entry / leverage
    if its.rule is not None and its.rule.closing_fee == "at_bankruptcy":
        allotted += its.closing_fee_rate * max(0.0, abs(signed) * entry - allotted * (1.0 if signed > 0.0 else -1.0))
    return allotted


def bankruptcy_fee(its: Terms) -> float:
    """Return the fee rate that the equity must still pay at the bankruptcy price, by the rule."""
    return its.closing_fee_rate if its.rule is not None and its.rule.bankruptcy == "equity_less_fee" else 0.0


def _add_reserves(pool: Pool, collateral: float) -> None:
    """Add the closing fee on the notional at the bankruptcy price, the others' marks held, where the rule has one."""
    total = pool.profit()
    for group in pool.groups.values():
        rule, rate = group.terms.rule, group.terms.closing_fee_rate
        if rule is None or rule.closing_fee != "at_bankruptcy" or not rate:
            continue
        kind = group.terms.kind
        follows = pool.follows.get(group.symbol, 0.0), group.x or 0.0
        price = margin.bankruptcy_price(collateral + total - group.profit, group.legs, rate, kind, follows)
        x = 0.0 if price is None else coordinate(price, kind)
        fees = [
            rate * abs(leg.quantity) * (x if at is None else at)
            for leg, at in zip(group.legs, map(reserved_at, group.positions, group.legs), strict=True)
        ]
        group.reserve = sum(fees)
        group.legs = [
            msgspec.structs.replace(leg, fixed=leg.fixed + fee) for leg, fee in zip(group.legs, fees, strict=True)
        ]
        group.requirement += group.reserve


def reserved_at(position: Position, leg: Leg) -> float | None:
    """Return the coordinate at which a cross position's initial margin alone would be used up, by its leverage.

    There, not where the shared collateral ends, venues reserve the closing fee of a cross position.
    """
    if position.margin_mode != "cross" or position.leverage is None:
        return None
    return max(0.0, leg.entry_price * (1.0 - (1.0 if leg.quantity > 0.0 else -1.0) / position.leverage))


def _allotted(position: Position, missing: list[str]) -> float | None:
    if position.margin is None:
        missing.append(f"margin of {position.name}")
        return None
    return position.margin + position.unsettled_funding


def _shared(account: Account, members: Sequence[Position], terms: Mapping[str, Terms], pool: Pool) -> float | None:
    """Return K of the account: its balance and other assets, or its equity less all unrealised profit."""
    if account.balance is None:
        if account.equity is None:
            pool.missing[""].append(f"balance of {account.name}")
            return None
        return account.equity - pool.profit() if pool.marked else None
    total = account.balance + sum(p.unsettled_funding for p in members)
    for asset in account.assets:
        price = asset_price(asset, terms)
        if price is None:
            pool.missing[""].append(f"price of {asset.asset}")
            return None
        total += asset.value_at(price)
    return total


def asset_price(asset: CollateralAsset, terms: Mapping[str, Terms]) -> float | None:
    """Return the price of a collateral asset: the mark of its contract, or what the operator says."""
    return terms.get(asset.symbol, Terms()).mark_price if asset.symbol else asset.price
