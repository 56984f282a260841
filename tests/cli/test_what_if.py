"""``explain --at``: what an operator copied from the venue keeps the meaning that it had at the marks of the file."""

import pytest

from monitor.cli.what_if import read_marks
from monitor.errors import ConfigError

SHARED = """\
accounts:
  - name: a
    venue: generic
    margin_mode: cross
    COLLATERAL
    positions:
      - {name: x, symbol: XUSDT, side: long, contracts: 10, entry_price: 90MORE}
      - {name: y, symbol: YUSDT, side: short, contracts: 5, entry_price: 210}
terms:
  XUSDT: {mark_price: 100, RATE, rule: {maintenance: mark, closing_fee: none}}
  YUSDT: {mark_price: 200, maintenance_rate: 0.02, rule: {maintenance: mark, closing_fee: none}}
"""


def shared(collateral: str, more: str = "", rate: str = "maintenance_rate: 0.01") -> str:
    """Return an account of two cross positions with 150 of profit at the marks of the file."""
    return SHARED.replace("COLLATERAL", collateral).replace("MORE", more).replace("RATE", rate)


def test_an_equity_is_of_the_marks_of_the_file_and_changes_with_what_if_marks(explained):
    by_balance = explained(shared("balance: 400"), {"XUSDT": 80.0})
    by_equity = explained(shared("equity: 550"), {"XUSDT": 80.0})
    assert by_equity["x"].found == by_balance["x"].found
    assert by_equity["x"].found.equity == pytest.approx(400 - 100 + 50)


def test_collateral_in_a_coin_moves_with_the_mark_of_its_contract(explained):
    text = shared("balance: 400\n    collateral: [{asset: X, amount: 2, rate: 0.9, symbol: XUSDT}]")
    assert explained(text)["y"].found.equity == pytest.approx(400 + 2 * 100 * 0.9 + 150)
    assert explained(text, {"XUSDT": 80.0})["y"].found.equity == pytest.approx(400 + 2 * 80 * 0.9 - 50)


def test_a_reported_maintenance_margin_keeps_its_rate(explained):
    text = shared("balance: 400", ", maintenance_margin: 10", "tick_size: 0.1")
    moved = explained(text, {"XUSDT": 80.0})["x"].found
    assert moved.maintenance_margin == pytest.approx(8 + 0.02 * 5 * 200)
    assert moved.liquidation_price == pytest.approx(explained(text)["x"].found.liquidation_price)


def test_the_mark_of_a_file_without_one_is_the_what_if_mark(explained):
    text = shared("equity: 550").replace("mark_price: 100, ", "")
    assert explained(text)["x"].found.status == "unavailable"
    assert explained(text, {"XUSDT": 100.0})["x"].found == explained(shared("equity: 550"))["x"].found


def test_the_venues_own_figure_is_not_compared_at_other_marks(explained, told):
    text = shared("balance: 400", ", reported_liquidation_price: 1")
    assert explained(text)["x"].found.drifted
    assert not explained(text, {"XUSDT": 101.0})["x"].found.drifted
    assert "so not compared" in told(text, {"XUSDT": 101.0})["x"]


def test_the_text_says_at_which_marks_and_still_adds_up(told, adds_up):
    block = told(shared("equity: 550"), {"YUSDT": 230.0})["x"]
    assert "\n  what if            YUSDT at 230\n" in block
    assert "the equity 550 at the marks of the file" in block
    assert adds_up(block)["liquidation price"] == 1


def test_what_does_not_touch_a_position_is_not_told_with_it(told, explained):
    text = shared("balance: 400", ", reported_liquidation_price: 51")
    text = text.replace("entry_price: 210", "entry_price: 210, margin_mode: isolated, margin: 300")
    assert "what if" not in told(text, {"YUSDT": 230.0})["x"]
    assert explained(text, {"YUSDT": 230.0})["x"].found == explained(text)["x"].found


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("BTCUSDT", "--at: expected SYMBOL=PRICE with a price above 0 (BTCUSDT=50000), got 'BTCUSDT'"),
        ("BTCUSDT=", "--at: expected SYMBOL=PRICE with a price above 0 (BTCUSDT=50000), got 'BTCUSDT='"),
        ("BTCUSDT=-5", "--at: expected SYMBOL=PRICE with a price above 0 (BTCUSDT=50000), got 'BTCUSDT=-5'"),
        ("BTCUSDT=nan", "--at: expected SYMBOL=PRICE with a price above 0 (BTCUSDT=50000), got 'BTCUSDT=nan'"),
        ("BTCUSD=5", "--at: nothing in a.yaml has the symbol 'BTCUSD' (did you mean BTCUSDT?)"),
    ],
)
def test_a_mark_that_cannot_be_read_is_refused(said, problem):
    with pytest.raises(ConfigError) as refused:
        read_marks([said], {"BTCUSDT"}, "a.yaml")
    assert refused.value.problems == [problem]


def test_two_prices_for_one_symbol_are_refused():
    with pytest.raises(ConfigError, match="more than one price for X"):
        read_marks(["X=1", "X=2"], {"X"}, "a.yaml")
