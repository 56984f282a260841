"""A store that cannot take it never silences an alert (R29): sent from memory, same ids, stored later."""

from __future__ import annotations

import asyncio
import threading

import msgspec
import pytest

from monitor.core.alerts import Level


@pytest.fixture
def full_disk(bench):
    """Returns a function that fills (True) or empties (False) the disk, as SQLite sees it."""

    def switch(*, full: bool) -> None:
        pages = 1 if full else 1_000_000
        bench.store.call(lambda: bench.store._connection.execute(f"PRAGMA max_page_count={pages}")).result()
        bench.store._ballast.release()

    return switch


def many(alert, count: int = 60):
    """Enough events to need new pages."""
    return [alert(f"main/p{number}", seq=1) for number in range(count)]


async def test_a_full_disk_delivers_from_memory_and_stores_the_same_bytes_later(bench, receiver, alert, full_disk):
    async with bench.running(bench.settings(receiver)) as outbox:
        full_disk(full=True)
        outbox.submit(many(alert))
        await receiver.wait(60)
        assert outbox.stats.store_ok is False
        assert outbox.stats.unpersisted == 60
        assert {request.data["unpersisted"] for request in receiver.requests} == {True}
        full_disk(full=False)
        assert await outbox.drain(5)
        assert outbox.stats.store_ok is True
        stored = {row[0]: row[4] for row in bench.rows() if row[1] == "delivered"}
        assert stored == {request.id: request.body for request in receiver.requests}
        assert len(bench.store.load().states) == 60
    assert len(receiver.requests) == 60


async def test_while_the_store_fails_warnings_go_out_as_well(bench, receiver, alert, full_disk):
    async with bench.running(bench.settings(receiver)) as outbox:
        full_disk(full=True)
        outbox.submit([alert(f"main/p{number}", level=Level.WARNING) for number in range(60)])
        assert len(await receiver.wait(60)) == 60
        full_disk(full=False)
        await outbox.drain(5)


async def test_a_critical_event_waits_for_a_slow_commit_no_longer_than_its_patience(bench, receiver, alert):
    hanging = threading.Event()
    async with bench.running(bench.settings(receiver)) as outbox:
        bench.store.call(lambda: hanging.wait(10))
        outbox.submit([alert()])
        [request] = await receiver.wait(1)
        assert request.data["unpersisted"] is True
        assert outbox.stats.store_ok is False
        hanging.set()
        assert await outbox.drain(5)
        assert outbox.stats.store_ok is True
        [(name, state, _, _, stored)] = bench.rows()
    assert (name, state, stored) == (request.id, "delivered", request.body)


async def test_behind_a_slow_commit_the_order_of_a_position_holds(bench, receiver, alert):
    """The warning could wait longer, but the critical event behind it cannot."""
    hanging = threading.Event()
    async with bench.running(bench.settings(receiver)) as outbox:
        bench.store.call(lambda: hanging.wait(10))
        outbox.submit([alert(seq=1, level=Level.WARNING)])
        outbox.submit([alert(seq=2)])
        assert [request.data["seq"] for request in await receiver.wait(2)] == [1, 2]
        hanging.set()
        assert await outbox.drain(5)
        assert bench.store.load().states["main/btc"].seq == 2


async def test_an_error_that_nobody_foresaw_fails_open_too(bench, receiver, alert, monkeypatch):
    async with bench.running(bench.settings(receiver)) as outbox:
        monkeypatch.setattr(bench.store, "_write", lambda _transaction: 1 / 0)
        outbox.submit([alert()])
        await receiver.wait(1)
        assert outbox.stats.store_ok is False
        monkeypatch.undo()
        assert await outbox.drain(5)


async def test_what_could_not_be_stored_before_a_stop_was_delivered_at_least(bench, receiver, alert, full_disk):
    async with bench.running(bench.settings(receiver)) as outbox:
        full_disk(full=True)
        outbox.submit(many(alert))
        await receiver.wait(60)
    assert len({request.id for request in receiver.delivered}) == 60


async def test_old_delivered_rows_are_pruned_while_it_runs(bench, receiver, alert, fast):
    times = msgspec.structs.replace(fast, keep=0.0, prune=0.05)
    async with bench.running(bench.settings(receiver), times=times) as outbox:
        outbox.submit([alert()])
        assert await outbox.drain(5)
        for _ in range(250):
            if not bench.rows():
                break
            await asyncio.sleep(0.02)
        assert bench.rows() == []
