"""What follows from the sum: a move of everything together, what brings the distance back, and advice."""

from __future__ import annotations

import math
from collections.abc import Iterator

from monitor.cli.case import Case
from monitor.cli.figures import amount, figure, percent, signed
from monitor.cli.sum_account import Row
from monitor.core import margin
from monitor.core.levels import ALREADY_LIQUIDATABLE, NONE, OK, UNAVAILABLE

STEPS = (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3)
"""The moves of all marks that the text shows; ``--json`` has the whole grid."""


def shocks(case: Case) -> Iterator[Row]:
    """Yield the smallest moves of all marks that end the account, and what is left after some moves.

    They are the same for every position on one collateral, so they are told with the first one.
    """
    moves, found = case.shock, case.found
    first = next(iter(case.pool.groups.values())).positions[0] if case.pool.groups else case.position
    if not case.position.quantity:
        return
    if moves.missing:
        yield "shock", "unknown", f"missing: {', '.join(moves.missing)}"
    elif _alone(case):
        how = "nothing else shares its collateral: its own distance is all that counts"
        yield "shock", percent(found.liquidation_distance_ratio), how
    elif case.position is not first:
        yield "shock", "", f"of the whole account: see {first.name}"
    else:
        yield from _fatal(case)
        for move, left, required in moves.grid:
            if any(abs(move - step) < 1e-9 for step in STEPS):
                how = f"equity, of which {amount(required)} is required" + ("; fatal" if left <= required else "")
                yield f"all at {100.0 * move:+.0f} %" if move else "all as it is", amount(left), how


def _fatal(case: Case) -> Iterator[Row]:
    """Yield the smallest fatal moves."""
    moves = case.shock
    if case.found.status == ALREADY_LIQUIDATABLE:
        yield "fatal move", percent(0.0), "the account is liquidatable as it is"
        return
    yield "fatal move down", percent(moves.down), "of all marks together, by their betas"
    yield "fatal move up", percent(moves.up), "likewise"
    if (moves.down, moves.up) != (moves.down_together, moves.up_together):
        yield "with beta 1, down", percent(moves.down_together), "all marks by the same share"
        yield "with beta 1, up", percent(moves.up_together), "likewise"
    yield "decorrelated", percent(moves.against), "each coin the way that hurts, by its beta"
    if moves.killer_price is not None:
        how = f"{moves.killer} alone ends the account there, {percent(moves.killer_move)} from its mark"
        yield "nearest alone", figure(moves.killer_price), how


def _alone(case: Case) -> bool:
    """Return whether a position has its collateral to itself, and that in what does not move."""
    assets = case.account.assets if case.position.margin_mode == "cross" else ()
    return not case.beside and len(case.pairs) <= 1 and not any(asset.beta for asset in assets)


def remedies(case: Case) -> Iterator[Row]:
    """Yield the smallest top-up and the smallest reduction that bring the distance back to the target."""
    plan, distance = case.restore, case.found.liquidation_distance_ratio
    if case.position.quantity == 0.0 or case.found.status == UNAVAILABLE:
        return
    target = percent(plan.target)
    if plan.missing:
        yield "what to do", "unknown", f"missing: {', '.join(plan.missing)}"
        return
    if plan.top_up == 0.0 or case.found.status == NONE:
        near = "no price liquidates it" if distance is None else f"the distance is {percent(distance)}"
        yield "what to do", "nothing", f"{near}, the target {target}"
        return
    yield from _at_target(case)
    if plan.reduce_contracts is None:
        yield "or reduce by", "none", "no reduction brings it there"
    else:
        how = f"contracts ({percent(plan.reduce_ratio)} of the position)"
        if plan.released_margin:
            how += f" and add back the {amount(plan.released_margin)} of margin that it releases"
        how += ", for the same"
        yield "or reduce by", figure(plan.reduce_contracts), how


def _at_target(case: Case) -> Iterator[Row]:
    """Yield the top-up, with its sum where nothing but the collateral changes: what lacks at the wanted price."""
    plan, found, mark, kind = case.restore, case.found, case.own.mark_price, case.own.kind
    goal = f"for a distance of {percent(plan.target)}"
    if plan.top_up is None:
        yield "top up", "none", f"no collateral brings it there: {goal}"
        return
    if mark is None or found.collateral is None:
        return
    price = mark * (1.0 + found.danger * plan.target)
    x = margin.coordinate(price, kind)
    equity = found.collateral + found.others_profit + sum(margin.profit(x, leg) for _, leg in case.pairs)
    equity += case.gained(price)
    required = found.others_maintenance + sum(margin.requirement(x, leg) for _, leg in case.pairs)
    if found.status == OK and math.isclose(required - equity, plan.top_up, rel_tol=1e-6):
        sign = "+" if found.danger > 0 else "-"
        yield "wanted price", figure(price), f"{figure(mark)} x (1 {sign} {figure(plan.target)})"
        how = f"{signed([(required, ''), (-equity, '')])}: requirement less equity there"
        yield "top up", amount(plan.top_up), how
    else:
        yield "top up", amount(plan.top_up), goal


def assumptions(case: Case) -> Iterator[Row]:
    """Yield what the remedies take for granted, where there are any to take."""
    if case.position.quantity and case.restore.top_up and case.found.status != UNAVAILABLE:
        for text in case.restore.assumptions:
            yield "assuming", "", text


def advised(case: Case) -> Iterator[Row]:
    """Yield the points of the checklist that this account meets."""
    for item in case.advice:
        yield "advice", "", item.text
