"""Liquidation and bankruptcy price: where the venue takes over, and where equity is zero.

One position's whole answer, with everything the sum consists of. The other cross positions on the same collateral
are held at their present marks: their profit adds to K, their requirement is taken off
(``monitor.core.shock`` moves them all together).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from monitor.core import margin
from monitor.core.account import Account, Position
from monitor.core.alerts import Lines
from monitor.core.contract import Tier
from monitor.core.margin import Leg
from monitor.core.pool import Group, Pool, Terms, bankruptcy_fee, moves_tier, pool_of, tier_for, tier_size

OK = "ok"
NONE = "none"
ALREADY_LIQUIDATABLE = "already_liquidatable"
UNAVAILABLE = "unavailable"

DRIFT_TICKS = 2.0
DRIFT_RATIO = 0.001
"""Ours and the venue's own figure differ when they are further apart than the larger of the two."""


class Levels(msgspec.Struct, frozen=True):
    """The answer for one position; amounts in the settlement asset.

    ``status`` is ``ok``, ``none`` (no positive price liquidates it), ``already_liquidatable`` (then
    ``liquidation_price`` is the recovery price) or ``unavailable`` (something is unknown: ``missing`` says what).
    ``danger`` is +1 where a rising mark leads to liquidation and -1 where a falling one does; ``bankruptcy_danger``
    likewise, and 0 without a price. The two differ for a nearly balanced hedge pair, whose requirement grows faster
    with the price than its net profit. ``tier`` is the one at the liquidation price (at the mark when there is
    none), ``tier_size`` what chose it: a notional, or contracts where the rule counts those. Distances are ratios
    of the mark, positive while safe. ``buffer_ratio`` is the room between the two prices, in which the venue can
    close without touching its fund. ``collateral`` is K of ``monitor.core.margin``, with ``others_profit`` and
    ``others_maintenance`` of the positions beside it; ``reserve`` is the closing fee at the bankruptcy price that the
    requirement contains.

    ``drift_ratio`` is ours against the venue's own figure, where the operator has given it, and ``drifted`` whether
    the two are too far apart (or one of them is none).
    """

    status: str
    liquidation_price: float | None = None
    bankruptcy_price: float | None = None
    danger: int = 0
    bankruptcy_danger: int = 0
    tier: Tier | None = None
    tier_size: float | None = None
    notional: float | None = None
    equity: float | None = None
    maintenance_margin: float | None = None
    margin_ratio: float | None = None
    liquidation_distance_ratio: float | None = None
    bankruptcy_distance_ratio: float | None = None
    buffer_ratio: float | None = None
    collateral: float | None = None
    others_profit: float = 0.0
    others_maintenance: float = 0.0
    profit: float | None = None
    reserve: float = 0.0
    drift_ratio: float | None = None
    drifted: bool = False
    missing: tuple[str, ...] = ()
    approximations: tuple[str, ...] = ()

    def lines(self) -> Lines:
        """Return where the alert levels lie.

        Where no price brings a position back (the rest of its account is already lost), its lines lie at 0 with
        danger upwards: every price is past them, and the position is never taken for ``ok``.
        """
        liquidation, danger = self.liquidation_price, self.danger
        bankruptcy, bankruptcy_danger = self.bankruptcy_price, self.bankruptcy_danger
        if liquidation is None and self.status == ALREADY_LIQUIDATABLE:
            liquidation, danger = 0.0, 1
        if bankruptcy is None and self.equity is not None and self.equity <= 0.0:
            bankruptcy, bankruptcy_danger = 0.0, 1
        return Lines(danger, liquidation, bankruptcy, bankruptcy_danger)


def position_levels(account: Account, position: Position, terms: Mapping[str, Terms]) -> Levels:
    """Return liquidation price, bankruptcy price and the whole sum behind them for one position of *account*.

    *terms* has an entry for every symbol of the account as far as known. Nothing that is unknown is replaced
    by a zero: the answer is then ``unavailable`` and names what is missing.
    """
    pool = pool_of(account, position, terms)
    found = levels_in(pool, position)
    return msgspec.structs.replace(
        found, approximations=approximations(pool, position, terms.get(position.symbol, Terms()), found)
    )


def levels_in(pool: Pool, position: Position) -> Levels:
    """Return the answer for one position of *pool*, without the words about what it leaves out."""
    if position.quantity == 0.0:
        return Levels(status=NONE)
    group = pool.groups[position.symbol]
    beside = [g for g in pool.groups.values() if g is not group]
    missing = tuple([item for g in (group, *beside) for item in pool.missing[g.symbol]] + pool.missing[""])
    if missing and not (pool.marked and pool.collateral is not None):
        bankruptcy = None
        if pool.collateral is not None and not pool.missing[""] and all(g.mark is not None for g in beside):
            bankruptcy = _bankruptcy(group, pool.collateral + sum([g.profit for g in beside]), 0.0)
        return Levels(
            status=UNAVAILABLE,
            bankruptcy_price=bankruptcy,
            bankruptcy_danger=_bankruptcy_danger(group, bankruptcy, 0.0),
            collateral=pool.collateral,
            missing=missing,
        )
    return _solved(pool, group, beside, position, missing)


def _solved(pool: Pool, group: Group, beside: Sequence[Group], position: Position, missing: tuple[str, ...]) -> Levels:
    """Return the answer where collateral and marks are known; ``unavailable`` if a ladder or a rule still is not."""
    own, mark, x, collateral = group.terms, group.mark, group.x, pool.collateral
    assert mark is not None
    assert x is not None
    assert collateral is not None
    others_profit = sum([g.profit for g in beside])
    others_maintenance = sum([g.requirement for g in beside])
    equity = collateral + others_profit + group.profit
    requirement = others_maintenance + group.requirement
    gain = pool.follows.get(group.symbol, 0.0)
    bankruptcy = _bankruptcy(group, collateral + others_profit, gain)
    bankruptcy_danger = _bankruptcy_danger(group, bankruptcy, gain)
    known = {
        "notional": position.notional_at(mark, own.kind),
        "equity": equity,
        "collateral": collateral,
        "others_profit": others_profit,
        "others_maintenance": others_maintenance,
        "profit": group.profit,
        "reserve": group.reserve,
    }
    if missing:
        return Levels(
            status=UNAVAILABLE,
            bankruptcy_price=bankruptcy,
            bankruptcy_danger=bankruptcy_danger,
            bankruptcy_distance_ratio=_distance(mark, bankruptcy, bankruptcy_danger),
            missing=missing,
            **known,  # type: ignore[arg-type]
        )
    free = collateral + others_profit - others_maintenance
    legs = moving_legs(group, gain)
    price, danger = margin.liquidation_price(mark, free, legs, own.kind)
    # Neither equity <= requirement: rounding must not part the status from the price.
    reached = price is not None and danger * (price - mark) <= 0.0
    liquidatable = reached or margin.surplus(x, free, legs) <= 0.0
    at = position.notional_at(mark if price is None else price, own.kind)
    if own.rule is not None and own.rule.bankruptcy == "proportional" and len(group.legs) == 1:
        at_x = x if liquidatable or price is None else margin.coordinate(price, own.kind)
        behind = collateral + others_profit + gain * (at_x - x)
        zero = _zero_price(group.legs[0], at_x, behind, others_maintenance)
        if liquidatable or price is not None:
            bankruptcy = None if zero is None else margin.coordinate(zero, own.kind)
            bankruptcy_danger = 0 if bankruptcy is None else -1 if position.quantity > 0.0 else 1
    joint = own.rule is not None and own.rule.together and bool(beside)
    drift, drifted = (None, False) if liquidatable or joint else _drift(position, own, price)
    return Levels(
        status=ALREADY_LIQUIDATABLE if liquidatable else NONE if price is None else OK,
        bankruptcy_price=bankruptcy,
        bankruptcy_danger=bankruptcy_danger,
        bankruptcy_distance_ratio=_distance(mark, bankruptcy, bankruptcy_danger),
        liquidation_price=price,
        danger=danger,
        tier=tier_for(position, own, at),
        tier_size=tier_size(position, own, at),
        maintenance_margin=requirement,
        margin_ratio=requirement / equity if equity > 0.0 else None,
        liquidation_distance_ratio=_distance(mark, price, danger),
        buffer_ratio=None if price is None or bankruptcy is None else danger * (bankruptcy - price) / price + 0.0,
        drift_ratio=drift,
        drifted=drifted,
        **known,  # type: ignore[arg-type]
    )


def moving_legs(group: Group, gain: float) -> list[Leg]:
    """Return the legs of *group*, with one more where the collateral *gain*s with its mark: an asset that follows it.

    The asset's value at the present mark is in the collateral already, so this leg was entered there, without a
    requirement.
    """
    if not gain or group.x is None:
        return group.legs
    return [*group.legs, Leg(gain, group.x, (Tier(0.0, 0.0),), smooth=True)]


def _bankruptcy(group: Group, collateral: float, gain: float) -> float | None:
    fee, kind = bankruptcy_fee(group.terms), group.terms.kind
    return margin.bankruptcy_price(collateral, group.legs, fee, kind, (gain, group.x or 0.0))


def _bankruptcy_danger(group: Group, price: float | None, gain: float) -> int:
    """Return which way the equity, less a closing fee where the rule has one, is used up."""
    if price is None:
        return 0
    fee = bankruptcy_fee(group.terms)
    net = gain + sum([leg.quantity - fee * abs(leg.quantity) for leg in group.legs])
    return -1 if (net > 0.0) != (group.terms.kind == "inverse") else 1


def _zero_price(leg: Leg, x: float, behind: float, others_maintenance: float) -> float | None:
    """Return the coordinate at which closing a leg uses up its share of the equity, by requirement.

    ``x - A * (R_i / R) / q``: closing there leaves equity / requirement of the rest as it was. It is asked where the
    venue would close: at the liquidation price, or at the mark once that is past it. Without others it is where the
    equity is zero. *behind* is K with the others' profit.
    """
    own = margin.requirement(x, leg)
    whole = others_maintenance + own
    if whole <= 0.0:
        return None
    zero = x - (behind + margin.profit(x, leg)) * own / whole / leg.quantity
    return zero if zero > x / margin.FAR else None


def _drift(position: Position, own: Terms, price: float | None) -> tuple[float | None, bool]:
    """Return how far ours lies from the venue's own figure, and whether that is too far."""
    theirs = position.reported_liquidation_price
    if theirs is None:
        return None, False
    if price is None or theirs == 0.0:
        return None, (price is None) != (theirs == 0.0)
    limit = max(DRIFT_TICKS * (own.tick_size or 0.0), DRIFT_RATIO * theirs)
    return (price - theirs) / theirs, abs(price - theirs) > limit * (1.0 + 1e-9)


def rounded(price: float, tick_size: float, quantity: float) -> float:
    """Return *price* as venues show it that round to the tick against the holder: a long's up, a short's down.

    >>> rounded(85783.0808, 0.1, 2.0), rounded(94189.1756, 0.1, -2.0)
    (85783.1, 94189.1)
    """
    ticks = price / tick_size
    nearest = round(ticks)
    if abs(ticks - nearest) > 1e-6:
        nearest = int(ticks) + (1 if quantity > 0.0 else 0)
    return float(f"{nearest * tick_size:.12g}")


def approximations(pool: Pool, position: Position, own: Terms, found: Levels) -> tuple[str, ...]:
    """Return, in words, what the answer leaves out or takes for granted."""
    rule, table = own.rule, own.table
    notes = list(rule.approximations) if rule is not None else []
    if rule is not None and position.margin_mode == "cross":
        notes += rule.cross_approximations
    if position.quantity == 0.0:
        return tuple(notes)
    held = [name for name, symbol in pool.assets if symbol != position.symbol]
    if held:
        notes.append(f"the other collateral ({', '.join(held)}) is held at its present value")
    if len(pool.groups) > 1:
        notes.append("the marks of the account's other cross positions are held where they are")
    if table is not None and table.source:
        notes.append(f"tiers: {table.source}" + (f" of {table.date}" if table.date else ""))
    elif rule is not None and rule.maintenance != "fixed" and position.maintenance_margin is not None:
        notes.append("the rate follows from the maintenance_margin that the venue reports, and is kept")
    if rule is not None and own.closing_fee_rate and rule.closing_fee == "none":
        notes.append(f"closing_fee_rate is not used: {rule.name} adds no fee to the requirement")
    if rule is not None and rule.closing_fee == "mark_notional" and not own.closing_fee_rate:
        notes.append(f"{rule.name} adds the taker fee to the requirement: without closing_fee_rate it counts as 0")
    return (*notes, *_ladder_notes(pool, position, found))


def _ladder_notes(pool: Pool, position: Position, found: Levels) -> list[str]:
    """Return what is odd about the ladder where the liquidation price lies."""
    group, notes = pool.groups[position.symbol], list[str]()
    table, price, size = group.terms.table, found.liquidation_price, found.tier_size
    if price is not None:
        leg = group.legs[group.positions.index(position)]
        if margin.requirement(margin.coordinate(price, group.terms.kind), leg) < 0.0:
            notes.append("the requirement there is negative: the ladder seems to lack its lower tiers")
    if table is not None and table.cap is not None and size is not None and size > table.cap:
        what = "notional" if moves_tier(group.terms) else "size"
        notes.append(f"{what} {size:,.0f} lies above the ladder's published maximum {table.cap:,.0f}: last tier used")
    return notes


def _distance(mark: float, price: float | None, danger: int) -> float | None:
    """Return how far the mark is from *price* as a ratio of the mark: positive while safe, 0 at it."""
    return None if price is None else danger * (price - mark) / mark + 0.0  # no -0.0 for people
