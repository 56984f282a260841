"""A Deribit on loopback: inverse and linear perpetuals, JSON-RPC over websocket and HTTP.

Played: acknowledgements that list only the channels taken, credits that run out (10028, and the session ends),
heartbeats with a test request whose silence is a hang-up, tickers that begin at once and then come with changes alone,
trades with the marks of a liquidation, books in a chain of changes, contract states, locks and maintenance,
bankruptcies in which the fund pays.
Not played: anything that needs a key (13009), options, trade history, REST in place of a channel.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import msgspec

from monitor.sim import deribit_frames as frames
from monitor.sim.cast import Role
from monitor.sim.deribit_channels import Channels
from monitor.sim.deribit_methods import Credits, Methods, RpcError
from monitor.sim.limits import Limits
from monitor.sim.market import Instrument, LiquidationPrint
from monitor.sim.rest import Reply
from monitor.sim.scenario import Scenario
from monitor.sim.streams import Client, Route
from monitor.sim.venue import VenueSim

PATH = "ws"
LEAST_HEARTBEAT_SECONDS = 10
STATUSES = {10028: 429, 11051: 503, 13009: 401, 13004: 401}
"""HTTP status of an error; 400 for any other."""

FAULTS = {429: 10028, 503: 11051}
"""HTTP status that a scenario asks for -> the error in its body."""

CASCADE = ("T", "M", "MT")
ROUND_SECONDS = 1.0
"""A liquidated position is cut step by step, a round a second; the rounds are marked so."""


class DeribitSim(VenueSim):
    """The venue; see :class:`~monitor.sim.venue.VenueSim` for what it can be told. A tick stands for one second."""

    NAME: ClassVar[str] = "deribit"
    LIMITS: ClassVar[Limits] = Limits(control_per_second=200.0, control_burst=1000)
    CAST: ClassVar[Mapping[str, Role]] = {
        "BTCUSDT": Role(symbol="BTC_USDC-PERPETUAL", base="BTC", quote="USDC", listing={"liquidation_fee_rate": 0.01}),
        "BTCUSDC": Role(symbol="BTC_USDT-PERPETUAL", base="BTC", quote="USDT", listing={"liquidation_fee_rate": 0.01}),
        "ETHUSDT": Role(symbol="ETH_USDC-PERPETUAL", base="ETH", quote="USDC", listing={"liquidation_fee_rate": 0.01}),
    }

    def __init__(
        self,
        scenario: Scenario,
        *,
        speed: float = 1.0,
        stream_port: int = 0,
        rest_port: int = 0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(scenario, speed=speed, stream_port=stream_port, rest_port=rest_port, wall=wall)
        self.methods = Methods(self)
        self.credits = Credits(self.clock)
        self._channels = Channels(self, self.methods)

    # addresses and messages

    def route(self, target: str) -> Route | None:
        """Return where an address leads: there is one, and it names no streams."""
        return Route(PATH, (), combined=False) if target.partition("?")[0] == "/ws/api/v2" else None

    async def welcome(self, client: Client, streams: Iterable[str]) -> None:
        """Do nothing: a client is not spoken to before it asks."""

    async def hear(self, client: Client, text: str) -> None:
        """Answer one call, then send what the channels that it asked for begin with."""
        identity: object = None
        begun: list[str] = []
        try:
            method, params, identity = _request(text)
            self.credits.spend(method)
            client.send(self._answer(self._obey(client, method, params, begun), identity))
        except RpcError as wrong:
            client.send(self._answer(None, identity, wrong))
            if wrong.code == 10028:
                await client.connection.close(1008, "too_many_requests")
            return
        for name in begun:
            for payload, symbol in self._channels.beginning(name):
                if not self.streams.silent(PATH, name, symbol):
                    client.send(msgspec.json.encode(frames.notice(name, payload)))

    def _obey(self, client: Client, method: str, params: Mapping[str, Any], begun: list[str]) -> object:
        """Return the result of a call; *begun* takes the channels that it asked for."""
        match method:
            case "public/subscribe" | "public/unsubscribe":
                if self.methods.maintenance_until > self.clock():
                    raise RpcError(11051)
                names = params.get("channels")
                if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                    raise RpcError(-32602, reason="wrong format", param="channels")
                if method.endswith("unsubscribe"):
                    return self._drop(client, [name for name in names if name in client.streams])
                if any(name.endswith(".raw") for name in names):
                    raise RpcError(13778)
                begun += (
                    n for n in dict.fromkeys(names) if self._channels.known(n) and self.streams.subscribe(client, n)
                )
                return begun
            case "public/unsubscribe_all":
                self._drop(client, list(client.streams))
                return "ok"
            case "public/set_heartbeat":
                interval = params.get("interval")
                if not isinstance(interval, int | float) or interval < LEAST_HEARTBEAT_SECONDS:
                    raise RpcError(-32602, reason="wrong format", param="interval")
                self._beat_for(client, float(interval))
                return "ok"
            case "public/disable_heartbeat":
                client.notes.pop("heartbeat", None)
                return "ok"
            case "public/test":
                client.notes["tested"] = True
        return self.methods.call(method, params)

    def _drop(self, client: Client, names: list[str]) -> list[str]:
        for name in names:
            self.streams.unsubscribe(client, name)
        return names

    def _answer(self, result: object, identity: object, wrong: RpcError | None = None) -> bytes:
        error = None if wrong is None else wrong.error
        return msgspec.json.encode(frames.answer(result, identity, self.wall(), error))

    def _beat_for(self, client: Client, interval: float) -> None:
        """Begin to ask a client every so often whether it lives; a new interval takes the place of an older one."""
        token = client.notes["heartbeat"] = object()
        self._spawn(self._ask_for_life(client, interval, token), "heartbeat")

    async def _ask_for_life(self, client: Client, interval: float, token: object) -> None:
        client.notes["tested"] = True
        while True:
            await asyncio.sleep(interval / self.speed)
            if client not in self.streams.clients or client.notes.get("heartbeat") is not token:
                return
            if not client.notes["tested"]:
                await client.connection.close(1000, "heartbeat timeout")
                return
            client.notes["tested"] = False
            for kind in ("heartbeat", "test_request"):
                client.send(msgspec.json.encode(frames.heartbeat(kind)))

    def answer(self, path: str, query: Mapping[str, str], _address: str, body: bytes = b"") -> Reply:
        """Answer one REST request: the method in the address, or a call in the body of a POST."""
        self.market.advance(self.clock())
        identity: object = None
        try:
            if not path.startswith("/api/v2"):
                return Reply(404, {"error": "not found"})
            method = path.removeprefix("/api/v2").strip("/")
            params: Mapping[str, Any] = query
            if body:
                method, params, identity = _request(body.decode(errors="replace"))
            self.credits.spend(method)
            return Reply(200, frames.answer(self.methods.call(method, params), identity, self.wall()))
        except RpcError as wrong:
            return Reply(STATUSES.get(wrong.code, 400), frames.answer(None, identity, self.wall(), wrong.error))

    def fault_body(self, status: int) -> object:
        """Return the error body of an HTTP fault."""
        return frames.answer(None, None, self.wall(), RpcError(FAULTS.get(status, 11050)).error)

    # on a tick, and in real time

    def beat(self, number: int) -> None:
        """Send what is due: a tick is a second."""
        for found in self._speaking():
            if not found.listing.quiet:
                found.trade()
                self._channels.trades(found, [frames.trade(found, self.wall())])
            self._channels.books(found)
            self._channels.prices(found, slow=number % 2 == 0)

    def push(self) -> None:
        """Send every stream now, unchanged tickers too."""
        self.market.advance(self.clock())
        self._channels.forget()
        self.beat(2)

    def _speaking(self) -> list[Instrument]:
        return [found for found in self.market.instruments.values() if found.speaks]

    def traded(self, symbol: str) -> None:
        """Send a trade, the ticker and the book of *symbol* now."""
        found = self.market.instrument(symbol)
        if found.speaks:
            found.trade()
            self._channels.trades(found, [frames.trade(found, self.wall())])
            self._channels.books(found)
            self._channels.prices(found, slow=False)

    def print_liquidation(self, liquidation: LiquidationPrint, flag: str = "T") -> None:
        """Report a forced order: a trade that is marked as one."""
        found = self.market.instrument(liquidation.symbol)
        found.trade()
        self._channels.trades(found, [frames.forced_trade(found, liquidation, flag, self.wall())])

    def cascade(self, liquidation: LiquidationPrint) -> None:
        """Close a position as the venue does, in rounds of one second: a third each, marked T, M and MT."""
        self._spawn(self._cut_in_rounds(liquidation), "cascade")

    async def _cut_in_rounds(self, liquidation: LiquidationPrint) -> None:
        part = replace(liquidation, contracts=liquidation.contracts / len(CASCADE))
        for flag in CASCADE:
            self.print_liquidation(part, flag)
            await asyncio.sleep(ROUND_SECONDS / self.speed)

    def terms_changed(self, symbol: str, *, tiers: bool) -> None:
        """Announce a new state; requirements and delivery dates are announced to nobody."""
        if not tiers:
            self._channels.state(self.market.instrument(symbol))

    def set_fund(self, symbol: str, asset: str, balance: float) -> None:
        """Give the pool a new balance: nobody sees that, only the bankruptcy that it paid for, and what it could not."""
        pool = self.market.pool_of(symbol)
        before = 0.0 if pool is None else pool.balances.get(asset, 0.0)
        super().set_fund(symbol, asset, balance)
        if balance < before:
            funded = before - max(balance, 0.0)
            row = frames.bankruptcy(funded, max(-balance, 0.0), self.wall())
            self.methods.bankruptcies.setdefault(asset, []).insert(0, row)

    def lock(self, index: str, *, locked: bool = True) -> None:
        """Lock trading on an index such as ``btc_usdc``, or free it, and announce that."""
        (self.methods.locked.add if locked else self.methods.locked.discard)(index)
        self._channels.platform({"price_index": index, "locked": locked})

    def maintain(self, seconds: float) -> None:
        """Announce maintenance, hang up on everybody, and answer nothing but 11051 for so long."""
        self._channels.platform({"maintenance": True})
        self.methods.maintenance_until = self.clock() + seconds
        self.cut(reason="maintenance")


def _request(text: str) -> tuple[str, Mapping[str, Any], object]:
    """Return method, parameters and id of a call. Raises ``RpcError``."""
    try:
        said = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        raise RpcError(-32700) from None
    if not isinstance(said, dict) or not isinstance(said.get("method"), str):
        raise RpcError(-32600)
    params = said.get("params", {})
    if not isinstance(params, dict):
        raise RpcError(-32602, reason="parameters must be named")
    return said["method"], params, said.get("id")
