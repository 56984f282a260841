"""One mark among 10,000 cross accounts of 10 positions on 200 symbols, through ``Engine.apply``.

*calm*: marks that wander by two hundredths of a per cent. *crash*: the same with all of them falling by 10 % in the
end. Beside each a NumPy pass over the same accounts, as the anchor: the surplus of every holder of the symbol brought
up to date (what would still have to be compared with ten lines an account, and solved where one is met).
"""

from __future__ import annotations

import gc
import sys
import time

import numpy as np
from market import EPOCH
from rounds import rounded, show

from monitor.core import events as ev
from monitor.core.account import Account, Position
from monitor.core.alerts import Quality
from monitor.core.contract import TierTable, build_deductions
from monitor.core.pool import Terms
from monitor.engine.book import WatchedAccount
from monitor.engine.engine import Engine
from monitor.venues.binance import RULE

ACCOUNTS, POSITIONS, SYMBOLS = 10_000, 10, 200
TICKS = 200_000
STEP_SECONDS = 1e-5
PRICE = 100.0
ROWS = [(0.0, 0.005), (50_000.0, 0.01), (250_000.0, 0.02), (1_000_000.0, 0.05), (2_000_000.0, 0.1)]


class Made:
    """The accounts, their engine, and the columns of the anchor."""

    def __init__(self, accounts: int, seed: int = 7) -> None:
        chance = np.random.default_rng(seed)
        self.names = [f"S{n:03d}" for n in range(SYMBOLS)]
        terms = Terms(table=TierTable(build_deductions(ROWS), "the bench"), rule=RULE)
        watched = []
        self.symbol = np.array([chance.choice(SYMBOLS, POSITIONS, replace=False) for _ in range(accounts)])
        self.quantity = chance.uniform(10.0, 2_000.0, (accounts, POSITIONS)) * chance.choice(
            [1, 1, -1], (accounts, POSITIONS)
        )
        balance = (np.abs(self.quantity) * PRICE).sum(axis=1) * chance.uniform(0.05, 0.6, accounts)
        for n in range(accounts):
            rows = zip(self.symbol[n].tolist(), self.quantity[n].tolist(), strict=True)
            held = tuple(Position(f"d{n}-{s}", self.names[s], q, PRICE, "cross", contracts=abs(q)) for s, q in rows)
            watched.append(
                WatchedAccount(
                    Account(f"desk-{n}", "binance", held, balance=float(balance[n])),
                    dict.fromkeys([p.symbol for p in held], terms),
                )
            )
        self.engine = Engine(watched, {"binance": {"mark": 1.0}}, 0.0)
        self.engine.apply(ev.VenueTime("binance", EPOCH), 0.0)
        self.holders = [np.nonzero(self.symbol == s) for s in range(SYMBOLS)]
        self.slopes = [self.quantity[rows] - np.abs(self.quantity[rows]) * 0.01 for rows in self.holders]
        self.surplus = balance.copy()

    def start(self) -> float:
        began = time.perf_counter()
        for name in self.names:
            self.engine.apply(ev.MarkPrice("binance", name, PRICE, EPOCH + 0.9), 1.0)
        last = self.engine.position_count() - 1
        while self.engine.position_views(last, last + 1, 1.0)[0].quality is not Quality.LIVE:
            self.engine.tick(1.0)  # accounts are taken up a few at a time
        return time.perf_counter() - began

    def brought_up(self, symbol: int, change: float) -> None:
        """Do the anchor's work of one tick."""
        rows = self.holders[symbol][0]
        self.surplus[rows] += self.slopes[symbol] * change


def walk(made: Made, what: str, drift: float, ticks: int, began: float) -> None:
    chance = np.random.default_rng(11)
    symbols = chance.integers(0, SYMBOLS, ticks)
    moves = chance.normal(drift * SYMBOLS / ticks, 0.0002, ticks)
    prices = dict.fromkeys(range(SYMBOLS), PRICE)
    marks, changes = [], []
    for n, (s, move) in enumerate(zip(symbols.tolist(), moves.tolist(), strict=True)):
        before = prices[s]
        prices[s] = before * (1.0 + move)
        now = began + n * STEP_SECONDS
        marks.append((ev.MarkPrice("binance", made.names[s], prices[s], EPOCH + now - 0.05), now))
        changes.append((s, prices[s] - before))
    read, take = time.perf_counter_ns, made.engine.apply
    took, anchor, alerts = [], [], 0
    gc.collect()
    gc.freeze()
    for event, now in marks:
        start = read()
        said = take(event, now)
        took.append(read() - start)
        alerts += len(said)
    for s, change in changes:
        start = read()
        made.brought_up(s, change)
        anchor.append(read() - start)
    ours = np.array(took) / 1e3
    mean, anchor_mean = float(ours.mean()), float(np.mean(anchor)) / 1e3
    show(
        bench="shared",
        what=what,
        accounts=len(made.symbol),
        ticks=ticks,
        alerts=alerts,
        anchor="numpy update of all holders",
        anchor_us=rounded(anchor_mean),
        mean_us=rounded(mean),
        ratio=rounded(mean / anchor_mean),
        p50_us=rounded(float(np.percentile(ours, 50))),
        p99_us=rounded(float(np.percentile(ours, 99))),
        max_us=rounded(float(ours.max())),
        aim="mean 20 us, p99 100 us",
    )


def measure(accounts: int, ticks: int) -> None:
    for what, drift in (("calm", 0.0), ("crash", -0.1)):
        made = Made(accounts)
        seconds = made.start()
        show(bench="shared", what="start", accounts=accounts, first_marks_seconds=rounded(seconds))
        walk(made, what, drift, ticks, 1.1)


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    measure(*(given or (ACCOUNTS, TICKS)))
