"""Accounts under all that can happen to a feed: whatever comes, three things hold of every position.

Its level is never below what its marks say; clearing runs exactly while they are clear; nothing raises. The marks
go silent and come back, jump, come late or twice, other trades stand in for them, ladders change, and the daemon is
started anew, in any order.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from monitor.core import events as ev
from monitor.core.account import Account, CollateralAsset, Position
from monitor.core.alerts import Ladder, Quality
from monitor.core.contract import LiquidationRule, TierTable, build_deductions
from monitor.core.levels import position_levels
from monitor.core.pool import Terms
from monitor.engine.book import WatchedAccount
from monitor.engine.engine import Engine
from monitor.engine.watch import Watch

LADDER = Ladder(warning=0.08, critical=0.03, clear_seconds=5.0, sticky_seconds=12.0, flap_changes=1_000)
MARK = LiquidationRule("at mark", "by hand", "2026-11-22", "mark", "notional", "none")
RULES = (
    MARK,
    replace(MARK, closing_fee="mark_notional"),
    replace(MARK, closing_fee="at_bankruptcy", bankruptcy="equity_less_fee"),
    replace(MARK, tier_by="none", bankruptcy="proportional"),
)
LADDERS = {
    "linear": TierTable(build_deductions([(0.0, 0.01), (8_000.0, 0.02), (11_000.0, 0.05)]), "by hand"),
    "inverse": TierTable(build_deductions([(0.0, 0.01), (80.0, 0.02), (110.0, 0.05)]), "by hand"),
}
NEAR = 1e-9
"""At a line, a last digit decides."""


class World:
    """One to three accounts with what they hang on, and everything that happens to them, drawn by chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.kind = self.chance.choice(["linear", "linear", "linear", "inverse"])
        rule = self.chance.choice(RULES)
        self.terms = Terms(table=LADDERS[self.kind], rule=rule, kind=self.kind, closing_fee_rate=0.001)
        self.accounts = [self._account(n) for n in range(self.chance.randint(1, 3))]
        self.prices = dict.fromkeys(sorted({s for account in self.accounts for s in account.symbols()}), 100.0)
        self.silent_until: dict[str, float] = {}
        self.now = 0.0
        self.start()

    def _account(self, number: int) -> Account:
        chance, size = self.chance, 1.0 if self.kind == "linear" else 100.0
        held: list[Position] = []
        hedge = chance.random() < 0.3
        for symbol in chance.sample("ABCD", chance.randint(1, 4)):
            quantity = chance.choice([-1, 1]) * chance.randint(5, 40) * size
            entry = 100.0 + chance.randint(-8, 8)
            held.append(Position(f"{number}{symbol}", symbol, quantity, entry, "cross", contracts=abs(quantity)))
            if hedge and chance.random() < 0.6:
                other = -chance.choice([0.5, 1.0, 0.9]) * quantity
                held.append(Position(f"{number}{symbol}-pair", symbol, other, entry, "cross", contracts=abs(other)))
            if chance.random() < 0.3:
                margin = 200.0 if self.kind == "linear" else 2.0
                held.append(
                    Position(f"{number}{symbol}-alone", symbol, 10 * size, 100.0, "isolated", margin, 10 * size)
                )
        gross = sum(p.notional_at(100.0, self.kind) for p in held if p.margin_mode == "cross")
        assets: tuple[CollateralAsset, ...] = ()
        if self.kind == "linear" and chance.random() < 0.4:
            coins = chance.sample("ABCDE", chance.randint(1, 2))
            assets = tuple(CollateralAsset(s, chance.choice([-20.0, 5.0, 20.0]), 0.9, symbol=s) for s in coins)
        balance = gross * chance.randint(3, 14) / 100.0 - sum(asset.value_at(100.0) for asset in assets)
        return Account(f"desk-{number}", "demo", tuple(held), "hedge", balance, assets=assets)

    def start(self) -> None:
        """Start the engine, with what an earlier one has left."""
        said = [
            WatchedAccount(
                a,
                dict.fromkeys(a.symbols(), replace(self.terms, table=None)),
                LADDER,
                dict.fromkeys(a.symbols(), LADDERS[self.kind]),
            )
            for a in self.accounts
        ]
        left = [*self.engine.states(), *self.engine.unsaved()] if hasattr(self, "engine") else []
        self.engine = Engine(said, {"demo": {"mark": 1.0, "last": 1.0}}, self.now)
        self.engine.apply(ev.VenueTime("demo", self.now), self.now)
        self.engine.restore(left)

    def run(self, seconds: int) -> Iterator[str]:
        """Let time pass, and yield after each thing that happened what it was."""
        for _ in range(seconds):
            self.now += 1.0
            size = self.chance.choice([0.001, 0.01, 0.03])
            for symbol in self.prices:
                yield from self._happens(symbol, size)
            self.engine.tick(self.now + 0.3)
            yield "tick"
            self.engine.position_views(0, self.engine.position_count(), self.now + 0.3)
            if self.chance.random() < 0.015:
                self.now += 2.0
                self.start()

    def _happens(self, symbol: str, size: float) -> Iterator[str]:
        chance, apply, now = self.chance, self.engine.apply, self.now
        price = self.prices[symbol] = min(250.0, max(40.0, self.prices[symbol] * (1.0 + chance.gauss(0.0, size))))
        if self.silent_until.get(symbol, 0.0) > now:
            if chance.random() < 0.3:
                apply(ev.LastPrice("demo", symbol, price, now), now)
                yield "last"
            return
        what, time = chance.random(), now
        if what < 0.02:
            self.silent_until[symbol] = now + chance.choice([3.6, 4.2, 7.0, 9.0])
            return
        if what < 0.04:
            time = now - 4.0  # late
        elif what < 0.07:
            apply(ev.MarkPrice("demo", symbol, price * (1.0 + chance.gauss(0.0, 0.08)), now - 1.0), now)  # undated
        elif what < 0.09:
            apply(ev.MarkPrice("demo", symbol, price * chance.choice([0.7, 1.3]), now - 0.05), now - 0.04)  # a jump
        elif what < 0.11 and self.kind == "linear":
            rows = chance.choice(
                [
                    ((0.0, 0.012, 0.0),),
                    tuple((t.floor, t.maintenance_rate, t.deduction) for t in LADDERS["linear"].tiers),
                ]
            )
            apply(ev.TierTableChanged("demo", symbol, rows, now), now)
        apply(ev.MarkPrice("demo", symbol, price, time), now)
        yield "mark"


def wrong(watch: Watch, *, ticked: bool) -> str:
    """Return what does not hold of a position, nothing if all does."""
    if any(facts.mark.value == 0.0 for facts in (watch.facts, *watch.siblings)):
        return ""
    account, state, mark = watch.book.account, watch.state, watch.facts.mark.value
    lines = position_levels(account, watch.position, {s: watch.book.terms(s) for s in account.symbols()}).lines()
    distance, level = lines.distance(mark), lines.level_at(mark, LADDER)
    if level > state.raw and abs(distance - LADDER.threshold(level)) > NEAR:
        return f"{watch.subject}: {level.name}, but {state.raw.name} is what is known ({state.quality.name})"
    if not state.raw or abs(distance - LADDER.threshold(state.raw) * (1.0 + LADDER.hysteresis)) < NEAR:
        return ""
    clear, since = lines.clear_of(state.raw, mark, LADDER), state.clear_since[state.raw]
    if since is not None and not clear:
        return f"{watch.subject}: is clearing of {state.raw.name} at {distance}"
    if ticked and clear and since is None and state.quality is Quality.LIVE and watch.undisputed:
        return f"{watch.subject}: does not clear of {state.raw.name} at {distance}"
    return ""


@pytest.mark.parametrize("seed", range(30))
def test_no_level_is_missed_and_none_stands_or_falls_wrongly(seed):
    world = World(seed)
    for number, happened in enumerate(world.run(100)):
        faults = [fault for watch in world.engine._watches if (fault := wrong(watch, ticked=happened == "tick"))]
        assert faults == [], (number, happened)
