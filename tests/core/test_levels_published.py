"""What venues and their users published must come out again, to the last printed digit.

Inputs and results are from venues' own help pages, captured payloads and the tests of public client libraries.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest


class Isolated(NamedTuple):
    quantity: float
    entry: float
    margin: float
    mark: float
    tier: tuple[float, ...]
    fee: float
    liquidation_price: float
    tolerance: float


ISOLATED = {
    "Binance: how to calculate the liquidation price (USD-M), the ETH leg alone": Isolated(
        3_683.979, 1_456.84, 1_535_443.01, 1_335.18, (0, 0.1, 135_365), 0, 1_114.78, 0.005
    ),
    "Binance: hedge payload, isolatedMargin 15517.54150468 includes 2316.8342356 of profit": Isolated(
        20, 6_563.665, 15_517.54150468 - 2_316.8342356, 6_679.5, (0, 0.005, 50), 0, 5_930.78, 0.005
    ),
    "freqtrade: short at 8, 5x": Isolated(-1, 8, 8 / 5, 8, (0, 0.01, 0.01), 0, 9.514851485, 5e-10),
    "freqtrade: long at 10, 5x": Isolated(1, 10, 10 / 5, 10, (0, 0.01, 0.01), 0, 8.070707071, 5e-10),
    "freqtrade: long at 10, 3x": Isolated(1, 10, 10 / 3, 10, (0, 0.01, 0.01), 0, 6.723905724, 5e-10),
    "freqtrade: long 15000 at 0.1": Isolated(15_000, 0.1, 300, 0.1, (0, 0.01, 0.01), 0, 0.0808074074, 5e-11),
    "Gate: short at 8, 5x, taker 0.06 % in the test": Isolated(-1, 8, 1.6, 8, (0, 0.01), 0.0006, 9.499307342, 5e-10),
    "Hyperliquid HIP-3: rawUsd -9.538334, max 20x": Isolated(
        0.0004, 25_000, 10 - 9.538334, 25_000, (0, 0.025), 0, 24_457.2667, 5e-5
    ),
    "Hyperliquid: BTC long, max 50x (its margin is rounded)": Isolated(
        0.00039, 63_287, 24.673292, 63_287, (0, 0.01), 0, 22.3717, 22.3717 * 4e-5
    ),
    "Hyperliquid: BTC short, max 50x (its margin is rounded)": Isolated(
        -0.00069, 68_595, 23.64871, 68_595, (0, 0.01), 0, 101_849.9935, 0.007
    ),
    "Hyperliquid: ETH long, max 50x": Isolated(0.0199, 2_459.5, 24.454895, 2_459.5, (0, 0.01), 0, 1_243.0412, 5e-5),
    "Hyperliquid: ETH short, max 50x": Isolated(-0.019, 2_642.8, 25.091876, 2_642.8, (0, 0.01), 0, 3_924.18322, 5e-6),
    "Hyperliquid: ETH short, less margin": Isolated(-0.0327, 2_552, 20.833393, 2_552, (0, 0.01), 0, 3_157.53150, 5e-6),
    "Hyperliquid: SOL long, max 20x": Isolated(0.6, 173.06, 20.735658, 173.06, (0, 0.025), 0, 142.0518667, 5e-8),
    "Hyperliquid: long at 250, max 10x": Isolated(0.5, 250, 25, 250, (0, 0.05), 0, 210.5263158, 5e-8),
    "Lighter: ETH long (its entry is rounded)": Isolated(
        18.0193, 2_669.84, 9_100.242706, 2_669.84, (0, 0.012), 0, 2_191.11, 0.01
    ),
    "insurance funds by examples: short at 50000, 5000 of margin": Isolated(
        -1, 50_000, 5_000, 50_000, (0, 0.005), 0, 54_726.3682, 5e-5
    ),
    "insurance funds by examples, taker 0.05 % in the test": Isolated(
        -1, 50_000, 5_000, 50_000, (0, 0.005), 0.0005, 54_699.1546, 5e-5
    ),
    "funding: long 2 ETH at 3000 before any payment": Isolated(2, 3_000, 600, 3_000, (0, 0.01), 0, 2_727.2727, 5e-5),
    "funding: after one payment of 0.01 %": Isolated(2, 3_000, 600 - 0.6, 3_000, (0, 0.01), 0, 2_727.5758, 5e-5),
    "funding: after thirty of them": Isolated(2, 3_000, 600 - 18, 3_000, (0, 0.01), 0, 2_736.3636, 5e-5),
}


@pytest.mark.parametrize("case", ISOLATED.values(), ids=ISOLATED.keys())
def test_an_isolated_position_gives_the_published_liquidation_price(solve, case):
    answer = solve.isolated(case.quantity, case.entry, case.margin, solve.terms(case.mark, case.tier, fee=case.fee))
    assert answer.status == "ok"
    assert answer.liquidation_price == pytest.approx(case.liquidation_price, abs=case.tolerance, rel=0)


def binance_account(solve):
    """The account of Binance's page "How to calculate the liquidation price of USD-M futures"."""
    return {
        "terms": {
            "BTCUSDT": solve.terms(31_967.27, (0, 0.025, 16_300)),
            "ETHUSDT": solve.terms(1_335.18, (0, 0.1, 135_365)),
        },
        "balance": 1_535_443.01,
    }


def test_a_binance_cross_account_gives_the_published_liquidation_price_and_the_sums_behind_it(solve):
    answer = solve.cross(("BTCUSDT", 109.488, 32_481.98), ("ETHUSDT", 3_683.979, 1_456.84), **binance_account(solve))
    assert answer.liquidation_price == pytest.approx(26_316.89, abs=0.005)
    assert answer.others_maintenance == pytest.approx(356_512.508, abs=0.0005)
    assert answer.others_profit == pytest.approx(-448_192.89, abs=0.005)


def test_a_position_beside_an_isolated_one_does_not_see_it(solve):
    alone = solve.isolated(3_683.979, 1_456.84, 1_535_443.01, solve.terms(1_335.18, (0, 0.1, 135_365)))
    cross = solve.cross(("ETHUSDT", 3_683.979, 1_456.84), **binance_account(solve))
    assert cross.liquidation_price == pytest.approx(alone.liquidation_price, rel=1e-12)


def test_an_okx_cross_payload_gives_its_own_liquidation_price(solve):
    """mgnRatio is equity over (requirement + taker fee) there: the equity follows from it."""
    notional = 0.01 * 34_132.186
    equity = 140.4993011760 * (1.3652874433 + 0.0005 * notional)
    answer = solve.cross(
        ("X", 0.01, 34_131.1), terms={"X": solve.terms(34_132.186, (0, 0.004), fee=0.0005)}, equity=equity
    )
    assert answer.liquidation_price == pytest.approx(12_608.95908, rel=1e-8)


def test_the_hyperliquid_documents_give_the_same_price_from_account_value(solve):
    answer = solve.cross(("X", 0.0335, 3_000), terms={"X": solve.terms(100.02765 / 0.0335, (0, 0.01))}, equity=4.967826)
    assert answer.liquidation_price == pytest.approx(2_866.26937, abs=5e-5)  # equity to 1e-6, over a size of 0.0335


@pytest.mark.parametrize(
    ("quantity", "oracle", "equity", "rate", "expected", "digits"),
    [(-3, 3_000, 1_000, 0.05, 3_174.60, 0.005), (1, 1_000, 100, 0.03, 927.8350515, 5e-8)],
    ids=["short", "long"],
)
def test_dydx_front_end_prices_follow_from_equity_at_the_oracle_price(
    solve, quantity, oracle, equity, rate, expected, digits
):
    answer = solve.cross(("X", quantity, oracle), terms={"X": solve.terms(oracle, (0, rate))}, equity=equity)
    assert answer.liquidation_price == pytest.approx(expected, abs=digits)


def test_the_bankruptcy_price_of_the_dydx_deleveraging_example_is_1_2(solve):
    assert solve.isolated(-500, 1, 100, solve.terms(1, (0, 0.05))).bankruptcy_price == pytest.approx(1.2)


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


def test_the_tier_is_the_one_at_the_liquidation_price_and_not_the_one_at_entry(solve):
    answer = solve.isolated(9.5, 90_000, 85_500, solve.terms(90_000, *LADDER_2026))
    assert answer.liquidation_price == pytest.approx(81_375.2975, abs=5e-5)  # the tier at entry would say 81371.0169
    assert answer.tier.maintenance_rate == 0.005
    assert answer.tier_notional == pytest.approx(773_065, abs=0.5)


@pytest.mark.parametrize("leg", [0, 1], ids=["long leg", "short leg"])
def test_the_legs_of_a_hedge_pair_show_one_price(solve, leg):
    """Binance's two-sided form: wallet 5000, long 2 at 40000, short 1.5 at 42000, 0.5 %."""
    answer = solve.cross(
        ("X", 2, 40_000), ("X", -1.5, 42_000), terms={"X": solve.terms(41_000, (0, 0.005))}, balance=5_000, of=leg
    )
    assert answer.liquidation_price == pytest.approx(24_870.4663, abs=5e-5)
    assert answer.danger == -1


def test_a_leg_of_an_account_is_solved_with_the_other_marks_held(solve):
    """Collateral 10000 USDT and 2 ETH at 3000 counted at 0.9; long 2 BTC and short 30 ETH, entered at mark."""
    answer = solve.cross(
        ("BTC", 2, 60_000),
        ("ETH", -30, 3_000),
        terms={"BTC": solve.terms(60_000, (0, 0.005)), "ETH": solve.terms(3_000, (0, 0.01))},
        balance=10_000 + 2 * 3_000 * 0.9,
    )
    assert answer.equity - answer.maintenance_margin == pytest.approx(13_900)
    assert answer.liquidation_price == pytest.approx(53_015.08, abs=0.005)


def test_the_seed_example_gives_ratio_and_both_distances_at_53000(solve):
    answer = solve.isolated(-1, 50_000, 5_000, solve.terms(53_000, (0, 0.005)))
    assert (answer.equity, answer.bankruptcy_price) == (2_000, 55_000)
    assert answer.margin_ratio == pytest.approx(0.1325)
    assert answer.liquidation_distance_ratio == pytest.approx(0.032573, abs=5e-7)
    assert answer.bankruptcy_distance_ratio == pytest.approx(0.037736, abs=5e-7)
