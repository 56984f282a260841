"""``perp-monitor explain``: the sum behind each price, offline, from an account file."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import monitor

EXAMPLE = """\
accounts:
  - name: main
    venue: binance
    margin_mode: cross            # cross | isolated, may be set per position
    position_mode: one_way        # one_way | hedge
    balance: 1535443.01           # collateral without unrealised profit (cross)
    positions:
      - {name: eth, symbol: ETHUSDT, side: long, contracts: 3683.979, entry_price: 1456.84}
      - {symbol: BTCUSDT, side: long, contracts: 1, entry_price: 32000, margin_mode: isolated, margin: 3200}
terms:                            # optional: overrides what the venue would tell
  ETHUSDT: {kind: linear, contract_size: 1, mark_price: 1335.18, closing_fee_rate: 0.0005,
            tiers: [{floor: 0, maintenance_rate: 0.1, deduction: 135365}]}
"""

PROMISED = """
name venue symbol side status mark_price liquidation_price bankruptcy_price liquidation_distance_ratio
bankruptcy_distance_ratio equity maintenance_margin margin_ratio tier rule approximations
"""


@pytest.fixture
def explained(perp_monitor_here, tmp_path):
    """Return what ``explain --json`` says of an account file, an object a position."""

    def explain(text: str, name: str = "account.yaml") -> list[dict]:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        done = perp_monitor_here("explain", file, "--json")
        assert (done.returncode, done.stderr) == (0, b"")
        return [json.loads(line) for line in done.stdout.splitlines()]

    return explain


def test_the_published_example_comes_out(explained):
    """Binance's own: How to Calculate Liquidation Price of USD-M Futures, ETHUSDT, there in two positions."""
    eth, _ = explained(EXAMPLE)
    assert (eth["name"], eth["venue"], eth["symbol"], eth["side"], eth["status"]) == (
        "eth", "binance", "ETHUSDT", "long", "ok",
    )  # fmt: skip
    assert round(eth["liquidation_price"], 2) == 1114.78
    assert eth["mark_price"] == 1335.18
    assert eth["equity"] == pytest.approx(1535443.01 + 3683.979 * (1335.18 - 1456.84), rel=1e-9)
    assert eth["maintenance_margin"] == pytest.approx(0.1 * 3683.979 * 1335.18 - 135365, rel=1e-9)
    assert eth["margin_ratio"] == pytest.approx(eth["maintenance_margin"] / eth["equity"], rel=1e-9)
    assert eth["bankruptcy_price"] == pytest.approx(1456.84 - 1535443.01 / 3683.979, rel=1e-9)
    assert eth["liquidation_distance_ratio"] == pytest.approx(1 - eth["liquidation_price"] / 1335.18, rel=1e-9)
    assert eth["tier"] | {"floor": 0.0, "maintenance_rate": 0.1, "deduction": 135365.0} == eth["tier"]
    assert eth["rule"]["source"]
    assert eth["rule"]["date"]


def test_without_a_mark_price_the_bankruptcy_price_is_all_that_is_known(explained):
    _, btc = explained(EXAMPLE)
    assert (btc["status"], btc["mark_price"], btc["bankruptcy_price"]) == ("unavailable", None, 28800.0)
    assert [btc[key] for key in ("liquidation_distance_ratio", "bankruptcy_distance_ratio", "equity")] == [None] * 3


def test_every_promised_key_is_there_for_every_position(explained):
    for position in explained(EXAMPLE):
        assert [key for key in PROMISED.split() if key not in position] == []


def test_a_json_account_file_says_the_same_as_the_yaml_one(explained):
    import yaml

    assert explained(json.dumps(yaml.safe_load(EXAMPLE)), "account.json") == explained(EXAMPLE)


def test_the_text_shows_the_sum_the_tier_and_the_rule(perp_monitor_here, tmp_path):
    file = tmp_path / "account.yaml"
    file.write_text(EXAMPLE, encoding="utf-8")
    done = perp_monitor_here("explain", file)
    text = done.stdout.decode()
    assert done.returncode == 0
    for part in ("1,114.784964", "135,365", "0.1", "Binance USD-M", "unavailable", "28,800"):
        assert part in text, part


def test_a_bad_account_file_is_refused_with_every_line_and_key(perp_monitor_here, tmp_path):
    file = tmp_path / "account.yaml"
    file.write_text(EXAMPLE.replace("side: long", "side: up").replace("32000", "-1"), encoding="utf-8")
    done = perp_monitor_here("explain", file, "--json")
    said = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (2, b"")
    assert [line.split(": ")[0] for line in said] == [f"{file}:8", f"{file}:9", f"{file}:9"]
    assert [key for key in ("side", "entry_price") if not any(key in line for line in said)] == []


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
  BTCUSDT: {mark_price: 91234.5}
  ETHUSDT: {mark_price: 3100.0000000001}
  1000PEPEUSDT: {mark_price: 0.000001234567891}
"""


@pytest.fixture
def told(perp_monitor_here, tmp_path):
    """Return what ``explain`` says of an account file as text, by the name of the position."""

    def tell(text: str = SEVERAL) -> dict[str, str]:
        file = tmp_path / "account.yaml"
        file.write_text(text, encoding="utf-8")
        done = perp_monitor_here("explain", file)
        assert (done.returncode, done.stderr) == (0, b"")
        blocks = re.split(r"\n\n(?=\S)", done.stdout.decode())
        return {block.partition(":")[0]: block for block in blocks}

    return tell


def rows(block: str) -> list[tuple[str, str, str]]:
    """Return label, value and what stands behind it for every line of a block."""
    found = re.findall(r"^  (\S.*?|) {2,}(-?[\d,.]+(?= |$)|)(?: {3,})?(.*)$", block, re.MULTILINE)
    return [(label, value.replace(",", ""), how.replace(",", "")) for label, value, how in found]


def calculated(sum_text: str) -> float:
    """Do the sum as a pocket calculator would: digits, + - x / and brackets only."""
    assert re.fullmatch(r"[\d. x+/()-]+", sum_text), sum_text
    return eval(sum_text.replace("x", "*"))


def test_every_line_of_the_text_adds_up_on_a_pocket_calculator(told):
    checked: dict[str, int] = {}
    for block in told().values():
        above = ("", "")
        for label, value, how in rows(block):
            formula = how.startswith("= ")
            name, claim = above if formula else (label, value)
            above = (name, claim)
            result = re.split(r"[:;,]| tier", how.removeprefix("= "))[0].strip()
            if claim and re.fullmatch(r"-?[\d. x+/()-]+", result):
                assert calculated(result) == pytest.approx(float(claim), rel=2e-8, abs=1e-7), (name, how)
                checked[name] = checked.get(name, 0) + 1
    sums = "+ profit|notional|requirement|notional there|margin ratio|liquidation price|bankruptcy price|collateral|balance"
    assert [name for name in sums.split("|") if not checked.get(name)] == []
    assert len(rows(told()["gone"])) > 12


def test_equity_and_requirement_are_the_sum_of_the_lines_above_them(told):
    checked = []
    for block in told().values():
        lines = [(label, float(value)) for label, value, _ in rows(block) if value]
        for total, parts in (
            ("= equity", ("margin", "balance", "+ ")),
            ("= requirement", ("requirement", "+ others'")),
        ):
            end = next((i for i, (label, _) in enumerate(lines) if label == total), None)
            if end is not None:
                begin = max((i for i, (label, _) in enumerate(lines[:end]) if label == "= equity"), default=0)
                own = [v for label, v in lines[begin:end] if label.startswith(parts) and label != "margin ratio"]
                assert sum(own) == pytest.approx(lines[end][1], rel=1e-9), (total, block)
                checked.append(total)
    assert (checked.count("= equity"), checked.count("= requirement")) == (6, 3)


def test_a_hedge_pair_shows_both_legs_in_every_part(told):
    block = told()["btcusdt-long"]
    for part in ("+ profit", "notional", "requirement", "notional there"):
        assert f"  {part}, long " in block
        assert f"  {part}, short " in block
    assert "/ (12 x (1 - 0.0065) - 3 x (1 + 0.004))" in block


def test_the_collateral_beside_other_cross_positions_is_told(told):
    assert "balance + others' profit - others' requirement" in told()["btcusdt-long"]


def test_where_there_is_no_price_none_is_written(told):
    block = told()["safe"]
    assert re.search(r"liquidation price +none +no positive price liquidates this position\n", block)
    assert re.search(r"bankruptcy price +none +no positive price makes the equity zero\n", block)


def test_what_is_known_without_a_mark_price_is_shown_with_what_to_write(told):
    block = told()["untold"]
    assert re.search(r"missing +mark_price of XRPUSDT: write terms.XRPUSDT.mark_price\n", block)
    assert re.search(r"margin +1\n", block)
    assert re.search(r"liquidation price +unknown\n", block)
    assert re.search(r"bankruptcy price +0\.2 ", block)


def test_prices_lie_above_or_below_the_mark_and_one_that_was_passed_says_so(told):
    blocks = told()
    assert re.search(r"liquidation price .* below the mark\n", blocks["btcusdt-long"])
    assert re.search(r"liquidation price .* above the mark\n", blocks["s"])
    assert re.search(r"bankruptcy price .* below the mark; the mark is past it\n", blocks["gone"])


def test_values_stand_point_under_point_also_for_tiny_prices(told):
    block = told()["pepe"]
    assert "0.000001234567891" in block
    points = {
        len(found[1])
        for line in block.splitlines()
        if (found := re.match(r"(  \S.*? {2,}-?[\d,]+)(?:\.\d+)?(?: {3}|$)", line)) and "read 20" not in line
    }
    assert len(points) == 1


def test_no_remainder_of_floating_point_is_shown(told):
    text = "\n".join(told(SEVERAL.replace("3100.0000000001", "3000.0000000000005")).values())
    assert [n for n in re.findall(r"[\d.,]*\d", text) if re.search(r"\.\d{9,}", n) and not n.startswith("0.")] == []
    assert not re.search(r"-0(?![\d.])|e-\d", text)


def test_a_price_at_a_jump_of_the_ladder_is_told_as_such(perp_monitor_here, tmp_path):
    """A published deduction that does not fit leaves a step in the requirement, and the price may lie on it."""
    file = tmp_path / "account.yaml"
    file.write_text("""\
accounts: [{name: a, venue: binance, margin_mode: isolated, positions: [
  {name: x, symbol: XUSDT, side: short, contracts: 1, entry_price: 900, margin: 200}]}]
terms: {XUSDT: {mark_price: 900, tiers: [
  {floor: 0, maintenance_rate: 0.01, deduction: 0}, {floor: 1000, maintenance_rate: 0.5, deduction: 0}]}}
""")
    text = perp_monitor_here("explain", file).stdout.decode()
    assert re.search(r"liquidation price +1,000 .*\n +at this price the next tier begins", text)


def test_a_configuration_is_explained_by_its_accounts_and_tiers_file_without_its_secrets(perp_monitor_here, tmp_path):
    (tmp_path / "account.yaml").write_text(EXAMPLE, encoding="utf-8")
    ladder = {"BTCUSDT": [{"floor": 0, "maintenance_rate": 0.3}], "ETHUSDT": [{"floor": 0, "maintenance_rate": 0.4}]}
    (tmp_path / "tiers.json").write_text(json.dumps(ladder), encoding="utf-8")
    config = tmp_path / "monitor.json"
    config.write_text(
        json.dumps({
            "accounts_file": "account.yaml",
            "terms": {"BTCUSDT": {"mark_price": 32000}},
            "venues": {"binance": {"tiers_file": "tiers.json"}},
            "thresholds": {"warning": 0.1},
            "receivers": [{"name": "ops", "url": "https://hooks.example.com", "secret_file": "not-there"}],
            "web": {"token_file": "not-there"},
        })
    )  # fmt: skip
    done = perp_monitor_here("explain", config, "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    eth, btc = map(json.loads, done.stdout.splitlines())
    assert eth["tier"]["maintenance_rate"] == 0.1, "terms win over the tiers file"
    assert btc["tier"]["maintenance_rate"] == 0.3, "the tiers file wins over the shipped table"


def test_a_full_disk_ends_it_with_one_plain_line(tmp_path):
    file = tmp_path / "account.yaml"
    file.write_text(EXAMPLE, encoding="utf-8")
    here = os.environ | {"PYTHONPATH": str(Path(monitor.__file__).parents[1])}
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "monitor", "explain", str(file)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=30, check=False, env=here)
    assert (done.returncode, done.stderr) == (1, b"perp-monitor: cannot write to stdout: No space left on device\n")


def test_check_config_says_which_ladder_counts_for_each_symbol(perp_monitor_here, tmp_path):
    file = tmp_path / "monitor.yaml"
    file.write_text(EXAMPLE + "receivers: []\n", encoding="utf-8")
    done = perp_monitor_here("check-config", file)
    assert done.stdout.decode().splitlines() == [
        f"{file}: ok: 1 account, 2 positions, 0 receivers",
        "BTCUSDT: tiers from the table shipped with perp-monitor of 2026-02-05",
        "ETHUSDT: tiers from the operator's terms",
    ]
