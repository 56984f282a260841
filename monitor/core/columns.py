"""Levels of many pools at once: the sums of ``monitor.core.levels`` over NumPy columns, one row a leg.

The same equation in the same coordinates (``monitor.core.margin``); a property test holds the two together. A leg
whose requirement has no jump has one root, which is looked up in its ladder (``monitor.core.columns_tiers``). Groups
of another kind are *hard*: hedge pairs, ladders with jumps, rates that rise with the size or follow from a reported
amount. Their share in the sums comes from the columns, their price from ``margin.liquidation_price``.

In the columns NaN stands for what is unknown or does not exist, and spreads by itself: without one mark no sum of
its pool is known. ``Solved.levels`` and ``Solved.lines`` turn it into None. Use::

    columns = columns_of((account, terms) for ...)    # monitor.core.columns_build
    solved = solve(columns, marks)                    # or solve(columns.part(slice(3, 7)), marks)

Large columns are solved faster in parts of some 10,000 legs, whose arrays stay in the processor's cache.
"""

from __future__ import annotations

import msgspec
import numpy as np

from monitor.core import margin
from monitor.core.alerts import Lines
from monitor.core.columns_table import Columns, Flags
from monitor.core.columns_tiers import Floats, Ints
from monitor.core.contract import Tier
from monitor.core.levels import ALREADY_LIQUIDATABLE, NONE, OK, UNAVAILABLE, Levels
from monitor.core.margin import Leg
from monitor.core.pool import tier_for, tier_size

STATUS = (OK, NONE, ALREADY_LIQUIDATABLE, UNAVAILABLE)
"""The words of ``Solved.status``, by code."""

LOST, UNKNOWN = STATUS.index(ALREADY_LIQUIDATABLE), STATUS.index(UNAVAILABLE)


class Solved(msgspec.Struct, frozen=True):
    """The answers: a row a leg, and a row a pool for its three sums. Meanings as in ``monitor.core.levels.Levels``.

    ``profit`` and ``reserve`` are those of the leg's group.
    """

    columns: Columns
    mark: Floats
    status: Ints
    liquidation_price: Floats
    danger: Ints
    bankruptcy_price: Floats
    bankruptcy_danger: Ints
    notional: Floats
    profit: Floats
    reserve: Floats
    others_profit: Floats
    others_maintenance: Floats
    pool_collateral: Floats
    pool_equity: Floats
    pool_requirement: Floats

    @property
    def liquidation_distance_ratio(self) -> Floats:
        """Return how far each mark is from its liquidation price: positive while safe."""
        distance: Floats = self.danger * (self.liquidation_price - self.mark) / self.mark
        return distance

    @property
    def bankruptcy_distance_ratio(self) -> Floats:
        """Return how far each mark is from its bankruptcy price: positive while safe."""
        distance: Floats = self.bankruptcy_danger * (self.bankruptcy_price - self.mark) / self.mark
        return distance

    def lines(self, leg: int) -> Lines:
        """Return where the alert levels of one leg lie."""
        return self.levels(leg).lines()

    def levels(self, leg: int) -> Levels:
        """Return the answer for one leg, without what is said beside it: missing, approximations, drift.

        The requirement of the others is left out where some of it is unknown.
        """
        held, pool = self.columns.held[self.columns.legs.row[leg]], self.columns.legs.pool[leg]
        mark, equity = float(self.mark[leg]), _known(self.pool_equity[pool])
        price, danger = _known(self.liquidation_price[leg]), int(self.danger[leg])
        bankruptcy, bankruptcy_danger = _known(self.bankruptcy_price[leg]), int(self.bankruptcy_danger[leg])
        answer = Levels(
            status=STATUS[self.status[leg]],
            liquidation_price=price,
            bankruptcy_price=bankruptcy,
            danger=danger,
            bankruptcy_danger=bankruptcy_danger,
            collateral=_known(self.pool_collateral[pool]),
        )
        if equity is None:
            return answer
        answer = msgspec.structs.replace(
            answer,
            notional=float(self.notional[leg]),
            equity=equity,
            bankruptcy_distance_ratio=_distance(mark, bankruptcy, bankruptcy_danger),
            others_profit=float(self.others_profit[leg]),
            profit=float(self.profit[leg]),
            reserve=float(self.reserve[leg]),
        )
        if answer.status == UNAVAILABLE:
            return answer
        requirement = float(self.pool_requirement[pool])
        at = held.position.notional_at(mark if price is None else price, held.terms.kind)
        return msgspec.structs.replace(
            answer,
            tier=tier_for(held.position, held.terms, at),
            tier_size=tier_size(held.position, held.terms, at),
            others_maintenance=float(self.others_maintenance[leg]),
            maintenance_margin=requirement,
            margin_ratio=requirement / equity if equity > 0.0 else None,
            liquidation_distance_ratio=_distance(mark, price, danger),
            buffer_ratio=None if price is None or bankruptcy is None else danger * (bankruptcy - price) / price + 0.0,
        )


def solve(columns: Columns, marks: Floats) -> Solved:
    """Return the levels of every leg at *marks*, a price for each of ``columns.symbols``; NaN is an unknown one."""
    with np.errstate(all="ignore"):  # NaN and infinity are intermediate values here
        return _solve(columns, marks)


def _solve(columns: Columns, marks: Floats) -> Solved:
    legs, pool = columns.legs, columns.legs.pool
    mark = marks[legs.symbol]
    x = _coordinate(mark, legs.inverse)
    profit, others_profit, pool_profit = _profits(columns, legs.quantity * (x - legs.entry))
    collateral = _collateral(columns, marks, pool_profit)
    equity = collateral + pool_profit
    behind = collateral[pool] + others_profit
    reserve = _reserve(columns, behind, x)

    def required_at(x: Floats) -> Floats:
        return _requirement(columns, legs.size * x, legs.kept / notional) + reserve

    notional = legs.size * x
    required = required_at(x)
    required[_too_steep(columns, notional)] = np.nan
    group_required, requirement = columns.sum_by_group(required), columns.sum_by_pool(required)
    others_required = requirement[pool] - group_required
    free = behind - others_required
    price, danger = _liquidation(columns, mark, x, free, reserve)
    status = _status(free + profit - group_required, mark, price, danger)

    bankruptcy, bankruptcy_danger = _root_of_equity(columns, behind, legs.bankruptcy_fee, x), legs.group_way
    if legs.proportional.any():
        lost = status == LOST
        at = np.where(lost, x, _coordinate(price, legs.inverse))
        own = required_at(at)
        there = behind + legs.follows * (at - x) + legs.quantity * (at - legs.entry)
        cover = there / (others_required + own)
        zero = np.where(others_required + own > 0.0, at - cover * own / legs.quantity, np.nan)
        shared = legs.proportional & (legs.members == 1) & ~np.isnan(at)
        bankruptcy = np.where(shared, np.where(zero > at / margin.FAR, zero, np.nan), bankruptcy)
        bankruptcy_danger = np.where(shared, legs.way, bankruptcy_danger)
    bankruptcy_price = _finite(_coordinate(bankruptcy, legs.inverse))
    return Solved(
        columns=columns,
        mark=mark,
        status=status,
        liquidation_price=price,
        danger=np.where(status == UNKNOWN, 0, danger),
        bankruptcy_price=bankruptcy_price,
        bankruptcy_danger=np.where(np.isnan(bankruptcy_price), 0, bankruptcy_danger),
        notional=notional,
        profit=profit,
        reserve=columns.sum_by_group(reserve),
        others_profit=others_profit,
        others_maintenance=others_required,
        pool_collateral=collateral,
        pool_equity=equity,
        pool_requirement=requirement,
    )


def _profits(columns: Columns, profit: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the profit of each leg's group, of the other groups of its pool, and of each pool."""
    own, total = columns.sum_by_group(profit), columns.sum_by_pool(profit)
    others = total[columns.legs.pool] - own
    dark = np.isnan(profit)
    if dark.any():  # a group whose own mark is unknown still knows what the others have
        lit = np.where(dark, 0.0, profit)
        unknown = dark.astype(np.float64)
        others = columns.sum_by_pool(lit)[columns.legs.pool] - columns.sum_by_group(lit)
        others_unknown = columns.sum_by_pool(unknown)[columns.legs.pool] - columns.sum_by_group(unknown)
        others[others_unknown > 0.0] = np.nan
    return own, others, total


def _collateral(columns: Columns, marks: Floats, pool_profit: Floats) -> Floats:
    """Return K of each pool: what is given and the assets at their marks, or the equity less the profit."""
    pools, assets = columns.pools, columns.assets
    collateral = np.where(pools.is_equity, pools.given - pool_profit, pools.given)
    if len(assets.pool):
        collateral += np.bincount(assets.pool, assets.worth * marks[assets.symbol], len(collateral))
    return collateral


def _reserve(columns: Columns, behind: Floats, x: Floats) -> Floats:
    """Return each leg's closing fee at the bankruptcy price, which its requirement contains where the rule says so."""
    legs = columns.legs
    if not legs.reserve_rate.any():
        return np.zeros_like(behind)
    x = _root_of_equity(columns, behind, legs.reserve_rate, x)
    x = np.where(np.isnan(legs.reserved_at), np.where(np.isnan(x), 0.0, x), legs.reserved_at)
    return legs.reserve_rate * legs.size * x


def _requirement(columns: Columns, notional: Floats, kept_rate: Floats) -> Floats:
    """Return what the venue requires for each leg at *notional*, but for a reserve; NaN where it is unknown."""
    legs, ladders = columns.legs, columns.ladders
    tier = ladders.tier_at(legs.first_tier, legs.tier_count, notional)
    load = ladders.load[tier] + legs.slope * notional + kept_rate
    return notional * load - ladders.deduction[tier] + legs.fixed


def _too_steep(columns: Columns, notional: Floats) -> Flags:
    """Return where a rate that moves with the mark has reached 1: the requirement then counts as unknown."""
    legs = columns.legs
    if not (legs.slope.any() or legs.kept.any()):
        return np.zeros(len(notional), np.bool_)
    return columns.ladders.load[legs.first_tier] + legs.slope * notional + legs.kept / notional >= 1.0


def _root_of_equity(columns: Columns, behind: Floats, fee: Floats, x: Floats) -> Floats:
    """Return the coordinate where each group's equity is zero or just pays a closing *fee*; the marks are at *x*."""
    legs = columns.legs
    lacking = legs.value - behind + np.where(legs.follows == 0.0, 0.0, legs.follows * x)
    root = lacking / (legs.net + legs.follows - fee * legs.gross)
    seen = (root > 0.0) & (root < np.inf) & (abs(lacking) >= margin.LAST_DIGITS * legs.gross_value)
    return np.where(seen, root, np.nan)


def _liquidation(columns: Columns, mark: Floats, x: Floats, free: Floats, reserve: Floats) -> tuple[Floats, Ints]:
    """Return price and direction of danger for each leg; *free* is K with the others' profit less their requirement."""
    legs = columns.legs
    base = free - legs.quantity * legs.entry - legs.fixed - reserve
    notional = columns.ladders.root(legs.first_tier, legs.tier_count, np.where(legs.quantity > 0.0, -base, base))
    root = notional / legs.size
    far = root / x
    price = _coordinate(np.where((far > 1.0 / margin.FAR) & (far < margin.FAR), root, np.nan), legs.inverse)
    danger = legs.way.copy()
    for first in np.flatnonzero(legs.hard & legs.opens).tolist():
        group = slice(first, first + int(legs.members[first]))
        found, way = _walk(columns, group, float(mark[first]), float(free[first]), reserve)
        price[group], danger[group] = np.nan if found is None else found, way
    return price, danger


def _walk(columns: Columns, group: slice, mark: float, free: float, reserve: Floats) -> tuple[float | None, int]:
    """Return price and direction of danger of a hard group."""
    if np.isnan(free):
        return None, 0
    held = [columns.held[row] for row in columns.legs.row[group].tolist()]
    kind = held[0].terms.kind
    x = margin.coordinate(mark, kind)
    legs = [one.leg_at(x, amount) for one, amount in zip(held, reserve[group].tolist(), strict=True)]
    gain = float(columns.legs.follows[group.start])
    if gain:
        legs.append(Leg(gain, x, (Tier(0.0, 0.0),)))  # as levels.moving_legs
    return margin.liquidation_price(mark, free, legs, kind)


def _status(surplus: Floats, mark: Floats, price: Floats, danger: Ints) -> Ints:
    """Return the codes. Where rounding parts price and surplus, being past the price counts, too."""
    past = (surplus <= 0.0) | (danger * (price - mark) <= 0.0)
    found = np.where(past, LOST, np.where(np.isnan(price), STATUS.index(NONE), STATUS.index(OK)))
    return np.where(np.isnan(surplus), UNKNOWN, found)


def _coordinate(value: Floats, inverse: Flags) -> Floats:
    return np.where(inverse, 1.0 / value, value)


def _finite(price: Floats) -> Floats:
    return np.where(price < np.inf, price, np.nan)


def _known(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)


def _distance(mark: float, price: float | None, danger: int) -> float | None:
    return None if price is None else danger * (price - mark) / mark + 0.0  # no -0.0 for people
