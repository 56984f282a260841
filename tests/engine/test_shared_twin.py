"""Accounts that share collateral: the boxes change nothing but the cost.

The twin solves every position of the account anew at every price and lets its ladder step. What the engine says,
with the figures in it, must be exactly that: no alert more, none less, none later.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor.core import alerts
from monitor.core import events as ev
from monitor.core.account import Account, CollateralAsset, Position
from monitor.core.alert_event import AlertEvent
from monitor.core.alerts import AlertState, Change, Ladder
from monitor.core.contract import LiquidationRule, Tier, TierTable, build_deductions
from monitor.core.levels import position_levels
from monitor.core.pool import Terms
from monitor.engine.book import WatchedAccount
from monitor.engine.engine import Engine

LADDER = Ladder(warning=0.08, critical=0.03, clear_seconds=4.75, sticky_seconds=11.75)
"""Times between those of the prices: what time alone does, it does at a tick."""

SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
MARK = LiquidationRule("at mark", "by hand", "2026-11-22", "mark", "notional", "none")
FEE = replace(MARK, closing_fee="mark_notional")
RESERVE = replace(MARK, closing_fee="at_bankruptcy", bankruptcy="equity_less_fee")
ZERO = replace(MARK, tier_by="none", bankruptcy="proportional")
ENTRY = replace(MARK, maintenance="entry", tier_by="entry_notional")
SIZE = replace(MARK, maintenance="size", tier_by="none")
JUMPS = replace(MARK, deduction="none")

ROWS = [(0.0, 0.01), (8_000.0, 0.02), (11_000.0, 0.05)]
SMOOTH = TierTable(build_deductions(ROWS), "by hand")
STEEP = TierTable(tuple(Tier(*row) for row in ROWS), "by hand")
COINS = TierTable(build_deductions([(0.0, 0.01), (80.0, 0.02), (110.0, 0.05)]), "by hand")

shares = st.integers(-30, 30).filter(bool)
moves = st.lists(st.tuples(*[st.integers(-300, 300)] * len(SYMBOLS)), min_size=4, max_size=50)


class Twin:
    """Looks at every position at every price."""

    def __init__(self, account: Account, terms: dict[str, Terms]) -> None:
        self.account, self.terms = account, terms
        self.states = {p.name: AlertState() for p in account.positions}

    def mark(self, symbol: str, price: float, now: float) -> list[tuple[object, ...]]:
        self.terms[symbol] = replace(self.terms[symbol], mark_price=price)
        if any(its.mark_price is None for its in self.terms.values()):
            return []
        said = []
        for p in self.account.positions:
            levels = position_levels(self.account, p, self.terms)
            mark = self.terms[p.symbol].mark_price
            assert mark is not None
            changes = alerts.step(self.states[p.name], mark, levels.lines(), LADDER, now, live=True)
            said += [told(p.name, change, levels.liquidation_price) for change in changes]
        return said

    def tick(self, now: float) -> list[tuple[object, ...]]:
        return [
            told(name, change, None)
            for name, state in self.states.items()
            for change in alerts.expire(state, LADDER, now)
        ]


def told(name: str, change: Change, price: float | None) -> tuple[object, ...]:
    figure = None if price is None else float(f"{price:.9g}")
    return name, change.kind, change.level, change.prev_level, change.skipped, figure


def said(events: Sequence[AlertEvent]) -> list[tuple[object, ...]]:
    return [
        (e.position, e.kind, e.level, e.prev_level, e.skipped)
        + ((None,) if e.liquidation_price is None else (float(f"{e.liquidation_price:.9g}"),))
        for e in events
    ]


def agree(account: Account, terms: dict[str, Terms], walk: Sequence[Sequence[int]]) -> None:
    """Walk the marks and compare what is said at each price and each tick."""
    engine = Engine([WatchedAccount(account, dict(terms), LADDER)], {"demo": {"mark": 1.0}}, 0.0)
    engine.apply(ev.VenueTime("demo", 0.0), 0.0)
    twin, prices, count = Twin(account, dict(terms)), dict.fromkeys(terms, 100.0), 0
    for second, row in enumerate(walk, 1):
        now = float(second)
        for symbol, move in zip(prices, row, strict=False):
            prices[symbol] = min(300.0, max(30.0, prices[symbol] * (1.0 + move / 10_000.0)))
            got = said(engine.apply(ev.MarkPrice("demo", symbol, prices[symbol], now), now))
            assert sorted(got) == sorted(twin.mark(symbol, prices[symbol], now)), (second, symbol)
            count += len(got)
        got = [entry[:5] for entry in said(engine.tick(now + 0.9))]
        assert sorted(got) == sorted(entry[:5] for entry in twin.tick(now + 0.9)), second
        count += len(got)
    event("nothing said" if not count else "something said")


def book(quantities: Sequence[int], entries: Sequence[int], *, kind: str = "linear") -> tuple[Position, ...]:
    """Positions in the first symbols, of about the same weight in either kind at a price of 100."""
    size = 1.0 if kind == "linear" else 100.0
    return tuple(
        Position(f"p{n}", SYMBOLS[n], size * quantity, 100.0 + entry, "cross", contracts=abs(size * quantity))
        for n, (quantity, entry) in enumerate(zip(quantities, entries, strict=False))
    )


def collateral(positions: Sequence[Position], share: int, kind: str) -> float:
    gross = sum(p.notional_at(100.0, kind) for p in positions)
    return gross * share / 100.0


many = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
held = st.lists(shares, min_size=1, max_size=4)
entries = st.lists(st.integers(-10, 10), min_size=4, max_size=4)
backed = st.integers(2, 14)

CASES = {
    "linear": ("linear", MARK, SMOOTH),
    "linear, fee at mark": ("linear", FEE, SMOOTH),
    "linear, ladder with jumps": ("linear", JUMPS, STEEP),
    "linear, reserve at the bankruptcy price": ("linear", RESERVE, SMOOTH),
    "linear, zero price": ("linear", ZERO, SMOOTH),
    "linear, requirement at entry": ("linear", ENTRY, SMOOTH),
    "inverse": ("inverse", MARK, COINS),
    "inverse, fee at mark": ("inverse", FEE, COINS),
    "inverse, rate by size": ("inverse", SIZE, COINS),
}


@pytest.mark.parametrize(("kind", "rule", "table"), CASES.values(), ids=CASES)
def test_a_shared_account_is_watched_as_if_solved_at_every_price(kind, rule, table):
    @many
    @given(held, entries, backed, moves)
    def check(quantities: list[int], at: list[int], share: int, walk: list[tuple[int, ...]]) -> None:
        positions = book(quantities, at, kind=kind)
        its = Terms(table=table, rule=rule, kind=kind, closing_fee_rate=0.001, maintenance_slope=0.0001)
        account = Account("main", "demo", positions, balance=collateral(positions, share, kind))
        agree(account, {p.symbol: its for p in positions}, walk)

    check()


@many
@given(shares, shares, shares, entries, backed, moves)
def test_a_hedge_pair_beside_another_position_is_watched_as_if_solved_at_every_price(
    long: int, short: int, other: int, at: list[int], share: int, walk: list[tuple[int, ...]]
):
    positions = (
        Position("long", "AAA", abs(long), 100.0 + at[0], "cross"),
        Position("short", "AAA", -abs(short), 100.0 + at[1], "cross"),
        Position("other", "BBB", other, 100.0 + at[2], "cross"),
    )
    account = Account("main", "demo", positions, "hedge", balance=collateral(positions, share, "linear"))
    agree(account, dict.fromkeys(SYMBOLS[:2], Terms(table=SMOOTH, rule=MARK)), walk)


@many
@given(shares, shares, entries, backed, moves)
def test_a_hedge_pair_alone_is_watched_as_if_solved_at_every_price(
    long: int, short: int, at: list[int], share: int, walk: list[tuple[int, ...]]
):
    positions = (
        Position("long", "AAA", abs(long), 100.0 + at[0], "cross"),
        Position("short", "AAA", -abs(short), 100.0 + at[1], "cross"),
    )
    account = Account("main", "demo", positions, "hedge", balance=collateral(positions, share, "linear"))
    agree(account, {"AAA": Terms(table=SMOOTH, rule=MARK)}, walk)


@many
@given(held, st.integers(-20, 20).filter(bool), entries, backed, moves)
def test_collateral_that_follows_a_mark_is_watched_as_if_solved_at_every_price(
    quantities: list[int], amount: int, at: list[int], share: int, walk: list[tuple[int, ...]]
):
    positions = book(quantities[:3], at)
    assets = (CollateralAsset("A", amount, 0.9, symbol="AAA"), CollateralAsset("D", amount / 2, 0.5, symbol="DDD"))
    balance = collateral(positions, share, "linear") - 100.0 * sum(a.value_at(1.0) for a in assets)
    account = Account("main", "demo", positions, balance=balance, assets=assets)
    symbols = dict.fromkeys([*(p.symbol for p in positions), "AAA", "DDD"])
    agree(account, dict.fromkeys(symbols, Terms(table=SMOOTH, rule=MARK)), walk)
