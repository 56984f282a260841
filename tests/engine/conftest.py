"""A small market for the engine: one venue called demo, prices in, alert kinds out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from monitor.core import events as ev
from monitor.core.account import Account, Position
from monitor.core.alert_event import AlertEvent
from monitor.core.alerts import Ladder
from monitor.core.contract import LiquidationRule, Tier, TierTable
from monitor.core.pool import Terms
from monitor.engine.book import WatchedAccount
from monitor.engine.engine import Engine

RULE = LiquidationRule("demo", "worked by hand", "2026-11-22", "mark", "notional", "none")
TABLE = TierTable((Tier(0.0, 0.004),), "by hand")
EPOCH = 1_795_000_000.0


def short(name: str = "short", margin: float = 5_000.0, symbol: str = "BTCUSDT") -> Position:
    """A short of 1 at 50,000: with 5,000 margin its liquidation lies at 54,780.88, its bankruptcy at 55,000."""
    return Position(name, symbol, -1.0, 50_000.0, "isolated", margin, 1.0)


def long(name: str = "long", margin: float = 5_000.0, symbol: str = "BTCUSDT") -> Position:
    """A long of 1 at 50,000: with 5,000 margin its liquidation lies at 45,180.72, its bankruptcy at 45,000."""
    return Position(name, symbol, 1.0, 50_000.0, "isolated", margin, 1.0)


class Script:
    """Drives one engine; the boot clock stands wherever the script says, the venue's is EPOCH ahead of it."""

    def __init__(
        self,
        *positions: Position,
        ladder: Ladder | None = None,
        terms: dict[str, Terms] | None = None,
        equity: float | None = None,
        rule: LiquidationRule = RULE,
    ) -> None:
        balance = 10_000.0 if equity is None else None
        account = Account("main", "demo", positions or (short(),), balance=balance, equity=equity)
        self.failed: list[str] = []
        symbols = {p.symbol for p in account.positions}
        said = {symbol: replace((terms or {}).get(symbol, Terms()), rule=rule) for symbol in symbols}
        watched = WatchedAccount(account, said, ladder or Ladder(), tables=dict.fromkeys(symbols, TABLE))
        self.seen: list[ev.Liquidation] = []
        expected = {"demo": {"mark": 1.0, "index": 1.0, "last": 2.0, "book": 5.0}}
        self.engine = Engine([watched], expected, 0.0, self.seen.append, lambda who, _error: self.failed.append(who))
        self.engine.apply(ev.VenueTime("demo", EPOCH), 0.0)

    def mark(self, now: float, price: float, symbol: str = "BTCUSDT", lag: float = 0.05) -> list[AlertEvent]:
        return list(self.engine.apply(ev.MarkPrice("demo", symbol, price, EPOCH + now - lag), now))

    def last(self, now: float, price: float, symbol: str = "BTCUSDT") -> list[AlertEvent]:
        return list(self.engine.apply(ev.LastPrice("demo", symbol, price, EPOCH + now - 0.05), now))

    def tick(self, now: float) -> list[AlertEvent]:
        return list(self.engine.tick(now))

    def hold(self, start: float, stop: float, price: float, symbol: str = "BTCUSDT") -> list[AlertEvent]:
        """One mark and one tick a second from *start* to *stop*."""
        out: list[AlertEvent] = []
        second = start
        while second <= stop:
            out += self.mark(second, price, symbol) + self.tick(second)
            second += 1.0
        return out

    def view(self, now: float, index: int = 0):
        return self.engine.position_views(index, index + 1, now)[0]


def kinds(alerts: Sequence[AlertEvent]) -> list[str]:
    return [a.kind for a in alerts]


@pytest.fixture
def script():
    return Script


@pytest.fixture
def make():
    """The two positions and the helper that names kinds."""
    return {"short": short, "long": long, "kinds": kinds}
