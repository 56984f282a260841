"""``perp-monitor explain``: the sum behind each price, offline, from an account file."""

import json

import pytest

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
    for part in ("1114.78", "135 365", "0.1", "Binance USD-M", "unavailable", "28 800"):
        assert part in text.replace("1 114.78", "1114.78"), part


def test_a_bad_account_file_is_refused_with_every_line_and_key(perp_monitor_here, tmp_path):
    file = tmp_path / "account.yaml"
    file.write_text(EXAMPLE.replace("side: long", "side: up").replace("32000", "-1"), encoding="utf-8")
    done = perp_monitor_here("explain", file, "--json")
    said = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (2, b"")
    assert [line.split(": ")[0] for line in said] == [f"{file}:8", f"{file}:9", f"{file}:9"]
    assert [key for key in ("side", "entry_price") if not any(key in line for line in said)] == []
