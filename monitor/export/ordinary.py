"""The metrics that do not grow with positions or symbols: funds, venues, feeds, alerts, delivery, store, process.

Each row of the table is a metric with the function that reads its values at a scrape; prometheus-client renders
them. Counters are the workers' own integers, timestamps are wall times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from monitor.delivery.stats import DeliveryStats
from monitor.engine.views import FundView, VenueView
from monitor.export.families import HistogramRow, Labelled, Row, Scrape
from monitor.export.sources import ProcessStats
from monitor.feed.stats import FeedStats
from monitor.tally import Tally


def _present(pairs: Iterable[tuple[tuple[str, ...], float | None]]) -> Labelled:
    return [(labels, value) for labels, value in pairs if value is not None]


def _by_name(values: Mapping[str, float | None]) -> Labelled:
    return _present(((name,), value) for name, value in values.items())


def _venue(value_of: Callable[[VenueView], float | None]) -> Callable[[Scrape], Labelled]:
    return lambda scrape: _present(((view.venue,), value_of(view)) for view in scrape.venues)


def _feed(attribute: str) -> Callable[[Scrape], Labelled]:
    counts: Callable[[FeedStats], Tally] = attrgetter(attribute)
    return lambda scrape: [
        ((feed.venue, *key), count) for feed in scrape.sources.feeds for key, count in counts(feed).items()
    ]


def _delivery(value_of: Callable[[DeliveryStats], Labelled]) -> Callable[[Scrape], Labelled]:
    return lambda scrape: value_of(scrape.sources.delivery)


def _process(value_of: Callable[[ProcessStats], float]) -> Callable[[Scrape], Labelled]:
    return lambda scrape: [((), value_of(scrape.sources.process))]


def _funds(value_of: Callable[[FundView], float]) -> Callable[[Scrape], Labelled]:
    return lambda scrape: [
        ((fund.venue, fund.pool, fund.asset), value_of(fund)) for fund in scrape.sources.engine.fund_views()
    ]


def _rejected(scrape: Scrape) -> Labelled:
    """Add up whole frames (counted by the feed) and single values in them (counted by the engine)."""
    total = Tally()
    for feed in scrape.sources.feeds:
        for key, count in feed.rejected.items():
            total.add(feed.venue, *key, count=count)
    for view in scrape.venues:
        for reason, count in view.rejected.items():
            total.add(view.venue, reason, count=count)
    return total.items()


def _last_evaluation(scrape: Scrape) -> Labelled:
    """Return the wall time of the last pass: now less its age on the boot clock."""
    last = scrape.sources.engine.last_pass
    return [((), scrape.wall - (scrape.boot - last))] if last > 0.0 else []


_G, _C = GaugeMetricFamily, CounterMetricFamily
_FUND = ("venue", "pool", "asset")

ORDINARY: tuple[Row | HistogramRow, ...] = (
    Row(_G, "perp_insurance_fund_balance", _FUND, "Balance of the fund, in its asset.", _funds(attrgetter("balance"))),
    Row(
        _G,
        "perp_insurance_fund_timestamp_seconds",
        _FUND,
        "The venue's own time of the balance.",
        _funds(attrgetter("time")),
    ),
    Row(
        _G,
        "perp_monitor_feed_up",
        ("venue",),
        "1 while data refresh a watched symbol.",
        _venue(lambda view: float(view.up)),
    ),
    Row(
        _G,
        "perp_monitor_feed_connected",
        ("venue",),
        "1 while a socket is open, which proves nothing.",
        lambda scrape: [((feed.venue,), float(feed.open_connections > 0)) for feed in scrape.sources.feeds],
    ),
    Row(
        _G,
        "perp_monitor_feed_last_message_timestamp_seconds",
        ("venue",),
        "When the last message came in.",
        lambda scrape: _present(((feed.venue,), feed.last_message_time) for feed in scrape.sources.feeds),
    ),
    Row(
        _G,
        "perp_monitor_clock_skew_seconds",
        ("venue",),
        "The venue's clock less ours.",
        _venue(attrgetter("clock_skew_seconds")),
    ),
    Row(_C, "perp_monitor_feed_messages_total", ("venue", "channel"), "Messages received.", _feed("messages")),
    Row(
        _C,
        "perp_monitor_feed_drops_total",
        ("venue", "reason"),
        "Connections lost; each leads to one reconnect.",
        _feed("drops"),
    ),
    Row(
        _C,
        "perp_monitor_feed_rejected_total",
        ("venue", "reason"),
        "Frames, or single values in them, that were not used.",
        _rejected,
    ),
    Row(
        _C,
        "perp_monitor_prices_quarantined_total",
        ("venue",),
        "Prices held back because they jumped.",
        _venue(attrgetter("quarantined")),
    ),
    HistogramRow(
        "perp_monitor_event_lag_seconds",
        ("venue",),
        "The venue's now less the event's time, at arrival.",
        lambda scrape: [((feed.venue,), feed.lag) for feed in scrape.sources.feeds],
    ),
    Row(_C, "perp_monitor_polls_total", ("venue", "resource"), "REST requests answered or not.", _feed("polls")),
    Row(
        _C,
        "perp_monitor_polls_failed_total",
        ("venue", "resource", "reason"),
        "REST requests that gave nothing.",
        _feed("polls_failed"),
    ),
    Row(
        _G,
        "perp_monitor_last_evaluation_timestamp_seconds",
        (),
        "When the last pass over all positions ended.",
        _last_evaluation,
    ),
    HistogramRow(
        "perp_monitor_loop_lag_seconds",
        (),
        "How late the event loop ran a timer.",
        lambda scrape: [((), scrape.sources.process.loop_lag)],
    ),
    Row(
        _G,
        "perp_monitor_loop_lag_max_seconds",
        (),
        "The largest loop lag of the last 5 min.",
        _process(attrgetter("loop_lag_max")),
    ),
    Row(_G, "perp_monitor_tasks", (), "Tasks on the event loop.", _process(attrgetter("tasks"))),
    Row(
        _C,
        "perp_monitor_task_restarts_total",
        ("task",),
        "Long-lived tasks that ended and were started again.",
        lambda scrape: scrape.sources.process.restarts.items(),
    ),
    Row(
        _C,
        "perp_monitor_alert_events_total",
        ("kind", "severity"),
        "Alert events produced.",
        _delivery(lambda stats: stats.events.items()),
    ),
    Row(
        _G,
        "perp_monitor_alerts_firing",
        ("rule", "severity"),
        "Positions in alarm: rule level by their level, rule data while their price is unknown.",
        lambda scrape: scrape.firing.items(),
    ),
    HistogramRow(
        "perp_monitor_alert_latency_seconds",
        ("severity",),
        "From the price's arrival to the first byte of the first attempt.",
        lambda scrape: [((name,), value) for name, value in scrape.sources.delivery.alert_latency.items()],
    ),
    Row(
        _C,
        "perp_monitor_delivery_attempts_total",
        ("receiver", "outcome"),
        "Attempts to deliver, by how they ended.",
        _delivery(lambda stats: stats.attempts.items()),
    ),
    HistogramRow(
        "perp_monitor_delivery_latency_seconds",
        ("receiver",),
        "From the price's arrival to the receiver's 2xx.",
        lambda scrape: [((name,), value) for name, value in scrape.sources.delivery.latency.items()],
    ),
    Row(
        _G,
        "perp_monitor_outbox_pending",
        ("receiver", "severity"),
        "Alert events not yet delivered.",
        _delivery(lambda stats: stats.pending.items()),
    ),
    Row(
        _G,
        "perp_monitor_outbox_oldest_timestamp_seconds",
        ("receiver",),
        "When the oldest undelivered event was stored; absent when none waits.",
        _delivery(lambda stats: _by_name(stats.oldest)),
    ),
    Row(
        _C,
        "perp_monitor_dead_letters_total",
        ("receiver", "reason"),
        "Deliveries given up.",
        _delivery(lambda stats: stats.dead.items()),
    ),
    Row(
        _G,
        "perp_monitor_dead_letters_pending",
        ("receiver",),
        "Deliveries given up and neither replayed nor discarded.",
        _delivery(lambda stats: _by_name(stats.dead_pending)),
    ),
    Row(
        _G,
        "perp_monitor_store_ok",
        (),
        "1 while the store takes what it is given.",
        _delivery(lambda stats: [((), float(stats.store_ok))]),
    ),
    HistogramRow(
        "perp_monitor_store_commit_seconds",
        (),
        "How long a commit took.",
        lambda scrape: [((), scrape.sources.delivery.commit)],
    ),
    Row(
        _C,
        "perp_monitor_unpersisted_events_total",
        (),
        "Alert events sent before they could be stored.",
        _delivery(lambda stats: [((), stats.unpersisted)]),
    ),
    Row(
        _G,
        "perp_monitor_config_info",
        ("hash",),
        "Always 1; which configuration runs.",
        lambda scrape: [((scrape.sources.process.config_hash,), 1.0)],
    ),
    Row(
        _G,
        "perp_monitor_build_info",
        ("version",),
        "Always 1; which version runs.",
        lambda scrape: [((scrape.sources.process.version,), 1.0)],
    ),
)
