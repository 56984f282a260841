"""Edges: what is missing, what is exactly at a line, and positions that nothing can liquidate or save."""

from __future__ import annotations

import math

import msgspec
import pytest

from monitor.core.account import Account, Position
from monitor.core.alerts import Ladder, Level
from monitor.core.contract import Tier, TierTable
from monitor.core.levels import Terms, position_levels

FLAT = (0, 0.05)
"""One tier of 5 %."""


def test_a_quantity_of_zero_is_none_without_a_division(solve):
    answer = solve.isolated(0.0, 100, 10, solve.terms(100, FLAT))
    assert (answer.status, answer.liquidation_price, answer.bankruptcy_price) == ("none", None, None)


def test_a_flat_leg_does_not_disturb_the_other_one(solve):
    terms = {"X": solve.terms(100, FLAT), "Y": Terms()}
    with_flat = solve.cross(("X", 1, 100), ("X", 0, 0), ("Y", 0, 0), terms=terms, balance=10)
    assert with_flat.liquidation_price == solve.cross(("X", 1, 100), terms=terms, balance=10).liquidation_price


# What is missing is named, and never replaced by a zero.

MISSING = {
    "no ladder was ever read": (("X", 100.0, None), 10.0, ("tiers of X",), 90.0),
    "no mark": (("X", None, FLAT), 10.0, ("mark_price of X",), 90.0),
    "neither mark nor ladder": (("X", None, None), 10.0, ("mark_price of X", "tiers of X"), 90.0),
    "no margin": (("X", 100.0, FLAT), None, ("margin of p",), None),
}


@pytest.mark.parametrize(("terms", "margin", "missing", "bankruptcy"), MISSING.values(), ids=MISSING.keys())
def test_what_is_missing_makes_an_isolated_position_unavailable(solve, terms, margin, missing, bankruptcy):
    _, mark, tier = terms
    answer = solve.isolated(1, 100, margin, solve.terms(mark, *([tier] if tier else [])))
    assert (answer.status, answer.liquidation_price, answer.margin_ratio) == ("unavailable", None, None)
    assert answer.missing == missing
    assert answer.bankruptcy_price == bankruptcy


def test_a_bankruptcy_price_needs_no_ladder_and_has_its_distance(solve):
    answer = solve.isolated(-1, 100, 10, solve.terms(100))
    assert (answer.bankruptcy_price, answer.bankruptcy_distance_ratio) == (110, pytest.approx(0.1))


def test_a_symbol_without_any_terms_is_unavailable(solve):
    position = Position("p", "X", 1, 100, "isolated", 10)
    answer = position_levels(Account("a", "v", (position,)), position, {}, solve.rule)
    assert (answer.status, answer.missing) == ("unavailable", ("mark_price of X", "tiers of X"))


def test_a_cross_account_without_balance_or_equity_is_unavailable(solve):
    answer = solve.cross(("X", 1, 100), terms={"X": solve.terms(100, FLAT)})
    assert (answer.status, answer.missing, answer.bankruptcy_price) == ("unavailable", ("balance of a",), None)


def test_a_cross_account_given_by_equity_is_unavailable_without_the_mark(solve):
    answer = solve.cross(("X", 1, 100), terms={"X": solve.terms(None, FLAT)}, equity=10)
    assert (answer.status, answer.missing, answer.bankruptcy_price) == ("unavailable", ("mark_price of X",), None)


def test_the_missing_mark_of_another_cross_position_leaves_no_price_at_all(solve):
    answer = solve.cross(
        ("X", 1, 100), ("Y", 1, 100), terms={"X": solve.terms(100, FLAT), "Y": solve.terms(None, FLAT)}, balance=10
    )
    assert (answer.status, answer.missing, answer.bankruptcy_price) == ("unavailable", ("mark_price of Y",), None)


def test_the_missing_ladder_of_another_cross_position_leaves_the_bankruptcy_price(solve):
    answer = solve.cross(
        ("X", 1, 100), ("Y", 1, 100), terms={"X": solve.terms(100, FLAT), "Y": solve.terms(105)}, balance=10
    )
    assert (answer.status, answer.missing, answer.bankruptcy_price) == ("unavailable", ("tiers of Y",), 85)


def test_a_kind_of_contract_without_a_formula_is_unavailable(solve):
    inverse = Terms(100.0, TierTable((Tier(0.0, 0.05),), "the test"), kind="inverse")
    answer = solve.isolated(1, 100, 10, inverse)
    assert (answer.status, answer.missing) == (
        "unavailable",
        ("a calculation for inverse contracts by the rule of linear, requirement at mark",),
    )


def test_another_cross_position_without_a_formula_is_not_taken_for_a_linear_one(solve):
    inverse = Terms(100.0, TierTable((Tier(0.0, 0.05),), "the test"), kind="inverse")
    answer = solve.cross(("X", 1, 100), ("Y", 1, 50), terms={"X": solve.terms(100, FLAT), "Y": inverse}, balance=10)
    assert (answer.status, answer.missing) == ("unavailable", ("a rule for inverse contracts (Y)",))
    assert answer.bankruptcy_price is None


def test_an_isolated_position_does_not_need_the_others_terms(solve):
    rows = (Position("p", "X", 1, 100, "isolated", 10), Position("o", "Y", 1, 100, "cross"))
    answer = position_levels(Account("a", "v", rows), rows[0], {"X": solve.terms(100, FLAT)}, solve.rule)
    assert answer.status == "ok"


# Exactly at a line.

AT_THE_LINE = {
    "long, equity = requirement": (1, 5.0, "already_liquidatable"),
    "long, equity = requirement + 0.01": (1, 5.01, "ok"),
    "long, equity = requirement - 0.01": (1, 4.99, "already_liquidatable"),
    "short, equity = requirement": (-1, 5.0, "already_liquidatable"),
    "short, equity = requirement + 0.01": (-1, 5.01, "ok"),
    "short, equity = requirement - 0.01": (-1, 4.99, "already_liquidatable"),
}


@pytest.mark.parametrize(("quantity", "margin", "status"), AT_THE_LINE.values(), ids=AT_THE_LINE.keys())
@pytest.mark.parametrize("tiers", [(FLAT,), (FLAT, (150, 0.1, 7.5))], ids=["one tier", "two tiers"])
def test_status_at_the_line(solve, quantity, margin, status, tiers):
    assert solve.isolated(quantity, 100, margin, solve.terms(100, *tiers)).status == status


@pytest.mark.parametrize("quantity", [1, -1], ids=["long", "short"])
@pytest.mark.parametrize("tiers", [(FLAT,), (FLAT, (50, 0.06, 0.5), (150, 0.1, 6.5))], ids=["one tier", "three tiers"])
def test_a_mark_at_the_liquidation_price_is_its_own_liquidation_price(solve, quantity, tiers):
    margin = 5.0 if len(tiers) == 1 else 5.5
    answer = solve.isolated(quantity, 100, margin, solve.terms(100, *tiers))
    assert (answer.liquidation_price, answer.margin_ratio) == (pytest.approx(100), pytest.approx(1))
    assert str(answer.liquidation_distance_ratio) == "0.0"


def test_a_notional_exactly_at_a_floor_belongs_to_the_tier_below(solve):
    answer = solve.isolated(-1, 100, 20, solve.terms(100, FLAT, (100, 0.06, 1)))
    assert answer.maintenance_margin == pytest.approx(5)
    assert solve.isolated(-1, 100, 20, solve.terms(100.01, FLAT, (100, 0.06, 1))).maintenance_margin == pytest.approx(
        5.0006
    )


def test_a_position_of_which_the_whole_value_is_collateral_cannot_be_liquidated_downwards(solve):
    """K = q * E exactly."""
    answer = solve.isolated(1, 100, 100, solve.terms(100, FLAT))
    assert (answer.status, answer.liquidation_price, answer.liquidation_distance_ratio) == ("none", None, None)
    assert (answer.bankruptcy_price, answer.bankruptcy_distance_ratio) == (None, None)
    assert answer.lines().level_at(0.01, Ladder()) is Level.OK


def test_a_cent_less_than_the_whole_value_gives_a_price_near_zero(solve):
    answer = solve.isolated(1, 100, 99.99, solve.terms(100, FLAT))
    assert (answer.status, answer.liquidation_price) == ("ok", pytest.approx(0.01 / 0.95))


def test_a_short_can_always_be_liquidated(solve):
    assert solve.isolated(-1, 100, 1e6, solve.terms(100, FLAT)).liquidation_price == pytest.approx(1_000_100 / 1.05)


def test_a_long_whose_rate_and_fee_eat_all_it_gains_has_no_price_below(solve):
    """m + fee = 1: the requirement falls as fast as the equity."""
    answer = solve.isolated(1, 100, 120, solve.terms(100, (0, 0.9), fee=0.1))
    assert (answer.status, answer.liquidation_price) == ("none", None)


# First touch, walking outward from the mark.


def test_a_short_is_liquidated_at_the_boundary_where_the_requirement_jumps_over_its_equity(solve):
    answer = solve.isolated(-1, 100, 20, solve.terms(100, (0, 0.01), (110, 0.10)))
    assert answer.liquidation_price == 110
    assert answer.tier.maintenance_rate == 0.01


def test_a_long_that_would_be_safe_again_in_a_lower_tier_is_liquidated_where_it_first_touches(solve):
    """At 99 the 10 % tier asks for 9.9 of 11 - 1 left; below 90 the 1 % tier would ask for 0.9 of 1."""
    answer = solve.isolated(1, 100, 11, solve.terms(100, (0, 0.01), (90, 0.10)))
    assert answer.liquidation_price == pytest.approx(89 / 0.9)


def test_a_mark_exactly_at_a_boundary_behind_which_the_requirement_jumps_is_at_its_liquidation_price(solve):
    answer = solve.isolated(-1, 100, 20, solve.terms(100, (0, 0.01), (100, 0.5), (200, 0.6)))
    assert (answer.status, answer.liquidation_price, answer.danger) == ("ok", 100, 1)


# Already beyond the line.


def test_a_long_past_the_line_names_the_price_at_which_it_recovers(solve):
    answer = solve.isolated(1, 100, 10, solve.terms(94, FLAT))
    assert (answer.status, answer.danger) == ("already_liquidatable", -1)
    assert answer.liquidation_price == pytest.approx(90 / 0.95)
    assert answer.liquidation_distance_ratio == pytest.approx((94 - 90 / 0.95) / 94)
    assert answer.margin_ratio == pytest.approx(4.7 / 4)


def test_a_short_past_the_line_names_the_price_at_which_it_recovers(solve):
    answer = solve.isolated(-1, 100, 10, solve.terms(106, FLAT))
    assert (answer.status, answer.danger) == ("already_liquidatable", 1)
    assert answer.liquidation_price == pytest.approx(110 / 1.05)
    assert answer.liquidation_distance_ratio < 0


@pytest.mark.parametrize("mark", [90, 80], ids=["equity = 0", "equity < 0"])
def test_without_equity_there_is_no_margin_ratio(solve, mark):
    answer = solve.isolated(1, 100, 10, solve.terms(mark, FLAT))
    assert (answer.status, answer.margin_ratio, answer.equity) == ("already_liquidatable", None, mark - 90)
    assert answer.bankruptcy_distance_ratio == pytest.approx((mark - 90) / mark)


BEYOND_RECOVERY = {
    "a short in an account that another position has emptied": (("X", -1, 100), ("Y", 10, 100)),
    "a balanced pair that has locked in more than the balance": (("X", 1, 250), ("X", -1, 100)),
}


@pytest.mark.parametrize("rows", BEYOND_RECOVERY.values(), ids=BEYOND_RECOVERY.keys())
@pytest.mark.parametrize("price", [1e-6, 100, 1e6])
def test_a_position_that_no_price_can_save_is_bankrupt_at_every_price(solve, rows, price):
    terms = {"X": solve.terms(100, FLAT), "Y": solve.terms(50, FLAT)}
    answer = solve.cross(*rows, terms=terms, balance=100)
    assert (answer.status, answer.liquidation_price, answer.bankruptcy_price) == ("already_liquidatable", None, None)
    assert answer.lines().level_at(price, Ladder()) is Level.BANKRUPTCY
    assert not any(answer.lines().clear_of(level, price, Ladder()) for level in Level if level)


# Pairs.


def test_an_equal_pair_can_only_be_liquidated_upwards(solve):
    """The profit is locked, the requirement grows: (WB + locked) / (q * (m + m))."""
    answer = solve.cross(("X", 1, 90), ("X", -1, 100), terms={"X": solve.terms(95, FLAT)}, balance=20)
    assert (answer.status, answer.liquidation_price, answer.danger) == ("ok", pytest.approx(300), 1)
    assert (answer.bankruptcy_price, answer.bankruptcy_danger) == (None, 0)


def test_a_nearly_balanced_pair_is_liquidated_upwards_although_its_bankruptcy_lies_below(solve):
    """Net long 3 of 200 BTC: on a steep ladder the requirement grows faster than the profit."""
    tiers = ((0, 0.004, 0), (300_000, 0.005, 300), (800_000, 0.0065, 1_500), (3e6, 0.01, 12_000), (12e6, 0.02, 132_000))
    answer = solve.cross(
        ("X", 101.5, 150_000), ("X", -98.5, 150_000), terms={"X": solve.terms(150_000, *tiers)}, balance=400_000
    )
    assert answer.status == "ok"
    assert (answer.danger, answer.bankruptcy_danger) == (1, -1)
    assert answer.liquidation_price > 150_000 > answer.bankruptcy_price
    assert answer.bankruptcy_distance_ratio > 0
    assert answer.lines().level_at(150_000, Ladder()) is Level.OK


def test_isolated_legs_of_a_pair_are_independent(solve):
    rows = (Position("l", "X", 1, 100, "isolated", 10), Position("s", "X", -1, 100, "isolated", 20))
    account = Account("a", "v", rows, position_mode="hedge")
    terms = {"X": solve.terms(100, FLAT)}
    long, short = (position_levels(account, row, terms, solve.rule) for row in rows)
    assert (long.bankruptcy_price, short.bankruptcy_price) == (90, 120)


def test_an_isolated_position_is_no_part_of_the_cross_sum(solve):
    rows = (Position("c", "X", 1, 100, "cross"), Position("i", "Y", 5, 100, "isolated", 10))
    terms = {"X": solve.terms(100, FLAT), "Y": solve.terms(50, FLAT)}
    answer = position_levels(Account("a", "v", rows, balance=10), rows[0], terms, solve.rule)
    assert (answer.others_profit, answer.others_maintenance, answer.bankruptcy_price) == (0, 0, 90)


# What is said with the answer.


def test_above_the_published_maximum_the_last_tier_is_used_and_that_is_said(solve):
    table = TierTable((Tier(0.0, 0.05),), "the operator's file", "2026-11-01", cap=50.0)
    answer = solve.isolated(1, 100, 10, Terms(100.0, table))
    assert answer.status == "ok"
    assert any("published maximum 50" in note for note in answer.approximations)
    assert "tiers: the operator's file of 2026-11-01" in answer.approximations


def test_below_the_published_maximum_nothing_is_said_of_it(solve):
    answer = solve.isolated(1, 100, 10, Terms(100.0, TierTable((Tier(0.0, 0.05),), "x", cap=500.0)))
    assert not any("maximum" in note for note in answer.approximations)


def test_a_rule_without_a_closing_fee_ignores_the_rate_of_the_terms_and_says_so(solve):
    rule = msgspec.structs.replace(solve.rule, closing_fee="none")
    position = Position("p", "X", 1, 100, "isolated", 10)
    terms = {"X": solve.terms(100, FLAT, fee=0.01)}
    answer = position_levels(Account("a", "v", (position,)), position, terms, rule)
    assert answer.liquidation_price == pytest.approx(90 / 0.95)
    assert any("closing_fee_rate is not used" in note for note in answer.approximations)


def test_an_answer_that_holds_other_marks_still_says_so(solve):
    terms = {"X": solve.terms(100, FLAT), "Y": solve.terms(100, FLAT)}
    answer = solve.cross(("X", 1, 100), ("Y", 1, 100), terms=terms, balance=50)
    assert any("held where they are" in note for note in answer.approximations)


def test_amounts_and_distances_are_those_of_the_worked_sum(solve):
    """Long 2 at 100, margin 30, mark 95, 5 % and 0.05 % to close."""
    answer = solve.isolated(2, 100, 30, solve.terms(95, FLAT, fee=0.0005))
    assert (answer.notional, answer.profit, answer.equity) == (190, -10, 20)
    assert answer.maintenance_margin == pytest.approx(190 * 0.0505)
    assert answer.margin_ratio == pytest.approx(190 * 0.0505 / 20)
    assert answer.liquidation_price == pytest.approx((200 - 30) / (2 * (1 - 0.0505)))
    assert answer.liquidation_distance_ratio == pytest.approx((95 - answer.liquidation_price) / 95)
    assert answer.bankruptcy_distance_ratio == pytest.approx((95 - 85) / 95)
    assert not math.isnan(answer.margin_ratio)
