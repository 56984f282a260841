"""``/metrics`` at 1,000, 10,000 and 100,000 samples: time to render, and the longest the event loop was held.

Ours and prometheus-client's own collector read the same views of the same positions, in turns, in one run; the
text is compared first. Prints one JSON line a size. ``held`` is the longest in one scrape, median of the rounds
(the worst of them also shows how busy the host was). ``views_ms`` and ``writer_ms`` are the two parts of ours
measured alone: building the views, and turning finished views into text.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import time
from collections.abc import Awaitable, Callable
from statistics import median

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from monitor.core.alerts import Level, Quality
from monitor.delivery.stats import DeliveryStats
from monitor.engine.views import PositionView
from monitor.export.domain import position_table
from monitor.export.exposition import RULES, SLICE, Exposition
from monitor.export.families import Scrape
from monitor.export.ordinary import ORDINARY
from monitor.export.sources import ProcessStats, Sources
from monitor.export.writer import LabelCache, Page
from monitor.tally import Tally

ROUNDS = 7
KINDS = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}
TABLE = position_table(amounts=False)


class Positions:
    """Only positions: an engine as the exposition sees it, which builds its views anew at each call."""

    last_pass = 1.0

    def __init__(self, count: int) -> None:
        chance = random.Random(count)
        self.rows = [
            (f"desk-{i % 40}-{i:05d}", f"SYM{i % 200}USDT", chance.uniform(0.5, 60_000), chance.uniform(-0.1, 0.9))
            for i in range(count)
        ]

    def position_count(self) -> int:
        return len(self.rows)

    def position_views(self, start: int, stop: int, now: float) -> list[PositionView]:
        return [
            PositionView(
                name=name,
                account="main",
                venue="binance",
                symbol=symbol,
                side="long",
                margin_mode="isolated",
                settle="USDT",
                level=Level.OK if distance > 0.05 else Level.WARNING,
                quality=Quality.LIVE,
                reason="",
                status="ok",
                mark_price=price,
                price_source="mark",
                liquidation_price=price * (1.0 - distance),
                bankruptcy_price=price * (0.99 - distance),
                liquidation_distance_ratio=distance,
                bankruptcy_distance_ratio=distance + 0.01,
                margin_ratio=0.01 / (0.01 + abs(distance)),
                notional=price,
                equity=price * 0.1,
                maintenance_margin=price * 0.01,
            )
            for name, symbol, price, distance in self.rows[start:stop]
        ]

    def symbol_views(self, now: float) -> list:
        return []

    fund_views = list

    def venue_views(self, now: float, wall: float) -> list:
        return []


def sources(engine: Positions) -> Sources:
    """Return sources that have nothing to say but the positions."""
    return Sources(engine=engine, feeds=(), delivery=DeliveryStats(()), process=ProcessStats())


class Anchor:
    """What one writes with prometheus-client: a collector that builds all families at each scrape."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources

    def collect(self) -> list:
        engine = self.sources.engine
        views = engine.position_views(0, engine.position_count(), 0.0)
        families = []
        for row in TABLE.families:
            labels_of = TABLE.labels[row.columns[0].labels]
            family = KINDS[row.kind](row.name, row.help, labels=tuple(labels_of(views[0])))
            for view in views:
                value = row.columns[0].value_of(view)
                if value is not None:
                    family.add_metric(tuple(labels_of(view).values()), value)
            families.append(family)
        scrape = Scrape(self.sources, (), 0.0, 0.0, Tally(RULES))
        return families + [row.metric(scrape) for row in ORDINARY]


async def watched(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Return how long *work* took, and the longest that nothing else on the loop had a turn; in ms."""
    gc.collect()  # nobody pays for the other's garbage
    longest, running = 0.0, True

    async def turns() -> None:
        nonlocal longest
        last = time.perf_counter()
        while running:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    async with asyncio.TaskGroup() as group:
        group.create_task(turns())
        await asyncio.sleep(0)
        start = time.perf_counter()
        await work()
        took = time.perf_counter() - start
        await asyncio.sleep(0)
        running = False
    return took * 1e3, longest * 1e3


def parts(engine: Positions, known: LabelCache) -> tuple[float, float, LabelCache]:
    """Return the ms to build the views, and to write them; slice by slice, as a scrape does."""
    views_seconds = writer_seconds = 0.0
    page = Page(TABLE, known)
    for start in range(0, engine.position_count(), SLICE):
        began = time.perf_counter()
        views = engine.position_views(start, start + SLICE, 0.0)
        between = time.perf_counter()
        page.add(views)
        views_seconds += between - began
        writer_seconds += time.perf_counter() - between
    page.finish()
    return views_seconds * 1e3, writer_seconds * 1e3, page.labels


async def measure(samples: int) -> dict[str, float | int | str]:
    """Return the figures for about *samples* samples, medians of the rounds."""
    engine = Positions(samples // len(TABLE.families))
    exposition = Exposition(sources(engine))
    registry = CollectorRegistry()
    registry.register(Anchor(sources(engine)))

    async def anchor() -> None:
        generate_latest(registry)

    text = b"".join(await exposition.render())
    expected = generate_latest(registry).partition(b"# HELP perp_insurance")[0]
    assert expected in text, "the two did not write the same text"
    ours, theirs, split = [], [], []
    *_, known = parts(engine, {})
    for _ in range(ROUNDS):
        ours.append(await watched(exposition.render))
        theirs.append(await watched(anchor))
        split.append(parts(engine, known))
    return {
        "bench": "metrics",
        "what": "/metrics rendered",
        "anchor": "prometheus-client's own collector",
        "samples": text.count(b"\n") - text.count(b"\n#") - 1,
        "bytes": len(text),
        "ours_ms": round(median(took for took, _ in ours), 3),
        "prometheus_client_ms": round(median(took for took, _ in theirs), 3),
        "ratio": round(median(a / b for (a, _), (b, _) in zip(ours, theirs, strict=True)), 4),
        "ours_held_ms": round(median(held for _, held in ours), 3),
        "ours_held_worst_ms": round(max(held for _, held in ours), 3),
        "prometheus_client_held_ms": round(median(held for _, held in theirs), 3),
        "views_ms": round(median(views for views, _, _ in split), 3),
        "writer_ms": round(median(writer for _, writer, _ in split), 3),
    }


if __name__ == "__main__":
    for size in (1_000, 10_000, 100_000):
        print(json.dumps(asyncio.run(measure(size))), flush=True)
