"""Everything that ``explain`` found of one position, for the text and for machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from monitor.core.account import Account, Position
from monitor.core.advice import Advice, advice
from monitor.core.contract import LiquidationRule
from monitor.core.levels import Levels, position_levels, rounded
from monitor.core.margin import Leg, coordinate
from monitor.core.pool import Group, Pool, Terms, pool_of
from monitor.core.restore import Restore, restore
from monitor.core.shock import Shock, shock


@dataclass(frozen=True, slots=True)
class Case:
    """One position with what stands behind it and what follows from it.

    ``pool`` is what shares its collateral, ``marks`` are the prices of a what-if that touch it, ``given_equity`` is
    the equity that such an account had at the marks of its file.
    """

    account: Account
    position: Position
    terms: Mapping[str, Terms]
    pool: Pool
    found: Levels
    shock: Shock
    restore: Restore
    advice: tuple[Advice, ...]
    marks: Mapping[str, float] = field(default_factory=dict)
    given_equity: float | None = None

    @property
    def own(self) -> Terms:
        """Return the terms of its contract."""
        return self.terms.get(self.position.symbol, Terms())

    @property
    def rule(self) -> LiquidationRule | None:
        """Return how its venue calculates."""
        return self.own.rule

    @property
    def group(self) -> Group | None:
        """Return the positions that share its price: itself, or both sides of a hedge pair. None at size 0."""
        return self.pool.groups.get(self.position.symbol) if self.position.quantity else None

    @property
    def pairs(self) -> list[tuple[Position, Leg]]:
        """Return those positions, each with how the equation has it."""
        return [] if self.group is None else list(zip(self.group.positions, self.group.legs, strict=True))

    @property
    def beside(self) -> list[Group]:
        """Return the other symbols that share its collateral."""
        return [group for group in self.pool.groups.values() if group.symbol != self.position.symbol]

    @property
    def gain(self) -> float:
        """Return what the collateral gains per unit of the mark, where an asset in it follows that mark."""
        return self.pool.follows.get(self.position.symbol, 0.0)

    def gained(self, price: float) -> float:
        """Return what the collateral gains by that when the mark moves to *price*."""
        return self.gain * (price - self.own.mark_price) if self.gain and self.own.mark_price is not None else 0.0

    @property
    def others_profit(self) -> float | None:
        """Return the profit of the positions in other symbols, None where a mark is unknown."""
        return None if any(g.mark is None for g in self.beside) else sum(g.profit for g in self.beside)

    @property
    def shown_price(self) -> float | None:
        """Return the liquidation price as the venue shows it, None where it does not round or its tick is unknown."""
        return None if self.found.status != "ok" else self.to_tick(self.found.liquidation_price)

    @property
    def shown_bankruptcy_price(self) -> float | None:
        """Return the bankruptcy price likewise."""
        return None if self.found.collateral is None else self.to_tick(self.found.bankruptcy_price)

    def to_tick(self, price: float | None) -> float | None:
        """Return *price* rounded as the venue does, None where it does not or its tick is unknown."""
        tick = self.own.tick_size
        if price is None or tick is None or self.rule is None or self.rule.rounding != "tick":
            return None
        return rounded(price, tick, self.position.quantity)

    def reserve(self, position: Position) -> float:
        """Return the closing fee of *position* that its requirement contains as a constant, 0 where it has none."""
        group = self.group
        if group is None or not group.reserve:
            return 0.0
        free = {symbol: msgspec.structs.replace(its, closing_fee_rate=0.0) for symbol, its in self.terms.items()}
        without = pool_of(self.account, self.position, free).groups[group.symbol]
        leg = group.positions.index(position)
        return group.legs[leg].fixed - without.legs[leg].fixed

    def fee_price(self, position: Position) -> float:
        """Return the price at which that fee is counted. Only where there is one."""
        own = self.own
        return coordinate(self.reserve(position) / (own.closing_fee_rate * abs(position.quantity)), own.kind)


def case_of(
    account: Account,
    position: Position,
    terms: Mapping[str, Terms],
    target: float,
    marks: Mapping[str, float],
    given_equity: float | None = None,
    moves: Shock | None = None,
) -> Case:
    """Return everything that follows for *position*; *target* is the distance to bring it back to.

    *moves* is the whole-account shock where it is known already.
    """
    pool = pool_of(account, position, terms)
    near = {position.symbol, *pool.groups}
    if position.margin_mode == "cross":
        near.update(asset.symbol for asset in account.assets)
    marks = {symbol: price for symbol, price in marks.items() if symbol in near}
    found = position_levels(account, position, terms)
    if marks:  # the venue's own figure belongs to the marks of the file
        found = msgspec.structs.replace(found, drift_ratio=None, drifted=False)
    moves = moves or shock(account, position, terms)
    return Case(
        account=account,
        position=position,
        terms=terms,
        pool=pool,
        found=found,
        shock=moves,
        restore=restore(account, position, terms, target),
        advice=advice(account, position, terms, found, moves),
        marks=marks,
        given_equity=given_equity if position.margin_mode == "cross" else None,
    )
