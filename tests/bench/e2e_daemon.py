"""The programs under the end-to-end load: the daemon, and what one writes first.

``python e2e_daemon.py ours-uvloop|ours-asyncio|naive STREAM_URL REST_URL HOOK_URL SECRET STORE``; ends at SIGTERM and
prints what it has to say as one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import aiohttp
import websockets
from e2e_load import CONNECTIONS, SYMBOLS, account, connection_of
from market import PRICE, mark

from monitor import log
from monitor.app import App
from monitor.assemble import watched_accounts
from monitor.config.settings import AccountFile, Places, Settings, SymbolTerms, VenueSettings, Web
from monitor.core.alerts import Ladder
from monitor.delivery.settings import ReceiverSettings
from monitor.engine.engine import Engine
from monitor.tally import Histogram
from monitor.venues import VENUES
from monitor.venues.base import Connection, Stream


class Kept(Histogram):
    """A histogram that keeps its values as well."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        super().__init__()
        self.values: list[float] = []

    def observe(self, value: float) -> None:
        super().observe(value)
        self.values.append(value)


def connections(symbols: Sequence[str], base: str) -> list[Connection]:
    """Spread the symbols over the sockets of the load."""
    streams: list[list[Stream]] = [[] for _ in range(CONNECTIONS)]
    for symbol in symbols:
        streams[connection_of(symbol)].append(Stream(f"{symbol.lower()}@markPrice@1s", (symbol,), "mark", 1.0))
    return [Connection(f"mark-{n}", f"{base}/{n}", tuple(part)) for n, part in enumerate(streams)]


def settings(stream_url: str, rest_url: str, hook_url: str, secret: str, store: str) -> Settings:
    """Return what a configuration file of these accounts would say."""
    key = b64decode(secret.removeprefix("whsec_"))
    return Settings(
        accounts=AccountFile(
            (account(),), {account().name: dict.fromkeys(SYMBOLS, SymbolTerms())}, {}, Places({}, {}, {})
        ),
        venues={
            "binance": VenueSettings(
                stream_url, rest_url, dict.fromkeys(SYMBOLS, VENUES["binance"].shipped_tiers("BTCUSDT"))
            )
        },
        ladder=Ladder(),
        receivers=(ReceiverSettings(name="hook", url=hook_url, secret=key, allow_http_loopback=True),),
        web=Web(port=0),
        metrics_amounts=False,
        store_path=Path(store),
        log_level="info",
        log_format="json",
        hash="bench",
    )


async def ours(*arguments: str) -> dict[str, object]:
    """Run the daemon as it is, with eight sockets and a single poll (the venue's time)."""
    log.configure()
    venue = VENUES["binance"]
    polls = venue.polls
    VENUES["binance"] = replace(
        venue, connections=connections, polls=lambda symbols: [p for p in polls(symbols) if p.resource == "time"]
    )
    app = App(settings(*arguments))
    commit = Kept()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(app.run())
        await app.started.wait()
        app.outbox.stats.commit = commit
        await task
    return {
        "commit_p50_us": round(median(commit.values) * 1e6),
        "commits": len(commit.values),
        "rejected": dict(app.engine.venue_views(0.0, 0.0)[0].rejected),
        "unpersisted": app.outbox.stats.unpersisted,
    }


async def naive(stream_url: str, _rest_url: str, hook_url: str, *rest: str) -> dict[str, object]:
    """``websockets``, ``json.loads``, a loop over the symbol's positions, one POST an alert."""
    held: dict[str, list[tuple[str, float, float]]] = {symbol: [] for symbol in SYMBOLS}
    for view, position in lines(settings(stream_url, _rest_url, hook_url, *rest)):
        held[position].append(view)
    warned: set[str] = set()

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:

        async def post(name: str, distance: float) -> None:
            async with session.post(hook_url, json={"data": {"position": name, "distance": distance}}):
                pass

        async def read(number: int) -> None:
            async with websockets.connect(f"{stream_url}/{number}", compression=None) as socket:
                async for message in socket:
                    row = json.loads(message)["data"]
                    price = float(row["p"])
                    for name, liquidation, danger in held[row["s"]]:
                        distance = danger * (liquidation - price) / price
                        if distance <= 0.05 and name not in warned:
                            warned.add(name)
                            group.create_task(post(name, distance))

        readers = [group.create_task(read(number)) for number in range(CONNECTIONS)]
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: [r.cancel() for r in readers])
    return {}


def lines(given: Settings) -> list[tuple[tuple[str, float, float], str]]:
    """Return name, liquidation price and direction of every position, with its symbol: solved by the engine."""
    engine = Engine(watched_accounts(given), {"binance": VENUES["binance"].expected_intervals}, 0.0)
    for symbol in SYMBOLS:
        engine.apply(mark(PRICE, 1.0, symbol), 1.0)
    views = engine.position_views(0, engine.position_count(), 1.0)
    return [
        ((v.name, v.liquidation_price, -1.0 if v.side == "long" else 1.0), v.symbol)
        for v in views
        if v.liquidation_price is not None
    ]


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    factory = None
    if what == "ours-uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        print(json.dumps(runner.run((naive if what == "naive" else ours)(*arguments))), flush=True)
