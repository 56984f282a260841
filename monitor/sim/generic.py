"""Venues that have no decoder of their own, on loopback: what is common to their profiles.

A profile is a venue as its documents describe it from the outside: paths, conversation, packing, pings, frames and
resources. Data flow under ``channel:SYMBOL``, as a client asked for them.
"""

from __future__ import annotations

import gzip
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from monitor.sim.market import Instrument, LiquidationPrint
from monitor.sim.rest import Reply, WeightWindow
from monitor.sim.scenario import Scenario
from monitor.sim.streams import Client, Route
from monitor.sim.venue import VenueSim

Payload = Any
Query = Mapping[str, str]
Published = tuple[str, str, Payload]
"""Path, stream, payload."""

FUNDING_HOURS = 8


def ms(seconds: float) -> int:
    """Return epoch milliseconds."""
    return int(seconds * 1000)


class GenericSim(VenueSim):
    """A venue by its profile; a tick stands for one second. ``PATHS`` are its websocket addresses.

    ``PACKED``: every frame goes out in gzip. ``PING_TICKS``: how often the server pings, and ``UNANSWERED`` after how
    many pings without an answer it closes.
    """

    PATHS: ClassVar[tuple[str, ...]]
    PACKED: ClassVar[bool] = False
    PING_TICKS: ClassVar[int] = 0
    UNANSWERED: ClassVar[int] = 1

    def __init__(self, scenario: Scenario, **options: Any) -> None:
        super().__init__(scenario, **options)
        self._weights = WeightWindow(self.limits.weight_per_minute)
        self.pinging = True
        """Whether the server pings its clients."""
        if self.PACKED:
            self.streams.pack = gzip.compress

    # what a profile adds

    @abstractmethod
    def obey(self, client: Client, message: Any) -> Payload | None:
        """Do what a client asks and return the answer, None for none."""

    @abstractmethod
    def frames(self, instrument: Instrument, number: int) -> Iterator[Published]:
        """Yield what is sent of a contract at tick *number*."""

    def liquidation(self, _instrument: Instrument, _printed: LiquidationPrint) -> Iterator[Published]:
        """Yield what is sent of a forced order; by default nothing is published."""
        yield from ()

    @abstractmethod
    def resources(self) -> Mapping[str, Callable[[Query], object]]:
        """Return what answers each REST path; ``*`` at the end of one stands for a contract, as ``symbol`` in the query."""

    def ping(self, _client: Client) -> bytes | None:
        """Return the server's ping, None where it sends none."""
        return None

    def too_many(self) -> object:
        """Return the body of the answer to one request too many."""
        return {"code": 429, "msg": "too many requests"}

    def not_found(self) -> object:
        """Return the body of the answer about something that does not exist."""
        return {"code": 404, "msg": "not found"}

    # addresses and messages

    def route(self, target: str) -> Route | None:
        """Return where an address leads: the paths of the profile."""
        path = urlsplit(target).path
        return Route(path, (), combined=False) if path in self.PATHS else None

    async def welcome(self, client: Client, _streams: Iterable[str]) -> None:
        """Say what the venue says first: by default nothing."""

    async def hear(self, client: Client, text: str) -> None:
        """Answer one message of a client; what is no JSON closes the connection, as most venues do."""
        try:
            message = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError):
            await client.connection.close(1007, "invalid message")
            return
        answer = self.obey(client, message)
        if answer is not None:
            client.send(msgspec.json.encode(answer))

    def known(self, symbol: object) -> bool:
        """Return whether there is a contract of that name."""
        return isinstance(symbol, str) and symbol in self.market.instruments

    # on a tick, and in real time

    def beat(self, number: int) -> None:
        """Send what is due, and the server's pings."""
        for instrument in self._speaking():
            instrument.trade()
            self._publish(self.frames(instrument, number), instrument.symbol)
        if self.pinging and self.PING_TICKS and number % self.PING_TICKS == 0:
            self._ping_clients()

    def push(self) -> None:
        """Send every stream now."""
        self.market.advance(self.clock())
        self.beat(1)

    def _speaking(self) -> list[Instrument]:
        return [instrument for instrument in self.market.instruments.values() if instrument.speaks]

    def _publish(self, published: Iterable[Published], symbol: str) -> None:
        for path, stream, payload in published:
            if self.streams.wanted(path, stream):
                self.streams.publish(path, stream, msgspec.json.encode(payload), symbol)

    def _ping_clients(self) -> None:
        for client in self.clients():
            if client.notes.get("unanswered", 0) >= self.UNANSWERED:
                self._spawn(client.connection.close(1000, "ping not answered"), "unanswered")
            elif (ping := self.ping(client)) is not None:
                client.notes["unanswered"] = client.notes.get("unanswered", 0) + 1
                client.send(ping)

    def answered(self, client: Client) -> None:
        """Note that *client* answered the server's ping."""
        client.notes["unanswered"] = 0

    def traded(self, symbol: str) -> None:
        """Send the frames of *symbol* now."""
        instrument = self.market.instrument(symbol)
        if instrument.speaks:
            self._publish(self.frames(instrument, 1), symbol)

    def print_liquidation(self, liquidation: LiquidationPrint) -> None:
        """Report a forced order, where the venue does."""
        instrument = self.market.instrument(liquidation.symbol)
        self._publish(self.liquidation(instrument, liquidation), liquidation.symbol)

    def terms_changed(self, _symbol: str, *, tiers: bool) -> None:
        """Announce nothing: these venues tell terms by REST alone."""

    # REST

    def answer(self, path: str, query: Mapping[str, str], address: str, _body: bytes = b"") -> Reply:
        """Answer one REST request, weighed as one."""
        self.market.advance(self.clock())
        if self._weights.charge(address, 1, self.wall()) > self.limits.weight_per_minute:
            return Reply(429, self.too_many(), {"Retry-After": str(self._weights.seconds_left(self.wall()))})
        resources = self.resources()
        if path in resources:
            return Reply(200, resources[path](query))
        head, _, symbol = path.rpartition("/")
        if f"{head}/*" in resources and self.known(symbol):
            return Reply(200, resources[f"{head}/*"]({**query, "symbol": symbol}))
        return Reply(404, self.not_found())

    def fault_body(self, status: int) -> object:
        """Return the error body of an HTTP fault."""
        return self.too_many() if status == 429 else self.not_found()

    def listed(self) -> list[Instrument]:
        """Return the contracts that are there."""
        return list(self.market.instruments.values())

    def next_funding(self, instrument: Instrument) -> float:
        """Return when funding is charged next."""
        interval = self.funding_seconds(instrument)
        return (self.wall() // interval + 1.0) * interval

    def funding_seconds(self, instrument: Instrument) -> float:
        """Return the seconds between two charges."""
        return (instrument.funding_interval_hours or FUNDING_HOURS) * 3600.0

    def balance(self, symbol: str) -> tuple[float, float]:
        """Return the USDT in the pool behind *symbol* and when that was, 0 where there is none."""
        pool = self.market.pool_of(symbol)
        if pool is None:
            return 0.0, self.wall()
        return pool.balances.get("USDT", 0.0), pool.update_time or self.wall()


def ladder_caps(instrument: Instrument) -> list[tuple[int, float, float, float, float]]:
    """Return the rows of a ladder: number, floor, cap, maintenance rate, deduction."""
    tiers = instrument.tiers
    caps = [tier.floor for tier in tiers[1:]] + [1e9]
    return [
        (number, tier.floor, cap, tier.maintenance_rate, tier.deduction)
        for number, (tier, cap) in enumerate(zip(tiers, caps, strict=True), 1)
    ]


def max_leverage(rate: float) -> int:
    """Return a largest leverage that goes with a maintenance rate."""
    return max(1, int(0.5 / rate))
