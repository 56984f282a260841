"""A valid configuration of which each test spoils one thing, and a way to read what is then said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from monitor.config.load import load_account_file, load_config
from monitor.config.settings import Rules
from monitor.core.contract import LiquidationRule
from monitor.errors import ConfigError

ON_NOTIONAL = LiquidationRule("on notional", "a page", "2026-11-22", "mark", "notional", "none")
ON_CONTRACTS = LiquidationRule("on contracts", "a page", "2026-11-22", "mark", "contracts", "none", deduction="none")
RULES: Mapping[str, Rules] = {
    "binance": {"linear": ON_NOTIONAL, "inverse": ON_NOTIONAL},
    "okx": {"linear": ON_CONTRACTS},
}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "a-token-of-some-length"

CONFIG = """\
accounts:
  - name: main
    venue: binance
    margin_mode: cross
    balance: 100000
    positions:
      - {name: btc, symbol: BTCUSDT, side: long, contracts: 0.5, entry_price: 90000}
      - symbol: ETHUSDT
        side: short
        contracts: 5
        entry_price: 3000
        margin_mode: isolated
        leverage: 10
terms:
  BTCUSDT:
    mark_price: 90000
    tiers:
      - {floor: 0, maintenance_rate: 0.004, deduction: 0}
      - {floor: 300000, maintenance_rate: 0.005, deduction: 300}
thresholds: {warning: 0.05, critical: 0.02}
receivers:
  - name: ops
    url: https://hooks.example.com/path-canary
    secret_file: ops.secret
web: {listen: "127.0.0.1:9464"}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that holds the receiver's secret and a token, both private."""
    for name, text in (("ops.secret", SECRET), ("web.token", TOKEN)):
        (tmp_path / name).write_text(text + "\n")
        (tmp_path / name).chmod(0o600)
    return tmp_path


@pytest.fixture
def valid() -> str:
    return CONFIG


@pytest.fixture
def rules() -> Mapping[str, Rules]:
    """Two venues, of which one has no inverse contracts."""
    return RULES


@pytest.fixture
def load(folder: Path) -> Callable:
    """Load a text as the configuration, or as an account file by that name; *more* goes to the loader."""

    def load_text(
        text: str | bytes, name: str = "config.yaml", rules: Mapping[str, Rules] = RULES, environ=None, **more
    ):
        path = folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if name.startswith("account"):
            return load_account_file(path, rules, **more)
        return load_config(path, rules, environ=environ or {}, **more)

    return load_text


@pytest.fixture
def problems(folder: Path, load: Callable) -> Callable[..., list[str]]:
    """Return the problems of a text, with the folder's path taken off."""

    def problems_of(text: str | bytes, name: str = "config.yaml", **more) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, name, **more)
        return [line.replace(f"{folder}/", "") for line in caught.value.problems]

    return problems_of


@pytest.fixture
def warnings(folder: Path, load: Callable) -> Callable[..., list[str]]:
    """Return the warnings of an account file, with the folder's path taken off."""

    def warnings_of(text: str, name: str = "account.yaml", **more) -> list[str]:
        return [line.replace(f"{folder}/", "") for line in load(text, name, **more).warnings]

    return warnings_of
