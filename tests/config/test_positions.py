"""The keys of a position that are not needed everywhere, and the collateral of a cross account."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.core.account import CollateralAsset
from monitor.venues import RULES

CROSS = "{symbol: X, side: long, contracts: 10, entry_price: 50}"
ISOLATED = "{symbol: X, side: long, contracts: 10, entry_price: 50, margin_mode: isolated, margin: 100}"
ACCOUNT = f"""\
accounts:
  - name: main
    venue: binance
    margin_mode: cross
    balance: 1000
    positions:
      - {CROSS}
"""


def position(load, more: str, was: str = CROSS, **to_load):
    text = ACCOUNT.replace(CROSS, was.replace("}", f", {more}}}"))
    return load(text, "account.yaml", **to_load).accounts[0].positions[0]


def test_what_the_venue_reports_of_a_position_is_kept(load):
    more = "leverage: 5, maintenance_margin: 2.5, unsettled_funding: -1, reported_liquidation_price: 40.5"
    held = position(load, more)
    assert (held.leverage, held.maintenance_margin, held.unsettled_funding) == (5.0, 2.5, -1.0)
    assert (held.reported_liquidation_price, held.margin) == (40.5, None)


@pytest.mark.parametrize("word", ["none", '"none"'])
def test_a_venue_that_shows_no_liquidation_price_is_not_one_that_nobody_asked(load, word):
    """0 against None."""
    assert position(load, f"reported_liquidation_price: {word}").reported_liquidation_price == 0.0
    assert position(load, "leverage: 5").reported_liquidation_price is None


def test_a_stop_has_a_price_and_perhaps_the_price_that_triggers_it(load):
    held = position(load, "stop: {price: 45, trigger: last}")
    assert (held.stop_price, held.stop_trigger) == (45.0, "last")
    assert position(load, "stop: {price: 45}").stop_trigger == ""


def test_a_margin_wins_over_the_leverage_beside_it(load):
    held = position(load, "leverage: 4", ISOLATED)
    assert (held.margin, held.leverage) == (100.0, 4.0)


def test_margin_from_leverage_holds_the_reserve_of_a_rule_that_has_one(load):
    """Bybit: 500 / 5 and the fee on 400, the notional at the bankruptcy price of 40."""
    text = ACCOUNT.replace("venue: binance", "venue: bybit") + "terms: {X: {closing_fee_rate: 0.001}}\n"
    text = text.replace(CROSS, ISOLATED.replace("margin: 100", "leverage: 5"))
    assert load(text, "account.yaml", rules=RULES).accounts[0].positions[0].margin == pytest.approx(100.4, rel=1e-12)


WRONG = {
    "leverage of zero": ("leverage: 0", "leverage: expected a number > 0 and <= 200, got 0"),
    "maintenance of zero": ("maintenance_margin: 0", "maintenance_margin: expected a number > 0, got 0"),
    "shown as 0": (
        "reported_liquidation_price: 0",
        "reported_liquidation_price: expected a number > 0 or none, got 0 (where the venue shows none, write none)",
    ),
    "another word": (
        "reported_liquidation_price: never",
        (
            'reported_liquidation_price: expected a number > 0 or none, got "never" '
            "(where the venue shows none, write none)"
        ),
    ),
    "nothing": (
        "reported_liquidation_price: ~",
        "reported_liquidation_price: expected a number > 0 or none, got nothing",
    ),
    "stop as a number": ("stop: 45", 'stop: expected a mapping (key: value), got "45"'),
    "stop without a price": ("stop: {trigger: mark}", "stop.price: missing: expected a number > 0"),
    "stop with another trigger": (
        "stop: {price: 1, trigger: lats}",
        'stop.trigger: expected mark, last or index, got "lats" (did you mean last?)',
    ),
    "stop with another key": (
        "stop: {price: 1, triger: last}",
        "stop.triger: unknown key (did you mean trigger?)",
    ),
}


@pytest.mark.parametrize(("more", "expected"), WRONG.values(), ids=WRONG)
def test_a_spoiled_key_of_a_position_is_refused(problems, more, expected):
    text = ACCOUNT.replace(CROSS, CROSS.replace("}", f", {more}}}", 1))
    assert problems(text, "account.yaml") == [f"account.yaml:7: accounts[0].positions[0].{expected}"]


ASSETS = """\
    collateral:
      - {asset: ETH, amount: 2, rate: 0.9, symbol: ETHUSDT, beta: 1.2}
      - {asset: BNB, amount: -1.5, price: 600}
"""


def test_other_assets_stand_beside_the_balance_and_a_debt_is_one_of_them(load):
    (account,) = load(ACCOUNT + ASSETS, "account.yaml").accounts
    assert account.assets == (
        CollateralAsset("ETH", 2.0, 0.9, None, "ETHUSDT", 1.2),
        CollateralAsset("BNB", -1.5, 1.0, 600.0),
    )


def test_the_contract_that_prices_an_asset_is_among_the_terms(load, folder):
    """Its mark price is asked for like a position's, and what is said of it is not idle."""
    file = load(ACCOUNT + ASSETS + "terms: {ETHUSDT: {mark_price: 3000}}\n", "account.yaml")
    assert file.terms["main"]["ETHUSDT"].mark_price == 3000.0
    assert file.terms["main"].keys() == {"X", "ETHUSDT"}
    assert file.warnings == ()


def test_the_daemon_says_that_a_written_price_of_an_asset_is_held(load, folder):
    warnings = load(ACCOUNT + ASSETS + "receivers: []\n").warnings
    assert [line.replace(f"{folder}/", "") for line in warnings if "collateral" in line] == [
        (
            "config.yaml:10: accounts[0].collateral[1].price: the price of BNB is held as written: with symbol, "
            "its contract's mark price is taken"
        )
    ]


WRONG_ASSETS = {
    "rate in percent": (
        "{asset: ETH, amount: 2, rate: 95, price: 1}",
        (
            "collateral[0].rate: expected a number > 0 and <= 1, got 95 "
            "(a fraction, not percent: of 95 % the venue counts 0.95)"
        ),
    ),
    "rate of zero": (
        "{asset: ETH, amount: 2, rate: 0, price: 1}",
        (
            "collateral[0].rate: expected a number > 0 and <= 1, got 0 "
            "(a fraction, not percent: of 95 % the venue counts 0.95)"
        ),
    ),
    "price and symbol": (
        "{asset: ETH, amount: 2, price: 1, symbol: X}",
        "collateral[0].price: expected either price or symbol, got both",
    ),
    "neither": ("{asset: ETH, amount: 2}", "collateral[0].price: expected either price or symbol, got neither"),
    "no amount": ("{asset: ETH, price: 1}", "collateral[0].amount: missing: expected a number"),
    "twice": (
        "{asset: ETH, amount: 2, price: 1}, {asset: ETH, amount: 2, price: 1}",
        'collateral[1].asset: repeated asset "ETH": add the amounts up',
    ),
    "unknown key": (
        "{asset: ETH, amount: 2, price: 1, haircut: 0.1}",
        "collateral[0].haircut: unknown key",
    ),
}


@pytest.mark.parametrize(("assets", "expected"), WRONG_ASSETS.values(), ids=WRONG_ASSETS)
def test_a_spoiled_asset_is_refused(problems, assets, expected):
    assert problems(f"{ACCOUNT}    collateral: [{assets}]\n", "account.yaml") == [
        f"account.yaml:8: accounts[0].{expected}"
    ]


def test_collateral_needs_a_cross_position_and_a_balance_to_stand_beside(problems):
    collateral = "    collateral: [{asset: ETH, amount: 2, price: 1}]\n"
    isolated = ACCOUNT.replace(CROSS, ISOLATED) + collateral
    assert problems(isolated, "account.yaml") == [
        (
            "account.yaml:8: accounts[0].collateral: only for cross positions, and the account has none: an isolated one "
            "has its own margin"
        )
    ]
    equity = ACCOUNT.replace("balance", "equity") + collateral
    assert problems(equity, "account.yaml") == [
        (
            "account.yaml:8: accounts[0].collateral: expected balance beside it, not equity, which contains the value of "
            "other assets already"
        )
    ]


FIXED = "terms: {X: {rule: {maintenance: fixed, closing_fee: none}}}\n"


def test_the_daemon_wants_the_amount_where_the_rule_takes_it_from_the_position(problems, load):
    text = ACCOUNT.replace("venue: binance", "venue: generic") + FIXED
    more = {"rules": RULES, "shipped_tiers": {"generic": lambda _symbol: None}}
    assert problems(text, **more) == [
        (
            "config.yaml:7: accounts[0].positions[0].symbol: expected maintenance_margin beside it: "
            "the operator's own rule has no requirement of its own"
        )
    ]
    assert load(text.replace("entry_price: 50", "entry_price: 50, maintenance_margin: 5"), **more)


def test_a_reported_requirement_makes_up_for_a_ladder(problems, load):
    more = {"shipped_tiers": {"binance": lambda _symbol: None}}
    assert "no maintenance tiers for X" in problems(ACCOUNT, **more)[0]
    assert load(ACCOUNT.replace("entry_price: 50", "entry_price: 50, maintenance_margin: 5"), **more)


def test_what_the_example_shows_in_comments_may_be_written(load):
    text = (Path(__file__).parents[2] / "config" / "account.example.yaml").read_text()
    text = text.replace("    # collateral:", "    collateral:").replace("    #   - {asset", "      - {asset")
    reported = ("maintenance_margin: 128.5", "unsettled_funding: -3.2", "reported_liquidation_price: 28945.1")
    stop = "stop: {price: 29500, trigger: mark}"
    assert all(f"{line} " in text for line in (*reported, stop))
    text = text.replace("margin: 3200}", f"margin: 3200, {', '.join((*reported, stop))}}}")
    file = load(text, "account.yaml", rules=RULES)
    assert [asset.asset for asset in file.accounts[0].assets] == ["ETH", "BNB"]
    assert file.warnings == ()
