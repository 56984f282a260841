"""The text of ``explain``: what its lines say, beside the sums in them."""

import re
from pathlib import Path

import pytest

import monitor

VENUE_FILES = sorted((Path(monitor.__file__).parents[1] / "config" / "accounts").glob("*.yaml"))

SEVERAL = """\
accounts:
  - name: pair
    venue: binance
    margin_mode: cross
    position_mode: hedge
    balance: 100000
    positions:
      - {symbol: BTCUSDT, side: long, contracts: 12, entry_price: 90000}
      - {symbol: BTCUSDT, side: short, contracts: 3, entry_price: 95000}
      - {name: pepe, symbol: 1000PEPEUSDT, side: short, contracts: 3000000, entry_price: 0.0071234}
      - {name: safe, symbol: ETHUSDT, side: long, contracts: 1, entry_price: 3000, margin_mode: isolated, margin: 3200}
      - {name: gone, symbol: BTCUSDT, side: short, contracts: 1, entry_price: 80000, margin_mode: isolated, margin: 30}
  - {name: by equity, venue: binance, margin_mode: cross, equity: 4000, positions: [
      {name: s, symbol: BTCUSDT, side: short, contracts: 1, entry_price: 90000},
      {name: untold, symbol: XRPUSDT, side: long, contracts: 10, entry_price: 0.3, margin_mode: isolated, margin: 1}]}
terms:
  BTCUSDT:
    mark_price: 91234.5
    tiers: [{floor: 0, maintenance_rate: 0.004}, {floor: 300000, maintenance_rate: 0.005},
            {floor: 800000, maintenance_rate: 0.0065}, {floor: 3000000, maintenance_rate: 0.01}]
  ETHUSDT: {mark_price: 3100.0000000001, maintenance_rate: 0.005}
  1000PEPEUSDT: {mark_price: 0.000001234567891, maintenance_rate: 0.01}
"""


def test_every_line_adds_up_on_a_pocket_calculator(told, adds_up):
    checked = sum((adds_up(block) for block in told(SEVERAL).values()), start=adds_up(""))
    labels = "+ profit|notional|requirement|notional there|margin ratio|liquidation price|bankruptcy price|free collateral|balance"
    assert [label for label in labels.split("|") if not checked[label]] == []


@pytest.mark.parametrize("file", VENUE_FILES, ids=lambda file: file.stem)
def test_the_account_files_of_the_venues_add_up_too(told, adds_up, file):
    for block in told(file.read_text(encoding="utf-8")).values():
        checked = adds_up(block)
        wanted = "notional", "requirement", "margin ratio", "liquidation price", "bankruptcy price"
        assert [label for label in wanted if not checked[label]] == [], block


def test_a_hedge_pair_shows_both_legs_in_every_part(told):
    block = told(SEVERAL)["btcusdt-long"]
    for part in ("+ profit", "notional", "requirement", "notional there"):
        assert f"  {part}, long " in block
        assert f"  {part}, short " in block
    assert "/ (12 x (1 - 0.0065) - 3 x (1 + 0.004))" in block


def test_the_collateral_beside_other_cross_positions_is_told(told, read_rows):
    how = next(how for label, _, how in read_rows(told(SEVERAL)["btcusdt-long"]) if label == "free collateral")
    assert how.endswith("all of it + others' profit - others' requirement")


def test_where_there_is_no_price_none_is_written(told):
    block = told(SEVERAL)["safe"]
    assert re.search(r"liquidation price +none +no positive price liquidates this position\n", block)
    assert re.search(r"bankruptcy price +none +no positive price makes the equity zero\n", block)
    assert re.search(r"what to do +nothing +no price liquidates it", block)


def test_what_is_known_without_a_mark_price_is_shown_with_what_to_write(told):
    block = told(SEVERAL)["untold"]
    assert re.search(r"missing +mark_price of XRPUSDT: write terms.XRPUSDT.mark_price\n", block)
    assert re.search(r"margin +1\n", block)
    assert re.search(r"liquidation price +unknown\n", block)
    assert re.search(r"bankruptcy price +0\.2 ", block)


def test_prices_lie_above_or_below_the_mark_and_one_that_was_passed_says_so(told):
    blocks = told(SEVERAL)
    assert re.search(r"liquidation price .* below the mark\n", blocks["btcusdt-long"])
    assert re.search(r"liquidation price .* above the mark\n", blocks["s"])
    assert re.search(r"bankruptcy price .* below the mark; the mark is past it\n", blocks["gone"])


def test_values_stand_point_under_point_also_for_tiny_prices(told):
    block = told(SEVERAL)["pepe"]
    assert "0.000001234567891" in block
    points = {
        len(found[1])
        for line in block.partition("\n  rule ")[0].splitlines()
        if (found := re.match(r"(  \S.*? {2,}-?[\d,]+)(?:\.\d+)?(?: %)?(?: {3}|$)", line))
    }
    assert len(points) == 1


def test_no_remainder_of_floating_point_is_shown(told):
    text = "\n".join(told(SEVERAL.replace("3100.0000000001", "3000.0000000000005")).values())
    assert [n for n in re.findall(r"[\d.,]*\d", text) if re.search(r"\.\d{10,}", n) and not n.startswith("0.")] == []
    assert not re.search(r"-0(?![\d.])|e-\d", text)


def test_a_price_at_a_jump_of_the_ladder_is_told_as_such(told):
    """A published deduction that does not fit leaves a step in the requirement, and the price may lie on it."""
    block = told("""\
accounts: [{name: a, venue: binance, margin_mode: isolated, positions: [
  {name: x, symbol: XUSDT, side: short, contracts: 1, entry_price: 900, margin: 200}]}]
terms: {XUSDT: {mark_price: 900, tiers: [
  {floor: 0, maintenance_rate: 0.01, deduction: 0}, {floor: 1000, maintenance_rate: 0.5, deduction: 0}]}}
""")["x"]
    assert re.search(r"liquidation price +1,000 .*\n +at this price the next tier begins", block)


def test_the_shock_of_a_whole_account_is_told_once_with_its_first_position(told):
    blocks = told(SEVERAL)
    assert "fatal move down" in blocks["btcusdt-long"]
    assert re.search(r"shock +of the whole account: see btcusdt-long\n", blocks["pepe"])
    assert "fatal move down" not in blocks["pepe"]


def test_an_isolated_position_needs_one_line_for_its_shock(told):
    assert told(SEVERAL)["gone"].count("\n  shock ") == 1
    assert "fatal move" not in told(SEVERAL)["gone"]


def test_the_top_up_is_what_lacks_at_the_wanted_price(told, read_rows):
    rows = {label: (value, how) for label, value, how in read_rows(told(SEVERAL, {}, 0.3)["s"])}
    assert rows["wanted price"][0] == "118604.85"
    lacking = 118_604.85 * 0.004 - (4_000 - (118_604.85 - 91_234.5))
    assert float(rows["top up"][0]) == pytest.approx(lacking)


def test_the_target_is_where_a_warning_resolves_unless_it_is_said(explained):
    text = SEVERAL.replace(
        "entry_price: 90000}\n      - {symbol: BTCUSDT, side: short",
        "entry_price: 90000, thresholds: {warning: 0.1}}\n      - {symbol: BTCUSDT, side: short",
    )
    found = explained(text)
    assert found["pepe"].restore.target == pytest.approx(0.06)
    assert found["btcusdt-long"].restore.target == pytest.approx(0.12)
    assert explained(text, {}, 0.3)["btcusdt-long"].restore.target == 0.3


def test_a_reduction_of_an_isolated_position_says_what_to_add_back(told, read_rows, explained):
    text = REPORTED.replace("OURS", "none")
    how = next(how for label, _, how in read_rows(told(text)["x"]) if label == "or reduce by")
    plan = explained(text)["x"].restore
    share, released = f"{100 * plan.reduce_ratio:.4f}", f"{plan.released_margin:.9f}".rstrip("0")
    assert how.startswith(f"contracts ({share} % of the position) and add back the {released[:9]}")
    assert how.endswith(" of margin that it releases for the same")


def test_a_reduction_of_a_cross_position_has_nothing_to_add_back(told):
    block = told(SEVERAL, {}, 0.3)["s"]
    assert re.search(r"or reduce by .* of the position\), for the same\n", block)


FOLLOWING = """\
accounts: [{name: a, venue: binance, margin_mode: cross, balance: 1000,
  collateral: [{asset: ETH, amount: 2, rate: 0.9, symbol: ETHUSDT}],
  positions: [{name: x, symbol: ETHUSDT, side: SIDE, contracts: 10, entry_price: 3000}]}]
terms: {ETHUSDT: {mark_price: 3100, maintenance_rate: 0.01}}
"""


@pytest.mark.parametrize(
    ("side", "formulas"),
    [
        (
            "long",
            [
                "= (10 x 3000 + 1.8 x 3100 - 6580) / (10 x (1 - 0.01) + 1.8)",
                "= (10 x 3000 + 1.8 x 3100 - 6580) / (10 + 1.8)",
            ],
        ),
        (
            "short",
            [
                "= (6580 + 10 x 3000 - 1.8 x 3100) / (10 x (1 + 0.01) - 1.8)",
                "= (6580 + 10 x 3000 - 1.8 x 3100) / (10 - 1.8)",
            ],
        ),
    ],
)
def test_an_asset_that_follows_the_mark_stands_in_both_halves_of_the_fraction(told, read_rows, adds_up, side, formulas):
    """2 ETH counted at 0.9 are 5580 of the collateral of 6580 at the mark, and 1.8 x the price at any other."""
    block = told(FOLLOWING.replace("SIDE", side))["x"]
    assert [how for label, _, how in read_rows(block) if not label] == formulas
    assert adds_up(block)["liquidation price"] == 1


def test_the_top_up_counts_what_an_asset_that_follows_the_mark_loses(told, read_rows):
    rows = {
        label: (value, how) for label, value, how in read_rows(told(FOLLOWING.replace("SIDE", "long"), {}, 0.3)["x"])
    }
    lacking = 0.1 * 2170 - (1000 + 1.8 * 2170 + 10 * (2170 - 3000))
    assert float(rows["top up"][0]) == pytest.approx(lacking)
    assert "wanted price" in rows


REPORTED = """\
accounts: [{name: a, venue: binance, margin_mode: isolated, positions: [
  {name: x, symbol: XUSDT, side: long, contracts: 1, entry_price: 100, margin: 10, reported_liquidation_price: OURS}]}]
terms: {XUSDT: {mark_price: 100, maintenance_rate: 0.05, tick_size: 0.01}}
"""


@pytest.mark.parametrize(
    ("theirs", "words"),
    [("94.74", "they agree within"), ("94.9", "too far apart"), ("none", "ours is 94.73684211: too far apart")],
)
def test_the_venues_own_figure_stands_beside_ours(told, read_rows, theirs, words):
    rows = read_rows(told(REPORTED.replace("OURS", theirs))["x"])
    said = " ".join(how for label, _, how in rows if label in {"the venue's own", "drift"})
    assert words in said
