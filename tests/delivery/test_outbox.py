"""The outbox end to end: at least once, in order per position, same id and same bytes, whatever the receiver does."""

from __future__ import annotations

import asyncio

import msgspec
from aiohttp import web

from monitor.core.alerts import Level
from monitor.delivery.outbox import Outbox
from monitor.store.rows import DEAD, DELIVERED, PENDING
from monitor.store.store import Store


async def test_an_alert_is_delivered_signed_and_recorded(bench, receiver, alert):
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert()])
        assert await outbox.drain(5)
        [request] = receiver.requests
        assert request.headers["content-type"] == "application/json"
        assert request.headers["perp-monitor-attempt"] == "1"
        assert "perp-monitor-possible-duplicate" not in request.headers
        assert request.data["unpersisted"] is False
        assert [(row[0], row[1]) for row in bench.rows()] == [(request.id, DELIVERED)]
        assert outbox.stats.attempts["ops", "delivered"] == 1


async def test_it_is_in_the_store_before_it_is_sent(bench, receiver, alert):
    seen = []

    async def look(request: web.Request) -> web.Response:
        seen.extend(row[:2] for row in await asyncio.to_thread(bench.rows))
        return web.Response()

    receiver.script = [look]
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert()])
        await outbox.drain(5)
        assert seen == [(receiver.requests[0].id, PENDING)]


async def test_500_then_200_sends_the_same_id_and_bytes_again(bench, receiver, alert):
    receiver.script = [500, 503, 502]
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert()])
        await outbox.drain(5)
        assert [request.status for request in receiver.requests] == [500, 503, 502, 200]
        assert len({(request.id, request.body) for request in receiver.requests}) == 1
        assert [request.headers["perp-monitor-attempt"] for request in receiver.requests] == ["1", "2", "3", "4"]
        assert outbox.stats.attempts["ops", "unavailable"] == 3


async def test_a_cut_before_the_reply_is_an_unknown_outcome_and_sent_again_as_a_possible_duplicate(
    bench, receiver, alert, cut
):
    receiver.script = [cut]
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert()])
        await outbox.drain(5)
        first, second = receiver.requests
        assert (first.id, first.body) == (second.id, second.body)
        assert second.headers["perp-monitor-possible-duplicate"] == "true"
        assert outbox.stats.attempts["ops", "unknown"] == 1


async def test_fifty_cuts_among_events_lose_nothing_and_duplicate_only_themselves(bench, receiver, alert, cut):
    receiver.script = [cut, 200] * 50
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert(f"main/p{number}") for number in range(100)])
        assert await outbox.drain(10)
        arrived = [request.id for request in receiver.requests]
        assert len(set(arrived)) == 100
        assert len(arrived) - 100 == outbox.stats.attempts["ops", "unknown"] == 50


async def test_a_receiver_that_never_answers_ends_the_attempt_in_time(bench, receiver, alert, fast):
    async def hang(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    receiver.script = [hang]
    async with bench.running(bench.settings(receiver), times=msgspec.structs.replace(fast, total=0.2)) as outbox:
        outbox.submit([alert()])
        assert await outbox.drain(5)
        assert outbox.stats.attempts["ops", "unknown"] == 1
        assert outbox.stats.attempts["ops", "delivered"] == 1


async def test_events_of_one_position_stay_in_order_however_often_the_first_one_fails(bench, receiver, alert):
    receiver.script = [500, 500, 500, 500]
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert(seq=1, level=Level.WARNING), alert(seq=2), alert(seq=3, level=Level.BANKRUPTCY)])
        await outbox.drain(5)
        assert [request.data["seq"] for request in receiver.delivered] == [1, 2, 3]


async def test_the_worst_goes_first_and_at_most_four_are_in_flight(bench, receiver, alert):
    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(0.02)
        return web.Response()

    receiver.default = slow
    async with bench.running(bench.settings(receiver)) as outbox:
        levels = [Level.WARNING, Level.CRITICAL, Level.LIQUIDATION, Level.BANKRUPTCY]
        outbox.submit([alert(f"main/{level.word}{number}", level=level) for level in levels for number in range(4)])
        await outbox.drain(5)
        assert receiver.most_in_flight == 4
        assert [request.data["level"] for request in receiver.requests] == [
            level.word for level in reversed(levels) for _ in range(4)
        ]


async def test_a_warning_in_front_of_a_bankruptcy_of_the_same_position_goes_with_its_urgency(bench, receiver, alert):
    async with bench.running(bench.settings(receiver), times=None) as outbox:
        alerts = [alert("main/a"), alert("main/b", level=Level.WARNING), alert("main/b", seq=2, level=Level.BANKRUPTCY)]
        outbox.submit(alerts)
        await outbox.drain(5)
        assert [request.data["level"] for request in receiver.requests[:2]] == ["warning", "critical"]


async def test_a_dead_receiver_holds_up_no_other(bench, receiver, other, alert):
    receiver.default = 500
    async with bench.running(bench.settings(receiver), bench.settings(other, name="desk")) as outbox:
        outbox.submit([alert(f"main/p{number}") for number in range(20)])
        assert len(await other.wait(20)) == 20
        assert not await outbox.drain(0.1)
        assert outbox.stats.pending["ops", "critical"] == 20
        assert outbox.stats.pending["desk", "critical"] == 0
        assert outbox.stats.oldest["ops"] is not None
        assert outbox.stats.accepting["desk"] is True
        receiver.default = 200
        assert await outbox.drain(5)
        assert outbox.stats.oldest == {"ops": None, "desk": None}


async def test_each_receiver_gets_its_own_id_for_the_same_event(bench, receiver, other, alert):
    async with bench.running(bench.settings(receiver), bench.settings(other, name="desk")) as outbox:
        outbox.submit([alert()])
        await outbox.drain(5)
        mine, theirs = receiver.requests[0], other.requests[0]
        assert mine.id != theirs.id
        assert mine.body == theirs.body


async def test_what_was_not_delivered_goes_out_after_a_restart_with_the_same_id_and_bytes(bench, receiver, alert):
    receiver.default = 500
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert(seq=1), alert(seq=2)])
        await receiver.wait_requests(1)
    before = receiver.requests[0]
    receiver.requests.clear()
    receiver.default = 200
    async with bench.running(bench.settings(receiver)) as outbox:
        assert outbox.stats.pending["ops", "critical"] == 2
        assert await outbox.drain(5)
        assert (receiver.requests[0].id, receiver.requests[0].body) == (before.id, before.body)
        assert [request.data["seq"] for request in receiver.delivered] == [1, 2]
        assert {request.headers["perp-monitor-possible-duplicate"] for request in receiver.requests} == {"true"}


async def test_a_new_event_of_a_position_waits_for_what_an_earlier_run_left_behind(bench, receiver, alert):
    receiver.default = 500
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert(seq=1)])
        await outbox.drain(0.1)
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert(seq=2)])
        receiver.default = 200
        await outbox.drain(5)
        assert [request.data["seq"] for request in receiver.delivered] == [1, 2]


async def test_the_state_of_a_position_is_stored_with_its_event(bench, receiver, alert):
    async with bench.running(bench.settings(receiver)) as outbox:
        event = alert(seq=7)
        outbox.submit([event])
        await outbox.drain(5)
        assert bench.store.load().states == {"main/btc": event.state}


async def test_what_outlives_its_time_becomes_a_dead_letter_with_its_reason(bench, receiver, alert, fast):
    receiver.default = 500
    times = msgspec.structs.replace(fast, live=0.1)
    async with bench.running(bench.settings(receiver), times=times) as outbox:
        outbox.submit([alert(level=Level.WARNING)])
        assert await outbox.drain(5)
        [(_, state, attempt, last_error, _)] = bench.rows()
        assert state == DEAD
        assert attempt >= 1
        assert last_error == "expired, last: server_error: HTTP 500"
        assert outbox.stats.dead["ops", "expired"] == 1
    async with bench.running(bench.settings(receiver)) as outbox:
        assert outbox.stats.dead_pending == {"ops": 1}


async def test_what_waits_for_a_receiver_that_is_no_longer_configured_becomes_a_dead_letter(
    bench, receiver, other, alert
):
    receiver.default = 500
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert()])
        await outbox.drain(0.1)
    async with bench.running(bench.settings(other, name="desk")) as outbox:
        assert await outbox.drain(5)
        assert [row[1] for row in bench.rows()] == [DEAD]
        assert outbox.stats.dead["ops", "no_receiver"] == 1


async def test_an_old_delivery_says_how_late_it_is(bench, receiver, alert, fast):
    receiver.script = [500]
    async with bench.running(bench.settings(receiver), times=msgspec.structs.replace(fast, late=0.0)) as outbox:
        outbox.submit([alert()])
        await outbox.drain(5)
        assert [request.headers["perp-monitor-late-seconds"] for request in receiver.requests] == ["0", "0"]


async def test_without_receivers_events_are_stored_all_the_same(bench, alert):
    async with bench.running() as outbox:
        outbox.submit([alert()])
        assert await outbox.drain(5)
        assert "main/btc" in bench.store.load().states


async def test_latencies_are_counted_from_the_arrival_of_the_price(bench, receiver, alert):
    receiver.script = [500]
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert()])
        await outbox.drain(5)
        assert sum(outbox.stats.alert_latency["critical"].counts) == 1
        assert sum(outbox.stats.latency["ops"].counts) == 1
        assert outbox.stats.alert_latency["critical"].total < outbox.stats.latency["ops"].total


async def test_the_outbox_can_be_run_again_after_its_run_was_cancelled_in_mid_attempt(bench, receiver, alert):
    reached = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        reached.set()
        await asyncio.sleep(30)
        return web.Response()

    receiver.script = [hang]
    store = Store.open(bench.path)
    outbox = Outbox(store, store.load(), [bench.settings(receiver)])
    outbox.submit([alert()])
    for _ in range(2):
        async with asyncio.TaskGroup() as group:
            run = group.create_task(outbox.run())
            await reached.wait()
            await outbox.drain(0.1)
            run.cancel()
    store.close()
    first, second = receiver.requests
    assert first.id == second.id
    assert second.headers["perp-monitor-possible-duplicate"] == "true"
    assert second.status == 200
