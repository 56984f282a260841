"""Price to trigger with 1, 10,000 and 1,000,000 isolated positions on one symbol, through ``Engine.apply``.

*calm*: prices that move inside the band in which nothing crosses, beside a NumPy recompute of all distances of as
many positions (which would still have to be compared with the thresholds, position by position that crossed).
*single*: the same calls timed one by one, which shows the slowest; ``clock_us`` of it is the reading of the clock.
*crossing*: one price that takes positions over their warning line, alert events made, per position.
*recovery*: a symbol falls silent and comes back; both times each of its positions is judged anew, in one go (``held``).
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
from market import PRICE, engine, mark, positions
from rounds import in_turns, ratio, rounded, show

from monitor.core.events import MarkPrice
from monitor.engine.engine import Engine

SIZES = (1, 10_000, 1_000_000)
CALLS = 20_000
ROUNDS = 9
STEP_SECONDS = 0.0001
Timed = tuple[MarkPrice, float]


class Walk:
    """Marks one after the other in time."""

    def __init__(self) -> None:
        self._turns: Iterator[int] = count(1)

    def at(self, price: float) -> Timed:
        now = 1.0 + next(self._turns) * STEP_SECONDS
        return mark(price, now), now

    def calm(self, calls: int) -> list[Timed]:
        """Return marks that wander within half a per cent."""
        prices = PRICE * (1.0 + 0.005 * np.sin(np.arange(calls) * 0.01))
        return [self.at(price) for price in prices.tolist()]


def memory() -> int:
    """Return the bytes of memory that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def calm(made: Engine, walk: Walk, size: int) -> None:
    views = made.position_views(0, size, 1.0)
    lines = np.array([view.liquidation_price or 0.0 for view in views])
    danger = np.array([-1.0 if view.side == "long" else 1.0 for view in views])
    del views
    ours: list[float] = []
    anchor: list[float] = []
    recomputes = max(3, min(2000, 2_000_000 // size))

    def recompute() -> None:
        for number in range(recomputes):
            price = PRICE + number
            (danger * (lines - price) / price).min()

    def apply() -> None:
        take = made.apply
        for event, now in taken:
            take(event, now)

    for _ in range(ROUNDS):
        taken = walk.calm(CALLS)
        took = in_turns({"ours": apply, "anchor": recompute}, 1)
        ours.append(took["ours"][0] / CALLS * 1e6)
        anchor.append(took["anchor"][0] / recomputes * 1e6)
    show(
        bench="trigger",
        what="calm",
        positions=size,
        anchor="numpy recompute of all distances",
        anchor_us=rounded(float(np.median(anchor))),
        ours_us=rounded(float(np.median(ours))),
        ratio=rounded(ratio(ours, anchor)),
        aim_us=1.0,
    )


def single(made: Engine, walk: Walk, size: int) -> None:
    taken = walk.calm(200_000)
    read, take = time.perf_counter_ns, made.apply
    took, empty = [], []
    gc.collect()
    for event, now in taken:
        start = read()
        take(event, now)
        took.append(read() - start)
    for _ in taken:
        start = read()
        empty.append(read() - start)
    p50, p99, p999 = (rounded(float(np.percentile(took, share)) / 1e3) for share in (50, 99, 99.9))
    show(
        bench="trigger",
        what="single",
        positions=size,
        p50_us=p50,
        p99_us=p99,
        p999_us=p999,
        max_us=rounded(max(took) / 1e3),
        clock_us=rounded(float(np.median(empty)) / 1e3),
        clock_max_us=rounded(max(empty) / 1e3),
    )


def crossing(made: Engine, walk: Walk, size: int) -> None:
    """Walk down through the warning lines of the longs (and, behind them, the next lines of the first ones)."""
    views = made.position_views(0, size, 1.0)
    lines = sorted(
        (v.liquidation_price / 0.95 for v in views if v.side == "long" and v.liquidation_price), reverse=True
    )
    del views
    passed = 0
    for crossed in (1, 10, 100, 1000):
        took, fired = [], []
        for _ in range(7):
            passed += crossed
            if passed >= len(lines) // 2:
                break
            event, now = walk.at((lines[passed - 1] + lines[passed]) / 2.0)
            gc.collect()
            start = time.perf_counter()
            alerts = made.apply(event, now)
            took.append((time.perf_counter() - start) * 1e6 / len(alerts))
            fired.append(len(alerts))
        if took:
            alerts_at_once = round(float(np.median(fired)))
            per_alert = rounded(float(np.median(took)))
            show(
                bench="trigger", what="crossing", positions=size, alerts_at_once=alerts_at_once, us_per_alert=per_alert
            )


def recovery(made: Engine, walk: Walk, size: int) -> None:
    now = 1.0 + next(walk._turns) * STEP_SECONDS + 60.0
    start = time.perf_counter()
    made.tick(now)
    between = time.perf_counter()
    made.apply(mark(PRICE, now + 0.1), now + 0.1)
    stale, live = between - start, time.perf_counter() - between
    show(
        bench="trigger",
        what="recovery",
        positions=size,
        stale_us_per_position=rounded(stale / size * 1e6),
        live_us_per_position=rounded(live / size * 1e6),
        held_ms=rounded(max(stale, live) * 1e3),
    )


def measure(size: int) -> None:
    held = positions(size, ["BTCUSDT"])
    before = memory()
    start = time.perf_counter()
    made = engine(held)
    built = time.perf_counter()
    walk = Walk()
    made.apply(*walk.at(PRICE))
    solved = time.perf_counter()
    show(
        bench="trigger",
        what="start",
        positions=size,
        build_seconds=rounded(built - start),
        first_mark_seconds=rounded(solved - built),
        us_per_position=rounded((solved - start) / size * 1e6),
        bytes_per_position=round((memory() - before) / size),
    )
    gc.collect()
    gc.freeze()  # as the daemon does
    calm(made, walk, size)
    single(made, walk, size)
    if size > 1:
        crossing(made, walk, size)
        recovery(made, walk, size)


if __name__ == "__main__":
    for wanted in [int(text) for text in sys.argv[1:]] or SIZES:
        measure(wanted)
