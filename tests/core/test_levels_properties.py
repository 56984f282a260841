"""What must hold for every position, whatever the numbers."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitor.core.account import Account, Position
from monitor.core.alerts import Ladder, Level
from monitor.core.contract import LiquidationRule, Tier, TierTable, build_deductions
from monitor.core.levels import Levels, Terms, position_levels

RULE = LiquidationRule("linear", "the test", "2026-11-22", "mark", "notional", "mark_notional")

many = settings(max_examples=200, deadline=None, derandomize=True, database=None)

sides = st.sampled_from([1, -1])
entries = st.integers(1_000, 9_999_999).map(lambda cents: cents / 100)
sizes = st.integers(1, 500_000).map(lambda thousandths: thousandths / 1_000)
margins = st.integers(1, 1_200).map(lambda part: part / 1_000)
"""Margin as a share of the notional at entry."""

moves = st.integers(-30, 30).map(lambda part: 1.0 + part / 100)
fees = st.sampled_from([0.0, 0.0005])
rates = st.integers(1, 100).map(lambda part: part / 1_000)
continuous = st.lists(st.tuples(st.integers(1, 4_000), rates), max_size=4, unique_by=lambda row: row[0])


def ladder(rows, first_rate, notional):
    """Turn (share of the notional in percent, rate step) rows into a continuous ladder."""
    floors, rate = [(0.0, first_rate)], first_rate
    for share, step in sorted(rows):
        rate += step
        floors.append((notional * share / 1_000, rate))
    return build_deductions(floors)


def isolated(quantity, entry, margin, mark, tiers, fee=0.0) -> Levels:
    position = Position("p", "X", quantity, entry, "isolated", margin)
    terms = {"X": Terms(mark, TierTable(tuple(tiers), "the test"), fee)}
    return position_levels(Account("a", "v", (position,)), position, terms, RULE)


def same(one: float | None, other: float | None, *, noise: float) -> bool:
    """Return whether two prices agree to 1e-9, or are both missing."""
    return one == other if one is None or other is None else one == pytest.approx(other, rel=1e-9, abs=noise)


@many
@given(sides, entries, sizes, margins, margins, moves, fees, continuous, rates)
def test_more_collateral_never_brings_liquidation_nearer(side, entry, size, less, more, move, fee, rows, rate):
    less, more = sorted((less, more))
    tiers = ladder(rows, rate, size * entry)
    poor, rich = (isolated(side * size, entry, size * entry * k, entry * move, tiers, fee) for k in (less, more))
    assume(poor.status == "ok")
    assert rich.status in {"ok", "none"}
    assert rich.status == "none" or rich.liquidation_distance_ratio >= poor.liquidation_distance_ratio - 1e-12


@many
@given(sides, entries, sizes, margins, margins, moves, rates, rates)
def test_more_collateral_never_brings_liquidation_nearer_where_the_requirement_jumps(
    side, entry, size, less, more, move, rate, jump
):
    less, more = sorted((less, more))
    tiers = (Tier(0.0, rate), Tier(size * entry * 0.93, rate + jump))
    poor, rich = (isolated(side * size, entry, size * entry * k, entry * move, tiers) for k in (less, more))
    assume(poor.status == "ok")
    assert rich.status in {"ok", "none"}
    assert rich.status == "none" or rich.liquidation_distance_ratio >= poor.liquidation_distance_ratio - 1e-12


@many
@given(sides, entries, sizes, margins, moves, fees, continuous, rates)
def test_bankruptcy_lies_strictly_beyond_liquidation(side, entry, size, margin, move, fee, rows, rate):
    tiers = ladder(rows, rate, size * entry)
    answer = isolated(side * size, entry, size * entry * margin, entry * move, tiers, fee)
    assume(answer.status == "ok")
    assert answer.bankruptcy_price is None or answer.danger * (answer.bankruptcy_price - answer.liquidation_price) > 0


@many
@given(sides, entries, sizes, margins, moves, fees, rates, st.integers(-20, 20))
def test_scaling_quantity_and_collateral_alike_changes_no_price_while_the_deduction_is_zero(
    side, entry, size, margin, move, fee, rate, power
):
    """By powers of two, with which float64 rounds nothing: the answers are the same to the last bit."""
    little, much = (
        isolated(side * size * k, entry, size * entry * margin * k, entry * move, [Tier(0.0, rate)], fee)
        for k in (1.0, 2.0**power)
    )
    assert (little.status, little.liquidation_price, little.bankruptcy_price) == (
        much.status,
        much.liquidation_price,
        much.bankruptcy_price,
    )


@many
@given(sides, entries, sizes, margins, moves, fees, continuous, rates)
def test_the_liquidation_price_is_continuous_in_the_collateral(side, entry, size, margin, move, fee, rows, rate):
    notional = size * entry
    tiers = ladder(rows, rate, notional)
    assume(tiers[-1].maintenance_rate < 0.5)
    little = notional * 1e-6
    here, there = (
        isolated(side * size, entry, notional * margin + extra, entry * move, tiers, fee) for extra in (0.0, little)
    )
    assume(here.liquidation_price is not None)
    assume(there.liquidation_price is not None)
    # dP/dK = 1 / (q * |s - m - fee|), and m + fee stays below 0.501 here
    assert abs(here.liquidation_price - there.liquidation_price) <= little / (size * 0.499) * (1 + 1e-6)


@many
@given(sides, entries, sizes, margins, moves, fees, continuous, rates)
def test_a_mark_at_the_liquidation_price_has_a_margin_ratio_of_one(side, entry, size, margin, move, fee, rows, rate):
    tiers, notional = ladder(rows, rate, size * entry), size * entry
    price = isolated(side * size, entry, notional * margin, entry * move, tiers, fee).liquidation_price
    assume(price is not None)
    assume(price > entry * 1e-3)
    there = isolated(side * size, entry, notional * margin, price, tiers, fee)
    assert there.margin_ratio == pytest.approx(1.0, rel=1e-8)
    assert there.liquidation_price == pytest.approx(price, rel=1e-9)
    assert there.liquidation_distance_ratio == pytest.approx(0.0, abs=1e-9)


@many
@given(entries, sizes, st.integers(1, 2_000), margins, moves, moves, fees, continuous, rates)
def test_both_legs_of_a_cross_pair_have_the_same_prices(entry, size, other, margin, move, apart, fee, rows, rate):
    legs = (
        Position("long", "X", size, entry, "cross"),
        Position("short", "X", -size * other / 1_000, entry * apart, "cross"),
    )
    account = Account("a", "v", legs, position_mode="hedge", balance=size * entry * margin)
    terms = {"X": Terms(entry * move, TierTable(ladder(rows, rate, size * entry), "the test"), fee)}
    long, short = (position_levels(account, leg, terms, RULE) for leg in legs)
    assert (long.liquidation_price, long.bankruptcy_price) == (short.liquidation_price, short.bankruptcy_price)
    assert long.lines() == short.lines()


@many
@given(sides, entries, sizes, margins, moves, st.integers(-500, 500))
def test_an_account_given_by_equity_answers_as_one_given_by_balance(side, entry, size, balance, move, elsewhere):
    rows = (Position("p", "X", side * size, entry, "cross"), Position("o", "Y", size, entry, "cross"))
    terms = {
        "X": Terms(entry * move, TierTable((Tier(0.0, 0.01),), "the test")),
        "Y": Terms(entry * (1.0 + elsewhere / 1_000), TierTable((Tier(0.0, 0.02),), "the test")),
    }
    by_balance = position_levels(Account("a", "v", rows, balance=size * entry * balance), rows[0], terms, RULE)
    by_equity = position_levels(Account("a", "v", rows, equity=by_balance.equity), rows[0], terms, RULE)
    assert by_equity.status == by_balance.status
    assert same(by_equity.liquidation_price, by_balance.liquidation_price, noise=entry * 1e-10)
    assert by_equity.collateral == pytest.approx(by_balance.collateral, rel=1e-9, abs=size * entry * 1e-12)


@many
@given(sides, entries, sizes, st.integers(-1_500, 1_500), moves, continuous, rates)
def test_the_alert_level_at_the_mark_is_liquidation_or_worse_exactly_when_the_position_is_liquidatable(
    side, entry, size, free, move, rows, rate
):
    """However little is left of the rest of the account, down to where no price would help."""
    position = Position("p", "X", side * size, entry, "cross")
    tiers = ladder(rows, rate, size * entry)
    account = Account("a", "v", (position,), balance=size * entry * free / 1_000)
    mark = entry * move
    answer = position_levels(account, position, {"X": Terms(mark, TierTable(tiers, "the test"))}, RULE)
    level = answer.lines().level_at(mark, Ladder())
    assert (level >= Level.LIQUIDATION) == (answer.status == "already_liquidatable")
    assert (level is Level.BANKRUPTCY) == (answer.equity < 0) or answer.equity == pytest.approx(
        0, abs=size * entry * 1e-9
    )
