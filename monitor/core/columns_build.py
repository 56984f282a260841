"""Columns from accounts: what of the sums does not hang on a mark is worked out once, here.

A position becomes a leg where it always does, in ``monitor.core.pool``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import nan
from typing import Any

from msgspec.structs import replace

from monitor.core.account import Account, Position
from monitor.core.columns_table import Assets, Columns, Held, Legs, Pools
from monitor.core.columns_tiers import LadderRows
from monitor.core.contract import Tier
from monitor.core.margin import Leg, coordinate
from monitor.core.pool import Terms, bankruptcy_fee, leg_of, reserved_at, sign

FLAT = (Tier(0.0, 0.0),)


def columns_of(accounts: Iterable[tuple[Account, Mapping[str, Terms]]]) -> Columns:
    """Return the columns of all pools of *accounts*, each with the terms of its symbols; marks in them are not used.

    Positions of size 0 are left out.
    """
    made = _Builder()
    for account, terms in accounts:
        isolated = [(position,) for position in account.positions if position.margin_mode != "cross"]
        for positions in (account.cross_positions(), *isolated):
            members = [position for position in positions if position.quantity != 0.0]
            if members:
                made.add(account, members, terms)
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

    def add(self, account: Account, members: Sequence[Position], terms: Mapping[str, Terms]) -> None:
        """Add the pool of *members*."""
        first = len(self._legs)
        by_symbol: dict[str, list[Position]] = {}
        for member in members:
            by_symbol.setdefault(member.symbol, []).append(member)
        assets = account.assets if members[0].margin_mode == "cross" else ()
        inverse = {symbol for symbol in by_symbol if terms.get(symbol, Terms()).kind == "inverse"}
        for symbol, positions in by_symbol.items():
            gain = 0.0 if symbol in inverse else sum(a.value_at(1.0) for a in assets if a.symbol == symbol)
            self._add_group(account, symbol, [_held(account, p, terms.get(symbol)) for p in positions], gain)
        given = self._given(account, members, terms)
        if any(asset.symbol in inverse for asset in assets):
            given = nan  # not quoted in the settlement asset
        if len({terms.get(symbol, Terms()).kind for symbol in by_symbol}) > 1:
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
                total += nan if asset.symbol or asset.price is None else asset.value_at(asset.price)
        return total

    def _add_group(self, account: Account, symbol: str, held: Sequence[Held], follows: float) -> None:
        shared = {"pool": len(self._pools), "symbol": self._slot(account, symbol), **_facts(held, follows)}
        for number, one in enumerate(held):
            leg = one.leg
            first_tier, tier_count = self._ladders.place(leg.tiers, leg.fee, rising=leg.quantity > 0.0)
            at = reserved_at(one.position, leg)
            own = {
                "row": len(self._held),
                "first_tier": first_tier,
                "tier_count": tier_count,
                "way": -1 if one.position.quantity > 0.0 else 1,
                "opens": number == 0,
                "quantity": leg.quantity,
                "size": abs(leg.quantity),
                "entry": leg.entry_price,
                "fixed": leg.fixed if one.known else nan,
                "slope": leg.slope,
                "kept": one.kept or 0.0,
                "reserved_at": nan if at is None else at,
            }
            row = {**shared, **own}
            self._legs.append(tuple(row[name] for name in Legs.__struct_fields__))
            self._held.append(one)


def _held(account: Account, position: Position, terms: Terms | None) -> Held:
    its, amount = terms or Terms(), position.maintenance_margin
    if terms is None or position.entry_price <= 0.0:
        return Held(account.name, position, its, Leg(position.quantity, nan, FLAT), known=False)
    leg = leg_of(position, its, 1.0, [])  # only a kept rate hangs on the mark
    if leg is None:
        bare = Leg(sign(its) * position.quantity, coordinate(position.entry_price, its.kind), FLAT)
        return Held(account.name, position, its, bare, known=False)
    if its.table is None and amount is not None and its.rule is not None and its.rule.maintenance != "fixed":
        return Held(account.name, position, its, replace(leg, tiers=FLAT), kept=amount)
    below_one = all(tier.maintenance_rate + leg.fee < 1.0 for tier in leg.tiers)
    return Held(account.name, position, its, leg, known=below_one)


def _facts(held: Sequence[Held], follows: float) -> dict[str, Any]:
    """Return what the legs of a group have in common; *follows* is what the collateral gains with their mark."""
    legs, its = [one.leg for one in held], held[0].terms
    rule, rate, inverse = its.rule, its.closing_fee_rate, its.kind == "inverse"
    net, gross, fee = sum(leg.quantity for leg in legs), sum(abs(leg.quantity) for leg in legs), bankruptcy_fee(its)
    looked_up = [one.kept is None and one.leg.smooth for one in held]
    return {
        "members": len(held),
        "group_way": -1 if (net + follows - fee * gross > 0.0) != inverse else 1,
        "inverse": inverse,
        "hard": looked_up != [True] or follows != 0.0,
        "follows": follows,
        "proportional": rule is not None and rule.bankruptcy == "proportional",
        "net": net,
        "gross": gross,
        "value": sum(leg.quantity * leg.entry_price for leg in legs),
        "gross_value": sum(abs(leg.quantity) * leg.entry_price for leg in legs),
        "reserve_rate": rate if rule is not None and rule.closing_fee == "at_bankruptcy" else 0.0,
        "bankruptcy_fee": fee,
    }
