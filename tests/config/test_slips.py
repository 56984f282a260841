"""Slips of sign, unit and scale: what is said about each, and that good figures of every venue go without a word."""

from __future__ import annotations

import pytest

from monitor.venues import RULES, SHIPPED_TIERS, canonical

REAL = {"rules": RULES, "shipped_tiers": SHIPPED_TIERS, "canonical": canonical}
POSITION = "account.yaml:5: accounts[0].positions[0]"


def account(venue: str, symbol: str, terms: str, position: str, *, side: str = "long", balance: float | None = None):
    """One position: cross with a *balance*, otherwise isolated."""
    mode, shared = ("isolated", "") if balance is None else ("cross", f"  balance: {balance}\n")
    held = f"{{symbol: {symbol}, side: {side}, {position}, margin_mode: {mode}}}"
    return f"accounts:\n- name: main\n  venue: {venue}\n  positions:\n  - {held}\n{shared}terms:\n  {symbol}: {{{terms}}}\n"


LADDER = "tiers: [{floor: 0, maintenance_rate: 0.004, max_leverage: 125}, {floor: %s, maintenance_rate: 0.005, max_leverage: 100}]"
GOOD = {
    "binance": account("binance", "BTCUSDT", "mark_price: 90000", "contracts: 1, entry_price: 90000, leverage: 20"),
    "binance, the margin of a payload": account("Binance", "ETHUSDT", "mark_price: 6679.5", "contracts: 20, entry_price: 6563.665, margin: 13200.7"),
    "binance coin-m": account(
        "binance_coinm", "BTCUSD_PERP", f"contract_size: 100, mark_price: 61000, {LADDER % 5}",
        "contracts: 300, entry_price: 60000, margin: 0.05, reported_liquidation_price: 54763.6",
    ),
    "bybit": account(
        "bybit", "BTCUSDT", "mark_price: 90000, closing_fee_rate: 0.00055, tick_size: 0.1, maintenance_rate: 0.0033",
        "contracts: 1.5, entry_price: 90000, leverage: 50, stop: {price: 91000, trigger: last}", side="short",
    ),
    "bybit, inverse": account(
        "bybit", "BTCUSD", "kind: inverse, closing_fee_rate: 0.00055, tick_size: 0.5, maintenance_rate: 0.005",
        "contracts: 10000, entry_price: 90000, leverage: 50", side="short",
    ),
    "okx": account(
        "okx", "BTC-USDT-SWAP", "contract_size: 0.01, mark_price: 34132.186, closing_fee_rate: 0.0005, maintenance_rate: 0.004",
        "contracts: 1, entry_price: 34131.1, maintenance_margin: 1.3652874433", balance=215,
    ),
    "okx, inverse": account(
        "okx", "BTC-USD-SWAP", "kind: inverse, contract_size: 100, closing_fee_rate: 0.0005, maintenance_rate: 0.004",
        "contracts: 30, entry_price: 60000, margin: 0.005",
    ),
    "hyperliquid": account("hyperliquid", "ETH", "mark_price: 2986", "contracts: 0.0335, entry_price: 2986.3, leverage: 25", balance=4.9),
    "lighter": account("lighter", "ETH", "mark_price: 2669", "contracts: 18.0193, entry_price: 2669.84, reported_liquidation_price: none", balance=9100.24),
    "lighter, 3x": account("lighter", "XYZ", "maintenance_rate: 0.2", "contracts: 10, entry_price: 3, leverage: 3"),
    "dydx": account("dydx-v4", "BTC-USD", "mark_price: 60000, maintenance_rate: 0.012", "contracts: 0.5, entry_price: 61000, unsettled_funding: -3", side="short", balance=3000),
    "deribit, inverse": account(
        "deribit", "BTC-PERPETUAL", "kind: inverse, mark_price: 60000, maintenance_rate: 0.01, maintenance_slope: 0.00005",
        "contracts: 30000, entry_price: 61000", balance=0.3,
    ),
    "deribit, linear": account(
        "deribit", "SOL_USDC-PERPETUAL", "mark_price: 150, maintenance_rate: 0.02, maintenance_slope: 0.000005",
        "contracts: 300, entry_price: 150", side="short", balance=8000,
    ),
    "kraken, inverse": account("kraken", "PI_XBTUSD", f"kind: inverse, mark_price: 7900, {LADDER % 500000}", "contracts: 1000, entry_price: 8000", balance=0.01),
    "bybit, where a reserve that is not said cancels out": account(
        "bybit", "BTCUSDT", "maintenance_rate: 0.0033", "contracts: 1, entry_price: 90000, leverage: 10"
    ),
    "okx, without a fee by the operator's word": account(
        "okx", "BTC-USDT-SWAP", "contract_size: 0.01, closing_fee_rate: 0, maintenance_rate: 0.004",
        "contracts: 1, entry_price: 34131.1, margin: 30",
    ),
    "a little funding on the margin that the leverage gives": account(
        "binance", "BTCUSDT", "mark_price: 90001", "contracts: 1, entry_price: 90000, margin: 8990, leverage: 10"
    ),
    "a coin-margined spelling that is linear by the operator's word": account(
        "kraken", "PI_XBTUSD", "kind: linear, maintenance_rate: 0.01", "contracts: 0.5, entry_price: 60000, leverage: 10"
    ),
    "kraken, linear": account("Kraken_Futures", "PF_ETHUSD", "maintenance_rate: 0.01", "contracts: 2, entry_price: 3000, leverage: 10"),
    "generic": account(
        "generic", "XBTUSDTM", "contract_size: 0.01, rule: {maintenance: fixed, closing_fee: mark_notional}, closing_fee_rate: 0.0006",
        "contracts: 2, entry_price: 4182.1, margin: 3.68897586, maintenance_margin: 0.50637594",
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_a_good_file_of_each_venue_goes_without_a_warning(warnings, text):
    assert warnings(text, **REAL) == []


COINM = ("binance-coinm", "BTCUSD_PERP", "contract_size: 100")
OKX = ("okx", "BTC-USDT-SWAP", "contract_size: 0.01, maintenance_rate: 0.004")
BINANCE = ("binance", "BTCUSDT", "maintenance_rate: 0.004")
ODD = {
    "coins for contracts of a hundredth": (
        account(*OKX, "contracts: 0.5, entry_price: 60000, margin: 3000"),
        "margin: a notional of 300 on a margin of 3000 is 0.1 times leverage: did you mean contracts: 50, of 0.01 each?",
    ),
    "face value for contracts of a hundred": (
        account(*COINM, "contracts: 30000, entry_price: 60000, margin: 0.05"),
        "contracts: a notional of 50 on a margin of 0.05 is 1000 times leverage: did you mean contracts: 300, of 100 each?",
    ),
    "coins for inverse contracts": (
        account(*COINM, "contracts: 0.05, entry_price: 60000, margin: 0.005"),
        "contracts: 0.05 contracts of 100 have a face value of 5 in the quote currency: if these are coins, write contracts: 30",
    ),
    "coins for inverse contracts of one": (
        account("bybit", "BTCUSD", "kind: inverse", "contracts: 0.5, entry_price: 60000, leverage: 10"),
        "contracts: 0.5 contracts of 1 have a face value of 0.5 in the quote currency: if these are coins, write contracts: 30000",
    ),
    "contracts far beyond the collateral": (
        account(*BINANCE, "contracts: 50, entry_price: 60000", balance=3000),
        (
            "contracts: a notional of 3000000 on a collateral of 3000 is 1000 times leverage: are contracts, "
            "contract_size and prices in the venue's units? (contract_size is not said: 1)"
        ),
    ),
    "more than the ladder allows, as the margin tells": (
        account("binance", "BTCUSDT", LADDER % 50_000, "contracts: 1, entry_price: 90000, margin: 550"),
        (
            "contracts: a notional of 90000 on a margin of 550 is 163.636 times leverage: are contracts, "
            "contract_size and prices in the venue's units? (contract_size is not said: 1)"
        ),
    ),
    "dollars for the margin of an inverse contract": (
        account(*COINM, "contracts: 30, entry_price: 60000, margin: 300"),
        "margin: a notional of 0.05 on a margin of 300 is 0.000166667 times leverage: did you mean margin: 0.005 (it is in the coin)?",
    ),
    "dollars for the balance of inverse contracts": (
        account(*COINM, "contracts: 30, entry_price: 60000", balance=3000),
        "contracts: a notional of 0.05 on a collateral of 3000: the balance of inverse contracts is in the coin",
    ),
    "margin with the profit in it": (
        account("binance", "BTCUSDT", "mark_price: 99000", "contracts: 1, entry_price: 90000, margin: 18010, leverage: 10"),
        (
            "margin: 18010 is notional / leverage and the unrealised profit of 9000: expected the margin without it, "
            "about 9000 (Binance: isolatedWallet; isolatedMargin includes profit)"
        ),
    ),
    "margin below the requirement": (
        account(*BINANCE, "contracts: 1, entry_price: 90000, margin: 359").replace("0.004", "0.04"),
        "margin: 359 is below the requirement of 3600 at the entry price: already liquidatable at entry",
    ),
    "leverage above the tier's": (
        account("binance", "BTCUSDT", LADDER % 50_000, "contracts: 1, entry_price: 90000, leverage: 125"),
        "leverage: 125 is more than the venue allows: the largest of the tier for a notional of 90000 is 100",
    ),
    "leverage that the requirement eats up, in cross": (
        account("binance", "BTCUSDT", "maintenance_rate: 0.1", "contracts: 1, entry_price: 90000, leverage: 10", balance=50_000),
        "leverage: 10 gives a margin of 9000, and the requirement is 9000: liquidated at once",
    ),
    "a reported rate for an amount": (
        account("binance", "BTCUSDT", "", "contracts: 1, entry_price: 90000, maintenance_margin: 0.004", balance=10_000),
        "maintenance_margin: 0.004 on a notional of 90000: expected an amount in the settlement asset; is it a rate?",
    ),
    "a reported requirement in dollars for one in coin": (
        account(*COINM, "contracts: 300, entry_price: 60000, margin: 0.05, maintenance_margin: 120"),
        "maintenance_margin: 120 on a notional of 0.5: expected an amount in the settlement asset (the coin, if inverse)",
    ),
    "a reported requirement of another size": (
        account(*OKX, "contracts: 0.5, entry_price: 60000, leverage: 10, maintenance_margin: 120"),
        (
            "maintenance_margin: 120, but the ladder asks for 1.2 at the entry price: are contract_size and the ladder "
            "those of this contract?"
        ),
    ),
    "liquidation price of a long above the mark": (
        account("binance", "BTCUSDT", "mark_price: 80000", "contracts: 1, entry_price: 90000, leverage: 5, reported_liquidation_price: 85000"),
        "reported_liquidation_price: expected a price below the mark price 80000 for an isolated long, got 85000",
    ),
    "liquidation price of a short below its entry": (
        account(*BINANCE, "contracts: 1, entry_price: 90000, leverage: 5, reported_liquidation_price: 85000", side="short"),
        "reported_liquidation_price: expected a price above the entry price 90000 for an isolated short, got 85000",
    ),
    "a contract size that is not said": (
        account("okx", "BTC-USDT-SWAP", "maintenance_rate: 0.004", "contracts: 0.5, entry_price: 60000, leverage: 10"),
        "symbol: the size of a contract of BTC-USDT-SWAP is not said, and is taken as 1: write terms.BTC-USDT-SWAP.contract_size",
    ),
    "margin with the profit in it, however small": (
        account("binance", "BTCUSDT", "mark_price: 90012.4", "contracts: 2, entry_price: 90000, margin: 9024.8, leverage: 20"),
        (
            "margin: 9024.8 is notional / leverage and the unrealised profit of 24.8: expected the margin without it, "
            "about 9000 (Binance: isolatedWallet; isolatedMargin includes profit)"
        ),
    ),
    "margin that is too little for the leverage": (
        account("binance", "BTCUSDT", "mark_price: 90000", "contracts: 1, entry_price: 90000, margin: 8500, leverage: 10"),
        "margin: 8500 contradicts the leverage: a notional of 90000 at a leverage of 10 is a margin of 9000",
    ),
    "leverage above that of a shipped ladder": (
        account("hyperliquid", "HYPE", "mark_price: 40", "contracts: 100, entry_price: 40, leverage: 11"),
        "leverage: 11 is more than the venue allows: the largest of the tier for a notional of 4000 is 10",
    ),
    "no fee where the rule counts it at the mark": (
        account(*OKX, "contracts: 50, entry_price: 60000, leverage: 10"),
        "symbol: OKX linear adds the closing fee to the requirement: it is not said, and counts as 0: write terms.BTC-USDT-SWAP.closing_fee_rate, your own taker rate",
    ),
    "no fee where the rule reserves it, with the margin given": (
        account("bybit", "BTCUSDT", "maintenance_rate: 0.0033", "contracts: 1, entry_price: 90000, margin: 9000"),
        "symbol: Bybit linear adds the closing fee to the requirement: it is not said, and counts as 0: write terms.BTCUSDT.closing_fee_rate, your own taker rate",
    ),
    "no fee where the rule reserves it, in cross": (
        account("bybit", "BTCUSDT", "maintenance_rate: 0.0033", "contracts: 1, entry_price: 90000", balance=20_000),
        "symbol: Bybit linear adds the closing fee to the requirement: it is not said, and counts as 0: write terms.BTCUSDT.closing_fee_rate, your own taker rate",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ODD.values(), ids=ODD)
def test_an_odd_figure_of_a_position_is_warned_of_with_what_may_be_meant(warnings, text, expected):
    """That alone, or among what else follows from it."""
    assert f"{POSITION}.{expected}" in warnings(text, **REAL)


ODD_TERMS = {
    "a fee in percent": (
        account(*OKX, "contracts: 50, entry_price: 60000, leverage: 10").replace("0.004", "0.004, closing_fee_rate: 0.05"),
        "closing_fee_rate: 0.05 is a fee of 5 %: is it in percent? A fraction is expected: 0.05 % is 0.0005",
    ),
    "a rate in percent": (
        account("binance", "X", "maintenance_rate: 0.4", "contracts: 1, entry_price: 90, leverage: 2"),
        "maintenance_rate: a rate of 0.4 does not go with a leverage of 2: is it in percent? A fraction is expected: 0.5 % is 0.005",
    ),
    "a rate in percent, as the account tells": (
        account("binance", "X", "maintenance_rate: 0.4", "contracts: 1, entry_price: 90", balance=30),
        "maintenance_rate: a rate of 0.4 does not go with a leverage of 3: is it in percent? A fraction is expected: 0.5 % is 0.005",
    ),
    "a price of another unit": (
        account("binance", "X", "mark_price: 0.09", "contracts: 1, entry_price: 90, leverage: 2"),
        "mark_price: 0.09 and the entry price 90 of x-long are more than 10 times apart: is one of them in another unit?",
    ),
    "deductions that the rule has not": (
        account("okx", "X", "tiers: [{floor: 0, maintenance_rate: 0.004, deduction: 0}, {floor: 100, maintenance_rate: 0.005, deduction: 0.1}], closing_fee_rate: 0.0005", "contracts: 5, entry_price: 60, leverage: 5"),
        "tiers[1].deduction: not used: under the rule of OKX linear a tier's rate bears on the whole position",
    ),
    "a slope that the rule has not": (
        account("okx", "X", "maintenance_rate: 0.004, maintenance_slope: 0.00005, closing_fee_rate: 0.0005", "contracts: 5, entry_price: 60, leverage: 5"),
        "maintenance_slope: not used: under the rule of OKX linear no rate rises with the size",
    ),
    "no slope where the rule has one": (
        account("deribit", "X", "maintenance_rate: 0.01", "contracts: 5, entry_price: 60", balance=100),
        "maintenance_rate: the rate of Deribit linear rises with the size: without maintenance_slope it stays as it is",
    ),
    "a rate where the requirement is reported": (
        account("generic", "X", "maintenance_rate: 0.01, rule: {maintenance: fixed, closing_fee: none}", "contracts: 5, entry_price: 60, maintenance_margin: 3", balance=100),
        "maintenance_rate: not used: the operator's own rule takes the requirement from the position's maintenance_margin",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ODD_TERMS.values(), ids=ODD_TERMS)
def test_an_odd_figure_of_the_terms_is_warned_of_where_it_stands(warnings, text, expected):
    (warning,) = warnings(text, **REAL)
    assert warning.split(": ", 1)[1].split(".", 2)[2] == expected


def test_a_leverage_that_is_liquidated_at_once_is_refused(problems):
    """Isolated, with the margin following from it: no figure would mean anything."""
    text = account("binance", "X", "maintenance_rate: 0.15", "contracts: 1, entry_price: 90, leverage: 10")
    what = f"{POSITION}.leverage: 10 gives a margin of 9, and the requirement is 13.5: liquidated at once"
    assert problems(text, "account.yaml", **REAL) == [what]
    percent = "; is the maintenance rate of 0.5 in percent? A fraction is expected: 0.5 % is 0.005"
    assert problems(text.replace("0.15", "0.5"), "account.yaml", **REAL) == [what.replace("13.5", "45") + percent]


COINS = """\
accounts:
- name: main
  venue: binance-coinm
  margin_mode: cross
  balance: 1
  positions:
  - {symbol: BTCUSD_PERP, side: long, contracts: 10, entry_price: 60000}
  - {symbol: ETHUSD_PERP, side: long, contracts: 10, entry_price: 3000}
terms: {BTCUSD_PERP: {contract_size: 100}, ETHUSD_PERP: {contract_size: 10}}
"""


def test_inverse_cross_positions_of_two_coins_have_no_common_balance(warnings):
    assert warnings(COINS, **REAL) == [
        (
            "account.yaml:2: accounts[0]: inverse cross positions in BTC, ETH on one balance: cross collateral is per coin; "
            "give each coin an account of its own here"
        )
    ]
    assert warnings(COINS.replace("ETHUSD_PERP", "BTCUSD_261225"), **REAL) == []


COIN_MARGINED = [
    ("kraken", "PI_XBTUSD"),
    ("okx", "BTC-USD-SWAP"),
    ("deribit", "BTC-PERPETUAL"),
    ("bybit", "BTCUSD"),
    ("binance", "BTCUSD_PERP"),
]


@pytest.mark.parametrize(("venue", "symbol"), COIN_MARGINED)
def test_a_coin_margined_spelling_without_its_kind_is_refused_and_nothing_else_said(problems, venue, symbol):
    text = account(
        venue, symbol, "contract_size: 100, mark_price: 6", "contracts: 0.5, entry_price: 60000, margin: 900000"
    )
    what = f"{symbol} is spelt like a coin-margined contract, and its kind is not said"
    how = f"write terms.{symbol}.kind: inverse, or kind: linear if it really is"
    assert problems(text, "account.yaml", **REAL) == [f"{POSITION}.symbol: {what}: {how}"]


DOLLARS = """\
accounts:
- name: main
  venue: binance
  margin_mode: cross
  balance: 90000
  positions:
  - {symbol: FIRST, side: long, contracts: 1, entry_price: 60000}
  - {symbol: SECOND, side: short, contracts: 1, entry_price: 60000}
"""


@pytest.mark.parametrize(
    ("first", "second", "assets"),
    [
        ("BTCUSDT", "BTCUSDC", "USDC, USDT"),
        ("BTC-USDT-SWAP", "BTC-USDC-SWAP", "USDC, USDT"),
        ("BTCUSDT", "BTCFDUSD", "FDUSD, USDT"),
    ],
)
def test_linear_cross_positions_of_two_dollar_coins_have_no_common_balance(warnings, first, second, assets):
    text = DOLLARS.replace("FIRST", first).replace("SECOND", second)
    text += f"terms: {{{first}: {{contract_size: 1}}, {second}: {{contract_size: 1}}}}\n"
    assert warnings(text, **REAL) == [
        (
            f"account.yaml:2: accounts[0]: linear cross positions that settle in {assets} on one balance: cross collateral "
            "is per settlement asset; give each asset an account of its own here, or write collateral if they share all of "
            "it (multi-assets)"
        )
    ]


@pytest.mark.parametrize("second", ["ETHUSDT", "BTCUSDT_260327", "BTC"])
def test_linear_cross_positions_that_may_settle_alike_share_their_balance(warnings, second):
    assert warnings(DOLLARS.replace("FIRST", "BTCUSDT").replace("SECOND", second), **REAL) == []


def test_collateral_beside_the_balance_says_that_two_dollar_coins_share_it(warnings):
    text = DOLLARS.replace("FIRST", "BTCUSDT").replace("SECOND", "BTCUSDC")
    text += "  collateral: [{asset: USDC, amount: 5000, price: 1}]\n"
    assert warnings(text, **REAL) == []


def test_linear_and_inverse_cross_positions_have_no_common_balance(warnings):
    text = COINS.replace("binance-coinm", "bybit").replace("BTCUSD_PERP: {", "BTCUSD_PERP: {kind: inverse, ")
    text = text.replace("ETHUSD_PERP", "ETHUSDT").replace("contract_size", "closing_fee_rate: 0, contract_size")
    assert warnings(text, **REAL) == [
        (
            "account.yaml:2: accounts[0]: linear and inverse cross positions on one balance: they settle in different assets; "
            "give each kind an account of its own here"
        )
    ]


def test_a_large_account_is_told_once_that_its_collateral_is_out_of_proportion(warnings):
    text = COINS.replace("binance-coinm", "binance").replace("USD_PERP", "USDT")
    (warning,) = warnings(text, **REAL)
    assert warning.startswith(
        "account.yaml:7: accounts[0].positions[0].contracts: a notional of 60300000 on a collateral of 1 "
    )


def test_the_daemon_says_the_same_as_explain(load, folder):
    text = account(*OKX, "contracts: 0.5, entry_price: 60000, margin: 3000") + "receivers: []\n"
    assert any("did you mean contracts: 50" in line for line in load(text, **REAL).warnings)


def test_a_faulty_position_is_not_judged_further(problems):
    """What is missing is said once, and nothing that follows from it."""
    text = account(*OKX, "contracts: 0.5, entry_price: 60000, margin: -3000")
    assert problems(text, "account.yaml", **REAL) == [f"{POSITION}.margin: expected a number > 0, got -3000"]
