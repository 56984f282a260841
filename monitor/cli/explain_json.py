"""``explain --json``: one object a position, numbers as they are, unknown ones null."""

from __future__ import annotations

import msgspec

from monitor.cli.case import Case
from monitor.core.contract import SWITCHES


def as_json(case: Case) -> dict[str, object]:
    """Return the answer for machines.

    The equity is ``collateral`` + ``profit`` (of both legs, in a hedge pair) + ``others_profit``; ``margin`` and
    ``balance`` are what the file says, or ``margin`` what follows from the leverage there.
    """
    position, found = case.position, case.found
    priced, solved = found.equity is not None, found.maintenance_margin is not None
    answer: dict[str, object] = {
        "name": position.name,
        "account": case.account.name,
        "venue": case.account.venue,
        "symbol": position.symbol,
        "side": position.side,
        "kind": case.own.kind,
        "margin_mode": position.margin_mode,
        "status": found.status,
        "contracts": position.contracts,
        "quantity": position.quantity,
        "entry_price": position.entry_price,
        "margin": position.margin,
        "balance": case.account.balance if position.margin_mode == "cross" else None,
        "mark_price": case.own.mark_price,
        "liquidation_price": found.liquidation_price,
        "bankruptcy_price": found.bankruptcy_price,
        "liquidation_distance_ratio": found.liquidation_distance_ratio,
        "bankruptcy_distance_ratio": found.bankruptcy_distance_ratio,
        "buffer_ratio": found.buffer_ratio,
        "shown_liquidation_price": case.shown_price,
        "shown_bankruptcy_price": case.shown_bankruptcy_price,
        "reported_liquidation_price": position.reported_liquidation_price,
        "drift_ratio": found.drift_ratio,
        "drifted": found.drifted,
        "notional": found.notional,
        "collateral": found.collateral,
        "profit": found.profit,
        "others_profit": found.others_profit if priced else None,
        "others_maintenance": found.others_maintenance if solved else None,
        "closing_fee_reserve": found.reserve if solved else None,
        "equity": found.equity,
        "maintenance_margin": found.maintenance_margin,
        "margin_ratio": found.margin_ratio,
        "tier": _tier(case),
        "rule": _rule(case),
        "shock": case.shock,
        "target": case.restore.target,
        "restore": case.restore,
        "advice": case.advice,
        "missing": found.missing,
        "approximations": found.approximations,
    }
    if case.marks:
        answer["what_if"] = dict(case.marks)
    return answer


def _tier(case: Case) -> dict[str, object] | None:
    """Return the tier at the liquidation price; ``size`` chose it: a notional, or contracts where the rule counts those.

    ``notional`` is the same number, under the name that it had when there was no other size.
    """
    tier, size = case.found.tier, case.found.tier_size
    if tier is None:
        return None
    return msgspec.structs.asdict(tier) | {"notional": size, "size": size}


def _rule(case: Case) -> dict[str, object] | None:
    """Return how the venue calculates, with every switch."""
    rule = case.rule
    if rule is None:
        return None
    said = {"name": rule.name, "source": rule.source, "date": rule.date}
    return said | {switch: getattr(rule, switch) for switch in SWITCHES}
