"""Columns from accounts: what of the sums does not hang on a mark is worked out once, here.

A position becomes a leg where it always does, in ``monitor.core.pool``: asked at marks of 1, whose coordinate is 1
for both kinds, and without collateral, so that nothing of the leg hangs on either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import nan
from typing import Any

from msgspec.structs import replace

from monitor.core import pool
from monitor.core.account import Account, Position
from monitor.core.columns_table import Assets, Columns, Held, Legs, Pools
from monitor.core.columns_tiers import LadderRows, has_one_root
from monitor.core.contract import Tier
from monitor.core.margin import Leg
from monitor.core.pool import Group, Terms

FLAT = (Tier(0.0, 0.0),)


def columns_of(accounts: Iterable[tuple[Account, Mapping[str, Terms]]]) -> Columns:
    """Return the columns of all pools of *accounts*, each with the terms of its symbols; marks in them are not used.

    Positions of size 0 are left out.
    """
    made = _Builder()
    for account, terms in accounts:
        probes = {symbol: replace(its, mark_price=1.0) for symbol, its in terms.items()}
        isolated = [(position,) for position in account.positions if position.margin_mode != "cross"]
        for positions in (account.cross_positions(), *isolated):
            members = [position for position in positions if position.quantity != 0.0]
            if members:
                made.add(account, members, terms, probes)
    return made.columns()


class _Builder:
    def __init__(self) -> None:
        self._symbols: dict[tuple[str, str], int] = {}
        self._ladders = LadderRows()
        self._held: list[Held] = []
        self._legs: list[tuple[Any, ...]] = []
        self._pools: list[tuple[float, bool, int, int]] = []
        self._assets: list[tuple[int, int, float]] = []

    def columns(self) -> Columns:
        legs = Legs.of(self._legs)
        return Columns(
            symbols=tuple(self._symbols),
            held=self._held,
            ladders=self._ladders.ladders(),
            legs=legs,
            pools=Pools.of(self._pools),
            assets=Assets.of(self._assets),
            paired=bool((legs.members > 1).any()),
        )

    def add(
        self, account: Account, members: Sequence[Position], terms: Mapping[str, Terms], probes: Mapping[str, Terms]
    ) -> None:
        """Add the pool of *members*."""
        bare = replace(members[0], margin=None)
        groups = pool.pool_of(replace(account, balance=None, equity=None), bare, probes).groups
        by_name = {position.name: position for position in members}
        first = len(self._legs)
        for symbol, group in groups.items():
            positions = [by_name[position.name] for position in group.positions]
            self._add_group(account, group, positions, terms.get(symbol))
        given = self._given(account, members, terms)
        if len({group.terms.kind for group in groups.values()}) > 1:
            given = nan  # no shared settlement asset
        is_equity = members[0].margin_mode == "cross" and account.balance is None
        self._pools.append((given, is_equity, first, len(self._legs) - first))

    def _slot(self, account: Account, symbol: str) -> int:
        return self._symbols.setdefault((account.venue, symbol), len(self._symbols))

    def _given(self, account: Account, members: Sequence[Position], terms: Mapping[str, Terms]) -> float:
        """Return the collateral apart from the assets that follow a mark (they get rows), or the equity."""
        if members[0].margin_mode != "cross":
            (only,) = members
            return nan if only.margin is None else only.margin + only.unsettled_funding
        if account.balance is None:
            return nan if account.equity is None else account.equity
        total = account.balance + sum(position.unsettled_funding for position in members)
        for asset in account.assets:
            if asset.symbol in terms:
                self._assets.append((len(self._pools), self._slot(account, asset.symbol), asset.value_at(1.0)))
            else:
                total += 0.0 if asset.symbol or asset.price is None else asset.value_at(asset.price)
        return total

    def _add_group(self, account: Account, group: Group, positions: Sequence[Position], its: Terms | None) -> None:
        known = its is not None
        its = its or Terms()
        held = [
            _held(account, position, its, leg, tiered=group.tiered)
            for position, leg in zip(positions, group.legs, strict=True)
        ]
        shared = {"pool": len(self._pools), "symbol": self._slot(account, group.symbol), **_facts(its, held)}
        for number, one in enumerate(held):
            leg = one.leg
            first_tier, tier_count = self._ladders.place(leg.tiers, leg.fee, rising=leg.quantity > 0.0)
            own = {
                "row": len(self._held),
                "first_tier": first_tier,
                "tier_count": tier_count,
                "way": -1 if one.position.quantity > 0.0 else 1,
                "opens": number == 0,
                "quantity": leg.quantity,
                "size": abs(leg.quantity),
                "entry": leg.entry_price if known else nan,  # without terms its kind is unknown, too
                "fixed": leg.fixed if group.tiered else nan,
                "slope": leg.slope,
            }
            row = {**shared, **own}
            self._legs.append(tuple(row[name] for name in Legs.__struct_fields__))
            self._held.append(one)


def _held(account: Account, position: Position, its: Terms, leg: Leg, *, tiered: bool) -> Held:
    amount = position.maintenance_margin
    if tiered and its.table is None and amount is not None and its.rule is not None and its.rule.maintenance != "fixed":
        # Its rate follows from the reported amount and the mark: at the mark the requirement is that amount.
        return Held(account.name, position, its, replace(leg, tiers=FLAT, fixed=amount), kept=amount)
    return Held(account.name, position, its, leg)


def _facts(its: Terms, held: Sequence[Held]) -> dict[str, Any]:
    """Return what the legs of a group have in common."""
    legs, rule, rate = [one.leg for one in held], its.rule, its.closing_fee_rate
    lone = held[0] if len(held) == 1 else None
    return {
        "members": len(held),
        "group_way": -1 if sum(one.position.quantity for one in held) > 0.0 else 1,
        "inverse": its.kind == "inverse",
        "hard": lone is None
        or lone.kept is not None
        or lone.leg.slope != 0.0
        or not has_one_root(lone.leg.tiers, lone.leg.fee),
        "proportional": rule is not None and rule.bankruptcy == "proportional",
        "net": sum(leg.quantity for leg in legs),
        "gross": sum(abs(leg.quantity) for leg in legs),
        "value": sum(leg.quantity * leg.entry_price for leg in legs),
        "reserve_rate": rate if rule is not None and rule.closing_fee == "at_bankruptcy" else 0.0,
        "bankruptcy_fee": pool.bankruptcy_fee(its),
    }
