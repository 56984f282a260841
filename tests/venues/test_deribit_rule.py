"""Deribit: the rate rises with the coins, and the venue's own estimate moves all marks of a currency together.

Two shorts of 100 USD each, as published in a public repository (May 2025): both estimates are 1.7291685 times their
mark. The balance is the one at which the first does; that the second does as well is the evidence.
"""

import pytest

from monitor.core.account import Account, Position
from monitor.core.contract import Tier, TierTable
from monitor.core.levels import position_levels
from monitor.core.pool import Terms
from monitor.core.shock import shock
from monitor.venues import RULES

RULE = RULES["deribit"]["inverse"]
SLOPE = 0.00005


def terms(mark: float, rate: float, slope: float = SLOPE) -> Terms:
    return Terms(mark, TierTable((Tier(0.0, rate),), "2022"), kind="inverse", rule=RULE, maintenance_slope=slope)


@pytest.fixture
def captured():
    held = (
        Position("perp", "PERP", -100, 102438.16, "cross", contracts=10, reported_liquidation_price=179063.29),
        Position("sep", "SEP", -100, 105487.5, "cross", contracts=10, reported_liquidation_price=183492.29),
    )
    return Account("a", "deribit", held, balance=0.00083721878654), {
        "PERP": terms(103554.56, 0.01),
        "SEP": terms(106115.91, 0.02),
    }


def test_the_fatal_move_of_all_marks_is_the_venues_own_ratio(captured):
    account, its = captured
    found = shock(account, account.positions[0], its)
    assert found.up == pytest.approx(183492.29 / 106115.91 - 1.0, abs=1e-4)
    assert found.down is None


def test_an_estimate_of_all_marks_together_is_not_compared_with_one_positions_price(captured):
    account, its = captured
    answer = position_levels(account, account.positions[0], its)
    assert (answer.drift_ratio, answer.drifted) == (None, False)


def test_a_short_is_liquidated_by_a_rise_and_not_by_its_coins_near_a_price_of_zero():
    """15,708 USD short at 3,762.453 on 20.37591 coins: 1 % alone would say 7,275.81."""
    held = Position("eth", "ETH", -15_708 * 10, 3762.453, "cross", contracts=15_708)
    account = Account("a", "deribit", (held,), balance=20.37591)
    answer = position_levels(account, held, {"ETH": terms(3603.112, 0.01, 0.000004)})
    assert answer.danger == 1
    assert 7_250.0 < answer.liquidation_price < 7_275.81
    assert answer.bankruptcy_price > answer.liquidation_price
