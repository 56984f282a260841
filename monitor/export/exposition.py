"""One scrape: the whole text of ``/metrics``, in slices between which everything else on the loop has its turn.

Families that grow with positions and symbols go through our own writer, the rest through prometheus-client,
one family at a time. The format is text 0.0.4 for everybody, whatever the Accept header asks for: the same samples
in OpenMetrics gain nothing here (no exemplars, no creation times) and would need a second writer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from monitor.core.alert_event import SEVERITIES
from monitor.core.alerts import Level
from monitor.engine.views import PositionView
from monitor.export.domain import position_table, symbol_table
from monitor.export.families import HistogramRow, Row, Scrape
from monitor.export.ordinary import ORDINARY
from monitor.export.sources import Sources
from monitor.export.writer import LabelCache, Page, Table
from monitor.net.clock import boot, wall
from monitor.tally import Tally

SLICE = 64
"""Views between two turns of everybody else: well below a millisecond of work."""

RULES: Final = (*(("liquidation", severity) for severity in SEVERITIES), ("data", "warning"), ("data", "critical"))


class _One(Collector):
    """A collector of a single ordinary family, built for one scrape."""

    def __init__(self, row: Row | HistogramRow, scrape: Scrape) -> None:
        self._row, self._scrape = row, scrape

    def collect(self) -> Iterable[Metric]:
        return [self._row.metric(self._scrape)]


class Exposition:
    """Renders scrapes, one after the other, and remembers rendered labels from each for the next."""

    def __init__(self, sources: Sources, *, amounts: bool = False) -> None:
        self._sources = sources
        self._positions: Table[PositionView] = position_table(amounts=amounts)
        self._position_labels: LabelCache = {}
        self._symbol_labels: LabelCache = {}
        self._turn = asyncio.Lock()

    async def render(self) -> list[bytes]:
        """Return the text of a scrape now, in pieces. Holds the loop for one slice at a time.

        A second scrape waits for the first: side by side they would hold the loop for one slice each.
        """
        async with self._turn:
            now, time = boot(), wall()
            symbols = await self._symbol_text(now, time)
            firing = Tally(RULES)
            positions = await self._position_text(now, firing)
            venues = tuple(self._sources.engine.venue_views(now, time))
            scrape = Scrape(self._sources, venues, now, time, firing)
            return [*symbols, *positions, *[await _ordinary_text(row, scrape) for row in ORDINARY]]

    async def _symbol_text(self, now: float, time: float) -> list[bytes]:
        page = Page(symbol_table(time), self._symbol_labels)
        views = iter(self._sources.engine.symbol_views(now))
        while part := list(islice(views, SLICE)):
            page.add(part)
            await asyncio.sleep(0)
        self._symbol_labels = page.labels
        return page.finish()

    async def _position_text(self, now: float, firing: Tally) -> list[bytes]:
        engine = self._sources.engine
        page = Page(self._positions, self._position_labels)
        start = 0
        while start < engine.position_count():  # asked again: positions may come and go between slices
            views = engine.position_views(start, start + SLICE, now)
            page.add(views)
            _count_firing(firing, views)
            start += SLICE
            await asyncio.sleep(0)
        self._position_labels = page.labels
        return page.finish()


async def _ordinary_text(row: Row | HistogramRow, scrape: Scrape) -> bytes:
    text = generate_latest(_One(row, scrape))
    await asyncio.sleep(0)
    return text


def _count_firing(firing: Tally, views: Sequence[PositionView]) -> None:
    """Count what holds now: the level of each position, and the doubt about it (worse where it is in alarm)."""
    for view in views:
        if view.level:
            firing.add("liquidation", view.level.word)
        if not view.quality.known:
            firing.add("data", "critical" if view.level >= Level.WARNING else "warning")
