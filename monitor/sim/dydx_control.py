"""The control messages of a simulated dYdX indexer, and the numbers of its frames.

A subscription gets its number when it is asked for, and its answer when the indexer has read what stands in it, so
that frames of other subscriptions overtake the answer. Some errors use the number of the frame before once more.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from monitor.sim.streams import Client, StreamServer

MARKETS, TRADES, BOOK, BLOCKS = "v4_markets", "v4_trades", "v4_orderbook", "v4_block_height"
NAMELESS = (MARKETS, BLOCKS)
"""Channels without an id."""

PER_CONNECTION = {
    MARKETS: 32,
    TRADES: 32,
    BOOK: 32,
    "v4_candles": 32,
    BLOCKS: 1,
    "v4_subaccounts": 256,
    "v4_parent_subaccounts": 256,
}
FETCH_SECONDS = {MARKETS: 0.3, TRADES: 0.1, BOOK: 0.2}
"""How long the indexer reads for the first frame of a channel; for every other one it takes twice as long."""

TOLERATED, WINDOW_SECONDS = 2, 1.0
"""Times the same thing may be asked for in so many seconds; invalid messages too."""


def name_of(channel: str, market: str | None) -> str:
    """Return the name under which a subscription is kept."""
    return channel if market is None else f"{channel}/{market}"


def say(client: Client, message: dict[str, Any]) -> None:
    """Send *message* as it is."""
    client.send(msgspec.json.encode(message))


def number_next(client: Client) -> int:
    """Count one more frame of *client*."""
    client.notes["number"] += 1
    number: int = client.notes["number"]
    return number


def data_frame(client: Client, channel: str, market: str | None, number: int, contents: object) -> dict[str, Any]:
    """Return a frame of news: a batch if *contents* is an array."""
    frame: dict[str, Any] = {
        "type": "channel_batch_data" if isinstance(contents, list) else "channel_data",
        "connection_id": client.notes["id"],
        "message_id": number,
    }
    if market is not None:
        frame["id"] = market
    return frame | {"channel": channel, "version": "1.0.0", "contents": contents}


class _Often:
    """Counts how often something was done in the last second."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}

    def too_often(self, key: str, now: float) -> bool:
        times = self._times.setdefault(key, deque())
        while times and now - times[0] > WINDOW_SECONDS:
            times.popleft()
        times.append(now)
        return len(times) > TOLERATED


class Controls:
    """Obeys control messages of clients of *server*.

    *listed* says whether there is such a market, *first* gives what the first frame of a subscription holds (None: it
    cannot be read), *spawn* starts a task, *clock* tells the scenario's seconds.
    """

    def __init__(
        self,
        server: StreamServer,
        listed: Callable[[str], bool],
        first: Callable[[str, str | None], object | None],
        spawn: Callable[[Coroutine[None, None, None], str], None],
        clock: Callable[[], float],
        speed: float,
    ) -> None:
        self._server = server
        self._listed = listed
        self._first = first
        self._spawn = spawn
        self._clock = clock
        self._speed = speed

    def welcome(self, client: Client) -> None:
        """Greet: every connection begins with a frame of number 0."""
        client.notes |= {"id": str(uuid.uuid4()), "number": 0, "batched": {}, "counts": {}, "often": _Often()}
        say(client, {"type": "connected", "connection_id": client.notes["id"], "message_id": 0})

    async def hear(self, client: Client, text: str) -> None:
        """Obey one message; a ping is taken without a word."""
        try:
            message = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError):
            await self._invalid(client, "Invalid message: could not parse")
            return
        kind = message.get("type") if isinstance(message, dict) else None
        if not kind:
            await self._invalid(client, "Invalid message: type is required")
        elif kind not in ("subscribe", "unsubscribe", "ping"):
            await self._invalid(client, f"Invalid message type: {kind}")
        elif kind != "ping" and (wrong := _wrong(message)):
            self._error(client, client.notes["number"], wrong)
        elif kind == "subscribe":
            await self._subscribe(client, message["channel"], _market(message), batched=bool(message.get("batched")))
        elif kind == "unsubscribe":
            self._unsubscribe(client, message["channel"], _market(message))

    async def _subscribe(self, client: Client, channel: str, market: str | None, *, batched: bool) -> None:
        number, counts, name = number_next(client), client.notes["counts"], name_of(channel, market)
        if channel in (TRADES, BOOK) and not self._listed(market or ""):
            wrong = f"Invalid subscription id for channel: ({channel}-{market})"
            self._error(client, number, wrong, channel, market)
            return
        if counts.get(channel, 0) >= PER_CONNECTION[channel]:
            wrong = f"Per-connection subscription limit reached for {channel} (limit={PER_CONNECTION[channel]})."
            self._error(client, number, wrong)
            return
        if client.notes["often"].too_often(name, self._clock()):
            wrong = f"Too many subscribe attempts for channel {channel}-{market or channel}. Please  reconnect and try again."
            self._error(client, number, wrong)
            await _drop(client)
            return
        counts[channel] = counts.get(channel, 0) + 1
        self._spawn(self._begin(client, number, channel, market, batched=batched), f"fetch {name}")

    async def _begin(self, client: Client, number: int, channel: str, market: str | None, *, batched: bool) -> None:
        await asyncio.sleep(FETCH_SECONDS.get(channel, 0.1) * (1 + number % 2) / self._speed)
        if client not in self._server.clients:
            return
        name, contents = name_of(channel, market), self._first(channel, market)
        wrong = ""
        if contents is None:
            wrong = f"Internal error, could not fetch data for subscription: {channel}."
        elif name in client.streams:
            wrong = f"Invalid subscribe message: already subscribed ({channel}-{market or channel})"
        if wrong:
            client.notes["counts"][channel] -= 1
            self._error(client, number, wrong, channel, market)
            return
        self._server.subscribe(client, name)
        client.notes["batched"][name] = batched
        frame = {"type": "subscribed", "connection_id": client.notes["id"], "message_id": number, "channel": channel}
        say(client, frame | ({} if market is None else {"id": market}) | {"contents": contents})

    def _unsubscribe(self, client: Client, channel: str, market: str | None) -> None:
        name = name_of(channel, market)
        if name in client.streams:
            client.notes["counts"][channel] -= 1
            self._server.unsubscribe(client, name)
        frame = {"type": "unsubscribed", "connection_id": client.notes["id"], "message_id": number_next(client)}
        say(client, frame | {"channel": channel} | ({} if market is None else {"id": market}))

    async def _invalid(self, client: Client, wrong: str) -> None:
        too_often = client.notes["often"].too_often("", self._clock())
        text = "Too many invalid messages. Please reconnect and try again." if too_often else wrong
        self._error(client, client.notes["number"], text)
        if too_often:
            await _drop(client)

    def _error(
        self, client: Client, number: int, wrong: str, channel: str | None = None, market: str | None = None
    ) -> None:
        frame = {"type": "error", "message": wrong, "connection_id": client.notes["id"], "message_id": number}
        named = {"channel": channel, "id": market}
        say(client, frame | {field: value for field, value in named.items() if value is not None})


def _wrong(message: dict[str, Any]) -> str:
    """Return what is wrong with a message that names no channel, one that there is not, or no market."""
    channel, market = message.get("channel"), message.get("id")
    if not channel:
        return "Invalid subscribe message: channel is required"
    if not isinstance(channel, str) or channel not in PER_CONNECTION:
        return f"Invalid channel: {channel}"
    return "" if channel in NAMELESS or isinstance(market, str) else f"Invalid id: {market}"


def _market(message: dict[str, Any]) -> str | None:
    market: str | None = None if message["channel"] in NAMELESS else message["id"]
    return market


async def _drop(client: Client) -> None:
    await client.connection.close(1008, '{"message":"Rate limited"}')
