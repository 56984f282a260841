"""What one forced close does to the fund: the seed example, and that no money appears or vanishes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.forced_close import forced_close

SEED = {
    "54900: better than bankruptcy": (54_900, 100, 0, 0, None),
    "55000: at bankruptcy": (55_000, 0, 0, 0, None),
    "55200: the fund pays": (55_200, -200, 200, 0, 3.5),
    "55700: the fund pays its last": (55_700, -700, 700, 0, 1.0),
    "56000: the fund is not enough": (56_000, -1_000, 700, 300, 0.7),
}


@pytest.mark.parametrize(("fill", "surplus", "paid", "uncovered", "coverage"), SEED.values(), ids=SEED.keys())
def test_the_seed_example_short_1_bankrupt_at_55000_with_a_fund_of_700(fill, surplus, paid, uncovered, coverage):
    close = forced_close(-1, 55_000, fill, 700)
    assert (close.surplus, close.paid_by_fund, close.uncovered) == (surplus, paid, uncovered)
    assert close.coverage_ratio == coverage


def test_a_long_closed_below_its_bankruptcy_price_is_a_deficit():
    close = forced_close(2, 100, 90, 1_000)
    assert (close.surplus, close.paid_by_fund, close.uncovered) == (-20, 20, 0)


@pytest.mark.parametrize("fund", [0.0, -50.0], ids=["empty", "in debt"])
def test_a_fund_without_money_pays_nothing(fund):
    close = forced_close(-1, 100, 110, fund)
    assert (close.paid_by_fund, close.uncovered) == (0, 10)


def test_closing_in_two_fills_is_closing_at_their_average():
    """Short 40 beyond the visible book: 54730x5, 54760x8, 54820x7, 54950x6 and 14 more at 55206.67."""
    fills = [(5, 54_730), (8, 54_760), (7, 54_820), (6, 54_950), (14, 55_206.6667)]
    parts = sum(forced_close(-size, 55_000, price, 0).surplus for size, price in fills)
    whole = forced_close(-40, 55_000, sum(size * price for size, price in fills) / 40, 0).surplus
    assert parts == pytest.approx(1_936.67, abs=0.005)
    assert whole == pytest.approx(parts)


amounts = st.floats(0.01, 1e6)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(amounts, st.sampled_from([1, -1]), amounts, amounts, st.floats(0, 1e9))
def test_the_deficit_is_paid_or_uncovered_and_never_both_kinds_of_sign(size, side, bankruptcy, fill, fund):
    close = forced_close(side * size, bankruptcy, fill, fund)
    deficit = max(0.0, -close.surplus)
    assert close.paid_by_fund + close.uncovered == pytest.approx(deficit)
    assert 0 <= close.paid_by_fund <= fund
    assert close.uncovered >= 0
    assert (close.coverage_ratio is None) == (deficit == 0)
