"""The sums that ``explain`` prints, done again for every venue's rule, kind of contract and shape of account."""

from collections.abc import Iterator

import pytest

from monitor.cli.case import Case, case_of
from monitor.cli.sum import WIDTH, lines
from monitor.core.account import Account, CollateralAsset, Position
from monitor.core.contract import LiquidationRule, TierTable, build_deductions, ladder_for
from monitor.core.pool import Terms
from monitor.venues import RULES

LADDER = TierTable(build_deductions([(0, 0.004), (3_000, 0.005), (200_000, 0.01), (1_000_000, 0.02)]), "by hand")
COIN_LADDER = TierTable(build_deductions([(0, 0.004), (5, 0.005), (20, 0.01), (200, 0.02)]), "by hand")


def rule(**switches: str) -> LiquidationRule:
    """Return a rule of the operator's own."""
    said = {"maintenance": "mark", "tier_by": "notional", "closing_fee": "none"} | switches
    return LiquidationRule(name="own", source="by hand", date="2026-11-22", **said)


OWN = {
    "entry": rule(maintenance="entry", tier_by="entry_notional", closing_fee="at_bankruptcy", rounding="tick"),
    "entry, fee at mark": rule(maintenance="entry", tier_by="none", closing_fee="mark_notional"),
    "fixed": rule(maintenance="fixed", tier_by="none", closing_fee="mark_notional", bankruptcy="equity_less_fee"),
    "size": rule(maintenance="size", tier_by="none", closing_fee="at_bankruptcy", bankruptcy="equity_less_fee"),
    "zero price": rule(bankruptcy="proportional", closing_fee="mark_notional"),
}
EVERY_RULE = [
    pytest.param(its, kind, id=f"{venue} {kind}") for venue, kinds in RULES.items() for kind, its in kinds.items()
] + [pytest.param(its, kind, id=f"{name} {kind}") for name, its in OWN.items() for kind in ("linear", "inverse")]


def leg(name: str, symbol: str, quantity: float, entry_price: float, **said: object) -> Position:
    """Return a cross position; an isolated one with a margin."""
    mode = "isolated" if "margin" in said else "cross"
    return Position(name, symbol, quantity, entry_price, mode, contracts=abs(quantity) * 10.0, **said)


def linear(its: LiquidationRule) -> Iterator[tuple[Account, dict[str, Terms]]]:
    """Yield accounts of linear contracts in every shape."""
    terms = {
        symbol: Terms(mark, ladder_for(LADDER, its), 0.0006, "linear", its, 0.00005, 0.1)
        for symbol, mark in {"BTC": 61_234.5, "ETH": 3_012.34}.items()
    }
    own = {"maintenance_margin": 777.25} if its.maintenance == "fixed" else {}
    long, short = leg("l", "BTC", 12.5, 60_000.0, **own), leg("s", "BTC", -4.25, 63_000.0, leverage=20.0, **own)
    other = leg("o", "ETH", -30.0, 2_950.5, leverage=5.0, **own)
    assets = CollateralAsset("SOL", 100.0, 0.9, 150.0), CollateralAsset("ETH", -2.0, 0.9, symbol="ETH")
    alone = leg("i", "BTC", 1.5, 60_500.0, margin=9_000.0, unsettled_funding=-12.5, **own)
    turned = leg("j", "BTC", -1.5, 60_500.0, margin=9_000.0, reported_liquidation_price=66_000.0, **own)
    yield Account("isolated", "v", (alone, turned)), terms
    yield Account("pair", "v", (long, short, other), "hedge", 120_000.0, assets=assets), terms
    yield Account("by equity", "v", (short, other), equity=60_000.0), terms
    yield Account("lost", "v", (long, other), balance=-15_000.0), terms


def inverse(its: LiquidationRule) -> Iterator[tuple[Account, dict[str, Terms]]]:
    """Yield accounts of inverse contracts, amounts in the coin."""
    terms = {
        symbol: Terms(mark, ladder_for(COIN_LADDER, its), 0.0006, "inverse", its, 0.00005, 0.5)
        for symbol, mark in {"BTC": 61_234.5, "BTC-2": 61_300.0}.items()
    }
    own = {"maintenance_margin": 0.025} if its.maintenance == "fixed" else {}
    long, short = (
        leg("l", "BTC", 1_500_000.0, 60_000.0, **own),
        leg("s", "BTC", -400_000.0, 63_000.0, leverage=20.0, **own),
    )
    other = leg("o", "BTC-2", -300_000.0, 59_000.0, **own)
    yield Account("isolated", "v", (leg("i", "BTC", 30_000.0, 60_000.0, margin=0.05, **own),)), terms
    yield Account("isolated", "v", (leg("j", "BTC", -30_000.0, 60_000.0, margin=0.05, **own),)), terms
    yield Account("pair", "v", (long, short, other), "hedge", 3.5), terms
    yield Account("short", "v", (leg("s", "BTC", -5_000_000.0, 60_000.0, **own), other), balance=12.0), terms


def cases(its: LiquidationRule, kind: str) -> Iterator[Case]:
    """Yield what is found of each position of those accounts."""
    for account, terms in inverse(its) if kind == "inverse" else linear(its):
        for position in account.positions:
            yield case_of(account, position, terms, 0.25, {})


@pytest.mark.parametrize(("its", "kind"), EVERY_RULE)
def test_every_sum_of_every_rule_comes_out_as_printed(its, kind, adds_up):
    for case in cases(its, kind):
        text = "\n".join(lines(case))
        checked = adds_up(text)
        wanted = ["margin ratio"] * (case.found.margin_ratio is not None) + ["notional", "requirement", "+ profit"]
        wanted += ["liquidation price"] * (case.found.status == "ok")
        wanted += ["bankruptcy price"] * (case.found.bankruptcy_price is not None)
        wanted += ["buffer"] * (case.found.buffer_ratio is not None)
        if case.account.name in {"pair", "by equity", "lost"}:
            wanted += ["free collateral"]
        if its.bankruptcy == "proportional" and case.found.status == "ok" and len(case.pairs) == 1:
            wanted += ["requirement there"]
        wanted += ["+ closing fee"] * (case.found.reserve > 0.0)
        assert [label for label in wanted if not checked[label]] == [], text


@pytest.mark.parametrize(("its", "kind"), EVERY_RULE)
def test_equity_and_requirement_are_the_sum_of_the_lines_above_them(its, kind, read_rows):
    for case in cases(its, kind):
        block = "\n".join(lines(case))
        values = [(label, float(value)) for label, value, _ in read_rows(block) if value]
        labels = [label for label, _ in values]
        equity, begin = labels.index("= equity"), labels.index("mark price") + 1
        if "= collateral" in labels:
            collateral = labels.index("= collateral")
            assert sum(v for _, v in values[begin:collateral]) == pytest.approx(values[collateral][1], rel=1e-8), block
            begin = collateral
        assert sum(value for _, value in values[begin:equity]) == pytest.approx(values[equity][1], rel=1e-8), block
        if "= requirement" in labels:
            total = labels.index("= requirement")
            parts = [v for label, v in values[equity:total] if label.startswith(("requirement", "+"))]
            assert sum(parts) == pytest.approx(values[total][1], rel=1e-8), block


@pytest.mark.parametrize(("its", "kind"), EVERY_RULE)
def test_no_line_is_wider_than_a_terminal(its, kind):
    for case in cases(its, kind):
        assert [line for line in lines(case) if len(line) > WIDTH] == []


PROPORTIONAL = rule(bankruptcy="proportional", closing_fee="at_bankruptcy")


@pytest.mark.parametrize("kind", ["linear", "inverse"])
def test_the_zero_price_starts_where_the_venue_closes(kind, read_rows):
    """A healthy position at its liquidation price, one that is already liquidatable at the mark."""
    seen = set()
    for case in cases(PROPORTIONAL, kind):
        rows = read_rows("\n".join(lines(case)))
        labels = [label for label, _, _ in rows]
        told = {label: value for label, value, _ in rows}
        if told["bankruptcy price"] in {"", "none"} or len(case.pairs) > 1:
            continue
        formula = rows[labels.index("bankruptcy price") + 1][2]
        healthy = case.found.status == "ok"
        start = told["liquidation price" if healthy else "mark price"]
        assert formula.startswith(f"= {start} " if kind == "linear" else f"= 1 / (1 / {start} "), formula
        assert healthy or f" {told['= equity'].lstrip('-')} x " in formula
        seen.add(case.found.status)
    assert seen == ({"ok", "already_liquidatable"} if kind == "linear" else {"ok"})


def test_what_a_zero_price_takes_off_is_the_requirement_there_with_the_fee_that_is_held_back(read_rows):
    case = next(cases(PROPORTIONAL, "linear"))
    rows = read_rows("\n".join(lines(case)))
    told = {label: float(value) for label, value, _ in rows if value}
    needed = told["requirement there"] + told["+ closing fee there"]
    off = told["liquidation price"] - told["bankruptcy price"]
    assert off * case.position.quantity == pytest.approx(needed, rel=1e-6)


def test_the_fee_of_a_cross_position_is_counted_where_its_leverage_ends(read_rows):
    """Short from 63,000 at 20x: the initial margin is gone at 66,150."""
    case = next(c for c in cases(OWN["entry"], "linear") if c.position.name == "s")
    how = next(how for label, _, how in read_rows("\n".join(lines(case))) if label == "+ closing fee, short")
    assert how.startswith("0.0006 x 4.25 x 66150: where its initial margin at 20x is used up")


def test_the_quadratic_of_a_size_sloped_inverse_contract_is_told_with_its_three_terms(read_rows):
    case = next(case for case in cases(OWN["size"], "inverse"))
    told = {label: value for label, value, _ in read_rows("\n".join(lines(case)))}
    coins = float(told["coins there"])
    assert coins == pytest.approx(30_000.0 / case.found.liquidation_price)
    a, b, c = (float(told[term]) for term in "abc")
    assert a * coins * coins + b * coins == pytest.approx(c, rel=1e-8)


def test_a_tier_that_contracts_select_says_how_many_there_are():
    case = next(cases(rule(tier_by="contracts"), "linear"))
    assert "tier from 0 contracts: 15 contracts" in " ".join(" ".join(lines(case)).split())


def test_a_price_that_the_venue_rounds_is_shown_both_ways(read_rows):
    long, short = list(cases(OWN["entry"], "linear"))[:2]
    for case, way in ((long, 1.0), (short, -1.0)):
        shown = next(float(value) for label, value, _ in read_rows("\n".join(lines(case))) if label == "shown as")
        assert 0.0 < way * (shown - case.found.liquidation_price) < 0.1
