"""What Prometheus reads: names, labels and values in the text of a scrape."""

from __future__ import annotations

import asyncio
import re
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.core.alerts import Level, Quality
from monitor.engine.views import VenueView
from monitor.export.exposition import SLICE, Exposition
from monitor.net.clock import boot, wall

PLACE = '{position="btc-short",symbol="BTCUSDT",venue="binance"}'
CONTRACT = '{symbol="BTCUSDT",venue="binance"}'
AMOUNTS = ("perp_position_notional", "perp_position_equity", "perp_position_maintenance_margin")


def value(text, series):
    """Return the one value of *series*, or None where it is absent."""
    found = re.findall(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    assert len(found) <= 1
    return float(found[0]) if found else None


def promtool_complaint(text):
    """Return what ``promtool check metrics`` finds wrong with *text*."""
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=10, check=False
    )
    return done.stdout + done.stderr + ("" if done.returncode == 0 else f"exit code {done.returncode}")


async def test_a_position_shows_its_level_prices_and_distances(scrape):
    text = await scrape()
    assert value(text, f"perp_position_level{PLACE}") == 1
    assert value(text, f"perp_position_quality{PLACE}") == 0
    assert value(text, f"perp_position_liquidation_price{PLACE}") == 54_500.25
    assert value(text, f"perp_position_bankruptcy_price{PLACE}") == 55_000
    assert value(text, f"perp_position_liquidation_distance_ratio{PLACE}") == 0.0480817
    assert value(text, f"perp_position_bankruptcy_distance_ratio{PLACE}") == 0.0576923
    assert value(text, f"perp_position_margin_ratio{PLACE}") == 0.125
    assert value(text, f"perp_position_liquidation_price_drift_ratio{PLACE}") == -0.0025


async def test_the_kind_of_a_position_stands_in_its_info_series(scrape):
    labels = 'margin_mode="isolated",position="btc-short",position_side="short",settle_asset="USDT"'
    assert f'perp_position_info{{{labels},symbol="BTCUSDT",venue="binance"}} 1.0\n' in await scrape()


async def test_what_is_unknown_is_absent_and_never_zero(scrape, engine, position):
    engine.positions = [position(quality=Quality.STALE, liquidation_distance_ratio=None, margin_ratio=None)]
    text = await scrape()
    assert value(text, f"perp_position_quality{PLACE}") == 2
    assert "perp_position_liquidation_distance_ratio{" not in text
    assert "perp_position_margin_ratio{" not in text


async def test_a_position_that_nothing_liquidates_has_no_liquidation_price(scrape, engine, position):
    engine.positions = [position(liquidation_price=None)]
    assert "perp_position_liquidation_price{" not in await scrape()


async def test_a_closed_position_vanishes_from_the_next_scrape(scrape, engine):
    assert 'position="btc-short"' in await scrape()
    engine.positions = []
    assert 'position="btc-short"' not in await scrape()


async def test_no_amount_is_shown_unless_amounts_are_switched_on(scrape):
    text = await scrape()
    assert not any(name in text for name in AMOUNTS)
    assert "52123" not in text
    assert "3210" not in text


async def test_amounts_are_shown_where_switched_on(scrape, sources):
    text = await scrape(amounts=True)
    assert [value(text, name + PLACE) for name in AMOUNTS] == [52_123, 3_210, 401.25]


async def test_a_contract_shows_its_prices_and_facts(scrape):
    text = await scrape()
    assert value(text, f"perp_mark_price{CONTRACT}") == 52_000
    assert value(text, f"perp_index_price{CONTRACT}") == 51_990.5
    assert value(text, f"perp_last_price{CONTRACT}") == 52_010.1
    assert value(text, f"perp_mark_price_timestamp_seconds{CONTRACT}") == 1_790_000_000.5
    assert value(text, f"perp_funding_rate_ratio{CONTRACT}") == 0.0001
    assert value(text, f"perp_funding_interval_seconds{CONTRACT}") == 28_800
    assert value(text, f"perp_open_interest_contracts{CONTRACT}") == 81_234.5


async def test_the_age_of_a_price_is_shown_as_the_time_it_was_accepted(scrape):
    text = await scrape()
    accepted = value(text, 'perp_price_accepted_timestamp_seconds{field="mark",symbol="BTCUSDT",venue="binance"}')
    older = value(text, 'perp_price_accepted_timestamp_seconds{field="index",symbol="BTCUSDT",venue="binance"}')
    assert accepted - older == pytest.approx(1.0, abs=1e-6)
    assert wall() - accepted >= 1.0


async def test_a_price_never_accepted_has_no_accepted_time(scrape):
    assert 'perp_price_accepted_timestamp_seconds{field="last"' not in await scrape()


async def test_liquidations_are_counted_by_side_and_start_at_zero(scrape):
    text = await scrape()
    sides = '{{position_side="{}",symbol="BTCUSDT",venue="binance"}}'
    assert value(text, "perp_liquidated_contracts_total" + sides.format("short")) == 2.5
    assert value(text, "perp_liquidated_contracts_total" + sides.format("long")) == 0
    assert value(text, "perp_liquidated_notional_total" + sides.format("short")) == 137_000


async def test_the_insurance_fund_shows_balance_and_the_venues_time(scrape):
    text = await scrape()
    labels = '{asset="USDT",pool="BTCUSDT",venue="binance"}'
    assert value(text, f"perp_insurance_fund_balance{labels}") == 700
    assert value(text, f"perp_insurance_fund_timestamp_seconds{labels}") == 1.79e9


async def test_a_feed_that_never_spoke_is_not_connected_and_has_no_last_message(scrape):
    text = await scrape()
    assert value(text, 'perp_monitor_feed_connected{venue="binance"}') == 0
    assert "perp_monitor_feed_last_message_timestamp_seconds{" not in text
    assert "perp_monitor_clock_skew_seconds{" not in text


async def test_a_feeds_counters_are_shown_by_venue(scrape, sources):
    (feed,) = sources.feeds
    feed.open_connections = 2
    feed.messages.add("mark_price", count=40)
    feed.polls_failed.add("exchangeInfo", "rate_limited")
    feed.last_message = boot()
    text = await scrape()
    assert value(text, 'perp_monitor_feed_up{venue="binance"}') == 1
    assert value(text, 'perp_monitor_feed_connected{venue="binance"}') == 1
    assert value(text, 'perp_monitor_feed_messages_total{channel="mark_price",venue="binance"}') == 40
    assert value(text, 'perp_monitor_prices_quarantined_total{venue="binance"}') == 3
    assert value(text, 'perp_monitor_polls_total{resource="exchangeInfo",venue="binance"}') == 0
    failed = 'perp_monitor_polls_failed_total{reason="rate_limited",resource="exchangeInfo",venue="binance"}'
    assert value(text, failed) == 1
    assert value(text, 'perp_monitor_feed_last_message_timestamp_seconds{venue="binance"}') <= wall()


async def test_every_known_reason_of_a_drop_starts_at_zero(scrape):
    assert value(await scrape(), 'perp_monitor_feed_drops_total{reason="tls_verify",venue="binance"}') == 0


async def test_rejected_frames_and_rejected_values_add_up(scrape, sources):
    sources.feeds[0].rejected.add("price", count=5)
    assert value(await scrape(), 'perp_monitor_feed_rejected_total{reason="price",venue="binance"}') == 7


async def test_a_histogram_is_cumulative_and_ends_with_its_count(scrape, sources):
    for seconds in (0.004, 0.02, 99.0):
        sources.feeds[0].lag.observe(seconds)
    text = await scrape()
    name = "perp_monitor_event_lag_seconds"
    assert value(text, f'{name}_bucket{{le="0.005",venue="binance"}}') == 1
    assert value(text, f'{name}_bucket{{le="30.0",venue="binance"}}') == 2
    assert value(text, f'{name}_bucket{{le="+Inf",venue="binance"}}') == 3
    assert value(text, f'{name}_count{{venue="binance"}}') == 3
    assert value(text, f'{name}_sum{{venue="binance"}}') == pytest.approx(99.024)


async def test_the_last_evaluation_is_a_wall_time_taken_from_its_age(scrape, engine):
    engine.last_pass = boot() - 30.0
    at = value(await scrape(), "perp_monitor_last_evaluation_timestamp_seconds")
    assert 30.0 <= wall() - at < 90.0


async def test_before_the_first_pass_there_is_no_last_evaluation(scrape, engine):
    engine.last_pass = 0.0
    assert value(await scrape(), "perp_monitor_last_evaluation_timestamp_seconds") is None


async def test_firing_alerts_are_counted_by_rule_and_severity(scrape, engine, position):
    engine.positions = [
        position(),
        position(name="b", level=Level.BANKRUPTCY),
        position(name="c", level=Level.CRITICAL, quality=Quality.STALE),
        position(name="d", level=Level.OK, quality=Quality.NEVER),
    ]
    text = await scrape()
    firing = 'perp_monitor_alerts_firing{{rule="{}",severity="{}"}}'
    severities = ("warning", "critical", "liquidation", "bankruptcy")
    assert [value(text, firing.format("liquidation", s)) for s in severities] == [1, 1, 0, 1]
    assert [value(text, firing.format("data", s)) for s in severities[:2]] == [1, 1]


async def test_delivery_and_store_show_their_counters(scrape, sources):
    stats = sources.delivery
    stats.attempts.add("pager", "delivered", count=4)
    stats.pending["pager", "critical"] = 2
    stats.oldest["pager"] = 1_790_000_000.0
    stats.dead_pending["pager"] = 1
    stats.store_ok = False
    stats.alert_latency["critical"].observe(0.2)
    text = await scrape()
    assert value(text, 'perp_monitor_delivery_attempts_total{outcome="delivered",receiver="pager"}') == 4
    assert value(text, 'perp_monitor_outbox_pending{receiver="pager",severity="critical"}') == 2
    assert value(text, 'perp_monitor_outbox_oldest_timestamp_seconds{receiver="pager"}') == 1.79e9
    assert value(text, 'perp_monitor_dead_letters_pending{receiver="pager"}') == 1
    assert value(text, 'perp_monitor_dead_letters_total{reason="expired",receiver="pager"}') == 0
    assert value(text, "perp_monitor_store_ok") == 0
    assert value(text, "perp_monitor_unpersisted_events_total") == 0
    assert value(text, 'perp_monitor_alert_latency_seconds_count{severity="critical"}') == 1
    assert value(text, 'perp_monitor_delivery_latency_seconds_count{receiver="pager"}') == 0
    assert value(text, 'perp_monitor_alert_events_total{kind="position.critical",severity="critical"}') == 0


async def test_an_empty_outbox_has_no_oldest_event(scrape):
    assert "perp_monitor_outbox_oldest_timestamp_seconds{" not in await scrape()


async def test_the_process_shows_itself(scrape, sources):
    sources.process.restarts.add("feed binance")
    sources.process.loop_lag_max = 0.25
    text = await scrape()
    assert value(text, 'perp_monitor_config_info{hash="c0ffee"}') == 1
    assert value(text, 'perp_monitor_build_info{version="0.1.0"}') == 1
    assert value(text, "perp_monitor_tasks") == 7
    assert value(text, "perp_monitor_loop_lag_max_seconds") == 0.25
    assert value(text, 'perp_monitor_task_restarts_total{task="feed binance"}') == 1


async def test_no_series_appears_twice(scrape, engine, position, symbol):
    engine.positions = [position(name=f"p{number}") for number in range(300)]
    engine.symbols = [symbol(symbol=f"S{number}") for number in range(300)]
    series = [line.rsplit(" ", 1)[0] for line in (await scrape()).splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series))


async def test_the_number_of_series_is_bounded_by_what_is_configured(scrape, engine, position, symbol):
    engine.positions = [position(name=f"p{number}") for number in range(50)]
    engine.symbols = [symbol(symbol=f"S{number}") for number in range(40)]
    engine.venues = [VenueView("binance", up=True, clock_skew_seconds=0.1, quarantined=0, rejected={})]
    lines = [line for line in (await scrape()).splitlines() if not line.startswith("#")]
    assert len(lines) <= 300 + 20 * 50 + 16 * 40 + 150 + 60 + 60


async def test_prometheus_clients_own_parser_reads_the_whole_text(scrape):
    families = {family.name: family for family in text_string_to_metric_families(await scrape())}
    assert families["perp_position_level"].documentation.startswith("How near")
    assert families["perp_liquidated_contracts"].type == "counter"


async def test_others_get_a_turn_after_every_slice_of_a_scrape(sources, engine, position):
    """The price path is one of the others: a scrape of 20,000 samples must let it run again and again."""
    engine.positions = [position(name=f"p{number}") for number in range(2_500)]
    exposition = Exposition(sources)
    turns, done = 0, False

    async def price_path():
        nonlocal turns
        while not done:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(price_path())
        await asyncio.sleep(0)
        text = b"".join(await exposition.render())
        done = True
    assert text.count(b"\nperp_position_") >= 8 * 2_500
    assert turns >= 2_500 / SLICE


async def test_a_second_scrape_waits_for_the_first_and_both_are_whole(sources, engine, position):
    engine.positions = [position(name=f"p{number}") for number in range(500)]
    exposition = Exposition(sources)
    async with asyncio.TaskGroup() as group:
        both = [group.create_task(exposition.render()) for _ in range(2)]
    assert [b"".join(task.result()).count(b"\nperp_position_level{") for task in both] == [500, 500]


async def test_positions_closed_during_a_scrape_do_not_break_it(sources, engine, position):
    engine.positions = [position(name=f"p{number}") for number in range(5_000)]
    exposition = Exposition(sources)

    async def close_most():
        del engine.positions[100:]

    async with asyncio.TaskGroup() as group:
        scraped = group.create_task(exposition.render())
        group.create_task(close_most())
    assert b"".join(scraped.result()).endswith(b"\n")


@pytest.mark.component("promtool")
async def test_promtool_has_no_complaint(scrape, sources, engine, position):
    engine.positions.append(position(name='with "quotes" \\ and\nlines'))
    sources.feeds[0].messages.add("mark_price")
    text = await scrape(amounts=True)
    assert await asyncio.to_thread(promtool_complaint, text) == ""
