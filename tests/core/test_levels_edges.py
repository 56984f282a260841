"""Edges: what is missing, what is exactly at a line, and positions that nothing can liquidate or save."""

from __future__ import annotations

import math

import msgspec
import pytest

from monitor.core.account import Account, CollateralAsset, Position
from monitor.core.alerts import Ladder, Level
from monitor.core.contract import Tier, TierTable
from monitor.core.levels import position_levels, rounded
from monitor.core.pool import Terms

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
    answer = position_levels(Account("a", "v", (position,)), position, {})
    assert (answer.status, answer.missing) == ("unavailable", ("mark_price of X", "rule of X"))


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


def test_a_contract_without_a_rule_is_unavailable_and_keeps_its_bankruptcy_price(solve):
    answer = solve.isolated(1, 100, 10, solve.terms(100, FLAT, rule=None))
    assert (answer.status, answer.missing, answer.bankruptcy_price) == ("unavailable", ("rule of X",), 90)


@pytest.mark.parametrize("kinds", [("linear", "inverse"), ("inverse", "linear")])
def test_linear_and_inverse_positions_do_not_share_a_balance(solve, kinds):
    terms = {symbol: solve.terms(100, FLAT, kind=kind) for symbol, kind in zip("XY", kinds, strict=True)}
    answer = solve.cross(("X", 1, 100), ("Y", 1, 100), terms=terms, balance=10)
    assert (answer.status, answer.liquidation_price, answer.bankruptcy_price) == ("unavailable", None, None)
    assert answer.missing == ("one settlement asset: linear and inverse contracts do not share a balance",)


@pytest.mark.parametrize("kind", ["linear", "inverse"])
def test_an_entry_price_of_zero_is_a_missing_one(solve, kind):
    answer = solve.isolated(1, 0.0, 10, solve.terms(100, FLAT, kind=kind))
    assert (answer.status, answer.liquidation_price, answer.bankruptcy_price) == ("unavailable", None, None)
    assert answer.missing == ("entry_price of p",)


def test_a_fixed_requirement_that_nobody_has_reported_is_missing(solve):
    fixed = solve.terms(100, rule=solve.by(maintenance="fixed", tier_by="none"))
    answer = solve.isolated(1, 100, 10, fixed)
    assert (answer.status, answer.missing) == ("unavailable", ("maintenance_margin of p",))
    assert solve.isolated(1, 100, 10, fixed, maintenance_margin=4.0).liquidation_price == pytest.approx(94)


def test_without_a_ladder_the_rate_is_that_of_the_reported_maintenance_margin(solve):
    """4.75 of 95 is 5 %."""
    reported = solve.isolated(1, 100, 10, solve.terms(95), maintenance_margin=4.75)
    assert reported.liquidation_price == pytest.approx(90 / 0.95)
    assert any("the maintenance_margin that the venue reports" in note for note in reported.approximations)


def test_a_collateral_coin_without_a_price_is_missing(solve):
    coins = (CollateralAsset("ETH", 2.0, 0.9, symbol="ETHUSDT"),)
    answer = solve.cross(("X", 1, 100), terms={"X": solve.terms(100, FLAT)}, balance=10, assets=coins)
    assert (answer.status, answer.missing, answer.bankruptcy_price) == ("unavailable", ("price of ETH",), None)


# Tiers of 100 % and more are absurd: the denominator would flip its sign.

ABSURD = {
    "rate + fee = 1": {"tier": (0, 0.9), "fee": 0.1},
    "rate + fee > 1": {"tier": (0, 0.95), "fee": 0.1},
    "rate + fee > 1 in inverse": {"tier": (0, 0.95), "fee": 0.1, "kind": "inverse"},
}


@pytest.mark.parametrize("its", ABSURD.values(), ids=ABSURD.keys())
@pytest.mark.parametrize("quantity", [1, -1], ids=["long", "short"])
def test_a_tier_that_asks_for_the_whole_value_is_unavailable(solve, quantity, its):
    answer = solve.isolated(
        quantity, 100, 0.001, solve.terms(100, its["tier"], **{k: v for k, v in its.items() if k != "tier"})
    )
    assert (answer.status, answer.liquidation_price) == ("unavailable", None)
    assert answer.missing == ("tiers of X whose rates and fee stay below 1",)
    assert answer.bankruptcy_price is not None


def test_a_rate_that_rises_with_the_size_to_the_whole_value_is_unavailable(solve):
    """1 % and 0.5 % a coin, 200 coins."""
    sloped = solve.terms(100, (0, 0.01), slope=0.005, rule=solve.by(maintenance="size", tier_by="none"))
    assert solve.isolated(200, 100, 25_000, sloped).status == "unavailable"


def test_a_reported_maintenance_margin_above_the_notional_is_unavailable(solve):
    assert solve.isolated(1, 100, 120, solve.terms(100), maintenance_margin=100.0).status == "unavailable"


# Beside whom.


def test_an_isolated_position_does_not_need_the_others_terms(solve):
    rows = (Position("p", "X", 1, 100, "isolated", 10), Position("o", "Y", 1, 100, "cross"))
    answer = position_levels(Account("a", "v", rows), rows[0], {"X": solve.terms(100, FLAT)})
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


LAST_DIGIT = {
    "equity = requirement, the sum says 0": ("linear", 7.071, 10.0, 0.07071, 0.001),
    "equity = requirement, the sum says a last digit more": ("linear", 0.203, 10.0, 0.203 * 10.0 * 5 / 1_000, 0.005),
    "equity = requirement, in coins": ("inverse", 30.0, 3.0, 0.5, 0.05),
}


@pytest.mark.parametrize(("kind", "quantity", "mark", "margin", "rate"), LAST_DIGIT.values(), ids=LAST_DIGIT.keys())
def test_status_and_alert_level_agree_where_a_last_digit_decides(solve, kind, quantity, mark, margin, rate):
    answer = solve.isolated(quantity, mark, margin, solve.terms(mark, (0, rate), kind=kind))
    liquidated = answer.lines().level_at(mark, Ladder()) >= Level.LIQUIDATION
    assert liquidated == (answer.status == "already_liquidatable")


def test_a_mark_at_the_liquidation_price_is_recognised_where_the_rate_rises_with_the_coins(solve):
    """Long of 0.09 face value at 10, 1x/1000: the mark is put to the price that the first answer named."""
    sloped = solve.by(maintenance="size", tier_by="none")
    price = solve.isolated(0.09, 10, 9e-6, solve.inverse(10, (0, 0.001), fee=0.0005, slope=0.0001 / 0.009, rule=sloped))
    there = solve.inverse(price.liquidation_price, (0, 0.001), fee=0.0005, slope=0.0001 / 0.009, rule=sloped)
    again = solve.isolated(0.09, 10, 9e-6, there)
    assert again.liquidation_price == pytest.approx(price.liquidation_price, rel=1e-9)


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


INVERSE = {
    "long, Q = 30000 at 60000": (30_000, 54_763.636, 54_545.4545),
    "short, Q = 30000 at 60000": (-30_000, 66_400, 66_666.667),
}


@pytest.mark.parametrize(("quantity", "liquidation", "bankruptcy"), INVERSE.values(), ids=INVERSE.keys())
def test_a_coin_margined_position_is_the_mirror_image_of_a_linear_one(solve, quantity, liquidation, bankruptcy):
    answer = solve.isolated(quantity, 60_000, 0.05, solve.inverse(60_000, (0, 0.004)))
    assert (answer.liquidation_price, answer.bankruptcy_price) == pytest.approx((liquidation, bankruptcy), rel=1e-8)
    assert (answer.notional, answer.profit, answer.equity) == (0.5, 0.0, 0.05)


NOTHING_LIQUIDATES = {
    "linear long, K = q * E": ("linear", 1, 100, 100),
    "linear long, K > q * E": ("linear", 1, 100, 150),
    "linear long, K = q * E but for a last digit": ("linear", 0.1, 3, 0.3),
    "inverse short at 1x, K = Q / E": ("inverse", -100, 100, 1),
    "inverse short, K > Q / E": ("inverse", -100, 100, 1.5),
    "inverse short at 1x, K = Q / E but for a last digit": ("inverse", -0.13, 10, 0.013),
}


@pytest.mark.parametrize(("kind", "quantity", "entry", "margin"), NOTHING_LIQUIDATES.values(), ids=NOTHING_LIQUIDATES)
def test_a_position_whose_whole_value_is_held_has_neither_price(solve, kind, quantity, entry, margin):
    answer = solve.isolated(quantity, entry, margin, solve.terms(entry, FLAT, kind=kind))
    assert (answer.status, answer.liquidation_price, answer.bankruptcy_price) == ("none", None, None)
    assert (answer.liquidation_distance_ratio, answer.bankruptcy_distance_ratio, answer.danger) == (
        None,
        None,
        -1 if quantity > 0 else 1,
    )
    assert math.isinf(answer.lines().distance(entry))


def test_an_inverse_long_can_always_be_liquidated(solve):
    """However much coin stands behind it: Q * (1 + m) / (K + Q / E)."""
    answer = solve.isolated(100, 100, 1e6, solve.inverse(100, FLAT))
    assert answer.liquidation_price == pytest.approx(105 / (1e6 + 1))


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
    assert (answer.liquidation_price, answer.danger) == (100, 1)


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


def test_a_pair_that_only_the_fees_to_close_can_use_up_goes_bankrupt_upwards(solve):
    """Net long 0.0001, but closing both legs costs 0.001 * 0.1999: the equity less fees falls as the price rises."""
    its = solve.terms(1_000, (0, 0.001), fee=0.001, rule=solve.by(bankruptcy="equity_less_fee"))
    answer = solve.cross(("X", 0.1, 1_000), ("X", -0.0999, 1_000), terms={"X": its}, balance=0.4)
    assert answer.status == "ok"
    assert answer.bankruptcy_price == pytest.approx((0.4 - 0.1) / (0.1999 * 0.001 - 0.0001))
    assert answer.bankruptcy_danger == 1
    assert answer.bankruptcy_distance_ratio > 0
    assert answer.lines().level_at(1_000, Ladder()) < Level.LIQUIDATION


def test_isolated_legs_of_a_pair_are_independent(solve):
    rows = (Position("l", "X", 1, 100, "isolated", 10), Position("s", "X", -1, 100, "isolated", 20))
    account = Account("a", "v", rows, position_mode="hedge")
    terms = {"X": solve.terms(100, FLAT)}
    long, short = (position_levels(account, row, terms) for row in rows)
    assert (long.bankruptcy_price, short.bankruptcy_price) == (90, 120)


def test_an_isolated_position_is_no_part_of_the_cross_sum(solve):
    rows = (Position("c", "X", 1, 100, "cross"), Position("i", "Y", 5, 100, "isolated", 10))
    terms = {"X": solve.terms(100, FLAT), "Y": solve.terms(50, FLAT)}
    answer = position_levels(Account("a", "v", rows, balance=10), rows[0], terms)
    assert (answer.others_profit, answer.others_maintenance, answer.bankruptcy_price) == (0, 0, 90)


# The zero price: each position's share of the equity by requirement.


def test_zero_prices_are_those_of_the_worked_account(solve):
    """Equity 150, requirements 150 and 150: closing the first at its zero price leaves 75 of 150, the same half."""
    rule = solve.by(bankruptcy="proportional", tier_by="none")
    terms = {"BTC": solve.terms(50_000, (0, 0.03), rule=rule), "ETH": solve.terms(3_000, (0, 0.05), rule=rule)}
    rows = ("BTC", 0.1, 50_000), ("ETH", -1, 3_000)
    prices = [solve.cross(*rows, terms=terms, equity=150, of=leg).bankruptcy_price for leg in (0, 1)]
    assert prices == pytest.approx([49_250, 3_075])


def test_a_healthy_account_is_not_called_bankrupt_at_the_zero_price_of_one_of_its_positions(solve):
    """Equity 600 of 300 required: today's zero price of the long is 47000, above its liquidation price."""
    rule = solve.by(bankruptcy="proportional", tier_by="none")
    terms = {"BTC": solve.terms(50_000, (0, 0.03), rule=rule), "ETH": solve.terms(3_000, (0, 0.05), rule=rule)}
    rows = ("BTC", 0.1, 50_000), ("ETH", -1, 3_000)
    lines = solve.cross(*rows, terms=terms, equity=600).lines()
    there = {**terms, "BTC": msgspec.structs.replace(terms["BTC"], mark_price=46_950.0)}
    assert solve.cross(*rows, terms=there, balance=600).status == "ok"
    assert lines.level_at(46_950, Ladder()) < Level.LIQUIDATION


def test_the_zero_price_of_a_single_position_is_where_its_equity_ends_although_the_requirement_jumps(solve):
    """Short 1 at 100 with 20: from 110 on the tier asks for 11 of the 10 that are left, and 120 is the end of them."""
    its = solve.terms(100, (0, 0.01), (110, 0.10), rule=solve.by(bankruptcy="proportional"))
    answer = solve.isolated(-1, 100, 20, its)
    assert (answer.liquidation_price, answer.bankruptcy_price) == (110, pytest.approx(120))


def test_the_hedging_leg_of_a_healthy_pair_is_not_called_bankrupt_at_its_zero_price(solve):
    """Closed at the liquidation price below, the short may cost something: its zero price lies above that price."""
    its = solve.terms(100, FLAT, rule=solve.by(bankruptcy="proportional"))
    rows = ("X", 2, 100), ("X", -1, 100)
    for leg in (0, 1):
        answer = solve.cross(*rows, terms={"X": its}, balance=40, of=leg)
        assert answer.status == "ok"
        assert answer.lines().level_at(100, Ladder()) is Level.OK


@pytest.mark.parametrize("end", ["equity", "proportional"])
def test_lost_equity_without_any_requirement_is_still_an_answer(solve, end):
    """A published deduction that takes the whole requirement away at the mark: 80 x 5 % - 4."""
    its = solve.terms(80, (0, 0.05, 4), rule=solve.by(bankruptcy=end))
    answer = solve.isolated(1, 100, 10, its)
    assert (answer.status, answer.maintenance_margin) == ("already_liquidatable", 0)


def test_leverage_below_one_leaves_no_fee_to_hold_back(solve):
    """Of 1 long with twice its value as collateral the initial margin never ends."""
    its = solve.terms(100, FLAT, fee=0.01, rule=solve.by(closing_fee="at_bankruptcy"))
    assert solve.cross(("X", 1, 100), terms={"X": its}, balance=50, leverage=0.5).reserve == 0


def test_the_fee_held_back_for_a_cross_position_is_that_where_its_leverage_ends(solve):
    """10x: 90 for the long, 1 / (1/100 + 1/1000) for the long that settles in the coin."""
    by = {"fee": 0.01, "rule": solve.by(closing_fee="at_bankruptcy")}
    linear, inverse = solve.terms(100, FLAT, **by), solve.inverse(100, FLAT, **by)
    held = solve.cross(("X", 1, 100), terms={"X": linear}, balance=50, leverage=10.0).reserve
    assert held == pytest.approx(0.9)
    coins = solve.cross(("X", 100, 100), terms={"X": inverse}, balance=0.5, leverage=10.0).reserve
    assert coins == pytest.approx(0.01 * 100 * (1 / 100 + 1 / 1_000))


# Collateral.


def test_a_collateral_coin_counts_with_its_haircut_and_a_debt_counts_whole(solve):
    coins = CollateralAsset("ETH", 2.0, 0.9, price=3_000.0), CollateralAsset("SOL", -1.0, 0.9, price=100.0)
    answer = solve.cross(("X", 1, 100), terms={"X": solve.terms(100, FLAT)}, balance=1_000, assets=coins)
    assert answer.collateral == pytest.approx(1_000 + 5_400 - 100)


def test_a_collateral_coin_that_is_also_the_position_s_falls_with_it(solve):
    """5 of balance and 0.05 coins: 5 + 0.05 P + P - 100 = 0.05 P."""
    coins = (CollateralAsset("X", 0.05, 1.0, symbol="X"),)
    terms = {"X": solve.terms(100, FLAT)}
    with_coin = solve.cross(("X", 1, 100), terms=terms, balance=5, assets=coins)
    assert with_coin.liquidation_price == pytest.approx(95.0)
    assert with_coin.bankruptcy_price == pytest.approx(95.0 / 1.05)


@pytest.mark.parametrize(("funding", "collateral"), [(0.6, 10.6), (-0.6, 9.4)])
def test_unsettled_funding_is_part_of_the_collateral(solve, funding, collateral):
    terms = solve.terms(100, FLAT)
    assert solve.isolated(1, 100, 10, terms, unsettled_funding=funding).collateral == pytest.approx(collateral)
    cross = solve.cross(("X", 1, 100), terms={"X": terms}, balance=10, unsettled_funding=funding)
    assert cross.collateral == pytest.approx(collateral)


def test_a_quantity_that_is_no_multiple_of_the_contract_is_kept(solve):
    answer = solve.isolated(0.00123456789, 100, 0.0123456789, solve.terms(100, FLAT), contracts=1.23456789)
    assert answer.notional == 0.00123456789 * 100
    assert answer.liquidation_price == pytest.approx(90 / 0.95)


# The venue's own figure beside ours, which is 90 / 0.9 = 100 for a long 1 at 120 with 30 of margin and 10 %.

REPORTED = {
    "not given": (None, None, None, False),
    "the same": (100.0, None, 0.0, False),
    "0.1 % off": (100 / 1.001, None, 0.001, False),
    "just over 0.1 % off": (100 / 1.00101, None, 0.00101, True),
    "0.1 % off on the other side": (100 / 0.999, None, -0.001, False),
    "just over 0.1 % off on the other side": (100 / 0.99899, None, -0.00101, True),
    "two ticks of 0.5 off": (101.0, 0.5, -1 / 101, False),
    "just over two ticks of 0.5 off": (101.01, 0.5, -1.01 / 101.01, True),
    "small ticks, 0.1 % off": (100 / 1.001, 0.001, 0.001, False),
    "the venue shows none": (0.0, None, None, True),
}


@pytest.mark.parametrize(("theirs", "tick", "ratio", "drifted"), REPORTED.values(), ids=REPORTED.keys())
def test_drift_is_what_lies_beyond_two_ticks_and_a_thousandth(solve, theirs, tick, ratio, drifted):
    its = solve.terms(120, (0, 0.1), tick=tick)
    answer = solve.isolated(1, 120, 30, its, reported_liquidation_price=theirs)
    assert answer.liquidation_price == pytest.approx(100)
    assert (answer.drift_ratio, answer.drifted) == (pytest.approx(ratio, abs=1e-12), drifted)


@pytest.mark.parametrize(("theirs", "drifted"), [(0.0, False), (1.0, True)], ids=["none as well", "a price"])
def test_drift_where_nothing_liquidates_by_our_sum_and_the_venue_shows(solve, theirs, drifted):
    answer = solve.isolated(1, 100, 150, solve.terms(100, FLAT), reported_liquidation_price=theirs)
    assert (answer.status, answer.drift_ratio, answer.drifted) == ("none", None, drifted)


def test_there_is_no_drift_without_our_own_answer(solve):
    answer = solve.isolated(1, 100, 10, solve.terms(100), reported_liquidation_price=95.0)
    assert (answer.status, answer.drift_ratio, answer.drifted) == ("unavailable", None, False)


ROUNDED = {
    "long, up": (4_022.96, 0.05, 2, 4_023.0),
    "short, down": (2_191.3999, 0.05, -2, 2_191.35),
    "long, at a tick": (4_023.0, 0.05, 2, 4_023.0),
    "short, at a tick": (4_023.0, 0.05, -2, 4_023.0),
    "at a tick but for a last digit": (0.1 + 0.2, 0.1, 2, 0.3),
    "whole ticks": (81_375.2975, 1.0, 1, 81_376.0),
    "a thousandth of a tick above one, long": (100.00001, 0.01, 1, 100.01),
    "a thousandth of a tick above one, short": (100.00001, 0.01, -1, 100.0),
}


@pytest.mark.parametrize(("price", "tick", "quantity", "shown"), ROUNDED.values(), ids=ROUNDED.keys())
def test_a_price_is_rounded_to_the_tick_against_the_holder(price, tick, quantity, shown):
    assert rounded(price, tick, quantity) == shown


# What is said with the answer.


def test_above_the_published_maximum_the_last_tier_is_used_and_that_is_said(solve):
    table = TierTable((Tier(0.0, 0.05),), "the operator's file", "2026-11-01", cap=50.0)
    answer = solve.isolated(1, 100, 10, Terms(100.0, table, rule=solve.rule))
    assert answer.status == "ok"
    assert any("published maximum 50" in note for note in answer.approximations)
    assert "tiers: the operator's file of 2026-11-01" in answer.approximations


def test_below_the_published_maximum_nothing_is_said_of_it(solve):
    answer = solve.isolated(1, 100, 10, Terms(100.0, TierTable((Tier(0.0, 0.05),), "x", cap=500.0), rule=solve.rule))
    assert not any("maximum" in note for note in answer.approximations)


def test_a_root_above_the_published_maximum_is_flagged_although_the_position_is_below_it_now(solve):
    table = TierTable((Tier(0.0, 0.05),), "x", cap=102.0)
    answer = solve.isolated(-1, 100, 10, Terms(100.0, table, rule=solve.rule))
    assert answer.liquidation_price > 102
    assert any("notional 105 lies above the ladder's published maximum 102" in note for note in answer.approximations)


def test_a_ladder_without_its_lower_tiers_is_flagged_where_its_requirement_is_negative(solve):
    answer = solve.isolated(1, 100, 60, solve.terms(100, (0, 0.05, 4)))
    assert any("the requirement there is negative" in note for note in answer.approximations)


def test_the_size_that_chose_the_tier_is_in_contracts_where_the_rule_counts_those(solve):
    its = solve.terms(100, FLAT, (10, 0.1), rule=solve.by(tier_by="contracts"))
    answer = solve.isolated(1, 100, 20, its, contracts=100.0)
    assert (answer.tier_size, answer.tier.maintenance_rate, answer.maintenance_margin) == (100, 0.1, 10)


def test_a_rule_without_a_closing_fee_ignores_the_rate_of_the_terms_and_says_so(solve):
    answer = solve.isolated(1, 100, 10, solve.terms(100, FLAT, fee=0.01, rule=solve.by(closing_fee="none")))
    assert answer.liquidation_price == pytest.approx(90 / 0.95)
    assert any("closing_fee_rate is not used" in note for note in answer.approximations)


def test_a_rule_with_a_closing_fee_says_that_it_was_not_given(solve):
    answer = solve.isolated(1, 100, 10, solve.terms(100, FLAT))
    assert any("without closing_fee_rate it counts as 0" in note for note in answer.approximations)


def test_the_fee_held_back_for_the_bankruptcy_price_is_part_of_the_requirement(solve):
    """Long 1 at 100, margin 10, 1 %: the equity just pays the fee at 90 / 0.99."""
    its = solve.terms(100, FLAT, fee=0.01, rule=solve.by(closing_fee="at_bankruptcy", bankruptcy="equity_less_fee"))
    answer = solve.isolated(1, 100, 10, its)
    assert answer.bankruptcy_price == pytest.approx(90 / 0.99)
    assert answer.reserve == pytest.approx(0.9 / 0.99)
    assert answer.maintenance_margin == pytest.approx(5 + 0.9 / 0.99)


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
