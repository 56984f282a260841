"""What brings a position back: the smallest margin top-up, and the smallest reduction, for a wanted distance.

Both are found by halving over ``monitor.core.levels``, so that every rule counts as it does there: first touch in
either direction, tiers at the liquidation price, a closing fee that hangs on the collateral itself. More collateral
never brings liquidation nearer. Closing a part at the mark leaves the equity as it is and takes its share of profit
and requirement away; in a hedge pair it may help up to a point only, since the other leg stays: there the answer is
the first reduction that reaches the target.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import msgspec

from monitor.core.account import Account, Position
from monitor.core.levels import NONE, UNAVAILABLE, Levels, position_levels
from monitor.core.pool import Terms

PRECISION = 1e-13
"""Relative: an answer is at most this much more than it has to be."""

STEPS = 64
"""Reductions of a leg of a hedge pair that are tried, evenly spaced, before halving: a larger one may be worse."""

DOUBLINGS = 200
THIRDS = 60


class Restore(msgspec.Struct, frozen=True):
    """What it takes for a liquidation distance of ``target`` (a ratio of the mark).

    ``top_up`` is an amount in the settlement asset, to the position's margin if isolated, to the balance if cross.
    ``reduce_quantity`` (> 0), ``reduce_contracts`` and ``reduce_ratio`` (0..1 of the position) are what to close
    instead. Of an isolated position a venue then takes ``released_margin`` out, the closed part's share of margin and
    profit, and the price stays where it is until that is added back. 0 where nothing is needed, None where it does not help at all or something is unknown (``missing``).
    ``assumptions`` say what the figures take for granted.
    """

    target: float
    top_up: float | None = None
    reduce_quantity: float | None = None
    reduce_contracts: float | None = None
    reduce_ratio: float | None = None
    released_margin: float | None = None
    assumptions: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def restore(account: Account, position: Position, terms: Mapping[str, Terms], target: float) -> Restore:
    """Return the smallest top-up and the smallest reduction that put *position* a *target* (0..1) from liquidation.

    A position that no price liquidates is there already. For a long of 100 at 1 with a margin of 10 and a
    maintenance rate of 5 %, 20 % away is a price of 0.8, where 100 * 0.8 * 0.05 + 20 = 24 have to be there:

    >>> from monitor.core.contract import LiquidationRule, Tier, TierTable
    >>> rule = LiquidationRule("at mark", "by hand", "2026-11-22", "mark", "notional", "none")
    >>> long = Position("p", "X", 100.0, 1.0, "isolated", 10.0, contracts=100.0)
    >>> terms = {"X": Terms(1.0, TierTable((Tier(0.0, 0.05),), "by hand"), rule=rule)}
    >>> found = restore(Account("a", "v", (long,)), long, terms, 0.2)
    >>> round(found.top_up, 9), round(found.reduce_contracts, 9)  # 10 carry 100 * 10/24 contracts
    (14.0, 58.333333333)
    >>> round(found.released_margin, 9)  # of 10
    5.833333333
    """
    if not 0.0 < target < 1.0:
        raise ValueError(f"the target is a ratio between 0 and 1, not {target!r}")
    found = position_levels(account, position, terms)
    if found.status == UNAVAILABLE:
        return Restore(target, missing=found.missing)
    if position.quantity == 0.0 or _distance(account, position, terms) >= target:
        return Restore(target, 0.0, 0.0, 0.0, 0.0, _released(position, 0.0, found))
    ratio = _ratio_to_close(account, position, terms, target, found)
    return Restore(
        target,
        _amount_to_add(account, position, terms, target, found),
        None if ratio is None else ratio * abs(position.quantity),
        None if ratio is None else ratio * position.contracts,
        ratio,
        None if ratio is None else _released(position, ratio, found),
        _assumptions(account, position, terms),
    )


def _distance(account: Account, position: Position, terms: Mapping[str, Terms]) -> float:
    """Return the liquidation distance, infinite where no price liquidates."""
    found = position_levels(account, position, terms)
    if found.liquidation_distance_ratio is None:
        return math.inf if found.status == NONE else -math.inf
    return found.liquidation_distance_ratio


def _amount_to_add(
    account: Account, position: Position, terms: Mapping[str, Terms], target: float, found: Levels
) -> float | None:
    """Return the smallest top-up, None if none is enough; *found* is how the position stands now."""
    assert found.equity is not None
    assert found.notional is not None

    def enough(more: float) -> bool:
        return _distance(*_topped_up(account, position, more), terms) >= target

    short, more = 0.0, abs(found.equity) + found.notional
    for _ in range(DOUBLINGS):
        if enough(more):
            return _halved(enough, short, more)
        short, more = more, more * 2.0
    return None


def _ratio_to_close(
    account: Account, position: Position, terms: Mapping[str, Terms], target: float, found: Levels
) -> float | None:
    """Return the smallest part to close, None if closing does not help; *found* is how the position stands now."""
    assert found.equity is not None
    mark, kind = terms[position.symbol].mark_price, terms[position.symbol].kind
    assert mark is not None
    profit = position.profit_at(mark, kind)
    beside = account.cross_positions() if position.margin_mode == "cross" else ()
    pair = [p for p in beside if p.symbol == position.symbol and p.quantity != 0.0 and p != position]
    stands = found.equity > found.others_maintenance  # closing leaves the equity as it is

    def distance(part: float) -> float:
        """Of what is closed altogether it is its other leg's; else nothing but the rest of the account decides."""
        smaller, left = _reduced(account, position, part, profit)
        if left.quantity != 0.0 or pair:
            return _distance(smaller, left if left.quantity != 0.0 else pair[0], terms)
        return math.inf if stands else -math.inf

    return _smallest_ratio(distance, target, STEPS if pair else 1)


def _topped_up(account: Account, position: Position, more: float) -> tuple[Account, Position]:
    """Return account and position with *more* collateral where the position draws on it."""
    if position.margin_mode != "cross":
        assert position.margin is not None
        return _with(account, position, msgspec.structs.replace(position, margin=position.margin + more))
    if account.balance is not None:
        return msgspec.structs.replace(account, balance=account.balance + more), position
    assert account.equity is not None
    return msgspec.structs.replace(account, equity=account.equity + more), position


def _reduced(account: Account, position: Position, part: float, profit: float) -> tuple[Account, Position]:
    """Return account and position after closing *part* (0..1) of it at the mark, where its whole *profit* is known."""
    left, amount = 1.0 - part, position.maintenance_margin
    smaller = msgspec.structs.replace(
        position,
        quantity=position.quantity * left,
        contracts=position.contracts * left,
        maintenance_margin=None if amount is None else amount * left,
    )
    if smaller.margin is not None and smaller.margin_mode != "cross":
        smaller = msgspec.structs.replace(smaller, margin=smaller.margin + profit * part)
    elif account.balance is not None:
        account = msgspec.structs.replace(account, balance=account.balance + profit * part)
    return _with(account, position, smaller)


def _released(position: Position, part: float, found: Levels) -> float | None:
    """Return what a venue takes out of an isolated position when *part* of it is closed; None for a cross position."""
    if position.margin_mode == "cross" or position.margin is None:
        return None
    return part * (position.margin + (found.profit or 0.0))


def _with(account: Account, position: Position, changed: Position) -> tuple[Account, Position]:
    positions = tuple(changed if p is position or p == position else p for p in account.positions)
    return msgspec.structs.replace(account, positions=positions), changed


def _smallest_ratio(distance: Callable[[float], float], target: float, steps: int) -> float | None:
    """Return the smallest part to close that brings the *distance* to *target*, None if closing does not help."""
    reached = [distance(step / steps) for step in range(steps + 1)]
    first = next((step for step in range(steps + 1) if reached[step] >= target), None)
    if first is not None:
        short, found = (first - 1) / steps, first / steps
    else:  # of a pair, the best part may lie between two steps
        best = max(range(steps + 1), key=reached.__getitem__)
        short, high = max(0, best - 1) / steps, min(steps, best + 1) / steps
        found = _peak(distance, short, high) if steps > 1 else high
        if distance(found) < target:
            return None
    return _halved(lambda part: distance(part) >= target, short, found)


def _peak(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a *function* that rises and then falls is largest, by thirds."""
    for _ in range(THIRDS):
        left, right = (2.0 * low + high) / 3.0, (low + 2.0 * high) / 3.0
        low, high = (left, high) if function(left) < function(right) else (low, right)
    return (low + high) / 2.0


def _halved(enough: Callable[[float], bool], short: float, found: float) -> float:
    """Return the least that is *enough*, between what falls *short* and what was *found* to be enough."""
    while found - short > PRECISION * found and short < (middle := (short + found) / 2.0) < found:
        if enough(middle):
            found = middle
        else:
            short = middle
    return found


def _assumptions(account: Account, position: Position, terms: Mapping[str, Terms]) -> tuple[str, ...]:
    """Return what the figures for *position* take for granted."""
    notes = ["the part is closed at the present mark, without fees or slippage"]
    if position.margin_mode == "cross":
        notes.append("the profit or loss of the closed part goes to the balance")
        if any(p.symbol != position.symbol and p.quantity != 0.0 for p in account.cross_positions()):
            notes.append("the marks of the account's other cross positions are held where they are")
    else:
        notes.append(
            "the margin of the closed part, with its profit or loss, is added back to the position: a venue releases "
            "it in proportion, which leaves the liquidation price where it is"
        )
    if position.maintenance_margin is not None:
        notes.append("the maintenance_margin that the venue reports shrinks in proportion")
    rule = terms[position.symbol].rule
    if rule is not None and rule.tier_by == "contracts":
        notes.append("the smaller number of contracts has its own tier")
    return tuple(notes)
