"""End to end: frame on the wire to webhook request received, at 1,000 and 10,000 frames a second over 8 sockets.

The daemon is a process of its own, with its store on disk (every alert is committed before it is sent), signed
webhooks, logs, ticks; 100,000 positions on 200 symbols. First comes a time without alerts, which gives the CPU a frame,
then one with 50 alerts a second at random frames. This process sends the frames and receives the webhooks, so both ends
are stamped on one clock; ``source_late_p99_us`` is how late it was itself.
The anchor has the same load, one after the other: ``websockets``, ``json.loads``, a loop over the symbol's 500
positions, one POST an alert by aiohttp, nothing durable and nothing signed.

For orientation, a prototype on another day (websockets, uvloop, trigger book, no store): p50 0.3 ms, p99 0.7 ms,
24 us of CPU a frame at 10,000 frames a second; the naive one 0.65 ms, 3.5 ms, 81 us.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median, quantiles

from aiohttp import web
from e2e_load import CONNECTIONS, SYMBOLS, Plan, frame, plan
from market import PRICE
from rounds import rounded, show
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from monitor.net.clock import boot
from monitor.sim.receiver import Message, Receiver

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
ALERTS_PER_SECOND = 50
TICK = 0.001
MOST_AT_ONCE = 100
HERE = Path(__file__).parent


class Venue:
    """Eight websockets that send what they are told, and the time by REST."""

    def __init__(self) -> None:
        self.connected: dict[int, ServerConnection] = {}

    async def serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        number = int(connection.request.path.rpartition("/")[2])
        self.connected[number] = connection
        with suppress(ConnectionClosed):
            async for _ in connection:  # subscriptions: everything is sent anyway
                pass
        del self.connected[number]

    async def all_connected(self, program: asyncio.subprocess.Process) -> None:
        while len(self.connected) < CONNECTIONS:
            assert program.returncode is None, "the program has ended"
            await asyncio.sleep(0.05)

    def send(self, number: int, data: bytes) -> None:
        self.connected[number].transport.write(data)


async def tell_time(_request: web.Request) -> web.Response:
    return web.json_response({"serverTime": int(time.time() * 1000)})


def cpu_seconds(pid: int) -> float:
    """Return the processor time that the process has used, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keep this process, which holds the stop-watch, from pausing."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def warm_up(venue: Venue) -> None:
    """Send quiet marks: slowly at first, since the positions of a symbol are solved at its first one."""
    for pause in (0.02, 0.005, 0.005, 0.005):
        for symbol in SYMBOLS:
            quiet = frame(symbol, PRICE)
            venue.send(quiet.connection, quiet.at(time.time()))
            await asyncio.sleep(pause)


async def load(venue: Venue, planned: Plan, rate: int) -> tuple[dict[str, float], list[float]]:
    """Send the frames at an even pace, a millisecond's at once; return when each alarm left, and how late."""
    sent: dict[str, float] = {}
    late = []
    number, start, offset = 0, boot(), time.time() - boot()
    while number < len(planned.frames):
        due = min(int((boot() - start) * rate) + 1, len(planned.frames), number + MOST_AT_ONCE)
        for each in planned.frames[number:due]:
            data = each.at(start + number / rate + offset)
            if number in planned.alarms:
                sent[planned.alarms[number]] = now = boot()
                late.append(now - start - number / rate)
            venue.send(each.connection, data)
            number += 1
        await asyncio.sleep(TICK)
    return sent, late


async def measure(what: str, rate: int, seconds: float) -> dict[str, object]:
    """Run one program under one load and return its figures."""
    venue, received = Venue(), dict[str, float]()
    total, alerts = round(rate * seconds), round(ALERTS_PER_SECOND * seconds)
    quiet, alarming = plan(total, 0), plan(total, alerts)
    problems = set()

    def hear(message: Message) -> None:
        received.setdefault(message.json()["data"].get("position", ""), message.arrival)
        problems.add(message.problem)

    rest = web.AppRunner(application := web.Application())
    application.router.add_get("/fapi/v1/time", tell_time)
    await rest.setup()
    await web.TCPSite(rest, "127.0.0.1", 0).start()
    server = await serve(venue.serve, "127.0.0.1", 0, compression=None, ping_interval=None)
    stream_url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
    rest_url = f"http://127.0.0.1:{rest.addresses[0][1]}"
    secret = None if what == "naive" else SECRET
    with tempfile.TemporaryDirectory() as folder:
        async with Receiver(secret=secret, hear=hear) as receiver:
            arguments = [what, stream_url, rest_url, receiver.url, SECRET, f"{folder}/store.db"]
            with Path(folder, "log").open("wb") as errors:  # noqa: ASYNC230 - before the clock runs
                program = await asyncio.create_subprocess_exec(
                    sys.executable, HERE / "e2e_daemon.py", *arguments, stdout=asyncio.subprocess.PIPE, stderr=errors
                )
            try:
                async with asyncio.timeout(120.0):
                    await venue.all_connected(program)
                await warm_up(venue)
                with no_garbage_collection():
                    began = cpu_seconds(program.pid)
                    await load(venue, quiet, rate)
                    between = cpu_seconds(program.pid)
                    sent, late = await load(venue, alarming, rate)
                    await settle(sent, received)
                    ended = cpu_seconds(program.pid)
                program.send_signal(signal.SIGTERM)
                said, _ = await program.communicate()
            except BaseException:
                with suppress(ProcessLookupError):
                    program.kill()
                print(Path(folder, "log").read_text()[-3000:], file=sys.stderr)  # noqa: ASYNC240 - it has failed
                raise
    server.close()
    await server.wait_closed()
    await rest.cleanup()
    assert what == "naive" or problems <= {None}, problems
    latencies = [received[name] - left for name, left in sent.items() if name in received]
    per_frame = (between - began) / total
    return figures(latencies, late) | {
        "missed": len(sent) - len(latencies),
        "cpu_us_per_frame": rounded(per_frame * 1e6),
        "cpu_us_per_alert": rounded((ended - between - per_frame * total) / len(sent) * 1e6),
        **json.loads(said or b"{}"),
    }


async def settle(sent: dict[str, float], received: dict[str, float]) -> None:
    """Wait until everything has come, but not for ever."""
    deadline = boot() + 30.0
    while boot() < deadline and not sent.keys() <= received.keys():  # noqa: ASYNC110 - at the end, once
        await asyncio.sleep(0.1)


def figures(latencies: list[float], late: list[float]) -> dict[str, object]:
    cuts = quantiles(latencies, n=100)
    return {
        "alerts": len(latencies),
        "p50_us": round(median(latencies) * 1e6),
        "p99_us": round(cuts[98] * 1e6),
        "max_us": round(max(latencies) * 1e6),
        "source_late_p99_us": round(quantiles(late, n=100)[98] * 1e6),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=int, nargs="+", default=[1_000, 10_000], help="frames a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="of load without alerts, and again with")
    options = parser.parse_args()
    kinds = ["ours-asyncio"] + (["ours-uvloop"] if importlib.util.find_spec("uvloop") else [])
    for rate in options.rates:
        anchor = asyncio.run(measure("naive", rate, options.seconds))
        for kind in kinds:
            found = asyncio.run(measure(kind, rate, options.seconds))
            show(
                bench="e2e",
                what=f"{rate} frames/s, {kind}",
                anchor="websockets + json.loads + loop over positions + aiohttp",
                **{
                    f"anchor_{name}": anchor[name]
                    for name in ("p50_us", "p99_us", "cpu_us_per_frame", "cpu_us_per_alert")
                },
                **found,
                commit_share=rounded(found["commit_p50_us"] / found["p50_us"]),
                ratio_p50=rounded(found["p50_us"] / anchor["p50_us"]),
                ratio_cpu=rounded(found["cpu_us_per_frame"] / anchor["cpu_us_per_frame"]),
            )


if __name__ == "__main__":
    main()
