"""``tiers_file`` in the shapes of venues' own replies, and what is wrong with a ladder there."""

from __future__ import annotations

import json

import pytest

from monitor.core.contract import Tier
from monitor.venues import RULES

ACCOUNT = """\
accounts:
  - {{name: main, venue: {venue}, margin_mode: cross, balance: 100000, positions: [{{symbol: {symbol}, side: long, contracts: 1, entry_price: 90000}}]}}
terms: {{{symbol}: {{contract_size: 1, kind: {kind}}}}}
venues: {{{venue}: {{tiers_file: tiers.json}}}}
receivers: []
"""

COINM = {"symbol": "BTCUSD_PERP", "notionalCoef": 1.0, "brackets": [
    {"bracket": 1, "initialLeverage": 125, "qtyCap": 5, "qtylFloor": 0, "maintMarginRatio": 0.004, "cum": 0.0},
    {"bracket": 2, "initialLeverage": 100, "qtyCap": 10, "qtylFloor": 5, "maintMarginRatio": 0.005, "cum": 0.005},
]}  # fmt: skip
BYBIT_ROWS = [
    {"id": 1, "symbol": "BTCUSDT", "riskLimitValue": "300000", "maintenanceMargin": "0.0033", "initialMargin": "0.0067", "isLowestRisk": 1, "maxLeverage": "150.00", "mmDeduction": ""},
    {"id": 2, "symbol": "BTCUSDT", "riskLimitValue": "2000000", "maintenanceMargin": "0.005", "initialMargin": "0.01", "isLowestRisk": 0, "maxLeverage": "100.00", "mmDeduction": "510"},
    {"id": 3, "symbol": "BTCUSDT", "riskLimitValue": "2600000", "maintenanceMargin": "0.0056", "initialMargin": "0.0111", "isLowestRisk": 0, "maxLeverage": "90.00", "mmDeduction": "1710"},
]  # fmt: skip
BYBIT_TIERS = (Tier(0.0, 0.0033, 0.0), Tier(300_000.0, 0.005, 510.0), Tier(2_000_000.0, 0.0056, 1_710.0))


def bybit(rows: list) -> dict:
    return {"retCode": 0, "retMsg": "OK", "result": {"category": "linear", "list": rows, "nextPageCursor": ""}}


def in_percent(row: dict) -> dict:
    rates = {key: str(round(float(row[key]) * 100, 4)) for key in ("maintenanceMargin", "initialMargin")}
    return {**row, **rates}


OKX = {"code": "0", "msg": "", "data": [
    {"uly": "BTC-USDT", "instFamily": "BTC-USDT", "instId": "", "tier": "2", "minSz": "1000.01", "maxSz": "2000", "mmr": "0.005", "imr": "0.0133", "maxLever": "75"},
    {"uly": "BTC-USDT", "instFamily": "BTC-USDT", "instId": "", "tier": "1", "minSz": "0", "maxSz": "1000", "mmr": "0.004", "imr": "0.01", "maxLever": "100"},
]}  # fmt: skip
OKX_TIERS = (Tier(0.0, 0.004, 0.0), Tier(1_000.0, 0.005, 1.0))
HYPERLIQUID = {
    "universe": [
        {"name": "BTC", "szDecimals": 5, "maxLeverage": 40, "marginTableId": 56},
        {"name": "CANTO", "szDecimals": 0, "maxLeverage": 3, "marginTableId": 3, "onlyIsolated": True},
    ],
    "marginTables": [
        [56, {"description": "tiered 40x", "marginTiers": [
            {"lowerBound": "0.0", "maxLeverage": 40}, {"lowerBound": "150000000.0", "maxLeverage": 20},
        ]}],
    ],
    "collateralToken": 0,
}  # fmt: skip
KRAKEN = {"result": "success", "instruments": [
    {"symbol": "PI_XBTUSD", "type": "futures_inverse", "tickSize": 0.5, "marginLevels": [
        {"contracts": 0, "initialMargin": 0.02, "maintenanceMargin": 0.01},
        {"contracts": 500000, "initialMargin": 0.04, "maintenanceMargin": 0.02},
    ]},
    {"symbol": "PF_ETHUSD", "type": "flexible_futures", "marginLevels": [
        {"numNonContractUnits": 0, "initialMargin": 0.02, "maintenanceMargin": 0.01},
        {"numNonContractUnits": 2000000, "initialMargin": 0.04, "maintenanceMargin": 0.02},
    ]},
    {"symbol": "rr_xbtusd", "type": "spot index"},
]}  # fmt: skip
CCXT_INVERSE = {"BTC/USD:BTC": [
    {"tier": 1.0, "minNotional": 0.0, "maxNotional": 5.0, "maintenanceMarginRate": 0.004, "maxLeverage": 125.0, "info": {"cum": "0.0"}},
    {"tier": 2.0, "minNotional": 5.0, "maxNotional": 10.0, "maintenanceMarginRate": 0.005, "maxLeverage": None, "info": {"cum": "0.005"}},
]}  # fmt: skip

COINM_TIERS = (Tier(0.0, 0.004, 0.0), Tier(5.0, 0.005, 0.005))
REPLIES = {
    "binance coin-m": ("binance-coinm", "BTCUSD_PERP", COINM, COINM_TIERS, 10.0, (125.0, 100.0)),
    "binance coin-m as libraries spell it": (
        "binance-coinm", "BTCUSD_PERP", json.loads(json.dumps([COINM]).replace("qtylFloor", "qtyFloor")), COINM_TIERS, 10.0, (125.0, 100.0),
    ),
    "ccxt, inverse, a leverage unknown": ("binance-coinm", "BTCUSD_PERP", CCXT_INVERSE, COINM_TIERS, 10.0, ()),
    "bybit": ("bybit", "BTCUSDT", bybit(BYBIT_ROWS), BYBIT_TIERS, 2_600_000.0, (150.0, 100.0, 90.0)),
    "bybit in percent": ("bybit", "BTCUSDT", bybit([in_percent(row) for row in BYBIT_ROWS]), BYBIT_TIERS, 2_600_000.0, (150.0, 100.0, 90.0)),
    "bybit, pages in a list": ("bybit", "BTCUSDT", [bybit(BYBIT_ROWS[2:]), bybit(BYBIT_ROWS[:2])], BYBIT_TIERS, 2_600_000.0, (150.0, 100.0, 90.0)),
    "bybit, rows alone": ("bybit", "BTCUSDT", [*BYBIT_ROWS, {"symbol": "BADUSDT", "riskLimitValue": "x"}], BYBIT_TIERS, 2_600_000.0, (150.0, 100.0, 90.0)),
    "okx": ("okx", "BTC-USDT-SWAP", OKX, OKX_TIERS, 2_000.0, (100.0, 75.0)),
    "hyperliquid": ("hyperliquid", "BTC", HYPERLIQUID, (Tier(0.0, 0.0125, 0.0), Tier(150e6, 0.025, 1_875_000.0)), None, (40.0, 20.0)),
    "hyperliquid, a single tier": ("hyperliquid", "CANTO", HYPERLIQUID, (Tier(0.0, 0.5 / 3.0, 0.0),), None, (3.0,)),
    "kraken, inverse": ("kraken-futures", "PI_XBTUSD", KRAKEN, (Tier(0.0, 0.01), Tier(500_000.0, 0.02, 5_000.0)), None, (50.0, 25.0)),
    "kraken, linear": ("kraken-futures", "PF_ETHUSD", KRAKEN, (Tier(0.0, 0.01), Tier(2_000_000.0, 0.02, 20_000.0)), None, (50.0, 25.0)),
    "a rate alone": ("lighter", "ETH", {"ETH": {"maintenance_rate": 0.012}}, (Tier(0.0, 0.012),), None, ()),
}  # fmt: skip


def text_for(venue: str, symbol: str) -> str:
    kind = "inverse" if venue == "binance-coinm" or symbol.startswith("PI_") else "linear"
    return ACCOUNT.format(venue=venue, symbol=symbol, kind=kind)


@pytest.mark.parametrize(("venue", "symbol", "content", "tiers", "cap", "leverages"), REPLIES.values(), ids=REPLIES)
def test_a_reply_of_the_venue_is_a_tiers_file(load, folder, venue, symbol, content, tiers, cap, leverages):
    """As the venue sends it; what is no tier of the watched symbol is not looked at."""
    (folder / "tiers.json").write_text(json.dumps(content))
    settings = load(text_for(venue, symbol), rules=RULES)
    table = settings.venues[venue].tiers[symbol]
    assert (table.tiers, table.cap, table.max_leverages) == (tiers, cap, leverages)
    assert [line for line in settings.warnings if "tiers" in line] == []


def changed(rows: list, number: int, **keys) -> list:
    return [{**row, **keys} if index == number else row for index, row in enumerate(rows)]


GAPS = {
    "a gap": (
        "binance-coinm", "BTCUSD_PERP", {**COINM, "brackets": changed(COINM["brackets"], 1, qtylFloor=6)},
        "brackets: tier 1 ends at 5 and tier 2 begins at 6: there is a gap between them",
    ),
    "an overlap": (
        "binance-coinm", "BTCUSD_PERP", {**COINM, "brackets": changed(COINM["brackets"], 1, qtylFloor=4)},
        "brackets: tier 1 ends at 5 and tier 2 begins at 4: they overlap",
    ),
    "contracts left out": (
        "okx", "BTC-USDT-SWAP", {**OKX, "data": changed(OKX["data"], 0, minSz="1500")},
        "data[0]: tier 1 ends at 1000 and tier 2 begins at 1500: there is a gap between them",
    ),
    "falling rates": (
        "okx", "BTC-USDT-SWAP", {**OKX, "data": changed(OKX["data"], 0, mmr="0.003")},
        "data[0]: tier 2: rates must not fall, but 0.003 follows 0.004",
    ),
    "neither fractions nor percent": (
        "bybit", "BTCUSDT", bybit(changed(BYBIT_ROWS, 1, initialMargin="0.1")),
        "result.list[1].maintenanceMargin: initialMargin x maxLeverage comes to 10: expected about 1 (fractions) or 100 (percent)",
    ),
    "a rate of more than a half": (
        "bybit", "BTCUSDT", bybit(changed(BYBIT_ROWS, 0, maintenanceMargin="0.6")),
        "result.list[0].maintenanceMargin: expected a number > 0 and <= 0.5, got 0.6 (a fraction, not percent: 0.5 % is 0.005)",
    ),
    "a leverage that is no number": (
        "hyperliquid", "CANTO", {**HYPERLIQUID, "universe": [{"name": "CANTO", "marginTableId": "0"}]},
        "universe[0].maxLeverage: expected a number >= 1, got 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("venue", "symbol", "content", "expected"), GAPS.values(), ids=GAPS)
def test_a_ladder_that_cannot_be_right_is_refused_with_the_numbers_of_its_tiers(
    problems, folder, venue, symbol, content, expected
):
    (folder / "tiers.json").write_text(json.dumps(content))
    assert problems(text_for(venue, symbol), rules=RULES) == [f"tiers.json:1: {expected}"]


def test_a_deduction_in_coin_is_compared_by_the_size_of_its_floor(load, folder):
    """A hundredth of a coin would be a rounding of nothing less than the whole deduction."""
    brackets = changed(COINM["brackets"], 1, cum=0.009)
    (folder / "tiers.json").write_text(json.dumps({**COINM, "brackets": brackets}))
    warnings = load(text_for("binance-coinm", "BTCUSD_PERP"), rules=RULES).warnings
    assert any("tier 2 has the deduction 0.009, but the ladder gives 0.005" in line for line in warnings)


REFUSALS = {
    "bybit": ({"retCode": 10001, "retMsg": "params error"}, 'an error reply: code "10001", message "params error"'),
    "okx": ({"code": "51000", "msg": "Parameter error", "data": []}, 'an error reply: code "51000", message "Parameter error"'),
    "nothing of it": ({"code": "0", "msg": "", "data": []}, "a mapping without tiers"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "got"), REFUSALS.values(), ids=REFUSALS)
def test_the_refusal_of_a_venue_is_no_tiers_file(problems, folder, content, got):
    (folder / "tiers.json").write_text(json.dumps(content))
    (problem,) = problems(text_for("okx", "BTC-USDT-SWAP"), rules=RULES)
    assert problem.endswith(f"; got {got}")
