"""Whatever is in a file, loading it gives settings or a ConfigError, and nothing else."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.config.load import load_account_file, load_config
from monitor.config.places import Problems
from monitor.config.source import parse
from monitor.config.tiers_file import read_tiers
from monitor.errors import ConfigError
from monitor.venues import RULES

SHIPPED = Path(__file__).parents[2] / "config"
CONFIG = (SHIPPED / "monitor.yaml").read_text().replace("# venues", "venues").replace("#   ", "   ")
ACCOUNT = (SHIPPED / "account.example.yaml").read_text()
JSON = '{"accounts": [{"name": "m", "venue": "binance", "margin_mode": "cross", "balance": 1e3, "positions": [{"symbol": "B", "side": "long", "contracts": 1, "entry_price": 2}]}], "terms": {"B": {"tiers": [{"floor": 0, "maintenance_rate": 0.1}]}}}'

PIECES = st.sampled_from(
    ["", " ", "\n", "\t", "-", ":", "{", "}", "[", "]", ",", "&a", "*a", "!", "'", '"', "\\", "~", "null", "true", "0", "-1",
     "1e9", "010", ".inf", "9" * 70, "1" * 18, "\0", "\x7f", "\u2028", "\ud7ff", "é", "---\n", "? ", "<<: ", "%YAML 1.1\n", "|", "whsec_",
     "isolated", "hedge", "inverse", "leverage: 3", "accounts: ", "terms: ", "positions: []", "https://[", "//", "@",
     "maintenance_rate: 0.4", "collateral: [", "rule: {maintenance: ", "stop: ", "none", "margin: 1", "okx", "deribit", "generic"]
)  # fmt: skip
Edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), PIECES | st.text(max_size=6)), min_size=1, max_size=6)


def mutate(text: str, edits: list[tuple[float, int, str]]) -> str:
    for where, cut, piece in edits:
        at = int(where * len(text))
        text = text[:at] + piece + text[at + cut :]
    return text


def load_mutated(text: str, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        for load, more in (
            (load_account_file, {}),
            (load_config, {"shipped_tiers": {"binance": lambda _symbol: None}, "live": {"binance": ("linear",)}}),
        ):
            with contextlib.suppress(ConfigError):
                load(path, RULES, **more)


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@FUZZ
@given(Edits)
def test_a_mutated_configuration_raises_nothing_but_config_error(edits):
    load_mutated(mutate(CONFIG, edits), ".yaml")


@FUZZ
@given(Edits)
def test_a_mutated_account_file_raises_nothing_but_config_error(edits):
    load_mutated(mutate(ACCOUNT, edits), ".yaml")


@FUZZ
@given(Edits, st.sampled_from([".json", ".yaml", ""]))
def test_mutated_json_raises_nothing_but_config_error(edits, suffix):
    load_mutated(mutate(JSON, edits), suffix)


OURS = '{"B": {"tiers": [{"floor": 0, "maintenance_rate": 0.1}]}, "B/C:C": [{"minNotional": 0, "maintenanceMarginRate": 0.1, "info": {"cum": "0"}}], "symbol": "B", "brackets": [{"notionalFloor": 0, "maintMarginRatio": 0.1}]}'
BYBIT = '{"result": {"list": [{"symbol": "B", "riskLimitValue": "9", "maintenanceMargin": "0.1", "initialMargin": "0.2", "maxLeverage": "5", "mmDeduction": ""}]}}'
OKX = '{"data": [{"instFamily": "B", "minSz": "0", "maxSz": "9", "mmr": "0.1", "imr": "0.2", "maxLever": "5"}]}'
HYPERLIQUID = '{"universe": [{"name": "B", "marginTableId": 56}, {"name": "BC", "marginTableId": 3}], "marginTables": [[56, {"marginTiers": [{"lowerBound": "0", "maxLeverage": 5}]}]]}'
KRAKEN = '{"instruments": [{"symbol": "B", "marginLevels": [{"contracts": 0, "initialMargin": 0.2, "maintenanceMargin": 0.1}]}]}'


@FUZZ
@given(Edits, st.sampled_from([OURS, BYBIT, OKX, HYPERLIQUID, KRAKEN]))
def test_a_mutated_tiers_file_gives_tables_or_problems(edits, text):
    problems = Problems()
    top = parse(mutate(text, edits).encode("utf-8", "surrogatepass"), "t.json", problems)
    if top is None:
        assert problems
    else:
        read_tiers(top, "t.json", {"B", "BC"}, problems, [])


@FUZZ
@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing_but_config_error(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(data)
        with contextlib.suppress(ConfigError):
            load_config(path, RULES)
