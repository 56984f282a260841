"""The second half of the sum: liquidation and bankruptcy price with their formulas in numbers.

A formula is the equation of ``monitor.core.margin`` solved for the price. What stands in it is constant (collateral,
deductions, entry values, fixed amounts) or goes with the price; an inverse contract has the two halves the other way
round.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from monitor.cli.case import Case
from monitor.cli.figures import Part, amount, figure, fraction, percent, product, share, signed
from monitor.cli.sum_account import Row, of, required, tier_words
from monitor.core import margin
from monitor.core.account import Position
from monitor.core.contract import tier_at
from monitor.core.levels import ALREADY_LIQUIDATABLE, DRIFT_RATIO, DRIFT_TICKS, OK, UNAVAILABLE
from monitor.core.margin import Leg, coordinate
from monitor.core.pool import bankruptcy_fee


def liquidation(case: Case) -> Iterator[Row]:
    """Yield the liquidation price, its formula with numbers, the tier there, and the price as the venue shows it."""
    found, price = case.found, case.found.liquidation_price
    already = found.status == ALREADY_LIQUIDATABLE
    word = "recovery price" if already else "liquidation price"
    if case.group is None:
        return
    if found.status == UNAVAILABLE or found.collateral is None:
        yield word, "unknown", ""
        return
    free = found.collateral + found.others_profit - found.others_maintenance
    if case.beside:
        how = signed([(found.collateral, ""), (found.others_profit, ""), (-found.others_maintenance, "")])
        yield "free collateral", amount(free), f"{how}: all of it + others' profit - others' requirement"
    if price is None:
        why = "brings it back" if already else "liquidates this position"
        yield word, "none", f"no positive price {why}"
        return
    if case.gain:
        names = ", ".join(asset.asset for asset in case.account.assets if asset.symbol == case.position.symbol)
        yield "follows the mark", figure(case.gain), f"{names} of the collateral: so much of it moves with this price"
    yield word, figure(price), from_mark(case, price, found.liquidation_distance_ratio)
    if any(leg.slope for _, leg in case.pairs):
        yield from _quadratic(case, free, price)
    else:
        why = "at this price the next tier begins, and its requirement is higher"
        yield "", "", _solved(case, free, price) or why
    for position, leg in case.pairs:
        yield from _there(case, position, leg, price)
    shown = case.shown_price
    if shown is not None:
        yield "shown as", figure(shown), f"rounded against the holder to the tick {figure(case.own.tick_size)}"


def _solved(case: Case, free: float, price: float) -> str:
    """Return the fraction that gives the liquidation price."""
    kind = case.own.kind
    constant, moving = [(free, "")], list[Part]()
    for position, leg in case.pairs:
        tier = tier_at(leg.tiers, abs(leg.quantity) * coordinate(price, kind))
        constant += _constant(case, position, leg, tier.deduction)
        way, size = math.copysign(1.0, leg.quantity), abs(leg.quantity)
        rates = tier.maintenance_rate, leg.fee
        moving.append((-way * size * (1.0 - way * sum(rates)), _moving(leg, *rates)))
    constant, moving = [*constant, *_as_of_mark(case)], [*moving, *_with_mark(case)]
    return fraction(moving, constant, price) if kind == "inverse" else fraction(constant, moving, price)


def _as_of_mark(case: Case) -> list[Part]:
    """Return what takes the assets that follow the mark out of the collateral, which has them at the present mark."""
    mark = case.own.mark_price
    return [] if mark is None or not case.gain else [(-case.gain * mark, f"{figure(abs(case.gain))} x {figure(mark)}")]


def _with_mark(case: Case) -> list[Part]:
    """Return these assets beside the legs, for the half of a fraction that goes with the price."""
    return [(-case.gain, "")] if case.gain else []


def _constant(case: Case, position: Position, leg: Leg, deduction: float) -> list[Part]:
    """Return what one leg puts beside the collateral: deduction, value at entry, fixed requirement, closing fee."""
    reserve = case.reserve(position)
    value = product(position.quantity, position.entry_price, case.own.kind)
    return [(deduction, ""), (-leg.quantity * leg.entry_price, value), (-(leg.fixed - reserve), ""), (-reserve, "")]


def _moving(leg: Leg, *rates: float) -> str:
    """Return the size of a leg with the rates that bear on it: ``2 x (1 - 0.005 - 0.0005)``."""
    sign, size = " - " if leg.quantity > 0.0 else " + ", figure(abs(leg.quantity))
    said = "".join(f"{sign}{figure(rate)}" for rate in rates if rate)
    return f"{size} x (1{said})" if said else size


def _quadratic(case: Case, free: float, price: float) -> Iterator[Row]:
    """Yield the solution where the rate rises with the size in coins: a x n x n + b x n = c, n the coins at the price.

    With hedge legs n is the coins of the position that is explained, and the other leg has its share of them.
    """
    own = abs(case.position.quantity)
    bend, slope, constant = list[Part](), list[Part](), list[Part]([(free, "")])
    for position, leg in case.pairs:
        part, way = abs(leg.quantity) / own, -1.0 if leg.quantity > 0.0 else 1.0
        times = "" if part == 1.0 else f" x {figure(part)}"
        bend.append((leg.slope * part * part, figure(leg.slope) + times + times))
        rates = leg.tiers[0].maintenance_rate + leg.fee
        slope += [(way * part, figure(part)), (rates * part, figure(rates) + times)]
        constant += _constant(case, position, leg, leg.tiers[0].deduction)
    a, b, c = (sum(value for value, _ in parts) for parts in (bend, slope, constant))
    n = own / price
    yield "", "", f"= {figure(own)} / {figure(n)}"
    yield "coins there", figure(n), "n in a x n x n + b x n = c"
    root = f"sqrt({figure(abs(b))} x {figure(abs(b))} {'+' if a * c > 0.0 else '-'} 4 x {figure(a)} x {figure(abs(c))})"
    level = math.sqrt(max(0.0, b * b + 4.0 * a * c))
    if math.isclose(n * (abs(b) + level), 2.0 * abs(c), rel_tol=1e-9):
        yield "", "", f"= 2 x {figure(abs(c))} / ({figure(abs(b))} + {root})"
    else:
        yield "", "", f"= ({figure(abs(b))} + {root}) / (2 x {figure(a)})"
    yield "a", figure(a), f"{signed(bend)}: how the rate rises with the coins"
    yield "b", figure(b), f"{signed(slope)}: the position itself and its base rate"
    yield "c", figure(c), f"{signed(constant)}: collateral and value at entry"


def _there(case: Case, position: Position, leg: Leg, price: float) -> Iterator[Row]:
    """Yield the value of a leg at the liquidation price and the tier that it is in there."""
    own, rule = case.own, case.rule
    assert rule is not None
    if rule.maintenance in {"fixed", "entry"}:
        return
    size = position.notional_at(price, own.kind)
    tier = tier_at(leg.tiers, size)
    words = tier_words(position, own, size).removeprefix(", ")
    how = f"{words}: " if words and rule.tier_by == "notional" else f"{words}; " if words else ""
    how += f"rate {figure(tier.maintenance_rate)}" + (f", deduction {amount(tier.deduction)}" if tier.deduction else "")
    if leg.slope:
        how += f" + {figure(leg.slope)} x {figure(size)}"
    yield of(case, "notional there", position), amount(size), f"{product(position.quantity, price, own.kind)}; {how}"


def bankruptcy(case: Case) -> Iterator[Row]:
    """Yield the bankruptcy price and its formula with numbers, and the room between the two prices."""
    found, price = case.found, case.found.bankruptcy_price
    if case.group is None:
        return
    if price is not None and found.collateral is not None:
        yield "bankruptcy price", figure(price), from_mark(case, price, found.bankruptcy_distance_ratio)
        if _proportional(case):
            yield from _zero_price(case)
        else:
            yield "", "", _no_equity(case, price)
        shown = case.shown_bankruptcy_price
        if shown is not None:
            yield "shown as", figure(shown), f"rounded against the holder to the tick {figure(case.own.tick_size)}"
    elif found.collateral is None or case.others_profit is None:
        yield "bankruptcy price", "unknown", ""
    else:
        yield "bankruptcy price", "none", "no positive price makes the equity zero"
    if found.buffer_ratio is not None and price is not None and found.liquidation_price is not None:
        high, low = (found.liquidation_price, price)[:: -found.danger or 1]
        how = f"({figure(high)} - {figure(low)}) / {figure(found.liquidation_price)}"
        yield "buffer", share(found.buffer_ratio), f"{how}; room to close without a loss for the venue"


def _proportional(case: Case) -> bool:
    """Return whether the bankruptcy price is the zero price.

    Where the venue never closes, and for the legs of a pair, it is the equity's root.
    """
    its, found = case.rule, case.found
    if (
        len(case.pairs) > 1
        or its is None
        or its.bankruptcy != "proportional"
        or found.status not in {OK, ALREADY_LIQUIDATABLE}
    ):
        return False
    return found.maintenance_margin is not None and found.maintenance_margin > 0.0


def _no_equity(case: Case, price: float) -> str:
    """Return the fraction that gives the price at which the equity is zero, or just pays the closing fee."""
    fee, kind = bankruptcy_fee(case.own), case.own.kind
    constant = [(case.found.collateral or 0.0, ""), (case.others_profit or 0.0, "")]
    moving = list[Part]()
    for position, leg in case.pairs:
        value = product(position.quantity, position.entry_price, kind)
        constant.append((-leg.quantity * leg.entry_price, value))
        moving.append((fee * abs(leg.quantity) - leg.quantity, _moving(leg, fee)))
    constant, moving = [*constant, *_as_of_mark(case)], [*moving, *_with_mark(case)]
    return fraction(moving, constant, price) if kind == "inverse" else fraction(constant, moving, price)


def _zero_price(case: Case) -> Iterator[Row]:
    """Yield how the zero price comes about: what the position's share of the equity, by requirement, leaves room for.

    The venue closes a healthy position at its liquidation price, where the equity is the requirement itself, and one
    that is already liquidatable at the mark.
    """
    found, kind = case.found, case.own.kind
    position, leg = next(pair for pair in case.pairs if pair[0] is case.position)
    already = found.status == ALREADY_LIQUIDATABLE
    price = case.own.mark_price if already else found.liquidation_price
    assert price is not None
    assert found.equity is not None
    x = coordinate(price, kind)
    needed = margin.requirement(x, leg)
    used, share_of = amount(abs(needed)), needed
    equity = (found.collateral or 0.0) + found.others_profit + margin.profit(x, leg) + case.gained(price)
    whole = found.others_maintenance + needed
    if already or not math.isclose(equity, whole, rel_tol=1e-9):  # where the requirement jumps, it is not the equity
        used = f"{amount(abs(equity))} x {used} / {amount(abs(whole))}"
        share_of = equity * needed / whole
    sign, size = "-" if (share_of > 0.0) == (leg.quantity > 0.0) else "+", figure(abs(leg.quantity))
    if kind == "inverse":
        yield "", "", f"= 1 / (1 / {figure(price)} {sign} {used} / {size})"
    else:
        yield "", "", f"= {figure(price)} {sign} {used} / {size}"
    if not already:
        yield from required(case, position, leg, price, " there")


def compared(case: Case) -> Iterator[Row]:
    """Yield the venue's own figure beside ours, where the operator has given it."""
    theirs, found = case.position.reported_liquidation_price, case.found
    if theirs is None:
        return
    label = "the venue's own"
    value = figure(theirs) if theirs else "none"
    if case.marks:
        yield label, value, "of the marks in the file, so not compared"
    elif found.drift_ratio is not None:
        limit = f"the larger of {DRIFT_TICKS:g} ticks and {100.0 * DRIFT_RATIO:g} %"
        verdict = f"too far apart: more than {limit}" if found.drifted else f"they agree within {limit}"
        yield label, value, ""
        ours = figure(found.liquidation_price)
        yield "drift", share(found.drift_ratio), f"({ours} - {figure(theirs)}) / {figure(theirs)}; {verdict}"
    elif found.status == UNAVAILABLE:
        yield label, value, "ours is unknown"
    elif case.rule is not None and case.rule.together and len(case.pool.groups) > 1:
        yield label, value, "moves all marks together, so not compared: see the fatal moves"
    elif found.status == ALREADY_LIQUIDATABLE:
        yield label, value, "not compared: the mark is past ours"
    else:
        ours = figure(found.liquidation_price) if found.liquidation_price is not None else "none"
        yield label, value, f"ours is {ours}: too far apart" if found.drifted else "ours is none as well"


def from_mark(case: Case, price: float, distance: float | None) -> str:
    """Return where *price* lies as seen from the mark."""
    mark = case.own.mark_price
    if mark is None or distance is None:
        return "distance unknown without a mark price"
    if price == mark:
        return "at the mark"
    passed = "; the mark is past it" if distance < 0.0 else ""
    return f"{percent(abs(price - mark) / mark)} {'above' if price > mark else 'below'} the mark{passed}"
