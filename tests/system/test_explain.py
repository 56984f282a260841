"""``perp-monitor explain``: the sum behind each price, offline, from an account file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import monitor
from monitor.venues import RULES, canonical

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


VENUE_FILES = sorted((Path(monitor.__file__).parents[1] / "config" / "accounts").glob("*.yaml"))


@pytest.mark.parametrize("file", VENUE_FILES, ids=lambda file: file.stem)
def test_an_account_of_every_venue_is_explained(perp_monitor_here, file):
    done = perp_monitor_here("explain", file, "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    for position in map(json.loads, done.stdout.splitlines()):
        assert position["status"] == "ok"
        assert not position["drifted"]
        assert position["shock"]["missing"] == position["restore"]["missing"] == []


def test_there_is_an_account_file_for_every_venue():
    assert {canonical(file.stem) for file in VENUE_FILES} >= RULES.keys()


def test_the_objects_say_rule_tier_buffer_and_what_follows(explained):
    eth, _ = explained(EXAMPLE)
    assert eth["rule"] | {"maintenance": "mark", "tier_by": "notional", "rounding": "none"} == eth["rule"]
    assert eth["tier"]["size"] == eth["tier"]["notional"] == pytest.approx(3683.979 * eth["liquidation_price"])
    assert eth["buffer_ratio"] == pytest.approx(1 - eth["bankruptcy_price"] / eth["liquidation_price"])
    assert (eth["reported_liquidation_price"], eth["drift_ratio"], eth["drifted"]) == (None, None, False)
    assert eth["shown_liquidation_price"] is None
    assert eth["shock"]["down"] == pytest.approx(-eth["liquidation_distance_ratio"])
    assert eth["restore"]["top_up"] == 0.0
    assert all({"slug", "text"} == set(item) for item in eth["advice"])
    assert "what_if" not in eth


def test_the_objects_have_what_the_file_says_of_the_position(explained):
    eth, btc = explained(EXAMPLE)
    keys = "quantity", "contracts", "entry_price", "margin", "balance"
    assert [eth[key] for key in keys] == [3683.979, 3683.979, 1456.84, None, 1535443.01]
    assert [btc[key] for key in keys] == [1.0, 1.0, 32000.0, 3200.0, None]


def test_the_objects_have_every_part_of_the_equity(explained):
    text = EXAMPLE.replace(
        "      - {symbol: BTCUSDT",
        "      - {name: other, symbol: XUSDT, side: short, contracts: 2, entry_price: 50}\n      - {symbol: BTCUSDT",
    )
    eth, other, _ = explained(text + "  XUSDT: {mark_price: 40, maintenance_rate: 0.01}\n")
    assert (eth["others_profit"], other["profit"]) == (20.0, 20.0)
    assert (eth["others_maintenance"], eth["collateral"]) == (pytest.approx(0.8), 1535443.01)
    assert eth["equity"] == eth["collateral"] + eth["profit"] + eth["others_profit"]


def test_parts_of_the_sum_that_are_unknown_are_null(explained):
    _, btc = explained(EXAMPLE)
    unknown = "profit", "others_profit", "others_maintenance", "closing_fee_reserve"
    assert [btc[key] for key in unknown] == [None] * 4
    assert btc["collateral"] == 3200.0


ROUNDED = """\
accounts: [{name: a, venue: bybit, margin_mode: isolated, positions: [
  {name: x, symbol: BTCUSDT, side: long, contracts: 2, entry_price: 90000.3, leverage: 20}]}]
terms: {BTCUSDT: {mark_price: 90010, tick_size: 0.1, closing_fee_rate: 0.00055, maintenance_rate: 0.0033}}
"""


def test_the_objects_have_the_bankruptcy_price_that_the_text_shows(explained):
    (found,) = explained(ROUNDED)
    assert (found["bankruptcy_price"], found["shown_bankruptcy_price"]) == (pytest.approx(85500.285), 85500.3)


def test_the_objects_have_the_closing_fee_that_is_reserved(explained):
    (found,) = explained(ROUNDED)
    assert found["closing_fee_reserve"] == pytest.approx(2 * 85500.285 * 0.00055)


def test_the_objects_have_the_target_and_the_margin_that_a_reduction_releases(explained):
    (found,) = explained(ROUNDED)
    assert found["target"] == found["restore"]["target"] == 0.06
    released = found["restore"]["reduce_ratio"] * (found["margin"] + found["profit"])
    assert found["restore"]["released_margin"] == pytest.approx(released)


def test_a_what_if_mark_moves_the_distance_and_is_told(perp_monitor_here, tmp_path):
    file = tmp_path / "account.yaml"
    file.write_text(EXAMPLE, encoding="utf-8")
    done = perp_monitor_here("explain", file, "--json", "--at", "ETHUSDT=1120", "--at", "BTCUSDT=30000")
    eth, btc = map(json.loads, done.stdout.splitlines())
    assert (eth["what_if"], btc["what_if"]) == ({"ETHUSDT": 1120.0}, {"BTCUSDT": 30000.0})
    assert eth["liquidation_distance_ratio"] == pytest.approx(1 - eth["liquidation_price"] / 1120)
    assert eth["restore"]["top_up"] > 0.0
    assert btc["status"] == "ok"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--at", "ETHUSD=1"], "has the symbol 'ETHUSD' (did you mean ETHUSDT?)"),
        (["--at", "ETHUSDT=cheap"], "--at: expected SYMBOL=PRICE"),
        (["--target", "5"], "--target: expected a ratio of the mark price between 0 and 1"),
        (["--target=-0.1"], "--target: expected a ratio of the mark price between 0 and 1"),
    ],
)
def test_a_wrong_call_is_refused_and_says_why(perp_monitor_here, tmp_path, arguments, words):
    file = tmp_path / "account.yaml"
    file.write_text(EXAMPLE, encoding="utf-8")
    done = perp_monitor_here("explain", file, *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert words in done.stderr.decode()


def test_a_configuration_is_explained_by_its_accounts_and_tiers_file_without_its_secrets(perp_monitor_here, tmp_path):
    (tmp_path / "account.yaml").write_text(EXAMPLE, encoding="utf-8")
    ladder = {"BTCUSDT": [{"floor": 0, "maintenance_rate": 0.03}], "ETHUSDT": [{"floor": 0, "maintenance_rate": 0.04}]}
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
    assert btc["tier"]["maintenance_rate"] == 0.03, "the tiers file wins over the shipped table"


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
