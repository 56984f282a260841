"""The quiet box of a pool: how far each of its marks may go before any of its positions can meet a line.

The positions of a cross account hang on all its marks at once, so their lines move with every price. Solving them
all at every price is not needed: with the tiers held, the pool's surplus S and equity A are straight lines in the
coordinates of its marks, and so is each position's condition. A position that is further than t from liquidation
stays so as long as the surplus would be positive with its own mark moved by t:

    V = S + F(x * k) - F(x) > 0,   k the factor of a move by t towards danger, F its own part of the surplus

The smallest V is a budget that is shared out among the marks, in proportion to what each of them weighs. While every
mark stays within its share, and within the tiers that the lines were drawn for, nothing can happen; when one leaves
it, the exact values are looked at and the budget is shared out anew. What this decides is *when to look*, never
what is seen: alerts are those of a full recompute at every price.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from monitor.core import margin
from monitor.core.margin import Leg
from monitor.core.pool import Group, Pool, bankruptcy_fee
from monitor.core.quiet_box import FALLS, RISES, Band, Condition, Part, QuietBox


class Watched(msgspec.Struct, frozen=True):
    """The distances between which one position of *symbol* is quiet (``alerts.quiet_distances``)."""

    symbol: str
    low: float
    high: float


def _ways(*slopes: float) -> int:
    """Return which ways the lines go when a mark rises: bits of ``RISES`` and ``FALLS``."""
    found = 0
    for slope in slopes:
        found |= RISES if slope > 0.0 else FALLS if slope < 0.0 else 0
    return found


def quiet_box(pool: Pool, watched: Sequence[Watched], gains: Mapping[str, Band]) -> QuietBox | None:
    """Return the quiet box of *pool* at its present marks; None where its surplus is no straight line near them.

    *gains* has, for collateral assets that follow a mark, what the collateral gains per unit of the symbol's
    coordinate and where that is now. Without a box (a hedge pair across a tier boundary, a ladder with jumps, a rate
    that grows with the size in coin, a reserve that hangs on other marks) the pool must be looked at whenever one of
    its marks moves.
    """
    if pool.collateral is None or not pool.marked or not pool.tiered:
        return None
    if (len(pool.groups) > 1 or gains) and any(group.reserve for group in pool.groups.values()):
        return None
    if gains and any(group.terms.kind == "inverse" for group in pool.groups.values()):
        return None
    healthy = pool.surplus() > 0.0
    symbols = [*pool.groups, *(symbol for symbol in gains if symbol not in pool.groups)]
    parts, xs, fees = list[Part](), list[float](), list[float]()
    for symbol in symbols:
        group = pool.groups.get(symbol)
        gain, x = gains.get(symbol, (0.0, 0.0))
        if group is not None:
            assert group.x is not None
            x = group.x
        part = quiet_part(group, x, gain, watched if healthy else ())
        if part is None:
            return None
        parts.append(part)
        xs.append(x)
        fees.append(
            0.0 if group is None else bankruptcy_fee(group.terms) * sum([abs(leg.quantity) for leg in group.legs])
        )
    # The collateral has the assets' values at the present marks in it already.
    collateral = pool.collateral - sum(gain * x for gain, x in gains.values())
    return QuietBox(parts, collateral, fees, xs)


def quiet_part(group: Group | None, x: float, gain: float, watched: Sequence[Watched]) -> Part | None:
    """Return the lines of one symbol with its mark's coordinate at *x*; None where they are not straight.

    *group* is None for a symbol that only the collateral follows. Of *watched*, those of the symbol count; their
    numbers are their places in the whole.
    """
    if group is None:
        return Part((0.0, gain), (0.0, gain), (0.0, math.inf), (), abs(gain), _ways(gain))
    if not all(leg.smooth for leg in group.legs):
        return None
    intercept, slope, _ = margin.curve(0.0, group.legs, x)
    net = sum([leg.quantity for leg in group.legs])
    owed = sum([leg.quantity * leg.entry_price for leg in group.legs])
    fee = bankruptcy_fee(group.terms) * sum([abs(leg.quantity) for leg in group.legs])
    window, conditions = _window(group.legs, x), list[Condition]()
    for number, position in enumerate(watched):
        if position.symbol != group.symbol:
            continue
        for distance, positive in ((position.low, True), (position.high, False)):
            if not 0.0 < distance < math.inf:
                continue  # 0 is the surplus itself
            moved = _moved(group, x, distance, gain)
            if moved is None:
                return None
            lines, where = moved
            window = (max(window[0], where[0]), min(window[1], where[1]))
            if not positive:  # one end below zero is enough
                lines = [min(lines, key=lambda line: line[0] + line[1] * x)]
            conditions += [(*line, positive, number) for line in lines]
    slopes = [slope + gain, net + gain, net + gain - fee, *(slope + gain + c[1] for c in conditions)]
    weight = max([abs(each) for each in slopes])
    return Part((intercept, slope + gain), (-owed, net + gain), window, tuple(conditions), weight, _ways(*slopes))


def _moved(group: Group, x: float, distance: float, gain: float) -> tuple[list[Band], Band] | None:
    """Return ``F(x*k) - F(x)`` as intercept and slope for moves by *distance*, and the window where they hold.

    One move, towards danger, for a single leg; both for the legs of a pair, or a leg beside an asset that follows its
    mark, whose surplus must then be one straight line between them.
    """
    legs, inverse = group.legs, group.terms.kind == "inverse"
    if distance >= 1.0:
        return None
    intercept, slope, _ = margin.curve(0.0, legs, x)
    here = _window(legs, x)
    single = len(legs) == 1 and not gain
    rising = (legs[0].quantity < 0.0) != inverse  # the way to danger, in price
    lines, window = list[Band](), here
    for up in (rising,) if single else (False, True):
        price_factor = 1.0 + distance if up else 1.0 - distance
        factor = 1.0 / price_factor if inverse else price_factor
        there = _window(legs, x * factor)
        if not single and there != here:
            return None
        far_intercept, far_slope, _ = margin.curve(0.0, legs, x * factor)
        lines.append((far_intercept - intercept, far_slope * factor - slope + gain * (factor - 1.0)))
        window = (max(window[0], there[0] / factor), min(window[1], there[1] / factor))
    return lines, window


def _window(legs: Sequence[Leg], x: float) -> Band:
    """Return the coordinates between which every leg stays in the tier that it has at *x*."""
    low, high = 0.0, math.inf
    for leg in legs:
        size = abs(leg.quantity)
        notional = size * x
        for tier in leg.tiers[1:]:
            if tier.floor < notional:
                low = max(low, tier.floor / size)
            else:
                high = min(high, tier.floor / size)
                break
    return low, high
