"""One position's sum as text: every line can be checked with a pocket calculator."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from monitor.core.account import Account, Position
from monitor.core.levels import NONE, UNAVAILABLE, Levels, Terms, closing_fee, maintenance_margin
from monitor.numbers import shortest
from monitor.venues.base import Venue

_STATUS = {
    "ok": "ok",
    NONE: "none: no positive price liquidates this position",
    "already_liquidatable": "already liquidatable: the requirement exceeds the equity at the present mark",
    UNAVAILABLE: "unavailable",
}

Row = tuple[str, str, str]
"""One line of the sum: what it is, its value, and how that comes about."""


class Sum:
    """The sum behind one answer as text, so that it can be checked with a pocket calculator.

    The ``legs`` are the positions that share its price: itself, or both sides of a hedge pair. The ``others`` share
    the account's collateral.
    """

    def __init__(
        self, account: Account, position: Position, venue: Venue, terms: Mapping[str, Terms], found: Levels
    ) -> None:
        self.account, self.position, self.venue, self.found = account, position, venue, found
        self.own = terms[position.symbol]
        self.fee = closing_fee(self.own, venue.rule)
        shared = account.cross_positions() if position.margin_mode == "cross" else (position,)
        self.legs = [p for p in shared if p.symbol == position.symbol]
        self.others = [p for p in shared if p.symbol != position.symbol]
        marks = [(p, terms[p.symbol].mark_price) for p in self.others if terms[p.symbol].kind == "linear"]
        self.others_profit = sum(p.profit_at(mark) for p, mark in marks if mark is not None)
        self.others_known = len([mark for _, mark in marks if mark is not None]) == len(self.others)

    def lines(self) -> Iterator[str]:
        """Yield the lines: what is given, what follows, and where the rule comes from."""
        position, found, rule = self.position, self.found, self.venue.rule
        where = f"account {self.account.name} at {self.venue.name}"
        yield f"{position.name}: {position.symbol} {position.side}, {position.margin_mode}, {where}"
        parts = [self._given(), self._equity(), self._requirement(), self._liquidation(), self._bankruptcy()]
        rows = [row for part in parts for row in (*part, ("", "", ""))]
        labels = max(len(label) for label, _, _ in [*rows, ("missing", "", "")]) + 2
        yield f"  {'status':<{labels}}{_STATUS[found.status]}"
        for item in found.missing:
            yield f"  {'missing':<{labels}}{item}{_hint(item)}"
        whole = max(len(value.partition(".")[0]) for _, value, _ in rows)
        rest = max(len(value) - len(value.partition(".")[0]) for _, value, _ in rows)
        before = True
        for label, value, how in rows:
            start, point, decimals = value.partition(".")
            line = f"  {label:<{labels}}{start:>{whole}}{point + decimals:<{rest}}   {how}".rstrip()
            if line or before:  # a part that has nothing to say leaves no second empty line
                yield line
            before = bool(line)
        yield f"  {'rule':<{labels}}{rule.name}: {rule.source}, read {rule.date}"
        for note in found.approximations:
            yield f"  {'note':<{labels}}{note}"

    def _of(self, what: str, leg: Position) -> str:
        return f"{what}, {leg.side}" if len(self.legs) > 1 else what

    def _given(self) -> Iterator[Row]:
        position = self.position
        contracts = f"{figure(position.contracts)} contracts" if position.contracts != abs(position.quantity) else ""
        yield "quantity", figure(position.quantity), contracts
        yield "entry price", figure(position.entry_price), ""
        yield "mark price", figure(self.own.mark_price), ""

    def _equity(self) -> Iterator[Row]:
        """Yield collateral, profit of everything that shares it, and their sum, as far as known."""
        found, mark, account = self.found, self.own.mark_price, self.account
        cross = self.position.margin_mode == "cross"
        if found.collateral is None:
            if cross and account.equity is not None:
                yield "equity", amount(account.equity), "as given"
            elif not cross and self.position.margin is not None:
                yield "margin", amount(self.position.margin), ""
            return
        derived = ""
        if cross and account.balance is None and account.equity is not None and mark is not None:
            profits = [-leg.profit_at(mark) for leg in self.legs] + [-self.others_profit]
            derived = f"{_signed([(account.equity, ''), *((p, '') for p in profits)])}: equity as given less all profit"
        yield "balance" if cross else "margin", amount(found.collateral), derived
        if self.others and self.others_known:
            yield "+ others' profit", amount(self.others_profit), self._the_others()
        if mark is None or found.equity is None:
            return
        for leg in self.legs:
            how = f"{figure(leg.quantity)} x ({figure(mark)} - {figure(leg.entry_price)})"
            yield self._of("+ profit", leg), amount(leg.profit_at(mark)), how
        yield "= equity", amount(found.equity), ""

    def _the_others(self) -> str:
        if len(self.others) == 1:
            return f"of {self.others[0].name} at its present mark, see there"
        return f"of the account's {len(self.others)} cross positions in other symbols at their present marks, see there"

    def _requirement(self) -> Iterator[Row]:
        """Yield notional and requirement of each leg at the present mark, and the margin ratio."""
        found, own, mark = self.found, self.own, self.own.mark_price
        if mark is None or own.kind != "linear":
            return
        for leg in self.legs:
            size = abs(leg.quantity) * mark
            yield self._of("notional", leg), amount(size), f"{figure(abs(leg.quantity))} x {figure(mark)}"
            if own.table is not None:
                tier = own.table.tier_at(size)
                rate = figure(tier.maintenance_rate)
                rate = f"({rate} + {figure(self.fee)})" if self.fee else rate
                how = f"{amount(size)} x {rate} - {amount(tier.deduction)}, tier from {amount(tier.floor)}"
                yield self._of("requirement", leg), amount(maintenance_margin(size, tier, self.fee)), how
        if found.maintenance_margin is None:
            return
        if self.others:
            yield "+ others'", amount(found.others_maintenance), self._the_others()
        if self.others or len(self.legs) > 1:
            yield "= requirement", amount(found.maintenance_margin), ""
        if found.margin_ratio is None:
            yield "margin ratio", "none", "the equity is gone"
        else:
            how = f"{amount(found.maintenance_margin)} / {amount(found.equity)}; 1 is liquidation"
            yield "margin ratio", figure(found.margin_ratio), how

    def _liquidation(self) -> Iterator[Row]:
        """Yield the liquidation price, its formula with numbers, and the tier there."""
        found, table, price = self.found, self.own.table, self.found.liquidation_price
        already = found.status == "already_liquidatable"
        word = "recovery price" if already else "liquidation price"
        if found.status == UNAVAILABLE or table is None or found.collateral is None:
            yield word, "unknown", ""
            return
        free = found.collateral + found.others_profit - found.others_maintenance
        if self.others:
            how = _signed([(found.collateral, ""), (found.others_profit, ""), (-found.others_maintenance, "")])
            yield "collateral", amount(free), f"{how}: balance + others' profit - others' requirement"
        if price is None:
            yield (
                word,
                "none",
                "no positive price brings it back" if already else "no positive price liquidates this position",
            )
            return
        yield word, figure(price), self._from_mark(price, found.liquidation_distance_ratio)
        tiers = [table.tier_at(abs(leg.quantity) * price) for leg in self.legs]
        top, bottom = [(free, "")], []
        for leg, tier in zip(self.legs, tiers, strict=True):
            way, size = math.copysign(1.0, leg.quantity), abs(leg.quantity)
            sign, rate = " - " if way > 0 else " + ", tier.maintenance_rate + self.fee
            rates = figure(tier.maintenance_rate) + (f"{sign}{figure(self.fee)}" if self.fee else "")
            top += [(tier.deduction, ""), (-leg.quantity * leg.entry_price, _times(leg.quantity, leg.entry_price))]
            bottom.append((-way * size * (1.0 - way * rate), f"{figure(size)} x (1{sign}{rates})"))
        yield (
            "",
            "",
            _fraction(top, bottom, price) or "at this price the next tier begins, and its requirement is higher",
        )
        for leg, tier in zip(self.legs, tiers, strict=True):
            size = abs(leg.quantity) * price
            how = f"tier from {amount(tier.floor)}: rate {figure(tier.maintenance_rate)}, deduction {amount(tier.deduction)}"
            yield self._of("notional there", leg), amount(size), f"{_times(leg.quantity, price)}; {how}"

    def _bankruptcy(self) -> Iterator[Row]:
        """Yield the bankruptcy price and its formula with numbers."""
        found, price = self.found, self.found.bankruptcy_price
        if price is not None and found.collateral is not None:
            yield "bankruptcy price", figure(price), self._from_mark(price, found.bankruptcy_distance_ratio)
            top = [(found.collateral, ""), (self.others_profit, "")]
            top += [(-leg.quantity * leg.entry_price, _times(leg.quantity, leg.entry_price)) for leg in self.legs]
            yield "", "", _fraction(top, [(-leg.quantity, figure(abs(leg.quantity))) for leg in self.legs], price)
        elif found.collateral is None or not self.others_known:
            yield "bankruptcy price", "unknown", ""
        else:
            yield "bankruptcy price", "none", "no positive price makes the equity zero"

    def _from_mark(self, price: float, distance: float | None) -> str:
        """Return where *price* lies as seen from the mark."""
        mark = self.own.mark_price
        if mark is None or distance is None:
            return "distance unknown without a mark price"
        share = f"{100.0 * abs(price - mark) / mark:,.4f} %"
        passed = "; the mark is past it" if distance < 0.0 else ""
        return f"{share} {'above' if price > mark else 'below'} the mark{passed}" if price != mark else "at the mark"


def _hint(item: str) -> str:
    """Return what to write where *item* is missing."""
    what, _, symbol = item.partition(" of ")
    return f": write terms.{symbol}.{what}" if what in {"mark_price", "tiers"} else ""


def _times(quantity: float, price: float) -> str:
    return f"{figure(abs(quantity))} x {figure(price)}"


def _signed(parts: Sequence[tuple[float, str]]) -> str:
    """Return (value, text of its absolute value) pairs as a sum without its zeros, one that is added first.

    >>> _signed([(-5.0, ""), (0.0, ""), (6.0, "2 x 3")])
    '2 x 3 - 5'
    """
    used = sorted((part for part in parts if part[0]), key=lambda part: part[0] < 0.0)
    text = "".join(f" {'-' if value < 0.0 else '+'} {how or amount(abs(value))}" for value, how in used)
    return text.removeprefix(" + ").removeprefix(" ") or "0"


def _fraction(top: Sequence[tuple[float, str]], bottom: Sequence[tuple[float, str]], price: float) -> str:
    """Return the fraction that gives *price*, both halves positive; nothing if it gives another number."""
    above, below = sum(value for value, _ in top), sum(value for value, _ in bottom)
    if not math.isclose(above, price * below, rel_tol=1e-9, abs_tol=1e-9 * sum(abs(value) for value, _ in top)):
        return ""
    way = math.copysign(1.0, below)
    halves = (_signed([(way * value, how) for value, how in half]) for half in (top, bottom))
    return "= " + " / ".join(f"({half})" if " " in half else half for half in halves)


def figure(value: float | None, most_decimals: int = 300) -> str:
    """Return a number for people: ten significant digits, all digits of the whole part, thousands set apart.

    >>> figure(54780.8764940239), figure(450_000.0000000046), figure(0.0000123456789012), figure(-1e-300, 8)
    ('54,780.87649', '450,000', '0.0000123456789', '0')
    """
    if value is None:
        return "unknown"
    digits = 9 - math.floor(math.log10(abs(value))) if value else 0
    rounded = round(value, min(max(0, digits), most_decimals)) + 0.0  # no -0
    whole, point, decimals = shortest(abs(rounded)).partition(".")
    return f"{'-' if rounded < 0.0 else ''}{int(whole):,}{point}{decimals}"


def amount(value: float | None) -> str:
    """Return a sum of money for people: a remainder of rounding below 1e-8 is nothing."""
    return figure(value, 8)
