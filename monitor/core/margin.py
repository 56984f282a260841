"""The equation behind every liquidation price: equity less requirement, as a function of one price.

Everything is worked out in a *coordinate* x in which profit and notional are straight lines. For a linear contract
x is the price. An inverse contract is a linear one turned round: a long of face value Q bought at E earns
``Q * (1/E - 1/P)`` coins, which is a short of Q bought at 1/E, at the price x = 1/P. So there is one set of
formulas: signed quantity ``q``, entry ``e``, collateral ``K``, and per leg rate ``m``, deduction ``c``, fee ``f``:

    equity      A(x) = K + sum q*(x - e)
    requirement R(x) = sum |q|*x*(m + f) - c + fixed  (+ slope * (|q|*x)^2 where the rate rises with the size)
    liquidation: A(x) - R(x) reaches 0, walking outward from the present mark; bankruptcy: A(x) = 0

Both are straight lines between two tier boundaries (a parabola with a slope), so each stretch has a closed form;
the tier is the one **at the liquidation price**, never the one at entry or at the present mark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from monitor.core.contract import Tier, tier_at

FAR = 1e12
"""A root further than so many times from the mark, or so many times nearer to zero, is none but for a last digit."""

JUMP = 1e-10
"""A jump that moves the price by less than this share of it is one of rounding."""

LAST_DIGITS = 1e-15
"""As a share of the value at entry: an equity that is zero but for these."""


def coordinate(price: float, kind: str) -> float:
    """Return the coordinate x of a price, or the price of a coordinate: its own inverse function."""
    return 1.0 / price if kind == "inverse" else price


class Leg(msgspec.Struct, frozen=True, gc=False):
    """One position in the equation, in coordinates: signed quantity, entry, ladder by notional, closing fee rate.

    ``fixed`` is a constant part of the requirement, ``slope`` the rise of the rate per unit of notional. ``smooth``
    says that the requirement is known to have no jump (:func:`is_smooth`), so that the surplus has one root at most.
    """

    quantity: float
    entry_price: float
    tiers: tuple[Tier, ...]
    fee: float = 0.0
    fixed: float = 0.0
    slope: float = 0.0
    smooth: bool = False


def is_smooth(tiers: Sequence[Tier], fee: float = 0.0) -> bool:
    """Return whether a requirement by *tiers* has no jump at a boundary, but for rounding of the price it leads to.

    >>> is_smooth((Tier(0, 0.004), Tier(300_000, 0.005, 300))), is_smooth((Tier(0, 0.004), Tier(300_000, 0.005)))
    (True, False)
    """
    for below, above in pairwise(tiers):
        jump = above.floor * (above.maintenance_rate - below.maintenance_rate) - above.deduction + below.deduction
        if abs(jump) > JUMP * above.floor * (1.0 - above.maintenance_rate - fee):
            return False
    return True


def maintenance_margin(notional: float, tier: Tier, closing_fee_rate: float = 0.0) -> float:
    """Return the requirement for *notional* in *tier*: ``notional * (rate + fee) - deduction``.

    >>> maintenance_margin(1_000_000.0, Tier(800_000.0, 0.0065, 1_500.0))
    5000.0
    """
    return notional * (tier.maintenance_rate + closing_fee_rate) - tier.deduction


def requirement(x: float, leg: Leg) -> float:
    """Return what the venue requires for *leg* at the coordinate *x*."""
    notional = abs(leg.quantity) * x
    amount = maintenance_margin(notional, tier_at(leg.tiers, notional), leg.fee)
    return amount + leg.fixed + leg.slope * notional * notional


def profit(x: float, leg: Leg) -> float:
    """Return the unrealised profit of *leg* at the coordinate *x*."""
    return leg.quantity * (x - leg.entry_price)


def surplus(x: float, collateral: float, legs: Sequence[Leg]) -> float:
    """Return ``A(x) - R(x)``: equity above the requirement; liquidation is where it reaches 0."""
    total = collateral
    for leg in legs:
        total += profit(x, leg)
        total -= requirement(x, leg)
    return total


Curve = tuple[float, float, float]
"""Intercept, slope and curvature of a surplus: ``c0 + c1*x + c2*x^2``."""


def curve(collateral: float, legs: Sequence[Leg], inside: float) -> Curve:
    """Return the surplus as it is on the stretch of tiers that the coordinate *inside* lies in."""
    intercept, slope, bend = collateral, 0.0, 0.0
    for leg in legs:
        size = abs(leg.quantity)
        tier = tier_at(leg.tiers, size * inside)
        intercept += tier.deduction - leg.quantity * leg.entry_price - leg.fixed
        slope += leg.quantity - size * (tier.maintenance_rate + leg.fee)
        bend -= leg.slope * size * size
    return intercept, slope, bend


def edges(legs: Sequence[Leg]) -> Iterator[float]:
    """Yield the coordinates at which one of *legs* changes its tier."""
    for leg in legs:
        for tier in leg.tiers[1:]:
            yield tier.floor / abs(leg.quantity)


def first_crossing(mark: float, collateral: float, legs: Sequence[Leg], *, up: bool, falling: bool) -> float | None:
    """Return the first coordinate, walking from *mark* upward or downward, where the surplus changes sign.

    With *falling* the walk starts above zero and looks for the point where the surplus reaches 0 or below;
    otherwise it starts below and looks for the recovery. A tier boundary across which the surplus jumps over
    zero is itself the answer: first touch counts. None if nothing is met before 0 or infinity.
    """
    met = sorted({edge for edge in edges(legs) if (edge > mark) == up and edge != mark}, reverse=not up)
    start = mark
    for edge in [*met, math.inf if up else 0.0]:
        inside = start * 2.0 + 1.0 if math.isinf(edge) else (start + edge) / 2.0
        shape = curve(collateral, legs, inside)
        jumps = start != mark or _tiers_differ(legs, mark, inside)
        if jumps and (_at(shape, start) <= 0.0) == falling:
            return start
        root = _root(shape, start, up=up, falling=falling)
        if root is not None and (root <= edge if up else root >= edge):
            root = max(root, start) if up else min(root, start)  # rounding must not put it behind the start
            return root if root > 0.0 else None
        start = edge
    return None


def _at(shape: Curve, x: float) -> float:
    return shape[0] + (shape[1] + shape[2] * x) * x


def _root(shape: Curve, start: float, *, up: bool, falling: bool) -> float | None:
    """Return where a surplus of this *shape* first reaches zero outward from *start*, None if it never does.

    A straight line that moves towards zero may have its root before *start* by rounding, where a boundary or the
    mark is the root.
    """
    intercept, slope, bend = shape
    if bend == 0.0:
        return -intercept / slope if slope != 0.0 and (slope < 0.0) == (up == falling) else None
    # A requirement that grows with the square of the size: the surplus is positive between its two roots.
    inner = slope * slope - 4.0 * bend * intercept
    if inner < 0.0:
        return None
    half = -0.5 * (slope + math.copysign(math.sqrt(inner), slope))
    low, high = sorted((half / bend, intercept / half)) if half else (0.0, 0.0)
    if falling:
        return high if up else low
    root = low if up else high
    return root if (root >= start * (1.0 - 1e-12) if up else root <= start * (1.0 + 1e-12)) else None


def _tiers_differ(legs: Sequence[Leg], x: float, other: float) -> bool:
    return any(
        tier_at(leg.tiers, abs(leg.quantity) * x) is not tier_at(leg.tiers, abs(leg.quantity) * other) for leg in legs
    )


def liquidation_price(
    mark: float, collateral: float, legs: Sequence[Leg], kind: str = "linear"
) -> tuple[float | None, int]:
    """Return the price where the venue takes over, and which way danger lies (+1 up, -1 down).

    *mark* is a price, *collateral* is K plus the others' profit less the others' requirement. Where the surplus at
    the mark is already gone, the price is the recovery price on the favourable side. ``(None, way)`` means no
    positive price.

    >>> tiers = Tier(0.0, 0.004), Tier(300_000.0, 0.005, 300.0), Tier(800_000.0, 0.0065, 1_500.0)
    >>> round(liquidation_price(90_000.0, 85_500.0, [Leg(9.5, 90_000.0, tiers)])[0], 4)  # the 0.65 % tier: 81371.0169
    81375.2975
    """
    x = coordinate(mark, kind)
    if len(legs) == 1 and legs[0].smooth:
        return _only_price(mark, x, collateral, legs[0], kind)
    healthy = surplus(x, collateral, legs) > 0.0
    turned = kind == "inverse"
    found: list[tuple[float, float, int]] = []
    ways: tuple[bool, ...] = (False, True)
    if any(leg.slope for leg in legs):
        # Where the rate rises with the coins it also reaches 1 as the price nears 0: no venue closes for that.
        ways = ((sum(leg.quantity for leg in legs) > 0.0) != healthy,)
    for up in ways:
        root = first_crossing(x, collateral, legs, up=up, falling=healthy)
        if root is not None and 1.0 / FAR < root / x < FAR:
            price = mark if root == x else coordinate(root, kind)  # 1 / (1 / mark) may be another number
            found.append((abs(price - mark), price, 1 if (up != turned) == healthy else -1))
    if found:
        _, price, way = min(found)
        return price, way
    slope = curve(collateral, legs, x)[1]
    return None, -1 if (slope > 0.0) != turned else 1


def _only_price(mark: float, x: float, collateral: float, leg: Leg, kind: str) -> tuple[float | None, int]:
    """Return price and way of danger of a smooth leg, whose surplus has one root, on the side that its sign says."""
    rises = leg.quantity > 0.0
    way = -1 if rises != (kind == "inverse") else 1
    root = _only_root(collateral, leg)
    healthy = surplus(x, collateral, (leg,)) > 0.0
    if (root >= x) if rises == healthy else (root <= x):  # but for rounding it lies on the other side
        return mark, way
    return (coordinate(root, kind) if 1.0 / FAR < root / x < FAR else None), way


def _only_root(collateral: float, leg: Leg) -> float:
    """Return where the surplus of a smooth leg is zero; it may be negative.

    With way s, the surplus is ``s * (n * (1 - s*(m + f)) + s*c - v)`` at the notional n, v being what must be lost: a
    line that only rises with n, so the tier of the root is the last one at whose floor it still lies below v.
    """
    way, size = (1.0, leg.quantity) if leg.quantity > 0.0 else (-1.0, -leg.quantity)
    lost = way * (leg.quantity * leg.entry_price + leg.fixed - collateral)
    found = leg.tiers[0]
    for tier in leg.tiers[1:]:
        if tier.floor * (1.0 - way * (tier.maintenance_rate + leg.fee)) + way * tier.deduction >= lost:
            break
        found = tier
    return (lost - way * found.deduction) / (size * (1.0 - way * (found.maintenance_rate + leg.fee)))


def bankruptcy_price(
    collateral: float,
    legs: Sequence[Leg],
    fee: float = 0.0,
    kind: str = "linear",
    follows: tuple[float, float] = (0.0, 0.0),
) -> float | None:
    """Return the price where equity is zero, or just pays a closing *fee*; None if no positive price does.

    *collateral* is K plus the others' profit. Where an asset in it follows the mark, *follows* is what it gains per
    unit of the coordinate, and the coordinate at which K has its value.

    >>> bankruptcy_price(5_000.0, [Leg(-1.0, 50_000.0, (Tier(0.0, 0.004),))])
    55000.0
    """
    net = sum(leg.quantity - fee * abs(leg.quantity) for leg in legs) + follows[0]
    if net == 0.0:
        return None
    value = sum(abs(leg.quantity) * leg.entry_price for leg in legs)
    missing = sum(leg.quantity * leg.entry_price for leg in legs) - collateral + follows[0] * follows[1]
    x = missing / net
    if x <= 0.0 or not math.isfinite(x) or abs(missing) < LAST_DIGITS * value:
        return None
    price = coordinate(x, kind)
    return price if math.isfinite(price) else None
