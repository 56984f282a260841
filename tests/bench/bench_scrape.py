"""How long a scrape of the real engine holds up the price path: the longest gap of a 1 ms timer while it is rendered.

Marks keep coming in the meantime, as they would. The anchor is the same text through prometheus-client's own way
(``generate_latest`` on a collector over the same views), which holds the loop throughout.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median

from bench_metrics import Anchor
from market import PRICE, engine, mark, positions
from prometheus_client import CollectorRegistry, generate_latest
from rounds import rounded, show

from monitor.delivery.stats import DeliveryStats
from monitor.engine.engine import Engine
from monitor.export.exposition import Exposition
from monitor.export.sources import ProcessStats, Sources
from monitor.net.clock import boot

ROUNDS = 9
SYMBOLS = [f"SYM{number:03d}USDT" for number in range(200)]


async def longest_gap(work: Callable[[], Awaitable[object]], made: Engine) -> tuple[float, float]:
    """Return how long *work* took and the longest gap between two runs of a 1 ms timer that applies a mark; in ms."""
    gaps, running = [0.0], True

    async def timer() -> None:
        last = time.perf_counter()
        while running:
            now = boot()
            made.apply(mark(PRICE, now, SYMBOLS[0]), now)
            await asyncio.sleep(0.001)
            moment = time.perf_counter()
            gaps.append(moment - last)
            last = moment

    gc.collect()
    async with asyncio.TaskGroup() as group:
        group.create_task(timer())
        await asyncio.sleep(0.01)
        gaps.clear()
        start = time.perf_counter()
        await work()
        took = time.perf_counter() - start
        await asyncio.sleep(0.002)
        running = False
    return took * 1e3, max(gaps) * 1e3


async def measure(count: int) -> None:
    made = engine(positions(count, SYMBOLS))
    for symbol in SYMBOLS:
        now = boot()
        made.apply(mark(PRICE, now, symbol), now)
    gc.collect()
    gc.freeze()  # as the daemon does
    sources = Sources(engine=made, feeds=(), delivery=DeliveryStats(()), process=ProcessStats())
    exposition = Exposition(sources)
    registry = CollectorRegistry()
    registry.register(Anchor(sources))

    async def anchor() -> None:
        generate_latest(registry)

    async def nothing() -> None:
        await asyncio.sleep(0.05)

    text = b"".join(await exposition.render())
    ours, theirs, idle = [], [], []
    for _ in range(ROUNDS):
        ours.append(await longest_gap(exposition.render, made))
        theirs.append(await longest_gap(anchor, made))
        idle.append(await longest_gap(nothing, made))
    show(
        bench="scrape",
        what="longest gap of a 1 ms timer while /metrics is rendered",
        positions=count,
        samples=text.count(b"\n") - text.count(b"\n#") - 1,
        anchor="generate_latest, prometheus-client's own collector",
        anchor_ms=rounded(median(took for took, _ in theirs)),
        ours_ms=rounded(median(took for took, _ in ours)),
        anchor_gap_ms=rounded(median(gap for _, gap in theirs)),
        ours_gap_ms=rounded(median(gap for _, gap in ours)),
        ours_gap_worst_ms=rounded(max(gap for _, gap in ours)),
        idle_gap_ms=rounded(median(gap for _, gap in idle)),
        ratio=rounded(median(a[1] / b[1] for a, b in zip(ours, theirs, strict=True))),
    )


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if sys.argv[1:] else 10_000))
