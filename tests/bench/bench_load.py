"""All venues at once in one process: 8 venues, 2,000 contracts, 10,000 messages a second for a minute.

The daemon's part is a process of its own: the engine with positions on every contract, its ticks, and the eight feeds
with the websockets, streams and watchdogs that each venue's module asks for; nothing is polled, no book is read, no
alert is sent. This process sends the frames, prebuilt but for their times, and reads the other's clock: so the two
have a core each. A message is a frame; Binance's marks are one array of 250 a second among its 1,250 frames.

``behind`` are the messages that had been sent and not been taken when the last one went out; ``conflated`` the events
that were decoded and stood for by a later one in a burst; ``lag`` runs from the time in the frame, a whole millisecond
that has begun, to the end of the engine's work on it; ``loop_lag_max`` is how late a timer of 100 ms fired;
``cpu_share`` is of two cores.
The anchor takes the same load for a shorter time and does nothing but ``websockets`` and ``json.loads``.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle as endlessly
from pathlib import Path
from statistics import quantiles
from typing import Any

from bench_e2e import cpu_seconds, no_garbage_collection
from load_frames import NAMES, SYMBOLS_PER_VENUE, WELCOMES, Frame, addresses, cycle
from rounds import rounded, show
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from monitor.net.clock import boot

HERE = Path(__file__).parent
TICK = 0.001
MOST_AT_ONCE = 200
ANCHOR_SECONDS = 15.0
WARM_SECONDS = 6.0
"""How long everything runs before anything is counted: positions are solved at the first mark of their contract."""


class Load:
    """The venues' side: every connection by its address, and what goes out on it."""

    def __init__(self, rate: int) -> None:
        per_venue = [cycle(name, rate / len(NAMES)) for name in NAMES]
        self.frames = self._in_turns([endlessly(frames) for frames in per_venue])
        self.wanted = {f"/{name}/{connection}" for name, found in addresses().items() for connection in found}
        self.rate = rate
        self.connected: dict[str, ServerConnection] = {}
        self.numbers = Counter[str]()
        self.late: list[float] = []
        self.sent = self.events = self.bytes = 0

    @staticmethod
    def _in_turns(cycles: list[Iterator[Frame]]) -> Iterator[Frame]:
        while True:
            for frames in cycles:
                yield next(frames)

    async def serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        path = connection.request.path
        welcome = WELCOMES.get(path.split("/")[1])
        if welcome is not None:
            await connection.send(json.dumps(welcome))
        self.connected[path] = connection
        with suppress(ConnectionClosed):
            async for _ in connection:  # subscriptions: everything is sent anyway
                pass
        if self.connected.get(path) is connection:
            del self.connected[path]

    def _send(self, frame: Frame, time_: float) -> None:
        path = f"/{frame.venue}/{frame.connection}"
        connection = self.connected.get(path)
        if connection is None:
            return
        if frame.numbered:
            self.numbers[path] += 1
        data = frame.at(time_, self.numbers[path])
        connection.transport.write(data)
        self.sent += 1
        self.events += frame.events
        self.bytes += len(data)

    async def run(self, seconds: float) -> None:
        """Send at an even pace for *seconds*, what is due in a millisecond at once."""
        self.sent = self.events = self.bytes = 0
        self.late.clear()
        total, done, start = round(self.rate * seconds), 0, boot()
        while done < total:
            due = min(int((boot() - start) * self.rate) + 1, total, done + MOST_AT_ONCE)
            self.late.append(max(0.0, boot() - start - done / self.rate))
            now = time.time()
            for _ in range(done, due):
                self._send(next(self.frames), now)
            done = due
            await asyncio.sleep(TICK)

    async def warm_up(self, program: asyncio.subprocess.Process) -> None:
        """Send until everybody is there, and then for a while."""
        async with asyncio.timeout(120.0):
            while self.connected.keys() != self.wanted:
                assert program.returncode is None, "the program has ended"
                await self.run(0.5)
        await self.run(WARM_SECONDS)


def status(pid: int, field: str) -> float:
    """Return a figure of the process in MB: ``VmHWM`` is the most memory that it ever had."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return round(int(lines[field].split()[0]) / 1024, 1)


async def ask(program: asyncio.subprocess.Process, word: str) -> dict[str, Any]:
    """Tell the program a word and return its answer."""
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(f"{word}\n".encode())
    answer: dict[str, Any] = json.loads(await program.stdout.readline())
    return answer


async def measure(what: str, rate: int, seconds: float, per_symbol: int) -> dict[str, Any]:
    """Run one program under the load and return its figures."""
    load = Load(rate)
    server = await serve(load.serve, "127.0.0.1", 0, compression=None, ping_interval=None)
    url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder:
        with Path(folder, "log").open("wb") as errors:  # noqa: ASYNC230 - before the clock runs
            program = await asyncio.create_subprocess_exec(
                *(sys.executable, HERE / "load_daemon.py", what, url, str(per_symbol)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        try:
            await load.warm_up(program)
            with no_garbage_collection():
                begun = await ask(program, "begin")
                before, memory = cpu_seconds(program.pid), status(program.pid, "VmRSS")
                await load.run(seconds)
                found = await ask(program, "report")
                spent = cpu_seconds(program.pid) - before
                await asyncio.sleep(2.0)
                settled = await ask(program, "report")
                peak = status(program.pid, "VmHWM")
            assert program.stdin is not None
            program.stdin.write(b"end\n")
            await program.wait()
        except BaseException:
            with suppress(ProcessLookupError):
                program.kill()
            print(Path(folder, "log").read_text()[-3000:], file=sys.stderr)  # noqa: ASYNC240 - it has failed
            raise
    server.close()
    await server.wait_closed()
    result = {
        "connections": len(load.wanted),
        "seconds": seconds,
        "sent": load.sent,
        "mb_per_second": rounded(load.bytes / seconds / 1e6),
        "source_late_p99_ms": rounded(quantiles(load.late, n=100)[98] * 1000.0),
        **begun,
        **found,
        "behind": load.sent - found["taken"],
        "lost": load.sent - settled["taken"],
        "cpu_share": rounded(spent / seconds / 2.0),
        "cpu_us_per_message": rounded(spent / load.sent * 1e6),
        "memory_mb": memory,
        "memory_peak_mb": peak,
    }
    if "applied" in settled:
        result["conflated"] = load.events - settled["applied"]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=10_000, help="messages a second, all venues together")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--positions", type=int, default=2, help="on each contract")
    options = parser.parse_args()
    anchor = asyncio.run(measure("naive", options.rate, min(options.seconds, ANCHOR_SECONDS), options.positions))
    found = asyncio.run(measure("ours", options.rate, options.seconds, options.positions))
    show(
        bench="load",
        what=f"{len(NAMES)} venues, {len(NAMES) * SYMBOLS_PER_VENUE} contracts, {options.rate} messages/s",
        venues=" ".join(NAMES),
        loop="uvloop" if importlib.util.find_spec("uvloop") else "asyncio",
        **found,
        anchor="websockets + json.loads",
        **{f"anchor_{name}": anchor[name] for name in ("behind", "cpu_share", "cpu_us_per_message", "memory_peak_mb")},
        ratio=rounded(found["cpu_us_per_message"] / anchor["cpu_us_per_message"]),
    )


if __name__ == "__main__":
    main()
