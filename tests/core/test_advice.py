"""What is said beside the numbers: only what applies, with its figures in the sentence."""

from __future__ import annotations

import msgspec
import pytest

from monitor.core.account import Account, CollateralAsset, Position
from monitor.core.advice import Market, advice
from monitor.core.contract import LiquidationRule, Tier, TierTable
from monitor.core.levels import position_levels
from monitor.core.pool import Terms
from monitor.core.shock import shock

RULE = LiquidationRule("at mark", "the test", "2026-11-22", "mark", "notional", "none")


def terms(mark: float | None, rate: float = 0.01, **its: float) -> Terms:
    return Terms(mark, TierTable((Tier(0.0, rate),), "the test"), rule=RULE, **its)


def isolated(quantity: float = 1.0, entry: float = 100.0, margin: float = 10.0, **said: object) -> Position:
    """Return a position that a rate of 1 % liquidates at 90.909 if long, at 108.91 if short."""
    return Position("p", "X", quantity, entry, "isolated", margin, **said)


def cross(name: str, symbol: str, quantity: float, entry: float, **said: object) -> Position:
    return Position(name, symbol, quantity, entry, "cross", **said)


def said(
    position: Position, *others: Position, its: dict[str, Terms] | None = None, market: Market | None = None, **account
) -> dict[str, str]:
    """Return what is said of *position* in an account of *others*, by slug."""
    its = its or {"X": terms(100.0)}
    made = Account("a", "v", (position, *others), **account)
    levels, found = position_levels(made, position, its), shock(made, position, its)
    return {item.slug: item.text for item in advice(made, position, its, levels, found, market)}


def test_plain_isolated_position_hears_only_what_is_at_stake() -> None:
    assert said(isolated()) == {
        "isolated_consequence": "At most its margin of 10 is at stake; the account's other money does not help it by "
        "itself."
    }


def test_plain_cross_position_hears_only_what_stands_behind_it() -> None:
    assert said(cross("p", "X", 1.0, 90.0), balance=1_000.0) == {
        "cross_consequence": "The account's whole equity of 1,010 stands behind this position."
    }


def test_closed_position_hears_nothing() -> None:
    assert said(isolated(0.0)) == {}


def test_unknown_facts_are_not_advised_on() -> None:
    assert said(isolated(margin=None, stop_price=1.0, stop_trigger="last"), its={"X": terms(None)}) == {}


def test_stop_beyond_liquidation_is_told_with_both_prices() -> None:
    assert said(isolated(stop_price=90.0))["stop_beyond_liquidation"] == (
        "The stop at 90 lies beyond the liquidation price 90.909091: when the mark is there, the venue has already "
        "taken the position over."
    )


@pytest.mark.parametrize(
    ("quantity", "stop", "beyond"),
    [
        pytest.param(1.0, 91.0, False, id="long: above its liquidation price"),
        pytest.param(1.0, 90.0, True, id="long: below"),
        pytest.param(-1.0, 108.0, False, id="short: below its liquidation price"),
        pytest.param(-1.0, 109.0, True, id="short: above"),
    ],
)
def test_a_stop_helps_on_the_near_side_of_liquidation(quantity: float, stop: float, beyond: bool) -> None:
    assert ("stop_beyond_liquidation" in said(isolated(quantity, stop_price=stop))) is beyond


def test_stop_at_the_liquidation_price_is_too_late() -> None:
    position = isolated(margin=50.5, stop_price=50.0)
    its = {"X": terms(100.0)}
    levels = position_levels(Account("a", "v", (position,)), position, its)
    position = msgspec.structs.replace(position, stop_price=levels.liquidation_price)
    assert " lies at the liquidation price 50: " in said(position)["stop_beyond_liquidation"]


def test_position_that_nothing_liquidates_may_stop_anywhere() -> None:
    assert "stop_beyond_liquidation" not in said(isolated(margin=100.0, stop_price=0.5, stop_trigger="last"))


@pytest.mark.parametrize("trigger", ["last", "index"])
def test_stop_triggered_by_another_price_than_liquidation_is_told(trigger: str) -> None:
    assert said(isolated(stop_price=95.0, stop_trigger=trigger))["stop_trigger"] == (
        f"The stop at 95 is triggered by the {trigger} price, liquidation by the mark: the mark can be at 90.909091 "
        f"before the {trigger} price has reached the stop."
    )


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param({"stop_price": 95.0, "stop_trigger": "mark"}, id="triggered by the mark"),
        pytest.param({"stop_price": 95.0}, id="trigger not told"),
        pytest.param({"stop_price": 105.0, "stop_trigger": "last"}, id="taking profit"),
        pytest.param({"stop_price": 90.0, "stop_trigger": "last"}, id="already said to be too late"),
    ],
)
def test_stop_that_has_no_race_to_lose_is_not_told_of_its_trigger(stop: dict[str, object]) -> None:
    assert "stop_trigger" not in said(isolated(**stop))


def test_cross_names_the_coin_that_ends_all_of_them_first() -> None:
    """10 a unit behind X alone: 200 - 3 of surplus, 20 of X at 100 x 0.99 a coin and 1 of Y."""
    positions = cross("p", "X", 2.0, 100.0), cross("o", "Y", 1.0, 100.0)
    found = said(*positions, its={"X": terms(100.0), "Y": terms(100.0)}, balance=102.0)
    assert found["cross_consequence"] == (
        "The account's whole equity of 102 stands behind its 2 cross positions, and a liquidation touches all of them; "
        "X ends it soonest by its move alone, at 50, 50.00 % down."
    )


def test_whole_account_shock_that_is_nearer_is_told_beside_the_own_distance() -> None:
    """99 of surplus: X and Y lose 99 x 2 each a unit together, X alone 198."""
    positions = cross("p", "X", 2.0, 100.0), cross("o", "Y", 2.0, 100.0)
    found = said(*positions, its={"X": terms(100.0), "Y": terms(100.0)}, balance=103.0)
    assert found["shock_nearer"] == (
        "The account ends with all marks falling by 25.00 %, where X alone would have to move by 50.00 %."
    )


def test_shock_of_each_mark_against_a_hedged_account_is_told_with_its_betas() -> None:
    """The worked account: 6.26 % against 11.64 %."""
    positions = cross("p", "BTC", 2.0, 60_000.0), cross("o", "ETH", -30.0, 3_000.0)
    its = {"BTC": terms(60_000.0, 0.005), "ETH": terms(3_000.0, 0.01, beta=1.2)}
    assets = (CollateralAsset("ETH", 2.0, 0.9, symbol="ETH"),)
    assert said(*positions, its=its, balance=10_000.0, assets=assets)["shock_nearer"] == (
        "The account ends with each mark moving against it by 6.26 % times its beta, where BTC alone would have to "
        "move by 11.64 %."
    )


def test_shock_is_told_where_no_price_of_the_own_contract_is_fatal() -> None:
    """X may go to 0; with Y it may not."""
    positions = cross("p", "X", 0.1, 100.0), cross("o", "Y", 2.0, 100.0)
    found = said(*positions, its={"X": terms(100.0), "Y": terms(100.0)}, balance=100.0)
    assert found["shock_nearer"].endswith(", where no move of X alone does.")


def test_shock_of_a_hedged_account_that_is_farther_is_not_told() -> None:
    """Both fall together without harm, and X alone is nearer than X with the tiny Y against it."""
    positions = cross("p", "X", 2.0, 100.0), cross("o", "Y", 1e-9, 100.0)
    its = {"X": terms(100.0), "Y": terms(100.0, beta=0.0)}
    assert "shock_nearer" not in said(*positions, its=its, balance=50.0)


def test_lone_position_is_not_told_its_own_distance_twice() -> None:
    """With a beta of 2 half the move of the market is enough, which is no joint move."""
    assert "shock_nearer" not in said(isolated(), its={"X": terms(100.0, beta=2.0)})


def test_legs_of_a_cross_pair_hear_of_their_one_price() -> None:
    """5 000 + 80 000 - 63 000 over 2 x 0.995 - 1.5 x 1.005: the worked pair."""
    pair = cross("long", "X", 2.0, 40_000.0), cross("short", "X", -1.5, 42_000.0)
    found = said(*pair, its={"X": terms(40_000.0, 0.005)}, balance=5_000.0, position_mode="hedge")
    assert found["hedge_shares_price"] == (
        "long and short share one collateral and one mark: their one liquidation price is 24,870.466, and closing "
        "either leg moves it for the other."
    )


def test_position_larger_than_the_depth_is_told() -> None:
    found = said(isolated(-1.0), market=Market(depth_quantity=0.25))
    assert found["size_against_depth"] == (
        "The position of 1 is larger than the 0.25 that stand near the touch: closed at once, it pays worse prices "
        "than those shown."
    )


def test_position_within_the_depth_hears_nothing_of_it() -> None:
    assert "size_against_depth" not in said(isolated(), market=Market(depth_quantity=1.0))


def test_holder_on_the_crowded_side_hears_what_it_pays() -> None:
    """0.03 % every 4 hours is 0.06 % in 8, of 200."""
    market = Market(0.0003, 14_400.0, open_interest_contracts=8_000.0)
    found = said(isolated(2.0, contracts=20.0), market=market)
    assert found["crowded_funding"] == (
        "The long side is crowded and pays 0.0600 % funding per 8 hours, 0.12 for this position, which is 0.25 % of "
        "the 8,000 contracts open."
    )


@pytest.mark.parametrize(
    ("quantity", "market", "crowded"),
    [
        pytest.param(1.0, Market(0.0006, 28_800.0), True, id="long pays a positive rate"),
        pytest.param(-1.0, Market(0.0006, 28_800.0), False, id="short receives it"),
        pytest.param(-1.0, Market(-0.0006, 28_800.0), True, id="short pays a negative rate"),
        pytest.param(1.0, Market(0.0005, 28_800.0), False, id="0.05 % is not above 0.05 %"),
        pytest.param(1.0, Market(0.0001, 3_600.0), True, id="0.01 % every hour is 0.08 % in 8"),
        pytest.param(1.0, Market(0.0), False, id="nobody pays"),
        pytest.param(1.0, Market(0.01), False, id="interval not known"),
    ],
)
def test_funding_is_told_to_the_side_that_pays_much(quantity: float, market: Market, crowded: bool) -> None:
    assert ("crowded_funding" in said(isolated(quantity), market=market)) is crowded


def test_drift_from_the_venues_figure_is_told_with_its_direction() -> None:
    assert said(isolated(reported_liquidation_price=90.0))["drift"] == (
        "The sum's 90.909091 lies 1.01 % above the venue's own 90: balance or margin, entry price and terms in the "
        "account file may be out of date."
    )


def test_venue_that_shows_no_price_where_there_is_one_is_told() -> None:
    found = said(isolated(reported_liquidation_price=0.0))["drift"]
    assert found.startswith("The venue shows no liquidation price where this sum finds 90.909091: ")


def test_venue_that_shows_a_price_where_there_is_none_is_told() -> None:
    found = said(isolated(margin=100.0, reported_liquidation_price=5.0))["drift"]
    assert found.startswith("The venue shows a liquidation price of 5 where this sum finds none: ")


def test_agreement_with_the_venue_is_not_told() -> None:
    assert "drift" not in said(isolated(reported_liquidation_price=90.91))


def test_liquidatable_position_is_not_told_about_its_stop_any_more() -> None:
    found = said(isolated(margin=0.5, stop_price=95.0, stop_trigger="last"))
    assert list(found) == ["isolated_consequence"]
