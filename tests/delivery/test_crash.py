"""kill -9 at the worst moments (F-66, F-67): nothing committed is lost, and what comes twice comes with its id."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

ROUNDS = 20
IN_FLIGHT = 4
SEED = 20260729


class Nursery:
    """Starts outboxes as processes of their own, on one store."""

    def __init__(self, process: asyncio.subprocess.Process, path: Path) -> None:
        self._process = process
        self.path = path

    async def start(self, mode: str, url: str, mark: float = 0.01) -> int:
        command = {"mode": mode, "path": str(self.path), "url": url, "mark": mark}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        return await self._number()

    async def ended(self) -> int:
        """Return the wait status of the last one."""
        return await self._number()

    async def _number(self) -> int:
        assert self._process.stdout is not None
        async with asyncio.timeout(30):
            return int(await self._process.stdout.readline())

    def rows(self) -> dict[str, bytes]:
        """Return id and body of every delivery that was committed, and check the file."""
        store = sqlite3.connect(self.path)
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found = dict(store.execute("SELECT delivery_id, body FROM delivery").fetchall())
        store.close()
        return found


@pytest.fixture
async def nursery(tmp_path: Path) -> AsyncIterator[Nursery]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("crash_child.py")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )
    yield Nursery(process, tmp_path / "perp.db")
    process.stdin.close()
    await process.wait()


def sent(requests: list[Any]) -> Counter[str]:
    return Counter(request.id for request in requests)


async def test_killed_between_commit_and_send_every_event_goes_out_after_the_restart_once(nursery, receiver):
    for number in range(1, ROUNDS + 1):
        await nursery.start("commit", receiver.url)
        assert await nursery.ended() == signal.SIGKILL
        assert len(receiver.requests) == 3 * (number - 1)
        await nursery.start("drain", receiver.url)
        assert await nursery.ended() == 0
        assert sent(receiver.delivered) == Counter(list(nursery.rows()))
        assert len(receiver.delivered) == 3 * number


async def test_killed_between_the_2xx_and_the_mark_it_is_sent_once_more_with_the_same_id_and_bytes(nursery, receiver):
    victim = 0

    async def answer_and_kill(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write_eof()
        os.kill(victim, signal.SIGKILL)
        return response

    for _ in range(ROUNDS):
        receiver.requests.clear()
        receiver.default = 500  # until the process id is known
        victim = await nursery.start("once", receiver.url, mark=30.0)
        receiver.default = answer_and_kill
        assert await nursery.ended() == signal.SIGKILL
        receiver.default = 200
        before = {request.id: request.body for request in receiver.delivered}
        assert before
        await nursery.start("drain", receiver.url)
        assert await nursery.ended() == 0
        counts = sent(receiver.delivered)
        twice = {name for name, count in counts.items() if count > 1}
        assert set(before) == twice
        assert len(twice) <= IN_FLIGHT
        assert max(counts.values()) == 2
        assert {(r.id, r.body) for r in receiver.delivered if r.id in before} == set(before.items())


async def test_killed_at_any_moment_nothing_is_lost_and_only_what_was_in_flight_comes_twice(nursery, receiver):
    rng = random.Random(SEED)
    for _ in range(ROUNDS):
        victim = await nursery.start("run", receiver.url)
        await asyncio.sleep(rng.uniform(0.01, 0.15))
        os.kill(victim, signal.SIGKILL)
        assert await nursery.ended() == signal.SIGKILL
    await nursery.start("drain", receiver.url)
    assert await nursery.ended() == 0
    committed, counts = nursery.rows(), sent(receiver.delivered)
    assert len(committed) > ROUNDS
    assert set(counts) == set(committed), f"seed {SEED}"
    assert sum(counts.values()) - len(counts) <= IN_FLIGHT * ROUNDS
    assert {request.id: request.body for request in receiver.delivered} == committed
    for name in {request.data["position"] for request in receiver.delivered}:
        order = list(dict.fromkeys(r.data["seq"] for r in receiver.delivered if r.data["position"] == name))
        assert order == list(range(1, len(order) + 1))
