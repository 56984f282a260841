"""Liquidation and bankruptcy price: where the venue takes over, and where equity is zero.

Notation of the formulas: quantity ``q`` (signed), entry price ``E``, candidate price ``P``, collateral ``K``
without own unrealised profit, maintenance rate ``m`` and deduction ``c`` of the tier in force, closing fee
rate ``f``. For positions that share one price (a single position, or the two legs of a hedge pair):

    equity      A(P) = K + sum q*(P - E)
    requirement R(P) = sum |q|*P*(m + f) - c
    liquidation: A(P) - R(P) reaches 0, walking outward from the present mark; bankruptcy: A(P) = 0

Both are straight lines between two tier boundaries, so each stretch has a closed form; the tier is the one
**at the liquidation price**, never the one at entry or at the present mark. Other cross positions on the
same collateral are held at their present marks: their profit adds to K, their requirement is taken off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from monitor.core.account import Account, Position
from monitor.core.alerts import Lines
from monitor.core.contract import LiquidationRule, Tier, TierTable

OK = "ok"
NONE = "none"
ALREADY_LIQUIDATABLE = "already_liquidatable"
UNAVAILABLE = "unavailable"


class Terms(msgspec.Struct, frozen=True):
    """What the sum of one symbol needs beside the position: present mark, ladder, closing fee.

    The fee counts only where the venue's rule adds one to the requirement.
    """

    mark_price: float | None = None
    table: TierTable | None = None
    closing_fee_rate: float = 0.0
    kind: str = "linear"


class Levels(msgspec.Struct, frozen=True):
    """The answer for one position; amounts in the settlement asset.

    ``status`` is ``ok``, ``none`` (no positive price liquidates it), ``already_liquidatable`` (then
    ``liquidation_price`` is the recovery price) or ``unavailable`` (something is unknown: ``missing`` says what).
    ``danger`` is +1 where a rising mark leads to liquidation and -1 where a falling one does; ``bankruptcy_danger``
    likewise, and 0 without a price. The two differ for a nearly balanced hedge pair, whose requirement grows faster
    with the price than its net profit. ``tier`` is the one at the liquidation price (at the mark when there is
    none), ``tier_notional`` the notional that chose it. Distances are ratios of the mark, positive while safe.
    ``collateral`` is K of the module's formula, with ``others_profit`` and ``others_maintenance`` of the positions
    beside it.
    """

    status: str
    liquidation_price: float | None = None
    bankruptcy_price: float | None = None
    danger: int = 0
    bankruptcy_danger: int = 0
    tier: Tier | None = None
    tier_notional: float | None = None
    notional: float | None = None
    equity: float | None = None
    maintenance_margin: float | None = None
    margin_ratio: float | None = None
    liquidation_distance_ratio: float | None = None
    bankruptcy_distance_ratio: float | None = None
    collateral: float | None = None
    others_profit: float = 0.0
    others_maintenance: float = 0.0
    profit: float | None = None
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


class Leg(msgspec.Struct, frozen=True, gc=False):
    """One position in the shared equation: signed quantity, entry price, ladder, closing fee rate."""

    quantity: float
    entry_price: float
    tiers: tuple[Tier, ...]
    fee: float


def maintenance_margin(notional: float, tier: Tier, closing_fee_rate: float = 0.0) -> float:
    """Return the requirement for *notional* in *tier*: ``notional * (rate + fee) - deduction``.

    >>> maintenance_margin(1_000_000.0, Tier(800_000.0, 0.0065, 1_500.0))
    5000.0
    """
    return notional * (tier.maintenance_rate + closing_fee_rate) - tier.deduction


def _tier(tiers: Sequence[Tier], notional: float) -> Tier:
    found = tiers[0]
    for tier in tiers[1:]:
        if notional <= tier.floor:
            break
        found = tier
    return found


def surplus(price: float, collateral: float, legs: Sequence[Leg]) -> float:
    """Return ``A(P) - R(P)``: equity above the requirement at *price*; liquidation is where it reaches 0."""
    total = collateral
    for leg in legs:
        notional = abs(leg.quantity) * price
        total += leg.quantity * (price - leg.entry_price)
        total -= maintenance_margin(notional, _tier(leg.tiers, notional), leg.fee)
    return total


def _line(collateral: float, legs: Sequence[Leg], inside: float) -> tuple[float, float]:
    """Return intercept and slope of the surplus on the stretch of tiers that the price *inside* lies in."""
    intercept, slope = collateral, 0.0
    for leg in legs:
        size = abs(leg.quantity)
        tier = _tier(leg.tiers, size * inside)
        intercept += tier.deduction - leg.quantity * leg.entry_price
        slope += leg.quantity - size * (tier.maintenance_rate + leg.fee)
    return intercept, slope


def first_crossing(mark: float, collateral: float, legs: Sequence[Leg], *, up: bool, falling: bool) -> float | None:
    """Return the first price, walking from *mark* upward or downward, where the surplus changes sign.

    With *falling* the walk starts above zero and looks for the point where the surplus reaches 0 or below;
    otherwise it starts below and looks for the recovery. A tier boundary across which the surplus jumps over
    zero is itself the answer: first touch counts. None if nothing is met before 0 or infinity.
    """
    edges = sorted(
        {
            edge
            for leg in legs
            for tier in leg.tiers[1:]
            if ((edge := tier.floor / abs(leg.quantity)) > mark) == up and edge != mark
        },
        reverse=not up,
    )
    start = mark
    for edge in [*edges, math.inf if up else 0.0]:
        inside = start * 2.0 + 1.0 if math.isinf(edge) else (start + edge) / 2.0
        intercept, slope = _line(collateral, legs, inside)
        jumps = start != mark or _tiers_differ(legs, mark, inside)
        if jumps and (intercept + slope * start <= 0.0) == falling:
            return start
        if slope != 0.0 and (slope < 0.0) == (up == falling):  # the surplus moves towards zero on this stretch
            root = -intercept / slope  # not before start but by rounding, where a boundary or the mark is the root
            if root <= edge if up else root >= edge:
                return root if root > 0.0 else None
        start = edge
    return None


def _tiers_differ(legs: Sequence[Leg], price: float, other: float) -> bool:
    return any(
        _tier(leg.tiers, abs(leg.quantity) * price) is not _tier(leg.tiers, abs(leg.quantity) * other) for leg in legs
    )


def liquidation_price(mark: float, collateral: float, legs: Sequence[Leg]) -> tuple[float | None, int]:
    """Return the price where the venue takes over, and which way danger lies (+1 up, -1 down).

    *collateral* is K plus the others' profit less the others' requirement. Where the surplus at the mark is
    already gone, the price is the recovery price on the favourable side. ``(None, way)`` means no positive price.

    >>> long = Leg(9.5, 90_000.0, (Tier(0.0, 0.004), Tier(300_000.0, 0.005, 300.0), Tier(800_000.0, 0.0065, 1_500.0)), 0.0)
    >>> round(liquidation_price(90_000.0, 85_500.0, [long])[0], 4)  # the 0.65 % tier would say 81371.0169
    81375.2975
    """
    healthy = surplus(mark, collateral, legs) > 0.0
    found: list[tuple[float, float, int]] = []
    for up in (False, True):
        price = first_crossing(mark, collateral, legs, up=up, falling=healthy)
        if price is not None:
            found.append((abs(price - mark), price, 1 if up == healthy else -1))
    if found:
        _, price, way = min(found)
        return price, way
    slope = _line(collateral, legs, mark)[1]
    return None, -1 if slope > 0.0 else 1


def bankruptcy_price(collateral: float, legs: Sequence[Leg]) -> float | None:
    """Return the price where equity is zero; *collateral* is K plus the others' profit. None if no positive price.

    >>> bankruptcy_price(5_000.0, [Leg(-1.0, 50_000.0, (Tier(0.0, 0.004),), 0.0)])
    55000.0
    """
    net = sum(leg.quantity for leg in legs)
    if net == 0.0:
        return None
    price = (sum(leg.quantity * leg.entry_price for leg in legs) - collateral) / net
    return price if price > 0.0 and math.isfinite(price) else None


def position_levels(account: Account, position: Position, terms: Mapping[str, Terms], rule: LiquidationRule) -> Levels:
    """Return liquidation price, bankruptcy price and the whole sum behind them for one position of *account*.

    *terms* has an entry for every symbol of the account as far as known. Nothing that is unknown is replaced
    by a zero: the answer is then ``unavailable`` and names what is missing.
    """
    notes = list(rule.approximations)
    if position.quantity == 0.0:
        return Levels(status=NONE, approximations=tuple(notes))
    own = terms.get(position.symbol, Terms())
    if own.kind != "linear" or not _calculates(rule):
        what = f"a calculation for {own.kind} contracts by the rule of {rule.name}"
        return Levels(status=UNAVAILABLE, missing=(what,), approximations=tuple(notes))

    missing: list[str] = []
    cross = position.margin_mode == "cross"
    siblings = (
        [p for p in account.cross_positions() if p.symbol == position.symbol and p.quantity] if cross else [position]
    )
    others = [p for p in account.cross_positions() if p.symbol != position.symbol and p.quantity] if cross else []
    others_profit, others_maintenance = _others(others, terms, rule, missing)
    others_marked = not any(item.startswith(("mark_price", "a rule")) for item in missing)
    others_tabled = not missing
    if others:
        notes.append("the marks of the account's other cross positions are held where they are")

    mark = own.mark_price
    if mark is None:
        missing.append(f"mark_price of {position.symbol}")
    collateral = _collateral(account, position, siblings, mark, others_profit, missing)
    table = own.table
    if table is None:
        missing.append(f"tiers of {position.symbol}")
    elif table.source:
        notes.append(f"tiers: {table.source}" + (f" of {table.date}" if table.date else ""))

    ladder = table.tiers if table is not None else (Tier(0.0, 0.0),)
    fee = closing_fee(own, rule)
    if own.closing_fee_rate and not fee:
        notes.append(f"closing_fee_rate is not used: {rule.name} adds no fee to the requirement")
    legs = [Leg(p.quantity, p.entry_price, ladder, fee) for p in siblings]
    bankruptcy = None
    if collateral is not None and others_marked:
        bankruptcy = bankruptcy_price(collateral + others_profit, legs)
    bankruptcy_danger = 0 if bankruptcy is None else -1 if sum(p.quantity for p in siblings) > 0.0 else 1
    if mark is None or collateral is None or not others_marked:
        return Levels(
            status=UNAVAILABLE,
            bankruptcy_price=bankruptcy,
            bankruptcy_danger=bankruptcy_danger,
            collateral=collateral,
            missing=tuple(missing),
            approximations=tuple(notes),
        )

    profit = sum(p.profit_at(mark) for p in siblings)
    equity = collateral + others_profit + profit
    notional = abs(position.quantity) * mark
    bankruptcy_distance = _distance(mark, bankruptcy, bankruptcy_danger)
    if table is None or not others_tabled:
        return Levels(
            status=UNAVAILABLE,
            bankruptcy_price=bankruptcy,
            bankruptcy_danger=bankruptcy_danger,
            notional=notional,
            equity=equity,
            bankruptcy_distance_ratio=bankruptcy_distance,
            collateral=collateral,
            others_profit=others_profit,
            others_maintenance=others_maintenance,
            profit=profit,
            missing=tuple(missing),
            approximations=tuple(notes),
        )

    free = collateral + others_profit - others_maintenance
    price, danger = liquidation_price(mark, free, legs)
    requirement = others_maintenance + sum(
        maintenance_margin(size := abs(leg.quantity) * mark, _tier(leg.tiers, size), leg.fee) for leg in legs
    )
    liquidatable = surplus(mark, free, legs) <= 0.0  # not equity <= requirement: rounding must not part the two
    status = ALREADY_LIQUIDATABLE if liquidatable else NONE if price is None else OK
    at = abs(position.quantity) * (mark if price is None else price)
    if price is not None and maintenance_margin(at, table.tier_at(at)) < 0.0:
        notes.append("the requirement there is negative: the ladder seems to lack its lower tiers")
    if table.cap is not None and at > table.cap:
        notes.append(f"notional {at:,.0f} lies above the ladder's published maximum {table.cap:,.0f}: last tier used")
    return Levels(
        status=status,
        liquidation_price=price,
        bankruptcy_price=bankruptcy,
        danger=danger,
        bankruptcy_danger=bankruptcy_danger,
        tier=table.tier_at(at),
        tier_notional=at,
        notional=notional,
        equity=equity,
        maintenance_margin=requirement,
        margin_ratio=requirement / equity if equity > 0.0 else None,
        liquidation_distance_ratio=_distance(mark, price, danger),
        bankruptcy_distance_ratio=bankruptcy_distance,
        collateral=collateral,
        others_profit=others_profit,
        others_maintenance=others_maintenance,
        profit=profit,
        approximations=tuple(notes),
    )


def _calculates(rule: LiquidationRule) -> bool:
    """Return whether this module has the calculation that *rule* asks for."""
    return (rule.maintenance, rule.tier_by, rule.bankruptcy) == ("mark", "notional", "equity")


def closing_fee(terms: Terms, rule: LiquidationRule) -> float:
    """Return the fee rate on the mark notional that *rule* adds to the requirement."""
    return terms.closing_fee_rate if rule.closing_fee == "mark_notional" else 0.0


def _others(
    others: Sequence[Position], terms: Mapping[str, Terms], rule: LiquidationRule, missing: list[str]
) -> tuple[float, float]:
    """Return profit and requirement of the *others* at their present marks, noting what is *missing*."""
    profit = requirement = 0.0
    for other in others:
        its = terms.get(other.symbol, Terms())
        if its.kind != "linear":
            missing.append(f"a rule for {its.kind} contracts ({other.symbol})")
            continue
        if its.mark_price is None:
            missing.append(f"mark_price of {other.symbol}")
            continue
        profit += other.profit_at(its.mark_price)
        if its.table is None:
            missing.append(f"tiers of {other.symbol}")
            continue
        size = abs(other.quantity) * its.mark_price
        requirement += maintenance_margin(size, its.table.tier_at(size), closing_fee(its, rule))
    return profit, requirement


def _collateral(
    account: Account,
    position: Position,
    siblings: Sequence[Position],
    mark: float | None,
    others_profit: float,
    missing: list[str],
) -> float | None:
    """Return K, from the margin, the balance, or the equity less all unrealised profit; None if unknown."""
    if position.margin_mode != "cross":
        if position.margin is None:
            missing.append(f"margin of {position.name}")
        return position.margin
    if account.balance is not None:
        return account.balance
    if account.equity is None:
        missing.append(f"balance of {account.name}")
        return None
    if mark is None:
        return None
    return account.equity - others_profit - sum(p.profit_at(mark) for p in siblings)


def _distance(mark: float, price: float | None, danger: int) -> float | None:
    """Return how far the mark is from *price* as a ratio of the mark: positive while safe, 0 at it."""
    return None if price is None else danger * (price - mark) / mark + 0.0  # no -0.0 for people
