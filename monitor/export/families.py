"""What a scrape reads at one moment, and how a row of the ordinary table becomes a metric of prometheus-client."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from monitor.engine.views import VenueView
from monitor.export.sources import Sources
from monitor.export.writer import go_text
from monitor.tally import Histogram, Tally

Labelled = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True, slots=True)
class Scrape:
    """One moment of reading. ``firing`` counts the positions' alerts by (rule, severity)."""

    sources: Sources
    venues: tuple[VenueView, ...]
    boot: float
    wall: float
    firing: Tally


@dataclass(frozen=True, slots=True)
class Row:
    """One gauge or counter."""

    kind: type[GaugeMetricFamily | CounterMetricFamily]
    name: str
    labels: tuple[str, ...]
    help: str
    value_of: Callable[[Scrape], Labelled]

    def metric(self, scrape: Scrape) -> Metric:
        """Return the family with its samples at *scrape*."""
        family = self.kind(self.name, self.help, labels=self.labels)
        for labels, value in self.value_of(scrape):
            family.add_metric(labels, value)
        return family


@dataclass(frozen=True, slots=True)
class HistogramRow:
    """One histogram."""

    name: str
    labels: tuple[str, ...]
    help: str
    value_of: Callable[[Scrape], Iterable[tuple[tuple[str, ...], Histogram]]]

    def metric(self, scrape: Scrape) -> Metric:
        """Return the family with its samples at *scrape*."""
        family = HistogramMetricFamily(self.name, self.help, labels=self.labels)
        for labels, histogram in self.value_of(scrape):
            bounds = [*map(go_text, histogram.bounds), "+Inf"]
            counts = accumulate(histogram.counts)
            family.add_metric(labels, list(zip(bounds, counts, strict=True)), histogram.total)
        return family
