"""The columns against the scalar form, position by position."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from monitor.core.account import Account, CollateralAsset, Position
from monitor.core.columns import Solved, solve
from monitor.core.columns_build import columns_of
from monitor.core.columns_table import Columns
from monitor.core.contract import LiquidationRule, Tier, TierTable, build_deductions, rule_problem
from monitor.core.levels import ALREADY_LIQUIDATABLE, NONE, OK, UNAVAILABLE, Levels, position_levels
from monitor.core.pool import Terms

Accounts = list[tuple[Account, Mapping[str, Terms]]]

NEAR = 1e-9
AS_IS = ("status", "danger", "bankruptcy_danger")
RATIOS = ("liquidation_distance_ratio", "bankruptcy_distance_ratio", "buffer_ratio")
AMOUNTS = (
    "notional",
    "equity",
    "maintenance_margin",
    "collateral",
    "others_profit",
    "others_maintenance",
    "profit",
    "reserve",
)

many = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
)


# Accounts of every sort.


@st.composite
def tables(draw: st.DrawFn, unit: float) -> TierTable:
    """A ladder of 1 to 6 tiers; continuous, or with the jumps of missing, rounded or overdone deductions."""
    count = draw(st.integers(1, 6))
    floors = [0.0, *sorted(draw(st.lists(st.floats(1.0, 1e3), min_size=count - 1, max_size=count - 1, unique=True)))]
    rates = sorted(draw(st.lists(st.floats(0.002, 0.4), min_size=count, max_size=count)))
    tiers = build_deductions([(floor * unit, rate) for floor, rate in zip(floors, rates, strict=True)])
    change = draw(st.sampled_from([1.0, 1.0, 1.0, 0.0, 0.5, 1.2]))
    return TierTable(tuple(Tier(t.floor, t.maintenance_rate, t.deduction * change) for t in tiers), "the test")


@st.composite
def rules(draw: st.DrawFn) -> LiquidationRule:
    made = LiquidationRule(
        name="any",
        source="the test",
        date="2026-11-22",
        maintenance=draw(st.sampled_from(["mark", "mark", "mark", "entry", "fixed", "size"])),
        tier_by=draw(st.sampled_from(["notional", "notional", "contracts", "entry_notional", "none"])),
        closing_fee=draw(st.sampled_from(["none", "mark_notional", "at_bankruptcy"])),
        bankruptcy=draw(st.sampled_from(["equity", "equity_less_fee", "proportional"])),
    )
    if rule_problem(made) is not None:
        made = msgspec.structs.replace(made, tier_by="none")
    return made


@st.composite
def terms_of(draw: st.DrawFn, kind: str, rule: LiquidationRule) -> Terms:
    mark = draw(st.floats(1.0, 1e3))
    unknown = draw(st.sampled_from([None] * 12 + ["mark", "table", "rule"]))
    table = draw(tables(10.0 / mark if kind == "inverse" else 100.0))
    return Terms(
        mark_price=None if unknown == "mark" else mark,
        table=None if unknown == "table" else table,
        closing_fee_rate=draw(st.sampled_from([0.0, 0.0005, 0.003])),
        kind=kind,
        rule=None if unknown == "rule" else rule,
        maintenance_slope=draw(st.floats(0.0, 1e-4)) if rule.maintenance == "size" else 0.0,
    )


@st.composite
def positions(draw: st.DrawFn, name: str, its: Terms, symbol: str) -> Position:
    mark = its.mark_price or 50.0
    entry = mark * draw(st.floats(0.7, 1.4))
    notional = draw(st.floats(10.0, 1e5)) / (mark if its.kind == "inverse" else 1.0)
    size = notional * mark if its.kind == "inverse" else notional / mark
    mode = draw(st.sampled_from(["cross", "cross", "cross", "isolated"]))
    return Position(
        name,
        symbol,
        size * draw(st.sampled_from([-1.0, 1.0])),
        entry,
        mode,
        None if mode == "cross" else draw(st.one_of(st.none(), st.floats(0.01, 1.5).map(lambda r: r * notional))),
        contracts=draw(st.floats(1.0, 1e5)),
        leverage=draw(st.sampled_from([None, 1.0, 10.0])),
        maintenance_margin=draw(st.one_of(st.none(), st.floats(0.001, 1.2).map(lambda r: r * notional))),
        unsettled_funding=draw(st.sampled_from([0.0, 0.001 * notional])),
    )


@st.composite
def accounts(draw: st.DrawFn, name: str) -> tuple[Account, Mapping[str, Terms]]:
    """An account of 1 to 5 positions on up to 4 symbols, so that some are pairs; few of its facts are unknown."""
    kind = draw(st.sampled_from(["linear", "linear", "inverse"]))
    rule = draw(rules())
    symbols = draw(st.lists(st.sampled_from(["AX", "BX", "CX", "DX"]), min_size=1, max_size=5))
    terms = {symbol: draw(terms_of(kind, rule)) for symbol in sorted({"AX", *symbols})}
    held = [draw(positions(f"{name}{number}", terms[symbol], symbol)) for number, symbol in enumerate(symbols)]
    scale = sum(p.notional_at(terms[p.symbol].mark_price or 50.0, kind) for p in held)
    money = st.one_of(st.none(), *[st.floats(-0.2, 1.5).map(lambda r: r * scale)] * 6)
    assets = [
        CollateralAsset("COIN", scale * draw(st.floats(-0.1, 0.5)) / 50.0, 0.9, symbol="AX"),
        CollateralAsset("GOLD", scale * draw(st.floats(0.0, 0.5)) / 2.0, 0.8, draw(st.sampled_from([2.0, 2.0, None]))),
    ]
    some = draw(st.sampled_from([0, 0, 1, 2]))
    account = Account(name, "venue-" + name, tuple(held), assets=tuple(assets[:some]))
    said = "balance" if draw(st.booleans()) else "equity"
    return msgspec.structs.replace(account, **{said: draw(money)}), terms


# The comparison.


def marks_for(columns: Columns, held: Accounts) -> np.ndarray:
    """The marks that stand in the terms, in the order of the columns."""
    known = {(account.venue, symbol): its.mark_price for account, terms in held for symbol, its in terms.items()}
    return np.array([known.get(symbol) or math.nan for symbol in columns.symbols])


def solved(held: Accounts) -> Solved:
    columns = columns_of(held)
    return solve(columns, marks_for(columns, held))


def answers(found: Solved) -> dict[tuple[str, str], Levels]:
    made = found.columns
    rows = [made.held[row] for row in made.legs.row]
    return {(one.account, one.position.name): found.levels(leg) for leg, one in enumerate(rows)}


def same(ours: float | None, theirs: float | None, scale: float = 0.0) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return abs(ours - theirs) <= NEAR * max(abs(theirs), scale)


def money_in(levels: Levels) -> float:
    """The largest amount that the sum consists of: rounding is a share of it."""
    amounts = (levels.collateral, levels.profit, levels.others_profit, levels.maintenance_margin, levels.notional)
    return max(abs(amount or 0.0) for amount in amounts)


def on_a_border(levels: Levels) -> bool:
    """Whether rounding decides about the answer: the equity is zero, or just what is required."""
    equity, near = levels.equity, NEAR * money_in(levels)
    return equity is not None and min(abs(equity), abs(equity - (levels.maintenance_margin or 0.0))) <= near


def assert_same(ours: Levels, theirs: Levels) -> None:
    assert all(value == value for value in msgspec.structs.astuple(ours)), "no NaN leaves the columns"  # noqa: PLR0124
    for name in AS_IS:
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("liquidation_price", "bankruptcy_price"):
        assert same(getattr(ours, name), getattr(theirs, name)), name
    if theirs.status == UNAVAILABLE:
        return
    assert (ours.margin_ratio is None) == (theirs.margin_ratio is None)
    for name in RATIOS:
        assert same(getattr(ours, name), getattr(theirs, name), 1.0), name
    for name in AMOUNTS:
        assert same(getattr(ours, name), getattr(theirs, name), money_in(theirs)), name
    assert same(ours.tier_size, theirs.tier_size)
    at_a_floor = any(same(tier.floor, theirs.tier_size) for tier in (ours.tier, theirs.tier) if tier)
    assert ours.tier == theirs.tier or at_a_floor


@many
@given(st.tuples(accounts("a"), accounts("b")))
def test_every_leg_has_the_answer_of_the_scalar_form(held):
    """Same status, prices to 1e-9, same tier, same sums: whatever the rule, the ladder and what is unknown."""
    found = answers(solved(list(held)))
    for account, terms in held:
        for position in account.positions:
            theirs = position_levels(account, position, terms)
            assume(not on_a_border(theirs))
            assert_same(found[account.name, position.name], theirs)


def test_what_is_rare_has_the_answer_of_the_scalar_form(solve):
    """Rates that reach 1 at the mark, kinds that share no collateral, a pair whose closing fee outweighs its net."""
    flat, less_fee = (0.0, 0.01), solve.by(bankruptcy="equity_less_fee")
    kept = Position("p0", "X", 1.0, 100.0, "isolated", 300.0, maintenance_margin=120.0)
    sloped = solve.inverse(100.0, flat, rule=solve.by(maintenance="size", tier_by="none"), slope=1.0)
    held: Accounts = [
        (Account("kept", "v1", (kept,)), {"X": solve.terms(100.0)}),
        (isolated("sloped", 100.0, 100.0, 3.0), {"X": sloped}),
        (
            cross("kinds", 9.0, ("A", 1.0, 9.0), ("B", 1.0, 9.0)),
            {"A": solve.terms(9.0, flat), "B": solve.inverse(9.0, flat)},
        ),
        (
            cross("fee", 9.0, ("A", 1.0, 90.0), ("A", -0.999, 100.0)),
            {"A": solve.terms(95.0, flat, fee=0.003, rule=less_fee)},
        ),
    ]
    found = answers(solved(held))
    for account, terms in held:
        for position in account.positions:
            assert_same(found[account.name, position.name], position_levels(account, position, terms))
    statuses = {account: levels.status for (account, _), levels in found.items()}
    assert statuses == {"kept": UNAVAILABLE, "sloped": UNAVAILABLE, "kinds": UNAVAILABLE, "fee": OK}


# Cases worked by hand, all in one solution.

LADDER = ((0.0, 0.004), (300_000.0, 0.005, 300.0), (800_000.0, 0.0065, 1_500.0))


@pytest.fixture
def worked(solve) -> Accounts:
    """Accounts with one fact each; the ladder of *jump* lacks its deductions."""
    one = functools.partial(solve.terms, fee=0.0)
    flat = solve.by(tier_by="none", bankruptcy="proportional")
    return [
        (isolated("tiers", 9.5, 90_000.0, 85_500.0), {"X": one(90_000.0, *LADDER)}),
        (isolated("jump", -9.5, 80_000.0, 44_600.0), {"X": one(80_000.0, *[row[:2] for row in LADDER])}),
        (cross("pair", 5_000.0, ("X", 2.0, 40_000.0), ("X", -1.5, 42_000.0)), {"X": one(41_000.0, (0.0, 0.005))}),
        (isolated("coin", 30_000.0, 60_000.0, 0.05), {"X": solve.inverse(60_000.0, (0.0, 0.004))}),
        (
            cross("zero", 150.0, ("A", 0.1, 50_000.0), ("B", -1.0, 3_000.0)),
            {"A": one(50_000.0, (0.0, 0.03), rule=flat), "B": one(3_000.0, (0.0, 0.05), rule=flat)},
        ),
        (isolated("safe", 1.0, 100.0, 200.0), {"X": one(100.0, (0.0, 0.01))}),
        (cross("lost", -50.0, ("A", -1.0, 100.0)), {"A": one(100.0, (0.0, 0.01))}),
        (cross("gone", -500.0, ("A", -1.0, 100.0)), {"A": one(100.0, (0.0, 0.01))}),
        (isolated("dark", 1.0, 100.0, 20.0), {"X": one(None, (0.0, 0.01))}),
        (cross("empty", 100.0, ("A", 0.0, 100.0)), {"A": one(100.0, (0.0, 0.01))}),
    ]


def isolated(name: str, quantity: float, entry: float, margin: float) -> Account:
    return Account(name, "of " + name, (Position("p0", "X", quantity, entry, "isolated", margin),))


def cross(name: str, balance: float, *held: tuple[str, float, float]) -> Account:
    legs = tuple(Position(f"p{number}", *row, "cross") for number, row in enumerate(held))
    return Account(name, "of " + name, legs, balance=balance)


@pytest.mark.parametrize(
    ("account", "leg", "status", "liquidation", "bankruptcy"),
    [
        ("tiers", "p0", OK, 769_200.0 / (9.5 * 0.995), 81_000.0),
        ("jump", "p0", OK, 800_000.0 / 9.5, 80_000.0 + 44_600.0 / 9.5),
        ("pair", "p0", OK, 12_000.0 / 0.4825, 24_000.0),
        ("pair", "p1", OK, 12_000.0 / 0.4825, 24_000.0),
        ("coin", "p0", OK, 30_120.0 / 0.55, 30_000.0 / 0.55),
        ("zero", "p0", ALREADY_LIQUIDATABLE, 5_000.0 / 0.097, 49_250.0),
        ("zero", "p1", ALREADY_LIQUIDATABLE, 3_000.0 / 1.05, 3_075.0),
        ("safe", "p0", NONE, None, None),
        ("lost", "p0", ALREADY_LIQUIDATABLE, 50.0 / 1.01, 50.0),
        ("gone", "p0", ALREADY_LIQUIDATABLE, None, None),
        ("dark", "p0", UNAVAILABLE, None, 80.0),
    ],
)
def test_a_case_worked_by_hand(worked, account, leg, status, liquidation, bankruptcy):
    """A ladder, a jump, a pair, a coin, zero prices, no price, a way back, no way back, no mark."""
    found = answers(solved(worked))[account, leg]
    assert found.status == status
    assert same(found.liquidation_price, liquidation)
    assert same(found.bankruptcy_price, bankruptcy)


def test_a_position_of_size_zero_has_no_leg(worked):
    assert not [one for one in columns_of(worked).held if one.account == "empty"]


def test_no_account_at_all_is_no_leg_at_all():
    assert len(solve(columns_of([]), np.array([])).status) == 0


def test_the_walk_solves_what_may_have_several_roots(worked):
    """The ladder that jumps and the pair, which is one group: the others are looked up."""
    assert columns_of(worked).scalar_count == 2


def test_a_lost_account_is_past_its_lines_at_every_price(worked):
    columns = columns_of(worked)
    found = solve(columns, marks_for(columns, worked))
    (leg,) = (number for number, one in enumerate(columns.held) if one.account == "gone")
    lines = found.lines(leg)
    assert (lines.danger, lines.liquidation_price) == (1, 0.0)
    assert (lines.bankruptcy_danger, lines.bankruptcy_price) == (1, 0.0)


def test_the_distances_of_all_legs_are_those_of_each(worked):
    columns = columns_of(worked)
    found = solve(columns, marks_for(columns, worked))
    for leg in range(len(columns.held)):
        one = found.levels(leg)
        assert known(found.liquidation_distance_ratio[leg]) == one.liquidation_distance_ratio
        if one.status != UNAVAILABLE:
            assert known(found.bankruptcy_distance_ratio[leg]) == one.bankruptcy_distance_ratio


def known(value: float) -> float | None:
    return None if math.isnan(value) else value


@pytest.mark.parametrize("pools", [slice(1, 6), slice(3, 3), np.array([2]), np.array([6, 2, 4])], ids=str)
def test_a_part_has_the_answers_of_the_whole(worked, pools):
    """The accounts have other assets too, so that these must follow their pools."""
    gold = CollateralAsset("GOLD", 0.5, symbol="G")
    held = [
        (msgspec.structs.replace(account, assets=(gold,)), {**terms, "G": Terms(mark_price=7.0)})
        for account, terms in worked
    ]
    columns = columns_of(held)
    whole = answers(solve(columns, marks_for(columns, held)))
    part = answers(solve(columns.part(pools), marks_for(columns, held)))
    names = {columns.held[columns.legs.row[first]].account for first in columns.pools.first[pools]}
    assert part == {key: levels for key, levels in whole.items() if key[0] in names}


def test_a_balance_can_be_changed_in_place(worked):
    """Funding is paid: the columns need not be made anew."""
    columns = columns_of(worked)
    columns.pools.given[0] -= 100.0
    found = answers(solve(columns, marks_for(columns, worked)))["tiers", "p0"]
    assert same(found.liquidation_price, 769_300.0 / (9.5 * 0.995))


def test_one_unknown_mark_makes_its_own_account_unavailable_and_no_other(worked):
    """The bankruptcy price of the leg that lost its mark hangs on the other marks only, and stays."""
    columns = columns_of(worked)
    marks = marks_for(columns, worked)
    before = answers(solve(columns, marks))
    marks[columns.symbols.index(("of zero", "B"))] = math.nan
    after = answers(solve(columns, marks))
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {("zero", "p0"), ("zero", "p1")}
    assert [after[key].status for key in sorted(changed)] == [UNAVAILABLE, UNAVAILABLE]
    assert after["zero", "p0"].bankruptcy_price is None
    assert same(after["zero", "p1"].bankruptcy_price, 3_150.0)
