"""The first half of the sum: what is given, the equity, and what the venue requires of it at the present mark."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.cli.case import Case
from monitor.cli.figures import amount, figure, product, signed
from monitor.core import margin
from monitor.core.account import Position
from monitor.core.contract import tier_at
from monitor.core.margin import Leg
from monitor.core.pool import Terms, asset_price, tier_for, tier_size

Row = tuple[str, str, str]
"""One line of the sum: what it is, its value, and how that comes about."""


def given(case: Case) -> Iterator[Row]:
    """Yield the position itself."""
    position, size = case.position, abs(case.position.quantity)
    how = ""
    if position.contracts and position.contracts != size:
        how = f"{figure(position.contracts)} contracts x {figure(size / position.contracts)}"
    if case.own.kind == "inverse":
        how += f"{', ' if how else ''}face value in quote currency; amounts are in the coin"
    yield "quantity", figure(position.quantity), how
    yield "entry price", figure(position.entry_price), ""
    yield "mark price", figure(case.own.mark_price), "what if" if position.symbol in case.marks else ""


def of(case: Case, what: str, leg: Position) -> str:
    """Return the label *what*, with the side where a hedge pair has two of them."""
    return f"{what}, {leg.side}" if len(case.pairs) > 1 else what


def equity(case: Case) -> Iterator[Row]:
    """Yield the collateral, the profit of everything that shares it, and their sum, as far as known."""
    parts = list(_collateral(case))
    yield from parts
    if case.pool.collateral is None:
        return
    if len(parts) > 1:
        yield "= collateral", amount(case.pool.collateral), ""
    mark, kind, others = case.own.mark_price, case.own.kind, case.others_profit
    if case.beside and others is not None:
        yield "+ others' profit", amount(others), _the_others(case)
    if mark is None or case.found.equity is None:
        return
    for position, _ in case.pairs:
        yield of(case, "+ profit", position), amount(position.profit_at(mark, kind)), _profit(position, mark, kind)
    yield "= equity", amount(case.found.equity), ""


def _profit(position: Position, mark: float, kind: str) -> str:
    if kind == "inverse":
        return f"{figure(position.quantity)} x (1 / {figure(position.entry_price)} - 1 / {figure(mark)})"
    return f"{figure(position.quantity)} x ({figure(mark)} - {figure(position.entry_price)})"


def _collateral(case: Case) -> Iterator[Row]:
    account, position = case.account, case.position
    if position.margin_mode != "cross":
        if position.margin is not None:
            yield "margin", amount(position.margin), ""
            yield from _funding(position.unsettled_funding)
        return
    if account.balance is not None:
        from_equity = case.given_equity is not None
        how = f"the equity {amount(case.given_equity)} at the marks of the file, less all else" if from_equity else ""
        yield "balance", amount(account.balance), how
        yield from _assets(case)
        yield from _funding(sum(p.unsettled_funding for p in account.cross_positions() if p.quantity))
    elif account.equity is not None and case.pool.collateral is None:
        yield "equity", amount(account.equity), "as given"
    elif account.equity is not None:
        mark, kind = case.own.mark_price or 0.0, case.own.kind
        profits = [-leg.profit_at(mark, kind) for leg, _ in case.pairs] + [-(case.others_profit or 0.0)]
        how = signed([(account.equity, amount(account.equity)), *((profit, "") for profit in profits)])
        yield "balance", amount(case.pool.collateral), f"{how}: equity as given less all profit"


def _assets(case: Case) -> Iterator[Row]:
    for asset in case.account.assets:
        price = asset_price(asset, case.terms)
        if price is None:
            continue
        value, rate = asset.value_at(price), f" x {figure(asset.rate)}"
        whole = value == asset.amount * price
        why = ": a debt counts whole" if asset.amount < 0.0 else ""
        how = f"{figure(asset.amount)} x {figure(price)}{'' if whole else rate}{why}"
        yield f"+ {asset.asset}", amount(value), how


def _funding(unsettled: float) -> Iterator[Row]:
    if unsettled:
        yield "+ funding", amount(unsettled), "not settled yet"


def _the_others(case: Case) -> str:
    count = sum(len(group.positions) for group in case.beside)
    if count == 1:
        return f"of {case.beside[0].positions[0].name} at its present mark, see there"
    return f"of the account's {count} cross positions in other symbols at their present marks, see there"


def requirement(case: Case) -> Iterator[Row]:
    """Yield notional and requirement of each leg at the present mark, and the margin ratio."""
    found, own, mark = case.found, case.own, case.own.mark_price
    if mark is None:
        return
    for position, leg in case.pairs:
        size = position.notional_at(mark, own.kind)
        yield of(case, "notional", position), amount(size), product(position.quantity, mark, own.kind)
        if case.group is not None and case.group.tiered:
            yield from required(case, position, leg, mark)
    if found.maintenance_margin is None:
        return
    if case.beside:
        yield "+ others'", amount(found.others_maintenance), _the_others(case)
    if case.beside or len(case.pairs) > 1 or found.reserve:
        yield "= requirement", amount(found.maintenance_margin), ""
    if found.margin_ratio is None:
        yield "margin ratio", "none", "the equity is gone"
    else:
        how = f"{amount(found.maintenance_margin)} / {amount(found.equity)}; 1 is liquidation"
        yield "margin ratio", figure(found.margin_ratio), how


def required(case: Case, position: Position, leg: Leg, price: float, there: str = "") -> Iterator[Row]:
    """Yield what the rule requires of one leg at *price*, each kind of requirement on a line of its own.

    *there* is added to the labels where the price is not the mark.
    """
    own, rule = case.own, case.rule
    assert rule is not None
    kind, reserve = own.kind, case.reserve(position)
    total = margin.requirement(margin.coordinate(price, kind), leg) - reserve
    size = position.notional_at(price, kind)
    fee = f" + {amount(size)} x {figure(leg.fee)}" if leg.fee else ""
    label = of(case, f"requirement{there}", position)
    if rule.maintenance == "fixed":
        told = f": {amount(position.maintenance_margin)} as the venue reports" + (
            ", and the closing fee" if fee else ""
        )
        yield label, amount(total), f"{amount(leg.fixed - reserve)}{fee}{told}"
    elif rule.maintenance == "entry":
        at_entry = position.notional_at(position.entry_price, kind)
        how = product(position.quantity, position.entry_price, kind)
        if not there:
            yield of(case, "notional at entry", position), amount(at_entry), how
        tier = tier_for(position, own, at_entry)
        assert tier is not None
        less = f" - {amount(tier.deduction)}" if tier.deduction else ""
        how = f"{amount(at_entry)} x {figure(tier.maintenance_rate)}{less}{fee}{tier_words(position, own, at_entry)}"
        yield label, amount(total), how
    else:
        yield label, amount(total), _on_notional(case, position, leg, size)
    if reserve:
        how = f"{figure(own.closing_fee_rate)} x {product(position.quantity, case.fee_price(position), kind)}"
        yield of(case, f"+ closing fee{there}", position), amount(reserve), f"{how}: {_fee_words(position)}"


def _fee_words(position: Position) -> str:
    """Return where the closing fee is counted that a requirement contains as a constant."""
    if position.margin_mode == "cross" and position.leverage is not None:
        return f"where its initial margin at {figure(position.leverage)}x is used up"
    return "where it would go bankrupt with this fee"


def _on_notional(case: Case, position: Position, leg: Leg, size: float) -> str:
    """Return the sum of a requirement that moves with the mark."""
    own = case.own
    tier = tier_at(leg.tiers, size)
    rate, words = figure(tier.maintenance_rate), tier_words(position, own, size)
    if own.maintenance_slope and own.table is not None and case.rule is not None and case.rule.maintenance == "size":
        base = own.table.tiers[0].maintenance_rate
        coins = size if own.kind == "inverse" else abs(position.quantity)
        rate = f"{figure(base)} + {figure(own.maintenance_slope)} x {figure(coins)}"
        words = ": the rate rises with the size in coins"
    elif own.table is None:
        words = ": the rate that the venue's own figure gives"
    rate += f" + {figure(leg.fee)}" if leg.fee else ""
    less = f" - {amount(tier.deduction)}" if tier.deduction else ""
    return f"{amount(size)} x {f'({rate})' if ' ' in rate else rate}{less}{words}"


def tier_words(position: Position, own: Terms, notional: float) -> str:
    """Return where the tier of a position begins, and what chose it where that is not the notional itself."""
    tier, rule = tier_for(position, own, notional), own.rule
    if tier is None or rule is None or rule.tier_by == "none":
        return ""
    size = tier_size(position, own, notional)
    if rule.tier_by == "contracts":
        return f", tier from {figure(tier.floor)} contracts: {figure(size)} contracts"
    if rule.tier_by == "entry_notional":
        return f", tier from {amount(tier.floor)}: {amount(size)} at entry"
    return f", tier from {amount(tier.floor)}"
