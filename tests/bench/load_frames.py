"""The load of all venues at once: who is watched, and which frame goes out where.

Eight venues with 250 contracts each, every one on the connections that its own module asks for. The frames of a venue
come in turn, contract by contract: the marks, and beside them whatever else a connection expects (last prices,
quotes, indexes), so that no watchdog finds anything silent. Where a venue sends all marks in one array, it is one
message a second here too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from load_shapes import ISO, MS, NUMBER, SHAPES, binance_mark

from monitor.venues import VENUES
from monitor.venues.base import Connection, Venue

VENUES_AT_ONCE = 8
SYMBOLS_PER_VENUE = 250
VARIANTS = 4
"""Different prices of a contract, in turn."""

SPELLINGS: dict[str, str] = {
    "binance": "C{:03d}USDT",
    "bybit": "C{:03d}USDT",
    "okx": "C{:03d}-USDT-SWAP",
    "hyperliquid": "C{:03d}",
    "lighter": "C{:03d}",
    "dydx": "C{:03d}-USD",
    "deribit": "C{:03d}_USDC-PERPETUAL",
    "kraken-futures": "PF_C{:03d}USD",
    "binance-coinm": "C{:03d}USD_PERP",
}
"""By venue in the order in which they are taken: the last one only where another cannot be watched yet."""

NAMES = tuple(name for name in SPELLINGS if name in VENUES)[:VENUES_AT_ONCE]

WELCOMES = {
    "lighter": {"session_id": "load", "type": "connected"},
    "dydx": {"type": "connected", "connection_id": "load", "message_id": 0},
    "kraken-futures": {"event": "info", "version": 1},
}
"""What a venue says first."""


def symbols(name: str) -> list[str]:
    """Return the contracts of a venue, in its spelling."""
    return [SPELLINGS[name].format(number) for number in range(SYMBOLS_PER_VENUE)]


def text_frame(data: bytes) -> bytes:
    """Return one unmasked websocket text frame."""
    if len(data) < 126:
        return b"\x81" + len(data).to_bytes(1, "big") + data
    length = b"\x7e" + len(data).to_bytes(2, "big") if len(data) < 1 << 16 else b"\x7f" + len(data).to_bytes(8, "big")
    return b"\x81" + length + data


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame on the wire but for its time, and its number where the venue counts. ``events``: what is in it."""

    venue: str
    connection: str
    pattern: bytes
    numbered: bool
    events: int

    def at(self, time: float, number: int) -> bytes:
        if not self.numbered:
            return self.pattern % {b"ms": int(time * 1000)}
        moment = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        iso = f"{moment}.{int(time * 1000) % 1000:03d}Z".encode()
        return self.pattern % {b"iso": iso, b"number": NUMBER + number}


# --- the venues, as the daemon and the load see them -----------------------------------------------------------


def bound(name: str) -> Venue:
    """Return a venue that knows its contracts by name, has nothing to poll, and connects to the load's addresses."""
    watched = symbols(name)
    venue = VENUES[name].watching(watched)
    for poll in venue.polls(watched):
        if (name, poll.resource) in BODIES:
            poll.decode(json.dumps(BODIES[name, poll.resource](watched)).encode(), MS / 1000)

    def connections(wanted: Sequence[str], base: str) -> list[Connection]:
        found = [replace(c, url=f"{base}/{name}/{c.name}") for c in venue.connections(wanted, base)]
        shallow = [replace(c, streams=tuple(s for s in c.streams if s.field != "depth")) for c in found]
        return [connection for connection in shallow if connection.streams]

    return replace(venue, connections=connections, polls=lambda _symbols: [], bind=None)


def _meta(watched: Sequence[str]) -> dict[str, Any]:
    return {"universe": [{"name": symbol, "szDecimals": 2, "maxLeverage": 40} for symbol in watched]}


def _markets(watched: Sequence[str]) -> dict[str, Any]:
    rows = [{"symbol": s, "market_id": n, "status": "active", "market_type": "perp"} for n, s in enumerate(watched)]
    return {"order_book_details": rows}


BODIES: dict[tuple[str, str], Callable[[Sequence[str]], dict[str, Any]]] = {
    ("hyperliquid", "meta"): _meta,
    ("lighter", "orderBookDetails"): _markets,
}
"""Answers from which a venue learns what it calls its contracts."""


# --- what goes out ---------------------------------------------------------------------------------------------


class Carriers:
    """Which connection of a venue carries what."""

    def __init__(self, name: str) -> None:
        self.venue = bound(name)
        self.connections = self.venue.connections(symbols(name), "")

    def frame(self, part: str, symbol: str, message: object) -> Frame:
        """Return *message* as a frame of the connection whose stream has *part* in its name and serves *symbol*."""
        found = [
            connection.name
            for connection in self.connections
            for stream in connection.streams
            if part in stream.name and symbol in stream.symbols
        ]
        data = json.dumps(message, separators=(",", ":")).encode()
        events = len(self.venue.decode(data, MS / 1000))
        assert b"%" not in data
        wire = text_frame(data).replace(str(MS).encode(), b"%(ms)d")
        wire = wire.replace(ISO.encode(), b"%(iso)b").replace(str(NUMBER).encode(), b"%(number)d")
        return Frame(self.venue.name, found[0], wire, b"%(number)d" in wire, events)


@cache
def cycle(name: str, per_second: float) -> list[Frame]:
    """Return the frames of one venue, in the order in which they go out again and again."""
    carriers, watched, frames = Carriers(name), symbols(name), list[Frame]()
    for _ in range(VARIANTS):
        about = [SHAPES[name](symbol, number) for number, symbol in enumerate(watched)]
        for kind in zip(*about, strict=True):
            frames += [carriers.frame(part, s, m) for s, (part, m) in zip(watched, kind, strict=True)]
    if name != "binance":
        return frames
    gap, found = max(1, round(per_second) - 1), list[Frame]()
    for start in range(0, len(frames), gap):
        rows = [binance_mark(symbol, 1) for symbol in watched]
        found.append(carriers.frame("!markPrice", watched[0], {"stream": "!markPrice@arr@1s", "data": rows}))
        found += frames[start : start + gap]
    return found


def addresses() -> dict[str, list[str]]:
    """Return the connections of each venue by name."""
    return {name: [c.name for c in Carriers(name).connections] for name in NAMES}
