"""A process that forks outboxes to be killed. Not a test: ``test_crash.py`` starts it.

It reads one command a line (JSON) and answers with the child's process id and, once it has ended, its wait status.
Forking from here, before any thread or event loop exists, makes a round cost milliseconds instead of an import.

- ``commit``: submit, wait until the COMMIT has returned, die by SIGKILL before anything is sent
- ``run``: deliver what is there and submit without end, until somebody kills it
- ``once``: submit and deliver, until somebody kills it
- ``drain``: deliver what is there, end by itself
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

import structlog

from monitor.core.alert_event import AlertEvent, StoredState
from monitor.core.alerts import Level, Quality
from monitor.delivery.outbox import Outbox
from monitor.delivery.settings import DeliveryTimes, ReceiverSettings
from monitor.net.clock import boot
from monitor.store.store import Store


def alert(subject: str, seq: int) -> AlertEvent:
    return AlertEvent(
        kind="position.critical",
        severity="critical",
        subject=subject,
        venue="binance",
        state=StoredState(subject, raw=2, seq=seq),
        seq=seq,
        episode=1,
        level=Level.CRITICAL,
        prev_level=Level.OK,
        quality=Quality.LIVE,
        reason="",
        arrived=boot(),
        position=subject,
    )


def batch(outbox: Outbox, states: dict[str, StoredState], size: int) -> None:
    """Submit one event of each of *size* positions, numbered on from their stored states."""
    alerts = []
    for number in range(size):
        subject = f"p{number}"
        earlier = states.get(subject, StoredState(subject))
        event = alert(subject, earlier.seq + 1)
        states[subject] = event.state
        alerts.append(event)
    outbox.submit(alerts)


async def play(mode: str, path: str, url: str, mark: float) -> None:
    store = Store.open(path)
    loaded = store.load()
    receiver = ReceiverSettings(name="ops", url=url, secret=bytes(range(32)), allow_http_loopback=True)
    outbox = Outbox(store, loaded, [receiver], DeliveryTimes(mark=mark))
    if mode == "commit":
        batch(outbox, loaded.states, 3)
        while not outbox._ledger.settled:  # noqa: ASYNC110 - it is to die the moment that is true
            await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGKILL)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(outbox.run())
        if mode == "once":
            batch(outbox, loaded.states, 3)
        while mode == "run":
            batch(outbox, loaded.states, 3)
            await asyncio.sleep(0.002)
        if not await outbox.drain(20):
            os._exit(1)
        run.cancel()
    store.close()


def child(command: dict[str, Any]) -> None:
    status = 1
    try:
        asyncio.run(play(**command))
        status = 0
    finally:
        os._exit(status)


def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            child(json.loads(line))
        print(pid, flush=True)
        print(os.waitpid(pid, 0)[1], flush=True)


if __name__ == "__main__":
    main()
