"""The thirty checks that the arithmetic must pass, by their numbers, to the last printed digit.

Venues' own help pages and payloads, the tests of public client libraries, and sums worked by hand. Where a row is a
venue's, the venue's own rule solves it; where a venue is gone or has another rule today, the rule is made here.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from monitor.core.account import Account, CollateralAsset, Position
from monitor.core.contract import LiquidationRule, Tier, TierTable
from monitor.core.fillable import bankruptcy_quote, fillable_price
from monitor.core.forced_close import forced_close, fund_income
from monitor.core.levels import position_levels, rounded
from monitor.core.pool import Terms
from monitor.core.shock import shock
from monitor.venues import RULES

BINANCE = RULES["binance"]["linear"]
HYPERLIQUID = RULES["hyperliquid"]["linear"]
LIGHTER = RULES["lighter"]["linear"]
DYDX = RULES["dydx"]["linear"]
DERIBIT = RULES["deribit"]["linear"]
BYBIT_BEFORE = LiquidationRule(
    "Bybit before 2025-09-02", "its help centre of that time", "2025-09-01", "entry", "entry_notional", "none"
)
GATE = LiquidationRule("Gate", "freqtrade's test", "2026-11-22", "mark", "notional", "mark_notional")
KUCOIN = LiquidationRule("KuCoin", "a captured payload", "2026-11-22", "fixed", "none", "none")
MARK = LiquidationRule("requirement at mark", "worked by hand", "2026-11-22", "mark", "notional", "none")
ENTRY = LiquidationRule("requirement at entry", "worked by hand", "2026-11-22", "entry", "none", "none")


class Row(NamedTuple):
    """An isolated position and its published liquidation price; *bankruptcy* and *tick* where the row has them."""

    rule: LiquidationRule
    quantity: float
    entry: float
    margin: float
    tier: tuple[float, ...]
    expected: float
    tolerance: float
    bankruptcy: float | None = None
    fee: float = 0.0
    tick: float = 0.0
    kind: str = "linear"


OLD_50X = (0, 0.01)
"""A maximum leverage of 50, as Hyperliquid had for BTC and ETH."""

ISOLATED = {
    "2 Binance's page, USD-M: the ETH leg of row 1 alone": Row(
        BINANCE, 3_683.979, 1_456.84, 1_535_443.01, (0, 0.1, 135_365), 1_114.78, 0.005
    ),
    "3 freqtrade: short at 8, 5x": Row(MARK, -1, 8, 8 / 5, (0, 0.01, 0.01), 9.514851485, 5e-10),
    "3 freqtrade: long at 10, 5x": Row(MARK, 1, 10, 10 / 5, (0, 0.01, 0.01), 8.070707071, 5e-10),
    "3 freqtrade: long at 10, 3x": Row(MARK, 1, 10, 10 / 3, (0, 0.01, 0.01), 6.723905724, 5e-10),
    "4 freqtrade: long 15000 at 0.1": Row(MARK, 15_000, 0.1, 300, (0, 0.01, 0.01), 0.0808074074, 5e-11),
    "5 Binance hedge payload: isolatedMargin 15517.54150468 contains 2316.8342356 of profit": Row(
        BINANCE, 20, 6_563.665, 15_517.54150468 - 2_316.8342356, (0, 0.005, 50), 5_930.78, 0.005
    ),
    "6 Bybit before 2025-09: long 1 at 20000, 50x": Row(
        BYBIT_BEFORE, 1, 20_000, 20_000 / 50, (0, 0.005), 19_700, 1e-9, bankruptcy=19_600
    ),
    "7 Bybit before 2025-09: short 0.04, 10x, tick 0.05": Row(
        BYBIT_BEFORE,
        -0.04,
        2_001.2664065,
        0.04 * 2_001.2664065 / 10,
        (0, 0.005),
        2_191.35,
        1e-9,
        bankruptcy=2_201.35,
        tick=0.05,
    ),
    "8 Bybit before 2025-09: long 3x": Row(BYBIT_BEFORE, 1, 10, 10 / 3, (0, 0.01), 6.7666667, 5e-8),
    "8 Bybit before 2025-09: long 10x": Row(BYBIT_BEFORE, 1, 10, 1, (0, 0.01), 9.1, 1e-9),
    "8 Bybit before 2025-09: short 1x": Row(BYBIT_BEFORE, -1, 10, 10, (0, 0.01), 19.9, 1e-9),
    "8 Bybit before 2025-09: short 5x": Row(BYBIT_BEFORE, -1, 10, 2, (0, 0.01), 11.9, 1e-9),
    "10 Gate: short at 8, 5x, taker 0.06 % in the test": Row(
        GATE, -1, 8, 1.6, (0, 0.01), 9.499307342, 5e-10, fee=0.0006
    ),
    "12 Hyperliquid HIP-3: rawUsd -9.538334, max 20x": Row(
        HYPERLIQUID, 0.0004, 25_000, 10 - 9.538334, (0, 0.025), 24_457.2667, 5e-5
    ),
    "13 Hyperliquid: BTC long (its margin is rounded)": Row(
        HYPERLIQUID, 0.00039, 63_287, 24.673292, OLD_50X, 22.3717, 22.3717 * 4e-5
    ),
    "13 Hyperliquid: BTC short (its margin is rounded)": Row(
        HYPERLIQUID, -0.00069, 68_595, 23.64871, OLD_50X, 101_849.9935, 0.007
    ),
    "14 Hyperliquid: ETH long": Row(HYPERLIQUID, 0.0199, 2_459.5, 24.454895, OLD_50X, 1_243.0412, 5e-5),
    "14 Hyperliquid: ETH short": Row(HYPERLIQUID, -0.019, 2_642.8, 25.091876, OLD_50X, 3_924.18322, 5e-6),
    "14 Hyperliquid: ETH short, less margin": Row(HYPERLIQUID, -0.0327, 2_552, 20.833393, OLD_50X, 3_157.53150, 5e-6),
    "15 Hyperliquid: SOL long, max 20x": Row(HYPERLIQUID, 0.6, 173.06, 20.735658, (0, 0.025), 142.0518667, 5e-8),
    "15 Hyperliquid: long at 250, max 10x": Row(HYPERLIQUID, 0.5, 250, 25, (0, 0.05), 210.5263158, 5e-8),
    "16 Lighter: ETH long (its entry is rounded)": Row(
        LIGHTER, 18.0193, 2_669.84, 9_100.242706, (0, 0.012), 2_191.11, 0.01
    ),
    "26 entry-based: long 0.001": Row(
        ENTRY, 0.001, 29_926.8, 4.99268, (0, 0.005), 25_083.754, 5e-4, bankruptcy=24_934.12
    ),
    "27 inverse, entry-based: long 10x at 2000": Row(
        ENTRY, 100, 2_000, 100 / 2_000 / 10, (0, 0.005), 1_826.48, 0.005, kind="inverse"
    ),
    "27 inverse, entry-based: short 10x at 2000": Row(
        ENTRY, -100, 2_000, 100 / 2_000 / 10, (0, 0.005), 2_209.94, 0.005, kind="inverse"
    ),
    "29 section 4, inverse at mark: long": Row(
        MARK, 30_000, 60_000, 0.05, (0, 0.004), 54_763.636, 5e-4, bankruptcy=54_545.4545, kind="inverse"
    ),
    "29 section 4, inverse at mark: short": Row(
        MARK, -30_000, 60_000, 0.05, (0, 0.004), 66_400, 1e-6, bankruptcy=66_666.6667, kind="inverse"
    ),
    "29 section 4, with a fee of 0.05 % in the test: long": Row(
        GATE, 30_000, 60_000, 0.05, (0, 0.004), 54_790.909, 5e-4, bankruptcy=54_545.4545, fee=0.0005, kind="inverse"
    ),
    "29 section 4, with a fee of 0.05 % in the test: short": Row(
        GATE, -30_000, 60_000, 0.05, (0, 0.004), 66_366.667, 5e-4, bankruptcy=66_666.6667, fee=0.0005, kind="inverse"
    ),
    "30 the seed article, W1: short at 50000, margin 5000": Row(
        MARK, -1, 50_000, 5_000, (0, 0.005), 54_726.3682, 5e-5, bankruptcy=55_000
    ),
    "30 the seed article, requirement at entry": Row(ENTRY, -1, 50_000, 5_000, (0, 0.005), 54_750, 1e-6),
    "30 the seed article, taker 0.05 % in the test": Row(
        GATE, -1, 50_000, 5_000, (0, 0.005), 54_699.1546, 5e-5, bankruptcy=55_000, fee=0.0005
    ),
}


@pytest.mark.parametrize("row", ISOLATED.values(), ids=ISOLATED.keys())
def test_an_isolated_position_gives_the_published_prices(solve, row):
    terms = solve.terms(row.entry, row.tier, fee=row.fee, kind=row.kind, rule=row.rule)
    answer = solve.isolated(row.quantity, row.entry, row.margin, terms)
    shown = [answer.liquidation_price, answer.bankruptcy_price]
    if row.tick:
        shown = [rounded(price, row.tick, row.quantity) for price in shown]
    assert answer.status == "ok"
    assert shown[0] == pytest.approx(row.expected, abs=row.tolerance, rel=0)
    if row.bankruptcy is not None:
        assert shown[1] == pytest.approx(row.bankruptcy, abs=max(row.tolerance, 5e-5), rel=0)


def test_1_a_binance_cross_account_gives_the_published_price_and_the_sums_behind_it(solve):
    """Binance's page "How to calculate the liquidation price of USD-M futures"."""
    answer = solve.cross(
        ("BTCUSDT", 109.488, 32_481.98),
        ("ETHUSDT", 3_683.979, 1_456.84),
        terms={
            "BTCUSDT": solve.terms(31_967.27, (0, 0.025, 16_300), rule=BINANCE),
            "ETHUSDT": solve.terms(1_335.18, (0, 0.1, 135_365), rule=BINANCE),
        },
        balance=1_535_443.01,
    )
    assert answer.liquidation_price == pytest.approx(26_316.89, abs=0.005)
    assert answer.others_maintenance == pytest.approx(356_512.508, abs=0.0005)
    assert answer.others_profit == pytest.approx(-448_192.89, abs=0.005)


def test_9_an_okx_cross_payload_gives_its_own_liquidation_price(solve):
    """mgnRatio is equity over (requirement + taker fee) there: the equity follows from it."""
    notional = 0.01 * 34_132.186
    equity = 140.4993011760 * (1.3652874433 + 0.0005 * notional)
    terms = solve.terms(34_132.186, (0, 0.004), (1_000, 0.005), fee=0.0005, rule=RULES["okx"]["linear"])
    answer = solve.cross(("X", 0.01, 34_131.1), terms={"X": terms}, equity=equity, contracts=1)
    assert answer.liquidation_price == pytest.approx(12_608.95908, rel=1e-8)
    assert answer.tier_size == 1


def test_11_the_hyperliquid_documents_give_the_same_price_from_account_value(solve):
    terms = solve.terms(100.02765 / 0.0335, OLD_50X, rule=HYPERLIQUID)
    answer = solve.cross(("X", 0.0335, 3_000), terms={"X": terms}, equity=4.967826)
    assert answer.liquidation_price == pytest.approx(2_866.26937, abs=5e-5)  # equity to 1e-6, over a size of 0.0335


@pytest.mark.parametrize(
    ("quantity", "oracle", "equity", "rate", "expected", "digits"),
    [(-3, 3_000, 1_000, 0.05, 3_174.60, 0.005), (1, 1_000, 100, 0.03, 927.8350515, 5e-8)],
    ids=["short", "long"],
)
def test_17_dydx_front_end_prices_follow_from_equity_at_the_oracle_price(
    solve, quantity, oracle, equity, rate, expected, digits
):
    terms = solve.terms(oracle, (0, rate), rule=DYDX)
    answer = solve.cross(("X", quantity, oracle), terms={"X": terms}, equity=equity)
    assert answer.liquidation_price == pytest.approx(expected, abs=digits)


def test_18_closing_a_whole_dydx_account_must_bring_what_it_owes(solve):
    equity, requirement = -4_501 + 0.1 * 50_000, 0.1 * 50_000 * 0.1
    assert bankruptcy_quote(-5_000, -500, equity, requirement) == pytest.approx(4_501)
    answer = solve.cross(("X", 0.1, 50_000), terms={"X": solve.terms(50_000, (0, 0.1), rule=DYDX)}, equity=equity)
    assert answer.bankruptcy_price * 0.1 == pytest.approx(4_501)  # the same, as a price


def test_19_closing_one_leg_of_a_dydx_account_may_cost_its_share_of_the_equity(solve):
    """Quote 510, short 0.004 BTC at 50000 and 0.1 ETH at 3000, 10 %: buying back the ETH may cost 306."""
    equity, requirement = 510 - 200 - 300, 50
    assert bankruptcy_quote(300, -30, equity, requirement) == pytest.approx(-306)
    terms = {"ETH": solve.terms(3_000, (0, 0.1), rule=DYDX), "BTC": solve.terms(50_000, (0, 0.1), rule=DYDX)}
    answer = solve.cross(("ETH", -0.1, 3_000), ("BTC", -0.004, 50_000), terms=terms, equity=equity)
    assert answer.bankruptcy_price * 0.1 == pytest.approx(306)


@pytest.mark.parametrize(
    ("quantity", "quote", "adjustment", "expected"),
    [(0.1, -4_501, 1, 49_999), (0.1, -5_000, 1, 49_500), (0.1, -4_501, 2, 49_998), (-0.1, 5_000, 1, 50_500)],
)
def test_20_dydx_fillable_prices(quantity, quote, adjustment, expected):
    """The tests of its chain: BTC at 50000, 10 % maintenance, a spread of 10 %."""
    equity, requirement = quote + quantity * 50_000, 0.1 * 50_000 * 0.1
    assert fillable_price(quantity, 50_000, 0.1, equity, requirement, 0.1, adjustment) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("quantity", "quote", "fill", "cap", "expected"),
    [
        pytest.param(0.1, -5_100, 56_100, 0.005, 28.05, id="21 long sold above bankruptcy: the capped fee"),
        pytest.param(-0.1, 4_900, 44_100, 0.025, 110.25, id="22 short bought below it: the capped fee"),
        pytest.param(-0.1, 4_900, 44_100, 1.0, 490, id="22 short, no cap: all that is left"),
        pytest.param(-0.1, 4_900, 48_951, 1.0, 4.9, id="22 short, hardly anything left"),
    ],
)
def test_21_22_the_dydx_fund_gets_the_fee_or_what_is_left(quantity, quote, fill, cap, expected):
    surplus = forced_close(quantity, quote / -quantity, fill, 0).surplus
    assert fund_income(surplus, abs(quantity) * fill, cap) == pytest.approx(expected)


def test_23_the_bankruptcy_price_of_the_dydx_deleveraging_example_is_1_2(solve):
    terms = solve.terms(1, (0, 0.05), rule=DYDX)
    assert solve.cross(("X", -500, 1), terms={"X": terms}, balance=100).bankruptcy_price == pytest.approx(1.2)


def test_24_a_deribit_margin_rises_with_the_size(solve):
    """25 BTC at 100000, linear: initial margin 2 % + 25 * 0.005 %; maintenance has the same form from 1 %."""
    for base, expected in ((0.02, 53_125), (0.01, 28_125)):
        terms = solve.terms(100_000, (0, base), rule=DERIBIT, slope=0.00005)
        answer = solve.cross(("X", 25, 100_000), terms={"X": terms}, equity=100_000)
        assert answer.maintenance_margin == pytest.approx(expected)


def test_25_a_kucoin_isolated_position_keeps_the_requirement_of_its_payload(solve):
    terms = solve.terms(4_182.10, rule=KUCOIN)
    answer = solve.isolated(2 * 0.01, 4_182.10, 3.68897586, terms, maintenance_margin=0.50637594)
    assert rounded(answer.liquidation_price, 0.05, 1) == 4_023.00


LADDER_2026 = (
    (0, 0.004, 0),
    (300_000, 0.005, 300),
    (800_000, 0.0065, 1_500),
    (3_000_000, 0.01, 12_000),
    (12_000_000, 0.02, 132_000),
    (70_000_000, 0.025, 482_000),
    (100_000_000, 0.05, 2_982_000),
)
"""BTCUSDT at Binance, 2026."""


def test_28_the_tier_is_the_one_at_the_liquidation_price_and_not_the_one_at_entry(solve):
    answer = solve.isolated(9.5, 90_000, 85_500, solve.terms(90_000, *LADDER_2026, rule=BINANCE))
    assert answer.liquidation_price == pytest.approx(81_375.2975, abs=5e-5)  # the tier at entry would say 81371.0169
    assert answer.tier.maintenance_rate == 0.005
    assert answer.tier_size == pytest.approx(773_065, abs=0.5)


@pytest.mark.parametrize("leg", [0, 1], ids=["long leg", "short leg"])
def test_29_the_legs_of_a_hedge_pair_show_one_price(solve, leg):
    """Binance's two-sided form: wallet 5000, long 2 at 40000, short 1.5 at 42000, 0.5 %."""
    terms = {"X": solve.terms(41_000, (0, 0.005), rule=BINANCE)}
    answer = solve.cross(("X", 2, 40_000), ("X", -1.5, 42_000), terms=terms, balance=5_000, of=leg)
    assert answer.liquidation_price == pytest.approx(24_870.4663, abs=5e-5)
    assert answer.danger == -1


def test_29_an_equal_hedge_pair_is_liquidated_only_far_above(solve):
    """(balance + locked profit) / (q * (m + m)) = (5000 + 2000) / (1 * 0.01)."""
    terms = {"X": solve.terms(41_000, (0, 0.005), rule=BINANCE)}
    answer = solve.cross(("X", 1, 40_000), ("X", -1, 42_000), terms=terms, balance=5_000)
    assert (answer.liquidation_price, answer.danger) == (pytest.approx(700_000), 1)
    assert answer.bankruptcy_price is None


@pytest.mark.parametrize(("leg", "expected"), [(0, 49_250), (1, 3_075)], ids=["long 0.1", "short 1"])
def test_29_zero_prices_share_the_equity_by_requirement(solve, leg, expected):
    """Equity 150; long 0.1 at 50000 (3 %) and short 1 at 3000 (5 %)."""
    terms = {"A": solve.terms(50_000, (0, 0.03), rule=LIGHTER), "B": solve.terms(3_000, (0, 0.05), rule=LIGHTER)}
    answer = solve.cross(("A", 0.1, 50_000), ("B", -1, 3_000), terms=terms, equity=150, of=leg)
    assert answer.bankruptcy_price == pytest.approx(expected)
    assert answer.maintenance_margin == pytest.approx(300)


@pytest.fixture
def nearly_hedged():
    """Collateral 10000 USDT and 2 ETH counted at 0.9; long 2 BTC and short 30 ETH, entered at mark; ETH beta 1.2."""
    positions = (Position("btc", "BTC", 2, 60_000, "cross"), Position("eth", "ETH", -30, 3_000, "cross"))
    terms = {
        "BTC": Terms(60_000, TierTable((Tier(0, 0.005),), "the test"), rule=MARK),
        "ETH": Terms(3_000, TierTable((Tier(0, 0.01),), "the test"), rule=MARK, beta=1.2),
    }
    coins = (CollateralAsset("ETH", 2, 0.9, symbol="ETH", beta=1.2),)
    return Account("a", "v", positions, balance=10_000, assets=coins), terms


def test_29_a_leg_of_an_account_is_solved_with_the_other_marks_held(nearly_hedged):
    account, terms = nearly_hedged
    answer = position_levels(account, account.positions[0], terms)
    assert answer.equity - answer.maintenance_margin == pytest.approx(13_900)
    assert answer.liquidation_price == pytest.approx(53_015.08, abs=0.005)


def test_29_a_coin_that_is_collateral_as_well_moves_with_its_leg(nearly_hedged):
    """Short 30 ETH against 2 in the collateral: 3487.72, where the collateral held still would say 3458.75."""
    account, terms = nearly_hedged
    answer = position_levels(account, account.positions[1], terms)
    assert answer.liquidation_price == pytest.approx(3_487.72, abs=0.005)


def test_29_moved_together_the_same_account_bears_83_percent_and_decorrelated_6(nearly_hedged):
    """F' = 16800 together: -82.7 %; F' = -222000 with each leg against its holder: 6.26 %."""
    account, terms = nearly_hedged
    answer = shock(account, account.positions[0], terms)
    assert answer.down == pytest.approx(-13_900 / 16_800, abs=5e-4)
    assert answer.up is None
    assert answer.against == pytest.approx(13_900 / 222_000, rel=1e-6)


@pytest.mark.parametrize(("payments", "expected"), [(0, 2_727.2727), (1, 2_727.5758), (30, 2_736.3636)])
def test_29_unsettled_funding_moves_the_price_against_its_payer(solve, payments, expected):
    """Long 2 ETH at 3000, margin 600, 1 %; each payment is 0.01 % of 6000."""
    terms = solve.terms(3_000, (0, 0.01), rule=MARK)
    answer = solve.isolated(2, 3_000, 600, terms, unsettled_funding=-0.6 * payments)
    assert answer.liquidation_price == pytest.approx(expected, abs=5e-5)


def test_30_the_seed_article_at_53000(solve):
    answer = solve.isolated(-1, 50_000, 5_000, solve.terms(53_000, (0, 0.005), rule=MARK))
    assert (answer.equity, answer.bankruptcy_price) == (2_000, 55_000)
    assert answer.margin_ratio == pytest.approx(0.1325)
    assert answer.liquidation_distance_ratio == pytest.approx(0.032573, abs=5e-7)
    assert answer.bankruptcy_distance_ratio == pytest.approx(0.037736, abs=5e-7)
    assert answer.liquidation_price * answer.buffer_ratio == pytest.approx(273.63, abs=0.005)


@pytest.mark.parametrize(("fill", "surplus"), [(54_900, 100), (55_200, -200), (56_000, -1_000)], ids=["W1", "W2", "W3"])
def test_30_the_three_fills_of_the_seed_article(solve, fill, surplus):
    short = solve.isolated(-1, 50_000, 5_000, solve.terms(50_000, (0, 0.005), rule=MARK))
    close = forced_close(-1, short.bankruptcy_price, fill, 700)
    assert (close.surplus, close.uncovered) == (surplus, 300 if fill == 56_000 else 0)
